//! What the trials have in common in which all contend for one thing and hold it for a while.

use std::marker::PhantomData;

use recipes::{Error, Naming};

use super::Trial;
use super::holders::Holders;
use crate::actor::Actor;

/// The node that holders write their tokens to.
const GUARDED: &str = "/guarded";

/// A recipe by which few hold something that many want.
pub(crate) trait Contest: Send + Sync + Sized {
    /// The recipe in a session.
    fn begin(actor: &Actor) -> Self;

    /// Contends once, and holds.
    fn round(
        &self,
        actor: &mut Actor,
        holders: &Holders,
    ) -> impl Future<Output = Result<(), Error>> + Send;
}

/// The trial of such a recipe.
#[derive(Debug)]
pub(crate) struct Contests<C> {
    holders: [Holders; 1],
    recipe: PhantomData<fn() -> C>,
}

impl<C: Contest> Contests<C> {
    /// Of what so many may hold at a time.
    pub(crate) fn of(most: usize) -> Self {
        Self::new(Holders::new(most))
    }

    /// Of what one holds at a time, and writes with guards.
    pub(crate) fn guarded() -> Self {
        Self::new(Holders::guarding(GUARDED))
    }

    fn new(holders: Holders) -> Self {
        Self {
            holders: [holders],
            recipe: PhantomData,
        }
    }
}

impl<C: Contest> Trial for Contests<C> {
    type Own = C;

    async fn begin(&self, actor: &Actor) -> Result<C, Error> {
        Ok(C::begin(actor))
    }

    async fn round(&self, actor: &mut Actor, own: &mut C) -> Result<(), Error> {
        own.round(actor, &self.holders[0]).await
    }

    fn holders(&self) -> &[Holders] {
        &self.holders
    }
}

/// One of three has kazoo's names: these contend with Curator's.
pub(crate) fn naming(actor: &Actor) -> Naming {
    match actor.number() % 3 {
        0 => Naming::Kazoo,
        _ => Naming::Curator,
    }
}
