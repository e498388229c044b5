//! What is committed is applied, and answers who asked for it.

use bytes::Bytes;
use jute::txn::LogEntry;
use jute::{ErrorCode, OpCode, Zxid};
use state::State;
use state::apply::{Applied, DigestMismatch, Outcome as Change};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::client::{Client, Fate, Kind, Match, Unanswered};
use super::{Duty, Effect, Load, Member, Outcome, Step};
use crate::ahead;
use crate::answer::{
    ANSWERS_PER_GUARD, Deliver, Riding, error_of, reply_closed, reply_connect, reply_error,
};
use crate::connection::Ending;
use crate::{Now, Service};

/// The guard is given up after so many transactions, so that reads never wait long; before that
/// after long answers to reads.
const ENTRIES_PER_GUARD: usize = 256;

impl Member {
    /// Applies everything up to `through`.
    pub(super) fn deliver(&mut self, now: Now, through: Zxid, out: &mut Outcome) {
        let replica = Arc::clone(&self.replica);
        loop {
            let mut state = replica.write();
            out.read_bytes = 0;
            let mut applied = 0;
            let mut mismatch = None;
            let mut more = true;
            let due = self.tail.through(through).take(ENTRIES_PER_GUARD);
            ahead::of_entries(&state, due.map(|bytes| &bytes[..]));
            while applied < ENTRIES_PER_GUARD
                && out.read_bytes <= ANSWERS_PER_GUARD
                && mismatch.is_none()
            {
                let Some((_, bytes)) = self.tail.pop(through) else {
                    more = false;
                    break;
                };
                mismatch = self.apply(&mut state, &bytes, now, out);
                applied += 1;
            }
            replica.stats.commits.fetch_add(applied as u64, Relaxed);
            if let Duty::Leading(reign) = &mut self.duty {
                reign.prep.applied(state.last_zxid());
            }
            drop(state);
            if let Some(mismatch) = mismatch {
                return self.rebuild(mismatch, through, out);
            }
            if !more {
                return;
            }
        }
    }

    /// Applies one transaction, and answers its request if that waits here.
    fn apply(
        &mut self,
        state: &mut State,
        bytes: &Bytes,
        now: Now,
        out: &mut Outcome,
    ) -> Option<DigestMismatch> {
        let replica = Arc::clone(&self.replica);
        let entry = LogEntry::from_bytes(bytes, state.options().limits);
        let entry = entry.expect("it was read before it was logged");
        let op = entry.txn.op();
        if self
            .clients
            .get(entry.header.client_id)
            .is_some_and(Client::is_due)
        {
            // Held back while nobody was served, and asked for before this.
            self.flush(now, entry.header.client_id, state, out);
        }
        let mut sink = Deliver {
            replica: &replica,
            touched: &mut out.touched,
        };
        let applied = state.apply(entry, &mut sink);
        let applied = applied.expect("it was read before it was logged");
        replica.note_digest(state);
        match applied.outcome {
            Change::SessionCreated { timeout_ms } => {
                self.session_created(now, &applied, timeout_ms, out);
            }
            Change::SessionClosed => self.session_closed(now, &applied, out),
            _ => self.answer(now, &applied, op, state, out),
        }
        applied.digest_mismatch
    }

    fn answer(
        &mut self,
        now: Now,
        applied: &Applied<'_>,
        op: OpCode,
        state: &mut State,
        out: &mut Outcome,
    ) {
        let (zxid, session) = (applied.zxid, applied.session);
        let Some(client) = self.clients.get_mut(session) else {
            return;
        };
        let was_moved = applied.err() == ErrorCode::SessionMoved.as_i32();
        match client.matching(zxid, applied.cxid, op) {
            Match::Answer(Unanswered { asked, .. }) => {
                if was_moved {
                    self.replica.answered(&client.connection, 1);
                    return self.moved(session, out);
                }
                let connection = &client.connection;
                let us = now.monotonic_us.saturating_sub(asked.received_us);
                let mut outbox = connection.outbox();
                let _ = outbox.push_reply(asked.xid, zxid.0, |out, _| {
                    applied.encode_reply(out);
                    error_of(applied)
                });
                outbox.note_answer(asked.op, asked.xid, zxid.0, now.monotonic_us, us);
                drop(outbox);
                self.replica.count_answers(1, us);
                self.replica.answered(connection, 1);
                out.touched.add(connection);
            }
            Match::Earlier => {}
            // It came over a connection that the session had left for this one.
            Match::Foreign if was_moved => {}
            Match::Foreign => return self.moved(session, out),
        }
        self.flush(now, session, state, out);
    }

    /// The session's client goes on elsewhere: what it asked for here must not come behind what
    /// it asks for there.
    pub(super) fn moved(&mut self, session: i64, out: &mut Outcome) {
        if let Some(mut client) = self.clients.remove(session) {
            client.end(&self.replica, Ending::Moved);
            out.touched.add(&client.connection);
        }
    }

    /// Answers what stands at the head of a queue and needs no transaction.
    pub(super) fn flush(&mut self, now: Now, session: i64, state: &mut State, out: &mut Outcome) {
        let Some(client) = self.clients.get_mut(session) else {
            return;
        };
        let zxid = state.last_zxid();
        let due = |head: &Unanswered| head.fate.needs_no_transaction();
        while let Some(head) = client.pop_if(due) {
            match head.fate {
                Fate::Riding => {
                    let riding = Riding {
                        connection: &client.connection,
                        asked: head.asked,
                        identities: &head.identities,
                        body: &head.body,
                    };
                    let rode = riding.answer(&self.replica, state, now);
                    out.read_bytes += rode.bytes;
                    self.replica.count_answers(1, rode.us);
                    self.replica.answered(&client.connection, 1);
                    out.touched.add(&client.connection);
                }
                Fate::Synced => {
                    let (connection, asked) = (&client.connection, head.asked);
                    let us = now.monotonic_us.saturating_sub(asked.received_us);
                    let mut outbox = connection.outbox();
                    let _ =
                        outbox.push_reply(asked.xid, zxid.0, |out, _| state.sync(&head.body, out));
                    outbox.note_answer(asked.op, asked.xid, zxid.0, now.monotonic_us, us);
                    drop(outbox);
                    connection.set_syncing(false);
                    self.replica.count_answers(1, us);
                    self.replica.answered(connection, 1);
                    out.touched.add(connection);
                }
                Fate::Refused(code) => {
                    let connection = &client.connection;
                    if head.asked.op == OpCode::Sync {
                        connection.set_syncing(false);
                    }
                    reply_error(&self.replica, connection, head.asked, zxid.0, code, now);
                    out.touched.add(connection);
                }
                _ => return self.close_local(now, session, head.asked, zxid, out),
            }
        }
    }

    fn session_created(
        &mut self,
        now: Now,
        applied: &Applied<'_>,
        timeout_ms: i32,
        out: &mut Outcome,
    ) {
        let session = applied.session;
        // One that this server gave out in an earlier life may be applied only now.
        self.session_ids.skip_past(session);
        let mut sessions = self.replica.sessions.lock();
        let now_ms = now.monotonic_ms();
        if let Some(newcomer) = self.newcomers.remove(&session) {
            let connection = newcomer.connection;
            sessions.serve(session, timeout_ms, Some(Arc::clone(&connection)), now_ms);
            drop(sessions);
            reply_connect(&self.replica, &connection, Some(session), false);
            out.touched.add(&connection);
            let client = Client::new(connection, Kind::Global, applied.zxid);
            self.clients.insert(session, client);
            return;
        }
        let mut connection = sessions.connection(session);
        if let Some(client) = self.clients.get_mut(session) {
            // It was local so far.
            self.local.closed(session);
            client.kind = Kind::Global;
            connection = Some(Arc::clone(&client.connection));
        }
        sessions.serve(session, timeout_ms, connection, now_ms);
    }

    fn session_closed(&mut self, now: Now, applied: &Applied<'_>, out: &mut Outcome) {
        let (zxid, session) = (applied.zxid.0, applied.session);
        let owner = self.replica.sessions.lock().closed(session);
        let client = self.clients.remove(session);
        let mut asked_for = false;
        if let Some(mut client) = client {
            let asks = |head: &Unanswered| {
                head.asked.op == OpCode::CloseSession && head.asked.xid == applied.cxid
            };
            if let Some(Unanswered { asked, .. }) = client.pop_if(asks) {
                asked_for = true;
                reply_closed(&self.replica, &client.connection, asked, zxid, now);
            }
            client.end(&self.replica, Ending::SessionExpired);
            out.touched.add(&client.connection);
        }
        if let Some(owner) = owner {
            owner.end(Ending::SessionExpired);
            out.touched.add(&owner);
        }
        if !asked_for && applied.cxid == 0 {
            self.replica.stats.sessions_expired.fetch_add(1, Relaxed);
        }
    }

    /// The tree is not what the history says. Perhaps only this copy of it is: it is built again
    /// from what is on the disk, and nothing is served from it meanwhile.
    pub(super) fn rebuild(&mut self, mismatch: DigestMismatch, through: Zxid, out: &mut Outcome) {
        let rest = zab::Effect::Deliver { through };
        self.agenda.push_front(Step::Effect(rest));
        if self.peer.has_doubtful_tree() {
            // It was not cured by that before, and consensus knows.
            return;
        }
        let DigestMismatch { zxid, expected, .. } = mismatch;
        self.replica.set_service(Service::Closed);
        self.agenda
            .push_front(Step::Load(Load::Rebuild { zxid, expected }));
        out.effects.push(Effect::Reload(zxid));
    }

    /// The tree, built again.
    pub(super) fn rebuilt(
        &mut self,
        now: Now,
        (zxid, expected): (Zxid, u64),
        state: State,
        out: &mut Outcome,
    ) {
        let cured = state.tree().digest() == expected;
        self.replace_state(now, state, out);
        if !cured {
            self.feed(now, zab::Input::DigestMismatch { zxid }, out);
        }
        if matches!(self.duty, Duty::Leading(_) | Duty::Following(_)) {
            self.replica.set_service(self.service_on_duty());
        }
    }
}
