//! When no process answers, and when that is not known.

use std::time::Duration;

use jute::quorum::{QuorumConfig, ServerId};

use super::dialled::{Dialled, Heard};
use super::logged::Logged;
use super::node::{Node, Seat, members, options, seats};
use super::raw::RawLink;
use crate::peer::dead_ends::{FullPort, unknown_host};
use crate::peer::election::{ElectionEvent, ElectionOptions, Members};

async fn unreachable(node: &mut Node) -> ServerId {
    match node.event().await {
        ElectionEvent::Unreachable { peer } => peer,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_refused_dial_is_told_each_time() {
    for (me, other) in [(3, 1), (1, 3)] {
        let pair = seats([me, other]);
        let logged = Logged::start();
        let mut node = Node::start(&pair[0], members(&pair), options()).await;
        for round in 1..=3 {
            node.notify(other, round);
            assert_eq!(unreachable(&mut node).await, ServerId(other));
        }
        assert_eq!(logged.complaints("cannot dial server").len(), 1);
        node.end().await;
    }
}

#[tokio::test]
async fn a_process_that_died_is_told_without_a_new_message() {
    // We dialled it.
    let Dialled {
        peer,
        mut node,
        link,
        ..
    } = Dialled::new().await;
    drop(peer);
    link.reset();
    assert_eq!(unreachable(&mut node).await, ServerId(1));
    node.end().await;
    // It dialled us.
    let Heard {
        mut node, mut link, ..
    } = Heard::new().await;
    node.notify(3, 10);
    assert_eq!(link.received().await, 10);
    drop(link);
    assert_eq!(unreachable(&mut node).await, ServerId(3));
    node.end().await;
}

#[tokio::test]
async fn a_connection_that_is_lost_does_not_tell_if_the_process_answers() {
    let Dialled {
        large,
        peer,
        mut node,
        link,
        _small,
    } = Dialled::new().await;
    link.reset();
    let mut link = peer.accept(&large).await;
    assert_eq!(link.received().await, 10);
    link.send(5).await;
    assert_eq!(node.received().await, (1, 5), "and nothing before it");
    node.end().await;
}

fn with_address(me: &Seat, line: &str) -> Members {
    let config = QuorumConfig::parse(&format!(
        "server.{}=127.0.0.1:1:{}\nserver.1={line}\nversion=0",
        me.id,
        me.port.address().port()
    ));
    Members::new(&config.expect("a configuration"), None)
}

/// Of these the process may live.
#[tokio::test]
async fn a_time_out_or_an_unknown_name_says_nothing() {
    let me = Seat::new(3);
    let free = Seat::new(1);
    let refused = free.port.address().port();
    let full = FullPort::new();
    let unknown = unknown_host();
    for (line, complaint) in [
        (format!("{unknown}:1:3888"), "cannot be resolved"),
        (format!("127.0.0.1:1:{}", full.port()), "no answer in time"),
        (
            format!("{unknown}:1:3888|127.0.0.1:1:{refused}"),
            "cannot be resolved",
        ),
        (
            format!("127.0.0.1:1:{}|127.0.0.1:1:{refused}", full.port()),
            "no answer in time",
        ),
    ] {
        let logged = Logged::start();
        let options = ElectionOptions {
            cnx_timeout: Duration::from_millis(300),
            ..options()
        };
        let mut node = Node::start(&me, with_address(&me, &line), options).await;
        node.notify(1, 10);
        logged.wait(complaint).await;
        assert!(node.events.try_recv().is_err(), "{line}");
        // The next thing that is told comes from elsewhere.
        node.links.set_members(members([&me, &free]));
        node.notify(1, 11);
        assert_eq!(unreachable(&mut node).await, ServerId(1), "{line}");
        node.end().await;
    }
}

/// Whoever says to be a member could else have us count it as gone.
#[tokio::test]
async fn an_address_that_a_peer_told_says_nothing_of_a_member() {
    let logged = Logged::start();
    let [dead, small, large] = seats([1, 1, 3]);
    let mut node = Node::start(&large, members([&small, &large]), options()).await;
    RawLink::dial_as(&dead, &large).await.closed().await;
    logged.wait("cannot dial server 1").await;
    assert!(node.events.try_recv().is_err());
    node.end().await;
}
