//! A whole server without IO, and up to four clients that send what they like.
//!
//! Whatever arrives: no panic, progress, answers that are frames, and an answer for every
//! request of a connection that stays open. The transactions that come out of it lead
//! another state to the same tree.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jute::frame::{self, Frames};
use jute::proto::{ConnectResponse, ReplyHeader};
use jute::txn::LogEntry;
use jute::wire::{Decode, Limits, Reader};
use replica::throttle::ConnectionThrottleOptions;
use replica::{
    Connection, Next, Now, ReaperOptions, Replica, ReplicaOptions, RidingOptions, Sequencer,
    Submission, Transport,
};
use state::acl::{AuthConfig, DigestAlgorithm, digest_id};
use state::prep::PrepOptions;
use state::tree::OwnerRules;
use state::watch::NoEvents;
use state::{Options, State};

use crate::pieces;

/// Name and password that make a client `super`, for the seeds.
pub(crate) const SUPER: &str = "super:secret";

const CLIENTS: usize = 4;
/// More passes than any input needs: each handles a request or waits.
const PASSES_MAX: usize = 10_000;
/// More rounds than any input needs to come to rest.
const ROUNDS_MAX: usize = 100;
/// Time passes in steps of this, microseconds.
const STEP_US: u64 = 3_000_000;

/// What the first byte of a piece says: the client in the low two bits, then what happens
/// once its bytes have been received, then for how many steps time passes before.
mod tag {
    pub(super) const AFTER_SHIFT: u8 = 2;
    pub(super) const WAIT: u8 = 0;
    pub(super) const COMMIT: u8 = 1;
    pub(super) const REFUSE: u8 = 2;
    pub(super) const CLOSE: u8 = 3;
    pub(super) const TIME_SHIFT: u8 = 4;
}

/// Writes pieces for [`gate`]: time passes, a client sends, and what is named happens.
pub(crate) mod after {
    use super::{pieces, tag};

    fn step(out: &mut Vec<u8>, client: u8, steps: u8, then: u8, bytes: &[u8]) {
        let tag = client | then << tag::AFTER_SHIFT | steps << tag::TIME_SHIFT;
        pieces::push(out, &[&[tag], bytes].concat());
    }

    pub(crate) fn wait(out: &mut Vec<u8>, client: u8, steps: u8, bytes: &[u8]) {
        step(out, client, steps, tag::WAIT, bytes);
    }

    pub(crate) fn commit(out: &mut Vec<u8>, client: u8, steps: u8, bytes: &[u8]) {
        step(out, client, steps, tag::COMMIT, bytes);
    }

    pub(crate) fn refuse(out: &mut Vec<u8>, client: u8, steps: u8, bytes: &[u8]) {
        step(out, client, steps, tag::REFUSE, bytes);
    }

    pub(crate) fn close(out: &mut Vec<u8>, client: u8, steps: u8, bytes: &[u8]) {
        step(out, client, steps, tag::CLOSE, bytes);
    }
}

/// The id of the first session that is opened.
pub(crate) fn session_of_first() -> i64 {
    let mut server = Server::new();
    let mut connect = Vec::new();
    frame::append(&mut connect, |out| {
        // Protocol version, zxid, timeout, session and a null password.
        out.extend_from_slice(&[0; 24]);
        out.extend_from_slice(&[0xff; 4]);
    });
    server.send(0, &connect);
    server.round(true);
    let client = server.clients[0].as_ref();
    client.expect("it stays connected").connection.session()
}

/// Pieces: a tag and bytes that a client sends.
pub fn gate(input: &[u8]) {
    let mut server = Server::new();
    for piece in pieces::split(input) {
        let Some((tag, bytes)) = piece.split_first() else {
            continue;
        };
        server.pass_time(u64::from(tag >> tag::TIME_SHIFT));
        let client = usize::from(tag & 3);
        server.send(client, bytes);
        match tag >> tag::AFTER_SHIFT & 3 {
            tag::WAIT => {}
            tag::COMMIT => server.round(true),
            tag::REFUSE => server.round(false),
            tag::CLOSE => server.close(client),
            _ => unreachable!("two bits"),
        }
    }
    server.come_to_rest();
    server.check();
}

/// Nobody is woken: the harness looks at every client after each round.
struct Still;

impl Transport for Still {
    fn wake(&self) {}

    fn try_send(&self, _: &[u8], _: bool) -> usize {
        0
    }
}

struct Client {
    connection: Arc<Connection>,
    input: Vec<u8>,
    /// Bytes that are not a whole frame yet.
    output: Vec<u8>,
    frames: u64,
}

struct Server {
    replica: Arc<Replica>,
    sequencer: Sequencer,
    clients: [Option<Client>; CLIENTS],
    submissions: Vec<Submission>,
    /// Gets the transactions as a replay of the log would.
    mirror: State,
    now: Now,
}

fn auth() -> AuthConfig {
    AuthConfig {
        super_digest: Some(digest_id(DigestAlgorithm::Sha1, SUPER)),
        ..AuthConfig::default()
    }
}

fn state_options() -> Options {
    Options {
        owner_rules: OwnerRules {
            extended_types: true,
            emulate_353_ttl: false,
        },
        digest_enabled: true,
        limits: Limits::default(),
    }
}

fn replica_options() -> ReplicaOptions {
    ReplicaOptions {
        server_id: 1,
        tick_time_ms: 2000,
        min_session_timeout_ms: 4000,
        max_session_timeout_ms: 40_000,
        max_frame: Limits::DEFAULT_MAX_BUFFER,
        limits: Limits::default(),
        global_outstanding_limit: 20,
        riding: RidingOptions {
            busy_outstanding: 2,
            short_round_us: STEP_US,
        },
        throttled_op_wait_ms: 0,
        large_request_threshold: -1,
        large_request_max_bytes: 100 << 20,
        connection_throttle: ConnectionThrottleOptions::default(),
        auth: auth(),
        enforced_schemes: None,
        eager_acl_check: false,
        reaper: ReaperOptions {
            max_never_used_interval_ms: 1000,
            ..ReaperOptions::default()
        },
        seed: 7,
    }
}

impl Server {
    fn new() -> Self {
        let now = Now {
            monotonic_us: 1_000_000,
            wall_ms: 1_700_000_000_000,
        };
        let state = State::new(state_options(), 7);
        let replica = Arc::new(Replica::new(state, replica_options(), now));
        let options = PrepOptions {
            enforce_quota: true,
            auth: auth(),
            ..PrepOptions::default()
        };
        Self {
            sequencer: Sequencer::new(Arc::clone(&replica), options, now),
            replica,
            clients: [const { None }; CLIENTS],
            submissions: Vec::new(),
            mirror: State::new(state_options(), 8),
            now,
        }
    }

    fn pass_time(&mut self, steps: u64) {
        self.now.monotonic_us += steps * STEP_US;
        self.now.wall_ms += (steps * STEP_US / 1000) as i64;
    }

    /// A client sends; it connects first if it is not connected.
    fn send(&mut self, number: usize, bytes: &[u8]) {
        let client = self.clients[number].get_or_insert_with(|| {
            let peer = SocketAddr::from(([127, 0, 0, 1], 40_000 + number as u16));
            Client {
                connection: self.replica.connect(peer, self.now, Box::new(Still)),
                input: Vec::new(),
                output: Vec::new(),
                frames: 0,
            }
        });
        client.input.extend_from_slice(bytes);
        self.receive(number);
    }

    /// What the shell does with a client's input until it has to wait.
    fn receive(&mut self, number: usize) {
        for _ in 0..PASSES_MAX {
            let Some(client) = &mut self.clients[number] else {
                return;
            };
            let connection = Arc::clone(&client.connection);
            let received = self.replica.receive(&connection, &client.input, self.now);
            assert!(received.consumed <= client.input.len());
            client.input.drain(..received.consumed);
            let progress = received.consumed > 0 || received.submission.is_some();
            self.submissions.extend(received.submission);
            match received.next {
                Next::Input => return,
                Next::Again => assert!(progress, "the same input again"),
                Next::Answers => {
                    assert!(connection.in_flight() > 0, "nothing to wait for");
                    return;
                }
                Next::Drain => {
                    assert!(!connection.outbox().is_empty(), "nothing to drain");
                    client.take_output();
                }
                Next::End => {
                    client.take_output();
                    self.close(number);
                    return;
                }
            }
        }
        panic!("the input never ends");
    }

    fn close(&mut self, number: usize) {
        if let Some(client) = self.clients[number].take() {
            self.replica.disconnect(&client.connection);
        }
    }

    /// A round of the sequencer: durable, or refused for want of space.
    fn round(&mut self, durable: bool) {
        let submissions = std::mem::take(&mut self.submissions);
        let batch = self.sequencer.prepare(self.now, submissions);
        if durable {
            for bytes in batch.entries.iter() {
                mirror(&mut self.mirror, bytes);
            }
            self.sequencer.commit(batch.ticket, self.now);
        } else {
            self.sequencer.refuse(batch.ticket, self.now);
        }
        for number in 0..CLIENTS {
            self.receive(number);
            if let Some(client) = &mut self.clients[number] {
                client.take_output();
            }
        }
    }

    fn come_to_rest(&mut self) {
        for _ in 0..ROUNDS_MAX {
            self.round(true);
            if self.submissions.is_empty() {
                return;
            }
        }
        panic!("there is always something more to do");
    }

    fn check(&self) {
        for client in self.clients.iter().flatten() {
            let connection = &client.connection;
            assert_eq!(connection.in_flight(), 0, "an answer is missing");
            assert!(connection.outbox().ending().is_none(), "still open");
            assert!(
                client.frames >= connection.received(),
                "an answer is missing"
            );
            assert!(client.output.is_empty(), "half a frame");
        }
        let state = self.replica.read();
        assert_eq!(state.last_zxid(), self.mirror.last_zxid());
        assert_eq!(state.tree().digest(), self.mirror.tree().digest());
        assert_eq!(state.tree().len(), self.mirror.tree().len());
        let outstanding = self.replica.stats().outstanding.load(Ordering::Relaxed);
        assert_eq!(outstanding, 0);
    }
}

/// An entry decodes, has one encoding, and carries the digest of the tree after it.
fn mirror(state: &mut State, bytes: &[u8]) {
    let entry = LogEntry::from_bytes(bytes, Limits::default()).expect("an entry decodes");
    assert_eq!(entry.to_bytes(), bytes);
    let applied = state.apply(entry, &mut NoEvents).expect("an entry applies");
    assert_eq!(applied.digest_mismatch, None);
}

impl Client {
    fn take_output(&mut self) {
        let mut outbox = self.connection.outbox();
        self.output.extend_from_slice(outbox.pending());
        let len = outbox.len();
        outbox.advance(len);
        drop(outbox);
        let mut frames = Frames::new(&self.output, i32::MAX as usize);
        for body in &mut frames {
            let body = body.expect("a length");
            let mut reader = Reader::new(body, Limits::default());
            let is_reply = match self.frames {
                0 => ConnectResponse::decode(&mut reader).is_ok(),
                _ => ReplyHeader::decode(&mut reader).is_ok(),
            };
            assert!(is_reply, "a frame that is no reply");
            self.frames += 1;
        }
        let whole = self.output.len() - frames.rest().len();
        self.output.drain(..whole);
    }
}
