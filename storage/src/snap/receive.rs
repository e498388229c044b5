//! Stores the tree that a leader sends as a snapshot file, piece by piece as it comes in.
//!
//! The file's bytes are those of the wire between a header and seals of our own, so nothing is
//! encoded again. What becomes of a complete one decides [`crate::adopt`].

use std::path::PathBuf;
use std::sync::Arc;

use jute::Zxid;
use jute::quorum::snap::{SIGNATURE_LEN, decode_signature};
use jute::wire::{Limits, Reader};

use crate::disk::Disk;
use crate::error::{Rejected, StorageError};
use crate::layout::Layout;
use crate::snap::body::{BodyReader, SnapshotSink};
use crate::snap::format::{TERMINATOR, Trailer};
use crate::snap::writer::{SnapshotOptions, SnapshotWriter};

/// Most bytes of a tree.
const SNAPSHOT_BYTES_MAX: u64 = 64 << 30;

/// Why a tree cannot be received.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// The bytes are no tree. The leader or the connection is at fault: nothing of it may be used.
    #[error("the leader's tree is broken at offset {offset}: {reason}")]
    Malformed {
        /// Where, in bytes from its start.
        offset: u64,
        /// What is wrong.
        reason: Rejected,
    },
    /// The own disk failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A tree on its way in. Dropped before it is complete it leaves a file that the next start
/// removes.
pub struct SnapshotReceiver {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) zxid: Zxid,
    writer: SnapshotWriter,
    body: BodyReader,
    limits: Limits,
    /// Bytes of a piece that is still incomplete.
    pending: Vec<u8>,
    /// Bytes before `pending`.
    offset: u64,
    complete: bool,
}

impl SnapshotReceiver {
    /// Starts with the tree that holds every effect up to `zxid`.
    pub fn begin(
        disk: Arc<dyn Disk>,
        layout: &Layout,
        zxid: Zxid,
        options: SnapshotOptions,
        limits: Limits,
    ) -> Result<Self, StorageError> {
        let writer =
            SnapshotWriter::begin_raw(Arc::clone(&disk), layout.snap_dir(), zxid, options)?;
        Ok(Self {
            disk,
            zxid,
            writer,
            body: BodyReader::new(limits),
            limits,
            pending: Vec::new(),
            offset: 0,
            complete: false,
        })
    }

    /// Takes the next bytes of the stream; whole pieces go to `sink` and into the file. `None`
    /// while more must come; at the end of the tree, how many of `bytes` belonged to it. What
    /// follows them are packets.
    ///
    /// No more than one incomplete piece is held in memory.
    ///
    /// # Panics
    /// If the tree is complete already.
    pub fn take(
        &mut self,
        bytes: &[u8],
        sink: &mut impl SnapshotSink,
    ) -> Result<Option<usize>, ReceiveError> {
        assert!(!self.complete, "nothing belongs to a complete tree");
        self.pending.extend_from_slice(bytes);
        let taken = self.body.take(&self.pending, sink);
        let taken = taken.map_err(|bad| self.malformed(bad.offset, bad.reason))?;
        if !self.body.is_done() {
            self.store(taken, taken)?;
            if self.pending.len() > self.body.piece_len_max() {
                let reason = Rejected("a record longer than any may be".to_owned());
                return Err(self.malformed(0, reason));
            }
            return Ok(None);
        }
        if taken > 0 {
            // The writer adds the end itself.
            self.store(taken, taken - TERMINATOR.len())?;
        }
        if self.pending.len() < SIGNATURE_LEN {
            return Ok(None);
        }
        let mut reader = Reader::new(&self.pending, self.limits);
        decode_signature(&mut reader)
            .map_err(|error| self.malformed(0, Rejected(error.to_string())))?;
        let behind = reader.remaining();
        assert!(
            behind <= bytes.len(),
            "what came before the last bytes was incomplete"
        );
        self.complete = true;
        Ok(Some(bytes.len() - behind))
    }

    /// Writes the first `stored` of the first `taken` pending bytes, and forgets the latter.
    fn store(&mut self, taken: usize, stored: usize) -> Result<(), ReceiveError> {
        self.offset += taken as u64;
        if self.offset > SNAPSHOT_BYTES_MAX {
            let reason = Rejected(format!("more than {SNAPSHOT_BYTES_MAX} bytes"));
            return Err(self.malformed(0, reason));
        }
        self.writer.raw(&self.pending[..stored])?;
        self.pending.drain(..taken);
        Ok(())
    }

    fn malformed(&self, offset: usize, reason: Rejected) -> ReceiveError {
        ReceiveError::Malformed {
            offset: self.offset + offset as u64,
            reason,
        }
    }

    /// Makes the complete tree durable under the name by which [`crate::adopt`] finds it.
    ///
    /// # Panics
    /// If the tree is not complete.
    pub(crate) fn finish(
        self,
        trailer: Trailer,
        behind: Option<Zxid>,
    ) -> Result<PathBuf, StorageError> {
        assert!(self.complete, "a part of a tree is no base");
        self.writer.finish_base(trailer, behind)
    }

    /// Gives up and removes what was written.
    pub fn abandon(self) {
        self.writer.abandon();
    }
}
