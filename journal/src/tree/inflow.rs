//! A tree on its way from a leader, aside from the own one.

use std::sync::Arc;

use jute::Zxid;
use jute::txn::{LogEntry, TxnDigest};
use jute::wire::DecodeError;
use state::State;
use storage::adopt::adopt;
use storage::log::ReceivedLog;
use storage::snap::{ReceiveError, SnapshotReceiver};
use storage::{LogWriter, RecoverySink, StorageError, Trailer};
use thiserror::Error;
use zab::Entry;

use super::trailer;
use crate::files::Files;
use crate::sink::StateSink;

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
/// The tree goes into a file as it comes in, and the entries into another: a snapshot and the log
/// behind it, which a start puts together as it does with any others. They get their names together
/// ([`storage::adopt`]), so that a crash finds all or nothing, and nothing is written twice: the
/// others of an ensemble may have their logs on the same disk.
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
    /// The tree is complete, and perhaps something was applied to it.
    Complete(Box<Complete>),
    /// It was broken, or is about to be something else.
    Nothing,
}

struct Receiving {
    receiver: SnapshotReceiver,
    sink: StateSink,
}

struct Complete {
    /// The tree with the entries.
    state: State,
    tree: SnapshotReceiver,
    behind: Behind,
}

/// The entries behind a tree.
enum Behind {
    None,
    Stored(ReceivedLog),
    /// One could not be stored. Told when the tree is installed, as with any other write.
    Failed(StorageError),
}

impl Behind {
    fn add(self, files: &Files, entry: &Entry) -> Self {
        let stored = match self {
            Self::None => {
                let settings = files.settings();
                let len_max = settings.recovery.log.entry_len_max;
                let disk = Arc::clone(files.disk());
                ReceivedLog::begin(disk, &settings.layout, len_max, &entry.bytes)
            }
            Self::Stored(log) => log.append(&entry.bytes),
            Self::Failed(error) => Err(error),
        };
        stored.map_or_else(Self::Failed, Self::Stored)
    }
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
        self.stage = Stage::Complete(Box::new(Complete {
            state: sink.finish(),
            tree: receiver,
            behind: Behind::None,
        }));
        Ok(Some(taken))
    }

    /// Applies a committed entry, some of whose effects the tree may have already, and stores it.
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
        let Stage::Complete(complete) = &mut self.stage else {
            panic!("a part of a tree is no base");
        };
        let Complete { state, behind, .. } = complete.as_mut();
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
        *behind = std::mem::replace(behind, Behind::None).add(&self.files, entry);
        Ok(())
    }

    /// Throws it away: the link was left.
    pub fn abandon(self) {
        match self.stage {
            Stage::Receiving(receiving) => receiving.receiver.abandon(),
            Stage::Complete(complete) => {
                complete.tree.abandon();
                if let Behind::Stored(log) = complete.behind {
                    log.abandon();
                }
            }
            Stage::Nothing => {}
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
        let Stage::Complete(complete) = self.stage else {
            panic!("a part of a tree is no base");
        };
        let Complete {
            state,
            tree,
            behind,
        } = *complete;
        let settings = self.files.settings();
        let behind = match behind {
            Behind::None => None,
            Behind::Stored(log) => Some(log),
            Behind::Failed(error) => {
                tree.abandon();
                return Err(error);
            }
        };
        // Unless it is proven, effects of transactions to come may be in the tree. If it is, the
        // file is as one of a state that changed while it was walked: what its name says and the
        // log up to `zxid` give this digest.
        let digest = self.proven.then(|| state.tree().digest());
        let trailer = trailer(&settings.snapshot, zxid, digest);
        let log = adopt(tree, behind, trailer, &settings.layout, log)?;
        Ok((log, state))
    }
}
