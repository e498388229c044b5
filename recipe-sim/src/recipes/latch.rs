use recipes::{Error, LeaderLatch};

use super::ROOT;
use super::contest::Contest;
use super::holders::{Holders, Kind};
use crate::actor::Actor;

/// An election that all stand for.
impl Contest for LeaderLatch {
    fn begin(actor: &Actor) -> Self {
        Self::new(&actor.client, ROOT, &actor.process.name())
    }

    async fn round(&self, actor: &mut Actor, holders: &Holders) -> Result<(), Error> {
        actor.does("stands");
        let Some(candidate) = actor.fated(self.stand()).await.transpose()? else {
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
        holders.hold(actor, &leadership, Kind::Exclusive).await;
        actor.does("resigns");
        if let Some(resigned) = actor.fated(leadership.resign()).await {
            resigned?;
        }
        if actor.chance(20) {
            self.leader().await?;
        }
        actor.got_on();
        Ok(())
    }
}
