//! Observers behind followers that stand in for the leader.

use jute::OpCode;
use rustix::process::Signal;
use test_support::ReservedPort;

use crate::common::{Ensemble, get};

/// A server of this number has this address for itself: `observerMasterPort` is the same on all.
fn host(id: i64) -> String {
    format!("127.0.1.{id}")
}

#[test]
fn an_observer_is_served_by_a_follower_and_goes_on_with_another() {
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
    for id in 1..=OBSERVER {
        ensemble.start(id);
    }
    assert_eq!(ensemble.wait_until_serving(OBSERVER), "observer");
    let leader = ensemble.leader();
    let master = |ensemble: &Ensemble, not: i64| {
        ensemble.wait_for("observer master", |ensemble| {
            let mut followers = (1..OBSERVER).filter(|id| *id != leader && *id != not);
            followers.find(|id| {
                let sent = ensemble.logged(*id, &format!("peer sid: {OBSERVER}"));
                !sent.is_empty()
            })
        })
    };
    let first = master(&ensemble, 0);
    // Writes, syncs and sessions go through the follower to the leader and back.
    let mut client = ensemble.client(OBSERVER);
    client.created("/n", 0);
    client.created("/mine", 1);
    assert_eq!(client.set("/n", b"1").err, 0);
    assert_eq!(client.call(OpCode::Sync, &get("/n", false)).err, 0);
    // It goes on with the other one, and so does its client.
    ensemble.stop(first, Signal::KILL);
    master(&ensemble, first);
    assert_eq!(client.set("/n", b"2").err, 0);
    assert_eq!(client.data("/n").as_deref(), Some(&b"2"[..]));
    assert_eq!(client.stat("/mine").ephemeral_owner, client.session);
    client.close();
    ensemble.assert_goes_on(leader);
}
