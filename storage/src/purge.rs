//! Removes snapshots and logs that no start needs any more.

use std::path::PathBuf;

use jute::Zxid;

use crate::disk::Disk;
use crate::error::StorageError;
use crate::layout::{Layout, files_with_prefix};
use crate::log::LogHolds;
use crate::snap::candidates;

/// Fewest snapshots that are kept (`autopurge.snapRetainCount` is raised to it): one may turn out to be damaged.
pub const SNAPSHOTS_KEPT_MIN: usize = 3;

/// Keeps the newest `keep` snapshots that pass the cheap check, the logs that continue from the oldest of them, and whatever is newer.
/// Returns what was removed.
///
/// With fewer good snapshots than that nothing is removed. Log files that a reader holds stay.
pub fn purge(
    disk: &dyn Disk,
    layout: &Layout,
    keep: usize,
    holds: &LogHolds,
) -> Result<Vec<PathBuf>, StorageError> {
    holds.while_fixed(|lowest_held| purge_below(disk, layout, keep, lowest_held))
}

fn purge_below(
    disk: &dyn Disk,
    layout: &Layout,
    keep: usize,
    lowest_held: Option<Zxid>,
) -> Result<Vec<PathBuf>, StorageError> {
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
    let oldest_needed = lowest_held.map_or(oldest_kept, |held| held.min(oldest_kept));
    let first_needed = first_log_needed(logs.iter().map(|(zxid, _)| *zxid), oldest_needed);
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

/// The last log that starts at or before `oldest_needed` may hold records behind it.
fn first_log_needed(logs: impl Iterator<Item = Zxid>, oldest_needed: Zxid) -> Zxid {
    logs.filter(|zxid| *zxid <= oldest_needed)
        .max()
        .unwrap_or(oldest_needed)
}
