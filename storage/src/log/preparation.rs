//! Makes the next log file ready while records are still being written to the current one.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::disk::{Disk, DiskFile};
use crate::error::StorageError;
use crate::log::format::HEADER;
use crate::log::writer::{Preallocation, Segment};

/// A file to prepare, on any thread: with a header and space for records, under a name that
/// no reader takes for a log.
///
/// It is another file than the one that takes records, because a sync waits for everything
/// that its file was given, and for the journal when its file has got new blocks.
pub struct Preparation {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) path: PathBuf,
    pub(super) preallocation: Preallocation,
    /// Bytes of space behind the header.
    pub(super) len: u64,
}

/// What became of a [`Preparation`].
pub struct Prepared(pub(super) Result<Segment, StorageError>);

impl Prepared {
    /// Why there is no such file. Nothing is lost by it: see [`LogWriter::prepared`].
    ///
    /// [`LogWriter::prepared`]: super::LogWriter::prepared
    pub fn failure(&self) -> Option<&StorageError> {
        self.0.as_ref().err()
    }
}

impl Preparation {
    /// Makes the file and its space durable.
    pub fn run(self) -> Prepared {
        Prepared(self.create().map_err(|source| {
            // Best effort: a leftover is removed at the next start as well.
            let _ = self.disk.remove(&self.path);
            StorageError::Io {
                action: "prepare a log file at",
                path: self.path.clone(),
                source,
            }
        }))
    }

    fn create(&self) -> io::Result<Segment> {
        let file: Arc<dyn DiskFile> = self.disk.create(&self.path)?.into();
        file.write_at(0, &HEADER)?;
        let mut segment = Segment {
            path: self.path.clone(),
            file,
            position: HEADER.len() as u64,
            reserved: HEADER.len() as u64,
        };
        segment.extend(self.preallocation, self.len)?;
        // The header must be there before the name is: half a header stops an Apache server.
        segment.file.sync_data()?;
        Ok(segment)
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
        Preallocation::Off => Ok(()),
        Preallocation::Reserve { .. } => {
            file.allocate(from, until - from)?;
            file.sync_data()
        }
        Preallocation::ZeroFill { .. } => file.zero_fill(from, until),
    }
}
