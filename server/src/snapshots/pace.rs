use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// After a snapshot the next one rests for so many times as long as it took. A large tree
/// under a heavy load of writes would else be written out all the time, for every
/// `snapCount` transactions; a restart replays so much more of the log instead, which is
/// the faster of the two.
const REST_FACTOR: u32 = 4;

/// Says when the next snapshot may start, and how it is scattered.
pub(crate) struct SnapshotPace(Mutex<Pacing>);

struct Pacing {
    claimed: bool,
    not_before: Instant,
    random: ChaCha8Rng,
}

/// The right to write the next snapshot. Whatever becomes of it, another can be claimed some time
/// after this is dropped.
pub(crate) struct Claim {
    pace: Arc<SnapshotPace>,
    start: Instant,
}

impl SnapshotPace {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Pacing {
            claimed: false,
            not_before: Instant::now(),
            random: ChaCha8Rng::seed_from_u64(seed),
        })))
    }

    /// Two random numbers that scatter the next snapshot.
    pub(crate) fn random(&self) -> [u64; 2] {
        let random = &mut self.0.lock().random;
        [random.next_u64(), random.next_u64()]
    }

    /// Claims the next snapshot, which is due, if it may start now.
    pub(crate) fn claim(self: &Arc<Self>) -> Option<Claim> {
        let mut pacing = self.0.lock();
        let start = Instant::now();
        if pacing.claimed || start < pacing.not_before {
            return None;
        }
        pacing.claimed = true;
        let pace = Arc::clone(self);
        Some(Claim { pace, start })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut pacing = self.pace.0.lock();
        pacing.claimed = false;
        pacing.not_before = Instant::now() + self.start.elapsed() * REST_FACTOR;
    }
}

impl std::fmt::Debug for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claim").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let pace = SnapshotPace::new(1);
        let claim = pace.claim();
        assert!(claim.is_some());
        assert!(pace.claim().is_none());
        drop(claim);
        let rested = || pace.claim().is_some();
        while !rested() {
            std::thread::yield_now();
        }
    }
}
