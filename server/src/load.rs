//! From the data directory to a state and a log that goes on.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use journal::StateSink;
use state::State;
use storage::{Disk, Layout, LogWriter, Start, StorageError};
use tracing::{info, warn};

use crate::config::Config;
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
pub(crate) fn load(
    config: &Config,
    disk: Arc<dyn Disk>,
    seed: u64,
) -> Result<Loaded, StorageError> {
    let start = Instant::now();
    let layout = Layout::new(&config.data_dir, &config.data_log_dir);
    let mut sink = StateSink::new(options::state(config), seed);
    let recovered = storage::open(
        Arc::clone(&disk),
        &layout,
        &options::recovery(config),
        &mut sink,
    )?;
    for warning in &recovered.warnings {
        warn!("{warning}");
    }
    let mut state = sink.finish();
    // There is no leader to send more.
    state.end_grace();
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
