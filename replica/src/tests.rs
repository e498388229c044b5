//! The gate and the sequencer together, driven by hand: what a shell does, without one.

pub(crate) mod riding;

use std::net::SocketAddr;
use std::sync::Arc;

use jute::data::Acl;
use jute::frame::{self, Frames};
use jute::proto::{
    ConnectRequest, ConnectResponse, CreateRequest, GetChildrenRequest, GetDataRequest,
    ReplyHeader, RequestHeader, SetDataRequest,
};
use jute::wire::{Decode, Encode, Limits, Reader};
use jute::{ErrorCode, OpCode};
use state::prep::PrepOptions;
use state::{Options, State};

use crate::sessions::SessionState;
use crate::throttle::ConnectionThrottleOptions;
use crate::{
    Connection, Ending, Next, Now, ReaperOptions, Replica, ReplicaOptions, RidingOptions,
    Sequencer, Submission, Transport,
};

/// Counts nothing and sends nothing: the tests look into the outbox.
struct NoTransport;

impl Transport for NoTransport {
    fn wake(&self) {}

    fn try_send(&self, _bytes: &[u8], _last: bool) -> usize {
        0
    }
}

pub(crate) fn options() -> ReplicaOptions {
    ReplicaOptions {
        server_id: 1,
        tick_time_ms: 1000,
        min_session_timeout_ms: 2000,
        max_session_timeout_ms: 20_000,
        max_frame: 0xf_ffff,
        limits: Limits::default(),
        global_outstanding_limit: 1000,
        riding: RidingOptions::default(),
        throttled_op_wait_ms: 0,
        large_request_threshold: -1,
        large_request_max_bytes: 0,
        connection_throttle: ConnectionThrottleOptions::default(),
        auth: Default::default(),
        enforced_schemes: None,
        eager_acl_check: false,
        reaper: ReaperOptions::default(),
        seed: 1,
    }
}

struct Bench {
    replica: Arc<Replica>,
    sequencer: Sequencer,
    now: Now,
}

impl Bench {
    fn new(options: ReplicaOptions) -> Self {
        let now = Now {
            monotonic_us: 1_000_000,
            wall_ms: 1_700_000_000_000,
        };
        let state = State::new(Options::default(), 1);
        let replica = Arc::new(Replica::new(state, options, now));
        let sequencer = Sequencer::new(Arc::clone(&replica), PrepOptions::default(), now);
        Self {
            replica,
            sequencer,
            now,
        }
    }

    fn connect(&mut self, session: i64, passwd: &[u8]) -> TestClient {
        let peer = SocketAddr::from(([127, 0, 0, 1], 4242));
        let connection = self.replica.connect(peer, self.now, Box::new(NoTransport));
        let bytes = connect_frame(session, passwd);
        let received = self.replica.receive(&connection, &bytes, self.now);
        self.round(received.submission.into_iter().collect());
        TestClient { connection }
    }

    /// Everything durable at once.
    fn round(&mut self, submissions: Vec<Submission>) {
        let batch = self.sequencer.prepare(self.now, submissions);
        self.sequencer.commit(batch.ticket, self.now);
    }

    fn advance(&mut self, ms: u64) {
        self.now.monotonic_us += ms * 1000;
        self.now.wall_ms += ms as i64;
    }
}

pub(crate) fn connect_frame(session: i64, passwd: &[u8]) -> Vec<u8> {
    first_frame(session, passwd, false)
}

pub(crate) fn read_only_connect_frame() -> Vec<u8> {
    first_frame(0, &[0; 16], true)
}

fn first_frame(session: i64, passwd: &[u8], read_only: bool) -> Vec<u8> {
    let request = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: 0,
        timeout_ms: 4000,
        session_id: session,
        passwd: Some(passwd),
        read_only: Some(read_only),
    };
    let mut bytes = Vec::new();
    frame::append(&mut bytes, |out| request.encode(out));
    bytes
}

pub(crate) struct TestClient {
    pub(crate) connection: Arc<Connection>,
}

impl TestClient {
    pub(crate) fn response(&self) -> (i64, i32) {
        let bytes = self.drain();
        let body = frame::first(&bytes, 1000)
            .expect("a length")
            .expect("a frame");
        let mut reader = Reader::new(body, Limits::default());
        let response = ConnectResponse::decode(&mut reader).expect("a response");
        (response.session_id, response.timeout_ms)
    }

    /// xid and error of every reply that is queued.
    pub(crate) fn replies(&self) -> Vec<(i32, i32)> {
        let bytes = self.drain();
        let frames = Frames::new(&bytes, 2_000_000);
        let reply = |body: Result<&[u8], _>| {
            let mut reader = Reader::new(body.expect("a length"), Limits::default());
            let header = ReplyHeader::decode(&mut reader).expect("a header");
            (header.xid, header.err)
        };
        frames.map(reply).collect()
    }

    fn drain(&self) -> Vec<u8> {
        let mut outbox = self.connection.outbox();
        let bytes = outbox.pending().to_vec();
        outbox.advance(bytes.len());
        bytes
    }
}

pub(crate) fn request(out: &mut Vec<u8>, xid: i32, op: OpCode, body: &impl Encode) {
    frame::append(out, |out| {
        RequestHeader {
            xid,
            op: op.as_i32(),
        }
        .encode(out);
        body.encode(out);
    });
}

/// The body of a request that has none.
pub(crate) struct NoBody;

impl Encode for NoBody {
    fn encode(&self, _out: &mut Vec<u8>) {}
}

pub(crate) fn create(out: &mut Vec<u8>, xid: i32, path: &str, flags: i32) {
    let body = CreateRequest {
        path: Some(path.into()),
        data: Some(b"x"),
        acl: Some(vec![Acl::open()]),
        flags,
    };
    request(out, xid, OpCode::Create, &body);
}

pub(crate) fn get(out: &mut Vec<u8>, xid: i32, path: &str) {
    let body = GetDataRequest {
        path: Some(path.into()),
        watch: false,
    };
    request(out, xid, OpCode::GetData, &body);
}

fn children(out: &mut Vec<u8>, xid: i32, path: &str) {
    let body = GetChildrenRequest {
        path: Some(path.into()),
        watch: false,
    };
    request(out, xid, OpCode::GetChildren, &body);
}

pub(crate) fn set(out: &mut Vec<u8>, xid: i32, path: &str) {
    let body = SetDataRequest {
        path: Some(path.into()),
        data: Some(b"y"),
        version: -1,
    };
    request(out, xid, OpCode::SetData, &body);
}

#[test]
fn a_listing_waits_for_the_writes_before_it_and_holds_up_what_follows() {
    let mut bench = Bench::new(options());
    let client = bench.connect(0, &[0; 16]);
    assert_eq!(client.response().1, 4000);
    let mut input = Vec::new();
    create(&mut input, 1, "/a", 0);
    set(&mut input, 2, "/a");
    children(&mut input, 3, "/a");
    set(&mut input, 4, "/a");

    let first = bench.replica.receive(&client.connection, &input, bench.now);
    assert_eq!(first.next, Next::Again);
    let rest = &input[first.consumed..];
    let waiting = bench.replica.receive(&client.connection, rest, bench.now);
    assert_eq!((waiting.next, waiting.consumed), (Next::Answers, 0));
    assert!(client.connection.is_parked());
    assert_eq!(client.replies(), []);

    bench.round(first.submission.into_iter().collect());
    assert_eq!(client.replies(), [(1, 0), (2, 0)]);
    let second = bench.replica.receive(&client.connection, rest, bench.now);
    assert_eq!(client.replies(), [(3, 0)]);
    bench.round(second.submission.into_iter().collect());
    assert_eq!(client.replies(), [(4, 0)]);
    assert_eq!(client.connection.in_flight(), 0);
}

#[test]
fn reads_in_front_are_answered_before_a_write_is_durable() {
    let mut bench = Bench::new(options());
    let client = bench.connect(0, &[]);
    client.response();
    let mut input = Vec::new();
    get(&mut input, 1, "/zookeeper");
    create(&mut input, 2, "/a", 0);
    let received = bench.replica.receive(&client.connection, &input, bench.now);
    assert_eq!(client.replies(), [(1, 0)]);
    bench.round(received.submission.into_iter().collect());
    assert_eq!(client.replies(), [(2, 0)]);
}

#[test]
fn a_refused_round_answers_with_an_error_and_leaves_no_trace() {
    let mut bench = Bench::new(options());
    let client = bench.connect(0, &[]);
    client.response();
    let before = bench.replica.read().last_zxid();
    let mut input = Vec::new();
    create(&mut input, 1, "/a", 0);
    let received = bench.replica.receive(&client.connection, &input, bench.now);
    let submissions = received.submission.into_iter().collect();
    let batch = bench.sequencer.prepare(bench.now, submissions);
    bench.sequencer.refuse(batch.ticket, bench.now);
    assert_eq!(client.replies(), [(1, ErrorCode::SystemError.as_i32())]);
    assert_eq!(bench.replica.read().last_zxid(), before);

    let again = bench.replica.receive(&client.connection, &input, bench.now);
    bench.round(again.submission.into_iter().collect());
    assert_eq!(client.replies(), [(1, 0)]);
    assert_eq!(bench.replica.read().last_zxid(), before.next());
}

#[test]
fn a_silent_session_expires_with_its_ephemerals_and_its_connection() {
    let mut bench = Bench::new(options());
    let client = bench.connect(0, &[]);
    client.response();
    let mut input = Vec::new();
    create(&mut input, 1, "/e", 1);
    let received = bench.replica.receive(&client.connection, &input, bench.now);
    bench.round(received.submission.into_iter().collect());
    bench.advance(3999);
    bench.round(Vec::new());
    assert!(bench.replica.read().tree().lookup("/e").is_some());
    bench.advance(1001);
    bench.round(Vec::new());
    assert!(bench.replica.read().tree().lookup("/e").is_none());
    let ending = client.connection.outbox().ending();
    assert_eq!(ending, Some(Ending::SessionExpired));
}

#[test]
fn a_renewal_takes_over_and_a_wrong_password_kicks_but_does_not_take() {
    let mut bench = Bench::new(options());
    let first = bench.connect(0, &[]);
    let (session, _) = first.response();
    let password = state::session::password(session);
    let second = bench.connect(session, &password);
    assert_eq!(second.response(), (session, 4000));
    let ending = first.connection.outbox().ending();
    assert_eq!(ending, Some(Ending::Replaced));

    let thief = bench.connect(session, &[7; 16]);
    assert_eq!(thief.response(), (0, 0));
    let ending = second.connection.outbox().ending();
    assert_eq!(ending, Some(Ending::Replaced));
    let third = bench.connect(session, &password);
    assert_eq!(third.response(), (session, 4000));
}

#[test]
fn an_unknown_operation_ends_the_connection_behind_the_answers_before_it() {
    let mut bench = Bench::new(options());
    let client = bench.connect(0, &[]);
    client.response();
    let mut input = Vec::new();
    create(&mut input, 1, "/a", 0);
    request(
        &mut input,
        2,
        OpCode::DeleteContainer,
        &jute::proto::SyncRequest { path: None },
    );
    let received = bench.replica.receive(&client.connection, &input, bench.now);
    let rest = &input[received.consumed..];
    bench.round(received.submission.into_iter().collect());
    let refused = bench.replica.receive(&client.connection, rest, bench.now);
    assert_eq!(refused.next, Next::End);
    let unimplemented = ErrorCode::Unimplemented.as_i32();
    assert_eq!(client.replies(), [(1, 0), (2, unimplemented)]);
}

#[test]
fn a_frame_longer_than_the_limit_ends_the_connection_without_a_word() {
    let mut bench = Bench::new(options());
    let client = bench.connect(0, &[]);
    client.response();
    for len in [0x10_0000_i32, -1, 0, 7] {
        let other = bench.connect(0, &[]);
        other.response();
        let mut input = len.to_be_bytes().to_vec();
        input.extend_from_slice(&[0; 16]);
        let received = bench.replica.receive(&other.connection, &input, bench.now);
        assert_eq!(received.next, Next::End, "{len}");
        assert_eq!(other.replies(), [], "{len}");
    }
}

#[test]
#[should_panic(expected = "rounds end in order, each once")]
fn a_ticket_of_a_later_round_is_no_proof_for_the_oldest() {
    let mut bench = Bench::new(options());
    let _oldest = bench.sequencer.prepare(bench.now, Vec::new());
    let later = bench.sequencer.prepare(bench.now, Vec::new());
    bench.sequencer.commit(later.ticket, bench.now);
}

#[test]
#[should_panic(expected = "a ticket stands for a round")]
fn a_ticket_is_good_once() {
    let mut bench = Bench::new(options());
    let round = bench.sequencer.prepare(bench.now, Vec::new());
    bench.sequencer.refuse(round.ticket, bench.now);
    let mut other = Bench::new(options());
    let stray = other.sequencer.prepare(other.now, Vec::new());
    bench.sequencer.commit(stray.ticket, bench.now);
}

/// Two rounds with a create each: the second is below the first.
fn two_rounds(bench: &mut Bench, client: &TestClient) -> [crate::Batch; 2] {
    [(1, "/a"), (2, "/a/b")].map(|(xid, path)| {
        let mut input = Vec::new();
        create(&mut input, xid, path, 0);
        let received = bench.replica.receive(&client.connection, &input, bench.now);
        let submissions = received.submission.into_iter().collect();
        bench.sequencer.prepare(bench.now, submissions)
    })
}

#[test]
fn a_round_is_validated_on_top_of_those_that_are_not_durable_yet() {
    let mut bench = Bench::new(options());
    let client = bench.connect(0, &[]);
    client.response();
    let [first, second] = two_rounds(&mut bench, &client);
    assert_eq!(client.replies(), [], "nothing is durable");
    bench.sequencer.commit(first.ticket, bench.now);
    assert_eq!(client.replies(), [(1, 0)]);
    assert!(bench.replica.read().tree().lookup("/a/b").is_none());
    bench.sequencer.commit(second.ticket, bench.now);
    assert_eq!(client.replies(), [(2, 0)]);
    assert!(bench.replica.read().tree().lookup("/a/b").is_some());
}

#[test]
fn a_refused_round_takes_those_behind_it_along() {
    let mut bench = Bench::new(options());
    let client = bench.connect(0, &[]);
    client.response();
    let before = bench.replica.read().last_zxid();
    let [first, _second] = two_rounds(&mut bench, &client);
    bench.sequencer.refuse(first.ticket, bench.now);
    let refused = ErrorCode::SystemError.as_i32();
    assert_eq!(client.replies(), [(1, refused), (2, refused)]);
    assert_eq!(bench.sequencer.outstanding(), 0);
    let [first, second] = two_rounds(&mut bench, &client);
    bench.sequencer.commit(first.ticket, bench.now);
    bench.sequencer.commit(second.ticket, bench.now);
    assert_eq!(client.replies(), [(1, 0), (2, 0)]);
    assert_eq!(bench.replica.read().last_zxid().0, before.0 + 2);
}

/// A session that expires in a round for which there turns out to be no space, and what its
/// clients do meanwhile.
struct Expiring {
    bench: Bench,
    client: TestClient,
    session: i64,
    expiry: crate::Batch,
}

impl Expiring {
    fn begin() -> Self {
        let mut bench = Bench::new(options());
        let client = bench.connect(0, &[]);
        let (session, timeout_ms) = client.response();
        bench.advance(3 * timeout_ms as u64);
        let expiry = bench.sequencer.prepare(bench.now, Vec::new());
        assert_eq!(expiry.entries.len(), 1, "the session expires");
        Self {
            bench,
            client,
            session,
            expiry,
        }
    }

    fn refuse(mut self) -> Bench {
        self.bench
            .sequencer
            .refuse(self.expiry.ticket, self.bench.now);
        let sessions = self.bench.replica.sessions().lock();
        assert_eq!(sessions.state(self.session), SessionState::Alive);
        drop(sessions);
        self.bench
    }
}

#[test]
fn a_write_behind_a_refused_expiry_ends_its_connection() {
    let mut expiring = Expiring::begin();
    let mut input = Vec::new();
    create(&mut input, 7, "/late", 0);
    let bench = &mut expiring.bench;
    let connection = Arc::clone(&expiring.client.connection);
    let received = bench.replica.receive(&connection, &input, bench.now);
    let late = received.submission.into_iter().collect();
    let _void = bench.sequencer.prepare(bench.now, late);
    expiring.refuse();
    assert_eq!(connection.outbox().ending(), Some(Ending::NoSpace));
    assert_eq!(connection.in_flight(), 0);
}

#[test]
fn a_renewal_behind_a_refused_expiry_is_not_told_of_it() {
    let mut expiring = Expiring::begin();
    let session = expiring.session;
    let passwd = state::session::password(session);
    let bench = &mut expiring.bench;
    let peer = SocketAddr::from(([127, 0, 0, 1], 4243));
    let connection = bench
        .replica
        .connect(peer, bench.now, Box::new(NoTransport));
    let renewal = connect_frame(session, &passwd);
    let received = bench.replica.receive(&connection, &renewal, bench.now);
    let renewal = received.submission.into_iter().collect();
    let _void = bench.sequencer.prepare(bench.now, renewal);
    let mut bench = expiring.refuse();
    assert!(connection.outbox().is_empty(), "nothing was decided");
    assert_eq!(connection.outbox().ending(), Some(Ending::NoSpace));
    assert_eq!(bench.connect(session, &passwd).response().0, session);
}
