use recipes::{Error, LeaderSelector, Leadership, Led};
use tokio::time::Duration;

use super::ROOT;
use super::contest::Contest;
use super::holders::{Holders, Kind};
use crate::actor::Actor;

/// An election for a task.
impl Contest for LeaderSelector {
    fn begin(actor: &Actor) -> Self {
        Self::new(&actor.client, ROOT, &actor.process.name())
    }

    async fn round(&self, actor: &mut Actor, holders: &Holders) -> Result<(), Error> {
        actor.does("stands");
        let work_ms = actor.rng.between(1..200);
        let who = actor.who.clone();
        let leading = self.lead(async |leadership: &Leadership| {
            who.does(format!(
                "leads by {} with {}",
                leadership.path(),
                leadership.token()
            ));
            let holding = holders.enter(&who, leadership, Kind::Exclusive);
            tokio::time::sleep(Duration::from_millis(work_ms / 2)).await;
            holders.write(&who, leadership).await;
            tokio::time::sleep(Duration::from_millis(work_ms / 2)).await;
            drop(holding);
        });
        match actor.fated(leading).await.transpose()? {
            Some(Led::Done(())) => {
                actor.does("has led");
                actor.got_on();
            }
            Some(Led::Lost(loss)) => {
                actor.does(format!("has lost the leadership: {loss:?}"));
                actor.count(&format!("lost: {loss:?}"));
            }
            None => {}
        }
        Ok(())
    }
}
