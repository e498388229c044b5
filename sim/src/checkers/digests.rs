//! Equal zxid, equal tree: all servers' trees have the same digest after the same transaction,
//! whether they got there by the history, by a snapshot of their own or by the leader's tree.
//!
//! Source: section 17 of the Zab facts, (v).

use std::collections::BTreeMap;

use state::State;

use crate::violation::{Checked, ensure};

const NAME: &str = "digests";

/// The digest after each transaction, as the first server had it.
#[derive(Debug, Default)]
pub(crate) struct Digests(BTreeMap<i64, u64>);

impl Digests {
    /// A server serves this state.
    pub(crate) fn serves(&mut self, server: u64, state: &State) -> Checked {
        let (zxid, digest) = (state.last_zxid().0, state.tree().digest());
        let first = *self.0.entry(zxid).or_insert(digest);
        ensure!(
            first == digest,
            NAME,
            "server {server} has digest {digest:x} after {zxid:#x}, others {first:x}"
        );
        Ok(())
    }
}
