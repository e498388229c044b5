use std::time::Duration;

use recipes::{Error, Mutex, MutexGuard};

use super::ROOT;
use super::contest::{Contest, naming};
use super::holders::{Holders, Kind};
use crate::actor::Actor;

/// One mutex that all want.
impl Contest for Mutex {
    fn begin(actor: &Actor) -> Self {
        Self::new(&actor.client, ROOT).naming(naming(actor))
    }

    async fn round(&self, actor: &mut Actor, holders: &Holders) -> Result<(), Error> {
        actor.does("acquires");
        let Some(guard) = acquire(actor, self).await? else {
            return Ok(());
        };
        actor.does(format!("holds {} with {}", guard.path(), guard.token()));
        holders.hold(actor, &guard, Kind::Exclusive).await;
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
