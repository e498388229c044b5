//! A tree on its way from a leader, aside from the own one.

use std::sync::Arc;

use jute::Zxid;
use jute::txn::{LogEntry, TxnDigest};
use jute::wire::DecodeError;
use state::State;
use state::snapshot::WalkEnd;
use storage::adopt::{adopt, adopt_written};
use storage::snap::{DigestSeal, ReceiveError, ReceivedTrailer, SnapshotReceiver};
use storage::{LogWriter, RecoverySink, SnapshotWriter, StorageError, Trailer};
use thiserror::Error;
use zab::Entry;

use super::trailer;
use crate::files::Files;
use crate::sink::StateSink;

/// Nodes encoded at a time when a staged tree is written.
const NODES_PER_PIECE: usize = 1024;

/// Why a tree cannot be put together.
#[derive(Debug, Error)]
pub enum InflowError {
    /// What comes behind SNAP is no tree, or cannot be stored.
    #[error(transparent)]
    Tree(#[from] ReceiveError),
    /// A committed transaction that cannot be decoded. The leader is at fault.
    #[error("the leader's transaction {zxid}: {reason}")]
    Entry {
        /// Which one.
        zxid: Zxid,
        /// What is wrong.
        reason: DecodeError,
    },
}

/// Takes the tree behind a SNAP packet ([`zab::Io::ReceiveSnapshot`]) and the committed entries
/// behind it ([`zab::Io::StageEntry`]). With [`zab::Store::InstallSnapshot`] it becomes the
/// history, or it is thrown away.
///
/// The tree goes into a file as it comes in. As soon as an entry is applied to it that file is of
/// no use: what is installed is one snapshot that holds all, so that a crash finds all or nothing,
/// and it is written then.
pub struct Inflow {
    files: Files,
    zxid: Zxid,
    last: Zxid,
    /// The tree's digest is known to be right at `last`.
    proven: bool,
    stage: Stage,
}

enum Stage {
    Receiving(Box<Receiving>),
    /// The tree is complete; its file is there until something is applied to it.
    Complete(Box<State>, Option<Box<SnapshotReceiver>>),
    /// It was broken, or is about to be something else.
    Nothing,
}

struct Receiving {
    receiver: SnapshotReceiver,
    sink: StateSink,
}

impl Inflow {
    pub(crate) fn begin(files: &Files, zxid: Zxid) -> Result<Self, StorageError> {
        let settings = files.settings();
        let receiver = SnapshotReceiver::begin(
            Arc::clone(files.disk()),
            &settings.layout,
            zxid,
            settings.snapshot.file,
            settings.recovery.limits,
        )?;
        let sink = StateSink::new(settings.state, files.seed());
        Ok(Self {
            files: files.clone(),
            zxid,
            last: zxid,
            proven: false,
            stage: Stage::Receiving(Box::new(Receiving { receiver, sink })),
        })
    }

    /// The zxid of the SNAP packet.
    pub fn zxid(&self) -> Zxid {
        self.zxid
    }

    /// Takes the next bytes. `None` while more must come; at the end of the tree, how many of
    /// `bytes` belonged to it: what follows them are packets, and [`zab::Input::SnapshotReceived`]
    /// is due.
    ///
    /// # Errors
    /// The tree is broken, or could not be stored. Nothing more can come of it; [`Inflow::abandon`]
    /// removes the file.
    ///
    /// # Panics
    /// If it is complete or broken already.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Option<usize>, InflowError> {
        let Stage::Receiving(receiving) = &mut self.stage else {
            panic!("nothing belongs to a tree that is complete, or broken");
        };
        let Receiving { receiver, sink } = receiving.as_mut();
        let Some(taken) = receiver.take(bytes, sink)? else {
            return Ok(None);
        };
        let Stage::Receiving(receiving) = std::mem::replace(&mut self.stage, Stage::Nothing) else {
            unreachable!("it was receiving")
        };
        let Receiving { receiver, mut sink } = *receiving;
        if let Err(reason) = sink.snapshot_done(self.zxid, Trailer::default()) {
            receiver.abandon();
            return Err(ReceiveError::Malformed { offset: 0, reason }.into());
        }
        self.stage = Stage::Complete(Box::new(sink.finish()), Some(Box::new(receiver)));
        Ok(Some(taken))
    }

    /// Applies a committed entry, some of whose effects the tree may have already.
    ///
    /// # Errors
    /// It cannot be decoded.
    ///
    /// # Panics
    /// If the tree is not complete, or the entry is not behind the last one.
    pub fn stage(&mut self, entry: &Entry) -> Result<(), InflowError> {
        assert!(
            entry.zxid > self.last,
            "{} staged behind {}",
            entry.zxid,
            self.last
        );
        let Stage::Complete(state, file) = &mut self.stage else {
            panic!("a part of a tree is no base");
        };
        let options = self.files.settings().state;
        let reason = |reason| InflowError::Entry {
            zxid: entry.zxid,
            reason,
        };
        let decoded = LogEntry::from_bytes(&entry.bytes, options.limits).map_err(reason)?;
        let digest = decoded.digest;
        let applied = state.replay(decoded).map_err(reason)?;
        let told = digest.is_some_and(|digest| {
            digest.version == TxnDigest::VERSION
                && digest.tree_digest as u64 == state.tree().digest()
        });
        self.proven = options.digest_enabled && told && applied.digest_mismatch.is_none();
        self.last = entry.zxid;
        if let Some(file) = file.take() {
            file.abandon();
        }
        Ok(())
    }

    /// Throws it away: the link was left.
    pub fn abandon(self) {
        match self.stage {
            Stage::Receiving(receiving) => receiving.receiver.abandon(),
            Stage::Complete(_, Some(file)) => file.abandon(),
            Stage::Complete(_, None) | Stage::Nothing => {}
        }
    }

    /// Makes it the whole history; returns the log that goes on behind it, and the state.
    ///
    /// # Panics
    /// If the tree is not complete, or ends elsewhere.
    pub(crate) fn install(
        self,
        zxid: Zxid,
        log: LogWriter,
    ) -> Result<(LogWriter, State), StorageError> {
        assert!(
            self.last == zxid,
            "the staged tree ends at {}, not at {zxid}",
            self.last
        );
        let Stage::Complete(mut state, file) = self.stage else {
            panic!("a part of a tree is no base");
        };
        let settings = self.files.settings();
        let log = match file {
            Some(received) => {
                let trailer = ReceivedTrailer {
                    digest: settings.snapshot.digest,
                    last_processed: settings.snapshot.last_processed,
                };
                adopt(*received, trailer, &settings.layout, log)?
            }
            None => {
                let (writer, end) = write(&self.files, &mut state)?;
                let mut trailer = trailer(&settings.snapshot, end);
                if !self.proven {
                    // Effects of transactions to come may be in it.
                    trailer.digest = trailer.digest.map(|seal| DigestSeal {
                        zxid: Zxid::ZERO,
                        tree_digest: 0,
                        ..seal
                    });
                }
                adopt_written(writer, trailer, &settings.layout, log)?
            }
        };
        Ok((log, *state))
    }
}

/// Writes the staged tree under the name by which it can replace everything else.
fn write(files: &Files, state: &mut State) -> Result<(SnapshotWriter, WalkEnd), StorageError> {
    let mut walk = state.begin_snapshot();
    let mut write = || {
        let settings = files.settings();
        let mut writer = SnapshotWriter::begin(
            Arc::clone(files.disk()),
            settings.layout.snap_dir(),
            walk.zxid,
            settings.snapshot.file,
            walk.sessions.iter().copied(),
            walk.acls.iter().map(|(index, acl)| (*index, &acl[..])),
        )?;
        let mut piece = Vec::new();
        loop {
            let end = walk.step(state, NODES_PER_PIECE, &mut piece);
            writer.nodes_raw(&piece)?;
            piece.clear();
            if let Some(end) = end {
                return Ok((writer, end));
            }
        }
    };
    let written = write();
    state.end_snapshot(walk);
    written
}
