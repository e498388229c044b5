//! A server whose disk does not come back: it goes on telling how it is.

use std::io;
use std::path::Path;
use std::sync::Arc;

use jute::frame;
use jute::proto::ConnectRequest;
use jute::wire::Encode;
use parking_lot::{Condvar, Mutex};
use storage::{Disk, DiskFile};

use super::*;
use crate::RealDisk;

/// The real disk, which can be held: whoever comes to it then waits.
#[derive(Clone, Default)]
struct HeldDisk(Arc<Gate>);

#[derive(Default)]
struct Gate {
    state: Mutex<State>,
    released: Condvar,
}

#[derive(Default)]
struct State {
    held: bool,
    waiting: usize,
}

impl HeldDisk {
    fn set_held(&self, held: bool) {
        self.0.state.lock().held = held;
        self.0.released.notify_all();
    }

    fn waiting(&self) -> usize {
        self.0.state.lock().waiting
    }

    fn pass(&self) -> &RealDisk {
        let mut state = self.0.state.lock();
        state.waiting += 1;
        while state.held {
            self.0.released.wait(&mut state);
        }
        state.waiting -= 1;
        &RealDisk
    }

    fn file(&self, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        let disk = self.clone();
        Box::new(HeldFile { file, disk })
    }
}

/// However a test ends, the threads of its servers do.
struct Release(HeldDisk);

impl Drop for Release {
    fn drop(&mut self) {
        self.0.set_held(false);
    }
}

impl Disk for HeldDisk {
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.pass().list(dir)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.pass().exists(path)
    }

    fn size(&self, path: &Path) -> io::Result<u64> {
        self.pass().size(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.file(self.pass().create(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.file(self.pass().open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.pass().rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.pass().remove(path)
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.pass().create_dir_all(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.pass().sync_dir(dir)
    }
}

struct HeldFile {
    file: Box<dyn DiskFile>,
    disk: HeldDisk,
}

impl HeldFile {
    fn pass(&self) -> &dyn DiskFile {
        self.disk.pass();
        self.file.as_ref()
    }
}

impl DiskFile for HeldFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.pass().write_at(offset, bytes)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.pass().read_at(offset, buffer)
    }

    fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        self.pass().allocate(offset, len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.pass().sync_data()
    }

    fn write_durable_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.pass().write_durable_at(offset, bytes)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.pass().set_len(len)
    }

    fn len(&self) -> io::Result<u64> {
        self.pass().len()
    }
}

/// A connection that asks for a session, which is a write.
fn session(address: SocketAddr) -> TcpStream {
    let request = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: 0,
        timeout_ms: 60_000,
        session_id: 0,
        passwd: Some(&[0; 16]),
        read_only: Some(false),
    };
    let mut bytes = Vec::new();
    frame::append(&mut bytes, |out| request.encode(out));
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    stream.write_all(&bytes).expect("it takes it");
    stream
}

/// Whether it was given a session.
fn is_open(mut stream: TcpStream) -> bool {
    let mut prefix = [0; 4];
    stream.read_exact(&mut prefix).is_ok()
}

/// More than the threads that move bytes, and than what one of them does at a time.
const SESSIONS: usize = 20;

/// Words of every kind; those that go to the disk themselves are left out (`conf`, `dirs`).
const WORDS: [(&str, &str); 8] = [
    ("ruok", "imok"),
    ("srvr", "Zookeeper version"),
    ("stat", "Zookeeper version"),
    ("mntr", "zk_version"),
    ("cons", " /127.0.0.1"),
    ("dump", "SessionTracker dump"),
    ("wchs", "0 connections"),
    ("isro", "rw"),
];

/// Writes hang at the disk, words do not, and when the disk comes back so do the writes. Nothing here
/// waits for a time: what does not come back fails by the test's patience.
fn words_are_answered(disk: &HeldDisk, address: SocketAddr) {
    is_open(session(address)).then_some(()).expect("it serves");
    disk.set_held(true);
    let first = session(address);
    until("somebody is at the disk", || disk.waiting() > 0);
    let more: Vec<_> = (1..SESSIONS).map(|_| session(address)).collect();
    // Twice: who looks may not get into the way of who looks next.
    for _ in 0..2 {
        for (name, expected) in WORDS {
            let answer = word(address, name);
            assert!(answer.starts_with(expected), "{name}: {answer:?}");
        }
    }
    assert!(disk.waiting() > 0, "it is at the disk all the time");
    disk.set_held(false);
    for stream in [first].into_iter().chain(more) {
        assert!(is_open(stream), "the write went on");
    }
}

fn settings() -> Settings {
    Settings::default().line("4lw.commands.whitelist", "*")
}

#[test]
fn of_a_standalone_server() {
    let mut server = EmbeddedServer::start_with(&settings()).expect("it starts");
    let disk = HeldDisk::default();
    let _release = Release(disk.clone());
    server.kill().expect("it was up");
    server.instance.set_disk(Arc::new(disk.clone()));
    server.restart().expect("it starts");
    words_are_answered(&disk, server.address());
}

#[test]
fn of_a_leader_and_of_a_follower() {
    // Nobody loses patience with who is at its disk.
    let settings = settings().tick_time(Duration::from_secs(2));
    let mut ensemble = EmbeddedEnsemble::start_with(&settings).expect("it starts");
    let disks: Vec<_> = ensemble.members().map(|_| HeldDisk::default()).collect();
    let _releases: Vec<_> = disks.iter().cloned().map(Release).collect();
    for (member, disk) in (1..).zip(&disks) {
        ensemble.kill(member).expect("it was up");
        ensemble.at_mut(member).set_disk(Arc::new(disk.clone()));
        ensemble.restart(member).expect("it starts");
        until("it serves", || ensemble.serves(member));
    }
    let leader = ensemble.wait_for_leader().expect("all are up");
    let follower = ensemble.members().find(|me| *me != leader).expect("three");
    for member in [follower, leader] {
        words_are_answered(&disks[member - 1], ensemble.address(member));
    }
    assert_eq!(ensemble.leader(), Some(leader), "nobody was given up");
}
