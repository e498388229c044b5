use recipes::{Error, ReentrantMutex};

use super::ROOT;
use super::contest::Contest;
use super::holders::{Holders, Kind};
use crate::actor::Actor;

/// One re-entrant mutex that all want, some of them several times over.
impl Contest for ReentrantMutex {
    fn begin(actor: &Actor) -> Self {
        Self::new(&actor.client, ROOT)
    }

    async fn round(&self, actor: &mut Actor, holders: &Holders) -> Result<(), Error> {
        actor.does("acquires");
        let Some(outer) = actor.fated(self.acquire()).await.transpose()? else {
            return Ok(());
        };
        actor.does(format!("holds {} with {}", outer.path(), outer.token()));
        let mut inner = None;
        if actor.chance(60) {
            inner = actor.fated(self.acquire()).await.transpose()?;
            if inner
                .as_ref()
                .is_some_and(|inner| inner.token() != outer.token())
            {
                let text = "who holds it has acquired another one".to_owned();
                actor.violates("reentrant", text);
            }
        }
        let loss = holders.hold(actor, &outer, Kind::Exclusive).await;
        if let Some(inner) = inner {
            inner.release().await?;
            if loss.is_none() {
                // It is still held once.
                holders.hold(actor, &outer, Kind::Exclusive).await;
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
