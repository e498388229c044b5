//! Is a learner better served from the log on disk, or by the whole tree?

/// `zookeeper.snapshotSizeFactor`: so much more than a snapshot a learner may be sent from the log.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SizeFactor(f64);

impl SizeFactor {
    /// Apache's default.
    pub const DEFAULT: Self = Self(0.33);

    /// From the configured value. Above 1 it is the default; below 0 the log is never read for
    /// learners.
    pub fn from_setting(value: f64) -> Self {
        if value > 1.0 || value.is_nan() {
            Self::DEFAULT
        } else {
            Self(value)
        }
    }

    /// Whether a learner may be served from the log, of which `log_len` bytes lie behind the file
    /// that its first transaction is in, where the newest snapshot has `snapshot_len` bytes (0 if
    /// there is none).
    ///
    /// The lengths are those of files, with the space prepared in them, as in Apache. A limit of 0
    /// bytes is none.
    pub fn allows(self, snapshot_len: u64, log_len: u64) -> bool {
        let limit = (snapshot_len as f64 * self.0) as i64;
        match limit {
            _ if self.0 < 0.0 => false,
            0 => true,
            limit => i64::try_from(log_len).is_ok_and(|len| len <= limit),
        }
    }
}

impl Default for SizeFactor {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        for (setting, snapshot_len, log_len, expected) in [
            (0.33, 1000, 0, true),
            (0.33, 1000, 330, true),
            (0.33, 1000, 331, false),
            (0.33, 1000, u64::MAX, false),
            // Without a snapshot, or with one so small that nothing is left of it, there is no
            // limit.
            (0.33, 0, 1 << 40, true),
            (0.33, 3, 1 << 40, true),
            (0.33, 4, 1, true),
            (0.33, 4, 2, false),
            (0.0, 1000, 1 << 40, true),
            (1.0, 1000, 1000, true),
            (1.0, 1000, 1001, false),
            // Too large a factor is not taken.
            (1.1, 1000, 330, true),
            (1.1, 1000, 331, false),
            (f64::NAN, 1000, 331, false),
            (-0.1, 1000, 0, false),
            (-0.1, 0, 0, false),
            (-1.0, 1 << 40, 0, false),
        ] {
            let allowed = SizeFactor::from_setting(setting).allows(snapshot_len, log_len);
            assert_eq!(allowed, expected, "{setting} {snapshot_len} {log_len}");
        }
    }
}
