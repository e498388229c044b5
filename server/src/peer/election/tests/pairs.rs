//! Who connects to whom, and what is sent when.

use std::sync::Arc;

use bytes::BytesMut;
use jute::quorum::Endpoint;
use tokio::sync::Semaphore;

use super::dialled::{Dialled, Heard};
use super::logged::Logged;
use super::node::{Node, Seat, config, members, options, seats, within};
use super::raw::{RawLink, RawServer};
use crate::peer::election::conversation::{Ending, REDIALS_MAX, Sent, hold};
use crate::peer::election::mailbox::{Arrival, Connection, Mailbox};
use crate::peer::election::{ElectionEvent, Members};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_hear_each_other_whoever_begins() {
    for (first, second) in [(1, 2), (2, 1)] {
        let pair = seats([first, second]);
        let mut a = Node::start(&pair[0], members(&pair), options()).await;
        let mut b = Node::start(&pair[1], members(&pair), options()).await;
        a.notify(second, 10);
        assert_eq!(b.received().await, (first, 10));
        b.notify(first, 20);
        assert_eq!(a.received().await, (second, 20));
        a.notify(second, 11);
        assert_eq!(b.received().await, (first, 11));
        a.end().await;
        b.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_servers_hear_each_other() {
    let three = seats([1, 2, 3]);
    let mut nodes = Vec::new();
    for seat in &three {
        nodes.push(Node::start(seat, members(&three), options()).await);
    }
    // All at once, as in an election: connections are replaced while messages are under way.
    for round in 1..=20 {
        for from in 1..=3 {
            for to in (1..=3).filter(|to| *to != from) {
                nodes[from as usize - 1].notify(to, round);
            }
        }
    }
    for to in 1..=3_i64 {
        let mut newest = [0; 4];
        newest[to as usize] = 20;
        while newest[1..] != [20; 3] {
            let (from, round) = nodes[to as usize - 1].received().await;
            newest[from as usize] = round;
        }
    }
    for node in nodes {
        node.end().await;
    }
}

#[tokio::test]
async fn the_larger_server_dials_and_keeps() {
    let Dialled {
        mut node, mut link, ..
    } = Dialled::new().await;
    link.send(5).await;
    assert_eq!(node.received().await, (1, 5));
    node.notify(1, 11);
    assert_eq!(link.received().await, 11);
    node.end().await;
    link.closed().await;
}

#[tokio::test]
async fn the_smaller_server_asks_to_be_dialled() {
    let [small, large] = seats([1, 3]);
    let peer = RawServer::listen(&large);
    let mut node = Node::start(&small, members([&small, &large]), options()).await;
    node.notify(3, 10);
    peer.accept(&small).await.closed().await;
    let mut link = RawLink::dial_as(&large, &small).await;
    assert_eq!(link.received().await, 10);
    link.send(5).await;
    assert_eq!(node.received().await, (3, 5));
    node.end().await;
}

#[tokio::test]
async fn a_smaller_server_is_called_back_where_it_says() {
    let [small, elsewhere, large] = seats([1, 1, 3]);
    let peer = RawServer::listen(&elsewhere);
    let node = Node::start(&large, members([&small, &large]), options()).await;
    RawLink::dial_as(&elsewhere, &large).await.closed().await;
    let mut link = peer.accept(&large).await;
    node.notify(1, 10);
    assert_eq!(link.received().await, 10);
    // Again: the connection that stands ends, the next one repeats the last message.
    RawLink::dial_as(&elsewhere, &large).await.closed().await;
    link.closed().await;
    assert_eq!(peer.accept(&large).await.received().await, 10);
    node.end().await;
}

#[tokio::test]
async fn a_smaller_server_of_which_only_the_id_is_known_is_called_back_as_configured() {
    let [small, large] = seats([1, 3]);
    let peer = RawServer::listen(&small);
    let node = Node::start(&large, members([&small, &large]), options()).await;
    let mut link = RawLink::dial(&large).await;
    link.write(&1_i64.to_be_bytes()).await;
    link.closed().await;
    peer.accept(&large).await;
    node.end().await;
}

#[tokio::test]
async fn a_newer_connection_of_a_larger_server_replaces_the_older() {
    let heard = Heard::new().await;
    let (mut node, first) = (heard.node, heard.link);
    let mut second = RawLink::dial_as(&heard.large, &heard.small).await;
    first.closed().await;
    second.send(6).await;
    assert_eq!(node.received().await, (3, 6));
    node.notify(3, 10);
    assert_eq!(second.received().await, 10);
    node.end().await;
}

/// As when the peer dialled twice while this server was busy.
#[tokio::test]
async fn a_message_waits_for_the_connection_that_replaces_another() {
    let seat = Seat::new(1);
    let listener = RawServer::listen(&seat);
    let link = RawLink::dial(&seat).await;
    let connection = Connection {
        address: link.stream.peer_addr().expect("connected"),
        stream: link.stream,
        input: BytesMut::new(),
        told: Vec::new(),
    };
    let mailbox = Mailbox::default();
    mailbox.post(|mail| {
        mail.message = Some("message".into());
        mail.arrive(1, Arrival::CallBack(Vec::new()));
    });
    let (mut sent, places) = (Sent::default(), Arc::new(Semaphore::new(1)));
    let held = hold(connection, &mailbox, &mut sent, &places, |_, _| {});
    assert!(matches!(within(held).await, Ending::Replaced(_)));
    assert_eq!(
        mailbox.with(|mail| mail.message.take()),
        Some("message".into())
    );
    drop(listener);
}

#[tokio::test]
async fn two_servers_with_one_id_are_told() {
    let logged = Logged::start();
    let heard = Heard::new().await;
    let (mut node, first) = (heard.node, heard.link);
    let other = Seat::new(3);
    let mut second = RawLink::dial_as(&other, &heard.small).await;
    first.closed().await;
    second.send(6).await;
    assert_eq!(node.received().await, (3, 6));
    assert_eq!(logged.complaints("two with this id").len(), 1);
    node.end().await;
}

#[tokio::test]
async fn what_came_with_the_initial_message_is_read() {
    let [small, large] = seats([1, 3]);
    let mut node = Node::start(&small, members([&small, &large]), options()).await;
    let mut link = RawLink::dial(&small).await;
    let mut bytes = super::raw::initial(&large);
    for round in [5, 6, 7] {
        bytes.extend(super::raw::frame(&super::node::message(round).to_bytes()));
    }
    // In three parts, cut anywhere.
    for part in [&bytes[..13], &bytes[13..50], &bytes[50..]] {
        link.write(part).await;
        tokio::task::yield_now().await;
    }
    for round in [5, 6, 7] {
        assert_eq!(node.received().await, (3, round));
    }
    node.end().await;
}

#[tokio::test]
async fn the_newest_message_replaces_those_that_were_not_sent() {
    let logged = Logged::start();
    let [small, large] = seats([1, 3]);
    let node = Node::start(&large, members([&small, &large]), options()).await;
    for round in 1..=5 {
        node.notify(1, round);
    }
    logged.wait("cannot dial server 1").await;
    let peer = RawServer::listen(&small);
    node.notify(1, 6);
    let mut link = peer.accept(&large).await;
    assert_eq!(link.received().await, 6);
    node.notify(1, 7);
    assert_eq!(link.received().await, 7);
    node.end().await;
}

#[tokio::test]
async fn a_lost_connection_is_dialled_some_times_and_the_last_message_repeated() {
    let logged = Logged::start();
    let Dialled {
        large,
        peer,
        node,
        link,
        _small,
    } = Dialled::new().await;
    drop(link);
    for _ in 0..REDIALS_MAX {
        let mut link = peer.accept(&large).await;
        assert_eq!(link.received().await, 10);
        drop(link);
    }
    // Nothing was sent anew since: it is left at that until there is a message. A connection that
    // was made meanwhile would be the next one here, and begin with the old message.
    logged.wait_times("lost", REDIALS_MAX as usize + 1).await;
    node.notify(1, 11);
    assert_eq!(peer.accept(&large).await.received().await, 11);
    node.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_comes_back_is_reached_again() {
    let pair = seats([1, 2]);
    let mut two = Node::start(&pair[1], members(&pair), options()).await;
    for round in 1..=3 {
        let mut one = Node::start(&pair[0], members(&pair), options()).await;
        two.notify(1, 10 + round);
        one.received_at_last(2, 10 + round).await;
        one.notify(2, round);
        loop {
            // The message before the restart may be repeated.
            match two.event().await {
                ElectionEvent::Notification { notification, .. } if notification.round == round => {
                    break;
                }
                _ => {}
            }
        }
        one.end().await;
    }
    two.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_joiner_is_called_back_and_answered() {
    for joiner in [1, 9] {
        let [member, stranger] = seats([2, joiner]);
        let mut node = Node::start(&member, members([&member]), options()).await;
        let mut new = Node::start(&stranger, members([&member]), options()).await;
        new.notify(2, 5);
        assert_eq!(node.received().await, (joiner, 5));
        node.notify(joiner, 10);
        assert_eq!(new.received().await, (2, 10));
        node.end().await;
        new.end().await;
    }
}

#[tokio::test]
async fn a_server_without_an_id_gets_a_private_one() {
    let [me, nobody] = seats([2, i64::MAX]);
    let peer = RawServer::listen(&nobody);
    let mut node = Node::start(&me, members([&me]), options()).await;
    let mut links = Vec::new();
    for private in [-1, -2] {
        RawLink::dial_as(&nobody, &me).await.closed().await;
        let mut link = peer.accept(&me).await;
        link.send(5).await;
        assert_eq!(node.received().await, (private, 5));
        node.notify(private, 10);
        assert_eq!(link.received().await, 10);
        links.push(link);
    }
    node.end().await;
}

#[tokio::test]
async fn members_come_and_move() {
    let logged = Logged::start();
    let [me, old, new] = seats([3, 1, 1]);
    let node = Node::start(&me, members([&me]), options()).await;
    node.notify(1, 10);
    logged.wait("it is no member").await;
    // Seen, not committed yet.
    let seen = config([&me, &old]);
    node.links
        .set_members(Members::new(&config([&me]), Some(&seen)));
    let peer = RawServer::listen(&old);
    node.notify(1, 11);
    let mut link = peer.accept(&me).await;
    assert_eq!(link.received().await, 11);
    // Moved: the connection stays until it is lost.
    node.links.set_members(members([&me, &new]));
    node.notify(1, 12);
    assert_eq!(link.received().await, 12);
    let moved = RawServer::listen(&new);
    drop(link);
    assert_eq!(moved.accept(&me).await.received().await, 12);
    node.end().await;
}

#[tokio::test]
async fn all_ends_with_the_stop_and_the_port_is_free() {
    let [small, me, large] = seats([1, 2, 3]);
    let all = || members([&small, &me, &large]);
    let peer = RawServer::listen(&small);
    let node = Node::start(&me, all(), options()).await;
    node.notify(1, 10);
    let mut dialled = peer.accept(&me).await;
    assert_eq!(dialled.received().await, 10);
    let accepted = RawLink::dial_as(&large, &me).await;
    let silent = RawLink::dial(&me).await;
    node.end().await;
    dialled.closed().await;
    accepted.closed().await;
    silent.closed().await;
    Node::start(&me, all(), options()).await.end().await;
}

#[tokio::test]
async fn dropping_it_ends_all_too() {
    let [me, large] = seats([2, 3]);
    let node = Node::start(&me, members([&me, &large]), options()).await;
    let link = RawLink::dial_as(&large, &me).await;
    let Node {
        links,
        stop,
        mut events,
    } = node;
    drop(links);
    link.closed().await;
    // The last task takes the sink with it.
    assert!(within(events.recv()).await.is_none());
    assert!(!stop.is_cancelled());
}

#[tokio::test]
#[should_panic(expected = "does not notify itself")]
async fn a_server_does_not_notify_itself() {
    let me = Seat::new(2);
    let node = Node::start(&me, members([&me]), options()).await;
    node.notify(2, 1);
}

#[test]
fn the_order_of_connections_is_that_of_their_acceptance() {
    let told = |port| {
        vec![Endpoint {
            host: "h".to_owned(),
            port,
        }]
    };
    let mailbox = Mailbox::default();
    for (number, expected) in [(5, Some(5)), (4, None), (6, Some(6)), (6, None)] {
        mailbox.post(|mail| mail.arrive(number, Arrival::CallBack(told(number as u16))));
        let arrived = mailbox.with(|mail| mail.arrival.take());
        let port = arrived.map(|arrival| match arrival {
            Arrival::CallBack(told) => told[0].port,
            Arrival::Connection(_) => panic!("none was put in"),
        });
        assert_eq!(port, expected, "{number}");
    }
}
