//! A round of writes in the order of the shell's writer, in two steps: up to the sync, and
//! from there.

use std::sync::Arc;

use replica::{Connection, Now, Ticket};
use storage::StorageError;
use storage::log::writer::record_len;

use super::Server;

/// A round between its sync and its commit.
#[derive(Debug)]
pub(crate) struct Round {
    ticket: Ticket,
    /// The disk had no space: nothing was written.
    pub(crate) refused: bool,
    snapshot_due: bool,
    /// Number of entries that are durable.
    pub(crate) entries: usize,
}

impl Server {
    /// Prepares what came in and what is due, and makes the entries durable. `entries`
    /// gets them before anything is written.
    ///
    /// # Errors
    /// The log can no longer be written; the server must stop.
    pub(crate) fn begin_round(
        &mut self,
        now: Now,
        entries: &mut Vec<Vec<u8>>,
    ) -> Result<Round, StorageError> {
        let submissions = std::mem::take(&mut self.submissions);
        let ticket = self.sequencer.prepare(now, submissions);
        let lens = self
            .sequencer
            .entries()
            .map(|entry| record_len(entry.len()));
        let bytes: u64 = lens.sum();
        let mut round = Round {
            ticket,
            refused: false,
            snapshot_due: false,
            entries: 0,
        };
        if bytes == 0 {
            return Ok(round);
        }
        match self.ensure_room(bytes) {
            Ok(()) => {}
            Err(full) if full.is_storage_full() => {
                round.refused = true;
                return Ok(round);
            }
            Err(error) => return Err(error),
        }
        entries.extend(self.sequencer.entries().map(<[u8]>::to_vec));
        for entry in self.sequencer.entries() {
            self.log.append(entry)?;
            round.snapshot_due |= self.roll.appended(record_len(entry.len()));
            round.entries += 1;
        }
        self.log.commit()?;
        Ok(round)
    }

    /// Applies and answers; returns the connections that have something to send.
    ///
    /// # Errors
    /// As [`Server::begin_round`].
    pub(crate) fn finish_round(
        &mut self,
        round: Round,
        now: Now,
    ) -> Result<Vec<Arc<Connection>>, StorageError> {
        let touched = if round.refused {
            self.sequencer.refuse(round.ticket, now)
        } else {
            self.sequencer.commit(round.ticket, now)
        };
        if round.snapshot_due {
            self.log.roll()?;
            let random = self.random();
            self.roll.restart(random);
            self.start_snapshot();
        }
        if self.roll.file_is_full(self.log.segment_len()) {
            self.log.roll()?;
        }
        self.keep_ahead()?;
        Ok(touched)
    }

    /// Does the extension that was asked for.
    pub(crate) fn extend(&mut self) {
        if let Some(extension) = self.extension.take() {
            self.extended = Some(extension.run());
        }
    }

    fn keep_ahead(&mut self) -> Result<(), StorageError> {
        if let Some(extended) = self.extended.take() {
            self.log.extended(extended)?;
        }
        if let Some(extension) = self.log.extension(self.settings.ahead) {
            assert!(self.extension.is_none(), "one extension at a time");
            self.extension = Some(extension);
        }
        Ok(())
    }

    fn ensure_room(&mut self, bytes: u64) -> Result<(), StorageError> {
        if !self.log.has_room(bytes) && self.log.is_extending() {
            self.extend();
            let extended = self.extended.take();
            self.log.extended(extended.expect("it was under way"))?;
        }
        self.log.ensure_reserved(bytes)
    }
}
