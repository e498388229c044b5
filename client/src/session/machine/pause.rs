//! How long to rest before the next attempt to connect.

use crate::session::options::Options;

/// The rests of a session.
#[derive(Debug)]
pub(super) struct Pause {
    base_us: u64,
    max_us: u64,
    attempts_in_round: u32,
    random: Option<u64>,
    /// Attempts since the last connection that worked.
    failures: u32,
}

impl Pause {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            base_us: options.reconnect_delay_us,
            max_us: options.reconnect_delay_max_us,
            attempts_in_round: options.attempts_in_round.max(1),
            random: options.jitter_seed,
            failures: 0,
        }
    }

    /// A connection works.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// Rounds of attempts that have failed since the last connection that worked.
    pub(super) fn rounds(&self) -> u32 {
        self.failures / self.attempts_in_round
    }

    /// The next rest.
    pub(super) fn next_us(&mut self) -> u64 {
        let rounds = self.rounds();
        self.failures = self.failures.saturating_add(1);
        let factor = 1_u64.checked_shl(rounds).unwrap_or(u64::MAX);
        let longest = self.base_us.saturating_mul(factor);
        let longest = longest.min(self.max_us.max(self.base_us));
        match &mut self.random {
            Some(state) => {
                *state = split_mix(*state);
                *state % longest.saturating_add(1)
            }
            None => longest,
        }
    }
}

/// One step of SplitMix64, whose output is the next state: good enough to scatter clients.
pub(crate) fn split_mix(state: u64) -> u64 {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(jitter_seed: Option<u64>) -> Options {
        Options {
            reconnect_delay_us: 100,
            reconnect_delay_max_us: 500,
            attempts_in_round: 2,
            jitter_seed,
            ..Options::default()
        }
    }

    #[test]
    fn doubles_with_each_round_up_to_the_bound() {
        let mut pause = Pause::new(&options(None));
        let rests: Vec<_> = (0..9).map(|_| pause.next_us()).collect();
        assert_eq!(rests, [100, 100, 200, 200, 400, 400, 500, 500, 500]);
        pause.reset();
        assert_eq!(pause.next_us(), 100);
        for _ in 0..200 {
            assert!(pause.next_us() <= 500);
        }
    }

    #[test]
    fn jitter_stays_below_and_differs_by_seed() {
        let rests = |seed| {
            let mut pause = Pause::new(&options(Some(seed)));
            (0..50).map(|_| pause.next_us()).collect::<Vec<_>>()
        };
        assert!(rests(1).iter().all(|rest| *rest <= 500));
        assert_eq!(rests(1), rests(1));
        assert_ne!(rests(1), rests(2));
    }
}
