//! Deterministic simulation of a server with clients over a faulty disk and broken
//! connections.
//!
//! One thread, one queue of events, one seed: the shipped cores (`replica`, `state`,
//! `storage`, `client`) run against a simulated disk, network and clock, and the same seed
//! replays bit for bit. Whatever they do is watched by [`checkers`], one for each property.
//!
//! ```
//! let outcome = sim::run(&sim::Scenario::new(1), false);
//! assert_eq!(outcome.violation, None);
//! ```

mod checkers;
mod clients;
mod coverage;
mod model;
mod rng;
mod scenario;
mod server;
mod shrink;
mod violation;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use coverage::Coverage;
pub use scenario::{Fault, Scenario};
pub use shrink::shrink;
pub use violation::Violation;
pub use world::Outcome;

/// Runs a scenario; with `transcript` what happens is told.
///
/// A panic in the code under test is a violation like any other.
pub fn run(scenario: &Scenario, transcript: bool) -> Outcome {
    let mut world = world::World::new(scenario, transcript);
    let checked = catch_unwind(AssertUnwindSafe(|| world.run()));
    let checked = checked.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(Violation::new("panic", text.unwrap_or("without a message")))
    });
    if let Err(violation) = &checked {
        world.note(&format!("VIOLATION of {violation}"));
    } else {
        world.note("clean");
    }
    world.into_outcome(checked)
}
