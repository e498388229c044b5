//! Bad peers: one clear line for each, the connection ends, and nobody else notices.

use std::time::Duration;

use super::logged::Logged;
use super::node::{Node, Seat, members, options, seats};
use super::raw::{RawLink, frame, initial};
use crate::peer::election::{ElectionEvent, ElectionOptions};

/// A server with one good peer, which is larger.
struct Bench {
    me: Seat,
    node: Node,
    good: RawLink,
    logged: Logged,
    round: i64,
}

impl Bench {
    async fn new(options: ElectionOptions) -> Self {
        let logged = Logged::start();
        let [me, large, bad] = seats([2, 3, 4]);
        let node = Node::start(&me, members([&me, &large, &bad]), options).await;
        let good = RawLink::dial_as(&large, &me).await;
        let mut bench = Self {
            me,
            node,
            good,
            logged,
            round: 0,
        };
        bench.unharmed().await;
        bench
    }

    /// The good peer is heard and answered.
    async fn unharmed(&mut self) {
        self.round += 1;
        self.good.send(self.round).await;
        assert_eq!(self.node.received().await, (3, self.round));
        self.node.notify(3, self.round);
        assert_eq!(self.good.received().await, self.round);
    }
}

#[tokio::test]
async fn strange_first_bytes_end_the_connection() {
    let endless = [
        initial(&Seat::new(4))[..16].to_vec(),
        vec![0x7f, 0xff, 0xff, 0xff],
    ]
    .concat();
    for (bytes, complaint) in [
        (
            b"GET / HTTP/1.1\r\nHost: h\r\n\r\n".to_vec(),
            "is no server id",
        ),
        (vec![0xff; 64], "are not those of a server"),
        (endless, "are not those of a server"),
        (initial(&Seat::new(2)), "which is this one"),
        (initial(&Seat::new(-7)), "are not negative"),
    ] {
        let mut bench = Bench::new(options()).await;
        let mut bad = RawLink::dial(&bench.me).await;
        bad.write(&bytes).await;
        bad.closed().await;
        bench.unharmed().await;
        let told = bench.logged.complaints("connection from 127.0.0.1");
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains(complaint), "{told:?}");
        bench.node.end().await;
    }
}

#[tokio::test]
async fn bad_frames_end_the_connection() {
    for (bytes, complaint) in [
        (vec![0, 0, 0, 0], "frame length 0"),
        (vec![0xff, 0xff, 0xff, 0xff], "frame length -1"),
        (vec![0, 8, 0, 1], "frame length 524289"),
        (b"HTTP/1.1 400".to_vec(), "frame length 1213486160"),
    ] {
        let mut bench = Bench::new(options()).await;
        let mut bad = RawLink::dial_as(&Seat::new(4), &bench.me).await;
        bad.write(&bytes).await;
        bad.closed().await;
        bench.unharmed().await;
        let told = bench.logged.complaints("connection from 127.0.0.1");
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("server 4 sent"), "{told:?}");
        assert!(told[0].contains(complaint), "{told:?}");
        bench.node.end().await;
    }
}

#[tokio::test]
async fn what_is_no_notification_is_ignored() {
    let mut bench = Bench::new(options()).await;
    let mut bad = RawLink::dial_as(&Seat::new(4), &bench.me).await;
    let mut unknown_state = super::node::message(1).to_bytes();
    unknown_state[3] = 9;
    for body in [&b"short"[..], &[0xff; 200], &unknown_state] {
        bad.write(&frame(body)).await;
    }
    // The longest that may be.
    bad.write(&frame(&vec![0xff; 512 << 10])).await;
    bad.send(77).await;
    assert_eq!(bench.node.received().await, (4, 77));
    let told = bench.logged.complaints("no notification; it is ignored");
    // Of four, those at powers of two.
    assert_eq!(told.len(), 3, "{told:?}");
    bench.unharmed().await;
    bench.node.end().await;
}

/// Votes count by who the members are, so whoever counts otherwise is named. It is heard all the
/// same: while servers are given a new configuration one by one they differ.
#[tokio::test]
async fn a_member_with_another_configuration_is_told_and_heard() {
    for (version, role, told) in [
        (0, "participant", 0),
        (0, "observer", 1),
        // Another version may well be another configuration.
        (7, "observer", 0),
    ] {
        let mut bench = Bench::new(options()).await;
        let mut other = RawLink::dial_as(&Seat::new(4), &bench.me).await;
        let text =
            format!("server.2=h:1:2\nserver.3=h:3:4\nserver.4=h:5:6:{role}\nversion={version}");
        let mut notification = super::node::message(77);
        notification.config = Some(zab::parse_config(text.as_bytes()).expect("parses"));
        other.write(&frame(&notification.to_bytes())).await;
        let heard = bench.node.event().await;
        assert!(
            matches!(heard, ElectionEvent::Notification { .. }),
            "{heard:?}"
        );
        let lines = bench
            .logged
            .complaints("server 4 has another configuration");
        assert_eq!(lines.len(), told, "{lines:?}");
        bench.unharmed().await;
        bench.node.end().await;
    }
}

#[tokio::test]
async fn silence_before_the_initial_message_ends() {
    let whole = initial(&Seat::new(4));
    for said in [
        &[][..],
        &whole[..5],
        &whole[..18],
        &whole[..whole.len() - 1],
    ] {
        let options = ElectionOptions {
            cnx_timeout: Duration::from_millis(100),
            ..options()
        };
        let mut bench = Bench::new(options).await;
        let mut silent = RawLink::dial(&bench.me).await;
        silent.write(said).await;
        silent.closed().await;
        let told = bench.logged.complaints("did not say who it is");
        assert_eq!(told.len(), 1, "{told:?}");
        bench.unharmed().await;
        bench.node.end().await;
    }
}

#[tokio::test]
async fn who_only_looks_is_not_worth_a_line() {
    let mut bench = Bench::new(options()).await;
    drop(RawLink::dial(&bench.me).await);
    bench.logged.wait("before it said who it is").await;
    assert_eq!(bench.logged.complaints("127.0.0.1"), [""; 0]);
    bench.unharmed().await;
    bench.node.end().await;
}

#[tokio::test]
async fn the_same_fault_is_told_ever_more_rarely() {
    let mut bench = Bench::new(options()).await;
    for _ in 0..20 {
        let mut bad = RawLink::dial(&bench.me).await;
        bad.write(b"GET / HTTP/1.1\r\n").await;
        bad.closed().await;
    }
    bench.unharmed().await;
    let told = bench.logged.complaints("is no server id");
    assert_eq!(told.len(), 5, "of 20 the 1st, 2nd, 4th, 8th and 16th");
    bench.node.end().await;
}
