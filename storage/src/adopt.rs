//! Makes a snapshot received from a leader the only thing that a start builds on.
//!
//! # Order, and why
//!
//! The old history must not be mixed with the new base: its snapshots may be newer than the base,
//! its log may go on behind the base with transactions that the leader never had, and an epoch that
//! begins would hide the gap between the two. But it must not go before the new base is safe
//! either: what it acknowledged may be on no other disk. So one renaming decides:
//!
//! 1. The tree is complete and synced under a name that no start looks at
//!    (`unfinished-snapshot.*`), and so are the transactions that came behind it, if any did
//!    (`unfinished-log.*`). Both were written as they came in: nothing is written twice. A crash
//!    until here leaves the old history; the leftovers are removed.
//! 2. The log is renamed to `received-log.<first zxid>`, and its directory is synced. No start uses
//!    it for itself: a crash until here leaves the old history as well, and the start makes the
//!    removal of the leftover durable, so it can never be taken for the log of a later tree.
//! 3. The tree is renamed to `received-snapshot.<zxid>[.log-<first zxid>]`, and the directory is
//!    synced. **From here on the new base counts, with the log that its name tells of**: a start
//!    that finds this name continues with step 4, whatever else is there.
//! 4. All other snapshots are removed, and the directory is synced.
//! 5. All log files are removed, and their directory is synced.
//! 6. The received log is renamed to `log.<first zxid>`, and the directory is synced. A crash
//!    before that is durable leaves the name of step 2, so the removals are repeated. A crash after
//!    it leaves the name of step 3 without that of step 2. As the latter was durable before the
//!    former, it was renamed, so nothing else is left in the log's directory, and the removals must
//!    not be repeated: they would take the log along.
//! 7. The tree is renamed to `snapshot.<zxid>`, and the directory is synced. A crash before that
//!    leaves the name of step 3; after it there is one snapshot and the log behind it. Only then
//!    may a new log begin: those removals would take it along.
//!
//! Snapshots go before logs so that whoever does not know that name, as Apache, finds a log without
//! a snapshot as long as possible, and refuses.
//!
//! The zab crate relies on it: when the ticket of the snapshot is given back, no transaction of the
//! old history can come back, and the base with the log behind it is durable before currentEpoch is
//! written.

use std::path::Path;
use std::sync::Arc;

use jute::Zxid;
use jute::wire::Limits;

use crate::disk::Disk;
use crate::error::StorageError;
use crate::layout::{
    Layout, RECEIVED_SNAPSHOT, adopted_snapshot_name, files_with_prefix, log_behind, log_name,
    received_log_name,
};
use crate::log::replay::Replay;
use crate::log::{LogWriter, ReceivedLog};
use crate::snap::Trailer;
use crate::snap::body::Discard;
use crate::snap::load;
use crate::snap::receive::SnapshotReceiver;

/// Replaces the history that `log` ends by the complete tree and the transactions behind it;
/// returns a log that continues from there.
///
/// No snapshot may be under way: it would be one of the old history.
///
/// # Panics
/// If the tree is not complete.
pub fn adopt(
    received: SnapshotReceiver,
    behind: Option<ReceivedLog>,
    trailer: Trailer,
    layout: &Layout,
    log: LogWriter,
) -> Result<LogWriter, StorageError> {
    let (disk, zxid) = (Arc::clone(&received.disk), received.zxid);
    let last = behind.as_ref().map_or(zxid, ReceivedLog::last);
    let log = log.dismantle()?;
    let first = behind.map(ReceivedLog::finish).transpose()?;
    received.finish(trailer, first)?;
    let adopted = complete_adoption(disk.as_ref(), layout)?;
    assert_eq!(adopted, Some(zxid), "what was just made visible is found");
    Ok(LogWriter::new(disk, layout.log_dir(), log.options, last))
}

/// Continues after a crash between deciding for a received snapshot and being done; returns its
/// zxid. Nothing is changed unless the snapshot can be loaded and the log behind it read to its
/// end.
pub(crate) fn recover_adoption(
    disk: &dyn Disk,
    layout: &Layout,
    limits: Limits,
    entry_len_max: usize,
) -> Result<Option<Zxid>, StorageError> {
    let found = files_with_prefix(disk, layout.snap_dir(), RECEIVED_SNAPSHOT)?;
    for (zxid, name) in &found {
        // What it replaces may be gone in part, so a damaged one leaves nothing to start from.
        load(disk, &layout.snap_dir().join(name), limits, &mut Discard)?;
        if let Some(first) = log_behind(name) {
            check_log(disk, layout, *zxid, first, entry_len_max)?;
        }
    }
    complete_adoption(disk, layout)
}

/// The log was synced before the snapshot got its name: it is whole, or damaged.
fn check_log(
    disk: &dyn Disk,
    layout: &Layout,
    base: Zxid,
    first: Zxid,
    entry_len_max: usize,
) -> Result<(), StorageError> {
    let mut name = received_log_name(first);
    if !exists(disk, layout, &name)? {
        // It has its own name already.
        name = log_name(first);
    }
    let path = layout.log_dir().join(&name);
    let replayed = Replay {
        disk,
        dir: layout.log_dir(),
        files: &[(first, name)],
        after: base,
        after_is: "the received snapshot reaches up to it".to_owned(),
        require_first: true,
        entry_len_max,
    }
    .run(|_, _| Ok(()))?;
    if replayed.entries == 0 || !replayed.repairs.is_empty() {
        return Err(StorageError::DamagedLog {
            path,
            offset: 0,
            found: "transactions behind a received snapshot are missing".to_owned(),
        });
    }
    Ok(())
}

/// Steps 4 to 7.
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
    match log_behind(name) {
        None => remove_all(disk, layout.log_dir(), "log")?,
        Some(first) => replace_log(disk, layout, first)?,
    }
    rename(disk, layout.snap_dir(), name, &adopted_snapshot_name(name))?;
    Ok(Some(*zxid))
}

/// Steps 5 and 6 where there is a log.
fn replace_log(disk: &dyn Disk, layout: &Layout, first: Zxid) -> Result<(), StorageError> {
    let received = received_log_name(first);
    if exists(disk, layout, &received)? {
        remove_all(disk, layout.log_dir(), "log")?;
        rename(disk, layout.log_dir(), &received, &log_name(first))?;
    }
    Ok(())
}

fn exists(disk: &dyn Disk, layout: &Layout, log: &str) -> Result<bool, StorageError> {
    let path = layout.log_dir().join(log);
    disk.exists(&path)
        .map_err(StorageError::io("look at", &path))
}

fn rename(disk: &dyn Disk, dir: &Path, from: &str, to: &str) -> Result<(), StorageError> {
    let (from, to) = (dir.join(from), dir.join(to));
    disk.rename(&from, &to)
        .map_err(StorageError::io("name", &to))?;
    disk.sync_dir(dir).map_err(StorageError::io("sync", dir))
}

fn remove_all(disk: &dyn Disk, dir: &Path, prefix: &str) -> Result<(), StorageError> {
    for (_, name) in files_with_prefix(disk, dir, prefix)? {
        let path = dir.join(name);
        disk.remove(&path)
            .map_err(StorageError::io("remove", &path))?;
    }
    disk.sync_dir(dir).map_err(StorageError::io("sync", dir))
}
