//! The log's end in its threads: batches of entries become durable here, in the order in which they
//! come.
//!
//! Under load a thread of its own writes and syncs, so that the core prepares the next round
//! and commits the last one meanwhile; everything that came in during a sync is written by
//! the next. On a quiet server the core writes by itself and saves two wake-ups.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use replica::{Batch, Ticket};
use storage::StorageError;
use storage::log::writer::record_len;
use tracing::{error, info, warn};

use super::PanicEnds;
use crate::metrics::Metrics;
use crate::snapshots::{Claim, SnapshotPace};

/// Appends, syncs, rolls and prepares what comes next.
pub(crate) struct LogEnd {
    pub(crate) end: journal::LogEnd,
    pub(crate) pace: Arc<SnapshotPace>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) fsync_warning: Duration,
    /// Is there, as far as we know, space for the next write?
    pub(crate) space_left: bool,
}

/// What became of some batches.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// The rounds whose entries are durable, oldest first.
    pub(super) durable: Vec<Ticket>,
    /// The round behind them, if there was no space for it. Nothing of it, nor of any round
    /// behind it, was written.
    pub(super) refused: Option<Ticket>,
    /// A snapshot is due, and the log has a new file for what comes next.
    pub(super) snapshot: Option<Claim>,
    /// What reached the disk is unknown until the next start.
    pub(super) failed: Option<StorageError>,
}

impl LogEnd {
    /// Has the file for the first write ready: no client should wait for that. Without space
    /// the first write will be refused. A client may have been faster: then there is one.
    pub(super) fn prepare(&mut self) -> Result<(), StorageError> {
        self.end.prepare()
    }

    /// Makes the batches durable with one sync.
    pub(super) fn write(&mut self, batches: Vec<Batch>) -> Written {
        let mut written = Written::default();
        match self.append_and_sync(batches, &mut written) {
            Ok(()) => written,
            // Without the sync nothing may be acknowledged, and nothing else counts.
            Err(error) => Written {
                failed: Some(error),
                ..Written::default()
            },
        }
    }

    /// Nothing more will come.
    pub(super) fn finish(&mut self) -> Result<(), StorageError> {
        self.end.sync()?;
        Ok(())
    }

    fn append_and_sync(
        &mut self,
        batches: Vec<Batch>,
        written: &mut Written,
    ) -> Result<(), StorageError> {
        for batch in batches {
            let lens = batch.entries.iter().map(|entry| record_len(entry.len()));
            let bytes: u64 = lens.sum();
            if bytes > 0 && !self.has_space(bytes)? {
                written.refused = Some(batch.ticket);
                break;
            }
            for entry in batch.entries.iter() {
                self.end.append(entry)?;
            }
            written.durable.push(batch.ticket);
        }
        self.sync()?;
        if self.end.is_snapshot_due()
            && let Some(claim) = self.pace.claim()
        {
            self.end.begin_snapshot(self.pace.random())?;
            written.snapshot = Some(claim);
        }
        self.end.keep_ahead()
    }

    /// Reserves the space for a batch before any of it is written, behind what is appended
    /// and not yet written.
    fn has_space(&mut self, bytes: u64) -> Result<bool, StorageError> {
        match self.end.reserve(bytes) {
            Ok(()) => {
                self.note_space(None);
                Ok(true)
            }
            Err(full) if full.is_storage_full() => {
                self.note_space(Some(&full));
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn sync(&mut self) -> Result<(), StorageError> {
        if !self.end.writer().is_dirty() {
            return Ok(());
        }
        let start = Instant::now();
        self.end.sync()?;
        let took = start.elapsed();
        self.metrics.note_sync(took);
        if took > self.fsync_warning {
            warn!(
                "fsync-ing the write ahead log took {} ms which will adversely effect operation latency. \
                 File size is {} bytes",
                took.as_millis(),
                self.end.writer().segment_len()
            );
        }
        Ok(())
    }

    fn note_space(&mut self, full: Option<&StorageError>) {
        let space = full.is_none();
        if self.space_left == space {
            return;
        }
        self.space_left = space;
        match full {
            Some(why) => error!("writes are refused until there is space again: {why}"),
            None => info!("there is space again: writes are accepted"),
        }
    }
}

/// The way to the log's end.
pub(super) struct Log {
    end: Mutex<LogEnd>,
    inbox: Mutex<Inbox>,
    filled: Condvar,
}

/// Batches that wait for the log's thread: at most those of the rounds that the requests
/// in process make, which `zookeeper.globalOutstandingLimit` bounds.
#[derive(Default)]
struct Inbox {
    batches: Vec<Batch>,
    stopping: bool,
    waiting: bool,
    /// A batch was refused: what comes was prepared on top of it, until the core has taken
    /// the refusal back.
    refusing: bool,
}

impl Log {
    pub(super) fn new(end: LogEnd) -> Self {
        Self {
            end: Mutex::new(end),
            inbox: Mutex::default(),
            filled: Condvar::new(),
        }
    }

    /// The end itself, for who knows that nothing is under way.
    pub(super) fn end(&self) -> parking_lot::MutexGuard<'_, LogEnd> {
        self.end.lock()
    }

    /// Leaves a batch to the log's thread.
    pub(super) fn push(&self, batch: Batch) {
        let mut inbox = self.inbox.lock();
        if inbox.refusing {
            return;
        }
        inbox.batches.push(batch);
        if std::mem::take(&mut inbox.waiting) {
            drop(inbox);
            self.filled.notify_one();
        }
    }

    /// The rounds behind a refused one are refused too; what comes now is new.
    pub(super) fn refusal_taken(&self) {
        self.inbox.lock().refusing = false;
    }

    /// Lets the thread write what it has and end.
    pub(super) fn stop(&self) {
        self.inbox.lock().stopping = true;
        self.filled.notify_one();
    }

    /// The log's thread: hands what it has written to `report`, until it is told to stop.
    pub(super) fn run(&self, report: impl Fn(Written)) {
        let _guard = PanicEnds;
        while let Some(batches) = self.next() {
            let mut end = self.end.lock();
            let written = end.write(batches);
            drop(end);
            if written.refused.is_some() {
                let mut inbox = self.inbox.lock();
                inbox.refusing = true;
                inbox.batches.clear();
            }
            report(written);
        }
    }

    fn next(&self) -> Option<Vec<Batch>> {
        let mut inbox = self.inbox.lock();
        while inbox.batches.is_empty() {
            if inbox.stopping {
                return None;
            }
            inbox.waiting = true;
            self.filled.wait(&mut inbox);
        }
        inbox.waiting = false;
        Some(std::mem::take(&mut inbox.batches))
    }
}
