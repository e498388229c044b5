//! A learner's side: writes, syncs and renewals go to the leader, and come back.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use jute::data::Id;
use jute::proto::SyncRequest;
use jute::quorum::SessionTouch;
use jute::wire::Encode;
use jute::{OpCode, Zxid};
use zab::{Io, LeaderLink, LearnerPacket, Request};

use super::client::{Client, Fate, Kind, Unanswered};
use super::{Duty, Member, Outcome};
use crate::Now;
use crate::answer::reply_connect;
use crate::connection::{Connection, Ending};

/// What a learner keeps about its leader, while it has one.
#[derive(Default)]
pub(super) struct Uplink {
    /// Syncs that the leader has not answered, oldest first: it answers them in order.
    syncs: VecDeque<Syncing>,
    /// Sessions of observers that were heard of since the last ping, with their timeouts.
    relayed: BTreeMap<i64, i32>,
}

impl Uplink {
    /// Bounded by the sessions that there are.
    pub(super) fn relay_touches(&mut self, touches: &[SessionTouch]) {
        let touches = touches
            .iter()
            .map(|touch| (touch.session, touch.timeout_ms));
        self.relayed.extend(touches);
    }
}

/// Who waits for a sync.
enum Syncing {
    /// A client's request.
    Request(i64, Arc<Connection>),
    /// The renewal of a session that is alive. Behind the answer no transaction comes any more
    /// that the session asked for elsewhere before: it cannot be taken for the answer of a
    /// request here, whose xid may be the same.
    Renewal(i64, Arc<Connection>),
}

/// The body of a forwarded sync that no client asked for.
const ROOT: SyncRequest<'static> = SyncRequest {
    path: Some(Cow::Borrowed("/")),
};

impl Member {
    /// Forwards a request; how far it came.
    pub(super) fn forward(
        &mut self,
        now: Now,
        session: i64,
        request: &Unanswered,
        out: &mut Outcome,
    ) -> Fate {
        let op = request.asked.op;
        let limits = self.replica.options().limits;
        if !matches!(op, OpCode::Sync | OpCode::CloseSession)
            && let Err(code) = state::prep::check_request(op, &request.body, limits)
        {
            // Broken requests have killed stock leaders.
            return Fate::Refused(code);
        }
        let Duty::Following(uplink) = &mut self.duty else {
            return Fate::Held;
        };
        if op == OpCode::Sync
            && let Some(client) = self.clients.get(session)
        {
            let connection = Arc::clone(&client.connection);
            uplink
                .syncs
                .push_back(Syncing::Request(session, connection));
        }
        let forwarded = Request {
            session,
            cxid: request.asked.xid,
            op: op.as_i32(),
            body: request.body.clone(),
            identities: Some(pairs(&request.identities)),
        };
        self.feed(now, zab::Input::Forward(forwarded), out);
        Fate::Sent
    }

    /// Asks the leader to open a session.
    pub(super) fn forward_open(
        &mut self,
        now: Now,
        session: i64,
        timeout_ms: i32,
        out: &mut Outcome,
    ) {
        let mut body = Vec::new();
        timeout_ms.encode(&mut body);
        let request = Request {
            session,
            cxid: 0,
            op: OpCode::CreateSession.as_i32(),
            body: Bytes::from(body),
            identities: None,
        };
        self.feed(now, zab::Input::Forward(request), out);
    }

    /// The leader's answer to a renewal.
    pub(super) fn revalidated(&mut self, now: Now, session: i64, valid: bool, out: &mut Outcome) {
        let mut asked = self.renewals.iter();
        let Some(at) = asked.position(|renewal| renewal.sent && renewal.session == session) else {
            return;
        };
        if !valid {
            let renewal = self.renewals.remove(at).expect("found just now");
            reply_connect(&self.replica, &renewal.connection, None, false);
            out.touched.add(&renewal.connection);
            return;
        }
        let Duty::Following(uplink) = &mut self.duty else {
            return;
        };
        let connection = Arc::clone(&self.renewals[at].connection);
        uplink
            .syncs
            .push_back(Syncing::Renewal(session, connection));
        let mut body = Vec::new();
        ROOT.encode(&mut body);
        let request = Request {
            session,
            cxid: 0,
            op: OpCode::Sync.as_i32(),
            body: Bytes::from(body),
            identities: None,
        };
        self.feed(now, zab::Input::Forward(request), out);
    }

    /// The leader has answered the oldest sync.
    pub(super) fn sync_answered(&mut self, now: Now, out: &mut Outcome) {
        let Duty::Following(uplink) = &mut self.duty else {
            return;
        };
        match uplink.syncs.pop_front() {
            Some(Syncing::Request(session, connection)) => {
                self.finish_sync(now, session, &connection, out);
            }
            Some(Syncing::Renewal(session, connection)) => {
                self.finish_renewal(now, session, &connection, out);
            }
            None => {}
        }
    }

    /// The session goes on here, if its connection still waits for that.
    fn finish_renewal(
        &mut self,
        now: Now,
        session: i64,
        connection: &Arc<Connection>,
        out: &mut Outcome,
    ) {
        let mut waiting = self.renewals.iter();
        let at = waiting.position(|renewal| Arc::ptr_eq(&renewal.connection, connection));
        let Some(at) = at else {
            return;
        };
        self.renewals.remove(at);
        let since = self.peer.last_logged();
        self.serve_again(now, session, connection, since, out);
    }

    /// Serves a session on a new connection.
    pub(super) fn serve_again(
        &mut self,
        now: Now,
        session: i64,
        connection: &Arc<Connection>,
        since: Zxid,
        out: &mut Outcome,
    ) {
        let mut sessions = self.replica.sessions.lock();
        let timeout_ms = connection.timeout_ms();
        let served = Some(Arc::clone(connection));
        sessions.serve(session, timeout_ms, served, now.monotonic_ms());
        drop(sessions);
        let client = Client::new(Arc::clone(connection), Kind::Global, since);
        if let Some(mut old) = self.clients.insert(session, client) {
            old.end(&self.replica, Ending::Replaced);
            out.touched.add(&old.connection);
        }
        reply_connect(&self.replica, connection, Some(session), false);
        out.touched.add(connection);
    }

    /// The answer to a ping tells the leader which sessions were heard of since the last one.
    pub(super) fn pong(&mut self, link: LeaderLink, zxid: Zxid, now: Now) -> Io {
        let mut touched = self.clients.heard_since(self.told_us);
        if let Duty::Following(uplink) = &mut self.duty {
            touched.extend(std::mem::take(&mut uplink.relayed));
        }
        self.told_us = now.monotonic_us;
        self.clients.forget_gone();
        let touch = |(session, timeout_ms)| SessionTouch {
            session,
            timeout_ms,
        };
        let touched = touched.into_iter().map(touch).collect();
        Io::ToLeader(link, LearnerPacket::Ping { zxid, touched })
    }
}

/// Identities as they are forwarded.
fn pairs(identities: &[Id<'static>]) -> Vec<(String, String)> {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let pair = |id: &Id<'static>| (text(id.scheme.as_deref()), text(id.id.as_deref()));
    identities.iter().map(pair).collect()
}
