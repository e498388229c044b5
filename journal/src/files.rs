//! What everyone who reads or writes a member's files shares.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jute::Zxid;
use parking_lot::{Mutex, MutexGuard};
use state::State;
use storage::log::{LogHolds, LogMark, LogMarks};
use storage::{Disk, StorageError};

use crate::read::LogReader;
use crate::settings::Settings;
use crate::tree::{Inflow, LocalSnapshot, SnapshotTarget};

/// A member's files, for those who use them beside the one queue of writes: snapshots, readers of
/// the log, the purge. Clones are the same.
#[derive(Clone)]
pub struct Files(Arc<Shared>);

struct Shared {
    disk: Arc<dyn Disk>,
    settings: Settings,
    seed: u64,
    holds: LogHolds,
    /// The last entry of the log that is durable.
    durable: AtomicI64,
    /// Of the present history.
    marks: Mutex<LogMarks>,
    history: Mutex<History>,
}

/// Stands for the history on disk. Who holds the lock may make a snapshot visible, or remove files.
pub(crate) struct History {
    /// Which one it is: a truncation and an installation each begin another.
    pub(crate) generation: u64,
}

impl Files {
    pub(crate) fn new(disk: Arc<dyn Disk>, settings: Settings, seed: u64, durable: Zxid) -> Self {
        Self(Arc::new(Shared {
            marks: Mutex::new(LogMarks::new(settings.log_mark_spacing)),
            disk,
            settings,
            seed,
            holds: LogHolds::default(),
            durable: AtomicI64::new(durable.0),
            history: Mutex::new(History { generation: 0 }),
        }))
    }

    /// The disk.
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.0.disk
    }

    /// What they are configured with.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// The last entry of the log that is durable, or the snapshot's zxid if the log ends before it.
    pub fn durable(&self) -> Zxid {
        Zxid(self.0.durable.load(Ordering::Acquire))
    }

    /// Starts to receive the tree that a leader sends behind SNAP with this zxid.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn receive(&self, zxid: Zxid) -> Result<Inflow, StorageError> {
        Inflow::begin(self, zxid)
    }

    /// Starts a snapshot of the state, see [`LocalSnapshot`].
    pub fn begin_snapshot(&self, state: &mut State) -> LocalSnapshot {
        SnapshotTarget::member(self.clone()).begin(state)
    }

    /// A reader of the log, with places of its own in it.
    pub fn reader(&self) -> LogReader {
        LogReader::new(self.clone())
    }

    /// Removes snapshots and logs that no start and no reader needs (`autopurge.snapRetainCount`);
    /// returns which.
    ///
    /// # Errors
    /// Those of the disk. What is left is fine.
    pub fn purge(&self, keep: usize) -> Result<Vec<PathBuf>, StorageError> {
        let _history = self.history();
        let layout = &self.0.settings.layout;
        storage::purge::purge(self.0.disk.as_ref(), layout, keep, &self.0.holds)
    }

    pub(crate) fn seed(&self) -> u64 {
        self.0.seed
    }

    pub(crate) fn holds(&self) -> &LogHolds {
        &self.0.holds
    }

    pub(crate) fn history(&self) -> MutexGuard<'_, History> {
        self.0.history.lock()
    }

    /// The log is durable up to `zxid`, behind which stands its `end`.
    pub(crate) fn synced(&self, zxid: Zxid, end: Option<LogMark>) {
        if let Some(end) = end {
            self.0.marks.lock().note(end);
        }
        self.set_durable(zxid);
    }

    /// The history becomes another one: nobody may go on with what is known of the files.
    pub(crate) fn begin_generation(&self, history: &mut History) {
        history.generation += 1;
        self.0.marks.lock().clear();
    }

    /// A place in the log before `zxid`.
    pub(crate) fn mark_before(&self, zxid: Zxid) -> Option<LogMark> {
        self.0.marks.lock().before(zxid)
    }

    pub(crate) fn set_durable(&self, zxid: Zxid) {
        self.0.durable.store(zxid.0, Ordering::Release);
    }
}
