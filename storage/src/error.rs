//! What can go wrong on disk, worded for the person who has to repair it.

use std::io;
use std::path::{Path, PathBuf};

use jute::Zxid;

/// A caller's refusal to take a decoded piece (a session, an ACL, a node, a log entry), with its
/// reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Rejected(pub String);

impl Rejected {
    /// A refusal for this reason.
    pub fn new(reason: impl std::fmt::Display) -> Self {
        Self(reason.to_string())
    }
}

/// A storage failure. Every message names the file and, where there is one, the offset, and says
/// what can be done.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The operating system refused an operation.
    #[error("cannot {action} {}: {source}{}", path.display(), advice(source))]
    Io {
        /// What was tried, as a verb phrase.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A write or sync of this log failed earlier; what reached the disk is unknown, so nothing
    /// more is written.
    #[error("log in {} failed earlier and takes no more records; restart the server to recover from disk", dir.display())]
    Poisoned {
        /// The log directory.
        dir: PathBuf,
    },
    /// An entry that readers of this log would refuse.
    #[error(
        "log entry of {len} bytes exceeds the limit of {len_max} (jute.maxbuffer + extra size); raise jute.maxbuffer"
    )]
    EntryTooLong {
        /// Length of the entry in bytes.
        len: usize,
        /// The limit in bytes.
        len_max: usize,
    },
    /// Log bytes that no crash of a writer explains.
    #[error(
        "log file {} is damaged at offset {offset}: {found}; nothing was changed. Restore the file from a backup, or let \
         this server copy the data from the ensemble by moving its version-2 directories away, or, if losing every \
         transaction from this record on is acceptable, keep a copy and cut the file to {offset} bytes",
        path.display()
    )]
    DamagedLog {
        /// The log file.
        path: PathBuf,
        /// Start of the record that cannot be read, in bytes from the start of the file.
        offset: u64,
        /// What stands there.
        found: String,
    },
    /// Transactions are missing between two that are present.
    #[error(
        "log file {} continues at offset {offset} with zxid {found:#x}, but the record before it is {previous:#x}: the \
         transactions between them are missing ({context}). Nothing was changed. Put the missing log files or a newer valid \
         snapshot back into place, or let this server copy the data from the ensemble by moving its version-2 directories away",
        path.display()
    )]
    Hole {
        /// The file in which the gap shows.
        path: PathBuf,
        /// Start of the record after the gap.
        offset: u64,
        /// The last zxid before the gap.
        previous: i64,
        /// The first zxid after the gap.
        found: i64,
        /// What preceded: the snapshot, or the end of an earlier file.
        context: String,
    },
    /// A record that goes back to a zxid which the history already has, with different content.
    #[error(
        "log file {} holds zxid {found:#x} at offset {offset} after zxid {previous:#x}, and it is no copy of an earlier record. \
         Nothing was changed. Two servers may have written to this directory: restore it from a backup or from the ensemble",
        path.display()
    )]
    OutOfOrder {
        /// The log file.
        path: PathBuf,
        /// Start of the record.
        offset: u64,
        /// The zxid before it.
        previous: i64,
        /// The zxid of the record.
        found: i64,
    },
    /// The caller could not take a log entry whose checksum is right.
    #[error(
        "log file {}: the record at offset {offset} (zxid {zxid:#x}) has a right checksum but cannot be used: {reason}. Nothing \
         was changed. It may have been written by a newer version: start that version, or restore the directory from a backup",
        path.display()
    )]
    RejectedEntry {
        /// The log file.
        path: PathBuf,
        /// Start of the record.
        offset: u64,
        /// Its zxid.
        zxid: i64,
        /// The caller's reason.
        reason: Rejected,
    },
    /// A snapshot that cannot be used.
    #[error("snapshot {} is not usable: at offset {offset}: {found}; restore it from a backup or remove it so that an older one is taken", path.display())]
    BadSnapshot {
        /// The snapshot file.
        path: PathBuf,
        /// Where in the uncompressed stream.
        offset: u64,
        /// What is wrong.
        found: String,
    },
    /// There are snapshots, and none of them loads.
    #[error(
        "none of the {count} snapshots in {} can be loaded, the newest for this reason: {newest}. Restore a snapshot from a \
         backup, or let this server copy the data from the ensemble by moving its version-2 directories away",
        dir.display()
    )]
    NoUsableSnapshot {
        /// The snapshot directory.
        dir: PathBuf,
        /// How many were tried.
        count: usize,
        /// Why the newest was refused.
        newest: Box<Self>,
    },
    /// A state is to be loaded again, and there is nothing that it could be built on.
    #[error("no snapshot in {} can be loaded and ends at or before zxid {upto:#x}{why}", dir.display())]
    NothingBelow {
        /// The snapshot directory.
        dir: PathBuf,
        /// The last zxid wanted.
        upto: i64,
        /// What is wrong with the newest one that was tried.
        why: String,
    },
    /// The log has entries but nothing says what they build on.
    #[error(
        "no snapshot found in {}, but there are log entries in {}; restore the snapshots, or set snapshot.trust.empty=true \
         once if the log is complete from the first transaction on",
        snap_dir.display(),
        log_dir.display()
    )]
    LogWithoutSnapshot {
        /// The snapshot directory.
        snap_dir: PathBuf,
        /// The log directory.
        log_dir: PathBuf,
    },
    /// A file of one kind in the directory of the other, while dataDir and dataLogDir differ.
    #[error("{} directory {} contains {name}; move it to the {} directory, or check that dataDir and dataLogDir are not swapped", holder, dir.display(), owner)]
    Misplaced {
        /// "log" or "snapshot": the directory's purpose.
        holder: &'static str,
        /// Where the file belongs.
        owner: &'static str,
        /// The directory.
        dir: PathBuf,
        /// The file.
        name: String,
    },
    /// A data directory is missing and may not be made.
    #[error("directory {} is missing and zookeeper.datadir.autocreate is false; create it or allow its creation", dir.display())]
    MissingDirectory {
        /// The directory.
        dir: PathBuf,
    },
    /// An epoch file, or the pair of them, that contradicts the history.
    #[error("{}: {found}. Nothing was changed. Restore the epoch files together with the log, or let this server copy the data from the ensemble by moving its version-2 directories away", path.display())]
    Epoch {
        /// The epoch file.
        path: PathBuf,
        /// What is wrong with it.
        found: String,
    },
    /// A configuration file, static or dynamic, that cannot be used.
    #[error("configuration file {}: {found}. Nothing was changed. Correct the file, or copy that of a server which has the same configuration", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        found: String,
    },
}

impl StorageError {
    /// Wraps an I/O error; shaped for `map_err`.
    pub fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Io {
            action,
            path: path.to_path_buf(),
            source,
        }
    }

    /// Whether the disk is full, which refuses writes but ends nothing.
    pub fn is_storage_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull)
    }
}

fn advice(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull => "; free some space or enlarge the file system",
        io::ErrorKind::PermissionDenied => {
            "; check the owner and the permissions of the data directories"
        }
        io::ErrorKind::NotFound => "; check dataDir and dataLogDir",
        _ => "; check the disk and the system log",
    }
}

/// Lower-case hexadecimal without padding, as in file names.
pub(crate) fn hex(zxid: Zxid) -> String {
    format!("{:x}", zxid.0)
}
