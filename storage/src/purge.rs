//! Removes snapshots and logs that no start needs any more.

use std::path::{Path, PathBuf};

use jute::Zxid;

use crate::disk::Disk;
use crate::error::StorageError;
use crate::layout::{Layout, files_with_prefix};
use crate::log::LogHolds;
use crate::snap::candidates;

/// Fewest snapshots that are kept (`autopurge.snapRetainCount` is raised to it): one may turn out
/// to be damaged.
pub const SNAPSHOTS_KEPT_MIN: usize = 3;

/// Keeps the newest `keep` snapshots that pass the cheap check, the logs that continue from the
/// oldest of them, and whatever is newer. Returns what was removed.
///
/// With fewer good snapshots than that nothing is removed. Log files that a reader holds stay.
pub fn purge(
    disk: &dyn Disk,
    layout: &Layout,
    keep: usize,
    holds: &LogHolds,
) -> Result<Vec<PathBuf>, StorageError> {
    let keep = keep.max(SNAPSHOTS_KEPT_MIN);
    let kept = candidates(disk, layout.snap_dir(), keep)?;
    let oldest_kept = match kept.last() {
        Some(oldest) if kept.len() == keep => oldest.zxid,
        _ => return Ok(Vec::new()),
    };
    let snapshots = files_with_prefix(disk, layout.snap_dir(), "snapshot")?;
    let mut removed = remove_below(disk, layout.snap_dir(), snapshots, oldest_kept)?;
    // Snapshots go first, durably: whatever a crash leaves, every snapshot that is left still has
    // its logs.
    disk.sync_dir(layout.snap_dir())
        .map_err(StorageError::io("sync", layout.snap_dir()))?;
    let logs = files_with_prefix(disk, layout.log_dir(), "log")?;
    let removal = holds.remove_below(|held| {
        let oldest_needed = held.map_or(oldest_kept, |held| held.min(oldest_kept));
        first_log_needed(logs.iter().map(|(zxid, _)| *zxid), oldest_needed)
    });
    removed.extend(remove_below(disk, layout.log_dir(), logs, removal.floor)?);
    Ok(removed)
}

fn remove_below(
    disk: &dyn Disk,
    dir: &Path,
    files: Vec<(Zxid, String)>,
    floor: Zxid,
) -> Result<Vec<PathBuf>, StorageError> {
    let below = files.into_iter().filter(|(zxid, _)| *zxid < floor);
    let paths: Vec<_> = below.map(|(_, name)| dir.join(name)).collect();
    for path in &paths {
        disk.remove(path)
            .map_err(StorageError::io("remove", path))?;
    }
    Ok(paths)
}

/// The last log that starts at or before `oldest_needed` may hold records behind it.
pub(crate) fn first_log_needed(logs: impl Iterator<Item = Zxid>, oldest_needed: Zxid) -> Zxid {
    logs.filter(|zxid| *zxid <= oldest_needed)
        .max()
        .unwrap_or(oldest_needed)
}
