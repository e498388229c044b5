//! Foreign bytes on the election port, members that are not what they seem, and names that do not
//! resolve.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use jute::quorum::Endpoint;
use jute::quorum::ServerId;
use jute::quorum::election::{InitialForm, InitialMessage};
use rustix::process::Signal;

use crate::common::{Ensemble, bytes};

fn initial(id: i64, port: u16) -> Vec<u8> {
    bytes(&InitialMessage {
        form: InitialForm::V1,
        server: ServerId(id),
        addresses: vec![Endpoint {
            host: "127.0.0.1".to_owned(),
            port,
        }],
    })
}

#[test]
fn foreign_bytes_on_the_election_port_harm_nobody() {
    let ensemble = Ensemble::started(3, "");
    let leader = ensemble.leader();
    let follower = ensemble.follower();
    for (said, expected) in [
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "is no server id"),
        (vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc], "is no server id"),
        (vec![0xff; 40], "not those of a server"),
        (initial(leader, 1), "is its myid right?"),
        (initial(-7, 1), "server ids are not negative"),
    ] {
        let mut stream = TcpStream::connect(ensemble.election_address(leader)).expect("listens");
        stream.write_all(&said).expect("written");
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert_eq!(rest, b"");
        let line = ensemble.wait_logged(leader, expected);
        assert!(line.contains("127.0.0.1:"), "{line}");
        ensemble.assert_goes_on(follower);
    }
    let zxid = ensemble.zxid(leader).expect("it serves");
    assert!(zxid.starts_with("0x1"), "no other leader: {zxid}");
}

/// The third server's name is unknown: two of three are enough, and the log says what is wrong.
#[test]
fn a_name_that_does_not_resolve_keeps_out_its_server_alone() {
    let mut ensemble = Ensemble::new(3, "");
    let unknown = "x".repeat(70);
    let servers = format!(
        "{}\n{}\nserver.3={unknown}:2888:3888\n",
        ensemble.line(1),
        ensemble.line(2)
    );
    ensemble.set_servers(&servers);
    ensemble.start(1);
    ensemble.start(2);
    for id in [1, 2] {
        ensemble.assert_goes_on(id);
    }
    let line = ensemble.wait_logged(1, "cannot dial server 3");
    assert!(line.contains("cannot be resolved"), "{line}");
    // The leader comes back, and finds its way in spite of it.
    let leader = ensemble.leader();
    ensemble.stop(leader, Signal::KILL);
    ensemble.start(leader);
    for id in [1, 2] {
        ensemble.assert_goes_on(id);
    }
}

/// A server that has the id of another, and one that belongs to another ensemble.
#[test]
fn a_server_with_a_wrong_id_or_another_configuration_harms_nobody() {
    let mut ensemble = Ensemble::new(3, "");
    ensemble.start(1);
    ensemble.start(2);
    ensemble.wait_until_serving(1);
    ensemble.wait_until_serving(2);
    let leader = ensemble.leader();
    let follower = 3 - leader;
    // It believes in an ensemble of its own, in which the leader is one of the others.
    let mut other = Ensemble::new(3, "");
    let servers = format!(
        "{}\n{}\n{}\nserver.{leader}=127.0.0.1:{}:{}\n",
        other.line(3),
        format_args!("server.8=127.0.0.1:1:2"),
        format_args!("server.9=127.0.0.1:3:4"),
        ensemble.quorum_address(leader).port(),
        ensemble.election_address(leader).port(),
    );
    other.set_servers(&servers);
    other.start(3);
    let line = ensemble.wait_logged(leader, "has another configuration");
    assert!(line.contains("server 3"), "{line}");
    ensemble.assert_goes_on(follower);
    // It has the id of the follower.
    other.stop(3, Signal::KILL);
    let servers = format!(
        "{}\n{}\n{}\n",
        ensemble.line(leader),
        other
            .line(3)
            .replace("server.3", &format!("server.{follower}")),
        ensemble.line(3)
    );
    std::fs::remove_file(other.dir(3).join("zoo.cfg")).expect("it was there");
    std::fs::remove_dir_all(other.data(3)).expect("it was there");
    other.set_servers(&servers);
    other.configure(3);
    let my_id = other.dir(3).join("data/myid");
    std::fs::write(my_id, follower.to_string()).expect("a file");
    other.start(3);
    ensemble.wait_logged(leader, "are there two with this id?");
    other.stop(3, Signal::KILL);
    ensemble.assert_goes_on(leader);
    ensemble.assert_goes_on(follower);
}
