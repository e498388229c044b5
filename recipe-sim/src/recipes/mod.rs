//! What is played with each recipe, and what must hold. One file for each.
//!
//! To add one: a type with [`Trial`] (with [`contest::Contest`] if few hold what many want), and a
//! line in [`RECIPES`].

mod barrier;
mod cache;
mod contest;
mod counter;
mod discovery;
mod double_barrier;
mod gone;
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

use contest::Contests;
pub(crate) use holders::Holders;
use queue::{Format, Kind, Queues};
use recipes::{Error, LeaderLatch, LeaderSelector, Mutex, ReentrantMutex, RwLock, Semaphore};
use revocation::Revoked;
use sim::{Fault, Site, Violation};

use crate::actor::{Actor, Played};

/// Below this node everything happens.
pub(crate) const ROOT: &str = "/app";

/// A recipe that can be tried.
#[derive(Clone, Copy)]
pub struct Recipe {
    name: &'static str,
    trial: fn() -> Arc<dyn AnyTrial>,
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

    pub(crate) fn trial(&self) -> Arc<dyn AnyTrial> {
        (self.trial)()
    }
}

/// All of them.
pub const RECIPES: &[Recipe] = &[
    recipe("mutex", || Arc::new(Contests::<Mutex>::guarded())),
    recipe("reentrant", || {
        Arc::new(Contests::<ReentrantMutex>::guarded())
    }),
    recipe("multi-mutex", || Arc::new(multi_mutex::Multis::default())),
    recipe("revocation", || Arc::new(Contests::<Revoked>::of(1))),
    recipe("rwlock", || Arc::new(Contests::<RwLock>::guarded())),
    recipe("semaphore", || {
        Arc::new(Contests::<Semaphore>::of(semaphore::LEASES))
    }),
    recipe("latch", || Arc::new(Contests::<LeaderLatch>::guarded())),
    recipe("selector", || {
        Arc::new(Contests::<LeaderSelector>::guarded())
    }),
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
    recipe("distributed-queue", || {
        Arc::new(Queues::new(Kind::Items(Format::Fifo)))
    }),
    recipe("held-queue", || {
        Arc::new(Queues::new(Kind::HeldItems(Format::Priority)))
    }),
    recipe("delay-queue", || {
        Arc::new(Queues::new(Kind::Items(Format::Delay)))
    }),
    recipe("held-delay-queue", || {
        Arc::new(Queues::new(Kind::HeldItems(Format::Delay)))
    }),
    recipe("id-queue", || {
        Arc::new(Queues::new(Kind::Items(Format::Id)))
    }),
    recipe("held-id-queue", || {
        Arc::new(Queues::new(Kind::HeldItems(Format::Id)))
    }),
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

const fn recipe(name: &'static str, trial: fn() -> Arc<dyn AnyTrial>) -> Recipe {
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
    /// What an actor has of its own in a session.
    type Own: Send;

    /// Begins in a session.
    fn begin(&self, actor: &Actor) -> impl Future<Output = Result<Self::Own, Error>> + Send;

    /// Plays once. Behind an error the actor begins anew.
    fn round(
        &self,
        actor: &mut Actor,
        own: &mut Self::Own,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Looks whether what actors saw can be, as often as something happens.
    fn look(&self, _: &Site) -> Result<(), Violation> {
        Ok(())
    }

    /// Looks once more at the end, when all sessions are closed.
    fn last_look(&self, _: &Site) -> Result<(), Violation> {
        Ok(())
    }

    /// Who holds what: looked at as often as something happens.
    fn holders(&self) -> &[Holders] {
        &[]
    }

    /// May this node remain when all is over? Those that holders write to may in any case.
    fn keeps(&self, _path: &str) -> bool {
        false
    }
}

/// A trial of whichever recipe.
pub(crate) trait AnyTrial: Send + Sync {
    /// Plays with one session, round by round, as long as [`Actor::goes_on`]. An error that does
    /// not end the session is told, and it is called again.
    fn play<'a>(&'a self, actor: &'a mut Actor) -> Played<'a>;

    /// As [`Trial::look`], and at the holders.
    fn look(&self, site: &Site) -> Result<(), Violation>;

    /// As [`Trial::last_look`].
    fn last_look(&self, site: &Site) -> Result<(), Violation>;

    /// As [`Trial::holders`].
    fn holders(&self) -> &[Holders];

    /// As [`Trial::keeps`], with the nodes of holders.
    fn keeps(&self, path: &str) -> bool;
}

impl<T: Trial> AnyTrial for T {
    fn play<'a>(&'a self, actor: &'a mut Actor) -> Played<'a> {
        Box::pin(async move {
            for holders in Trial::holders(self) {
                holders.make_guarded(actor).await?;
            }
            let mut own = self.begin(actor).await?;
            while actor.goes_on() {
                self.round(actor, &mut own).await?;
                actor.rests().await;
            }
            Ok(())
        })
    }

    fn look(&self, site: &Site) -> Result<(), Violation> {
        for holders in Trial::holders(self) {
            holders.look(site)?;
        }
        Trial::look(self, site)
    }

    fn last_look(&self, site: &Site) -> Result<(), Violation> {
        Trial::last_look(self, site)
    }

    fn holders(&self) -> &[Holders] {
        Trial::holders(self)
    }

    fn keeps(&self, path: &str) -> bool {
        let mut holders = Trial::holders(self).iter();
        holders.any(|holders| holders.keeps(path)) || Trial::keeps(self, path)
    }
}
