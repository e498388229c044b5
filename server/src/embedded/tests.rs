mod held_disk;
mod slow_disk;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::*;

/// So long a test waits before it fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// The answer to a four-letter word, empty if nobody gives one.
fn word(address: SocketAddr, word: &str) -> String {
    let mut answer = String::new();
    let Ok(mut stream) = TcpStream::connect(address) else {
        return answer;
    };
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    if stream.write_all(word.as_bytes()).is_ok() {
        // A server that ends meanwhile has said nothing.
        let _ = stream.read_to_string(&mut answer);
    }
    answer
}

fn mode(address: SocketAddr) -> String {
    let answer = word(address, "srvr");
    let mode = answer.lines().find_map(|line| line.strip_prefix("Mode: "));
    mode.unwrap_or_default().to_owned()
}

fn until(what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn servers_of_one_process_are_apart() {
    let mut servers: Vec<_> = (0..4)
        .map(|_| EmbeddedServer::start().expect("it starts"))
        .collect();
    let mut ports: Vec<_> = servers.iter().map(|one| one.address().port()).collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), servers.len());
    servers[1].kill().expect("it was up");
    servers[2].stop().expect("it was up");
    let up: Vec<_> = servers.iter().map(|one| mode(one.address())).collect();
    assert_eq!(up, ["standalone", "", "", "standalone"]);
    let running: Vec<_> = servers.iter().map(EmbeddedServer::is_running).collect();
    assert_eq!(running, [true, false, false, true]);
    // A second time there is nothing to do.
    servers[1].kill().expect("nothing to do");
    for server in &mut servers {
        server.restart().expect("it starts");
        assert_eq!(mode(server.address()), "standalone");
    }
}

#[test]
fn a_temporary_directory_goes_and_a_given_one_stays() {
    let server = EmbeddedServer::start().expect("it starts");
    let dir = server
        .instance
        .server()
        .expect("up")
        .config
        .data_dir
        .clone();
    assert!(dir.join("version-2").is_dir());
    drop(server);
    assert!(!dir.exists());

    let given = tempfile::TempDir::new().expect("a directory");
    let settings = Settings::default().data_dir(given.path().join("data"));
    let server = EmbeddedServer::start_with(&settings).expect("it starts");
    let config = &server.instance.server().expect("up").config;
    assert!(config.storage.force_sync, "what stays is synced");
    drop(server);
    assert!(given.path().join("data/version-2").is_dir());
}

#[test]
fn settings_that_no_server_takes_are_told() {
    let settings = Settings::default().line("clientPort", "none");
    let error = EmbeddedServer::start_with(&settings).expect_err("no port");
    assert!(error.to_string().contains("clientPort"), "{error}");
}

#[test]
fn data_that_no_server_takes_is_told() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let settings = Settings::default().data_dir(file.path());
    EmbeddedServer::start_with(&settings).expect_err("a file is no directory");
}

#[tokio::test(flavor = "current_thread")]
async fn it_starts_and_goes_within_a_runtime() {
    let mut server = EmbeddedServer::start().expect("it starts");
    server.kill().expect("it was up");
    server.restart().expect("it starts");
    drop(server);
}

#[test]
fn an_ensemble_outlives_its_leader() {
    let mut ensemble = EmbeddedEnsemble::start().expect("it starts");
    assert!(ensemble.members().all(|me| ensemble.serves(me)));
    let leader = ensemble.leader().expect("one leads");
    ensemble.kill(leader).expect("it was up");
    assert!(!ensemble.is_running(leader));
    assert_eq!(mode(ensemble.address(leader)), "");
    let next = ensemble.wait_for_leader().expect("two are a quorum");
    assert_ne!(next, leader);
    ensemble.restart(leader).expect("it starts");
    until("it follows", || {
        mode(ensemble.address(leader)) == "follower"
    });
    assert_eq!(mode(ensemble.address(next)), "leader");
    ensemble.stop_member(next).expect("it was up");
    ensemble.wait_for_leader().expect("two are a quorum");
    let last = ensemble.members().find(|me| *me != next).expect("two");
    ensemble.kill(last).expect("it was up");
    ensemble.wait_for_leader().expect_err("one is no quorum");
    ensemble.stop().expect("nothing failed");
}

#[test]
fn two_ensembles_stand_side_by_side() {
    let one = EmbeddedEnsemble::start().expect("it starts");
    let other = EmbeddedEnsemble::start().expect("it starts");
    assert_ne!(one.connect_string(), other.connect_string());
    drop(one);
    assert!(other.members().all(|me| other.serves(me)));
}

#[test]
fn a_kill_frees_what_the_server_had() {
    let mut server = EmbeddedServer::start().expect("it starts");
    let alone = std::sync::Arc::downgrade(&server.instance.server().expect("up").replica);
    server.kill().expect("it was up");
    until("it is freed", || alone.strong_count() == 0);

    let mut ensemble = EmbeddedEnsemble::start().expect("it starts");
    let leader = ensemble.leader().expect("one leads");
    let follower = ensemble.members().find(|me| *me != leader).expect("three");
    for (member, orderly) in [(follower, true), (leader, false)] {
        let running = ensemble.server(member).expect("up");
        let replica = std::sync::Arc::downgrade(&running.replica);
        if orderly {
            ensemble.stop_member(member).expect("it was up");
        } else {
            ensemble.kill(member).expect("it was up");
        }
        until("it is freed", || replica.strong_count() == 0);
    }
}
