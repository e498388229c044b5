//! Writes snapshots of the own state in a thread of its own while the server serves.

mod pace;
mod walk;

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use journal::{LocalSnapshot, SnapshotProgress, SnapshotTarget};
use replica::Replica;
use storage::StorageError;
use tracing::{error, info};

use crate::metrics::Metrics;
pub(crate) use pace::{Claim, SnapshotPace};
pub(crate) use walk::{PIECE_BYTES, rest, step};

/// Between two looks whether everything in a snapshot is durable.
const DURABLE_WAIT: Duration = Duration::from_millis(1);

/// Starts snapshots, one at a time.
pub(crate) struct Snapshots {
    worker: Worker,
    pace: Arc<SnapshotPace>,
    running: Option<JoinHandle<()>>,
}

#[derive(Clone)]
struct Worker {
    replica: Arc<Replica>,
    target: SnapshotTarget,
    metrics: Arc<Metrics>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// Others are served meanwhile.
    Gentle,
    Full,
}

impl Snapshots {
    pub(crate) fn new(
        replica: Arc<Replica>,
        target: SnapshotTarget,
        pace: Arc<SnapshotPace>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let worker = Worker {
            replica,
            target,
            metrics,
        };
        Self {
            worker,
            pace,
            running: None,
        }
    }

    /// See [`SnapshotPace::claim`].
    pub(crate) fn claim(&self) -> Option<Claim> {
        self.pace.claim()
    }

    /// Starts the snapshot that was claimed, so the last one has ended. The log has a new file:
    /// what is applied during the walk is in it, or will be.
    pub(crate) fn start(&mut self, claim: Claim) {
        self.wait();
        let worker = self.worker.clone();
        let spawned = std::thread::Builder::new()
            .name("zk-snapshot".to_owned())
            .spawn(move || {
                // Ends with the snapshot, in a panic too.
                let _claim = claim;
                if let Err(error) = worker.write(Pace::Gentle) {
                    // The log still holds everything; the next trigger tries again.
                    error!("snapshot failed: {error}");
                }
            });
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

impl Worker {
    fn write(&self, pace: Pace) -> Result<(), StorageError> {
        let start = Instant::now();
        let (mut snapshot, generation) = {
            let mut state = self.replica.write();
            (self.target.begin(&mut state), self.replica.generation())
        };
        info!("Snapshotting: 0x{}", snapshot.zxid());
        let written = self.pieces(&mut snapshot, generation, pace);
        let mut state = self.replica.write();
        if self.replica.generation() == generation {
            snapshot.end(&mut state);
        } else {
            snapshot.abandon();
        }
        drop(state);
        match written? {
            Some(path) => {
                self.metrics.note_snapshot(start.elapsed());
                let took_ms = start.elapsed().as_millis();
                info!("{} written in {took_ms} ms", path.display());
            }
            None => info!("a snapshot was given up: the history was changed meanwhile"),
        }
        Ok(())
    }

    /// Where it is, once it is whole; `None` if what it is one of is gone.
    fn pieces(
        &self,
        snapshot: &mut LocalSnapshot,
        generation: u64,
        pace: Pace,
    ) -> Result<Option<PathBuf>, StorageError> {
        loop {
            let start = Instant::now();
            let mut whole = false;
            while snapshot.copied() < PIECE_BYTES && !whole {
                let state = self.replica.read();
                if self.replica.generation() != generation {
                    return Ok(None);
                }
                whole = step(snapshot.copied(), || {
                    let whole = snapshot.copy(&state, 1);
                    (snapshot.copied(), whole)
                });
            }
            match snapshot.write()? {
                SnapshotProgress::Going if pace == Pace::Full => {}
                SnapshotProgress::Going => std::thread::sleep(rest(start.elapsed())),
                SnapshotProgress::Waiting => std::thread::sleep(DURABLE_WAIT),
                SnapshotProgress::Done(path) => return Ok(Some(path)),
                SnapshotProgress::Outdated => return Ok(None),
            }
        }
    }
}
