//! A server's election port, and what came out of it.

use std::time::Duration;

use jute::Zxid;
use jute::quorum::{Endpoint, QuorumConfig, ServerId};
use reserved_port::ReservedPort;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_util::sync::CancellationToken;
use zab::Epoch;
use zab::election::{Notification, ServerState, Vote};

use super::super::{ElectionEvent, ElectionLinks, ElectionOptions, Members};

/// Nothing takes so long unless it hangs.
const HANGS: Duration = Duration::from_secs(30);
/// Between two looks.
pub(super) const POLL: Duration = Duration::from_millis(1);

/// Waits for what must happen.
pub(super) async fn within<T>(future: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(HANGS, future).await;
    done.expect("it hangs")
}

/// A server of a test's ensemble: an id and a port.
pub(super) struct Seat {
    pub(super) id: i64,
    pub(super) port: ReservedPort,
}

impl Seat {
    pub(super) fn new(id: i64) -> Self {
        let port = ReservedPort::reserve().expect("a free port");
        Self { id, port }
    }

    pub(super) fn endpoint(&self) -> Endpoint {
        Endpoint {
            host: "127.0.0.1".to_owned(),
            port: self.port.address().port(),
        }
    }
}

pub(super) fn seats<const N: usize>(ids: [i64; N]) -> [Seat; N] {
    ids.map(Seat::new)
}

pub(super) fn config<'a>(seats: impl IntoIterator<Item = &'a Seat>) -> QuorumConfig {
    let lines = seats.into_iter().map(|seat| {
        let (id, port) = (seat.id, seat.port.address().port());
        let quorum_port = if port == 1 { 2 } else { 1 };
        format!("server.{id}=127.0.0.1:{quorum_port}:{port}:participant\n")
    });
    let text = format!("{}version=0", lines.collect::<String>());
    QuorumConfig::parse(&text).expect("a configuration")
}

pub(super) fn members<'a>(seats: impl IntoIterator<Item = &'a Seat>) -> Members {
    Members::new(&config(seats), None)
}

/// A message that can be told from others by its round.
pub(super) fn message(round: i64) -> Notification {
    Notification {
        state: ServerState::Looking,
        vote: Vote {
            leader: ServerId(3),
            zxid: Zxid(0x1_0000_0007),
            peer_epoch: Epoch(1),
        },
        round,
        version: Notification::VERSION,
        // Of another version than that of the tests' ensembles, which it would contradict.
        config: Some(zab::parse_config(b"server.1=h:1:2\nversion=1").expect("parses")),
    }
}

/// Options with which nothing is waited for in vain.
pub(super) fn options() -> ElectionOptions {
    ElectionOptions {
        election_port_bind_retry: 1,
        ..ElectionOptions::default()
    }
}

pub(super) struct Node {
    pub(super) links: ElectionLinks,
    pub(super) stop: CancellationToken,
    pub(super) events: UnboundedReceiver<ElectionEvent>,
}

impl Node {
    pub(super) async fn start(seat: &Seat, members: Members, options: ElectionOptions) -> Self {
        let (sender, events) = unbounded_channel();
        let stop = CancellationToken::new();
        let links = ElectionLinks::start(
            ServerId(seat.id),
            vec![seat.endpoint()],
            members,
            options,
            move |event| drop(sender.send(event)),
            &stop,
        );
        Self {
            links: within(links).await.expect("it listens"),
            stop,
            events,
        }
    }

    pub(super) fn notify(&self, to: i64, round: i64) {
        self.links.notify(ServerId(to), &message(round));
    }

    pub(super) async fn event(&mut self) -> ElectionEvent {
        within(self.events.recv()).await.expect("it runs")
    }

    /// The next message: from whom, and its round.
    pub(super) async fn received(&mut self) -> (i64, i64) {
        match self.event().await {
            ElectionEvent::Notification {
                from, notification, ..
            } => {
                assert_eq!(notification, message(notification.round));
                (from.0, notification.round)
            }
            ElectionEvent::Unreachable { peer } => panic!("{peer} is not reachable"),
        }
    }

    /// Waits for this message, whatever came before it.
    pub(super) async fn received_at_last(&mut self, from: i64, round: i64) {
        while self.received().await != (from, round) {}
    }

    pub(super) async fn end(self) {
        self.stop.cancel();
        within(self.links.stopped()).await;
    }
}
