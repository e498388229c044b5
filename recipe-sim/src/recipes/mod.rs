//! What is played with each recipe, and what must hold. One file for each.
//!
//! To add one: a type with [`Trial`], and a line in [`RECIPES`].

mod barrier;
mod cache;
mod counter;
mod discovery;
mod double_barrier;
mod holders;
mod latch;
mod multi_mutex;
mod mutex;
mod partitioner;
mod party;
mod persistent;
mod queue;
mod reentrant;
mod revocation;
mod rwlock;
mod selector;
mod semaphore;
mod value;

use std::sync::Arc;

pub(crate) use holders::Holders;
use queue::{Kind, Queues};
use sim::{Fault, Site, Violation};

use crate::actor::{Actor, Played};

/// Below this node everything happens.
pub(crate) const ROOT: &str = "/app";

/// A recipe that can be tried.
#[derive(Clone, Copy)]
pub struct Recipe {
    name: &'static str,
    trial: fn() -> Arc<dyn Trial>,
    without: &'static [Fault],
}

impl std::fmt::Debug for Recipe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Recipe {
    /// Its name on the command line.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The recipe of this name.
    pub fn of_name(name: &str) -> Option<&'static Self> {
        RECIPES.iter().find(|recipe| recipe.name == name)
    }

    /// Faults that do not happen with it.
    pub(crate) fn without(&self) -> &'static [Fault] {
        self.without
    }

    pub(crate) fn trial(&self) -> Arc<dyn Trial> {
        (self.trial)()
    }
}

/// All of them.
pub const RECIPES: &[Recipe] = &[
    recipe("mutex", || Arc::new(mutex::Mutexes::default())),
    recipe("reentrant", || Arc::new(reentrant::Reentrants::default())),
    recipe("multi-mutex", || Arc::new(multi_mutex::Multis::default())),
    recipe(
        "revocation",
        || Arc::new(revocation::Revocations::default()),
    ),
    recipe("rwlock", || Arc::new(rwlock::RwLocks::default())),
    recipe("semaphore", || Arc::new(semaphore::Semaphores::default())),
    recipe("latch", || Arc::new(latch::Latches::default())),
    recipe("selector", || Arc::new(selector::Selectors::default())),
    recipe("barrier", || Arc::new(barrier::Barriers::default())),
    recipe("double-barrier", || {
        Arc::new(double_barrier::DoubleBarriers::default())
    }),
    recipe("counter", || Arc::new(counter::Counters::default())),
    recipe("value", || Arc::new(value::Values::default())),
    recipe("cache", || Arc::new(cache::Caches::default())),
    recipe("simple-queue", || Arc::new(Queues::new(Kind::Simple))),
    recipe("queue", || Arc::new(Queues::new(Kind::Priority))),
    recipe("locking-queue", || Arc::new(Queues::new(Kind::Locking))),
    recipe("distributed-queue", || Arc::new(Queues::new(Kind::Items))),
    recipe("held-queue", || Arc::new(Queues::new(Kind::HeldItems))),
    recipe("persistent-node", || {
        Arc::new(persistent::Nodes::ephemeral())
    }),
    timed(recipe("ttl-node", || Arc::new(persistent::Nodes::ttl()))),
    recipe("membership", || Arc::new(party::Parties::default())),
    recipe("partitioner", || {
        Arc::new(partitioner::Partitioners::default())
    }),
    recipe("discovery", || Arc::new(discovery::Discoveries::default())),
];

const fn recipe(name: &'static str, trial: fn() -> Arc<dyn Trial>) -> Recipe {
    Recipe {
        name,
        trial,
        without: &[],
    }
}

/// By the servers' wall clocks it is decided when a time to live is over.
const fn timed(recipe: Recipe) -> Recipe {
    Recipe {
        without: &[Fault::WallJump],
        ..recipe
    }
}

/// One recipe in one run: all actors share it.
pub(crate) trait Trial: Send + Sync {
    /// Plays with one session, round by round, as long as [`Actor::goes_on`]. An error that does
    /// not end the session is told, and it is called again.
    fn play<'a>(&'a self, actor: &'a mut Actor) -> Played<'a>;

    /// Looks whether what actors saw can be, as often as something happens.
    fn look(&self, _: &Site) -> Result<(), Violation> {
        Ok(())
    }

    /// Looks once more at the end, when all sessions are closed.
    fn last_look(&self, _: &Site) -> Result<(), Violation> {
        Ok(())
    }

    /// Who holds what: looked at as often as something happens.
    fn holders(&self) -> Vec<&Holders> {
        Vec::new()
    }

    /// May this node remain when all is over?
    fn keeps(&self, _path: &str) -> bool {
        false
    }
}
