//! When the log starts a new file, and when that comes with a snapshot.

/// The configured limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RollLimits {
    /// `snapCount`: about so many records between two snapshots; values below 2 count as 2.
    pub snap_count: u64,
    /// `snapSizeLimitInKb` in bytes: about so many log bytes between two snapshots.
    pub snap_size_bytes: Option<u64>,
    /// `zookeeper.txnLogSizeLimitInKb` in bytes: a log file that has grown past it is followed by a
    /// new one.
    pub log_size_bytes: Option<u64>,
}

impl Default for RollLimits {
    fn default() -> Self {
        Self {
            snap_count: 100_000,
            snap_size_bytes: Some(4_194_304 << 10),
            log_size_bytes: None,
        }
    }
}

/// Counts records and bytes towards the next snapshot.
///
/// The trigger is random in the upper half of the limits, so that the servers of an ensemble do not
/// snapshot at once; the random numbers are arguments.
#[derive(Debug, Clone)]
pub struct RollPolicy {
    limits: RollLimits,
    records: u64,
    bytes: u64,
    records_trigger: u64,
    bytes_trigger: Option<u64>,
}

impl RollPolicy {
    /// Starts counting; `random` are two uniform numbers.
    pub fn new(limits: RollLimits, random: [u64; 2]) -> Self {
        let half = limits.snap_count.max(2) / 2;
        let bytes_half = limits.snap_size_bytes.map(|bytes| bytes / 2);
        Self {
            limits,
            records: 0,
            bytes: 0,
            records_trigger: half + random[0] % half,
            bytes_trigger: bytes_half.map(|half| half + random[1] % half.max(1)),
        }
    }

    /// Notes one appended record of `record_bytes`. On true the caller rolls the log, starts a
    /// snapshot (unless one is still being taken) and calls [`RollPolicy::restart`]; the batch with
    /// the record that triggered it is the last of the old file.
    #[must_use]
    pub fn appended(&mut self, record_bytes: u64) -> bool {
        self.records += 1;
        self.bytes += record_bytes;
        self.records > self.records_trigger
            || self
                .bytes_trigger
                .is_some_and(|trigger| self.bytes > trigger)
    }

    /// Begins the next round with two new random numbers.
    pub fn restart(&mut self, random: [u64; 2]) {
        *self = Self::new(self.limits, random);
    }

    /// Whether a file of `file_bytes` is to be followed by a new one after a commit, without a
    /// snapshot.
    pub fn file_is_full(&self, file_bytes: u64) -> bool {
        self.limits
            .log_size_bytes
            .is_some_and(|limit| file_bytes > limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records_until_trigger(limits: RollLimits, random: [u64; 2], record_bytes: u64) -> u64 {
        let mut policy = RollPolicy::new(limits, random);
        (1..=10_000)
            .find(|_| policy.appended(record_bytes))
            .expect("some limit is reached")
    }

    #[test]
    fn triggers_in_the_upper_half() {
        let limits = |snap_count, bytes| RollLimits {
            snap_count,
            snap_size_bytes: bytes,
            log_size_bytes: Some(100),
        };
        let table = [
            (limits(120, None), [0, 0], 1, 61),
            (limits(120, None), [59, 0], 1, 120),
            (limits(120, None), [60, 0], 1, 61),
            (limits(0, None), [7, 0], 1, 2),
            (limits(120, Some(100)), [59, 0], 10, 6),
            (limits(120, Some(100)), [59, 49], 10, 10),
            (limits(120, Some(1)), [59, 49], 10, 1),
        ];
        for (limits, random, bytes, expected) in table {
            assert_eq!(
                records_until_trigger(limits, random, bytes),
                expected,
                "{limits:?} {random:?}"
            );
        }
        let policy = RollPolicy::new(limits(120, None), [0, 0]);
        assert!(!policy.file_is_full(100) && policy.file_is_full(101));
    }
}
