//! From the data directory to a state and a log that goes on.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use jute::Zxid;
use jute::data::{Acl, StatPersisted};
use jute::txn::LogEntry;
use state::snapshot::Loader;
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

/// Builds a state from what recovery hands over.
pub struct StateSink {
    options: Options,
    seed: u64,
    loader: Option<Loader>,
    state: Option<State>,
}

impl StateSink {
    /// Starts with nothing.
    pub fn new(options: Options, seed: u64) -> Self {
        Self {
            options,
            seed,
            loader: None,
            state: None,
        }
    }

    /// The state: of the snapshot and the log, or an empty one if there was neither.
    pub fn finish(self) -> State {
        let (options, seed) = (self.options, self.seed);
        self.state.unwrap_or_else(|| State::new(options, seed))
    }

    fn loader(&mut self) -> &mut Loader {
        let (options, seed) = (self.options, self.seed);
        self.loader
            .get_or_insert_with(|| Loader::new(options, seed))
    }
}

impl SnapshotSink for StateSink {
    fn session(&mut self, id: i64, timeout_ms: i32) -> Result<(), Rejected> {
        self.loader().session(id, timeout_ms);
        Ok(())
    }

    fn acl(&mut self, index: i64, acl: Vec<Acl<'_>>) -> Result<(), Rejected> {
        self.loader().acl(index, &acl);
        Ok(())
    }

    fn node(
        &mut self,
        path: &str,
        data: Option<&[u8]>,
        acl: i64,
        stat: &StatPersisted,
    ) -> Result<(), Rejected> {
        let added = self.loader().node(path, data, acl, stat);
        added.map_err(|error| Rejected(error.to_string()))
    }
}

impl RecoverySink for StateSink {
    fn reset(&mut self) {
        self.loader = None;
        self.state = None;
    }

    fn snapshot_done(&mut self, zxid: Zxid, trailer: Trailer) -> Result<(), Rejected> {
        let loader = self.loader.take();
        let loader = loader.ok_or_else(|| Rejected("the snapshot is empty".to_owned()))?;
        let digest = trailer
            .digest
            .map(|seal| (seal.zxid, seal.tree_digest as u64));
        let state = loader.finish(zxid, digest);
        self.state = Some(state.map_err(|error| Rejected(error.to_string()))?);
        Ok(())
    }

    fn entry(&mut self, _zxid: Zxid, bytes: &[u8]) -> Result<(), Rejected> {
        let (options, seed) = (self.options, self.seed);
        let state = self.state.get_or_insert_with(|| State::new(options, seed));
        let rejected = |error: jute::wire::DecodeError| Rejected(error.to_string());
        let entry = LogEntry::from_bytes(bytes, options.limits).map_err(rejected)?;
        let applied = state.replay(entry).map_err(rejected)?;
        if let Some(mismatch) = applied.digest_mismatch {
            warn!("{mismatch:?}");
        }
        Ok(())
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
