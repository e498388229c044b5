//! Directories that are not what their server needs: it says so, and nothing is lost in silence.

use std::fs;
use std::process::Command;

use rustix::process::Signal;

use crate::common::{Client, Ensemble};

/// Epoch files and what is said of them.
const CONTRADICTIONS: &[(&str, &str, &str)] = &[
    ("5", "3", "acceptedEpoch 3 is lower than currentEpoch 5"),
    ("1", "1", "older than the last logged zxid"),
    ("x", "1", "\"x\" is not the number of an epoch"),
    ("-4", "1", "\"-4\" is not the number of an epoch"),
    ("", "1", "is not the number of an epoch"),
    ("1", "99999999999", "is not the number of an epoch"),
];

#[test]
fn epoch_files_that_contradict_the_log_are_refused() {
    let mut ensemble = Ensemble::started(3, "");
    // A second epoch, for the log to reach into.
    let first = ensemble.leader();
    ensemble.stop(first, Signal::KILL);
    ensemble.start(first);
    ensemble.leader();
    let follower = ensemble.follower();
    ensemble.assert_goes_on(follower);
    ensemble.stop(follower, Signal::KILL);
    let files = ["currentEpoch", "acceptedEpoch"].map(|name| ensemble.data(follower).join(name));
    let kept = files.each_ref().map(|path| fs::read(path).expect("a file"));
    for (current, accepted, expected) in CONTRADICTIONS {
        fs::write(&files[0], current).expect("a file");
        fs::write(&files[1], accepted).expect("a file");
        ensemble.start(follower);
        assert_eq!(ensemble.ended(follower).code(), Some(1), "{expected}");
        let said = ensemble.logged(follower, expected).pop();
        let said = said.unwrap_or_else(|| panic!("{expected}: {}", ensemble.log(follower)));
        assert!(said.contains("Epoch"), "the file is named: {said}");
        assert_eq!(fs::read_to_string(&files[0]).expect("a file"), *current);
    }
    ensemble.assert_goes_on(ensemble.leader());
    for (path, content) in files.iter().zip(kept) {
        fs::write(path, content).expect("a file");
    }
    ensemble.start(follower);
    ensemble.assert_goes_on(follower);
}

/// What one server has acknowledged another one may not have.
#[test]
fn the_directory_of_another_server_is_refused() {
    let mut ensemble = Ensemble::started(3, "");
    let (leader, follower) = (ensemble.leader(), ensemble.follower());
    let other = 6 - leader - follower;
    ensemble.assert_goes_on(other);
    ensemble.stop(follower, Signal::TERM);
    ensemble.stop(other, Signal::TERM);
    let (own, foreign) = (ensemble.data(follower), ensemble.data(other));
    let away = ensemble.dir(follower).join("away");
    fs::rename(&own, &away).expect("moved");
    let copied = Command::new("cp").arg("-r").args([&foreign, &own]).status();
    assert!(copied.expect("cp runs").success());
    let files = || {
        let mut names: Vec<_> = fs::read_dir(&own)
            .expect("a directory")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        names.sort();
        names
    };
    let before = files();
    ensemble.start(follower);
    assert_eq!(ensemble.ended(follower).code(), Some(2));
    let expected = format!("this is the data of server {other}, and this is server {follower}");
    assert_eq!(ensemble.logged(follower, &expected).len(), 1);
    assert_eq!(files(), before, "nothing was touched");
    // As the message says: without them the leader's history is copied.
    fs::remove_dir_all(&own).expect("removed");
    ensemble.start(other);
    ensemble.start(follower);
    ensemble.assert_goes_on(follower);
    // Two processes on one directory.
    let second = Command::new(env!("CARGO_BIN_EXE_zabkeeper"))
        .args(["server", "0"])
        .arg(ensemble.dir(follower).join("data"))
        .env_remove("SERVER_JVMFLAGS")
        .env_remove("JVMFLAGS")
        .output()
        .expect("it runs");
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains("is in use by another server"), "{said}");
    ensemble.assert_goes_on(follower);
}

/// Server 3 never heard of the write that 1 and 2 acknowledged, and 2 has lost it: together they
/// are a majority, and must not make a history without it.
#[test]
fn an_emptied_directory_does_not_vote_away_what_it_acknowledged() {
    let mut ensemble = Ensemble::started(3, "");
    let leader = ensemble.leader();
    let follower = ensemble.follower();
    let absent = 6 - leader - follower;
    ensemble.stop(absent, Signal::KILL);
    let mut client = ensemble.client(leader);
    client.created("/acknowledged", 0);
    client.close();
    ensemble.stop(follower, Signal::KILL);
    ensemble.stop(leader, Signal::KILL);
    fs::remove_dir_all(ensemble.data(follower)).expect("removed");
    ensemble.start(absent);
    ensemble.start(follower);
    // They have heard each other, and went through some rounds of an election.
    for (one, other) in [(absent, follower), (follower, absent)] {
        ensemble.wait_logged(one, &format!("connected with server {other} "));
    }
    std::thread::sleep(std::time::Duration::from_secs(3));
    for id in [absent, follower] {
        assert_eq!(ensemble.mode(id), None, "server {id} serves");
    }
    ensemble.start(leader);
    for id in 1..=3 {
        ensemble.wait_until_serving(id);
        let mut client = Client::connect(ensemble.client_address(id));
        client.call(
            jute::OpCode::Sync,
            &crate::common::get("/acknowledged", false),
        );
        assert_eq!(client.exists("/acknowledged", false).err, 0, "on {id}");
        client.close();
    }
}

/// Two of three begin anew, as the operator wants, and the third comes with what they had. The
/// election in which it could lead again would be won by its history, and what the others have
/// acknowledged by then would be gone.
#[test]
fn an_old_history_does_not_replace_what_was_begun_anew() {
    let mut ensemble = Ensemble::started(3, "");
    let leader = ensemble.leader();
    ensemble.stop(leader, Signal::KILL);
    // A second epoch.
    let kept = ensemble.leader();
    ensemble.start(leader);
    ensemble.wait_until_serving(leader);
    let others = [leader, 6 - leader - kept];
    for id in 1..=3 {
        ensemble.stop(id, Signal::KILL);
    }
    for id in others {
        fs::remove_dir_all(ensemble.data(id)).expect("removed");
        fs::create_dir_all(ensemble.data(id)).expect("made");
        fs::write(ensemble.dir(id).join("data/initialize"), "").expect("written");
        ensemble.start(id);
    }
    let leader = ensemble.leader();
    let mut client = ensemble.client(leader);
    client.created("/new", 0);
    ensemble.start(kept);
    let why = format!("server {kept} has a history of epoch 2, this is 1: a quorum");
    ensemble.wait_logged(leader, &why);
    assert_eq!(client.exists("/new", false).err, 0);
    client.close();
    ensemble.assert_goes_on(leader);
    assert_eq!(ensemble.mode(kept), None, "server {kept} serves");
}

/// A file may not grow any more: the write fails, and the process says which file and ends.
#[test]
fn a_disk_that_fails_ends_the_server_with_the_name_of_the_file() {
    // No file is made ahead of need: the log has one, and that grows.
    let mut ensemble = Ensemble::new(3, "preAllocSize=0");
    for id in [1, 2] {
        ensemble.start(id);
    }
    let mut limited = Command::new("sh");
    limited.args([
        "-c",
        "trap '' XFSZ; ulimit -f 2048; exec \"$@\"",
        "sh",
        env!("CARGO_BIN_EXE_zabkeeper"),
    ]);
    ensemble.start_by(3, limited);
    for id in 1..=3 {
        ensemble.wait_until_serving(id);
    }
    let other = if ensemble.leader() == 1 { 2 } else { 1 };
    let mut client = ensemble.client(other);
    client.created("/n", 0);
    let data = vec![b'x'; 300_000];
    for _ in 0..8 {
        // The leader may be the one that ends: its clients stay, and are answered by the next one.
        assert_eq!(client.set("/n", &data).err, 0);
    }
    assert_eq!(ensemble.ended(3).code(), Some(1));
    let said = ensemble.logged(3, "the server stops").pop();
    let said = said.unwrap_or_else(|| panic!("{}", ensemble.log(3)));
    assert!(said.contains("version-2/log."), "{said}");
    client.close();
    ensemble.assert_goes_on(other);
}
