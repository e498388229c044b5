//! A round of writes: prepare, log, sync, apply, answer, one after the other in one thread.
//! More threads would overlap the sync with the next preparation, at the price of a
//! wake-up for each hop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use replica::{Connection, Sequencer, Submission, Ticket};
use storage::StorageError;
use storage::log::writer::record_len;
use storage::{LogWriter, RollPolicy};
use tracing::{error, info, warn};

use super::{Extender, FatalError, Snapshots};
use crate::clock::Clock;

/// With so few connections to answer, the writer sends the answers itself; with more
/// their tasks do, on all cores.
const ANSWERED_DIRECTLY: usize = 2;

/// Turns submissions into durable, applied and answered transactions.
pub(crate) struct Writer {
    pub(crate) sequencer: Sequencer,
    pub(crate) log: LogWriter,
    pub(crate) extender: Extender,
    pub(crate) roll: RollPolicy,
    pub(crate) snapshots: Snapshots,
    pub(crate) clock: Clock,
    pub(crate) fsync_warning: Duration,
    /// Is there, as far as we know, space for the next write?
    pub(crate) space_left: bool,
}

impl Writer {
    /// Has the file for the first write ready: no client should wait for that. Without space
    /// the first write will be refused.
    pub(super) fn prepare(&mut self) -> Result<(), FatalError> {
        match self.log.prepare_next() {
            Err(error) if !error.is_storage_full() => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// One round: these submissions, and what is due.
    pub(super) fn round(&mut self, submissions: Vec<Submission>) -> Result<(), FatalError> {
        let ticket = self.sequencer.prepare(self.clock.now(), submissions);
        let touched = self.finish_round(ticket)?;
        answer(&touched);
        self.after_round()
    }

    /// Nothing more will come.
    pub(super) fn finish(&mut self) -> Result<(), FatalError> {
        self.log.commit()?;
        self.snapshots.wait();
        Ok(())
    }

    /// Until the next session expires or node is reaped.
    pub(super) fn patience(&self) -> Duration {
        let due_ms = self.sequencer.next_deadline_ms();
        let now_ms = self.clock.now().monotonic_ms();
        Duration::from_millis(due_ms.saturating_sub(now_ms))
    }

    /// Makes the round's entries durable and applies them. Without space the round is
    /// refused as a whole, before any of it is written.
    fn finish_round(&mut self, ticket: Ticket) -> Result<Vec<Arc<Connection>>, FatalError> {
        let bytes: u64 = self
            .sequencer
            .entries()
            .map(|entry| record_len(entry.len()))
            .sum();
        if bytes == 0 {
            return Ok(self.sequencer.commit(ticket, self.clock.now()));
        }
        match self.extender.ensure_room(&mut self.log, bytes) {
            Ok(()) => self.note_space(true, None),
            Err(full) if full.is_storage_full() => {
                self.note_space(false, Some(&full));
                return Ok(self.sequencer.refuse(ticket, self.clock.now()));
            }
            Err(error) => return Err(error.into()),
        }
        let mut snapshot_due = false;
        for entry in self.sequencer.entries() {
            self.log.append(entry)?;
            snapshot_due |= self.roll.appended(record_len(entry.len()));
        }
        self.commit_log()?;
        let touched = self.sequencer.commit(ticket, self.clock.now());
        if snapshot_due {
            self.log.roll()?;
            self.roll.restart(self.snapshots.random());
            self.snapshots.start();
        }
        Ok(touched)
    }

    fn commit_log(&mut self) -> Result<(), FatalError> {
        let start = Instant::now();
        self.log.commit()?;
        let took = start.elapsed();
        self.snapshots.metrics().note_sync(took);
        if took > self.fsync_warning {
            warn!(
                "fsync-ing the write ahead log took {} ms which will adversely effect operation latency. \
                 File size is {} bytes",
                took.as_millis(),
                self.log.segment_len()
            );
        }
        Ok(())
    }

    fn after_round(&mut self) -> Result<(), FatalError> {
        if self.roll.file_is_full(self.log.segment_len()) {
            self.log.roll()?;
        }
        self.extender.keep_ahead(&mut self.log)?;
        Ok(())
    }

    fn note_space(&mut self, space: bool, why: Option<&StorageError>) {
        if self.space_left == space {
            return;
        }
        self.space_left = space;
        match why {
            Some(why) => error!("writes are refused until there is space again: {why}"),
            None => info!("there is space again: writes are accepted"),
        }
    }
}

fn answer(touched: &[Arc<Connection>]) {
    if touched.len() <= ANSWERED_DIRECTLY {
        for connection in touched {
            connection.send_now();
        }
    } else {
        for connection in touched {
            connection.wake();
        }
    }
}
