use std::sync::Arc;
use std::time::Duration;

use replica::{Batch, Connection, Sequencer, Submission, Ticket};

use super::Snapshots;
use crate::clock::Clock;

/// With so few connections to answer, this thread sends the answers itself; with more
/// their tasks do, on all cores.
const ANSWERED_DIRECTLY: usize = 4;

/// Decides: prepares rounds, commits them when they are durable, answers.
pub(crate) struct Core {
    pub(crate) sequencer: Sequencer,
    pub(crate) snapshots: Snapshots,
    pub(crate) clock: Clock,
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

    /// Commits a round that is durable.
    pub(super) fn commit(&mut self, ticket: Ticket) {
        answer(&self.sequencer.commit(ticket, self.clock.now()));
    }

    /// Refuses a round for which there is no space, and those behind it.
    pub(super) fn refuse(&mut self, ticket: Ticket) {
        answer(&self.sequencer.refuse(ticket, self.clock.now()));
    }
}

/// A connection whose input waited for its answers goes on by itself, and sends them with
/// what comes after.
fn answer(touched: &[Arc<Connection>]) {
    let few = touched.len() <= ANSWERED_DIRECTLY;
    for connection in touched {
        if few && !connection.is_parked() {
            connection.send_now();
        } else {
            connection.wake();
        }
    }
}
