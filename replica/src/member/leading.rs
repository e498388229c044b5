//! A leader's side: requests of own and other servers' clients become transactions, in one
//! order; sessions expire.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use jute::quorum::SessionTouch;
use jute::wire::{Decode, Limits, Reader};
use jute::{ErrorCode, OpCode, Zxid};
use state::State;
use state::acl::Identities;
use state::prep::{self, Closing, Prep, Prepared, SessionKind};
use zab::{Entry, Epoch, LearnerLink, Request, ServerId, SyncId};

use super::client::{Clients, Fate, Unanswered};
use super::{Duty, Member, MemberOptions, Outcome};
use crate::ahead;
use crate::answer::reply_connect;
use crate::connection::Connection;
use crate::reaper::Reaper;
use crate::sessions::SessionState;
use crate::stats::ProposalSizes;
use crate::{Now, Replica};

/// Works whose nodes are prefetched together.
const AHEAD: usize = 64;

/// What a leader keeps for as long as it leads. All of it dies with the reign: what was not
/// proposed by then never is.
pub(super) struct Reign {
    pub(super) prep: Prep,
    reaper: Reaper,
    /// What waits until a proposal is taken, in order of arrival.
    backlog: VecDeque<Work>,
    /// About so many at the front of it are prefetched.
    looked_at: usize,
    /// Own clients' syncs.
    syncs: BTreeMap<u64, (i64, Arc<Connection>)>,
    entries: Entries,
    last_sync: u64,
    /// Sessions that own ephemerals and are not known: a stock server's snapshot can hold
    /// such. They are closed first.
    orphans: Vec<i64>,
}

/// Something that takes its place in the history, or must not overtake what does.
pub(super) enum Work {
    /// What a session of an own connection waits for.
    Own(i64),
    /// A new session on an own connection.
    Open(i64),
    /// A learner's request.
    Forwarded(LearnerLink, Request),
    /// A learner's question whether a session is alive.
    Revalidate(LearnerLink, i64),
}

impl Work {
    /// The requests that it is made of, and that a leader has yet to look at.
    fn bodies<'a>(&'a self, clients: &'a Clients) -> impl Iterator<Item = &'a [u8]> {
        let (own, forwarded) = match self {
            Self::Own(session) => (clients.get(*session), None),
            Self::Forwarded(_, request) => (None, Some(&request.body)),
            Self::Open(_) | Self::Revalidate(..) => (None, None),
        };
        let own = own.into_iter().flat_map(|client| &client.queue);
        let held = own.filter(|request| request.fate == Fate::Held);
        let held = held.map(|request| &request.body);
        held.chain(forwarded).map(|body| &body[..])
    }
}

impl Reign {
    pub(super) fn new(epoch: Epoch, replica: &Replica, options: &MemberOptions, now: Now) -> Self {
        *replica.stats().proposals.lock() = ProposalSizes::default();
        let state = replica.read();
        let seed = replica.options().seed;
        let unknown = |session: &i64| state.sessions().timeout_ms(*session).is_none();
        Self {
            prep: Prep::new(options.prep.clone(), &state, epoch.zxid(), seed),
            reaper: Reaper::new(replica.options().reaper, now),
            backlog: VecDeque::new(),
            looked_at: 0,
            syncs: BTreeMap::new(),
            entries: Entries::default(),
            last_sync: 0,
            orphans: state.sessions_with_ephemerals().filter(unknown).collect(),
        }
    }

    pub(super) fn backlog(&self) -> usize {
        self.backlog.len()
    }

    pub(super) fn push(&mut self, work: Work) {
        self.backlog.push_back(work);
    }

    /// Prefetches what the front of the backlog is about, if the last look did not reach so far.
    fn look_ahead(&mut self, replica: &Replica, clients: &Clients) {
        if self.looked_at == 0 && !self.backlog.is_empty() {
            self.looked_at = self.backlog.len().min(AHEAD);
            let works = self.backlog.iter().take(AHEAD);
            ahead::of_requests(&replica.read(), works.flat_map(|work| work.bodies(clients)));
        }
        self.looked_at = self.looked_at.saturating_sub(1);
    }

    /// It was begun, and the rest could not be proposed.
    pub(super) fn push_front(&mut self, work: Work) {
        self.backlog.push_front(work);
    }
}

impl Member {
    /// When sessions expire or nodes are reaped next. What is reaped waits for as long as no
    /// proposals are taken; a session that cannot be closed is due again a tick later.
    pub(super) fn next_due_ms(&self, reign: &Reign) -> Option<u64> {
        let reaps = self.peer.may_propose();
        let reaper = reaps.then(|| reign.reaper.next_deadline_ms());
        let expiry = self.replica.sessions.lock().next_deadline_ms();
        reaper.into_iter().chain(expiry).min()
    }

    pub(super) fn forwarded(&mut self, link: LearnerLink, request: Request) {
        if let Duty::Leading(reign) = &mut self.duty {
            reign.push(Work::Forwarded(link, request));
        }
    }

    pub(super) fn revalidate(&mut self, link: LearnerLink, session: i64) {
        if let Duty::Leading(reign) = &mut self.duty {
            reign.push(Work::Revalidate(link, session));
        }
    }

    /// Sessions were heard of through another server: a leader's learner, or an observer of which
    /// this server is the master, and which its own leader is to hear of.
    pub(super) fn touched(&mut self, now: Now, touches: &[SessionTouch]) {
        match &mut self.duty {
            Duty::Leading(_) => {
                let mut sessions = self.replica.sessions.lock();
                for touch in touches {
                    sessions.touch(touch.session, now.monotonic_ms());
                }
            }
            Duty::Following(uplink) => uplink.relay_touches(touches),
            Duty::Waiting(_) | Duty::Halted => {}
        }
    }

    /// Does the next thing that waits for a proposal to be taken. False if there is none, or
    /// none is taken.
    pub(super) fn take_backlog(&mut self, now: Now, out: &mut Outcome) -> bool {
        let Duty::Leading(reign) = &mut self.duty else {
            return false;
        };
        if !self.peer.may_propose() {
            return false;
        }
        reign.look_ahead(&self.replica, &self.clients);
        match reign.backlog.pop_front() {
            Some(Work::Own(session)) => self.hand(now, session, out),
            Some(Work::Open(session)) => self.open_newcomer(now, session, out),
            Some(Work::Forwarded(link, request)) if request.is_sync() => {
                self.feed(now, zab::Input::LearnerSync(link), out);
            }
            Some(Work::Forwarded(link, request)) => {
                self.propose_forwarded(now, link, &request, out)
            }
            Some(Work::Revalidate(link, session)) => {
                let server = self.peer.learner(link);
                let mut sessions = self.replica.sessions.lock();
                let valid = server
                    .is_some_and(|server| sessions.move_to(session, server, now.monotonic_ms()));
                drop(sessions);
                let answer = zab::Input::Revalidated {
                    link,
                    session,
                    valid,
                };
                self.feed(now, answer, out);
            }
            None => return false,
        }
        true
    }

    /// Makes a transaction of an own client's request, or says why not. `None` if the session is
    /// with another server.
    pub(super) fn propose(
        &mut self,
        now: Now,
        session: i64,
        request: &Unanswered,
        out: &mut Outcome,
    ) -> Option<Fate> {
        let (me, op) = (self.peer.id(), request.asked.op);
        if !self.peer.may_propose() {
            return Some(Fate::Held);
        }
        if op == OpCode::Sync {
            return Some(self.propose_sync(now, session, out));
        }
        let waited_ms = now.monotonic_us.saturating_sub(request.asked.received_us) / 1000;
        let throttle_ms = self.replica.options().throttled_op_wait_ms;
        if throttle_ms > 0 && waited_ms > throttle_ms && op != OpCode::CloseSession {
            return Some(Fate::Refused(ErrorCode::ThrottledOp));
        }
        let kind = match self.session_kind(session, me) {
            Ok(kind) => kind,
            Err(ErrorCode::SessionMoved) => return None,
            // Its end is on its way, and ends the connection.
            Err(_) => return Some(Fate::Sent),
        };
        if op == OpCode::CloseSession {
            let closes = self.close(now, session, request.asked.xid, out);
            return Some(if closes { Fate::Sent } else { Fate::Held });
        }
        let request = prep::Request {
            session,
            cxid: request.asked.xid,
            op,
            body: &request.body,
            identities: &request.identities,
            kind,
        };
        match self.transact(now, &request, out) {
            Prepared::Txn { .. } => Some(Fate::Sent),
            Prepared::Reject(code) => Some(Fate::Refused(code)),
        }
    }

    /// A learner waits for a transaction, whatever becomes of its request.
    fn propose_forwarded(
        &mut self,
        now: Now,
        link: LearnerLink,
        request: &Request,
        out: &mut Outcome,
    ) {
        // Who has left asks again of the next leader.
        let Some(server) = self.peer.learner(link) else {
            return;
        };
        let (session, cxid) = (request.session, request.cxid);
        let limits = self.replica.options().limits;
        let op = OpCode::from_i32(request.op).unwrap_or(OpCode::Error);
        let refusal = match op {
            OpCode::CreateSession => match timeout_of(&request.body, limits) {
                Some(timeout_ms) => {
                    let request = (session, cxid);
                    return self.create_session(now, request, timeout_ms, server, out);
                }
                None => ErrorCode::MarshallingError,
            },
            // Its client goes on elsewhere, and may have asked for more there.
            OpCode::CloseSession
                if self.session_kind(session, server) == Err(ErrorCode::SessionMoved) =>
            {
                ErrorCode::SessionMoved
            }
            OpCode::CloseSession => {
                if !self.close(now, session, cxid, out)
                    && let Duty::Leading(reign) = &mut self.duty
                {
                    let again = Work::Forwarded(link, request.clone());
                    reign.push_front(again);
                }
                return;
            }
            _ => match self.session_kind(session, server) {
                Ok(kind) => {
                    let identities = identities(request);
                    let request = prep::Request {
                        session,
                        cxid,
                        op,
                        body: &request.body,
                        identities: &identities,
                        kind,
                    };
                    match self.transact(now, &request, out) {
                        Prepared::Txn { .. } => return,
                        Prepared::Reject(code) => code,
                    }
                }
                Err(code) => code,
            },
        };
        self.prepare(now, out, |prep, state, buffer| {
            prep.refuse(state, now.wall_ms, (session, cxid), refusal, buffer);
        });
    }

    fn transact(&mut self, now: Now, request: &prep::Request<'_>, out: &mut Outcome) -> Prepared {
        if request.op == OpCode::Reconfig {
            return self.reconfigure(now, request, out);
        }
        self.prepare(now, out, |prep, state, buffer| {
            prep.prepare(state, now.wall_ms, request, buffer)
        })
    }

    /// Whether a request of this session may come from this server, and what the session may do.
    fn session_kind(&self, session: i64, server: ServerId) -> Result<SessionKind, ErrorCode> {
        let mut sessions = self.replica.sessions.lock();
        match sessions.state(session) {
            SessionState::Alive if sessions.claim(session, server) => Ok(SessionKind::Global),
            SessionState::Alive => Err(ErrorCode::SessionMoved),
            // Its server knows it; who else would ask?
            SessionState::Unknown if self.options.local_sessions => Ok(SessionKind::Local {
                upgrade: self.options.local_sessions_upgrading,
            }),
            SessionState::Closing | SessionState::Unknown => Err(ErrorCode::SessionExpired),
        }
    }

    /// Opens a session, for a connection of this server or another. It counts from now on, so
    /// that requests behind this one find it. `request` is the session and the number that the
    /// server waits for.
    pub(super) fn create_session(
        &mut self,
        now: Now,
        request: (i64, i32),
        timeout_ms: i32,
        server: ServerId,
        out: &mut Outcome,
    ) {
        let (session, _) = request;
        let mut sessions = self.replica.sessions.lock();
        sessions.open(session, timeout_ms, None, now.monotonic_ms());
        sessions.claim(session, server);
        drop(sessions);
        self.prepare(now, out, |prep, state, buffer| {
            prep.create_session(state, now.wall_ms, request, timeout_ms, buffer);
        });
    }

    /// Ends a session; too many ephemerals go in transactions of their own before it. False if
    /// no more proposals are taken before its end is proposed: it is alive until asked again.
    fn close(&mut self, now: Now, session: i64, cxid: i32, out: &mut Outcome) -> bool {
        self.replica.sessions.lock().closing(session);
        while self.peer.may_propose() {
            let closing = self.prepare(now, out, |prep, state, buffer| {
                prep.close_session(state, now.wall_ms, session, cxid, buffer)
            });
            if let Closing::Closed(_) = closing {
                return true;
            }
        }
        self.replica.sessions.lock().not_closing(session);
        false
    }

    /// The zxid that the next transaction will have.
    pub(super) fn next_zxid(&self) -> Option<Zxid> {
        match &self.duty {
            Duty::Leading(reign) => Some(reign.prep.last_zxid().next()),
            Duty::Waiting(_) | Duty::Following(_) | Duty::Halted => None,
        }
    }

    /// Has a transaction made, and proposes it.
    pub(super) fn prepare<T>(
        &mut self,
        now: Now,
        out: &mut Outcome,
        make: impl FnOnce(&mut Prep, &State, &mut Vec<u8>) -> T,
    ) -> T {
        let Duty::Leading(reign) = &mut self.duty else {
            unreachable!("only a leader makes transactions");
        };
        let state = self.replica.read();
        let (made, bytes) = reign
            .entries
            .encode(|buffer| make(&mut reign.prep, &state, buffer));
        drop(state);
        let zxid = reign.prep.last_zxid();
        if let Some(bytes) = bytes {
            self.propose_entry(now, zxid, bytes, out);
        }
        made
    }

    fn propose_entry(&mut self, now: Now, zxid: Zxid, bytes: Bytes, out: &mut Outcome) {
        let limits = self.replica.options().limits;
        self.replica.stats().proposals.lock().record(bytes.len());
        let entry = Entry::from_bytes(zxid, bytes, limits);
        let entry = entry.expect("a transaction of our own can be read back");
        self.feed(now, zab::Input::Propose(entry), out);
    }

    fn propose_sync(&mut self, now: Now, session: i64, out: &mut Outcome) -> Fate {
        let Duty::Leading(reign) = &mut self.duty else {
            return Fate::Held;
        };
        let Some(client) = self.clients.get(session) else {
            return Fate::Held;
        };
        reign.last_sync += 1;
        let id = reign.last_sync;
        let connection = Arc::clone(&client.connection);
        reign.syncs.insert(id, (session, connection));
        self.feed(now, zab::Input::Sync(SyncId(id)), out);
        Fate::Sent
    }

    /// An own client's sync is done.
    pub(super) fn synced(&mut self, now: Now, SyncId(id): SyncId, out: &mut Outcome) {
        if let Duty::Leading(reign) = &mut self.duty
            && let Some((session, connection)) = reign.syncs.remove(&id)
        {
            self.finish_sync(now, session, &connection, out);
        }
    }

    /// A new session of an own connection.
    fn open_newcomer(&mut self, now: Now, session: i64, out: &mut Outcome) {
        let Some(newcomer) = self.newcomers.get_mut(&session) else {
            return;
        };
        newcomer.sent = true;
        let timeout_ms = newcomer.connection.timeout_ms();
        self.create_session(now, (session, 0), timeout_ms, self.peer.id(), out);
    }

    /// A session that goes on, on a connection of this server: the leader knows itself.
    pub(super) fn renew_here(
        &mut self,
        now: Now,
        session: i64,
        connection: &Arc<Connection>,
        out: &mut Outcome,
    ) {
        let me = self.peer.id();
        let mut sessions = self.replica.sessions.lock();
        let alive = sessions.move_to(session, me, now.monotonic_ms());
        drop(sessions);
        if alive {
            let since = self.peer.last_logged();
            self.serve_again(now, session, connection, since, out);
        } else {
            reply_connect(&self.replica, connection, None, false);
            out.touched.add(connection);
        }
    }

    /// Closes the sessions that were not heard of, and deletes what containers and TTL nodes
    /// have had their time.
    pub(super) fn take_due(&mut self, now: Now, out: &mut Outcome) {
        let Duty::Leading(reign) = &mut self.duty else {
            return;
        };
        let orphans = std::mem::take(&mut reign.orphans);
        let expired = self.replica.sessions.lock().expired(now.monotonic_ms());
        let expired = expired.into_iter().map(|(session, _timeout_ms)| session);
        for session in expired {
            // One that is not closed is due again.
            self.close(now, session, 0, out);
        }
        for session in orphans {
            if !self.close(now, session, 0, out)
                && let Duty::Leading(reign) = &mut self.duty
            {
                reign.orphans.push(session);
            }
        }
        while let Some(path) = self.due_node(now) {
            self.prepare(now, out, |prep, state, buffer| {
                prep.delete_container(state, now.wall_ms, &path, buffer)
            });
        }
        self.clients.forget_gone();
    }

    fn due_node(&mut self, now: Now) -> Option<String> {
        match &mut self.duty {
            Duty::Leading(reign) if self.peer.may_propose() => {
                reign.reaper.due(&self.replica.read(), now)
            }
            _ => None,
        }
    }
}

/// Where entries are encoded: one after the other into pieces of memory that they share, instead of
/// a piece for each.
#[derive(Default)]
struct Entries {
    /// The one in the making.
    draft: Vec<u8>,
    /// Room for those to come.
    piece: BytesMut,
}

/// Bytes of a piece. Who keeps an entry keeps its piece, and who keeps one keeps its neighbours as
/// well, so that little more is kept than wanted.
const PIECE_BYTES: usize = 64 << 10;

impl Entries {
    /// An entry, if `make` writes one.
    fn encode<T>(&mut self, make: impl FnOnce(&mut Vec<u8>) -> T) -> (T, Option<Bytes>) {
        self.draft.clear();
        let made = make(&mut self.draft);
        if self.draft.is_empty() {
            return (made, None);
        }
        if self.piece.capacity() < self.draft.len() {
            self.piece = BytesMut::with_capacity(self.draft.len().max(PIECE_BYTES));
        }
        self.piece.extend_from_slice(&self.draft);
        if self.draft.capacity() > PIECE_BYTES {
            self.draft = Vec::new();
        }
        (made, Some(self.piece.split().freeze()))
    }
}

/// The body of a forwarded createSession.
fn timeout_of(body: &[u8], limits: Limits) -> Option<i32> {
    i32::decode(&mut Reader::new(body, limits)).ok()
}

/// Whom a learner says that the client is.
fn identities(request: &Request) -> Identities {
    request.identities.clone().unwrap_or_default()
}
