//! Observers behind followers that stand in for the leader.

use jute::OpCode;
use reserved_port::ReservedPort;
use rustix::process::Signal;

use crate::common::{Client, Ensemble, get};

/// A server of this number has this address for itself: `observerMasterPort` is the same on all.
fn host(id: i64) -> String {
    format!("127.0.1.{id}")
}

#[test]
fn an_observer_is_served_by_a_follower_and_goes_on_without_it() {
    const OBSERVER: i64 = 4;
    let port = ReservedPort::reserve().expect("a port");
    let lines = format!("observerMasterPort={}", port.address().port());
    let mut ensemble = Ensemble::new(OBSERVER, &lines);
    let mut servers = String::new();
    for id in 1..=OBSERVER {
        let line = ensemble.line(id).replace("127.0.0.1", &host(id));
        let role = if id == OBSERVER { ":observer" } else { "" };
        servers.push_str(&format!("{line}{role}\n"));
    }
    ensemble.set_servers(&servers);
    for id in 1..OBSERVER {
        ensemble.start(id);
    }
    // Who finds no follower that serves goes to the leader, and stays.
    for id in 1..OBSERVER {
        ensemble.wait_until_serving(id);
    }
    ensemble.start(OBSERVER);
    assert_eq!(ensemble.wait_until_serving(OBSERVER), "observer");
    let leader = ensemble.leader();
    let first = ensemble.wait_for("observer master", |ensemble| {
        let mut followers = (1..OBSERVER).filter(|id| *id != leader);
        followers.find(|id| {
            let sent = ensemble.logged(*id, &format!("peer sid: {OBSERVER}"));
            !sent.is_empty()
        })
    });
    // Writes, syncs and sessions go through the follower to the leader and back.
    let mut client = ensemble.client(OBSERVER);
    client.created("/n", 0);
    client.created("/mine", 1);
    assert_eq!(client.set("/n", b"1").err, 0);
    assert_eq!(client.call(OpCode::Sync, &get("/n", false)).err, 0);
    // It goes on with another one, or with the leader itself. The leader knew the session as one of
    // the follower's: its client renews it, on this observer.
    ensemble.stop(first, Signal::KILL);
    ensemble.wait_for("another one", |ensemble| {
        let observing = ensemble.logged(OBSERVER, &format!("OBSERVING {leader}"));
        (observing.len() == 2).then_some(())
    });
    let address = ensemble.client_address(OBSERVER);
    let renewed = Client::open(address, &client.renewal());
    let mut client = renewed.expect("the session goes on");
    assert_eq!(client.set("/n", b"2").err, 0);
    assert_eq!(client.data("/n").as_deref(), Some(&b"2"[..]));
    assert_eq!(client.stat("/mine").ephemeral_owner, client.session);
    client.close();
    ensemble.assert_goes_on(leader);
}
