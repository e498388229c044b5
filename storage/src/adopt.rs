//! Makes a snapshot received from a leader the only thing that a start builds on.
//!
//! # Order, and why
//!
//! The old history must not be mixed with the new base: its snapshots may be newer than the base, its log may go on behind the base
//! with transactions that the leader never had, and an epoch that begins would hide the gap between the two. But it must not go
//! before the new base is safe either: what it acknowledged may be on no other disk. So one renaming decides:
//!
//! 1. The tree is complete and synced under a name that no start looks at (`unfinished-snapshot.*`). A crash until here leaves the
//!    old history; the leftover is removed.
//! 2. It is renamed to `received-snapshot.<zxid>`, and the directory is synced. **From here on the new base counts**: a start that finds
//!    this name continues with step 3, whatever else is there.
//! 3. All other snapshots are removed, and the directory is synced.
//! 4. All log files are removed, and their directory is synced.
//! 5. It is renamed to `snapshot.<zxid>`, and the directory is synced. A crash before that leaves the name of step 2, so the removals
//!    are repeated; after it there is one snapshot and no log. Only then may a new log begin: those removals would take it along.
//!
//! Snapshots go before logs so that whoever does not know that name, as Apache, finds a log without a snapshot as long as
//! possible, and refuses.
//!
//! The zab crate relies on it: when the ticket of the snapshot is given back, no transaction of the old history can come back, and
//! the base is durable before currentEpoch is written.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jute::Zxid;
use jute::wire::Limits;

use crate::disk::Disk;
use crate::error::StorageError;
use crate::layout::{Layout, RECEIVED_SNAPSHOT, files_with_prefix};
use crate::log::LogWriter;
use crate::snap::body::Discard;
use crate::snap::load;
use crate::snap::receive::{ReceivedTrailer, SnapshotReceiver};
use crate::snap::{SnapshotWriter, Trailer};

/// Replaces the history that `log` ends by the complete tree; returns a log that continues from it.
///
/// No snapshot may be under way: it would be one of the old history.
///
/// # Panics
/// If the tree is not complete.
pub fn adopt(
    received: SnapshotReceiver,
    trailer: ReceivedTrailer,
    layout: &Layout,
    log: LogWriter,
) -> Result<LogWriter, StorageError> {
    let (disk, zxid) = (Arc::clone(&received.disk), received.zxid);
    replace(disk, zxid, layout, log, || received.finish(trailer))
}

/// As [`adopt`], with a tree that was put together here: a received one with the transactions behind it.
pub fn adopt_written(
    base: SnapshotWriter,
    trailer: Trailer,
    layout: &Layout,
    log: LogWriter,
) -> Result<LogWriter, StorageError> {
    let (disk, zxid) = (Arc::clone(&base.disk), base.zxid);
    replace(disk, zxid, layout, log, || base.finish_base(trailer))
}

fn replace(
    disk: Arc<dyn Disk>,
    zxid: Zxid,
    layout: &Layout,
    log: LogWriter,
    finish: impl FnOnce() -> Result<PathBuf, StorageError>,
) -> Result<LogWriter, StorageError> {
    let log = log.dismantle()?;
    finish()?;
    let adopted = complete_adoption(disk.as_ref(), layout)?;
    assert_eq!(adopted, Some(zxid), "what was just made visible is found");
    Ok(LogWriter::new(disk, layout.log_dir(), log.options, zxid))
}

/// Continues after a crash between deciding for a received snapshot and being done; returns its zxid. Nothing is changed unless
/// the snapshot can be loaded.
pub(crate) fn recover_adoption(
    disk: &dyn Disk,
    layout: &Layout,
    limits: Limits,
) -> Result<Option<Zxid>, StorageError> {
    let found = files_with_prefix(disk, layout.snap_dir(), RECEIVED_SNAPSHOT)?;
    for (_, name) in &found {
        // What it replaces may be gone in part, so a damaged one leaves nothing to start from.
        load(disk, &layout.snap_dir().join(name), limits, &mut Discard)?;
    }
    complete_adoption(disk, layout)
}

/// Steps 3 to 5.
fn complete_adoption(disk: &dyn Disk, layout: &Layout) -> Result<Option<Zxid>, StorageError> {
    let found = files_with_prefix(disk, layout.snap_dir(), RECEIVED_SNAPSHOT)?;
    let (zxid, name) = match found.as_slice() {
        [] => return Ok(None),
        [one] => one,
        [one, ..] => {
            // We finish with one before another is begun.
            return Err(StorageError::BadSnapshot {
                path: layout.snap_dir().join(&one.1),
                offset: 0,
                found: "there is more than one received snapshot".to_owned(),
            });
        }
    };
    remove_all(disk, layout.snap_dir(), "snapshot")?;
    remove_all(disk, layout.log_dir(), "log")?;
    let from = layout.snap_dir().join(name);
    let visible = name
        .strip_prefix(RECEIVED_SNAPSHOT)
        .map(|rest| format!("snapshot{rest}"));
    let to = layout
        .snap_dir()
        .join(visible.expect("it was found by this prefix"));
    disk.rename(&from, &to)
        .map_err(StorageError::io("name", &to))?;
    disk.sync_dir(layout.snap_dir())
        .map_err(StorageError::io("sync", layout.snap_dir()))?;
    Ok(Some(*zxid))
}

fn remove_all(disk: &dyn Disk, dir: &Path, prefix: &str) -> Result<(), StorageError> {
    for (_, name) in files_with_prefix(disk, dir, prefix)? {
        let path = dir.join(name);
        disk.remove(&path)
            .map_err(StorageError::io("remove", &path))?;
    }
    disk.sync_dir(dir).map_err(StorageError::io("sync", dir))
}
