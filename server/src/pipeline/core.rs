use std::sync::Arc;
use std::time::Duration;

use replica::{Batch, Connection, Sequencer, Submission, Ticket};

use super::gathering::Gathering;
use crate::clock::Clock;
use crate::snapshots::Snapshots;

/// Decides: prepares rounds, commits them when they are durable, answers.
pub(crate) struct Core {
    pub(crate) sequencer: Sequencer,
    pub(crate) snapshots: Snapshots,
    pub(crate) clock: Clock,
    pub(crate) gathering: Gathering,
}

impl Core {
    /// Until the next session expires or node is reaped.
    pub(super) fn patience(&self) -> Duration {
        let due_ms = self.sequencer.next_deadline_ms();
        let now_ms = self.clock.now().monotonic_ms();
        Duration::from_millis(due_ms.saturating_sub(now_ms))
    }

    /// A round of these submissions and what is due; `None` if there is nothing to do.
    pub(super) fn prepare(&mut self, submissions: Vec<Submission>) -> Option<Batch> {
        if submissions.is_empty() && !self.patience().is_zero() {
            return None;
        }
        Some(self.sequencer.prepare(self.clock.now(), submissions))
    }

    /// Commits a round that is durable; the connections that have something to send.
    pub(super) fn commit(&mut self, ticket: Ticket) -> Vec<Arc<Connection>> {
        self.sequencer.commit(ticket, self.clock.now())
    }

    /// Refuses a round for which there is no space, and those behind it; the connections that
    /// have something to send.
    pub(super) fn refuse(&mut self, ticket: Ticket) -> Vec<Arc<Connection>> {
        self.sequencer.refuse(ticket, self.clock.now())
    }
}
