//! Bad learners: the connection ends with one clear line, and the ensemble goes on.

use std::thread::sleep;
use std::time::Duration;

use jute::OpCode;
use jute::quorum::PacketType;

use crate::common::{Ensemble, Learner, set};

const EPOCH: i64 = 1;

/// Servers 1 and 2 of three; what is said here is said by whoever likes.
fn two_of_three() -> (Ensemble, i64, i64) {
    let mut ensemble = Ensemble::new(3, "");
    ensemble.start(1);
    ensemble.start(2);
    let leader = ensemble.leader();
    let follower = 3 - leader;
    ensemble.wait_until_serving(follower);
    (ensemble, leader, follower)
}

/// The line of the leader's log that names this end of a connection, and no other does.
fn the_line(ensemble: &Ensemble, at: i64, peer: &str) -> String {
    ensemble.wait_logged(at, peer);
    // What would be told twice is told at once.
    sleep(Duration::from_millis(50));
    let mut lines = ensemble.logged(at, peer);
    assert_eq!(lines.len(), 1, "{lines:#?}");
    lines.remove(0)
}

fn assert_refused(ensemble: &Ensemble, at: i64, mut learner: Learner, expected: &str) {
    let peer = learner.stream.local_addr().expect("connected").to_string();
    // Whatever else it says is of no use.
    learner.send(PacketType::Ack, 0, &[]);
    learner.closed();
    let line = the_line(ensemble, at, &format!("{peer} "));
    assert!(line.contains(expected), "{expected} in {line}");
}

type Says = fn(&mut Learner, i64);

/// What a learner says to the leader, whose id it is told, and what the log says of it.
const BAD: &[(Says, &str)] = &[
    (
        |learner, _| learner.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        "not a packet of the quorum protocol",
    ),
    // A TLS greeting, and nothing at all.
    (
        |learner, _| {
            learner.write(&[
                0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 0xa5, 0x77, 0x12, 9, 8, 7,
            ]);
        },
        "not a packet of the quorum protocol",
    ),
    (
        |learner, _| learner.write(&[0; 64]),
        "not a packet of the quorum protocol",
    ),
    // Data of a gigabyte, and more identities than anybody has.
    (
        |learner, _| {
            learner.write(&11_i32.to_be_bytes());
            learner.write(&0_i64.to_be_bytes());
            learner.write(&(1_i32 << 30).to_be_bytes());
        },
        "not a packet of the quorum protocol",
    ),
    (
        |learner, _| {
            learner.write(&11_i32.to_be_bytes());
            learner.write(&0_i64.to_be_bytes());
            learner.write(&(-1_i32).to_be_bytes());
            learner.write(&1_000_000_i32.to_be_bytes());
        },
        "not a packet of the quorum protocol",
    ),
    // FOLLOWERINFO of three bytes.
    (
        |learner, _| learner.send(PacketType::FollowerInfo, 0, &[1, 2, 3]),
        "not a packet of the quorum protocol",
    ),
    // A packet that has no place here.
    (
        |learner, _| learner.send(PacketType::AckEpoch, 0, &0_i32.to_be_bytes()),
        "unexpected ACKEPOCH while waiting for FOLLOWERINFO",
    ),
    (
        |learner, leader| learner.introduce(PacketType::FollowerInfo, leader, 0, 0),
        "a learner with the id of this server",
    ),
    // Another ensemble's configuration.
    (
        |learner, _| learner.introduce(PacketType::FollowerInfo, 3, 0, 0x7_0000_0000),
        "server 3 has a newer configuration than its leader",
    ),
    // An epoch that no one can have got to, and the last one that there is.
    (
        |learner, _| learner.introduce(PacketType::FollowerInfo, 3, 5000, 0),
        "server 3 has accepted epoch 5000 already, this is 1",
    ),
    (
        |learner, _| learner.introduce(PacketType::FollowerInfo, 3, 0x7fff_ffff, 0),
        "no epoch comes after",
    ),
    // An acknowledgement of what was never sent.
    (
        |learner, _| {
            learner.observe(9);
            learner.send(PacketType::Ack, (EPOCH << 32) + 0x00ff_ffff, &[]);
        },
        "server 9 at ",
    ),
    (
        |learner, _| {
            learner.observe(9);
            // More than it can have been asked for.
            for _ in 0..1000 {
                learner.send(PacketType::Ping, 0, &[]);
            }
        },
        "an answer to a ping that was not sent",
    ),
];

#[test]
fn whoever_breaks_the_protocol_loses_the_connection() {
    let (ensemble, leader, follower) = two_of_three();
    // Each from a machine of its own: what one does again and again is told ever more rarely.
    for (machine, (say, expected)) in (2..).zip(BAD) {
        let mut learner = Learner::dial_from(machine, ensemble.quorum_address(leader));
        say(&mut learner, leader);
        assert_refused(&ensemble, leader, learner, expected);
        ensemble.assert_goes_on(follower);
    }
    // None of this was worth another leader.
    let zxid = ensemble.zxid(leader).expect("it serves");
    assert!(zxid.starts_with(&format!("0x{EPOCH}")), "{zxid}");
    // A follower leads nobody.
    let mut learner = Learner::dial(ensemble.quorum_address(follower));
    learner.introduce(PacketType::FollowerInfo, 3, 0, 0);
    assert_refused(&ensemble, follower, learner, "this server does not lead");
    ensemble.assert_goes_on(follower);
}

#[test]
fn the_same_complaint_is_told_ever_more_rarely() {
    let (ensemble, leader, _) = two_of_three();
    for _ in 0..5 {
        let mut learner = Learner::dial(ensemble.quorum_address(leader));
        learner.send(PacketType::Ping, 0, &[]);
        learner.closed();
    }
    let told = ensemble.logged(leader, "to the quorum port is closed");
    assert_eq!(told.len(), 3, "the first, second and fourth: {told:#?}");
    assert!(told[2].contains("and not for the first time"), "{told:#?}");
}

#[test]
fn a_server_that_comes_twice_is_heard_on_its_newer_connection() {
    let (ensemble, leader, follower) = two_of_three();
    let mut client = ensemble.client(follower);
    let mut first = Learner::dial(ensemble.quorum_address(leader));
    first.observe(9);
    let peer = first.stream.local_addr().expect("connected").to_string();
    let mut second = Learner::dial(ensemble.quorum_address(leader));
    second.observe(9);
    client.created("/n", 0);
    client.close();
    second.receive_at_last(PacketType::Inform);
    first.closed();
    let line = the_line(&ensemble, leader, &format!("{peer} "));
    assert!(line.contains("server 9 at"), "{line}");
    assert!(line.contains("server 9 connected anew"), "{line}");
}

/// A voter that has promised a later epoch can follow no leader of this one. It is not left alone.
#[test]
fn a_voter_with_a_newer_epoch_ends_the_reign_in_order() {
    let (ensemble, leader, follower) = two_of_three();
    let mut client = ensemble.client(follower);
    client.created("/kept", 0);
    let mut voter = Learner::dial(ensemble.quorum_address(leader));
    voter.introduce(PacketType::FollowerInfo, 3, EPOCH + 4, 0);
    let peer = voter.stream.local_addr().expect("connected").to_string();
    voter.closed();
    let line = the_line(&ensemble, leader, &format!("{peer} "));
    assert!(
        line.contains("server 3 has accepted epoch 5 already, this is 1"),
        "{line}"
    );
    ensemble.wait_for("later epoch", |ensemble| {
        let zxid = ensemble.zxid(ensemble.leader())?;
        (!zxid.starts_with("0x1")).then_some(())
    });
    // The client is where it was.
    assert_eq!(client.set("/kept", b"value").err, 0);
    client.close();
    ensemble.assert_goes_on(leader);
}

/// Not even what is queued for it is waited for.
#[test]
fn a_learner_that_stops_reading_is_let_go_and_slows_nobody() {
    const WRITES: usize = 40;
    const BYTES: usize = 900_000;
    let (ensemble, leader, follower) = two_of_three();
    let mut learner = Learner::dial(ensemble.quorum_address(leader));
    learner.observe(9);
    let peer = learner.stream.local_addr().expect("connected").to_string();
    let mut client = ensemble.client(follower);
    client.created("/large", 0);
    let data = vec![b'x'; BYTES];
    for _ in 0..WRITES {
        client.send(OpCode::SetData, &set("/large", &data, -1));
        assert_eq!(client.reply().expect("an answer").err, 0);
    }
    let line = the_line(&ensemble, leader, &format!("{peer} "));
    assert!(line.contains("server 9 at"), "{line}");
    assert!(line.contains("nothing heard for"), "{line}");
    let received = learner.closed();
    assert!(received < WRITES * BYTES, "it was sent everything first");
    client.close();
    ensemble.assert_goes_on(leader);
}

/// What a connection had goes with it: a server that is dialled again and again runs out of
/// nothing.
#[test]
fn a_connection_that_is_gone_leaves_nothing_behind() {
    let (ensemble, leader, follower) = two_of_three();
    let open = || {
        let fds = std::fs::read_dir(format!("/proc/{}/fd", ensemble.pid(leader)));
        fds.expect("the process is there").count()
    };
    let before = open();
    for _ in 0..200 {
        let mut learner = Learner::dial(ensemble.quorum_address(leader));
        learner.introduce(PacketType::ObserverInfo, 9, 0, 0);
        learner.receive_at_last(PacketType::LeaderInfo);
    }
    ensemble.wait_for("end of the connections", |_| {
        (open() < before + 20).then_some(())
    });
    ensemble.assert_goes_on(follower);
}
