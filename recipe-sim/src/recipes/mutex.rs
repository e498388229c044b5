use std::time::Duration;

use recipes::{Error, Mutex, Naming};
use sim::{Site, Violation};

use super::holders::{GUARDED, Holders, Kind, hold, make_guarded};
use super::{ROOT, Trial};
use crate::actor::{Actor, Played};

/// One mutex that all want.
#[derive(Debug, Default)]
pub(crate) struct Mutexes {
    holders: Holders,
}

impl Mutexes {
    async fn round(&self, actor: &mut Actor, mutex: &Mutex) -> Result<(), Error> {
        actor.does("acquires");
        let acquiring = async |actor: &mut Actor| {
            let how = if actor.is_faulty() {
                actor.rng.below(10)
            } else {
                9
            };
            let patience = Duration::from_millis(actor.rng.between(1..4000));
            match how {
                0 => actor.fated(mutex.try_acquire()).await.transpose(),
                1 => actor
                    .fated(mutex.acquire_within(patience))
                    .await
                    .transpose(),
                _ => actor
                    .fated(mutex.acquire())
                    .await
                    .map(|guard| guard.map(Some))
                    .transpose(),
            }
        };
        let Some(Some(guard)) = acquiring(actor).await? else {
            return Ok(());
        };
        actor.does(format!("holds {} with {}", guard.path(), guard.token()));
        let holding = self.holders.enter(actor, &guard, Kind::Exclusive);
        hold(actor, &guard).await;
        drop(holding);
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

impl Trial for Mutexes {
    fn play<'a>(&'a self, actor: &'a mut Actor) -> Played<'a> {
        Box::pin(async move {
            make_guarded(actor).await?;
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

    fn look(&self, site: &Site) -> Result<(), Violation> {
        self.holders.look(site, 1)?;
        self.holders.look_at_writes(site)
    }

    fn keeps(&self) -> &'static [&'static str] {
        &[GUARDED]
    }

    fn paused(&self, process: usize) {
        self.holders.paused(process);
    }

    fn resumed(&self, process: usize) {
        self.holders.resumed(process);
    }

    fn died(&self, process: usize) {
        self.holders.died(process);
    }
}
