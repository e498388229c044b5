use recipes::{Error, LeaderSelector, Leadership, Led};
use tokio::time::Duration;

use super::holders::{Holders, Kind};
use super::{ROOT, Trial};
use crate::actor::{Actor, Played};

/// An election for a task.
#[derive(Debug)]
pub(crate) struct Selectors {
    holders: Holders,
}

impl Default for Selectors {
    fn default() -> Self {
        let holders = Holders::new(1, "/guarded");
        Self { holders }
    }
}

impl Selectors {
    async fn round(&self, actor: &mut Actor, selector: &LeaderSelector) -> Result<(), Error> {
        actor.does("stands");
        let work_ms = actor.rng.between(1..200);
        let who = actor.who.clone();
        let leading = selector.lead(async |leadership: &Leadership| {
            who.does(format!(
                "leads by {} with {}",
                leadership.path(),
                leadership.token()
            ));
            let holding = self.holders.enter(&who, leadership, Kind::Exclusive);
            tokio::time::sleep(Duration::from_millis(work_ms / 2)).await;
            self.holders.write(&who, leadership).await;
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

impl Trial for Selectors {
    fn play<'a>(&'a self, actor: &'a mut Actor) -> Played<'a> {
        Box::pin(async move {
            self.holders.make_guarded(actor).await?;
            let selector = LeaderSelector::new(&actor.client, ROOT, &actor.process.name());
            while actor.goes_on() {
                self.round(actor, &selector).await?;
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
