//! Real directories: the storage contract, sudden ends, and a disk that fills up.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use jute::OpCode;
use rustix::process::{Signal, geteuid};
use server::RealDisk;
use storage::Disk;
use tempfile::TempDir;

use crate::common::{Client, Server, configure, set};

/// Sudden ends in one test.
const KILLS: usize = 5;

/// Size of the small file system, bytes.
const SMALL_DISK: u64 = 24 << 20;

/// What is removed to make space again, bytes.
const BALLAST: usize = 12 << 20;

#[test]
fn the_real_disk_keeps_the_contract() {
    let root = TempDir::new().expect("a temporary directory");
    let mut dirs: Vec<PathBuf> = Vec::new();
    for at in 0..32 {
        let dir = root.path().join(at.to_string());
        fs::create_dir(&dir).expect("a directory");
        dirs.push(dir);
    }
    let mut dirs = dirs.iter();
    storage::suite::run(|| {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        (disk, dirs.next().expect("fewer checks than directories"))
    });
}

/// Writes until the server is gone; returns the last value that was acknowledged.
fn write_until_the_end(mut client: Client, path: &str) -> u64 {
    const WINDOW: u64 = 8;
    let (mut sent, mut acknowledged) = (0_u64, 0_u64);
    loop {
        while sent - acknowledged < WINDOW {
            sent += 1;
            client.send(OpCode::SetData, &set(path, &sent.to_be_bytes(), -1));
        }
        match client.reply() {
            Some(reply) => assert_eq!(reply.err, 0),
            None => return acknowledged,
        }
        acknowledged += 1;
    }
}

#[test]
fn a_sudden_end_loses_nothing_that_was_acknowledged() {
    // Small numbers, so that files are rolled and snapshots written while it is killed.
    let lines = "snapCount=200\npreAllocSize=64";
    let mut server = Server::start(lines);
    let mut first = Client::connect(server.address);
    let paths = ["/w0", "/w1", "/w2"];
    for path in paths {
        first.created(path, 0);
    }
    drop(first);
    for kill in 0..KILLS {
        let writers = paths.map(|path| {
            let client = Client::connect(server.address);
            thread::spawn(move || write_until_the_end(client, path))
        });
        thread::sleep(Duration::from_millis(100 + 70 * kill as u64));
        let (_, dir) = server.stop(Signal::KILL);
        let acknowledged = writers.map(|writer| writer.join().expect("a writer"));
        server = Server::start_in(dir, lines, "");
        let mut client = Client::connect(server.address);
        for (path, acknowledged) in paths.into_iter().zip(acknowledged) {
            assert!(acknowledged > 0, "nothing was written");
            let data = client.data(path).expect("data");
            let kept = u64::from_be_bytes(data.try_into().expect("8 bytes"));
            assert!(kept >= acknowledged, "{path}: {acknowledged}, kept {kept}");
        }
    }
}

/// Arguments of `unshare` for a mount namespace: root's own, or one in a user namespace,
/// where the system lets everybody be root of a namespace.
const AS_ROOT: &[&str] = &["--mount"];
const AS_USER: &[&str] = &["--user", "--map-root-user", "--mount"];

/// Mounts a file system of `$1` bytes on `$2` and goes on as the rest of the arguments.
const ON_SMALL_DISK: &str = "mount -t tmpfs -o size=\"$1\" tmpfs \"$2\" && shift 2 && exec \"$@\"";

/// The command `tail`, in a mount namespace that ends with it and that alone has a small
/// file system on `disk`.
fn unshare(namespace: &[&str], disk: &str, tail: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    let size = SMALL_DISK.to_string();
    command.args(namespace);
    command.args(["sh", "-c", ON_SMALL_DISK, "sh", &size, disk]);
    command.args(tail);
    command
}

/// The kind of namespace that this machine lets us have.
///
/// # Panics
/// If there is none.
fn mount_namespace(disk: &str) -> &'static [&'static str] {
    let mut refused = String::new();
    let kinds = if geteuid().is_root() {
        vec![AS_ROOT, AS_USER]
    } else {
        vec![AS_USER]
    };
    for namespace in kinds {
        match unshare(namespace, disk, &["true"]).output() {
            Ok(probe) if probe.status.success() => return namespace,
            Ok(probe) => refused += &String::from_utf8_lossy(&probe.stderr),
            Err(error) => refused += &error.to_string(),
        }
    }
    panic!(
        "a disk that fills up needs a file system of its own. Install `unshare` and `mount` \
         (util-linux), and run this as root, with CAP_SYS_ADMIN in a container, or allow \
         user namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, \
         kernel.apparmor_restrict_unprivileged_userns): {refused}"
    );
}

/// A server whose data lies on a small file system of its own.
fn on_a_small_disk() -> Server {
    let dir = TempDir::with_prefix("zabkeeper-test-").expect("a temporary directory");
    let disk = dir.path().join("disk");
    fs::create_dir_all(&disk).expect("a directory");
    let lines = format!("dataDir={}\npreAllocSize=1024", disk.join("data").display());
    let configuration = configure(dir.path(), &lines);
    let config = configuration.path.to_str().expect("a path in UTF-8");
    let disk = disk.to_str().expect("a path in UTF-8");
    let binary = env!("CARGO_BIN_EXE_zabkeeper");
    let command = unshare(mount_namespace(disk), disk, &[binary, "server", config]);
    Server::spawn(command, dir, configuration, "")
}

#[test]
fn a_full_disk_refuses_writes_and_serves_reads() {
    let mut server = on_a_small_disk();
    // `unshare` and the shell both exec: the process is the server, and its file system is
    // reached through it.
    let disk = PathBuf::from(format!(
        "/proc/{}/root{}",
        server.pid(),
        server.dir.path().join("disk").display()
    ));
    let ballast = disk.join("ballast");
    fs::write(&ballast, vec![1; BALLAST]).expect("space for the ballast");
    let mut client = Client::connect(server.address);
    let data = vec![7; 200_000];
    client.created("/n", 0);
    client.created("/mine", 1);
    let mut kept = 0;
    let refused = loop {
        let reply = client.set("/n", &data);
        if reply.err != 0 {
            break reply.err;
        }
        kept += 1;
        assert!(kept < 1000, "the disk never fills up");
    };
    assert_eq!(refused, jute::ErrorCode::SystemError.as_i32());
    // Reads go on, and so do sessions that are there.
    assert_eq!(client.stat("/n").version, kept);
    assert_eq!(client.data("/n").as_deref(), Some(&data[..]));
    let mut again = Client::open(server.address, &client.renewal()).expect("renewed");
    assert_eq!(again.stat("/mine").ephemeral_owner, again.session);
    assert_ne!(again.set("/n", &data).err, 0);
    assert!(server.is_running());
    assert!(server.log().contains("writes are refused"));
    fs::remove_file(&ballast).expect("the ballast");
    while again.set("/n", b"there is space").err != 0 {
        thread::sleep(Duration::from_millis(20));
    }
    assert!(server.log().contains("there is space again"));
    assert_eq!(again.stat("/n").version, kept + 1);
    assert_eq!(again.data("/n").as_deref(), Some(&b"there is space"[..]));
    // What lies on that disk starts elsewhere.
    let elsewhere = TempDir::with_prefix("zabkeeper-test-").expect("a temporary directory");
    copy(&disk.join("data"), &elsewhere.path().join("data"));
    let server = Server::start_in(elsewhere, "", "");
    let mut client = Client::open(server.address, &client.renewal()).expect("renewed");
    assert_eq!(client.stat("/n").version, kept + 1);
    assert_eq!(client.stat("/mine").ephemeral_owner, client.session);
    client.close();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}
