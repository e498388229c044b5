//! Names and places: which file is where under `dataDir` and `dataLogDir`.

use std::path::{Path, PathBuf};

use jute::Zxid;

use crate::disk::Disk;
use crate::error::{StorageError, hex};
use crate::snap::Compression;

/// The subdirectory that carries the on-disk format's version.
pub const VERSION_DIR: &str = "version-2";
/// A marker that allows an empty database; looked for beside the log's version directory.
pub const INITIALIZE: &str = "initialize";
/// A prepared log file that has no name yet. Not `log.*`, so no ZooKeeper tool takes it for a log.
pub(crate) const NEXT_LOG: &str = "next-log.tmp";
/// Prefix of a snapshot being written. Not `snapshot.*`, for the same reason.
pub(crate) const UNFINISHED_SNAPSHOT: &str = "unfinished-snapshot.";

/// Prefix of a log behind a snapshot that is being received. Not `log.*`, for the same reason.
pub(crate) const UNFINISHED_LOG: &str = "unfinished-log.";

/// What stands before the first zxid of a log that is whole and goes with a received snapshot. Not
/// `log.*`: it counts only if that snapshot's name says so.
pub(crate) const RECEIVED_LOG: &str = "received-log";

/// What stands before the first zxid of the log that goes with a received snapshot, in the name of
/// the latter.
const LOG_BEHIND: &str = "log-";

/// What stands before the zxid of a snapshot that came from a leader and is about to replace
/// everything else. Not `snapshot.*`: it counts before it has that name, but only for us.
pub(crate) const RECEIVED_SNAPSHOT: &str = "received-snapshot";

/// The two `version-2` directories; they may be the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    snap_dir: PathBuf,
    log_dir: PathBuf,
    log_parent: PathBuf,
    snap_parent: PathBuf,
}

impl Layout {
    /// From the configuration's `dataDir` and `dataLogDir` (the same as `dataDir` when not set).
    pub fn new(data_dir: &Path, data_log_dir: &Path) -> Self {
        Self {
            snap_dir: data_dir.join(VERSION_DIR),
            log_dir: data_log_dir.join(VERSION_DIR),
            log_parent: data_log_dir.to_path_buf(),
            snap_parent: data_dir.to_path_buf(),
        }
    }

    /// Where snapshots and epoch files live.
    pub fn snap_dir(&self) -> &Path {
        &self.snap_dir
    }

    /// Where log files live.
    pub fn log_dir(&self) -> &Path {
        &self.log_dir
    }

    /// The `initialize` marker.
    pub fn initialize(&self) -> PathBuf {
        self.log_parent.join(INITIALIZE)
    }

    /// Makes missing directories if `autocreate` allows it, and refuses directories whose contents
    /// are swapped.
    pub fn prepare(&self, disk: &dyn Disk, autocreate: bool) -> Result<(), StorageError> {
        for (dir, parent) in [
            (&self.snap_dir, &self.snap_parent),
            (&self.log_dir, &self.log_parent),
        ] {
            if disk.exists(dir).map_err(StorageError::io("look at", dir))? {
                continue;
            }
            if !autocreate {
                return Err(StorageError::MissingDirectory { dir: dir.clone() });
            }
            disk.create_dir_all(dir)
                .map_err(StorageError::io("create", dir))?;
            disk.sync_dir(parent)
                .map_err(StorageError::io("sync", parent))?;
        }
        if self.snap_dir == self.log_dir {
            return Ok(());
        }
        refuse_misplaced(disk, &self.log_dir, "log", "snapshot", "snapshot.")?;
        refuse_misplaced(disk, &self.snap_dir, "snapshot", "log", "log.")
    }
}

fn refuse_misplaced(
    disk: &dyn Disk,
    dir: &Path,
    holder: &'static str,
    owner: &'static str,
    prefix: &str,
) -> Result<(), StorageError> {
    let names = disk.list(dir).map_err(StorageError::io("list", dir))?;
    match names
        .into_iter()
        .filter(|name| name.starts_with(prefix))
        .min()
    {
        None => Ok(()),
        Some(name) => Err(StorageError::Misplaced {
            holder,
            owner,
            dir: dir.to_path_buf(),
            name,
        }),
    }
}

/// The name of the log file whose first record is `zxid`.
pub fn log_name(zxid: Zxid) -> String {
    format!("log.{}", hex(zxid))
}

/// The name of the snapshot taken at `zxid`.
pub fn snapshot_name(zxid: Zxid, compression: Compression) -> String {
    format!("snapshot.{}{}", hex(zxid), compression.suffix())
}

/// The name of a received snapshot before it has replaced everything else. `behind` is the first
/// transaction of the log that goes with it, if there is one.
pub(crate) fn received_snapshot_name(
    zxid: Zxid,
    behind: Option<Zxid>,
    compression: Compression,
) -> String {
    let log = behind.map_or_else(String::new, |first| format!(".{LOG_BEHIND}{}", hex(first)));
    let (zxid, suffix) = (hex(zxid), compression.suffix());
    format!("{RECEIVED_SNAPSHOT}.{zxid}{log}{suffix}")
}

/// The name of a log that goes with a received snapshot, before that has replaced everything else.
pub(crate) fn received_log_name(first: Zxid) -> String {
    format!("{RECEIVED_LOG}.{}", hex(first))
}

/// The first transaction of the log that goes with a received snapshot, by the name of the latter.
pub(crate) fn log_behind(received_snapshot: &str) -> Option<Zxid> {
    let mut parts = received_snapshot.split('.');
    zxid_of_digits(parts.find_map(|part| part.strip_prefix(LOG_BEHIND))?)
}

/// The name of a received snapshot when it has replaced everything else.
pub(crate) fn adopted_snapshot_name(received_snapshot: &str) -> String {
    let parts = received_snapshot.split('.').skip(1);
    let kept = parts.filter(|part| !part.starts_with(LOG_BEHIND));
    let parts: Vec<_> = std::iter::once("snapshot").chain(kept).collect();
    parts.join(".")
}

/// The zxid in a file name such as `log.1f` or `snapshot.1f.gz`, when the part before the first dot
/// is `prefix`.
pub fn zxid_in_name(name: &str, prefix: &str) -> Option<Zxid> {
    let mut parts = name.split('.');
    if parts.next() != Some(prefix) {
        return None;
    }
    zxid_of_digits(parts.next()?)
}

fn zxid_of_digits(digits: &str) -> Option<Zxid> {
    // `from_str_radix` alone would take a sign, which no ZooKeeper writes.
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u64::from_str_radix(digits, 16)
        .ok()
        .map(|bits| Zxid(bits as i64))
}

/// The files of `dir` whose name has `prefix` and a zxid, ordered by that zxid, then by name.
pub(crate) fn files_with_prefix(
    disk: &dyn Disk,
    dir: &Path,
    prefix: &str,
) -> Result<Vec<(Zxid, String)>, StorageError> {
    let names = disk.list(dir).map_err(StorageError::io("list", dir))?;
    let mut files: Vec<_> = names
        .into_iter()
        .filter_map(|name| zxid_in_name(&name, prefix).map(|zxid| (zxid, name)))
        .collect();
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_zookeeper() {
        let table: [(&str, &str, Option<i64>); 11] = [
            ("log.0", "log", Some(0)),
            ("log.1000001cf", "log", Some(0x1_0000_01cf)),
            ("snapshot.1f.gz", "snapshot", Some(0x1f)),
            ("snapshot.1f.snappy", "snapshot", Some(0x1f)),
            ("log.ffffffffffffffff", "log", Some(-1)),
            ("log.1ffffffffffffffff", "log", None),
            ("log.", "log", None),
            ("log", "log", None),
            ("log.+1", "log", None),
            ("next-log.tmp", "log", None),
            ("unfinished-snapshot.1f", "snapshot", None),
        ];
        for (name, prefix, expected) in table {
            let found = zxid_in_name(name, prefix);
            // An empty digit string must not parse as zero.
            assert_eq!(found.map(|zxid| zxid.0), expected, "{name}");
        }
        assert_eq!(log_name(Zxid(0x1_0000_01cf)), "log.1000001cf");
        assert_eq!(snapshot_name(Zxid(31), Compression::Gz), "snapshot.1f.gz");
    }

    #[test]
    fn names_of_what_is_received() {
        let table = [
            (
                None,
                Compression::None,
                "received-snapshot.1f",
                "snapshot.1f",
            ),
            (
                Some(Zxid(0x20)),
                Compression::None,
                "received-snapshot.1f.log-20",
                "snapshot.1f",
            ),
            (
                Some(Zxid(0x1_0000_0001)),
                Compression::Gz,
                "received-snapshot.1f.log-100000001.gz",
                "snapshot.1f.gz",
            ),
        ];
        for (behind, compression, received, adopted) in table {
            let name = received_snapshot_name(Zxid(31), behind, compression);
            assert_eq!(name, received);
            assert_eq!(zxid_in_name(&name, RECEIVED_SNAPSHOT), Some(Zxid(31)));
            assert_eq!(Compression::of_name(&name), compression);
            assert_eq!(log_behind(&name), behind);
            assert_eq!(adopted_snapshot_name(&name), adopted);
        }
        assert_eq!(received_log_name(Zxid(32)), "received-log.20");
    }
}
