//! From the data directory to a state and a log that goes on.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use jute::Zxid;
use jute::data::{Acl, StatPersisted};
use state::rebuild::Rebuild;
use state::{Options, State};
use storage::{
    Disk, Layout, LogWriter, RecoverySink, Rejected, SnapshotSink, Start, StorageError, Trailer,
};
use tracing::{info, warn};

use crate::config::Config;
use crate::disk::RealDisk;
use crate::options;

/// A recovered server, not yet serving.
pub(crate) struct Loaded {
    pub(crate) state: State,
    pub(crate) log: LogWriter,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) layout: Layout,
    /// Nothing was there: the empty tree is still to be written as a snapshot.
    pub(crate) is_new: bool,
}

/// Loads what the configuration points to.
pub(crate) fn load(config: &Config, seed: u64) -> Result<Loaded, StorageError> {
    let start = Instant::now();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let layout = Layout::new(&config.data_dir, &config.data_log_dir);
    let mut sink = StateSink::new(options::state(config), seed);
    let recovered = storage::open(
        Arc::clone(&disk),
        &layout,
        &options::recovery(config),
        &mut sink,
    )?;
    storage::recovery::remove_initialize(disk.as_ref(), &layout)?;
    for warning in &recovered.warnings {
        warn!("{warning}");
    }
    let state = sink.finish();
    let digests = state.digest_check();
    if let Some(last) = digests.last_mismatch() {
        let count = digests.mismatches();
        warn!("the tree's digest differs from the history's in {count} places, last: {last:?}");
    }
    info!(
        "database loaded in {} ms from {}: {} transactions replayed, highest zxid is 0x{}, \
         digest is {}",
        start.elapsed().as_millis(),
        layout.snap_dir().display(),
        recovered.entries,
        state.last_zxid(),
        state.tree().digest()
    );
    Ok(Loaded {
        state,
        log: recovered.log,
        disk,
        layout,
        is_new: recovered.start == Start::Empty,
    })
}

/// Hands what storage recovers to the state that is rebuilt from it.
pub struct StateSink {
    rebuild: Rebuild,
}

impl StateSink {
    /// Starts with nothing. `seed` keys the index of the tree.
    pub fn new(options: Options, seed: u64) -> Self {
        Self {
            rebuild: Rebuild::new(options, seed),
        }
    }

    /// The state: of the snapshot and the log, or an empty one if there was neither.
    pub fn finish(self) -> State {
        self.rebuild.finish()
    }
}

impl SnapshotSink for StateSink {
    fn session(&mut self, id: i64, timeout_ms: i32) -> Result<(), Rejected> {
        self.rebuild.session(id, timeout_ms);
        Ok(())
    }

    fn acl(&mut self, index: i64, acl: Vec<Acl<'_>>) -> Result<(), Rejected> {
        self.rebuild.acl(index, &acl);
        Ok(())
    }

    fn node(
        &mut self,
        path: &str,
        data: Option<&[u8]>,
        acl: i64,
        stat: &StatPersisted,
    ) -> Result<(), Rejected> {
        let taken = self.rebuild.node(path, data, acl, stat);
        taken.map_err(Rejected::new)
    }
}

impl RecoverySink for StateSink {
    fn reset(&mut self) {
        self.rebuild.reset();
    }

    fn snapshot_done(&mut self, zxid: Zxid, trailer: Trailer) -> Result<(), Rejected> {
        let done = self.rebuild.snapshot_done(zxid, trailer.tree_digest());
        done.map_err(Rejected::new)
    }

    fn entry(&mut self, _zxid: Zxid, bytes: &[u8]) -> Result<(), Rejected> {
        self.rebuild.entry(bytes).map_err(Rejected::new)
    }
}

/// Bytes of all files in a directory; 0 if it cannot be read.
pub(crate) fn dir_size(dir: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return 0;
    };
    entries
        .filter_map(|entry| entry.ok()?.metadata().ok())
        .map(|file| file.len())
        .sum()
}
