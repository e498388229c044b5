//! What is logged and not applied yet.

use std::collections::VecDeque;

use bytes::Bytes;
use jute::Zxid;

/// Entries behind the applied state, oldest first. They are in the log, or on their way there;
/// which of them are committed only consensus knows. Its flow control bounds them.
#[derive(Debug, Default)]
pub(super) struct Tail(VecDeque<(Zxid, Bytes)>);

impl Tail {
    pub(super) fn push(&mut self, zxid: Zxid, bytes: Bytes) {
        let last = self.0.back().map(|(last, _)| *last);
        assert!(last.is_none_or(|last| last < zxid), "{zxid} after {last:?}");
        self.0.push_back((zxid, bytes));
    }

    /// The next entry, if it is at or before `through`.
    pub(super) fn pop(&mut self, through: Zxid) -> Option<(Zxid, Bytes)> {
        self.0.front().filter(|(zxid, _)| *zxid <= through)?;
        self.0.pop_front()
    }

    /// The entries up to `through`.
    pub(super) fn through(&self, through: Zxid) -> impl Iterator<Item = &Bytes> {
        let due = self.0.iter().take_while(move |(zxid, _)| *zxid <= through);
        due.map(|(_, bytes)| bytes)
    }

    /// Forgets what is behind `zxid`.
    pub(super) fn truncate(&mut self, zxid: Zxid) {
        let kept = self.0.partition_point(|(entry, _)| *entry <= zxid);
        self.0.truncate(kept);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
