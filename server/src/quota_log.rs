//! Exceeded quotas in the log.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use state::quota::{Exceeded, QuotaSink};
use tracing::warn;

/// Above a soft limit every write is reported: so many lines are logged in one interval, and
/// the others counted.
const LINES_PER_INTERVAL: u32 = 10;

const INTERVAL: Duration = Duration::from_secs(60);

/// Logs exceeded quotas, a few lines a minute at most.
#[derive(Debug, Default)]
pub(crate) struct QuotaLog {
    pace: Mutex<Pace>,
}

impl QuotaLog {
    /// For [`state::prep::PrepOptions`].
    pub(crate) fn sink() -> Arc<dyn QuotaSink> {
        Arc::new(Self::default())
    }
}

impl QuotaSink for QuotaLog {
    fn exceeded(&self, exceeded: &Exceeded<'_>) {
        match self.pace.lock().admit(Instant::now()) {
            None => {}
            Some(0) => warn!("{exceeded}"),
            Some(missed) => warn!("{exceeded}; {missed} such lines before were not logged"),
        }
    }
}

/// Counts the lines of an interval.
#[derive(Debug, Default)]
struct Pace {
    /// When the interval began; `None` before the first line.
    start: Option<Instant>,
    lines: u32,
    missed: u64,
}

impl Pace {
    /// May a line be logged at this moment? Then says how many were not, since the last one.
    fn admit(&mut self, now: Instant) -> Option<u64> {
        let begins = |start| now.saturating_duration_since(start) >= INTERVAL;
        if self.start.is_none_or(begins) {
            self.start = Some(now);
            self.lines = 0;
        }
        if self.lines == LINES_PER_INTERVAL {
            self.missed += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.missed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_lines_is_counted_instead() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        for _ in 0..LINES_PER_INTERVAL {
            assert_eq!(pace.admit(start), Some(0));
        }
        for _ in 0..500 {
            assert_eq!(pace.admit(start), None);
        }
        assert_eq!(pace.admit(start + INTERVAL), Some(500));
        assert_eq!(pace.admit(start + INTERVAL), Some(0));
    }
}
