//! The log's end: reservations, batches, what is prepared ahead, and the count towards the next
//! snapshot.

use storage::log::writer::record_len;
use storage::{LogWriter, RollPolicy, StorageError};

use crate::preparer::FilePreparer;

/// Appends, syncs, rolls, and prepares what comes next.
///
/// An appended entry stands in memory until [`LogEnd::sync`] writes the batch and makes it durable
/// in one step ([`storage::DiskFile::write_durable_at`]); a batch that has grown to
/// [`storage::log::writer::COMMIT_BYTES_MAX`] is synced before the next entry is appended.
pub struct LogEnd {
    writer: LogWriter,
    preparer: Box<dyn FilePreparer>,
    roll: RollPolicy,
    due: bool,
}

impl LogEnd {
    /// Goes on behind what `writer` has written.
    pub fn new(writer: LogWriter, preparer: Box<dyn FilePreparer>, roll: RollPolicy) -> Self {
        Self {
            writer,
            preparer,
            roll,
            due: false,
        }
    }

    /// The writer, to look at.
    pub fn writer(&self) -> &LogWriter {
        &self.writer
    }

    /// Has the file for the first entry ready, which no client should wait for. Without space the
    /// first reservation is refused.
    ///
    /// # Errors
    /// Any other failure.
    pub fn prepare(&mut self) -> Result<(), StorageError> {
        if self.writer.segment_len() > 0 || self.writer.awaits_preparation() {
            return Ok(());
        }
        match self.writer.prepare_next() {
            Err(error) if !error.is_storage_full() => Err(error),
            _ => Ok(()),
        }
    }

    /// Makes sure that there is space for `bytes` of records ([`record_len`]) behind what is
    /// appended. Waits for a preparation only if there is no other file, or the preparation has the
    /// last space of the disk.
    ///
    /// # Errors
    /// [`StorageError::is_storage_full`]: nothing is broken. Any other: the log takes nothing more.
    pub fn reserve(&mut self, bytes: u64) -> Result<(), StorageError> {
        if self.writer.awaits_preparation() {
            self.recall();
        }
        match self.writer.ensure_reserved(bytes) {
            Err(full) if full.is_storage_full() && self.writer.is_preparing() => {
                self.recall();
                self.writer.ensure_reserved(bytes)
            }
            reserved => reserved,
        }
    }

    /// Adds an entry to the batch. Not durable before [`LogEnd::sync`] returns.
    ///
    /// # Errors
    /// An entry that no reader would take; a batch that could not be written.
    pub fn append(&mut self, entry: &[u8]) -> Result<(), StorageError> {
        if self.writer.awaits_preparation() {
            self.recall();
        }
        self.writer.append(entry)?;
        self.due |= self.roll.appended(record_len(entry.len()));
        Ok(())
    }

    /// Makes everything appended so far durable; returns how many bytes were still to be written.
    ///
    /// # Errors
    /// What reached the disk is unknown then.
    pub fn sync(&mut self) -> Result<usize, StorageError> {
        if self.writer.awaits_preparation() && self.writer.is_dirty() {
            self.recall();
        }
        self.writer.commit()
    }

    /// Whether enough was appended since the last snapshot began (`snapCount`,
    /// `snapSizeLimitInKb`).
    pub fn is_snapshot_due(&self) -> bool {
        self.due
    }

    /// A snapshot begins: what comes next goes to a new file, and is counted anew. `random`
    /// scatters the next one.
    ///
    /// # Errors
    /// As [`LogEnd::sync`].
    pub fn begin_snapshot(&mut self, random: [u64; 2]) -> Result<(), StorageError> {
        self.sync()?;
        self.writer.roll()?;
        self.roll.restart(random);
        self.due = false;
        Ok(())
    }

    /// After a sync: leaves a file that has grown past `txnLogSizeLimitInKb`, takes a preparation
    /// that is done, starts one that is due.
    ///
    /// # Errors
    /// As [`LogEnd::sync`].
    pub fn keep_ahead(&mut self) -> Result<(), StorageError> {
        if self.roll.file_is_full(self.writer.segment_len()) {
            self.writer.roll()?;
        }
        if self.writer.is_preparing()
            && let Some(prepared) = self.preparer.poll()
        {
            self.writer.prepared(prepared);
        }
        if self.preparer.is_ahead()
            && let Some(preparation) = self.writer.preparation()
        {
            self.preparer.start(preparation);
        }
        Ok(())
    }

    /// Changes files behind the log's back: `change` gets the writer and returns the one that goes
    /// on.
    ///
    /// # Errors
    /// Those of `change`; the log is gone then.
    ///
    /// # Panics
    /// If anything waits for a sync.
    pub(crate) fn replace<T>(
        mut self,
        change: impl FnOnce(LogWriter) -> Result<(LogWriter, T), StorageError>,
    ) -> Result<(Self, T), StorageError> {
        // The next writer makes a file of the same name.
        if self.writer.is_preparing() {
            self.recall();
        }
        let (writer, outcome) = change(self.writer)?;
        let Self {
            preparer,
            roll,
            due,
            ..
        } = self;
        let replaced = Self {
            writer,
            preparer,
            roll,
            due,
        };
        Ok((replaced, outcome))
    }

    /// Waits for the preparation that is under way.
    fn recall(&mut self) {
        let prepared = self.preparer.wait();
        self.writer.prepared(prepared);
    }
}
