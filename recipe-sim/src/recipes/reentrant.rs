use recipes::{Error, ReentrantMutex};

use super::holders::{Holders, Kind};
use super::{ROOT, Trial};
use crate::actor::{Actor, Played};

/// One re-entrant mutex that all want, some of them several times over.
#[derive(Debug)]
pub(crate) struct Reentrants {
    holders: Holders,
}

impl Default for Reentrants {
    fn default() -> Self {
        let holders = Holders::new(1, "/guarded");
        Self { holders }
    }
}

impl Reentrants {
    async fn round(&self, actor: &mut Actor, mutex: &ReentrantMutex) -> Result<(), Error> {
        actor.does("acquires");
        let Some(outer) = actor.fated(mutex.acquire()).await.transpose()? else {
            return Ok(());
        };
        actor.does(format!("holds {} with {}", outer.path(), outer.token()));
        let mut inner = None;
        if actor.chance(60) {
            inner = actor.fated(mutex.acquire()).await.transpose()?;
            if inner
                .as_ref()
                .is_some_and(|inner| inner.token() != outer.token())
            {
                let text = "who holds it has acquired another one".to_owned();
                actor.violates("reentrant", text);
            }
        }
        let loss = self.holders.hold(actor, &outer, Kind::Exclusive).await;
        if let Some(inner) = inner {
            inner.release().await?;
            if loss.is_none() {
                // It is still held once.
                self.holders.hold(actor, &outer, Kind::Exclusive).await;
            }
        }
        actor.does("releases");
        if let Some(released) = actor.fated(outer.release()).await {
            released?;
        }
        actor.got_on();
        Ok(())
    }
}

impl Trial for Reentrants {
    fn play<'a>(&'a self, actor: &'a mut Actor) -> Played<'a> {
        Box::pin(async move {
            self.holders.make_guarded(actor).await?;
            let mutex = ReentrantMutex::new(&actor.client, ROOT);
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
