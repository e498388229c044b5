//! Snapshots of the own state while it is being served.

use std::path::PathBuf;
use std::sync::Arc;

use state::State;
use state::snapshot::{SnapshotWalk, WalkEnd};
use storage::{SnapshotWriter, StorageError};

use super::trailer;
use crate::files::Files;

/// A snapshot being written, in steps: [`LocalSnapshot::copy`] under a short read guard, then
/// [`LocalSnapshot::write`] without one, again and again.
///
/// It gets its name when everything that was applied during the walk is durable in the own log: a
/// quorum may have committed it before. And it is thrown away when the history is truncated or
/// replaced meanwhile, since it is one of the old history.
pub struct LocalSnapshot {
    files: Files,
    generation: u64,
    walk: SnapshotWalk,
    end: Option<WalkEnd>,
    piece: Vec<u8>,
    stage: Stage,
}

enum Stage {
    Begun,
    Writing(Box<SnapshotWriter>),
    Over,
}

/// What a step came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotProgress {
    /// There are more nodes.
    Going,
    /// All nodes are written; something that was applied is not durable yet. Try again after the
    /// next sync.
    Waiting,
    /// It has its name.
    Done(PathBuf),
    /// The history is another one by now.
    Outdated,
}

impl LocalSnapshot {
    pub(crate) fn begin(files: Files, state: &mut State) -> Self {
        let generation = files.history().generation;
        Self {
            files,
            generation,
            walk: state.begin_snapshot(),
            end: None,
            piece: Vec::new(),
            stage: Stage::Begun,
        }
    }

    /// Bytes that are copied and wait to be written.
    pub fn copied(&self) -> usize {
        self.piece.len()
    }

    /// Copies up to `max_nodes` further nodes. True once all are.
    pub fn copy(&mut self, state: &State, max_nodes: usize) -> bool {
        if self.end.is_none() {
            self.end = self.walk.step(state, max_nodes, &mut self.piece);
        }
        self.end.is_some()
    }

    /// Writes what is copied, and finishes when that is all.
    ///
    /// # Errors
    /// The snapshot is given up and its file removed; the log still has everything.
    ///
    /// # Panics
    /// If it is over.
    pub fn write(&mut self) -> Result<SnapshotProgress, StorageError> {
        let mut writer = match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Begun => self.start()?,
            Stage::Writing(writer) => *writer,
            Stage::Over => panic!("the snapshot is over"),
        };
        if self.is_outdated() {
            writer.abandon();
            return Ok(SnapshotProgress::Outdated);
        }
        let piece = std::mem::take(&mut self.piece);
        writer.nodes_raw(&piece)?;
        self.piece = piece;
        self.piece.clear();
        let durable = self.files.durable();
        match self.end {
            Some(end) if end.zxid <= durable => self.finish(writer, end),
            end => {
                self.stage = Stage::Writing(Box::new(writer));
                Ok(match end {
                    None => SnapshotProgress::Going,
                    Some(_) => SnapshotProgress::Waiting,
                })
            }
        }
    }

    /// Ends it, finished or not.
    pub fn end(self, state: &mut State) {
        if let Stage::Writing(writer) = self.stage {
            writer.abandon();
        }
        state.end_snapshot(self.walk);
    }

    /// Ends it when the state that it walked is gone: replaced by another.
    pub fn abandon(self) {
        if let Stage::Writing(writer) = self.stage {
            writer.abandon();
        }
    }

    fn start(&self) -> Result<SnapshotWriter, StorageError> {
        let settings = self.files.settings();
        SnapshotWriter::begin(
            Arc::clone(self.files.disk()),
            settings.layout.snap_dir(),
            self.walk.zxid,
            settings.snapshot.file,
            self.walk.sessions.iter().copied(),
            self.walk.acls.iter().map(|(index, acl)| (*index, &acl[..])),
        )
    }

    fn finish(
        &self,
        writer: SnapshotWriter,
        end: WalkEnd,
    ) -> Result<SnapshotProgress, StorageError> {
        // The lock: between the look and the name nothing may be truncated.
        let history = self.files.history();
        if history.generation != self.generation {
            writer.abandon();
            return Ok(SnapshotProgress::Outdated);
        }
        let path = writer.finish(trailer(&self.files.settings().snapshot, end))?;
        drop(history);
        Ok(SnapshotProgress::Done(path))
    }

    fn is_outdated(&self) -> bool {
        self.files.history().generation != self.generation
    }
}
