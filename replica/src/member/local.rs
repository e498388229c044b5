//! Sessions that this server alone knows: local ones (`localSessionsEnabled`) and those of a
//! read-only server.
//!
//! They cost no transaction, can have no ephemerals, and end with their server. A local session
//! that asks for an ephemeral becomes global first, if `localSessionsUpgradingEnabled` allows.

use std::sync::Arc;

use jute::{OpCode, Zxid};

use super::client::{Client, Fate, Kind, Unanswered};
use super::{Duty, Member, Outcome};
use crate::answer::{Asked, reply_closed, reply_connect};
use crate::connection::{Connection, Ending};
use crate::sessions::SessionState;
use crate::{Now, Service};

impl Member {
    pub(super) fn open_local(
        &mut self,
        now: Now,
        session: i64,
        connection: &Arc<Connection>,
        read_only: bool,
        out: &mut Outcome,
    ) {
        let timeout_ms = connection.timeout_ms();
        let served = Some(Arc::clone(connection));
        self.local
            .open(session, timeout_ms, served, now.monotonic_ms());
        let client = Client::new(Arc::clone(connection), Kind::Local, Zxid::ZERO);
        self.clients.insert(session, client);
        reply_connect(&self.replica, connection, Some(session), read_only);
        out.touched.add(connection);
    }

    /// Decides about the renewal of a local session, and of any on a server that only reads.
    /// False if the leader decides.
    pub(super) fn renew_local(
        &mut self,
        now: Now,
        session: i64,
        connection: &Arc<Connection>,
        password_matches: bool,
        out: &mut Outcome,
    ) -> bool {
        let read_only = self.replica.service() == Service::ReadOnly;
        let local = self.local.state(session) == SessionState::Alive;
        if !local && !read_only {
            return false;
        }
        if read_only && self.is_known(session) {
            // What became of it only a leader can say.
            connection.end(Ending::ReadOnly);
            self.replica.answered(connection, 1);
            out.touched.add(connection);
            return true;
        }
        // A server that only reads takes a session that it does not know for one of its own kind.
        let goes_on = local || !self.options.local_sessions;
        if password_matches && goes_on {
            self.open_local(now, session, connection, read_only, out);
        } else {
            reply_connect(&self.replica, connection, None, read_only);
            out.touched.add(connection);
        }
        true
    }

    /// What is special about the requests of a local session; `None` if nothing is.
    pub(super) fn decide_local(
        &mut self,
        now: Now,
        session: i64,
        request: &Unanswered,
        out: &mut Outcome,
    ) -> Option<Fate> {
        let client = self.clients.get_mut(session)?;
        if client.kind != Kind::Local {
            return None;
        }
        let op = request.asked.op;
        if op == OpCode::CloseSession {
            return Some(Fate::Closing);
        }
        let limits = self.replica.options.limits;
        if self.options.local_sessions_upgrading
            && state::prep::wants_ephemeral(op, &request.body, limits)
        {
            let timeout_ms = client.connection.timeout_ms();
            match self.duty {
                Duty::Following(_) => {
                    client.kind = Kind::Upgrading;
                    self.forward_open(now, session, timeout_ms, out);
                }
                Duty::Leading(_) if self.peer.may_propose() => {
                    client.kind = Kind::Upgrading;
                    self.create_session(now, (session, 0), timeout_ms, self.peer.id(), out);
                }
                Duty::Leading(_) | Duty::Waiting(_) | Duty::Halted => return Some(Fate::Held),
            }
        }
        None
    }

    /// Ends a local session, at its client's request.
    pub(super) fn close_local(
        &mut self,
        now: Now,
        session: i64,
        asked: Asked,
        zxid: Zxid,
        out: &mut Outcome,
    ) {
        self.local.closed(session);
        let Some(mut client) = self.clients.remove(session) else {
            return;
        };
        reply_closed(&self.replica, &client.connection, asked, zxid.0, now);
        client.end(&self.replica, Ending::SessionClosed);
        out.touched.add(&client.connection);
    }

    /// Ends local sessions that were not heard of.
    pub(super) fn expire_local(&mut self, now: Now, out: &mut Outcome) {
        for (session, _timeout_ms) in self.local.expired(now.monotonic_ms()) {
            let upgrades = |client: &Client| client.kind == Kind::Upgrading;
            self.local.closed(session);
            if self.clients.get(session).is_some_and(upgrades) {
                // It becomes global, and expires as such.
                continue;
            }
            if let Some(mut client) = self.clients.remove(session) {
                client.end(&self.replica, Ending::SessionExpired);
                out.touched.add(&client.connection);
            }
        }
    }
}
