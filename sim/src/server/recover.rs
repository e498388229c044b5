//! From the data directory to a state, with notes for the checkers.

use jute::Zxid;
use jute::data::{Acl, StatPersisted};
use state::rebuild::Rebuild;
use state::{Options, State};
use storage::{Recovered, RecoverySink, Rejected, SnapshotSink, Start, Trailer};

/// What a start found.
#[derive(Debug)]
pub(crate) struct Recovery {
    /// Nothing was there.
    pub(crate) is_new: bool,
    /// The last zxid that storage reports.
    pub(crate) last_zxid: i64,
    /// Records replayed behind the snapshot.
    pub(crate) replayed: Vec<Vec<u8>>,
    /// Snapshots that were tried in vain.
    pub(crate) fallbacks: u64,
    pub(crate) warnings: Vec<String>,
    /// A digest in the log that differs from the tree's.
    pub(crate) digest_mismatch: Option<String>,
}

/// Hands what storage recovers to the state that is rebuilt from it, and takes notes.
pub(crate) struct StateSink {
    rebuild: Rebuild,
    replayed: Vec<Vec<u8>>,
    resets: u64,
}

impl StateSink {
    pub(crate) fn new(options: Options, seed: u64) -> Self {
        Self {
            rebuild: Rebuild::new(options, seed),
            replayed: Vec::new(),
            resets: 0,
        }
    }

    pub(crate) fn finish(self, recovered: &Recovered) -> (State, Recovery) {
        let state = self.rebuild.finish();
        let mismatch = state.digest_check().last_mismatch();
        let recovery = Recovery {
            is_new: recovered.start == Start::Empty,
            last_zxid: recovered.last_zxid.0,
            replayed: self.replayed,
            fallbacks: self.resets.saturating_sub(1),
            warnings: recovered.warnings.clone(),
            digest_mismatch: mismatch.map(|mismatch| format!("{mismatch:?}")),
        };
        (state, recovery)
    }
}

impl SnapshotSink for StateSink {
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

impl RecoverySink for StateSink {
    fn reset(&mut self) {
        self.rebuild.reset();
        self.resets += 1;
    }

    fn snapshot_done(&mut self, zxid: Zxid, trailer: Trailer) -> Result<(), Rejected> {
        let done = self.rebuild.snapshot_done(zxid, trailer.tree_digest());
        done.map_err(Rejected::new)
    }

    fn entry(&mut self, _zxid: Zxid, bytes: &[u8]) -> Result<(), Rejected> {
        self.replayed.push(bytes.to_vec());
        self.rebuild.entry(bytes).map_err(Rejected::new)
    }
}
