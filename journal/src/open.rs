//! Recovery: from a member's disk to a state, a journal that goes on, and what its peer starts
//! with.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use jute::Zxid;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use state::State;
use state::apply::DigestMismatch;
use storage::epochs;
use storage::recovery::remove_initialize;
use storage::{Compression, Disk, Rejected, RollPolicy, Start, StorageError};
use zab::{Entry, Epoch, Recovered, Standing};

use crate::carry::Journal;
use crate::config::{ConfigFiles, Configurations};
use crate::entry::entry_of;
use crate::files::Files;
use crate::log_end::LogEnd;
use crate::preparer::FilePreparer;
use crate::settings::Settings;
use crate::sink::{Notes, StateSink};
use crate::tree::SnapshotProgress;

/// Bytes of the newest entries kept from a start on, whatever `commitLogCount` says. As many as a
/// peer keeps later.
const RECENT_BYTES_MAX: usize = 64 << 20;

/// Nodes copied at a time into the first snapshot.
const NODES_PER_PIECE: usize = 1024;

/// A recovered member.
pub struct Opened<N = ()> {
    /// Goes on with the log.
    pub journal: Journal,
    /// Everything that was logged, committed or not. If its snapshot came from a leader, effects of
    /// transactions behind the log may be in it: [`State::end_grace`] is due when the first
    /// [`zab::Effect::Deliver`] is done.
    pub state: State,
    /// What the peer starts with.
    pub recovered: Recovered,
    /// What the state was built from.
    pub start: Start,
    /// How many transactions were replayed.
    pub entries: u64,
    /// The last place in which the tree's digest differs from the history's, if any. What it means
    /// is for the caller to decide: see [`zab::Input::DigestMismatch`].
    pub digest_mismatch: Option<DigestMismatch>,
    /// What an operator should know.
    pub warnings: Vec<String>,
    /// What looked on.
    pub notes: N,
}

impl Journal {
    /// Recovers a member from its disk. `seed` keys the index of the tree and scatters snapshots.
    ///
    /// What an empty disk means follows Apache and [`Standing`]: with the `initialize` file the
    /// operator vouches for it; else it may have been wiped, and as long as no epoch was accepted
    /// (which a wiped member does behind a leader's history) a restart does not change that.
    /// Without `db.autocreate` it has no vote at all ([`Start::Blank`]).
    ///
    /// # Order
    ///
    /// The first snapshot is durable before `initialize` is removed: after a crash in between the
    /// operator would be asked for what he has given already, or, with `db.autocreate`, the member
    /// would be taken for one that was wiped.
    ///
    /// # Errors
    /// Whatever of the files cannot be relied upon, with its path.
    pub fn open(
        disk: Arc<dyn Disk>,
        settings: Settings,
        preparer: Box<dyn FilePreparer>,
        seed: u64,
    ) -> Result<Opened, StorageError> {
        Self::open_with_notes(disk, settings, preparer, seed, ())
    }

    /// As [`Journal::open`], with someone who looks on.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn open_with_notes<N: Notes>(
        disk: Arc<dyn Disk>,
        settings: Settings,
        preparer: Box<dyn FilePreparer>,
        seed: u64,
        notes: N,
    ) -> Result<Opened<N>, StorageError> {
        let layout = settings.layout.clone();
        let marker = layout.initialize();
        let marked = disk
            .exists(&marker)
            .map_err(StorageError::io("look at", &marker))?;
        let recent = Recent::new(&settings, notes);
        let mut sink = StateSink::with_notes(settings.state, seed, recent);
        let found = storage::open(Arc::clone(&disk), &layout, &settings.recovery, &mut sink)?;
        if found.last_zxid < Zxid::ZERO && found.start != Start::Blank {
            return Err(StorageError::BadSnapshot {
                path: layout.snap_dir().join(snapshot_name(found.last_zxid)),
                offset: 0,
                found: "its name is no zxid of a history".to_owned(),
            });
        }
        let (mut state, recent) = sink.finish_with_notes();
        let mut warnings = found.warnings;
        let (config, configurations) =
            ConfigFiles::open(Arc::clone(&disk), &settings.config, settings.me)?;
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let roll = RollPolicy::new(settings.roll, [random.next_u64(), random.next_u64()]);
        let files = Files::new(Arc::clone(&disk), settings, seed, found.last_zxid);
        if let Start::Empty | Start::LogOnly = found.start {
            // A log without a snapshot before it would be refused at the next start.
            first_snapshot(&files, &mut state)?;
        }
        remove_initialize(disk.as_ref(), &layout)?;
        let epochs = epochs::start_up(disk.as_ref(), &layout, found.last_zxid)?;
        warnings.extend(epochs.warnings);
        let standing = match found.start {
            Start::Blank => Standing::Wiped,
            _ if found.last_zxid == Zxid::ZERO && epochs.accepted == 0 && !marked => {
                Standing::Empty
            }
            _ => Standing::Sound,
        };
        let Configurations {
            committed,
            last_seen,
        } = configurations;
        let recovered = Recovered {
            last_zxid: found.last_zxid.max(Zxid::ZERO),
            recent: recent.entries.into(),
            accepted_epoch: Epoch(epochs.accepted),
            current_epoch: Epoch(epochs.current),
            committed_config: committed,
            last_seen_config: last_seen,
            standing,
        };
        assert_eq!(
            state.last_zxid(),
            recovered.last_zxid,
            "the state holds everything up to the end of the log"
        );
        let mut log = LogEnd::new(found.log, preparer, roll);
        log.prepare()?;
        let journal = Self {
            files,
            log: Some(log),
            config,
            accepted: recovered.accepted_epoch,
            current: recovered.current_epoch,
            void: false,
            random,
        };
        Ok(Opened {
            journal,
            digest_mismatch: state.digest_check().last_mismatch(),
            state,
            recovered,
            start: found.start,
            entries: found.entries,
            warnings,
            notes: recent.notes,
        })
    }
}

fn snapshot_name(zxid: Zxid) -> String {
    storage::layout::snapshot_name(zxid, Compression::None)
}

/// Writes the state that a start ended with as a snapshot.
fn first_snapshot(files: &Files, state: &mut State) -> Result<(), StorageError> {
    let mut snapshot = files.begin_snapshot(state);
    let written = loop {
        snapshot.copy(state, NODES_PER_PIECE);
        match snapshot.write() {
            Ok(SnapshotProgress::Going) => {}
            Ok(SnapshotProgress::Done(_)) => break Ok(()),
            Ok(other) => unreachable!("nothing is under way at a start: {other:?}"),
            Err(error) => break Err(error),
        }
    };
    snapshot.end(state);
    written
}

/// Keeps the newest entries of a replay.
struct Recent<N> {
    notes: N,
    entries: VecDeque<Entry>,
    bytes: usize,
    count_max: usize,
    limits: jute::wire::Limits,
}

impl<N> Recent<N> {
    fn new(settings: &Settings, notes: N) -> Self {
        Self {
            notes,
            entries: VecDeque::new(),
            bytes: 0,
            count_max: settings.commit_log_count,
            limits: settings.state.limits,
        }
    }
}

impl<N: Notes> Notes for Recent<N> {
    fn reset(&mut self) {
        self.entries.clear();
        self.bytes = 0;
        self.notes.reset();
    }

    fn entry(&mut self, zxid: Zxid, bytes: &[u8]) -> Result<(), Rejected> {
        let entry = entry_of(Bytes::copy_from_slice(bytes), self.limits).map_err(Rejected::new)?;
        self.bytes += bytes.len();
        self.entries.push_back(entry);
        while self.entries.len() > self.count_max || self.bytes > RECENT_BYTES_MAX {
            let Some(gone) = self.entries.pop_front() else {
                break;
            };
            self.bytes -= gone.bytes.len();
        }
        self.notes.entry(zxid, bytes)
    }
}
