//! Between what storage recovers and the state that is rebuilt from it.

use jute::Zxid;
use jute::data::{Acl, StatPersisted};
use state::rebuild::Rebuild;
use state::{Options, State};
use storage::{RecoverySink, Rejected, SnapshotSink, Trailer};

/// Looks on while a state is rebuilt.
pub trait Notes {
    /// Another snapshot is tried, or the first one.
    fn reset(&mut self) {}

    /// A logged transaction behind the snapshot.
    ///
    /// # Errors
    /// Refuses the start.
    fn entry(&mut self, _zxid: Zxid, _bytes: &[u8]) -> Result<(), Rejected> {
        Ok(())
    }
}

impl Notes for () {}

/// Hands what storage recovers to the state that is rebuilt from it.
pub struct StateSink<N = ()> {
    rebuild: Rebuild,
    notes: N,
}

impl StateSink {
    /// Starts with nothing. `seed` keys the index of the tree.
    pub fn new(options: Options, seed: u64) -> Self {
        Self::with_notes(options, seed, ())
    }

    /// The state: of the snapshot and the log, or an empty one if there was neither.
    pub fn finish(self) -> State {
        self.rebuild.finish()
    }
}

impl<N: Notes> StateSink<N> {
    /// As [`StateSink::new`], and tells `notes` of what it takes.
    pub fn with_notes(options: Options, seed: u64, notes: N) -> Self {
        Self {
            rebuild: Rebuild::new(options, seed),
            notes,
        }
    }

    /// As [`StateSink::finish`], with the notes.
    pub fn finish_with_notes(self) -> (State, N) {
        (self.rebuild.finish(), self.notes)
    }
}

impl<N: Notes> SnapshotSink for StateSink<N> {
    fn session(&mut self, id: i64, timeout_ms: i32) -> Result<(), Rejected> {
        self.rebuild.session(id, timeout_ms);
        Ok(())
    }

    fn acl(&mut self, index: i64, acl: Vec<Acl<'_>>) -> Result<(), Rejected> {
        self.rebuild.acl(index, &acl);
        Ok(())
    }

    fn node(
        &mut self,
        path: &str,
        data: Option<&[u8]>,
        acl: i64,
        stat: &StatPersisted,
    ) -> Result<(), Rejected> {
        let taken = self.rebuild.node(path, data, acl, stat);
        taken.map_err(Rejected::new)
    }
}

impl<N: Notes> RecoverySink for StateSink<N> {
    fn reset(&mut self) {
        self.rebuild.reset();
        self.notes.reset();
    }

    fn snapshot_done(&mut self, zxid: Zxid, trailer: Trailer) -> Result<(), Rejected> {
        let done = self.rebuild.snapshot_done(zxid, trailer.tree_digest());
        done.map_err(Rejected::new)
    }

    fn entry(&mut self, zxid: Zxid, bytes: &[u8]) -> Result<(), Rejected> {
        self.notes.entry(zxid, bytes)?;
        self.rebuild.entry(bytes).map_err(Rejected::new)
    }
}
