//! The one history, as far as this server has it: what is logged, what is committed, what the
//! state has been told; and the newest entries, for learners.

use std::collections::VecDeque;

use jute::Zxid;

use crate::id::follows;
use crate::message::Entry;

/// Most bytes of committed entries kept for learners, whatever `commitLogCount` says.
pub(crate) const WINDOW_BYTES_MAX: usize = 64 << 20;

/// Positions in the history. `delivered` and `committed` never go back while the history is
/// the same; only a snapshot from the leader, or a reload, moves the state elsewhere.
#[derive(Debug)]
pub(crate) struct History {
    /// Behind the last logged entry (handed to storage, perhaps not yet durable).
    last_logged: Zxid,
    /// The last entry that counts as committed: known to be on a quorum, or, after a start, merely
    /// logged.
    committed: Zxid,
    /// The last entry that a leader said to be on a quorum. Nothing up to here is ever lost.
    decided: Zxid,
    /// The last entry of which the state has been told.
    delivered: Zxid,
    window: Window,
}

impl History {
    /// What a start found: the state holds everything that was logged.
    pub(crate) fn new(last: Zxid, recent: Vec<Entry>, count_max: usize) -> Self {
        let mut window = Window::new(count_max, last);
        window.fill(recent, last);
        Self {
            last_logged: last,
            committed: last,
            decided: Zxid::ZERO,
            delivered: last,
            window,
        }
    }

    pub(crate) fn last_logged(&self) -> Zxid {
        self.last_logged
    }

    pub(crate) fn committed(&self) -> Zxid {
        self.committed
    }

    pub(crate) fn decided(&self) -> Zxid {
        self.decided
    }

    pub(crate) fn delivered(&self) -> Zxid {
        self.delivered
    }

    pub(crate) fn window(&self) -> &Window {
        &self.window
    }

    /// Takes the next entry. `keep` is where eviction ends: entries behind it may still be needed.
    pub(crate) fn append(&mut self, entry: Entry, keep: Zxid) {
        assert!(
            follows(self.last_logged, entry.zxid),
            "{} does not follow {}",
            entry.zxid,
            self.last_logged
        );
        self.last_logged = entry.zxid;
        self.window.push(entry, keep);
    }

    /// Moves the commit point: everything up to here is on a quorum.
    pub(crate) fn commit(&mut self, zxid: Zxid) {
        assert!(
            zxid <= self.last_logged,
            "commit of {zxid}, which is not logged: the last is {}",
            self.last_logged
        );
        assert!(
            zxid >= self.decided,
            "commit of {zxid} after that of {}",
            self.decided
        );
        self.committed = self.committed.max(zxid);
        self.decided = zxid;
        self.window.evict(zxid);
    }

    /// What the state is to be told now; `None` if it knows.
    pub(crate) fn deliver(&mut self) -> Option<Zxid> {
        assert!(self.committed <= self.last_logged, "prefix");
        if self.delivered >= self.committed {
            return None;
        }
        self.delivered = self.committed;
        Some(self.delivered)
    }

    /// Everything behind `zxid` is gone. Whether the state had any of it, and is to be reloaded.
    pub(crate) fn truncate(&mut self, zxid: Zxid) -> bool {
        assert!(
            zxid >= self.decided,
            "truncation to {zxid} would lose committed transactions up to {}",
            self.decided
        );
        let reload = self.delivered > zxid;
        self.last_logged = zxid;
        self.committed = self.committed.min(zxid);
        self.delivered = self.delivered.min(zxid);
        self.window.truncate(zxid);
        reload
    }

    /// The history is now the one in a snapshot.
    pub(crate) fn replace(&mut self, zxid: Zxid) {
        self.last_logged = zxid;
        self.committed = zxid;
        self.delivered = zxid;
        self.window.restart(zxid);
    }
}

/// The newest entries, contiguous, up to the last logged one: Apache's committed log, and
/// behind the commit point its outstanding proposals.
#[derive(Debug)]
pub(crate) struct Window {
    /// The entry before the first one here.
    base: Zxid,
    entries: VecDeque<Entry>,
    bytes: usize,
    count_max: usize,
}

impl Window {
    fn new(count_max: usize, base: Zxid) -> Self {
        Self {
            base,
            entries: VecDeque::new(),
            bytes: 0,
            count_max,
        }
    }

    /// Takes what the log ends with; the first entry only tells where the window begins.
    fn fill(&mut self, recent: Vec<Entry>, last: Zxid) {
        let Some(end) = recent.last() else {
            return;
        };
        assert_eq!(end.zxid, last, "the recent entries end with the last one");
        let mut recent = recent.into_iter();
        let first = recent.next().map_or(last, |entry| entry.zxid);
        self.base = first;
        for entry in recent {
            let before = self.last();
            assert!(entry.zxid > before, "recent entries ascend");
            self.push(entry, last);
        }
    }

    /// Everything behind this position is here.
    pub(crate) fn base(&self) -> Zxid {
        self.base
    }

    /// The entries behind `after`; that position must not be before the base.
    pub(crate) fn behind(&self, after: Zxid) -> impl Iterator<Item = &Entry> {
        assert!(
            after >= self.base,
            "{after} is before the window {}",
            self.base
        );
        let start = self.entries.partition_point(|entry| entry.zxid <= after);
        self.entries.range(start..)
    }

    /// The last entry at or before `zxid`, which must not be before the base.
    pub(crate) fn floor(&self, zxid: Zxid) -> Zxid {
        assert!(
            zxid >= self.base,
            "{zxid} is before the window {}",
            self.base
        );
        let end = self.entries.partition_point(|entry| entry.zxid <= zxid);
        match end {
            0 => self.base,
            end => self.entries[end - 1].zxid,
        }
    }

    fn last(&self) -> Zxid {
        self.entries.back().map_or(self.base, |entry| entry.zxid)
    }

    fn push(&mut self, entry: Entry, keep: Zxid) {
        self.bytes += entry.bytes.len();
        self.entries.push_back(entry);
        self.evict(keep);
    }

    /// Keeps to the limits; entries behind `keep` stay.
    fn evict(&mut self, keep: Zxid) {
        while self.entries.len() > self.count_max || self.bytes > WINDOW_BYTES_MAX {
            let Some(first) = self.entries.front().filter(|first| first.zxid <= keep) else {
                return;
            };
            self.base = first.zxid;
            self.bytes -= first.bytes.len();
            self.entries.pop_front();
        }
    }

    fn truncate(&mut self, zxid: Zxid) {
        if zxid < self.base {
            return self.restart(zxid);
        }
        while let Some(last) = self.entries.back().filter(|last| last.zxid > zxid) {
            self.bytes -= last.bytes.len();
            self.entries.pop_back();
        }
    }

    fn restart(&mut self, base: Zxid) {
        self.base = base;
        self.bytes = 0;
        self.entries.clear();
    }
}
