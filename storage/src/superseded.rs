//! What a new snapshot makes needless. It stays on the disk until a purge, but need not stay in
//! memory.
//!
//! Without this the operating system would keep a copy of every log file, and would have to find
//! memory for each new one: at a gigabyte of log in a few seconds that can cost more than writing
//! it.

use std::path::PathBuf;

use jute::Zxid;

use crate::disk::Disk;
use crate::error::StorageError;
use crate::layout::{Layout, files_with_prefix};
use crate::purge::first_log_needed;

/// What a start needed before there was the snapshot `newest`, and needs no longer: the snapshot
/// before it, and the logs between the two.
pub fn superseded(
    disk: &dyn Disk,
    layout: &Layout,
    newest: Zxid,
) -> Result<Vec<PathBuf>, StorageError> {
    let snapshots = files_with_prefix(disk, layout.snap_dir(), "snapshot")?;
    let logs = files_with_prefix(disk, layout.log_dir(), "log")?;
    let before = snapshots.into_iter().rfind(|(zxid, _)| *zxid < newest);
    let needed_from = |snapshot| first_log_needed(logs.iter().map(|(zxid, _)| *zxid), snapshot);
    let needed_so_far = before
        .as_ref()
        .map_or(Zxid::ZERO, |(zxid, _)| needed_from(*zxid));
    let needless = needed_so_far..needed_from(newest);
    let logs = logs.iter().filter(|(zxid, _)| needless.contains(zxid));
    let paths = logs.map(|(_, name)| layout.log_dir().join(name));
    let before = before.map(|(_, name)| layout.snap_dir().join(name));
    Ok(before.into_iter().chain(paths).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SimDisk;

    #[test]
    fn what_lies_between_two_snapshots_is_needless() {
        let layout = Layout::new("/data".as_ref(), "/log".as_ref());
        let table = [
            ("0 5", "1 4 8", 5, "snapshot.0 log.1"),
            // The logs before 5 were given up when that was new.
            ("0 5 c", "1 4 6 8 c d", 0xc, "snapshot.5 log.4 log.6 log.8"),
            ("5 c", "4", 0xc, "snapshot.5"),
            ("5", "1 3 6", 5, "log.1"),
            ("0", "", 0, ""),
        ];
        for (snapshots, logs, newest, expected) in table {
            let disk = SimDisk::new();
            for (dir, prefix, names) in [
                (layout.snap_dir(), "snapshot", snapshots),
                (layout.log_dir(), "log", logs),
            ] {
                disk.create_dir_all(dir).expect("memory takes it");
                for name in names.split_whitespace() {
                    let path = dir.join(format!("{prefix}.{name}"));
                    disk.create(&path).expect("memory takes it");
                }
            }
            let found = superseded(&disk, &layout, Zxid(newest)).expect("it can be listed");
            let names = found.iter().filter_map(|path| path.file_name()?.to_str());
            let names: Vec<_> = names.collect();
            assert_eq!(names.join(" "), expected, "{snapshots:?} {logs:?}");
        }
    }
}
