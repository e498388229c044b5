use recipes::{Error, Semaphore};

use super::ROOT;
use super::contest::Contest;
use super::holders::{Holders, Kind};
use crate::actor::Actor;

/// Leases at a time.
pub(super) const LEASES: usize = 2;

/// Fewer leases than actors.
impl Contest for Semaphore {
    fn begin(actor: &Actor) -> Self {
        Self::new(&actor.client, ROOT, LEASES)
    }

    async fn round(&self, actor: &mut Actor, holders: &Holders) -> Result<(), Error> {
        actor.does("asks for a lease");
        let lease = if actor.is_faulty() && actor.chance(15) {
            let tried = actor.fated(self.try_acquire()).await;
            tried.transpose()?.flatten()
        } else {
            actor.fated(self.acquire()).await.transpose()?
        };
        let Some(lease) = lease else {
            return Ok(());
        };
        actor.does(format!("has {}", lease.path()));
        holders.hold(actor, &lease, Kind::Exclusive).await;
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
