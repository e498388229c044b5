use jute::Zxid;
use jute::txn::TxnDigest;

/// Compares the tree's digest with what the history says it should be.
///
/// While the log behind a fuzzy snapshot is replayed the tree passes through states that
/// never were, so nothing is compared until the zxid at which the snapshot's own digest
/// was taken. From there on every transaction's digest is.
///
/// A tree that came from a leader brings no digest, and may be as fuzzy: then nothing counts until
/// a digest fits, or until [`State::end_grace`](crate::State::end_grace), when everything that can
/// be in it has been applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DigestCheck {
    /// The snapshot's digest, while the transaction it belongs to is still to come.
    awaited: Option<(Zxid, u64)>,
    /// The tree may hold effects of transactions to come, no one knows up to which.
    grace: bool,
    /// The last one that did not count.
    excused: Option<DigestMismatch>,
    mismatches: u64,
    last: Option<DigestMismatch>,
}

/// A tree that differs from what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DigestMismatch {
    /// The last transaction in the tree.
    pub zxid: Zxid,
    /// The digest in the log or the snapshot.
    pub expected: u64,
    /// The tree's.
    pub actual: u64,
}

impl DigestCheck {
    /// How often they differed.
    pub fn mismatches(&self) -> u64 {
        self.mismatches
    }

    /// The last time they differed.
    pub fn last_mismatch(&self) -> Option<DigestMismatch> {
        self.last
    }

    /// Is the tree still between a fuzzy snapshot and its digest, that is, not proven?
    pub fn is_awaiting(&self) -> bool {
        self.awaited.is_some() || self.grace
    }

    /// See [`State::begin_grace`](crate::State::begin_grace).
    pub(crate) fn begin_grace(&mut self) {
        self.grace = true;
    }

    /// See [`State::end_grace`](crate::State::end_grace).
    pub(crate) fn end_grace(&mut self) -> Option<DigestMismatch> {
        self.grace = false;
        let excused = self.excused.take()?;
        self.count(excused)
    }

    /// Starts after loading a snapshot up to `zxid` with this digest in its trailer. The
    /// digest of a transaction before `zxid` tells nothing: a new leader's snapshot is
    /// named after an epoch that has no transactions yet. Nor does zxid 0, unknown.
    pub(super) fn start(&mut self, zxid: Zxid, digest: Option<(Zxid, u64)>, actual: u64) {
        *self = Self::default();
        match digest {
            Some((at, expected)) if at == zxid && at != Zxid::ZERO => {
                self.compare(zxid, expected, actual);
            }
            Some((at, _)) if at > zxid => self.awaited = digest,
            _ => {}
        }
    }

    /// After a transaction: `actual` is the digest of the tree with it.
    pub(super) fn check(
        &mut self,
        zxid: Zxid,
        digest: Option<TxnDigest>,
        actual: u64,
    ) -> Option<DigestMismatch> {
        if let Some((at, expected)) = self.awaited {
            if zxid < at {
                return None;
            }
            self.awaited = None;
            if zxid == at {
                return self.compare(zxid, expected, actual);
            }
        }
        let digest = digest?;
        if digest.version != TxnDigest::VERSION {
            return None;
        }
        self.compare(zxid, digest.tree_digest as u64, actual)
    }

    fn compare(&mut self, zxid: Zxid, expected: u64, actual: u64) -> Option<DigestMismatch> {
        if expected == actual {
            (self.grace, self.excused) = (false, None);
            return None;
        }
        let mismatch = DigestMismatch {
            zxid,
            expected,
            actual,
        };
        if self.grace {
            self.excused = Some(mismatch);
            return None;
        }
        self.count(mismatch)
    }

    fn count(&mut self, mismatch: DigestMismatch) -> Option<DigestMismatch> {
        self.mismatches += 1;
        self.last = Some(mismatch);
        self.last
    }
}
