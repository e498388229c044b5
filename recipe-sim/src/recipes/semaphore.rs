use recipes::{Error, Semaphore};

use super::holders::{Holders, Kind};
use super::{ROOT, Trial};
use crate::actor::{Actor, Played};

/// Leases at a time.
const LEASES: usize = 2;

/// Fewer leases than actors.
#[derive(Debug)]
pub(crate) struct Semaphores {
    holders: Holders,
}

impl Default for Semaphores {
    fn default() -> Self {
        let holders = Holders::new(LEASES, "/guarded");
        Self { holders }
    }
}

impl Semaphores {
    async fn round(&self, actor: &mut Actor, semaphore: &Semaphore) -> Result<(), Error> {
        actor.does("asks for a lease");
        let lease = if actor.is_faulty() && actor.chance(15) {
            let tried = actor.fated(semaphore.try_acquire()).await;
            tried.transpose()?.flatten()
        } else {
            actor.fated(semaphore.acquire()).await.transpose()?
        };
        let Some(lease) = lease else {
            return Ok(());
        };
        actor.does(format!("has {}", lease.path()));
        self.holders.hold(actor, &lease, Kind::Exclusive).await;
        if actor.is_faulty() && actor.chance(30) {
            actor.does("drops its lease");
            drop(lease);
        } else {
            actor.does("gives its lease back");
            if let Some(released) = actor.fated(lease.release()).await {
                released?;
            }
        }
        actor.got_on();
        Ok(())
    }
}

impl Trial for Semaphores {
    fn play<'a>(&'a self, actor: &'a mut Actor) -> Played<'a> {
        Box::pin(async move {
            let semaphore = Semaphore::new(&actor.client, ROOT, LEASES);
            while actor.goes_on() {
                self.round(actor, &semaphore).await?;
                actor.rests().await;
            }
            Ok(())
        })
    }

    fn holders(&self) -> Vec<&Holders> {
        vec![&self.holders]
    }
}
