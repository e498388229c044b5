//! From the data directory to a state, as the shell's loader does it, with notes for the
//! checkers.

use jute::Zxid;
use jute::data::{Acl, StatPersisted};
use jute::txn::LogEntry;
use state::snapshot::Loader;
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

/// Builds a state from what recovery hands over.
pub(crate) struct StateSink {
    options: Options,
    seed: u64,
    loader: Option<Loader>,
    state: Option<State>,
    replayed: Vec<Vec<u8>>,
    resets: u64,
    digest_mismatch: Option<String>,
}

impl StateSink {
    pub(crate) fn new(options: Options, seed: u64) -> Self {
        Self {
            options,
            seed,
            loader: None,
            state: None,
            replayed: Vec::new(),
            resets: 0,
            digest_mismatch: None,
        }
    }

    pub(crate) fn finish(self, recovered: &Recovered) -> (State, Recovery) {
        let recovery = Recovery {
            is_new: recovered.start == Start::Empty,
            last_zxid: recovered.last_zxid.0,
            replayed: self.replayed,
            fallbacks: self.resets.saturating_sub(1),
            warnings: recovered.warnings.clone(),
            digest_mismatch: self.digest_mismatch,
        };
        let (options, seed) = (self.options, self.seed);
        let state = self.state.unwrap_or_else(|| State::new(options, seed));
        (state, recovery)
    }

    fn loader(&mut self) -> &mut Loader {
        let (options, seed) = (self.options, self.seed);
        self.loader
            .get_or_insert_with(|| Loader::new(options, seed))
    }
}

impl SnapshotSink for StateSink {
    fn session(&mut self, id: i64, timeout_ms: i32) -> Result<(), Rejected> {
        self.loader().session(id, timeout_ms);
        Ok(())
    }

    fn acl(&mut self, index: i64, acl: Vec<Acl<'_>>) -> Result<(), Rejected> {
        self.loader().acl(index, &acl);
        Ok(())
    }

    fn node(
        &mut self,
        path: &str,
        data: Option<&[u8]>,
        acl: i64,
        stat: &StatPersisted,
    ) -> Result<(), Rejected> {
        let added = self.loader().node(path, data, acl, stat);
        added.map_err(|error| Rejected(error.to_string()))
    }
}

impl RecoverySink for StateSink {
    fn reset(&mut self) {
        self.loader = None;
        self.state = None;
        self.resets += 1;
    }

    fn snapshot_done(&mut self, zxid: Zxid, trailer: Trailer) -> Result<(), Rejected> {
        let loader = self.loader.take();
        let loader = loader.ok_or_else(|| Rejected("the snapshot is empty".to_owned()))?;
        let digest = trailer
            .digest
            .map(|seal| (seal.zxid, seal.tree_digest as u64));
        let state = loader.finish(zxid, digest);
        let state = state.map_err(|error| Rejected(error.to_string()))?;
        if let Some(mismatch) = state.digest_check().last_mismatch() {
            self.digest_mismatch = Some(format!("{mismatch:?}"));
        }
        self.state = Some(state);
        Ok(())
    }

    fn entry(&mut self, _zxid: Zxid, bytes: &[u8]) -> Result<(), Rejected> {
        let (options, seed) = (self.options, self.seed);
        let state = self.state.get_or_insert_with(|| State::new(options, seed));
        let rejected = |error: jute::wire::DecodeError| Rejected(error.to_string());
        let entry = LogEntry::from_bytes(bytes, options.limits).map_err(rejected)?;
        let applied = state.replay(entry).map_err(rejected)?;
        if let Some(mismatch) = applied.digest_mismatch {
            self.digest_mismatch = Some(format!("{mismatch:?}"));
        }
        self.replayed.push(bytes.to_vec());
        Ok(())
    }
}
