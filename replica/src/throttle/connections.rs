use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::Now;

/// The options `zookeeper.connection_throttle_*`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConnectionThrottleOptions {
    /// `tokens`: size of the bucket; 0 is off.
    pub tokens: u32,
    /// `fill_time`, milliseconds.
    pub fill_time_ms: u64,
    /// `fill_count`: tokens added each fill time.
    pub fill_count: u32,
    /// `freeze_time`, milliseconds between adjustments of the drop probability; -1 is off.
    pub freeze_time_ms: i64,
    /// `drop_increase`: added to the probability when the bucket is empty.
    pub drop_increase: f64,
    /// `drop_decrease`: taken off when tokens are left.
    pub drop_decrease: f64,
    /// `decrease_ratio`: how full the bucket must be for the probability to fall.
    pub decrease_ratio: f64,
    /// `weight_enabled`: do kinds of sessions cost different numbers of tokens?
    pub weight_enabled: bool,
    /// `global_session_weight`.
    pub global_session_weight: u32,
    /// `renew_session_weight`.
    pub renew_session_weight: u32,
}

impl Default for ConnectionThrottleOptions {
    fn default() -> Self {
        Self {
            tokens: 0,
            fill_time_ms: 1,
            fill_count: 1,
            freeze_time_ms: -1,
            drop_increase: 0.02,
            drop_decrease: 0.002,
            decrease_ratio: 0.0,
            weight_enabled: false,
            global_session_weight: 3,
            renew_session_weight: 2,
        }
    }
}

/// What a connection wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionKind {
    /// A new session.
    New,
    /// To renew one.
    Renewed,
}

/// A token bucket for new connections that also drops at random, more the longer the
/// bucket stays empty.
#[derive(Debug)]
pub struct ConnectionThrottle {
    options: ConnectionThrottleOptions,
    tokens: u32,
    filled_ms: u64,
    adjusted_ms: u64,
    drop_probability: f64,
    random: ChaCha8Rng,
}

impl ConnectionThrottle {
    /// A full bucket.
    pub fn new(options: ConnectionThrottleOptions, seed: u64, now: Now) -> Self {
        Self {
            options,
            tokens: options.tokens,
            filled_ms: now.monotonic_ms(),
            adjusted_ms: now.monotonic_ms(),
            drop_probability: 0.0,
            random: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// The share of connections dropped at random.
    pub fn drop_probability(&self) -> f64 {
        self.drop_probability
    }

    /// Takes the tokens for a connection; false if it is to be closed.
    pub fn admit(&mut self, kind: SessionKind, now: Now) -> bool {
        if self.options.tokens == 0 {
            return true;
        }
        let weight = match (self.options.weight_enabled, kind) {
            (false, _) => 1,
            (true, SessionKind::New) => self.options.global_session_weight,
            (true, SessionKind::Renewed) => self.options.renew_session_weight,
        };
        self.fill(now.monotonic_ms());
        self.adjust(now.monotonic_ms(), weight);
        if self.drops() || self.tokens < weight {
            return false;
        }
        self.tokens -= weight;
        true
    }

    fn fill(&mut self, now_ms: u64) {
        let fill_time = self.options.fill_time_ms.max(1);
        let periods = (now_ms - self.filled_ms) / fill_time;
        self.filled_ms += periods * fill_time;
        let added = periods.saturating_mul(u64::from(self.options.fill_count));
        let tokens = u64::from(self.tokens).saturating_add(added);
        self.tokens = tokens.min(u64::from(self.options.tokens)) as u32;
    }

    fn adjust(&mut self, now_ms: u64, weight: u32) {
        let Ok(freeze_ms) = u64::try_from(self.options.freeze_time_ms) else {
            return;
        };
        if now_ms - self.adjusted_ms < freeze_ms {
            return;
        }
        self.adjusted_ms = now_ms;
        let wanted_left = f64::from(self.options.tokens) * self.options.decrease_ratio;
        if self.tokens < weight {
            self.drop_probability = (self.drop_probability + self.options.drop_increase).min(1.0);
        } else if f64::from(self.tokens) >= wanted_left {
            self.drop_probability = (self.drop_probability - self.options.drop_decrease).max(0.0);
        }
    }

    fn drops(&mut self) -> bool {
        if self.drop_probability <= 0.0 {
            return false;
        }
        // 53 random bits make a uniform number in [0, 1).
        let uniform = (self.random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        uniform < self.drop_probability
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Now {
        Now {
            monotonic_us: ms * 1000,
            wall_ms: 0,
        }
    }

    #[test]
    fn off_by_default() {
        let mut throttle = ConnectionThrottle::new(ConnectionThrottleOptions::default(), 1, at(0));
        assert!((0..1000).all(|_| throttle.admit(SessionKind::New, at(0))));
    }

    #[test]
    fn spends_and_fills() {
        let options = ConnectionThrottleOptions {
            tokens: 3,
            fill_time_ms: 10,
            fill_count: 2,
            ..ConnectionThrottleOptions::default()
        };
        let mut throttle = ConnectionThrottle::new(options, 1, at(0));
        let admitted = |throttle: &mut ConnectionThrottle, ms| {
            (0..5)
                .filter(|_| throttle.admit(SessionKind::Renewed, at(ms)))
                .count()
        };
        assert_eq!(admitted(&mut throttle, 0), 3);
        assert_eq!(admitted(&mut throttle, 9), 0);
        assert_eq!(admitted(&mut throttle, 10), 2);
        assert_eq!(admitted(&mut throttle, 1000), 3);
    }

    #[test]
    fn weights_and_probability() {
        let options = ConnectionThrottleOptions {
            tokens: 5,
            fill_count: 0,
            freeze_time_ms: 0,
            drop_increase: 0.5,
            weight_enabled: true,
            ..ConnectionThrottleOptions::default()
        };
        let mut throttle = ConnectionThrottle::new(options, 1, at(0));
        assert!(throttle.admit(SessionKind::New, at(0)));
        assert!(throttle.admit(SessionKind::Renewed, at(0)));
        assert!(!throttle.admit(SessionKind::Renewed, at(0)));
        assert!(throttle.drop_probability() > 0.4);
    }
}
