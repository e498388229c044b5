use std::fmt;

/// A transaction id: the epoch in the high 32 bits, a counter in the low 32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Zxid(pub i64);

impl Zxid {
    /// Before the first transaction.
    pub const ZERO: Self = Self(0);

    /// The epoch: the signed high half.
    pub fn epoch(self) -> i64 {
        self.0 >> 32
    }

    /// The counter within the epoch.
    pub fn counter(self) -> u32 {
        self.0 as u32
    }

    /// The next zxid of the same epoch.
    ///
    /// # Panics
    /// If the counter is exhausted: going on would silently enter the next epoch.
    #[must_use]
    pub fn next(self) -> Self {
        assert!(
            self.counter() < u32::MAX,
            "zxid counter exhausted at {self}"
        );
        Self(self.0 + 1)
    }
}

/// Lower-case hex of the unsigned value, as in file names.
impl fmt::Display for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}
