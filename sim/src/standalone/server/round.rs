//! Rounds of writes in the order of the shell's pipeline, in three steps between which
//! anything may happen: prepare, write and sync, commit.

use std::sync::Arc;

use replica::{Connection, Entries, Now, Ticket};
use storage::StorageError;
use storage::log::writer::record_len;

use super::Server;

/// What one sync of the log has made durable.
#[derive(Debug, Default)]
pub(crate) struct Written {
    rounds: Vec<Ticket>,
    /// The disk had no space for this round: nothing of it, nor of those behind, was written.
    refused: Option<Ticket>,
    snapshot_due: bool,
    /// Number of entries that are durable.
    pub(crate) entries: usize,
}

impl Written {
    pub(crate) fn is_refused(&self) -> bool {
        self.refused.is_some()
    }

    pub(crate) fn rounds(&self) -> usize {
        self.rounds.len()
    }
}

impl Server {
    /// Is every round that was prepared committed?
    pub(crate) fn is_at_rest(&self) -> bool {
        self.sequencer.outstanding() == 0
    }

    /// Number of rounds that are neither committed nor refused.
    pub(crate) fn outstanding(&self) -> usize {
        self.sequencer.outstanding()
    }

    /// Prepares a round of what came in and what is due, and leaves it to the log.
    pub(crate) fn prepare_round(&mut self, now: Now) -> Arc<Entries> {
        let submissions = std::mem::take(&mut self.submissions);
        let batch = self.sequencer.prepare(now, submissions);
        let entries = Arc::clone(&batch.entries);
        if !self.refusing {
            self.with_log.push(batch);
        }
        entries
    }

    /// Writes what is with the log, and syncs once. `entries` gets it before anything is
    /// written.
    ///
    /// # Errors
    /// The log can no longer be written; the server must stop.
    pub(crate) fn write_log(
        &mut self,
        entries: &mut Vec<Vec<u8>>,
    ) -> Result<Written, StorageError> {
        let mut written = Written::default();
        for batch in std::mem::take(&mut self.with_log) {
            let lens = batch.entries.iter().map(|entry| record_len(entry.len()));
            let bytes: u64 = lens.sum();
            if bytes > 0 && !self.has_space(bytes)? {
                written.refused = Some(batch.ticket);
                self.refusing = true;
                break;
            }
            entries.extend(batch.entries.iter().map(<[u8]>::to_vec));
            for entry in batch.entries.iter() {
                self.log.append(entry)?;
                written.snapshot_due |= self.roll.appended(record_len(entry.len()));
                written.entries += 1;
            }
            written.rounds.push(batch.ticket);
        }
        self.log.commit()?;
        if written.snapshot_due && self.snapshot.is_none() {
            self.log.roll()?;
            let random = self.random();
            self.roll.restart(random);
        } else {
            written.snapshot_due = false;
            if self.roll.file_is_full(self.log.segment_len()) {
                self.log.roll()?;
            }
        }
        self.keep_ahead();
        Ok(written)
    }

    /// Applies and answers; returns the connections that have something to send.
    pub(crate) fn finish_rounds(&mut self, written: Written, now: Now) -> Vec<Arc<Connection>> {
        let mut touched = Vec::new();
        for ticket in written.rounds {
            touched.extend(self.sequencer.commit(ticket, now));
        }
        if let Some(ticket) = written.refused {
            touched.extend(self.sequencer.refuse(ticket, now));
            self.refusing = false;
        }
        if written.snapshot_due {
            self.start_snapshot();
        }
        touched
    }

    /// Prepares the log file that was asked for.
    pub(crate) fn prepare_file(&mut self) {
        if let Some(preparation) = self.preparation.take() {
            self.prepared = Some(preparation.run());
        }
    }

    fn keep_ahead(&mut self) {
        if let Some(prepared) = self.prepared.take() {
            self.log.prepared(prepared);
        }
        if let Some(preparation) = self.log.preparation() {
            assert!(self.preparation.is_none(), "one preparation at a time");
            self.preparation = Some(preparation);
        }
    }

    fn has_space(&mut self, bytes: u64) -> Result<bool, StorageError> {
        if self.log.awaits_preparation() {
            self.wait_for_file();
        }
        let reserved = match self.log.ensure_reserved(bytes) {
            Err(full) if full.is_storage_full() && self.log.is_preparing() => {
                self.wait_for_file();
                self.log.ensure_reserved(bytes)
            }
            reserved => reserved,
        };
        match reserved {
            Err(full) if full.is_storage_full() => Ok(false),
            other => other.map(|()| true),
        }
    }

    fn wait_for_file(&mut self) {
        self.prepare_file();
        let prepared = self.prepared.take();
        self.log.prepared(prepared.expect("it was under way"));
    }
}
