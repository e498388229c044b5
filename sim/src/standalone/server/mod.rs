//! One life of a server: the shipped cores, driven as the shell drives them.
//!
//! What the shell does in threads is done here in steps, so that everything else can
//! happen between them: rounds are prepared, written and committed apart, a snapshot is
//! written some nodes at a time, a log file is prepared some time after it was asked for.

mod recover;
mod round;
mod snapshot;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use journal::StateSink;
use replica::Now;
use replica::{Batch, Replica, Sequencer, Submission};
use state::prep::PrepOptions;
use storage::log::{Preparation, Prepared};
use storage::recovery::remove_initialize;
use storage::{
    Disk, Layout, LogOptions, LogWriter, Preallocation, RollLimits, RollPolicy, SimDisk,
};

pub(crate) use recover::Recovery;
use recover::Replayed;
pub(crate) use round::Written;
pub(crate) use snapshot::{SnapshotJob, SnapshotStep};

use crate::rng::Rng;
use crate::settings::{replica_options, state_options};
use crate::world::{Door, Woken};

/// What differs from run to run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) tick_ms: u32,
    pub(crate) preallocation: Preallocation,
    pub(crate) prepared_len_max: u64,
    pub(crate) roll: RollLimits,
    pub(crate) compression: storage::Compression,
    pub(crate) nodes_per_step: usize,
    pub(crate) seed: u64,
}

impl Settings {
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        let step = rng.between(600..6000);
        let preallocation = match rng.below(6) {
            0 => Preallocation::Off,
            1 => Preallocation::Reserve { step },
            _ => Preallocation::ZeroFill { step },
        };
        let roll = RollLimits {
            snap_count: rng.between(10..120),
            snap_size_bytes: rng.percent(30).then_some(8000),
            log_size_bytes: rng.percent(30).then_some(3000),
        };
        let compression = match rng.below(6) {
            0 => storage::Compression::Gz,
            1 => storage::Compression::Snappy,
            _ => storage::Compression::None,
        };
        Self {
            tick_ms: rng.between(200..1000) as u32,
            preallocation,
            prepared_len_max: if rng.percent(50) { step * 4 } else { step },
            roll,
            compression,
            nodes_per_step: rng.between(1..12) as usize,
            seed: rng.number(),
        }
    }

    fn recovery_options(&self) -> storage::Options {
        storage::Options {
            log: LogOptions {
                preallocation: self.preallocation,
                prepared_len_max: self.prepared_len_max,
                ..LogOptions::default()
            },
            ..storage::Options::default()
        }
    }
}

/// A running server.
pub(crate) struct Server {
    pub(crate) replica: Arc<Replica>,
    pub(crate) woken: Woken,
    pub(crate) submissions: Vec<Submission>,
    pub(crate) snapshot: Option<SnapshotJob>,
    pub(crate) preparation: Option<Preparation>,
    /// Rounds whose entries the log has not written.
    pub(crate) with_log: Vec<Batch>,
    /// What it has written, and is not committed, oldest first.
    pub(crate) written: VecDeque<Written>,
    /// A round was refused: what comes was prepared on top of it, until that is taken back.
    refusing: bool,
    sequencer: Sequencer,
    log: LogWriter,
    roll: RollPolicy,
    prepared: Option<Prepared>,
    disk: Arc<dyn Disk>,
    layout: Layout,
    settings: Settings,
    rng: Rng,
}

impl Server {
    /// For its connections.
    pub(crate) fn door(&mut self, now: Now) -> Door<'_> {
        Door {
            replica: &self.replica,
            woken: &self.woken,
            submissions: &mut self.submissions,
            now,
        }
    }

    /// When something is due even if nothing comes in, microseconds.
    pub(crate) fn next_deadline_us(&self) -> u64 {
        self.sequencer.next_deadline_ms() * 1000
    }

    fn random(&mut self) -> [u64; 2] {
        [self.rng.number(), self.rng.number()]
    }
}

/// Where the data is.
pub(crate) fn layout() -> Layout {
    Layout::new(Path::new("/data"), Path::new("/datalog"))
}

/// Starts a server on what the disk holds.
///
/// # Errors
/// Whatever storage refuses.
pub(crate) fn start(
    disk: &SimDisk,
    settings: Settings,
    life: u64,
    now: Now,
) -> Result<(Server, Recovery), storage::StorageError> {
    let layout = layout();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let notes = Replayed::default();
    let mut sink = StateSink::with_notes(state_options(), settings.seed, notes);
    let options = settings.recovery_options();
    let recovered = storage::open(Arc::clone(&shared), &layout, &options, &mut sink)?;
    let (mut state, replayed) = sink.finish_with_notes();
    state.end_grace();
    let recovery = Recovery::new(&state, replayed, &recovered);
    let replica = Arc::new(Replica::new(
        state,
        replica_options(1, settings.tick_ms, settings.seed),
        now,
    ));
    let sequencer = Sequencer::new(Arc::clone(&replica), PrepOptions::default(), now);
    let mut rng = Rng::new(settings.seed, life);
    let roll = RollPolicy::new(settings.roll, [rng.number(), rng.number()]);
    let mut server = Server {
        replica,
        woken: Woken::default(),
        submissions: Vec::new(),
        snapshot: None,
        preparation: None,
        with_log: Vec::new(),
        written: VecDeque::new(),
        refusing: false,
        sequencer,
        log: recovered.log,
        roll,
        prepared: None,
        disk: shared,
        layout,
        settings,
        rng,
    };
    if recovery.is_new {
        // Logs without a snapshot before them would be refused at the next start.
        server.snapshot_now()?;
    }
    remove_initialize(server.disk.as_ref(), &server.layout)?;
    match server.log.prepare_next() {
        Err(error) if !error.is_storage_full() => return Err(error),
        _ => {}
    }
    Ok((server, recovery))
}
