//! The real clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use replica::Now;

/// Reads the operating system's clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    /// Counts from here.
    pub(crate) fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    /// This moment.
    pub(crate) fn now(&self) -> Now {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        Now {
            monotonic_us: u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX),
            wall_ms: since_1970.map_or(0, |since| since.as_millis() as i64),
        }
    }
}
