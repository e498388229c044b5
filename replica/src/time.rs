/// A moment, as both clocks show it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Microseconds on a clock that never goes back. Decides timeouts.
    pub monotonic_us: u64,
    /// Milliseconds since 1970. Goes into transactions and decides nothing but the age of
    /// TTL nodes.
    pub wall_ms: i64,
}

impl Now {
    /// Milliseconds on the clock that never goes back.
    pub fn monotonic_ms(self) -> u64 {
        self.monotonic_us / 1000
    }
}
