//! Snapshots of the own state while it is being served.

use std::sync::Arc;
use std::time::{Duration, Instant};

use journal::{Files, LocalSnapshot, SnapshotProgress};
use replica::Replica;
use storage::StorageError;
use tracing::{error, info};

use crate::metrics::Metrics;
use crate::pipeline::SnapshotPace;

/// Nodes copied under one read guard: some tens of microseconds, which is what a write may have
/// to wait for a snapshot.
const NODES_PER_STEP: usize = 256;

/// The walk rests after each piece of so many bytes for as long as the piece took.
const PIECE_BYTES: usize = 256 * 1024;

/// Longest rest after a piece.
const REST_MAX: Duration = Duration::from_millis(20);

/// Between two looks whether everything in a snapshot is durable.
const DURABLE_WAIT: Duration = Duration::from_millis(1);

/// Starts snapshots, one at a time.
pub(super) struct Snapshots {
    worker: Worker,
}

#[derive(Clone)]
struct Worker {
    replica: Arc<Replica>,
    files: Files,
    pace: Arc<SnapshotPace>,
    metrics: Arc<Metrics>,
}

impl Snapshots {
    pub(super) fn new(
        replica: Arc<Replica>,
        files: Files,
        pace: Arc<SnapshotPace>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            worker: Worker {
                replica,
                files,
                pace,
                metrics,
            },
        }
    }

    /// Claims the next snapshot: true if it may start now.
    pub(super) fn claim(&self) -> bool {
        self.worker.pace.claim()
    }

    /// Starts the snapshot that was claimed.
    pub(super) fn start(&self) {
        let worker = self.worker.clone();
        let pace = Arc::clone(&worker.pace);
        let spawned = std::thread::Builder::new()
            .name("zk-snapshot".to_owned())
            .spawn(move || worker.run());
        if let Err(error) = spawned {
            error!("cannot start a snapshot: {error}");
            pace.ended(Duration::ZERO);
        }
    }
}

impl Worker {
    fn run(&self) {
        let start = Instant::now();
        match self.write() {
            Ok(Some(path)) => {
                self.metrics.note_snapshot(start.elapsed());
                info!(
                    "{} written in {} ms",
                    path.display(),
                    start.elapsed().as_millis()
                );
            }
            Ok(None) => info!("a snapshot was given up: the history was changed meanwhile"),
            // The log still holds everything; the next trigger tries again.
            Err(error) => error!("snapshot failed: {error}"),
        }
        self.pace.ended(start.elapsed());
    }

    fn write(&self) -> Result<Option<std::path::PathBuf>, StorageError> {
        let (mut snapshot, generation) = {
            let mut state = self.replica.write();
            (
                self.files.begin_snapshot(&mut state),
                self.replica.generation(),
            )
        };
        let written = self.pieces(&mut snapshot, generation);
        let mut state = self.replica.write();
        if self.replica.generation() == generation {
            snapshot.end(&mut state);
        } else {
            snapshot.abandon();
        }
        written
    }

    fn pieces(
        &self,
        snapshot: &mut LocalSnapshot,
        generation: u64,
    ) -> Result<Option<std::path::PathBuf>, StorageError> {
        loop {
            let start = Instant::now();
            let mut whole = false;
            while snapshot.copied() < PIECE_BYTES && !whole {
                let state = self.replica.read();
                if self.replica.generation() != generation {
                    return Ok(None);
                }
                whole = snapshot.copy(&state, NODES_PER_STEP);
            }
            match snapshot.write()? {
                SnapshotProgress::Going => std::thread::sleep(start.elapsed().min(REST_MAX)),
                SnapshotProgress::Waiting => std::thread::sleep(DURABLE_WAIT),
                SnapshotProgress::Done(path) => return Ok(Some(path)),
                SnapshotProgress::Outdated => return Ok(None),
            }
        }
    }
}
