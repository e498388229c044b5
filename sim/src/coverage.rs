//! What happened, counted: a run is worth the events it has seen, not its hours.

use std::collections::BTreeMap;
use std::fmt;

/// The time that passed in runs, milliseconds: counted as an event.
pub const SIMULATED_MS: &str = "millisecond simulated";

/// Counts of events by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage(BTreeMap<String, u64>);

impl Coverage {
    /// Counts one event.
    pub fn count(&mut self, event: &str) {
        self.add(event, 1);
    }

    /// Counts `times` events.
    pub fn add(&mut self, event: &str, times: u64) {
        if let Some(count) = self.0.get_mut(event) {
            *count += times;
        } else {
            self.0.insert(event.to_owned(), times);
        }
    }

    /// How often it happened.
    pub fn of(&self, event: &str) -> u64 {
        self.0.get(event).copied().unwrap_or(0)
    }

    /// Adds the counts of another run.
    pub fn merge(&mut self, other: &Self) {
        for (event, count) in &other.0 {
            self.add(event, *count);
        }
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (event, count) in &self.0 {
            writeln!(f, "{count:>12}  {event}")?;
        }
        Ok(())
    }
}
