//! What clients are told: replies and watch events, queued in their outboxes under the guard of
//! the state that they tell of.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use jute::data::{Acl, perms};
use jute::frame;
use jute::proto::{ConnectResponse, EventType, ReplyHeader};
use jute::wire::Encode;
use jute::{ErrorCode, OpCode};
use state::State;
use state::acl::{Identities, allowed};
use state::apply::Applied;
use state::read::ReadContext;
use state::session::password;
use state::watch::{EventSink, WatcherId};

use crate::connection::{
    Connection, Ending, OUTBOX_EVENT_BUDGET, OUTBOX_HIGH_WATER, Outbox, UNKNOWN_ANSWERS,
    encode_event,
};
use crate::gate::may_ride;
use crate::{Now, Replica};

/// The connections that have something to send, each at least once.
#[derive(Default)]
pub(crate) struct Touched(Vec<Arc<Connection>>);

impl Touched {
    pub(crate) fn new(connections: Vec<Arc<Connection>>) -> Self {
        Self(connections)
    }

    pub(crate) fn add(&mut self, connection: &Arc<Connection>) {
        if !self
            .0
            .last()
            .is_some_and(|last| Arc::ptr_eq(last, connection))
        {
            self.0.push(Arc::clone(connection));
        }
    }

    pub(crate) fn add_all(&mut self, connections: Vec<Arc<Connection>>) {
        self.0.extend(connections);
    }

    pub(crate) fn into_inner(mut self) -> Vec<Arc<Connection>> {
        self.0.sort_by_key(|connection| connection.id());
        self.0.dedup_by_key(|connection| connection.id());
        self.0
    }
}

/// A request, as its answer names it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    /// Chosen by the client.
    pub(crate) xid: i32,
    /// The operation.
    pub(crate) op: OpCode,
    /// When it was received, microseconds on the monotonic clock.
    pub(crate) received_us: u64,
}

/// Answers a request with an error.
pub(crate) fn reply_error(
    replica: &Replica,
    connection: &Arc<Connection>,
    asked: Asked,
    zxid: i64,
    code: ErrorCode,
    now: Now,
) {
    let us = now.monotonic_us.saturating_sub(asked.received_us);
    let mut outbox = connection.outbox();
    let _ = outbox.push_reply(asked.xid, zxid, |_, _| Err(code));
    outbox.note_answer(asked.op, asked.xid, zxid, now.monotonic_us, us);
    drop(outbox);
    replica.count_answers(1, us);
    replica.answered(connection, 1);
}

/// Queues the answer of a read, and registers its watch.
pub(crate) fn push_read(
    outbox: &mut Outbox,
    state: &State,
    context: &ReadContext<'_>,
    (xid, op): (i32, OpCode),
    body: &[u8],
) {
    let zxid = state.last_zxid().0;
    if op == OpCode::Ping {
        let _ = outbox.push_reply(ReplyHeader::PING_XID, zxid, |_, _| Ok(()));
        return;
    }
    let before = outbox.len();
    let _ = outbox.push_reply(xid, zxid, |out, events| {
        let mut sink = OwnEvents { events };
        state.read(context, op, body, out, &mut sink)
    });
    if may_ride(op) {
        outbox.note_node_len(outbox.len() - before);
    }
}

/// Events that a request raises for its own connection (setWatches).
struct OwnEvents<'a> {
    events: &'a mut Vec<u8>,
}

impl EventSink for OwnEvents<'_> {
    fn event(&mut self, _watcher: WatcherId, kind: EventType, path: &str, zxid: i64) {
        frame::append(self.events, |out| encode_event(out, kind, path, zxid));
    }

    fn may_read(&self, _watcher: WatcherId, _acl: &[Acl<'_>]) -> bool {
        true
    }
}

/// A read that goes behind the writes of its connection, with what it needs when its turn comes.
pub(crate) struct Riding<'a> {
    pub(crate) connection: &'a Arc<Connection>,
    pub(crate) asked: Asked,
    pub(crate) identities: &'a Identities,
    pub(crate) body: &'a [u8],
}

impl Riding<'_> {
    /// Queues the answer. The caller counts it.
    ///
    /// `state` is held for writing: who lets go of the connection forgets its watches under a
    /// guard, and this one is registered before that, or not at all.
    ///
    /// The answer cannot wait until those before it are read: what comes behind it has its turn
    /// too. The gate lets no more reads go than are expected to fit; should nodes turn out far
    /// larger than those that the connection has read so far, it ends.
    pub(crate) fn answer(&self, replica: &Replica, state: &mut State, now: Now) -> Rode {
        let (connection, asked) = (self.connection, self.asked);
        let us = now.monotonic_us.saturating_sub(asked.received_us);
        if connection.is_gone() {
            return Rode { us, bytes: 0 };
        }
        let context = ReadContext {
            session: connection.session(),
            watcher: connection.id(),
            identities: self.identities,
            auth: &replica.options.auth,
        };
        let mut outbox = connection.outbox();
        let before = outbox.len();
        if before > replica.riding_budget() {
            outbox.end(Ending::SlowReader);
            return Rode { us, bytes: 0 };
        }
        push_read(
            &mut outbox,
            state,
            &context,
            (asked.xid, asked.op),
            self.body,
        );
        let zxid = state.last_zxid().0;
        outbox.note_answer(asked.op, asked.xid, zxid, now.monotonic_us, us);
        let bytes = outbox.len() - before;
        Rode { us, bytes }
    }
}

/// What a read behind writes came to.
pub(crate) struct Rode {
    /// How long it took, microseconds.
    pub(crate) us: u64,
    /// Length of its answer.
    pub(crate) bytes: usize,
}

/// Answers the end of a session.
pub(crate) fn reply_closed(
    replica: &Replica,
    connection: &Arc<Connection>,
    asked: Asked,
    zxid: i64,
    now: Now,
) {
    let us = now.monotonic_us.saturating_sub(asked.received_us);
    // Its client learns of the end by the answer, and nobody shall count it after that.
    replica.connections().remove(connection.id());
    let mut outbox = connection.outbox();
    let _ = outbox.push_reply(asked.xid, zxid, |_, _| Ok(()));
    outbox.note_answer(asked.op, asked.xid, zxid, now.monotonic_us, us);
    outbox.end(Ending::SessionClosed);
    drop(outbox);
    replica.count_sent(1);
    replica.answered(connection, 1);
}

/// The error in the reply's header.
pub(crate) fn error_of(applied: &Applied<'_>) -> Result<(), ErrorCode> {
    match applied.err() {
        0 => Ok(()),
        err => Err(ErrorCode::from_i32(err).unwrap_or(ErrorCode::SystemError)),
    }
}

/// The answer to a ConnectRequest; without a session it says "expired" and the connection ends.
/// `read_only` tells the client that this server takes no writes.
pub(crate) fn reply_connect(
    replica: &Replica,
    connection: &Arc<Connection>,
    session: Option<i64>,
    read_only: bool,
) {
    let password = session.map_or([0; 16], password);
    let response = ConnectResponse {
        protocol_version: 0,
        timeout_ms: session.map_or(0, |_| connection.timeout_ms()),
        session_id: session.unwrap_or(0),
        passwd: Some(&password),
        read_only: (!connection.is_old_client()).then_some(read_only),
    };
    let mut outbox = connection.outbox();
    outbox.push_frame(|out| response.encode(out));
    match session {
        Some(session) => connection.establish(session),
        None => outbox.end(Ending::InvalidSession),
    }
    drop(outbox);
    replica.count_sent(1);
    replica.answered(connection, 1);
}

/// Queues watch events while a transaction is applied.
pub(crate) struct Deliver<'a> {
    pub(crate) replica: &'a Replica,
    pub(crate) touched: &'a mut Touched,
}

impl EventSink for Deliver<'_> {
    fn event(&mut self, watcher: WatcherId, kind: EventType, path: &str, zxid: i64) {
        if let Some(connection) = self.replica.connections.get(watcher) {
            connection.outbox().push_event(kind, path, zxid);
            self.replica.count_sent(1);
            self.touched.add(&connection);
        }
    }

    fn may_read(&self, watcher: WatcherId, acl: &[Acl<'_>]) -> bool {
        let Some(connection) = self.replica.connections.get(watcher) else {
            return false;
        };
        let identities = connection.identities();
        allowed(acl, perms::READ, &identities, &self.replica.options.auth)
    }
}

/// A write guard is given up after answers to reads of so many bytes: they are copied under it.
pub(crate) const ANSWERS_PER_GUARD: usize = OUTBOX_HIGH_WATER;

impl Replica {
    /// So many bytes a connection may leave unread when a read behind its writes has its turn: as
    /// many as of watch events, or the answers of unknown length that the gate lets through at
    /// once, if `jute.maxbuffer` makes them longer.
    fn riding_budget(&self) -> usize {
        OUTBOX_EVENT_BUDGET.max(UNKNOWN_ANSWERS.saturating_mul(self.options.max_frame))
    }

    /// A four-letter word came: a packet as any other, and so is its answer.
    pub fn word_received(&self, connection: &Connection, now: Now) {
        connection.heard(now, 1);
        self.stats.received.fetch_add(1, Relaxed);
    }

    /// What the word asked for is on its way.
    pub fn word_answered(&self) {
        self.count_sent(1);
    }

    /// Counts packets to clients. Answers to requests are counted by [`Replica::count_answers`].
    pub(crate) fn count_sent(&self, count: u64) {
        self.stats.sent.fetch_add(count, Relaxed);
    }

    /// Counts answers that took `us` microseconds each.
    pub(crate) fn count_answers(&self, count: u64, us: u64) {
        self.count_sent(count);
        self.stats.latency.lock().record(us, count);
    }

    /// So many requests less in flight. To be called after their answers are in the outbox.
    pub(crate) fn answered(&self, connection: &Connection, requests: u32) {
        connection.answered(requests);
        self.stats
            .outstanding
            .fetch_sub(i64::from(requests), Relaxed);
    }
}
