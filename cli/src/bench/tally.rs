use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use jute::ErrorCode;

/// Longest latency that is told apart, in nanoseconds; longer ones count as this.
const LATENCY_MAX_NS: u64 = 60_000_000_000;

/// What one thread saw; tallies of several threads add up.
pub(super) struct Tally {
    /// Latency of every measured request, nanoseconds.
    pub(super) latency: Histogram<u64>,
    /// Error replies by code.
    pub(super) errors: BTreeMap<i32, u64>,
    /// Connections that broke or never came about.
    pub(super) lost: u64,
    /// Replies whose xid was not the next one.
    pub(super) out_of_order: u64,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            latency: Histogram::new_with_max(LATENCY_MAX_NS, 3).expect("constant bounds are valid"),
            errors: BTreeMap::new(),
            lost: 0,
            out_of_order: 0,
        }
    }

    pub(super) fn record(&mut self, latency: Duration) {
        let ns = u64::try_from(latency.as_nanos()).unwrap_or(LATENCY_MAX_NS);
        self.latency.saturating_record(ns);
    }

    pub(super) fn error(&mut self, code: i32) {
        *self.errors.entry(code).or_default() += 1;
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.latency.add(&other.latency).expect("equal bounds");
        for (code, count) in &other.errors {
            *self.errors.entry(*code).or_default() += count;
        }
        self.lost += other.lost;
        self.out_of_order += other.out_of_order;
    }

    /// Everything that a correct server under a correct load does not do.
    pub(super) fn unexpected(&self) -> u64 {
        self.errors.values().sum::<u64>() + self.lost + self.out_of_order
    }

    /// The errors in words.
    pub(super) fn complaints(&self) -> Vec<String> {
        let name = |code: &i32| match ErrorCode::from_i32(*code) {
            Some(known) => format!("{known:?}"),
            None => format!("error {code}"),
        };
        let mut lines: Vec<_> = self
            .errors
            .iter()
            .map(|(code, count)| format!("{count} x {}", name(code)))
            .collect();
        for (count, what) in [
            (self.lost, "connections lost"),
            (self.out_of_order, "replies out of order"),
        ] {
            if count > 0 {
                lines.push(format!("{count} {what}"));
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tallies_add_up() {
        let (mut one, mut two) = (Tally::new(), Tally::new());
        one.record(Duration::from_micros(10));
        one.error(-101);
        two.record(Duration::from_secs(600));
        two.error(-101);
        two.lost = 1;
        one.add(&two);
        assert_eq!(one.latency.len(), 2);
        assert_eq!(one.unexpected(), 3);
        assert_eq!(one.complaints(), ["2 x NoNode", "1 connections lost"]);
    }
}
