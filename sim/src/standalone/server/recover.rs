//! From the data directory to a state, with notes for the checkers.

use journal::Notes;
use jute::Zxid;
use state::State;
use storage::{Recovered, Rejected, Start};

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

/// What the checkers want to know of a replay.
#[derive(Default)]
pub(crate) struct Replayed {
    records: Vec<Vec<u8>>,
    resets: u64,
}

impl Notes for Replayed {
    fn reset(&mut self) {
        self.resets += 1;
    }

    fn entry(&mut self, _zxid: Zxid, bytes: &[u8]) -> Result<(), Rejected> {
        self.records.push(bytes.to_vec());
        Ok(())
    }
}

impl Recovery {
    pub(crate) fn new(state: &State, replayed: Replayed, recovered: &Recovered) -> Self {
        let mismatch = state.digest_check().last_mismatch();
        Self {
            is_new: recovered.start == Start::Empty,
            last_zxid: recovered.last_zxid.0,
            replayed: replayed.records,
            fallbacks: replayed.resets.saturating_sub(1),
            warnings: recovered.warnings.clone(),
            digest_mismatch: mismatch.map(|mismatch| format!("{mismatch:?}")),
        }
    }
}
