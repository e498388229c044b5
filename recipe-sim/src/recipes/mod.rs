//! What is played with each recipe, and what must hold. One file for each.
//!
//! To add one: a type with [`Trial`], and a line in [`RECIPES`].

mod holders;
mod mutex;

use std::sync::Arc;

use sim::{Site, Violation};

use crate::actor::{Actor, Played};

/// Below this node everything happens.
pub(crate) const ROOT: &str = "/app";

/// A recipe that can be tried.
#[derive(Clone, Copy)]
pub struct Recipe {
    name: &'static str,
    trial: fn() -> Arc<dyn Trial>,
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

    pub(crate) fn trial(&self) -> Arc<dyn Trial> {
        (self.trial)()
    }
}

/// All of them.
pub const RECIPES: &[Recipe] = &[Recipe {
    name: "mutex",
    trial: || Arc::new(mutex::Mutexes::default()),
}];

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

    /// The nodes that remain when all is over.
    fn keeps(&self) -> &'static [&'static str] {
        &[]
    }

    /// A process stands still.
    fn paused(&self, _process: usize) {}

    /// It goes on.
    fn resumed(&self, _process: usize) {}

    /// A process is gone.
    fn died(&self, _process: usize) {}
}
