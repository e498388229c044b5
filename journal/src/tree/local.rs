//! Snapshots of the own state while it is being served.

use std::path::PathBuf;
use std::sync::Arc;

use jute::Zxid;
use state::State;
use state::snapshot::{SnapshotWalk, WalkEnd};
use storage::superseded::superseded;
use storage::{Disk, Layout, SnapshotWriter, StorageError};

use super::trailer;
use crate::files::Files;
use crate::settings::SnapshotSettings;

/// What snapshots of the own state are made of, and where they go.
#[derive(Clone)]
pub struct SnapshotTarget {
    disk: Arc<dyn Disk>,
    layout: Layout,
    settings: SnapshotSettings,
    /// The history, if it can be cut or replaced, and may not be durable where it is applied.
    /// `None` for a server alone, which applies what is durable and whose history only grows.
    files: Option<Files>,
}

impl SnapshotTarget {
    /// Snapshots of a server alone.
    pub fn alone(disk: Arc<dyn Disk>, layout: Layout, settings: SnapshotSettings) -> Self {
        Self {
            disk,
            layout,
            settings,
            files: None,
        }
    }

    /// Snapshots of a member.
    pub fn member(files: Files) -> Self {
        let settings = files.settings();
        Self {
            disk: Arc::clone(files.disk()),
            layout: settings.layout.clone(),
            settings: settings.snapshot,
            files: Some(files),
        }
    }

    /// Starts a snapshot of the state.
    pub fn begin(&self, state: &mut State) -> LocalSnapshot {
        LocalSnapshot {
            generation: self.generation(),
            target: self.clone(),
            walk: state.begin_snapshot(),
            end: None,
            piece: Vec::new(),
            stage: Stage::Begun,
        }
    }

    /// Which history it is.
    fn generation(&self) -> u64 {
        let generation = |files: &Files| files.history().generation;
        self.files.as_ref().map_or(0, generation)
    }

    fn is_durable(&self, zxid: Zxid) -> bool {
        let durable = |files: &Files| zxid <= files.durable();
        self.files.as_ref().is_none_or(durable)
    }
}

/// A snapshot being written, in steps: [`LocalSnapshot::copy`] under a short read guard, then
/// [`LocalSnapshot::write`] without one, again and again.
///
/// It gets its name when everything that was applied during the walk is durable in the own log: a
/// quorum may have committed it before. And it is thrown away when the history is truncated or
/// replaced meanwhile, since it is one of the old history.
pub struct LocalSnapshot {
    target: SnapshotTarget,
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
    /// The first zxid that it can be one of.
    pub fn zxid(&self) -> Zxid {
        self.walk.zxid
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
        match self.end {
            Some(end) if self.target.is_durable(end.zxid) => self.finish(writer, end),
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
        SnapshotWriter::begin(
            Arc::clone(&self.target.disk),
            self.target.layout.snap_dir(),
            self.walk.zxid,
            self.target.settings.file,
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
        let history = self.target.files.as_ref().map(Files::history);
        let generation = history.as_ref().map_or(0, |history| history.generation);
        if generation != self.generation {
            writer.abandon();
            return Ok(SnapshotProgress::Outdated);
        }
        let path = writer.finish(trailer(&self.target.settings, end.zxid, Some(end.digest)))?;
        drop(history);
        self.uncache_superseded();
        Ok(SnapshotProgress::Done(path))
    }

    /// Learners that are far behind read it from the disk.
    fn uncache_superseded(&self) {
        let (disk, layout) = (self.target.disk.as_ref(), &self.target.layout);
        // Nothing but memory depends on it.
        for path in superseded(disk, layout, self.walk.zxid).unwrap_or_default() {
            disk.uncache(&path);
        }
    }

    fn is_outdated(&self) -> bool {
        self.target.generation() != self.generation
    }
}
