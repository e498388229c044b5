//! What clients ask for is queued, handed to the leader, and handed to the next one.

use std::sync::Arc;

use jute::OpCode;
use zab::RoleStatus;

use super::client::{Client, Fate, Kind, Newcomer, Renewal, Unanswered};
use super::following::Uplink;
use super::holding::Wait;
use super::leading::{Reign, Work};
use super::{Duty, Effect, Member, Outcome};
use crate::answer::{Asked, Deliver, reply_connect};
use crate::connection::{Connection, Ending};
use crate::gate::{Ask, Submission, Writes};
use crate::sessions::SessionState;
use crate::{Now, Service};

impl Member {
    /// Takes what a client wants.
    pub(super) fn submit(&mut self, now: Now, submission: Submission, out: &mut Outcome) {
        let Submission {
            connection,
            identities,
            received_us,
            ask,
        } = submission;
        match ask {
            Ask::Open => self.open(now, connection, out),
            Ask::Renew {
                session,
                password_matches,
            } => self.renew(now, connection, session, password_matches, out),
            Ask::Writes(writes) => {
                let session = connection.session();
                let Some(client) = self.clients.on(session, &connection) else {
                    return self.drop_writes(&connection, &writes);
                };
                for (write, body) in writes.into_shared() {
                    self.replica.large_requests.release(body.len());
                    client.queue.push_back(Unanswered {
                        asked: Asked {
                            xid: write.xid,
                            op: write.op,
                            received_us,
                        },
                        body,
                        identities: Arc::clone(&identities),
                        fate: match write.rides() {
                            true => Fate::Riding,
                            false => Fate::Held,
                        },
                    });
                }
                self.hand_over(now, session, out);
            }
        }
        self.work(now, out);
    }

    /// They came over a connection that was ended before.
    fn drop_writes(&self, connection: &Connection, writes: &Writes) {
        for (_, body) in writes.iter() {
            self.replica.large_requests.release(body.len());
        }
        connection.set_syncing(false);
        self.replica.answered(connection, writes.len() as u32);
    }

    fn open(&mut self, now: Now, connection: Arc<Connection>, out: &mut Outcome) {
        let session = self.session_ids.allocate();
        let read_only = self.replica.service() == Service::ReadOnly;
        if read_only || self.options.local_sessions {
            return self.open_local(now, session, &connection, read_only, out);
        }
        let newcomer = Newcomer {
            connection,
            sent: false,
        };
        self.newcomers.insert(session, newcomer);
        self.hand_newcomer(now, session, out);
    }

    fn hand_newcomer(&mut self, now: Now, session: i64, out: &mut Outcome) {
        match &mut self.duty {
            Duty::Leading(reign) => reign.push(Work::Open(session)),
            Duty::Following(_) => {
                let Some(newcomer) = self.newcomers.get_mut(&session) else {
                    return;
                };
                newcomer.sent = true;
                let timeout_ms = newcomer.connection.timeout_ms();
                self.forward_open(now, session, timeout_ms, out);
            }
            Duty::Waiting(_) | Duty::Halted => {}
        }
    }

    /// The connection that had the session so far is closed even if the password is wrong, as in
    /// Apache. What it waited for is given up: its client has given up that connection.
    fn renew(
        &mut self,
        now: Now,
        connection: Arc<Connection>,
        session: i64,
        password_matches: bool,
        out: &mut Outcome,
    ) {
        let old = self.replica.sessions.lock().connection(session);
        if let Some(old) = old {
            old.end(Ending::Replaced);
            out.touched.add(&old);
        }
        if let Some(client) = self.clients.get_mut(session) {
            client.end(&self.replica, Ending::Replaced);
            out.touched.add(&client.connection);
        }
        if self.renew_local(now, session, &connection, password_matches, out) {
            return;
        }
        self.clients.remove(session);
        self.renewals.push_back(Renewal {
            session,
            connection,
            password_matches,
            sent: false,
        });
        self.hand_renewals(now, out);
    }

    /// Asks the leader about every renewal that it was not asked about.
    fn hand_renewals(&mut self, now: Now, out: &mut Outcome) {
        if !matches!(self.duty, Duty::Leading(_) | Duty::Following(_)) {
            return;
        }
        let mut at = 0;
        while at < self.renewals.len() {
            let renewal = &mut self.renewals[at];
            let leads = matches!(self.duty, Duty::Leading(_));
            if !renewal.password_matches || leads {
                let renewal = self.renewals.remove(at).expect("looked at just now");
                if renewal.password_matches {
                    self.renew_here(now, renewal.session, &renewal.connection, out);
                } else {
                    reply_connect(&self.replica, &renewal.connection, None, false);
                    out.touched.add(&renewal.connection);
                }
                continue;
            }
            if !renewal.sent {
                renewal.sent = true;
                let (session, timeout_ms) = (renewal.session, renewal.connection.timeout_ms());
                let question = zab::Input::Revalidate {
                    session,
                    timeout_ms,
                };
                self.feed(now, question, out);
            }
            at += 1;
        }
    }

    /// Sees to it that what a session waits for gets to the leader. A leader takes it in its
    /// turn.
    fn hand_over(&mut self, now: Now, session: i64, out: &mut Outcome) {
        match &mut self.duty {
            Duty::Leading(reign) => reign.push(Work::Own(session)),
            Duty::Following(_) => self.hand(now, session, out),
            Duty::Waiting(_) | Duty::Halted => {
                // A local session may end without a leader.
                self.hand(now, session, out);
            }
        }
    }

    /// Hands over everything of a session that no leader has, in order, as far as it is taken.
    pub(super) fn hand(&mut self, now: Now, session: i64, out: &mut Outcome) {
        let Some(client) = self.clients.get(session) else {
            return;
        };
        for at in 0..client.queue.len() {
            let Some(client) = self.clients.get(session) else {
                return;
            };
            let request = &client.queue[at];
            if request.fate != Fate::Held {
                continue;
            }
            let request = request.clone();
            let Some(fate) = self.decide(now, session, &request, out) else {
                return self.moved(session, out);
            };
            if fate == Fate::Held {
                if let Duty::Leading(reign) = &mut self.duty {
                    reign.push_front(Work::Own(session));
                }
                break;
            }
            if let Some(client) = self.clients.get_mut(session) {
                client.queue[at].fate = fate;
            }
        }
        self.flush_idle(now, session, out);
    }

    /// As [`Member::flush`], when no transaction has made anything due. Reads wait while nobody
    /// is served, as those in front of the gate do.
    fn flush_idle(&mut self, now: Now, session: i64, out: &mut Outcome) {
        let Some(client) = self.clients.get(session) else {
            return;
        };
        let waits = client.starts_with_read() && self.replica.service().holds();
        if client.is_due() && !waits {
            let replica = Arc::clone(&self.replica);
            self.flush(now, session, &mut replica.write(), out);
        }
    }

    /// What becomes of a request; `None` if its session is with another server.
    fn decide(
        &mut self,
        now: Now,
        session: i64,
        request: &Unanswered,
        out: &mut Outcome,
    ) -> Option<Fate> {
        if let Some(fate) = self.decide_local(now, session, request, out) {
            return Some(fate);
        }
        match self.duty {
            Duty::Leading(_) => self.propose(now, session, request, out),
            Duty::Following(_) => Some(self.forward(now, session, request, out)),
            Duty::Waiting(_) | Duty::Halted => Some(Fate::Held),
        }
    }

    /// The leader has answered a sync, the last request that its connection waits for: it is
    /// answered in its turn.
    pub(super) fn finish_sync(
        &mut self,
        now: Now,
        session: i64,
        connection: &Arc<Connection>,
        out: &mut Outcome,
    ) {
        if let Some(client) = self.clients.on(session, connection) {
            client.note_synced();
            self.flush_idle(now, session, out);
        }
    }

    /// A role begins. Everything that outlived the last leader is applied.
    pub(super) fn enter(&mut self, now: Now, status: RoleStatus, out: &mut Outcome) {
        let epoch = match status {
            RoleStatus::Leading { epoch }
            | RoleStatus::Following { epoch, .. }
            | RoleStatus::Observing { epoch, .. } => epoch,
            other => unreachable!("nobody is served while {other:?}"),
        };
        // A leader's tree may hold more than it was said to; by now all of that is applied.
        let mismatch = self.replica.write().end_grace();
        if let Some(mismatch) = mismatch {
            self.entering = Some(status);
            return self.rebuild(mismatch, mismatch.zxid, out);
        }
        if self.replica.service() == Service::ReadOnly {
            self.end_all(Ending::ReadOnly, out);
        }
        if matches!(status, RoleStatus::Leading { .. }) && !self.options.leader_serves {
            self.end_all(Ending::LeaderServesNobody, out);
        }
        self.duty = match status {
            RoleStatus::Leading { .. } => {
                let reign = Reign::new(epoch, &self.replica, &self.options, now);
                Duty::Leading(Box::new(reign))
            }
            _ => Duty::Following(Uplink::default()),
        };
        let same_leader = self.epoch.replace(epoch) == Some(epoch);
        self.begin_service(now, epoch, out);
        self.hand_everything(now, same_leader, out);
        self.wake_all();
        out.effects.push(Effect::RoleChanged(status));
    }

    fn begin_service(&mut self, now: Now, epoch: zab::Epoch, out: &mut Outcome) {
        let config = self.peer.configs().committed().clone();
        let replica = Arc::clone(&self.replica);
        let mut sink = Deliver {
            replica: &replica,
            touched: &mut out.touched,
        };
        let mut state = replica.write();
        let text = config.to_string();
        state.set_config(text.as_bytes(), config.version(), now.wall_ms, &mut sink);
        let known: Vec<_> = state.sessions().iter().collect();
        let mut sessions = replica.sessions.lock();
        sessions.restart(known.into_iter(), now.monotonic_ms());
        drop(sessions);
        replica.service.set_epoch(epoch.zxid());
        replica.service.set(self.service_on_duty());
    }

    /// What clients get of a server that leads or follows.
    pub(super) fn service_on_duty(&self) -> Service {
        match &self.duty {
            Duty::Leading(_) if !self.options.leader_serves => Service::Closed,
            _ => Service::Serving,
        }
    }

    /// What waits is handed to the leader, as if it had just come. A leader that had it before
    /// is gone, and what it made of it is applied, and answered; if it is not gone, what becomes
    /// of it is not known.
    fn hand_everything(&mut self, now: Now, same_leader: bool, out: &mut Outcome) {
        for session in self.clients.sessions() {
            let Some(client) = self.clients.get_mut(session) else {
                continue;
            };
            if client.connection.is_gone() {
                client.drop_queue(&self.replica);
                self.clients.remove(session);
                continue;
            }
            if same_leader && client.waits_for_a_transaction() {
                client.end(&self.replica, Ending::Undecided);
                out.touched.add(&client.connection);
                self.clients.remove(session);
                continue;
            }
            client.ask_again();
            self.hand_over(now, session, out);
        }
        let newcomers: Vec<i64> = self.newcomers.keys().copied().collect();
        for session in newcomers {
            let Newcomer { connection, sent } = &self.newcomers[&session];
            let undecided = same_leader && *sent;
            if undecided {
                connection.end(Ending::Undecided);
                out.touched.add(connection);
            }
            if undecided || connection.is_gone() {
                self.replica.answered(connection, 1);
                self.newcomers.remove(&session);
                continue;
            }
            self.hand_newcomer(now, session, out);
        }
        self.hand_renewals(now, out);
    }

    /// The leader is lost. What it was asked for stays asked for: it may be in the history yet.
    pub(super) fn lose_leader(&mut self, now: Now) {
        self.duty = Duty::Waiting(Wait::new(now));
        for renewal in &mut self.renewals {
            renewal.sent = false;
        }
        self.replica.set_service(Service::Holding);
        self.wake_all();
    }
}

impl Client {
    /// Whether a transaction may come that answers something here.
    fn waits_for_a_transaction(&self) -> bool {
        let mut queue = self.queue.iter();
        queue.any(|request| request.fate == Fate::Sent && request.asked.op != OpCode::Sync)
    }

    fn starts_with_read(&self) -> bool {
        let head = self.queue.front();
        head.is_some_and(|head| head.fate == Fate::Riding)
    }

    /// Whether what it waits for next needs no transaction.
    pub(super) fn is_due(&self) -> bool {
        let head = self.queue.front();
        head.is_some_and(|head| head.fate.needs_no_transaction())
    }

    /// What no transaction has answered is not in the history, and never will be.
    fn ask_again(&mut self) {
        for request in &mut self.queue {
            if request.fate == Fate::Sent {
                request.fate = Fate::Held;
            }
        }
        if self.kind == Kind::Upgrading {
            self.kind = Kind::Local;
        }
    }
}

impl Member {
    /// Whether a session is alive, as far as this server knows.
    pub(super) fn is_known(&self, session: i64) -> bool {
        self.replica.sessions.lock().state(session) != SessionState::Unknown
    }
}
