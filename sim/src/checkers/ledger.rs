//! Everything that was ever proposed, and what each proposal stands behind: the facts that the
//! checkers of an ensemble share.

use std::collections::BTreeMap;

use bytes::Bytes;
use zab::quorum::Config;

/// A proposal.
#[derive(Clone, Debug)]
pub(crate) struct Proposal {
    pub(crate) bytes: Bytes,
    /// The zxid before it, in every log.
    pub(crate) before: i64,
    /// The configuration that it proposes.
    pub(crate) config: Option<Config>,
}

/// All proposals, by zxid. Every log is a path through them: its end says what it holds.
#[derive(Debug, Default)]
pub(crate) struct Ledger(BTreeMap<i64, Proposal>);

impl Ledger {
    pub(crate) fn get(&self, zxid: i64) -> Option<&Proposal> {
        self.0.get(&zxid)
    }

    pub(crate) fn insert(&mut self, zxid: i64, proposal: Proposal) {
        self.0.insert(zxid, proposal);
    }

    /// Whether a log that ends with `end` holds `zxid`. The empty history is in every log.
    pub(crate) fn holds(&self, end: i64, zxid: i64) -> bool {
        let mut at = end;
        while at > zxid {
            at = match self.0.get(&at) {
                Some(proposal) => proposal.before,
                None => return false,
            };
        }
        at == zxid
    }

    /// The zxids behind `from` in a log that ends with `end`, in order; `None` if `from` is not
    /// in it.
    pub(crate) fn path(&self, from: i64, end: i64) -> Option<Vec<i64>> {
        let (mut at, mut path) = (end, Vec::new());
        while at > from {
            path.push(at);
            at = self.0.get(&at)?.before;
        }
        path.reverse();
        (at == from).then_some(path)
    }
}
