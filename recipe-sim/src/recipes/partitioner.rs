use std::time::Duration;

use recipes::{Error, SetPartitioner};

use super::holders::{Holders, Kind};
use super::{ROOT, Trial};
use crate::actor::Actor;

const ITEMS: [&str; 4] = ["a", "b", "c", "d"];

/// So long the members must be the same.
const BOUNDARY: Duration = Duration::from_millis(250);

/// Items that are divided among all.
#[derive(Debug)]
pub(crate) struct Partitioners {
    /// Of each item.
    holders: [Holders; 4],
}

impl Default for Partitioners {
    fn default() -> Self {
        Self {
            holders: ITEMS.map(|_| Holders::new(1)),
        }
    }
}

impl Trial for Partitioners {
    type Own = ();

    async fn begin(&self, _: &Actor) -> Result<(), Error> {
        Ok(())
    }

    async fn round(&self, actor: &mut Actor, (): &mut ()) -> Result<(), Error> {
        let name = actor.process.name();
        let partitioner =
            SetPartitioner::new(&actor.client, ROOT, &name, ITEMS).time_boundary(BOUNDARY);
        actor.does("joins");
        let Some(mut member) = actor.fated(partitioner.join()).await.transpose()? else {
            return Ok(());
        };
        for _ in 0..actor.rng.between(3..8) {
            actor.does("waits for its items");
            let Some(partition) = actor.fated(member.acquire()).await.transpose()? else {
                break;
            };
            actor.does(format!("has {:?}", partition.items()));
            let own = ITEMS
                .iter()
                .zip(&self.holders)
                .filter_map(|(item, holders)| {
                    let hold = partition.hold(item)?;
                    Some(holders.enter(actor, hold, Kind::Exclusive))
                });
            let holding: Vec<_> = own.collect();
            let patience = Duration::from_millis(actor.rng.between(100..1500));
            if let Ok(change) = tokio::time::timeout(patience, partition.changed()).await {
                actor.count(&format!("to be divided again: {change:?}"));
            }
            drop(holding);
            actor.does("gives its items up");
            if let Some(released) = actor.fated(partition.release()).await {
                released?;
            }
            actor.got_on();
            if !actor.goes_on() {
                break;
            }
        }
        actor.does("leaves");
        if let Some(left) = actor.fated(member.leave()).await {
            left?;
        }
        Ok(())
    }

    fn holders(&self) -> &[Holders] {
        &self.holders
    }
}
