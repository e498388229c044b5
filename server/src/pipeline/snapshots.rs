//! Writes snapshots in a thread of its own while the server serves.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use journal::SnapshotSettings;
use jute::txn::TxnDigest;
use parking_lot::Mutex;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use replica::Replica;
use state::snapshot::SnapshotWalk;
use storage::{DigestSeal, Disk, Layout, SnapshotWriter, StorageError, Trailer};
use tracing::{error, info};

use crate::metrics::Metrics;

/// Nodes copied under one read guard: some tens of microseconds, which is what a write
/// may have to wait for a snapshot.
const NODES_PER_STEP: usize = 256;

/// The walk rests after each piece of so many bytes for as long as the piece took, so that
/// a snapshot takes at most half of what the disk and one core can do.
const PIECE_BYTES: usize = 256 * 1024;

/// Longest rest after a piece.
const REST_MAX: Duration = Duration::from_millis(20);

/// After a snapshot the next one rests for so many times as long as it took. A large tree
/// under a heavy load of writes would else be written out all the time, for every
/// `snapCount` transactions; a restart replays so much more of the log instead, which is
/// the faster of the two.
const REST_FACTOR: u32 = 4;

/// Says when the next snapshot may start, and how it is scattered.
pub(crate) struct SnapshotPace(Mutex<Pacing>);

struct Pacing {
    running: bool,
    not_before: Instant,
    random: ChaCha8Rng,
}

impl SnapshotPace {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Pacing {
            running: false,
            not_before: Instant::now(),
            random: ChaCha8Rng::seed_from_u64(seed),
        })))
    }

    /// Two random numbers that scatter the next snapshot.
    pub(crate) fn random(&self) -> [u64; 2] {
        let random = &mut self.0.lock().random;
        [random.next_u64(), random.next_u64()]
    }

    /// Claims the next snapshot, which is due: true if it may start now. Nobody else may
    /// until it has ended.
    pub(crate) fn claim(&self) -> bool {
        let mut pacing = self.0.lock();
        let free = !pacing.running && Instant::now() >= pacing.not_before;
        pacing.running |= free;
        free
    }

    pub(crate) fn ended(&self, took: Duration) {
        let mut pacing = self.0.lock();
        pacing.running = false;
        pacing.not_before = Instant::now() + took * REST_FACTOR;
    }
}

/// Starts snapshots, one at a time.
pub(crate) struct Snapshots {
    worker: Worker,
    running: Option<JoinHandle<()>>,
}

#[derive(Clone)]
struct Worker {
    replica: Arc<Replica>,
    disk: Arc<dyn Disk>,
    layout: Layout,
    settings: SnapshotSettings,
    pace: Arc<SnapshotPace>,
    metrics: Arc<Metrics>,
}

impl Snapshots {
    pub(crate) fn new(
        replica: Arc<Replica>,
        disk: Arc<dyn Disk>,
        layout: Layout,
        settings: SnapshotSettings,
        pace: Arc<SnapshotPace>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let worker = Worker {
            replica,
            disk,
            layout,
            settings,
            pace,
            metrics,
        };
        Self {
            worker,
            running: None,
        }
    }

    /// Starts a snapshot that [`SnapshotPace::claim`] has claimed, so the last one has ended.
    /// Everything applied is durable, and what is applied during the walk is in the log when
    /// it is applied.
    pub(super) fn start(&mut self) {
        self.wait();
        let worker = self.worker.clone();
        let pace = Arc::clone(&worker.pace);
        let spawned = std::thread::Builder::new()
            .name("zk-snapshot".to_owned())
            .spawn(move || worker.run());
        match spawned {
            Ok(thread) => self.running = Some(thread),
            Err(error) => {
                error!("cannot start a snapshot: {error}");
                pace.ended(Duration::ZERO);
            }
        }
    }

    /// Writes a snapshot now.
    pub(crate) fn take_now(&self) -> Result<(), StorageError> {
        self.worker.write(Pace::Full)
    }

    /// Waits for a snapshot that is being written.
    pub(crate) fn wait(&mut self) {
        if let Some(thread) = self.running.take() {
            // A panic in it was reported where it happened.
            let _ = thread.join();
        }
    }
}

/// The claim of a snapshot that is being written; ends with it, in a panic too.
struct Claim<'p> {
    pace: &'p SnapshotPace,
    start: Instant,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.pace.ended(self.start.elapsed());
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// Others are served meanwhile.
    Gentle,
    Full,
}

impl Worker {
    fn run(&self) {
        let _claim = Claim {
            pace: &self.pace,
            start: Instant::now(),
        };
        if let Err(error) = self.write(Pace::Gentle) {
            // The log still holds everything; the next trigger tries again.
            error!("snapshot failed: {error}");
        }
    }

    fn write(&self, pace: Pace) -> Result<(), StorageError> {
        let start = Instant::now();
        let mut walk = self.replica.write().begin_snapshot();
        let zxid = walk.zxid;
        info!(
            "Snapshotting: 0x{zxid} to {}",
            self.layout.snap_dir().display()
        );
        let written = self.write_walk(&mut walk, pace);
        self.replica.write().end_snapshot(walk);
        written?;
        self.metrics.note_snapshot(start.elapsed());
        info!(
            "snapshot.{zxid} written in {} ms",
            start.elapsed().as_millis()
        );
        Ok(())
    }

    fn write_walk(&self, walk: &mut SnapshotWalk, pace: Pace) -> Result<(), StorageError> {
        let mut writer = SnapshotWriter::begin(
            Arc::clone(&self.disk),
            self.layout.snap_dir(),
            walk.zxid,
            self.settings.file,
            walk.sessions.iter().copied(),
            walk.acls.iter().map(|(index, acl)| (*index, &acl[..])),
        )?;
        let mut piece = Vec::with_capacity(PIECE_BYTES * 2);
        let end = loop {
            let start = Instant::now();
            let mut end = None;
            while piece.len() < PIECE_BYTES && end.is_none() {
                end = walk.step(&self.replica.read(), NODES_PER_STEP, &mut piece);
            }
            writer.nodes_raw(&piece)?;
            piece.clear();
            if let Some(end) = end {
                break end;
            }
            if pace == Pace::Gentle {
                std::thread::sleep(start.elapsed().min(REST_MAX));
            }
        };
        let digest = self.settings.digest.then_some(DigestSeal {
            zxid: end.zxid,
            version: TxnDigest::VERSION,
            tree_digest: end.digest as i64,
        });
        let last_processed = self.settings.last_processed.then_some(end.zxid);
        writer.finish(Trailer {
            digest,
            last_processed,
        })?;
        Ok(())
    }
}
