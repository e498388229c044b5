use std::sync::atomic::{AtomicI64, Ordering};

/// Bounds the memory that large requests in flight may take together
/// (`zookeeper.largeRequestThreshold`, `zookeeper.largeRequestMaxBytes`).
#[derive(Debug)]
pub struct LargeRequests {
    threshold: i64,
    max_bytes: i64,
    in_flight: AtomicI64,
}

impl LargeRequests {
    /// Off when `threshold` is below 1.
    pub fn new(threshold: i64, max_bytes: i64) -> Self {
        Self {
            threshold,
            max_bytes,
            in_flight: AtomicI64::new(0),
        }
    }

    /// Takes its share of the budget for a request; false if that is used up.
    pub fn admit(&self, len: usize) -> bool {
        let Some(len) = self.counted(len) else {
            return true;
        };
        let before = self.in_flight.fetch_add(len, Ordering::Relaxed);
        if before + len > self.max_bytes {
            self.in_flight.fetch_sub(len, Ordering::Relaxed);
            return false;
        }
        true
    }

    /// Gives the share of an admitted request back.
    pub fn release(&self, len: usize) {
        if let Some(len) = self.counted(len) {
            self.in_flight.fetch_sub(len, Ordering::Relaxed);
        }
    }

    fn counted(&self, len: usize) -> Option<i64> {
        let len = len as i64;
        (self.threshold > 0 && len > self.threshold).then_some(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_large_requests_share_the_budget() {
        let large = LargeRequests::new(10, 30);
        assert!(large.admit(10));
        assert!(large.admit(20));
        assert!(!large.admit(11));
        assert!(large.admit(5));
        large.release(20);
        assert!(large.admit(30));
        let off = LargeRequests::new(-1, 0);
        assert!(off.admit(1_000_000));
    }
}
