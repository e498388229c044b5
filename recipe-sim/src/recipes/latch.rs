use recipes::{Error, LeaderLatch};

use super::holders::{Holders, Kind};
use super::{ROOT, Trial};
use crate::actor::{Actor, Played};

/// An election that all stand for.
#[derive(Debug)]
pub(crate) struct Latches {
    holders: Holders,
}

impl Default for Latches {
    fn default() -> Self {
        let holders = Holders::new(1, "/guarded");
        Self { holders }
    }
}

impl Latches {
    async fn round(&self, actor: &mut Actor, latch: &LeaderLatch) -> Result<(), Error> {
        actor.does("stands");
        let Some(candidate) = actor.fated(latch.stand()).await.transpose()? else {
            return Ok(());
        };
        if actor.is_faulty() && actor.chance(15) {
            actor.does("stands no longer");
            if actor.chance(50) && candidate.is_first().await? {
                actor.count("withdrawn by who would lead");
            }
            if let Some(withdrawn) = actor.fated(candidate.withdraw()).await {
                withdrawn?;
            }
            return Ok(());
        }
        actor.does("waits to be elected");
        let Some(leadership) = actor.fated(candidate.elected()).await.transpose()? else {
            return Ok(());
        };
        actor.does(format!(
            "leads by {} with {}",
            leadership.path(),
            leadership.token()
        ));
        self.holders.hold(actor, &leadership, Kind::Exclusive).await;
        actor.does("resigns");
        if let Some(resigned) = actor.fated(leadership.resign()).await {
            resigned?;
        }
        if actor.chance(20) {
            latch.leader().await?;
        }
        actor.got_on();
        Ok(())
    }
}

impl Trial for Latches {
    fn play<'a>(&'a self, actor: &'a mut Actor) -> Played<'a> {
        Box::pin(async move {
            self.holders.make_guarded(actor).await?;
            let latch = LeaderLatch::new(&actor.client, ROOT, &actor.process.name());
            while actor.goes_on() {
                self.round(actor, &latch).await?;
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
