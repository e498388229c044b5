//! Queues and connections have an end.

use jute::quorum::{QuorumConfig, ServerId};
use zab::election::Notification;
use zab::quorum::Config;

use super::super::hub::STRANGERS_MAX;
use super::super::link::RECEIVED_MAX;
use super::logged::Logged;
use super::node::{Node, Seat, members, message, options, seats};
use super::raw::{RawLink, RawServer};
use crate::peer::election::ElectionEvent;

/// Some 300 KB.
fn large_message(round: i64) -> Notification {
    let host = "h".repeat(1200);
    let lines = (1..=250).map(|id| format!("server.{id}={host}:1:2\n"));
    let text = format!("{}version=0", lines.collect::<String>());
    let config = QuorumConfig::parse(&text).expect("a configuration");
    Notification {
        config: Some(Config::try_from(config).expect("a configuration")),
        ..message(round)
    }
}

#[tokio::test]
async fn who_does_not_read_gets_the_newest_message_in_the_end() {
    const SENT: i64 = 80;
    let [small, large] = seats([1, 3]);
    let peer = RawServer::listen(&small);
    let node = Node::start(&large, members([&small, &large]), options()).await;
    let mut sent = large_message(0);
    node.links.notify(ServerId(1), &sent);
    let mut link = peer.accept(&large).await;
    for round in 1..=SENT {
        sent.round = round;
        node.links.notify(ServerId(1), &sent);
        // Lets it send what it can.
        tokio::task::yield_now().await;
    }
    let (mut received, mut newest) = (0, 0);
    while newest < SENT {
        let round = link.received().await;
        assert!(newest <= round, "in order");
        (received, newest) = (received + 1, round);
    }
    assert!(received < SENT, "24 MB do not fit into any socket's buffer");
    node.end().await;
}

#[tokio::test]
async fn who_is_not_handled_is_not_read() {
    const SENT: usize = 3 * RECEIVED_MAX;
    let [small, large, other] = seats([1, 3, 4]);
    let mut node = Node::start(&small, members([&small, &large, &other]), options()).await;
    let mut link = RawLink::dial_as(&large, &small).await;
    for round in 0..SENT {
        link.send(round as i64).await;
    }
    let mut kept = Vec::new();
    while kept.len() < RECEIVED_MAX {
        kept.push(node.event().await);
    }
    // Another peer has places of its own, and is heard behind what is kept.
    RawLink::dial_as(&other, &small).await.send(99).await;
    assert_eq!(node.received().await, (4, 99));
    assert!(node.events.try_recv().is_err(), "no ninth message");
    for next in RECEIVED_MAX..SENT {
        kept.remove(0);
        let event = node.event().await;
        match &event {
            ElectionEvent::Notification { notification, .. } => {
                assert_eq!(notification.round, next as i64);
            }
            ElectionEvent::Unreachable { .. } => panic!("{event:?}"),
        }
        kept.push(event);
    }
    node.end().await;
}

#[tokio::test]
async fn so_many_strangers_and_no_more() {
    let logged = Logged::start();
    let [me, member] = seats([1, 2]);
    let mut node = Node::start(&me, members([&me, &member]), options()).await;
    let mut strangers = Vec::new();
    for id in 0..STRANGERS_MAX as i64 {
        let mut stranger = RawLink::dial_as(&Seat::new(1000 + id), &me).await;
        stranger.send(id).await;
        assert_eq!(node.received().await, (1000 + id, id));
        strangers.push(stranger);
    }
    RawLink::dial_as(&Seat::new(9999), &me).await.closed().await;
    assert_eq!(logged.complaints("too many servers outside").len(), 1);
    // Members are not strangers.
    let mut good = RawLink::dial_as(&member, &me).await;
    good.send(5).await;
    assert_eq!(node.received().await, (2, 5));
    // One leaves, one comes.
    drop(strangers.remove(0));
    logged.wait("lost").await;
    let mut new = RawLink::dial_as(&Seat::new(9998), &me).await;
    new.send(7).await;
    assert_eq!(node.received().await, (9998, 7));
    node.end().await;
}
