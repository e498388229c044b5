//! Counters of the whole server, for the four-letter words.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

/// Request latencies in milliseconds since the last reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// Number of requests.
    pub count: u64,
    /// Sum over all of them, microseconds.
    pub total_us: u64,
    /// The shortest, microseconds.
    pub min_us: u64,
    /// The longest, microseconds.
    pub max_us: u64,
}

impl Latency {
    /// Adds `count` requests that took `us` microseconds each.
    pub fn record(&mut self, us: u64, count: u64) {
        if count == 0 {
            return;
        }
        self.min_us = if self.count == 0 {
            us
        } else {
            self.min_us.min(us)
        };
        self.max_us = self.max_us.max(us);
        self.total_us += us * count;
        self.count += count;
    }

    /// The mean in milliseconds; 0 when there was none.
    pub fn mean_ms(&self) -> f64 {
        if self.count == 0 {
            return 0.0;
        }
        self.total_us as f64 / self.count as f64 / 1000.0
    }
}

/// Counters of the whole server.
#[derive(Debug, Default)]
pub struct ServerStats {
    /// Packets received from clients.
    pub received: AtomicU64,
    /// Packets sent to clients.
    pub sent: AtomicU64,
    /// Writes submitted and not yet answered.
    pub outstanding: AtomicI64,
    /// Requests that were answered.
    pub latency: Mutex<Latency>,
    /// Authentications that failed.
    pub auth_failed: AtomicU64,
    /// Transactions made.
    pub transactions: AtomicU64,
    /// Connections refused by a limit.
    pub connections_rejected: AtomicU64,
    /// Sessions that expired.
    pub sessions_expired: AtomicU64,
}

impl ServerStats {
    /// What the word `srst` resets.
    pub fn reset(&self) {
        self.received.store(0, Relaxed);
        self.sent.store(0, Relaxed);
        *self.latency.lock() = Latency::default();
    }
}
