//! The time as the processes have it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tokio::time::Instant;

use crate::actor::Who;

/// What a clock shows when a run begins, milliseconds since 1970.
const START_MS: i64 = 1_700_000_000_000;

/// So much a clock is ahead or behind, milliseconds.
const WRONG_MS: i64 = 300;

/// A process's clock, which never goes back. Of three, one is ahead and one behind as long as
/// faults happen. Then all show the same: else who is ahead would have all that comes out by time.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    start: Instant,
    who: Who,
    shown_ms: Arc<AtomicI64>,
}

impl Clock {
    pub(super) fn new(who: &Who, start: Instant) -> Self {
        Self {
            start,
            who: who.clone(),
            shown_ms: Arc::default(),
        }
    }

    /// Milliseconds since 1970.
    pub(super) fn now_ms(&self) -> i64 {
        let wrong_ms = match self.who.is_faulty() {
            true => [0, WRONG_MS, -WRONG_MS][self.who.number() % 3],
            false => 0,
        };
        let since_ms = i64::try_from(self.start.elapsed().as_millis()).unwrap_or(i64::MAX / 2);
        let now_ms = START_MS + wrong_ms + since_ms;
        let shown_ms = self.shown_ms.fetch_max(now_ms, Ordering::Relaxed);
        shown_ms.max(now_ms)
    }
}
