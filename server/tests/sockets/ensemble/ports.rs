//! Ports that cannot be had, and ports that move.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use jute::OpCode;
use jute::proto::ReconfigRequest;
use reserved_port::ReservedPort;
use rustix::process::Signal;

use crate::common::{Client, Ensemble, bytes, connect_request, frame};

#[test]
fn a_port_that_is_taken_is_named_with_the_exit_code_of_apache() {
    let mut ensemble = Ensemble::new(3, "electionPortBindRetry=1");
    for (address, name, code) in [
        (ensemble.client_address(1), "clientPort", 1),
        (ensemble.quorum_address(1), "quorum port", 14),
        (ensemble.election_address(1), "election port", 14),
    ] {
        let taken = TcpListener::bind(address).expect("it is reserved for us");
        ensemble.start(1);
        assert_eq!(ensemble.ended(1).code(), Some(code), "{name}");
        let line = format!("cannot listen on {address} ({name})");
        assert_eq!(ensemble.logged(1, &line).len(), 1, "{}", ensemble.log(1));
        drop(taken);
    }
}

fn reconfigure(client: &mut Client, joining: &str) -> i32 {
    let request = ReconfigRequest {
        joining_servers: Some(joining.into()),
        leaving_servers: None,
        new_members: None,
        cur_config_id: -1,
    };
    client.call(OpCode::Reconfig, &request).err
}

/// Nobody listens there, or what answers closes at once.
fn is_closed(port: &ReservedPort) -> bool {
    TcpStream::connect(port.address()).is_err()
}

const RECONFIGURABLE: &str = "reconfigEnabled=true\nskipACL=yes";

#[test]
fn a_reconfiguration_moves_the_own_ports_while_the_server_runs() {
    let mut ensemble = Ensemble::started(3, RECONFIGURABLE);
    let (leader, follower) = (ensemble.leader(), ensemble.follower());
    let other = 6 - leader - follower;
    let mut stays = ensemble.client(follower);
    stays.created("/kept", 0);
    let old = [
        ensemble.quorum_address(follower),
        ensemble.election_address(follower),
    ];
    // Nobody else gets the new ports while the servers have them.
    let mut kept = Vec::new();
    // A follower, then the leader itself, which gives way to another one.
    for moved in [follower, leader] {
        let [quorum, election, clients] =
            std::array::from_fn(|_| ReservedPort::reserve().expect("a port"));
        let port = |port: &ReservedPort| port.address().port();
        let line = format!(
            "server.{moved}=127.0.0.1:{}:{}:participant;127.0.0.1:{}",
            port(&quorum),
            port(&election),
            port(&clients)
        );
        assert!(is_closed(&quorum) && is_closed(&election) && is_closed(&clients));
        let mut client = ensemble.client(other);
        assert_eq!(reconfigure(&mut client, &line), 0);
        client.close();
        for port in [&quorum, &election, &clients] {
            ensemble.wait_for("new listener", |_| (!is_closed(port)).then_some(()));
        }
        let gone = format!(
            "no longer on 127.0.0.1:{}",
            ensemble.client_address(moved).port()
        );
        ensemble.wait_logged(moved, &gone);
        assert!(TcpStream::connect(ensemble.client_address(moved)).is_err());
        // A client that was connected where it does not listen any more is served on.
        if moved == follower {
            assert_eq!(stays.set("/kept", b"1").err, 0);
        }
        let mut there = ensemble.wait_for("service on the new port", |_| {
            let mut stream = TcpStream::connect(clients.address()).ok()?;
            stream.write_all(b"srvr").ok()?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).ok()?;
            answer
                .contains("Mode: ")
                .then(|| Client::connect(clients.address()))
        });
        assert_eq!(there.set("/kept", b"2").err, 0);
        there.close();
        kept.extend([quorum, election, clients]);
    }
    for address in old {
        assert!(TcpStream::connect(address).is_err(), "{address}");
    }
    // The others find both at their new places when they have to elect again, and so do both when
    // they start anew from the files.
    let client_of_other = ensemble.client_address(other);
    ensemble.stop(other, Signal::KILL);
    ensemble.start(other);
    ensemble.wait_until_serving(other);
    ensemble.stop(follower, Signal::KILL);
    ensemble.start(follower);
    ensemble.stop(leader, Signal::KILL);
    ensemble.start(leader);
    ensemble.wait_until_serving(other);
    let mut client = Client::connect(client_of_other);
    assert_eq!(client.set("/kept", b"3").err, 0);
    client.close();
}

#[test]
fn a_client_port_that_cannot_move_stays_where_it_is() {
    let ensemble = Ensemble::started(3, RECONFIGURABLE);
    let follower = ensemble.follower();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("bound").port();
    let line = format!("{};127.0.0.1:{port}", ensemble.line(follower));
    let mut client = ensemble.client(follower);
    assert_eq!(reconfigure(&mut client, &line), 0);
    let line = ensemble.wait_logged(follower, "clients are still served on");
    assert!(line.contains(&format!("127.0.0.1:{port}")), "{line}");
    client.close();
    ensemble.assert_goes_on(follower);
}

#[test]
fn a_leader_that_serves_nobody_says_so() {
    let mut ensemble = Ensemble::new(3, "leaderServes=no");
    for id in 1..=3 {
        ensemble.start(id);
    }
    let leader = ensemble.wait_for("leader", |ensemble| {
        (1..=3).find(|id| !ensemble.logged(*id, "LEADING, epoch").is_empty())
    });
    let followers = (1..=3).filter(|id| *id != leader);
    for id in followers {
        ensemble.assert_goes_on(id);
    }
    let answer = ensemble.word(leader, "srvr").expect("it answers");
    assert_eq!(
        answer,
        "This ZooKeeper instance is not currently serving requests\n"
    );
    let mut stream = TcpStream::connect(ensemble.client_address(leader)).expect("it listens");
    let hello = frame(&bytes(&connect_request(5000)));
    stream.write_all(&hello).expect("written");
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert_eq!(rest, b"", "closed without a session");
}
