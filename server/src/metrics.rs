//! What the server measures of itself, besides what the replica counts.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::admin::words::DEFAULT_TRACE_MASK;

/// Counters and summaries.
#[derive(Debug)]
pub(crate) struct Metrics {
    start: Instant,
    sync: Mutex<Summary>,
    snapshot: Mutex<Summary>,
    /// Shown and set by `gtmk` and `stmk`; nothing is traced by it.
    trace_mask: AtomicI64,
}

/// Durations in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Summary {
    pub(crate) count: u64,
    pub(crate) sum_ms: f64,
    pub(crate) min_ms: f64,
    pub(crate) max_ms: f64,
}

impl Summary {
    fn record(&mut self, took: Duration) {
        let ms = took.as_secs_f64() * 1000.0;
        self.min_ms = if self.count == 0 {
            ms
        } else {
            self.min_ms.min(ms)
        };
        self.max_ms = self.max_ms.max(ms);
        self.sum_ms += ms;
        self.count += 1;
    }
}

impl Metrics {
    pub(crate) fn start() -> Self {
        Self {
            start: Instant::now(),
            sync: Mutex::default(),
            snapshot: Mutex::default(),
            trace_mask: AtomicI64::new(DEFAULT_TRACE_MASK),
        }
    }

    pub(crate) fn uptime(&self) -> Duration {
        self.start.elapsed()
    }

    pub(crate) fn note_sync(&self, took: Duration) {
        self.sync.lock().record(took);
    }

    pub(crate) fn note_snapshot(&self, took: Duration) {
        self.snapshot.lock().record(took);
    }

    pub(crate) fn sync(&self) -> Summary {
        *self.sync.lock()
    }

    pub(crate) fn snapshot(&self) -> Summary {
        *self.snapshot.lock()
    }

    pub(crate) fn trace_mask(&self) -> i64 {
        self.trace_mask.load(Relaxed)
    }

    pub(crate) fn set_trace_mask(&self, mask: i64) {
        self.trace_mask.store(mask, Relaxed);
    }
}
