//! A server without a leader: clients are held for a while, then sent away, or served what can
//! be read.

use super::{Duty, Member, Outcome};
use crate::connection::Ending;
use crate::{Now, Service};

/// Apache waits for so long before it serves read-only, milliseconds; for a tick if that is
/// longer.
const READ_ONLY_GRACE_MS: u64 = 2000;

/// Since when there is no leader, milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wait {
    since_ms: u64,
}

impl Wait {
    pub(super) fn new(now: Now) -> Self {
        Self {
            since_ms: now.monotonic_ms(),
        }
    }
}

impl Member {
    /// When something changes for clients that wait for a leader.
    pub(super) fn next_wait_ms(&self, wait: &Wait) -> Option<u64> {
        let after = match self.replica.service() {
            Service::Holding => self.admission_ms(),
            Service::HoldingOld => self.patience_ms(),
            Service::Closed if self.options.read_only_mode => self.read_only_ms(),
            Service::Closed | Service::ReadOnly | Service::Serving => return None,
        };
        Some(wait.since_ms + after)
    }

    /// New connections wait for a tick: elections are shorter, unless this server is cut off.
    fn admission_ms(&self) -> u64 {
        self.options.peer.tick_time_ms.min(self.patience_ms())
    }

    /// So long without a leader, and clients should look for a server that has one, or for one that
    /// reads.
    fn patience_ms(&self) -> u64 {
        let patience_ms = self.options.peer.sync_limit_ms();
        match self.options.read_only_mode {
            true => patience_ms.min(self.read_only_ms()),
            false => patience_ms,
        }
    }

    fn read_only_ms(&self) -> u64 {
        READ_ONLY_GRACE_MS.max(self.options.peer.tick_time_ms)
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Now, out: &mut Outcome) {
        self.expire_local(now, out);
        match &self.duty {
            Duty::Waiting(wait) => {
                let waited_ms = now.monotonic_ms().saturating_sub(wait.since_ms);
                self.waited(waited_ms, out);
            }
            Duty::Leading(_) => self.take_due(now, out),
            Duty::Following(_) | Duty::Halted => {}
        }
    }

    fn waited(&mut self, waited_ms: u64, out: &mut Outcome) {
        let mut service = self.replica.service();
        if service == Service::Holding && waited_ms >= self.admission_ms() {
            service = Service::HoldingOld;
            self.replica.set_service(service);
            // Who has no session yet finds another server sooner than this one finds a leader.
            self.end_newcomers(Ending::NoLeader, out);
            self.wake_those_without_session();
        }
        if service == Service::HoldingOld && waited_ms >= self.patience_ms() {
            service = Service::Closed;
            self.replica.set_service(service);
            self.end_all(Ending::NoLeader, out);
        }
        if service == Service::Closed
            && self.options.read_only_mode
            && waited_ms >= self.read_only_ms()
            && self.agenda.is_empty()
        {
            self.replica.set_service(Service::ReadOnly);
        }
    }

    /// Sends away who waits for a new session, or for its old one to go on.
    pub(super) fn end_newcomers(&mut self, ending: Ending, out: &mut Outcome) {
        let newcomers = std::mem::take(&mut self.newcomers);
        let newcomers = newcomers.into_values().map(|newcomer| newcomer.connection);
        let renewals = std::mem::take(&mut self.renewals);
        let renewals = renewals.into_iter().map(|renewal| renewal.connection);
        for connection in newcomers.chain(renewals) {
            connection.end(ending);
            self.replica.answered(&connection, 1);
            out.touched.add(&connection);
        }
    }

    fn wake_those_without_session(&self) {
        for connection in self.replica.connections().all() {
            if connection.session() == 0 {
                connection.wake();
            }
        }
    }
}
