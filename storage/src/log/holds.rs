//! Which parts of the log somebody still reads.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jute::Zxid;

/// The lowest zxid that each reader of the log still needs. Shared by [`LogCursor`](super::LogCursor)s and
/// [`purge`](crate::purge).
///
/// A registry, rather than files that are kept open: a reader needs the files behind the one that it reads as well, a removed file that
/// is open takes its space unseen, and not every system lets one be removed. Whoever holds on to a part of the log for too long
/// costs the disk, so slow learners are for their leader to drop.
#[derive(Clone, Default)]
pub struct LogHolds(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    by_reader: BTreeMap<u64, Zxid>,
    next_reader: u64,
}

/// One reader's claim; given up when dropped.
pub struct LogHold {
    holds: LogHolds,
    reader: u64,
}

impl LogHolds {
    /// Claims the log from `zxid` on.
    pub fn hold(&self, zxid: Zxid) -> LogHold {
        let mut held = self.lock();
        let reader = held.next_reader;
        held.next_reader += 1;
        held.by_reader.insert(reader, zxid);
        LogHold {
            holds: self.clone(),
            reader,
        }
    }

    /// The lowest zxid that is claimed, if any is.
    pub fn lowest(&self) -> Option<Zxid> {
        self.lock().lowest()
    }

    /// Runs `remove` with the lowest zxid that is claimed. Nothing can be claimed meanwhile: a claim is made before the reader looks for its
    /// files, so it either is respected or finds them gone.
    pub(crate) fn while_fixed<T>(&self, remove: impl FnOnce(Option<Zxid>) -> T) -> T {
        let held = self.lock();
        remove(held.lowest())
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
