//! Newtypes for the numbers of the protocol, so that no two bare integers stand side by side.

use jute::Zxid;

use crate::leave::Leave;

/// The number of a leader's reign: the high half of its zxids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub i64);

impl Epoch {
    /// Before the first leader.
    pub const ZERO: Self = Self(0);
    /// The epoch of a server that has no vote.
    pub const NONE: Self = Self(i64::MIN);

    /// The last one that a zxid can hold.
    pub const MAX: Self = Self(i32::MAX as i64);

    /// The epoch in which a transaction was proposed.
    pub fn of(zxid: Zxid) -> Self {
        Self(zxid.epoch())
    }

    /// The zxid with counter 0: it names the epoch itself (NEWLEADER, LEADERINFO), never a
    /// transaction.
    pub fn zxid(self) -> Zxid {
        Zxid(self.0 << 32)
    }

    /// The one after it.
    ///
    /// # Panics
    /// If the high half of a zxid cannot hold it.
    #[must_use]
    pub fn next(self) -> Self {
        assert!(self < Self::MAX, "epochs exhausted at {self}");
        Self(self.0 + 1)
    }
}

/// Whether a zxid names an epoch rather than a transaction.
pub(crate) fn names_epoch(zxid: Zxid) -> bool {
    zxid.counter() == 0
}

/// Refuses history that a leader of this epoch cannot have.
pub(crate) fn check_epoch(zxid: Zxid, epoch: Epoch) -> Result<(), Leave> {
    if Epoch::of(zxid) > epoch {
        return Err(Leave::FutureEpoch { zxid, epoch });
    }
    Ok(())
}

/// Whether `next` may directly follow `last` in a history: the next of the same epoch, or the first
/// of a later one.
pub(crate) fn follows(last: Zxid, next: Zxid) -> bool {
    if next.epoch() == last.epoch() {
        last.counter() < u32::MAX && next == last.next()
    } else {
        next.epoch() > last.epoch() && next.counter() == 1
    }
}
