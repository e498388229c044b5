//! A member or a server alone whose disk does not come back: it goes on telling how it is, and when
//! the disk comes back everything is done that waited.

use std::sync::Arc;

use jute::data::Acl;
use jute::proto::{ConnectRequest, CreateRequest, ReplyHeader, RequestHeader};
use jute::wire::{Decode, Encode, Limits, Reader};
use jute::{OpCode, frame};

use super::held_disk::{HeldDisk, Release};
use super::*;
use crate::ensemble::Engine;
use crate::write_path::WritePath;

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

/// The body of the next frame, if there is one.
fn receive(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut prefix = [0; 4];
    stream.read_exact(&mut prefix).ok()?;
    let mut body = vec![0; u32::from_be_bytes(prefix) as usize];
    stream.read_exact(&mut body).ok()?;
    Some(body)
}

/// Whether it was given a session.
fn is_open(stream: &mut TcpStream) -> bool {
    receive(stream).is_some()
}

/// More bytes than a member writes without its log's thread.
const LARGE: usize = 20_000;

fn ask_to_create(stream: &mut TcpStream, xid: i32, path: &str, len: usize) {
    let mut bytes = Vec::new();
    frame::append(&mut bytes, |out| {
        let op = OpCode::Create.as_i32();
        RequestHeader { xid, op }.encode(out);
        let request = CreateRequest {
            path: Some(path.into()),
            data: Some(&vec![7; len]),
            acl: Some(vec![Acl::open()]),
            flags: 0,
        };
        request.encode(out);
    });
    stream.write_all(&bytes).expect("it takes it");
}

/// xid and error of the next answer; `None` if the connection ends before.
fn answer(stream: &mut TcpStream) -> Option<(i32, i32)> {
    let body = receive(stream)?;
    let header = ReplyHeader::decode(&mut Reader::new(&body, Limits::default()));
    let header = header.expect("a header");
    Some((header.xid, header.err))
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

/// Writes hang at the disk, words do not, and when the disk comes back so do the writes. Nothing
/// here waits for a time: what does not come back fails by the test's patience.
fn words_are_answered(disk: &HeldDisk, address: SocketAddr) {
    assert!(is_open(&mut session(address)), "it serves");
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
    for mut stream in [first].into_iter().chain(more) {
        assert!(is_open(&mut stream), "the write went on");
    }
}

fn settings() -> Settings {
    Settings::default().line("4lw.commands.whitelist", "*")
}

#[test]
fn words_of_a_standalone_server() {
    let mut server = EmbeddedServer::start_with(&settings()).expect("it starts");
    let disk = HeldDisk::default();
    let _release = Release(disk.clone());
    server.kill().expect("it was up");
    server.instance.set_disk(Arc::new(disk.clone()));
    server.restart().expect("it starts");
    words_are_answered(&disk, server.address());
}

/// An ensemble on such disks.
struct Held {
    /// First: what its members wait for is released before they end.
    _releases: Vec<Release>,
    ensemble: EmbeddedEnsemble,
    disks: Vec<HeldDisk>,
}

impl Held {
    fn start() -> Self {
        // Nobody loses patience with who is at its disk.
        let settings = settings().tick_time(Duration::from_secs(2));
        let mut ensemble = EmbeddedEnsemble::start_with(&settings).expect("it starts");
        let disks: Vec<_> = ensemble.members().map(|_| HeldDisk::default()).collect();
        for (member, disk) in (1..).zip(&disks) {
            ensemble.kill(member).expect("it was up");
            ensemble.at_mut(member).set_disk(Arc::new(disk.clone()));
            ensemble.restart(member).expect("it starts");
            until("it serves", || ensemble.serves(member));
        }
        Self {
            _releases: disks.iter().cloned().map(Release).collect(),
            ensemble,
            disks,
        }
    }

    fn disk(&self, member: usize) -> &HeldDisk {
        &self.disks[member - 1]
    }

    fn engine(&self, member: usize) -> Arc<Engine> {
        let server = self.ensemble.server(member).expect("it is up");
        match &server.pipeline {
            WritePath::Ensemble(engine) => Arc::clone(engine),
            WritePath::Standalone(_) => unreachable!("a member"),
        }
    }

    fn roles(&self) -> (usize, usize) {
        let leader = self.ensemble.wait_for_leader().expect("all are up");
        let mut others = self.ensemble.members().filter(|me| *me != leader);
        (leader, others.next().expect("three"))
    }
}

#[test]
fn words_of_a_leader_and_of_a_follower() {
    let held = Held::start();
    let (leader, follower) = held.roles();
    for member in [follower, leader] {
        words_are_answered(held.disk(member), held.ensemble.address(member));
    }
    assert_eq!(held.ensemble.leader(), Some(leader), "nobody was given up");
}

/// What happens while a member's log has something to do.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Meanwhile {
    Nothing,
    /// A request that comes to an error, which is logged as well.
    Refusal,
    LeaderLost,
    DiskFull,
    Stop,
}

/// A member that once believed its log busy for ever would never again write a lone entry itself.
#[test]
fn a_member_knows_when_its_log_has_nothing_to_do() {
    for meanwhile in [
        Meanwhile::Nothing,
        Meanwhile::Refusal,
        Meanwhile::LeaderLost,
        Meanwhile::DiskFull,
        Meanwhile::Stop,
    ] {
        let mut held = Held::start();
        let (leader, follower) = held.roles();
        let engine = held.engine(follower);
        let disk = held.disk(follower).clone();
        let mut client = session(held.ensemble.address(follower));
        assert!(is_open(&mut client), "{meanwhile:?}");
        until("nothing is left to do", || engine.with_disk() == 0);
        disk.set_held(true);
        ask_to_create(&mut client, 1, "/a", LARGE);
        until("the log is busy", || engine.with_disk() > 0);
        match meanwhile {
            Meanwhile::Nothing => {}
            Meanwhile::Refusal => {
                // What comes meanwhile the log's thread takes as one.
                for (xid, known) in [(2, 1), (3, 2)] {
                    ask_to_create(&mut client, xid, "/a", 0);
                    until("there is more to do", || engine.with_disk() > known);
                }
            }
            Meanwhile::LeaderLost => held.ensemble.kill(leader).expect("it was up"),
            Meanwhile::DiskFull => disk.fill(),
            Meanwhile::Stop => engine.stop(),
        }
        assert!(engine.with_disk() > 0, "{meanwhile:?}");
        disk.set_held(false);
        let idle = format!("nothing is left to do after {meanwhile:?}");
        let runs = !matches!(meanwhile, Meanwhile::DiskFull | Meanwhile::Stop);
        // One that was stopped takes no more reports once it has ended.
        let stopped = || meanwhile == Meanwhile::Stop && !held.ensemble.is_running(follower);
        until(&idle, || engine.with_disk() == 0 || stopped());
        let answered = answer(&mut client);
        match meanwhile {
            Meanwhile::Nothing | Meanwhile::LeaderLost => assert_eq!(answered, Some((1, 0))),
            Meanwhile::Refusal => {
                let exists = jute::ErrorCode::NodeExists.as_i32();
                let answers = [answered, answer(&mut client), answer(&mut client)];
                assert_eq!(answers, [(1, 0), (2, exists), (3, exists)].map(Some));
            }
            // The others have it, and the member may hear of that before it ends.
            Meanwhile::DiskFull | Meanwhile::Stop => {
                assert!(matches!(answered, None | Some((1, 0))), "{answered:?}");
            }
        }
        until("it goes on, or ends", || {
            held.ensemble.is_running(follower) == runs
        });
        assert!(!runs || engine.with_disk() == 0, "{meanwhile:?}");
    }
}
