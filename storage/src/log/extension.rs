//! Extends a log file while records are still being written to its front.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::DiskFile;
use crate::error::StorageError;
use crate::log::writer::Preallocation;

/// Zeros are written and synced in pieces of so many bytes: the syncs of the records wait
/// for what the same disk was given before.
const PIECE_BYTES: u64 = 1 << 20;

/// Space to be had for a log file, on any thread.
///
/// It touches only bytes behind the space that the [`LogWriter`](super::LogWriter) knows of,
/// and the writer puts nothing there before the outcome is handed back to it.
pub struct Extension {
    pub(super) path: PathBuf,
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) preallocation: Preallocation,
    pub(super) from: u64,
    pub(super) until: u64,
}

/// What became of an [`Extension`].
#[derive(Debug)]
pub struct Extended {
    pub(super) path: PathBuf,
    pub(super) outcome: Result<u64, StorageError>,
}

impl Extension {
    /// Reserves the space and makes it durable.
    pub fn run(self) -> Extended {
        let reserved = reserve(
            self.file.as_ref(),
            self.preallocation,
            self.from,
            self.until,
        );
        Extended {
            outcome: reserved
                .map(|()| self.until)
                .map_err(StorageError::io("reserve space in", &self.path)),
            path: self.path,
        }
    }
}

impl Extended {
    /// The file it was for.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Makes the bytes between `from` and `until` there and durable, sizes and block lists
/// included, so that a commit into them has only its own bytes to sync.
pub(super) fn reserve(
    file: &dyn DiskFile,
    preallocation: Preallocation,
    from: u64,
    until: u64,
) -> io::Result<()> {
    match preallocation {
        Preallocation::Off => return Ok(()),
        Preallocation::Reserve { .. } => file.allocate(from, until - from)?,
        Preallocation::ZeroFill { .. } => {
            let zeros = vec![0; PIECE_BYTES.min(until - from) as usize];
            let mut at = from;
            while at < until {
                let count = (until - at).min(PIECE_BYTES);
                file.write_at(at, &zeros[..count as usize])?;
                file.sync_data()?;
                at += count;
            }
            return Ok(());
        }
    }
    file.sync_data()
}
