//! Appends to the log: records gather in a buffer, one write and one sync make a batch durable.
//!
//! A new file is prepared under a name that no reader takes for a log (header and first zeros
//! written and synced), and gets its real name with the first record. So a log file with a part of
//! a header never exists, and the space for the next records can be had, or refused, before a write
//! is accepted.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jute::Zxid;

use crate::disk::{Disk, DiskFile};
use crate::error::StorageError;
use crate::layout::{NEXT_LOG, log_name};
use crate::log::format::{self, RECORD_OVERHEAD};
use crate::log::marks::LogMark;
use crate::log::preparation::{Preparation, Prepared, reserve};

/// Most bytes in one batch, not counting the record that makes it full. Recovery relies on it:
/// whole records farther than this behind a broken one belong to a later batch, so the broken one
/// was committed and must not be passed over.
pub const COMMIT_BYTES_MAX: usize = 4 << 20;

/// How space is had before records need it. Cheap syncs need blocks that are already there, and
/// already written on most file systems; which of the two is cheaper on a given one is for the
/// shell to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preallocation {
    /// None: the file grows with each batch.
    Off,
    /// Writes and syncs zeros, `step` bytes at a time.
    ZeroFill {
        /// Bytes per extension, at least 1.
        step: u64,
    },
    /// Asks the file system to reserve, `step` bytes at a time.
    Reserve {
        /// Bytes per extension, at least 1.
        step: u64,
    },
}

impl Preallocation {
    fn step(self) -> Option<u64> {
        match self {
            Self::Off => None,
            Self::ZeroFill { step } | Self::Reserve { step } => Some(step.max(1)),
        }
    }
}

/// The log's settings.
#[derive(Debug, Clone, Copy)]
pub struct LogOptions {
    /// How space is prepared.
    pub preallocation: Preallocation,
    /// Longest file to prepare for what comes next, in bytes.
    pub prepared_len_max: u64,
    /// `forceSync`: when false, a commit returns before the bytes are durable, and a power failure
    /// loses acknowledged writes.
    pub force_sync: bool,
    /// Longest entry in bytes: `jute.maxbuffer` plus the extra size.
    pub entry_len_max: usize,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            preallocation: Preallocation::ZeroFill { step: 4 << 20 },
            prepared_len_max: 64 << 20,
            force_sync: true,
            entry_len_max: 0xf_ffff * 2,
        }
    }
}

/// The end of the log.
///
/// A failed write or sync poisons it: what reached the disk is then unknown, and only a restart
/// finds out.
pub struct LogWriter {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    options: LogOptions,
    /// The file that takes records.
    segment: Option<Segment>,
    /// The zxid in its name.
    segment_first: Zxid,
    /// The prepared next file, still without its name.
    prepared: Option<Segment>,
    buffer: Vec<u8>,
    buffered_first: Option<Zxid>,
    last_zxid: Zxid,
    poisoned: bool,
    /// A [`Preparation`] is under way: until it is handed back nobody else may touch the
    /// file under that name.
    preparing: bool,
    /// There was no space for the last preparation, and none was found since.
    prepared_in_vain: bool,
    /// Length of the next file to prepare, bytes.
    prepared_len: u64,
}

pub(super) struct Segment {
    pub(super) path: PathBuf,
    pub(super) file: Arc<dyn DiskFile>,
    /// End of the records written so far.
    pub(super) position: u64,
    /// End of the space known to be there.
    pub(super) reserved: u64,
}

/// What is left of a writer.
pub(crate) struct Dismantled {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) options: LogOptions,
    pub(crate) last_zxid: Zxid,
}

impl LogWriter {
    /// A writer behind the record `last_zxid`; its first commit starts a new file.
    pub fn new(disk: Arc<dyn Disk>, dir: &Path, options: LogOptions, last_zxid: Zxid) -> Self {
        Self {
            disk,
            dir: dir.to_path_buf(),
            options,
            segment: None,
            segment_first: Zxid::ZERO,
            prepared: None,
            buffer: Vec::new(),
            buffered_first: None,
            last_zxid,
            poisoned: false,
            preparing: false,
            prepared_in_vain: false,
            prepared_len: 0,
        }
    }

    /// Adds an entry (TxnHeader, body, digest) to the batch. It is not durable before
    /// [`LogWriter::commit`] returns.
    ///
    /// A batch that is full is committed first. Panics when the zxid does not grow: the history has
    /// one order.
    pub fn append(&mut self, entry: &[u8]) -> Result<(), StorageError> {
        self.check_alive()?;
        let len_max = self.options.entry_len_max;
        if entry.len() > len_max {
            return Err(StorageError::EntryTooLong {
                len: entry.len(),
                len_max,
            });
        }
        let zxid = Zxid(format::entry_zxid(entry).expect("a log entry starts with a TxnHeader"));
        assert!(
            zxid > self.last_zxid,
            "zxid {:#x} appended after {:#x}",
            zxid.0,
            self.last_zxid.0
        );
        if self.buffer.len() >= COMMIT_BYTES_MAX {
            self.commit()?;
        }
        format::frame(entry, &mut self.buffer);
        self.buffered_first.get_or_insert(zxid);
        self.last_zxid = zxid;
        Ok(())
    }

    /// Makes everything appended so far durable; returns how many bytes that were. Only now may it
    /// be acknowledged.
    pub fn commit(&mut self) -> Result<usize, StorageError> {
        self.check_alive()?;
        let Some(first) = self.buffered_first else {
            return Ok(0);
        };
        let result = self.write_batch(first);
        match result {
            Ok(()) => {
                let count = self.buffer.len();
                self.buffer.clear();
                self.buffered_first = None;
                Ok(count)
            }
            Err(error) => {
                self.poisoned = true;
                Err(error)
            }
        }
    }

    /// Commits what is pending and lets the next record start a new file.
    pub fn roll(&mut self) -> Result<(), StorageError> {
        self.commit()?;
        if let Some(segment) = self.segment.take() {
            if !self.options.force_sync {
                // The next file's name and header are synced in any case: without this a power
                // failure could leave a hole between the files, and no start.
                let synced = segment.file.sync_data();
                self.poisoned |= synced.is_err();
                synced.map_err(StorageError::io("sync", &segment.path))?;
            }
            // The next file will probably take about as much.
            self.prepared_len = segment.position / 4 * 5;
        }
        Ok(())
    }

    /// Makes sure that `bytes` more of records (13 more than its entry each) can be committed
    /// without new space.
    ///
    /// Called before a write is accepted. An error for which [`StorageError::is_storage_full`]
    /// holds means: refuse the write and carry on, the log is intact. Any other error is fatal.
    /// Without preallocation there is nothing to promise.
    ///
    /// A file that is full is followed by the prepared one, where there is one, rather than
    /// extended.
    ///
    /// # Panics
    /// While [`LogWriter::awaits_preparation`].
    pub fn ensure_reserved(&mut self, bytes: u64) -> Result<(), StorageError> {
        self.check_alive()?;
        if self.options.preallocation.step().is_none() || self.has_room(bytes) {
            return Ok(());
        }
        if self.segment.is_some() && self.prepared.is_some() {
            self.follow()?;
        }
        let result = self.reserve_for(self.buffer.len() as u64 + bytes);
        if let Err(error) = &result
            && !error.is_storage_full()
        {
            self.poisoned = true;
        }
        result
    }

    /// Whether `bytes` more of records fit into space that is there already.
    pub fn has_room(&self, bytes: u64) -> bool {
        let segment = self.segment.as_ref().or(self.prepared.as_ref());
        segment.is_some_and(|segment| segment.has_room(self.buffer.len() as u64 + bytes))
    }

    /// A next file to prepare, if there is none. To be run on another thread and handed
    /// back by [`LogWriter::prepared`].
    pub fn preparation(&mut self) -> Option<Preparation> {
        let step = self.options.preallocation.step()?;
        let ready = self.segment.is_none() || self.prepared.is_some();
        if ready || self.preparing || self.prepared_in_vain || self.poisoned {
            return None;
        }
        self.preparing = true;
        let len_max = self.options.prepared_len_max.max(step);
        Some(self.new_file(self.prepared_len.clamp(step, len_max)))
    }

    /// Takes a preparation's outcome. A failure loses nothing, for the file belongs to
    /// nothing yet: it is tried again, with less, after space was found for the current file,
    /// and found again, and reported, when the file is needed.
    pub fn prepared(&mut self, prepared: Prepared) {
        assert!(self.preparing, "each preparation comes back once");
        self.preparing = false;
        match prepared.0 {
            Ok(segment) => self.prepared = Some(segment),
            Err(_) => {
                self.prepared_in_vain = true;
                self.prepared_len = 0;
            }
        }
    }

    /// Is a preparation under way?
    pub fn is_preparing(&self) -> bool {
        self.preparing
    }

    /// Must a preparation that is under way come back before the next record can be
    /// written?
    pub fn awaits_preparation(&self) -> bool {
        self.preparing && self.segment.is_none()
    }

    /// Prepares the next file, so that [`LogWriter::roll`] costs no more than a rename.
    pub fn prepare_next(&mut self) -> Result<(), StorageError> {
        self.check_alive()?;
        if self.prepared.is_none() {
            assert!(!self.preparing, "the name belongs to a preparation");
            let step = self.options.preallocation.step().unwrap_or(0);
            self.prepared = Some(self.new_file(step).run().0?);
            self.prepared_in_vain = false;
        }
        Ok(())
    }

    /// Ends the writer, so that its files may be cut or removed. Nothing may wait for a commit, and
    /// no [`Preparation`] may be under way: the next writer makes a file of that name again.
    pub(crate) fn dismantle(self) -> Result<Dismantled, StorageError> {
        self.check_alive()?;
        assert!(!self.is_dirty(), "records wait for a commit");
        assert!(!self.preparing, "a preparation comes back first");
        Ok(Dismantled {
            disk: self.disk,
            options: self.options,
            last_zxid: self.last_zxid,
        })
    }

    /// The zxid appended last.
    pub fn last_zxid(&self) -> Zxid {
        self.last_zxid
    }

    /// Whether records wait for a commit.
    pub fn is_dirty(&self) -> bool {
        self.buffered_first.is_some()
    }

    /// End of the records in the current file, in bytes; 0 when the next record starts a new one.
    pub fn segment_len(&self) -> u64 {
        self.segment.as_ref().map_or(0, |segment| segment.position)
    }

    /// The end of what is committed, unless more waits for a commit or for a file.
    pub fn mark(&self) -> Option<LogMark> {
        let segment = self.segment.as_ref().filter(|_| !self.is_dirty())?;
        Some(LogMark {
            behind: self.last_zxid,
            file: self.segment_first,
            offset: segment.position,
        })
    }

    fn check_alive(&self) -> Result<(), StorageError> {
        if self.poisoned {
            return Err(StorageError::Poisoned {
                dir: self.dir.clone(),
            });
        }
        Ok(())
    }

    fn write_batch(&mut self, first: Zxid) -> Result<(), StorageError> {
        self.open_segment(first)?;
        self.reserve_for(self.buffer.len() as u64)?;
        let segment = self.segment.as_mut().expect("opened above");
        // Behind the position there is nothing, or the zeros that were prepared, as a durable write
        // asks.
        let written = match self.options.force_sync {
            true => segment
                .file
                .write_durable_at(segment.position, &self.buffer),
            false => segment.file.write_at(segment.position, &self.buffer),
        };
        written.map_err(StorageError::io("write to", &segment.path))?;
        segment.position += self.buffer.len() as u64;
        segment.reserved = segment.reserved.max(segment.position);
        Ok(())
    }

    /// Gives the prepared file the name of its first record.
    fn open_segment(&mut self, first: Zxid) -> Result<(), StorageError> {
        if self.segment.is_some() {
            return Ok(());
        }
        self.prepare_next()?;
        let mut segment = self.prepared.take().expect("prepared above");
        let path = self.dir.join(log_name(first));
        self.disk
            .rename(&segment.path, &path)
            .map_err(StorageError::io("name", &path))?;
        // A record in a file whose name is lost would be lost with it.
        self.disk
            .sync_dir(&self.dir)
            .map_err(StorageError::io("sync", &self.dir))?;
        segment.path = path;
        self.segment = Some(segment);
        self.segment_first = first;
        Ok(())
    }

    fn new_file(&self, len: u64) -> Preparation {
        Preparation {
            disk: Arc::clone(&self.disk),
            path: self.dir.join(NEXT_LOG),
            preallocation: self.options.preallocation,
            len,
        }
    }

    fn reserve_for(&mut self, bytes: u64) -> Result<(), StorageError> {
        let preallocation = self.options.preallocation;
        let Some(step) = preallocation.step() else {
            return Ok(());
        };
        if self.segment.is_none() {
            self.prepare_next()?;
        }
        let segment = self.segment.as_mut().or(self.prepared.as_mut());
        let segment = segment.expect("prepared above");
        if segment.has_room(bytes) {
            return Ok(());
        }
        let missing = segment.position + bytes - segment.reserved;
        segment
            .extend(preallocation, missing.next_multiple_of(step))
            .map_err(StorageError::io("reserve space in", &segment.path))?;
        self.prepared_in_vain = false;
        Ok(())
    }

    /// Leaves a full file for the prepared one, and prepares longer ones from now on.
    fn follow(&mut self) -> Result<(), StorageError> {
        let len = self.segment.as_ref().map_or(0, |segment| segment.reserved);
        self.roll()?;
        self.prepared_len = len * 2;
        Ok(())
    }
}

impl Segment {
    fn has_room(&self, bytes: u64) -> bool {
        self.position + bytes <= self.reserved
    }

    /// Adds `len` bytes of space. On failure the space known before stays known: zeros
    /// behind the records harm nobody.
    pub(super) fn extend(&mut self, preallocation: Preallocation, len: u64) -> io::Result<()> {
        let until = self.reserved + len;
        reserve(self.file.as_ref(), preallocation, self.reserved, until)?;
        self.reserved = until;
        Ok(())
    }
}

/// The bytes that an entry of `entry_len` takes in the log.
pub fn record_len(entry_len: usize) -> u64 {
    (entry_len + RECORD_OVERHEAD) as u64
}
