use std::time::Duration;

use recipes::{Error, Mutex, MutexGuard, Naming};

use super::holders::{Holders, Kind};
use super::{ROOT, Trial};
use crate::actor::{Actor, Played};

/// One mutex that all want.
#[derive(Debug)]
pub(crate) struct Mutexes {
    holders: Holders,
}

impl Default for Mutexes {
    fn default() -> Self {
        let holders = Holders::new(1, "/guarded");
        Self { holders }
    }
}

impl Mutexes {
    async fn round(&self, actor: &mut Actor, mutex: &Mutex) -> Result<(), Error> {
        actor.does("acquires");
        let Some(guard) = acquire(actor, mutex).await? else {
            return Ok(());
        };
        actor.does(format!("holds {} with {}", guard.path(), guard.token()));
        self.holders.hold(actor, &guard, Kind::Exclusive).await;
        if actor.is_faulty() && actor.chance(30) {
            actor.does("drops its guard");
            drop(guard);
        } else {
            actor.does("releases");
            if let Some(released) = actor.fated(guard.release()).await {
                released?;
            }
        }
        actor.got_on();
        Ok(())
    }
}

/// Tries in one way or another; when no more faults happen it does not give up.
async fn acquire(actor: &mut Actor, mutex: &Mutex) -> Result<Option<MutexGuard>, Error> {
    let how = match actor.is_faulty() {
        true => actor.rng.below(10),
        false => 9,
    };
    let patience = Duration::from_millis(actor.rng.between(1..4000));
    let acquired = match how {
        0 => actor.fated(mutex.try_acquire()).await,
        1 => actor.fated(mutex.acquire_within(patience)).await,
        _ => {
            let acquired = actor.fated(mutex.acquire()).await;
            acquired.map(|acquired| acquired.map(Some))
        }
    };
    acquired.unwrap_or(Ok(None))
}

impl Trial for Mutexes {
    fn play<'a>(&'a self, actor: &'a mut Actor) -> Played<'a> {
        Box::pin(async move {
            self.holders.make_guarded(actor).await?;
            let naming = match actor.number() % 3 {
                0 => Naming::Kazoo,
                _ => Naming::Curator,
            };
            let mutex = Mutex::new(&actor.client, ROOT).naming(naming);
            while actor.goes_on() {
                self.round(actor, &mutex).await?;
                actor.rests().await;
            }
            Ok(())
        })
    }

    fn holders(&self) -> Vec<&Holders> {
        vec![&self.holders]
    }

    fn keeps(&self, path: &str) -> bool {
        self.holders.keeps(path)
    }
}
