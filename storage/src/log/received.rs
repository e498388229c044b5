//! Stores the transactions that a leader sends behind a tree, as they come in.
//!
//! They become a log file of their own, which goes with the tree. What becomes of both decides
//! [`crate::adopt`].

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use jute::Zxid;

use crate::disk::{Disk, DiskFile};
use crate::error::StorageError;
use crate::layout::{Layout, UNFINISHED_LOG, log_name, received_log_name};
use crate::log::format::{self, HEADER};
use crate::unfinished::{discard, free_name};

/// Records gather until they have so many bytes; then they are written and synced. Large backlogs
/// of unsynced bytes would hold up the syncs of others on the same disk.
const PIECE_BYTES: usize = 256 << 10;

/// A log file on its way in. Dropped before it is adopted it leaves a file that the next start
/// removes.
pub struct ReceivedLog {
    pub(crate) disk: Arc<dyn Disk>,
    dir: PathBuf,
    unfinished: PathBuf,
    file: Box<dyn DiskFile>,
    entry_len_max: usize,
    first: Zxid,
    last: Zxid,
    /// What is not written yet.
    buffer: Vec<u8>,
    /// Bytes before the buffer.
    offset: u64,
}

impl ReceivedLog {
    /// Starts with an entry (TxnHeader, body, digest), the first one behind the tree. None may be
    /// longer than `entry_len_max` bytes.
    ///
    /// # Errors
    /// The file cannot be made, or no reader would take the entry.
    pub fn begin(
        disk: Arc<dyn Disk>,
        layout: &Layout,
        entry_len_max: usize,
        entry: &[u8],
    ) -> Result<Self, StorageError> {
        let first = zxid_of(entry);
        let dir = layout.log_dir().to_path_buf();
        let name = format!("{UNFINISHED_LOG}{}", log_name(first));
        let unfinished = free_name(&dir, &name, disk.as_ref())?;
        let file = disk
            .create(&unfinished)
            .map_err(StorageError::io("create", &unfinished))?;
        let mut log = Self {
            disk,
            dir,
            unfinished,
            file,
            entry_len_max,
            first,
            last: first,
            buffer: HEADER.to_vec(),
            offset: 0,
        };
        log.add(entry).inspect_err(|_| log.remove())?;
        Ok(log)
    }

    /// Adds the next entry.
    ///
    /// # Errors
    /// No reader would take it, or it cannot be stored. The file is removed.
    ///
    /// # Panics
    /// If its zxid is not above the last one: the history has one order.
    pub fn append(mut self, entry: &[u8]) -> Result<Self, StorageError> {
        let zxid = zxid_of(entry);
        assert!(zxid > self.last, "{zxid} received after {}", self.last);
        self.last = zxid;
        self.add(entry).inspect_err(|_| self.remove())?;
        Ok(self)
    }

    /// Gives up and removes what was written.
    pub fn abandon(self) {
        self.remove();
    }

    /// The last entry.
    pub(crate) fn last(&self) -> Zxid {
        self.last
    }

    /// Makes it durable, name included, under the name by which [`crate::adopt`] finds it; returns
    /// the first entry's zxid, which that name has.
    pub(crate) fn finish(mut self) -> Result<Zxid, StorageError> {
        let path = self.dir.join(received_log_name(self.first));
        self.write()
            .map_err(StorageError::io("write to", &self.unfinished))
            .and_then(|()| {
                let named = self.disk.rename(&self.unfinished, &path);
                named.map_err(StorageError::io("name", &path))
            })
            .inspect_err(|_| self.remove())?;
        self.disk
            .sync_dir(&self.dir)
            .map_err(StorageError::io("sync", &self.dir))?;
        Ok(self.first)
    }

    fn add(&mut self, entry: &[u8]) -> Result<(), StorageError> {
        let (len, len_max) = (entry.len(), self.entry_len_max);
        if len > len_max {
            return Err(StorageError::EntryTooLong { len, len_max });
        }
        format::frame(entry, &mut self.buffer);
        if self.buffer.len() < PIECE_BYTES {
            return Ok(());
        }
        self.write()
            .map_err(StorageError::io("write to", &self.unfinished))
    }

    fn write(&mut self) -> io::Result<()> {
        self.file.write_at(self.offset, &self.buffer)?;
        self.file.sync_data()?;
        self.offset += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn remove(&self) {
        discard(self.disk.as_ref(), &self.unfinished);
    }
}

fn zxid_of(entry: &[u8]) -> Zxid {
    Zxid(format::entry_zxid(entry).expect("a log entry starts with a TxnHeader"))
}
