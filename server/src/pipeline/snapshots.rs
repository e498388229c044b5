//! Writes snapshots in a thread of its own while the server serves.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jute::txn::TxnDigest;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use replica::Replica;
use state::snapshot::SnapshotWalk;
use storage::{DigestSeal, Disk, Layout, SnapshotOptions, SnapshotWriter, StorageError, Trailer};
use tracing::{error, info, warn};

use crate::metrics::Metrics;

/// Nodes copied under one read guard: some tens of microseconds, which is what a write
/// may have to wait for a snapshot.
const NODES_PER_STEP: usize = 256;

/// The walk rests after each piece of so many bytes for as long as the piece took, so that
/// a snapshot takes at most half of what the disk and one core can do.
const PIECE_BYTES: usize = 256 * 1024;

/// Longest rest after a piece.
const REST_MAX: Duration = Duration::from_millis(20);

/// How snapshots are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SnapshotSettings {
    pub(crate) file: SnapshotOptions,
    /// `zookeeper.digest.enabled`
    pub(crate) digest: bool,
    /// `zookeeper.serializeLastProcessedZxid.enabled`
    pub(crate) last_processed: bool,
}

/// Starts snapshots, one at a time.
pub(crate) struct Snapshots {
    worker: Worker,
    running: Option<JoinHandle<()>>,
    random: ChaCha8Rng,
}

#[derive(Clone)]
struct Worker {
    replica: Arc<Replica>,
    disk: Arc<dyn Disk>,
    layout: Layout,
    settings: SnapshotSettings,
    metrics: Arc<Metrics>,
}

impl Snapshots {
    pub(crate) fn new(
        replica: Arc<Replica>,
        disk: Arc<dyn Disk>,
        layout: Layout,
        settings: SnapshotSettings,
        metrics: Arc<Metrics>,
        seed: u64,
    ) -> Self {
        let worker = Worker {
            replica,
            disk,
            layout,
            settings,
            metrics,
        };
        Self {
            worker,
            running: None,
            random: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// Two random numbers that scatter the next snapshot.
    pub(crate) fn random(&mut self) -> [u64; 2] {
        [self.random.next_u64(), self.random.next_u64()]
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.worker.metrics
    }

    /// Starts a snapshot unless one is still being written. To be called between rounds:
    /// everything applied is durable then, and later changes are in the log behind.
    pub(crate) fn start(&mut self) {
        if self
            .running
            .as_ref()
            .is_some_and(|thread| !thread.is_finished())
        {
            warn!("Too busy to snap, skipping");
            return;
        }
        let worker = self.worker.clone();
        let spawned = std::thread::Builder::new()
            .name("zk-snapshot".to_owned())
            .spawn(move || worker.run(Pace::Gentle));
        match spawned {
            Ok(thread) => self.running = Some(thread),
            Err(error) => error!("cannot start a snapshot: {error}"),
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

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// Others are served meanwhile.
    Gentle,
    Full,
}

impl Worker {
    fn run(&self, pace: Pace) {
        if let Err(error) = self.write(pace) {
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
