//! From a client's bytes to answers and submissions, in the order of its requests.
//!
//! The gate keeps a session's requests in order without a queue of its own. Writes behind writes go
//! on at once, and with them the reads of a single node that come behind them, or close in front of
//! them: each is answered in its turn, when what is before it is applied. Any other read stays in
//! the input buffer while something of the connection is in flight, and with it everything behind;
//! when the last answer is in the outbox the shell is woken and hands the same input in again.

mod auth;
mod connect;
mod hold;
mod read;
mod riding;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use jute::frame::{BadFrameLength, Frames, PREFIX_LEN};
use jute::proto::RequestHeader;
use jute::wire::{Decode as _, Limits, Reader};
use jute::{ErrorCode, OpCode};
use state::acl::Identities;
use state::prep::check_permissions;

use crate::connection::{Connection, Ending, OUTBOX_HIGH_WATER};
use crate::{Now, Replica, Service};
pub use riding::RidingOptions;
pub(crate) use riding::may_ride;

/// What became of a client's input.
#[derive(Debug)]
pub struct Received {
    /// Bytes that are done with; the rest is to be handed in again.
    pub consumed: usize,
    /// Work for the sequencer. To be handed over before anything that is received later.
    pub submission: Option<Submission>,
    /// What has to happen first.
    pub next: Next,
}

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// More bytes from the client.
    Input,
    /// Nothing: hand the rest in at once.
    Again,
    /// The answers to what is in flight; the shell is woken then.
    Answers,
    /// Room in the outbox.
    Drain,
    /// Nothing more: send what is queued and close.
    End,
}

/// Requests of one connection for the sequencer.
pub struct Submission {
    /// Who asks.
    pub connection: Arc<Connection>,
    /// As whom: the identities at the time of receipt.
    pub identities: Identities,
    /// When it was received, microseconds on the monotonic clock.
    pub received_us: u64,
    /// What is asked.
    pub ask: Ask,
}

impl Submission {
    /// How many transactions it may make, as far as its kind tells.
    pub fn changes(&self) -> usize {
        match &self.ask {
            Ask::Open => 1,
            Ask::Renew { .. } => 0,
            Ask::Writes(writes) => writes.changes,
        }
    }
}

impl std::fmt::Debug for Submission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Submission")
            .field("session", &self.connection.session())
            .field("ask", &self.ask)
            .finish_non_exhaustive()
    }
}

/// What a submission asks for.
#[derive(Debug)]
pub enum Ask {
    /// A new session.
    Open,
    /// To go on with a session.
    Renew {
        /// Its id.
        session: i64,
        /// Is the password right?
        password_matches: bool,
    },
    /// Writes, in order.
    Writes(Writes),
}

/// Consecutive writes of one connection, and reads that go with them, with their bodies in one
/// buffer.
#[derive(Debug, Default)]
pub struct Writes {
    bodies: Vec<u8>,
    requests: Vec<Write>,
    /// How many of them are no reads.
    changes: usize,
}

/// One write, a sync, or a read that goes with writes.
#[derive(Clone, Copy, Debug)]
pub struct Write {
    /// Chosen by the client.
    pub xid: i32,
    /// What to do.
    pub op: OpCode,
    body_end: usize,
}

impl Write {
    /// Whether it changes nothing, and waits only for what is before it.
    pub(crate) fn rides(&self) -> bool {
        may_ride(self.op)
    }
}

impl Writes {
    fn push(&mut self, xid: i32, op: OpCode, body: &[u8]) {
        self.bodies.extend_from_slice(body);
        self.changes += usize::from(!may_ride(op));
        self.requests.push(Write {
            xid,
            op,
            body_end: self.bodies.len(),
        });
    }

    /// Number of writes.
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// The writes with their bodies, which share one buffer.
    pub(crate) fn into_shared(self) -> impl Iterator<Item = (Write, Bytes)> {
        let bodies = Bytes::from(self.bodies);
        let mut start = 0;
        self.requests.into_iter().map(move |write| {
            let body = bodies.slice(start..write.body_end);
            start = write.body_end;
            (write, body)
        })
    }

    /// The writes with their bodies.
    pub fn iter(&self) -> impl Iterator<Item = (Write, &[u8])> {
        let mut start = 0;
        self.requests.iter().map(move |write| {
            let body = &self.bodies[start..write.body_end];
            start = write.body_end;
            (*write, body)
        })
    }
}

/// How a request is handled.
enum Class {
    Read,
    Write,
    Auth,
    Sasl,
    Refused,
}

/// What is not for clients (createSession, deleteContainer, a bare check, errors and
/// notifications) is refused like an unknown operation.
fn classify(op: i32) -> (Class, OpCode) {
    let Some(op) = OpCode::from_i32(op) else {
        return (Class::Refused, OpCode::Error);
    };
    let class = match op {
        OpCode::Create
        | OpCode::Create2
        | OpCode::CreateContainer
        | OpCode::CreateTtl
        | OpCode::Delete
        | OpCode::SetData
        | OpCode::SetAcl
        | OpCode::Multi
        | OpCode::Reconfig
        | OpCode::CloseSession => Class::Write,
        OpCode::Exists
        | OpCode::GetData
        | OpCode::GetAcl
        | OpCode::GetChildren
        | OpCode::GetChildren2
        | OpCode::Sync
        | OpCode::Ping
        | OpCode::CheckWatches
        | OpCode::RemoveWatches
        | OpCode::MultiRead
        | OpCode::SetWatches
        | OpCode::SetWatches2
        | OpCode::AddWatch
        | OpCode::GetEphemerals
        | OpCode::GetAllChildrenNumber
        | OpCode::WhoAmI => Class::Read,
        OpCode::Auth => Class::Auth,
        OpCode::Sasl => Class::Sasl,
        OpCode::Notification
        | OpCode::Check
        | OpCode::DeleteContainer
        | OpCode::CreateSession
        | OpCode::Error => Class::Refused,
    };
    (class, op)
}

/// A request as it stands in the input.
#[derive(Clone, Copy)]
struct Request<'a> {
    xid: i32,
    op: i32,
    body: &'a [u8],
    /// Length with the prefix.
    frame_len: usize,
}

impl<'a> Request<'a> {
    /// The one that a frame holds, if its header is whole.
    fn of(frame: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(frame, Limits::default());
        let header = RequestHeader::decode(&mut reader).ok()?;
        Some(Self {
            xid: header.xid,
            op: header.op,
            body: reader.rest(),
            frame_len: PREFIX_LEN + frame.len(),
        })
    }
}

impl Replica {
    /// Takes a connection's input: answers what can be answered at once, and returns what
    /// is for the sequencer and how far it came. To be called by one task per connection.
    pub fn receive(&self, connection: &Arc<Connection>, input: &[u8], now: Now) -> Received {
        connection.unpark();
        let mut gate = Gate {
            replica: self,
            connection,
            now,
            input,
            consumed: 0,
            packets: 0,
            writes: Writes::default(),
            node_len: 0,
        };
        let (next, session) = gate.run();
        let (consumed, packets, writes) = (gate.consumed, gate.packets, gate.writes);
        if packets > 0 {
            connection.heard(now, packets);
            let received = &self.stats.received;
            received.fetch_add(packets, Relaxed);
        }
        let ask = session.or_else(|| (!writes.is_empty()).then_some(Ask::Writes(writes)));
        Received {
            consumed,
            submission: ask.map(|ask| self.submit(connection, ask, now)),
            next,
        }
    }

    fn submit(&self, connection: &Arc<Connection>, ask: Ask, now: Now) -> Submission {
        let count = match &ask {
            Ask::Open | Ask::Renew { .. } => 1,
            Ask::Writes(writes) => writes.len(),
        };
        connection.submit(count as u32);
        let outstanding = &self.stats.outstanding;
        outstanding.fetch_add(count as i64, Relaxed);
        Submission {
            connection: Arc::clone(connection),
            identities: connection.identities(),
            received_us: now.monotonic_us,
            ask,
        }
    }
}

/// One pass over a connection's input.
struct Gate<'a> {
    replica: &'a Replica,
    connection: &'a Arc<Connection>,
    now: Now,
    input: &'a [u8],
    consumed: usize,
    packets: u64,
    writes: Writes,
    /// How long the answer to a read of one node is expected to be, bytes.
    node_len: usize,
}

impl<'a> Gate<'a> {
    fn run(&mut self) -> (Next, Option<Ask>) {
        loop {
            let outbox = self.connection.outbox();
            if outbox.ending().is_some() {
                return (Next::End, None);
            }
            self.node_len = outbox.expected_node_len();
            drop(outbox);
            if self.connection.session() == 0 {
                return self.before_session();
            }
            let request = match self.request() {
                Ok(Some(request)) => request,
                Ok(None) => return (Next::Input, None),
                Err(ending) => {
                    self.connection.end(ending);
                    return (Next::End, None);
                }
            };
            if let Some(next) = self.handle(request) {
                return (next, None);
            }
        }
    }

    /// The next whole request; it stays in the input until [`Gate::done`].
    fn request(&self) -> Result<Option<Request<'a>>, Ending> {
        match self.frames().next() {
            None => Ok(None),
            Some(Err(BadFrameLength(len))) => Err(Ending::BadFrame(len)),
            Some(Ok(frame)) => match Request::of(frame) {
                Some(request) => Ok(Some(request)),
                None => Err(Ending::BadFrame(frame.len() as i32)),
            },
        }
    }

    /// The whole requests at the front of the input, up to the first that ends the connection.
    fn requests(&self) -> impl Iterator<Item = Request<'a>> {
        let frames = self.frames().map_while(Result::ok);
        frames.map_while(Request::of)
    }

    fn frames(&self) -> Frames<'a> {
        Frames::new(&self.input[self.consumed..], self.replica.options.max_frame)
    }

    fn done(&mut self, request: Request<'_>) {
        self.consumed += request.frame_len;
        self.packets += 1;
    }

    /// In an ensemble a sync goes the way of the writes.
    fn classify(&self, op: i32) -> (Class, OpCode) {
        match classify(op) {
            (_, OpCode::Sync) if self.replica.in_ensemble => (Class::Write, OpCode::Sync),
            other => other,
        }
    }

    /// Handles one request; says what to wait for if it cannot go on.
    fn handle(&mut self, request: Request<'a>) -> Option<Next> {
        let (class, op) = self.classify(request.op);
        if !matches!(class, Class::Auth | Class::Sasl) && self.lacks_enforced_auth() {
            return Some(self.refuse(request, 0, ErrorCode::SessionClosedRequireSaslAuth));
        }
        if self.replica.service().holds() && !matches!(class, Class::Auth | Class::Sasl) {
            return Some(self.hold());
        }
        match class {
            Class::Write => self.enqueue(request, op),
            Class::Read if self.rides(op) => self.enqueue(request, op),
            Class::Read => self.reads(),
            Class::Auth => self.auth(request),
            Class::Sasl => self.sasl(request),
            Class::Refused => {
                if let Some(wait) = self.wait_for_writes() {
                    return Some(wait);
                }
                Some(self.refuse(request, -1, ErrorCode::Unimplemented))
            }
        }
    }

    fn enqueue(&mut self, request: Request<'a>, op: OpCode) -> Option<Next> {
        if self.replica.service() == Service::ReadOnly && op != OpCode::CloseSession {
            return self.not_read_only(request);
        }
        if self.connection.is_syncing()
            && let Some(wait) = self.wait_for_writes()
        {
            // An answer behind that of a sync must not be due before it.
            return Some(wait);
        }
        let outstanding = &self.replica.stats.outstanding;
        let outstanding = outstanding.load(Relaxed);
        if outstanding + self.writes.len() as i64 > self.replica.options.global_outstanding_limit
            && let Some(wait) = self.wait_for_writes()
        {
            return Some(wait);
        }
        if self.connection.outbox().len() > OUTBOX_HIGH_WATER {
            return Some(Next::Drain);
        }
        if let Some(code) = self.eager_refusal(&request, op) {
            self.answer_error(request, 0, code);
            return None;
        }
        if !self.replica.large_requests.admit(request.body.len()) {
            self.connection.end(Ending::Throttled);
            return Some(Next::End);
        }
        self.done(request);
        self.writes.push(request.xid, op, request.body);
        if op == OpCode::Sync {
            self.connection.set_syncing(true);
            return Some(Next::Again);
        }
        if op == OpCode::CloseSession {
            // Nothing behind it is answered.
            self.consumed = self.input.len();
            return Some(Next::Answers);
        }
        None
    }

    /// What to wait for before something that must come after all earlier writes.
    fn wait_for_writes(&mut self) -> Option<Next> {
        if !self.writes.is_empty() {
            // They are not in flight yet; the shell submits them and asks again.
            return Some(Next::Again);
        }
        (self.connection.in_flight() > 0 && self.connection.park()).then_some(Next::Answers)
    }

    /// A server without a leader that reads for who wants no more.
    fn not_read_only(&mut self, request: Request<'_>) -> Option<Next> {
        if let Some(wait) = self.wait_for_writes() {
            return Some(wait);
        }
        let zxid = self.replica.read().last_zxid().0;
        self.answer_error(request, zxid, ErrorCode::NotReadOnly);
        None
    }

    /// Why a write is refused where it came, with `enableEagerACLCheck`. Where others of the
    /// connection are on their way it is not asked: they may give it what it lacks, and the answer
    /// would have to wait for theirs. The leader checks all of them.
    fn eager_refusal(&self, request: &Request<'_>, op: OpCode) -> Option<ErrorCode> {
        let options = &self.replica.options;
        let on_its_way = !self.writes.is_empty() || self.connection.in_flight() > 0;
        if !options.eager_acl_check || on_its_way {
            return None;
        }
        let (state, identities) = (self.replica.read(), self.connection.identities());
        check_permissions(&state, op, request.body, &identities, &options.auth).err()
    }

    fn answer_error(&mut self, request: Request<'_>, zxid: i64, code: ErrorCode) {
        self.done(request);
        let mut outbox = self.connection.outbox();
        let _ = outbox.push_reply(request.xid, zxid, |_, _| Err(code));
        drop(outbox);
        self.replica.count_answers(1, 0);
    }

    /// Answers with an error and ends the connection.
    fn refuse(&mut self, request: Request<'_>, zxid: i64, code: ErrorCode) -> Next {
        self.done(request);
        let mut outbox = self.connection.outbox();
        let _ = outbox.push_reply(request.xid, zxid, |_, _| Err(code));
        outbox.end(match code {
            ErrorCode::Unimplemented => Ending::UnknownOperation(request.op),
            ErrorCode::AuthFailed => Ending::AuthFailed,
            _ => Ending::AuthRequired,
        });
        self.replica.count_sent(1);
        Next::End
    }
}
