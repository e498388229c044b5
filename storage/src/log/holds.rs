//! Which parts of the log somebody still reads.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jute::Zxid;

/// The lowest zxid that each reader of the log still needs. Shared by
/// [`LogCursor`](super::LogCursor)s and [`purge`](crate::purge).
///
/// A registry, rather than files that are kept open: a reader needs the files behind the one that
/// it reads as well, a removed file that is open takes its space unseen, and not every system lets
/// one be removed. Whoever holds on to a part of the log for too long costs the disk, so slow
/// learners are for their leader to drop.
#[derive(Clone, Default)]
pub struct LogHolds(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    by_reader: BTreeMap<u64, Zxid>,
    next_reader: u64,
    /// What lies below is being removed, and cannot be claimed.
    floor: Option<Zxid>,
}

/// One reader's claim; given up when dropped.
pub struct LogHold {
    holds: LogHolds,
    reader: u64,
}

impl LogHolds {
    /// Claims the log from `zxid` on. `None` while that is being removed.
    ///
    /// A claim is made before the reader looks for its files: so either they stay, or it does not
    /// get them.
    pub fn hold(&self, zxid: Zxid) -> Option<LogHold> {
        let mut held = self.lock();
        if held.floor.is_some_and(|floor| zxid < floor) {
            return None;
        }
        let reader = held.next_reader;
        held.next_reader += 1;
        held.by_reader.insert(reader, zxid);
        Some(LogHold {
            holds: self.clone(),
            reader,
        })
    }

    /// The lowest zxid that is claimed, if any is.
    pub fn lowest(&self) -> Option<Zxid> {
        self.lock().lowest()
    }

    /// Begins to remove what lies below the zxid that `floor` makes of the lowest one claimed.
    /// Readers are not held up meanwhile.
    pub(crate) fn remove_below(&self, floor: impl FnOnce(Option<Zxid>) -> Zxid) -> Removal<'_> {
        let mut held = self.lock();
        let floor = floor(held.lowest());
        held.floor = held.floor.max(Some(floor));
        Removal { holds: self, floor }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        // A reader that panicked left a whole map.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn lowest(&self) -> Option<Zxid> {
        self.by_reader.values().min().copied()
    }
}

/// A removal that is under way; ends when dropped.
pub(crate) struct Removal<'a> {
    holds: &'a LogHolds,
    pub(crate) floor: Zxid,
}

impl Drop for Removal<'_> {
    fn drop(&mut self) {
        self.holds.lock().floor = None;
    }
}

impl LogHold {
    /// Gives up what lies before `zxid`.
    pub fn advance(&self, zxid: Zxid) {
        let mut held = self.holds.lock();
        let claim = held.by_reader.get_mut(&self.reader);
        let claim = claim.expect("a claim stays until it is dropped");
        *claim = zxid.max(*claim);
    }
}

impl Drop for LogHold {
    fn drop(&mut self) {
        self.holds.lock().by_reader.remove(&self.reader);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_being_removed_cannot_be_claimed() {
        let holds = LogHolds::default();
        let nine = holds.hold(Zxid(9)).expect("nothing is being removed");
        let removal = holds.remove_below(|lowest| {
            assert_eq!(lowest, Some(Zxid(9)));
            Zxid(7)
        });
        assert_eq!(removal.floor, Zxid(7));
        assert!(holds.hold(Zxid(6)).is_none());
        let seven = holds.hold(Zxid(7)).expect("it stays");
        assert_eq!(holds.lowest(), Some(Zxid(7)));
        seven.advance(Zxid(8));
        seven.advance(Zxid(3));
        assert_eq!(holds.lowest(), Some(Zxid(8)), "a claim does not go back");
        drop((removal, nine, seven));
        assert_eq!(holds.lowest(), None);
        assert!(holds.hold(Zxid(6)).is_some());
    }
}
