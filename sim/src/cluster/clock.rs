//! A machine's clocks: each runs at its own speed, and the wall clock jumps.

use crate::rng::Rng;

/// Clocks differ from true time by so much at the most, in millionths. Crystals are within 200;
/// virtual machines under load have been seen to drift by far more. What is measured with two
/// clocks (a session's silence, a leader's) differs by twice as much at the most, and every limit
/// that the protocol compares leaves more room than that.
const DRIFT_MAX_PPM: u64 = 20_000;

/// A million.
const PPM: u64 = 1_000_000;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// Its microseconds in a million of true ones.
    rate: u64,
    /// How far the wall clock is off.
    pub(crate) wall_offset_ms: i64,
}

impl Clock {
    /// Every other one is true.
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        let rate = match rng.percent(50) {
            true => PPM,
            false => rng.between(PPM - DRIFT_MAX_PPM..PPM + DRIFT_MAX_PPM),
        };
        Self {
            rate,
            wall_offset_ms: 0,
        }
    }

    /// What it shows when true time is `true_us`.
    pub(crate) fn shown_us(&self, true_us: u64) -> u64 {
        true_us * self.rate / PPM
    }

    /// When it first shows `shown_us`.
    pub(crate) fn true_us(&self, shown_us: u64) -> u64 {
        (shown_us * PPM).div_ceil(self.rate)
    }

    /// Does it run as fast as time?
    pub(crate) fn is_true(&self) -> bool {
        self.rate == PPM
    }

    /// How coverage counts it.
    pub(crate) fn kind(&self) -> &'static str {
        match self.rate.cmp(&PPM) {
            std::cmp::Ordering::Less => "server with a slow clock",
            std::cmp::Ordering::Equal => "server with a true clock",
            std::cmp::Ordering::Greater => "server with a fast clock",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_is_never_early() {
        for rate in [
            PPM - DRIFT_MAX_PPM,
            PPM - 1,
            PPM,
            PPM + 1,
            PPM + DRIFT_MAX_PPM,
        ] {
            let clock = Clock {
                rate,
                wall_offset_ms: 0,
            };
            for shown_us in [1, 999, 1_000_000, 123_456_789] {
                let at_us = clock.true_us(shown_us);
                assert!(clock.shown_us(at_us) >= shown_us, "{rate} {shown_us}");
                assert!(clock.shown_us(at_us - 1) < shown_us, "{rate} {shown_us}");
            }
        }
    }
}
