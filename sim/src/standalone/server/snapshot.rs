//! Snapshots in steps, between which anything may happen.

use std::sync::Arc;

use jute::txn::TxnDigest;
use state::snapshot::SnapshotWalk;
use storage::{DigestSeal, SnapshotOptions, SnapshotWriter, StorageError, Trailer};

use super::Server;

/// A snapshot being written.
pub(crate) struct SnapshotJob {
    walk: SnapshotWalk,
    /// None before the first step.
    writer: Option<SnapshotWriter>,
}

/// What a step came to.
#[derive(Debug)]
pub(crate) enum SnapshotStep {
    /// More to do.
    Going,
    /// The snapshot has its name.
    Done,
    /// It was given up; the log still has everything.
    Failed(StorageError),
}

impl Server {
    /// Begins a snapshot unless one is being written. Everything applied is durable.
    pub(super) fn start_snapshot(&mut self) {
        if self.snapshot.is_none() {
            let walk = self.replica.write().begin_snapshot();
            self.snapshot = Some(SnapshotJob { walk, writer: None });
        }
    }

    /// Writes a whole snapshot.
    pub(super) fn snapshot_now(&mut self) -> Result<(), StorageError> {
        self.start_snapshot();
        loop {
            match self.step_snapshot() {
                SnapshotStep::Going => {}
                SnapshotStep::Done => return Ok(()),
                SnapshotStep::Failed(error) => return Err(error),
            }
        }
    }

    /// Does the next step.
    ///
    /// # Panics
    /// If no snapshot is being written.
    pub(crate) fn step_snapshot(&mut self) -> SnapshotStep {
        let mut job = self.snapshot.take().expect("a snapshot is being written");
        match self.advance(&mut job) {
            Ok(false) => {
                self.snapshot = Some(job);
                SnapshotStep::Going
            }
            Ok(true) => {
                self.replica.write().end_snapshot(job.walk);
                SnapshotStep::Done
            }
            Err(error) => {
                self.replica.write().end_snapshot(job.walk);
                SnapshotStep::Failed(error)
            }
        }
    }

    /// True when the snapshot is finished.
    fn advance(&mut self, job: &mut SnapshotJob) -> Result<bool, StorageError> {
        let Some(mut writer) = job.writer.take() else {
            let options = SnapshotOptions {
                compression: self.settings.compression,
                sync_every_bytes: 2000,
            };
            let (sessions, acls) = (&job.walk.sessions, &job.walk.acls);
            job.writer = Some(SnapshotWriter::begin(
                Arc::clone(&self.disk),
                self.layout.snap_dir(),
                job.walk.zxid,
                options,
                sessions.iter().copied(),
                acls.iter().map(|(index, acl)| (*index, &acl[..])),
            )?);
            return Ok(false);
        };
        let mut piece = Vec::new();
        let nodes = self.settings.nodes_per_step;
        let end = job.walk.step(&self.replica.read(), nodes, &mut piece);
        writer.nodes_raw(&piece)?;
        let Some(end) = end else {
            job.writer = Some(writer);
            return Ok(false);
        };
        writer.finish(Trailer {
            digest: Some(DigestSeal {
                zxid: end.zxid,
                version: TxnDigest::VERSION,
                tree_digest: end.digest as i64,
            }),
            last_processed: Some(end.zxid),
        })?;
        Ok(true)
    }
}
