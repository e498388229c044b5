//! Deterministic simulation of a server, or an ensemble of them, with clients over faulty disks,
//! clocks and connections.
//!
//! One thread, one queue of events, one seed: the shipped cores (`replica`, `zab`, `state`,
//! `journal`, `storage`, `client`) run against simulated disks, networks and clocks, and the same
//! seed replays bit for bit. Whatever they do is watched by [`checkers`], one for each property.
//!
//! * [`world`]: events in their order, clients and their connections, what is known of the history
//! * [`site`]: the servers and their network, for clients that run elsewhere
//! * [`standalone`]: one server alone
//! * [`cluster`]: an ensemble, its disks and its network
//! * [`model`]: an independent account of what transactions do
//!
//! ```
//! let outcome = sim::run(&sim::Scenario::new(1), false);
//! assert_eq!(outcome.violation, None);
//! ```

mod checkers;
mod clients;
mod cluster;
mod coverage;
mod explore;
mod model;
mod rng;
mod rot;
mod scenario;
mod settings;
mod shrink;
mod site;
mod standalone;
mod violation;
mod world;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub use coverage::{Coverage, SIMULATED_MS};
pub use explore::{Explored, Goal, explore};
pub use rng::Rng;
pub use scenario::{Fault, Scenario, Servers};
pub use shrink::shrink;
pub use site::{NodeSeen, Site};
use violation::Checked;
pub use violation::Violation;
pub use world::{Arrival, Outcome};

/// Runs a scenario; with `transcript` what happens is told.
///
/// A panic in the code under test is a violation like any other.
pub fn run(scenario: &Scenario, transcript: bool) -> Outcome {
    match scenario.servers {
        Servers::Standalone => {
            let mut world = standalone::Standalone::new(scenario, transcript);
            let checked = caught(|| world.run());
            world.into_outcome(checked)
        }
        Servers::Members(members) => {
            let mut world = cluster::Cluster::new(scenario, members, transcript);
            let checked = caught(|| world.run());
            world.into_outcome(checked)
        }
    }
}

fn caught(run: impl FnOnce() -> Checked) -> Checked {
    catch_unwind(AssertUnwindSafe(run))
        .unwrap_or_else(|panic| Err(Violation::new("panic", panic_text(&*panic))))
}

/// What a panic says.
pub fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("without a message")
}
