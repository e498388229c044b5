//! The write path's threads: one that orders, logs, applies and answers; one that writes
//! snapshots; one that extends the log; one that purges.

mod extender;
mod purge;
mod queue;
mod snapshots;
mod writer;

use std::time::Duration;

use parking_lot::Mutex;
use replica::{Replica, Submission};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use storage::StorageError;
use thiserror::Error;

pub(crate) use extender::Extender;
pub(crate) use purge::Purge;
use queue::{Queue, Waited};
pub(crate) use snapshots::{SnapshotSettings, Snapshots};
pub(crate) use writer::Writer;

/// Longest wait when nothing is due.
const IDLE_WAIT: Duration = Duration::from_secs(1);

/// A server that received no more than this between two writes is quiet.
const QUIET_REQUESTS: u64 = 3;

/// The log can no longer be trusted to be written: what reached the disk is unknown until
/// the next start.
#[derive(Debug, Error)]
#[error("{0}; the server stops, nothing acknowledged is lost")]
pub(crate) struct FatalError(#[from] StorageError);

/// Brings submissions to the writer, in rounds.
///
/// Under load the write thread runs the rounds: everything that came in during a sync makes
/// the next one. A lone write is run by the thread that received it, if the writer is free:
/// to wake another one would cost the client more than half of what the sync does. The
/// lock on the writer keeps the rounds one at a time, and the queue keeps their order.
pub(crate) struct Pipeline {
    replica: Arc<Replica>,
    queue: Queue,
    writer: Mutex<Writer>,
    failure: Mutex<Option<FatalError>>,
    /// Requests received when the last write was submitted.
    received: AtomicU64,
}

impl Pipeline {
    pub(crate) fn new(replica: Arc<Replica>, writer: Writer) -> Self {
        Self {
            replica,
            queue: Queue::default(),
            writer: Mutex::new(writer),
            failure: Mutex::new(None),
            received: AtomicU64::new(0),
        }
    }

    /// Takes a submission. May run a round before it returns, so no lock of the replica
    /// may be held.
    pub(crate) fn submit(&self, submission: Submission) {
        let quiet = self.is_quiet(&submission);
        let alone = self.queue.push(submission);
        if alone
            && quiet
            && let Some(mut writer) = self.writer.try_lock()
        {
            self.round(&mut writer);
        }
        // What came in meanwhile, or was not lone, is the write thread's.
        if !self.queue.is_empty() || self.has_failed() {
            self.queue.wake();
        }
    }

    /// The write thread: runs until it is told to stop and nothing is queued.
    pub(crate) fn run(&self) -> Result<(), FatalError> {
        self.writer.lock().prepare()?;
        loop {
            let patience = self.writer.lock().patience().min(IDLE_WAIT);
            if self.queue.wait(patience) == Waited::Stop {
                break;
            }
            self.round(&mut self.writer.lock());
            if let Some(failure) = self.failure.lock().take() {
                return Err(failure);
            }
        }
        self.writer.lock().finish()
    }

    /// Lets the write thread finish what is queued; nothing more is taken.
    pub(crate) fn stop(&self) {
        self.queue.stop();
    }

    /// Is this write, as far as one can see, all there is to do? A thread that runs a round
    /// moves no bytes meanwhile, so on a busy server the write thread does it.
    fn is_quiet(&self, submission: &Submission) -> bool {
        let stats = self.replica.stats();
        let own = i64::from(submission.connection.in_flight());
        let received = stats.received.load(Relaxed);
        let before = self.received.swap(received, Relaxed);
        stats.outstanding.load(Relaxed) <= own && received.wrapping_sub(before) <= QUIET_REQUESTS
    }

    fn round(&self, writer: &mut Writer) {
        // After a failure the log takes nothing more; the server is about to stop.
        if self.has_failed() {
            return;
        }
        if let Err(failure) = writer.round(self.queue.take()) {
            *self.failure.lock() = Some(failure);
        }
    }

    fn has_failed(&self) -> bool {
        self.failure.lock().is_some()
    }
}
