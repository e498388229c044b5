//! Removes snapshots and logs that no start needs any more.

use std::path::PathBuf;

use jute::Zxid;

use crate::disk::Disk;
use crate::error::StorageError;
use crate::layout::{Layout, files_with_prefix};
use crate::snap::candidates;

/// Fewest snapshots that are kept (`autopurge.snapRetainCount` is raised to it): one may turn out to be damaged.
pub const SNAPSHOTS_KEPT_MIN: usize = 3;

/// Keeps the newest `keep` snapshots that pass the cheap check, the logs that continue from the oldest of them, and whatever is newer.
/// Returns what was removed.
///
/// With fewer good snapshots than that nothing is removed.
pub fn purge(disk: &dyn Disk, layout: &Layout, keep: usize) -> Result<Vec<PathBuf>, StorageError> {
    let keep = keep.max(SNAPSHOTS_KEPT_MIN);
    let kept = candidates(disk, layout.snap_dir(), keep)?;
    let oldest_kept = match kept.last() {
        Some(oldest) if kept.len() == keep => oldest.zxid,
        _ => return Ok(Vec::new()),
    };
    let mut removed = Vec::new();
    for (zxid, name) in files_with_prefix(disk, layout.snap_dir(), "snapshot")? {
        if zxid < oldest_kept {
            removed.push(layout.snap_dir().join(name));
        }
    }
    let logs = files_with_prefix(disk, layout.log_dir(), "log")?;
    let first_needed = first_log_needed(logs.iter().map(|(zxid, _)| *zxid), oldest_kept);
    for (zxid, name) in logs {
        if zxid < first_needed {
            removed.push(layout.log_dir().join(name));
        }
    }
    // Snapshots go first: should it end half-way, every snapshot that is left still has its logs.
    for path in &removed {
        disk.remove(path)
            .map_err(StorageError::io("remove", path))?;
    }
    Ok(removed)
}

/// The last log that starts at or before `oldest_kept` may hold records behind it.
fn first_log_needed(logs: impl Iterator<Item = Zxid>, oldest_kept: Zxid) -> Zxid {
    logs.filter(|zxid| *zxid <= oldest_kept)
        .max()
        .unwrap_or(oldest_kept)
}
