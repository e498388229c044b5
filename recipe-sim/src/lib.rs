//! Deterministic simulation of the recipes.
//!
//! The recipes and the client's tokio shell run as they are shipped, in processes that can be
//! paused and killed, against the servers of [`sim`] with all their faults. One seed decides
//! everything, and the same seed gives the same run: no thread, no clock and no randomness of the
//! operating system is in it.
//!
//! * [`stage`]: a run on one clock, its faults and phases
//! * [`process`], [`net`]: what clients and recipes live in
//! * [`actor`]: an application that plays a recipe with one session after the other
//! * [`recipes`]: for each recipe what is played, and what must hold

mod actor;
mod board;
mod net;
mod plan;
mod process;
mod recipes;
mod stage;

pub use plan::{Plan, ProcessFault};
pub use recipes::{RECIPES, Recipe};
use sim::Outcome;

/// Runs a plan; with `transcript` what happens is told.
pub fn run(plan: &Plan, transcript: bool) -> Outcome {
    stage::run(plan, transcript)
}
