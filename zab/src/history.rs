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
#[derive(Clone, Debug)]
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
#[derive(Clone, Debug)]
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
        assert!(end.zxid <= last, "the recent entries end with the last one");
        if end.zxid < last {
            // A snapshot reaches further than the log; what is between them is not here.
            return;
        }
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
        self.entries.range(self.start_behind(after)..)
    }

    /// Where the entries behind `after` start. Those of an epoch have no gaps, so the place of one
    /// in the last epoch can be told.
    fn start_behind(&self, after: Zxid) -> usize {
        let last = self.last();
        if after.epoch() == last.epoch() && after <= last {
            let behind = (last.0 - after.0) as usize;
            let start = self.entries.len().checked_sub(behind);
            if let Some(start) = start
                && start
                    .checked_sub(1)
                    .is_none_or(|at| self.entries[at].zxid <= after)
                && self
                    .entries
                    .get(start)
                    .is_none_or(|entry| entry.zxid > after)
            {
                return start;
            }
        }
        self.entries.partition_point(|entry| entry.zxid <= after)
    }

    /// The longest run of entries behind `after` of which `is_due` holds, which it does of none
    /// behind one of which it does not; up to and with the first reconfiguration.
    pub(crate) fn due(
        &self,
        after: Zxid,
        is_due: impl Fn(Zxid) -> bool,
    ) -> impl Iterator<Item = &Entry> {
        let start = self.start_behind(after);
        let is_due = |at: usize| is_due(self.entries[at].zxid);
        // Most often there is none, or a few: the steps grow from one on.
        let (mut due, mut open, mut step) = (start, self.entries.len(), 1);
        while due < open {
            let probe = (due + step - 1).min(open - 1);
            match is_due(probe) {
                true => (due, step) = (probe + 1, 2 * step),
                false => {
                    open = probe;
                    step = (open - due).div_ceil(2).max(1);
                }
            }
        }
        let mut configures = false;
        self.entries.range(start..due).take_while(move |entry| {
            let goes_on = !configures;
            configures |= entry.config.is_some();
            goes_on
        })
    }

    /// The entry with this zxid, if it is here.
    pub(crate) fn at(&self, zxid: Zxid) -> Option<&Entry> {
        let at = self.start_behind(zxid).checked_sub(1)?;
        self.entries.get(at).filter(|entry| entry.zxid == zxid)
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn entry(zxid: i64) -> Entry {
        Entry {
            zxid: Zxid(zxid),
            bytes: Bytes::from_static(b"entry"),
            config: None,
        }
    }

    fn behind(history: &History, zxid: i64) -> Vec<i64> {
        let entries = history.window().behind(Zxid(zxid));
        entries.map(|entry| entry.zxid.0).collect()
    }

    #[test]
    fn what_is_in_memory_after_a_start() {
        for (last, recent, base, rest) in [
            (5, vec![], 5, vec![]),
            (5, vec![5], 5, vec![]),
            (5, vec![3, 4, 5], 3, vec![4, 5]),
            // More than is kept.
            (6, vec![1, 2, 3, 4, 5, 6], 3, vec![4, 5, 6]),
            // A snapshot that reaches further than the log.
            (9, vec![3, 4, 5], 9, vec![]),
        ] {
            let recent: Vec<Entry> = recent.into_iter().map(entry).collect();
            let history = History::new(Zxid(last), recent, 3);
            assert_eq!(history.window().base(), Zxid(base), "{last}");
            assert_eq!(behind(&history, base), rest, "{last}");
            assert_eq!(history.delivered(), Zxid(last));
        }
    }

    #[test]
    fn what_may_still_be_needed_stays_in_memory() {
        let mut history = History::new(Zxid(0), Vec::new(), 2);
        for zxid in 1..=5 {
            history.append(entry(zxid), history.committed());
        }
        assert_eq!(behind(&history, 0), [1, 2, 3, 4, 5], "nothing is committed");
        history.commit(Zxid(2));
        assert_eq!(history.window().base(), Zxid(2));
        assert_eq!(history.deliver(), Some(Zxid(2)));
        assert_eq!(history.deliver(), None);
        assert_eq!(history.window().floor(Zxid(4)), Zxid(4));
        history.commit(Zxid(5));
        assert_eq!(behind(&history, 3), [4, 5], "two are kept");
    }

    #[test]
    fn a_truncation_reaches_into_the_state_or_not() {
        let start = || {
            let mut history = History::new(Zxid(3), vec![entry(1), entry(2), entry(3)], 9);
            history.append(entry(4), Zxid(3));
            history
        };
        for (to, reload, rest) in [
            (3, false, vec![2, 3]),
            (2, true, vec![2]),
            (1, true, vec![]),
        ] {
            let mut history = start();
            assert_eq!(history.truncate(Zxid(to)), reload, "{to}");
            assert_eq!(behind(&history, 1), rest, "{to}");
            assert_eq!(history.last_logged(), Zxid(to));
            assert_eq!(history.delivered(), Zxid(to.min(3)));
        }
        let mut history = start();
        assert!(history.truncate(Zxid(0)), "before the window");
        assert_eq!(history.window().base(), Zxid(0));
    }

    #[test]
    #[should_panic(expected = "would lose committed transactions")]
    fn what_is_on_a_quorum_is_not_truncated() {
        let mut history = History::new(Zxid(0), Vec::new(), 9);
        history.append(entry(1), Zxid(0));
        history.commit(Zxid(1));
        history.truncate(Zxid(0));
    }

    #[test]
    #[should_panic(expected = "does not follow")]
    fn a_history_has_no_holes() {
        let mut history = History::new(Zxid(3), Vec::new(), 9);
        history.append(entry(5), Zxid(3));
    }
}
