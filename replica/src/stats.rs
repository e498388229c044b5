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

/// Bytes of the proposals of a leader since it began to lead, or since the last reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProposalSizes {
    /// The last, the smallest, the largest; `None` before the first.
    seen: Option<[usize; 3]>,
}

impl ProposalSizes {
    /// Adds a proposal: header, body and digest.
    pub fn record(&mut self, bytes: usize) {
        let [_, min, max] = self.seen.unwrap_or([bytes; 3]);
        self.seen = Some([bytes, min.min(bytes), max.max(bytes)]);
    }

    /// The last, the smallest, the largest; -1 before the first, as Apache has it.
    pub fn last_min_max(&self) -> [i64; 3] {
        self.seen
            .map_or([-1; 3], |seen| seen.map(|bytes| bytes as i64))
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
    /// Proposals of this server as a leader.
    pub proposals: Mutex<ProposalSizes>,
    /// Authentications that failed.
    pub auth_failed: AtomicU64,
    /// Transactions that a member has applied because they were committed. A server alone commits
    /// what it makes, and queues nothing for it, as Apache's.
    pub commits: AtomicU64,
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
        *self.proposals.lock() = ProposalSizes::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_proposals() {
        let mut sizes = ProposalSizes::default();
        assert_eq!(sizes.last_min_max(), [-1, -1, -1]);
        for (bytes, expected) in [
            (50, [50, 50, 50]),
            (36, [36, 36, 50]),
            (102, [102, 36, 102]),
            (67, [67, 36, 102]),
        ] {
            sizes.record(bytes);
            assert_eq!(sizes.last_min_max(), expected);
        }
    }
}
