use recipes::{Error, Mutex, revoke};

use super::ROOT;
use super::contest::Contest;
use super::holders::{Holders, Kind};
use crate::actor::Actor;

/// A mutex that is held until somebody asks for it.
pub(super) struct Revoked(Mutex);

impl Contest for Revoked {
    fn begin(actor: &Actor) -> Self {
        Self(Mutex::new(&actor.client, ROOT))
    }

    async fn round(&self, actor: &mut Actor, holders: &Holders) -> Result<(), Error> {
        let Self(mutex) = self;
        let client = actor.client.clone();
        let nag = async {
            // Whoever has it, and this one at last, which gives it up again then.
            loop {
                tokio::time::sleep(std::time::Duration::from_millis(400)).await;
                if let Some(first) = mutex.contenders().await.unwrap_or_default().first() {
                    let _ = revoke(&client, first).await;
                }
            }
        };
        actor.does("acquires, and asks for it");
        let acquiring = async {
            tokio::select! {
                biased;
                acquired = mutex.acquire() => acquired,
                () = nag => unreachable!("it goes on asking"),
            }
        };
        let Some(guard) = actor.fated(acquiring).await.transpose()? else {
            return Ok(());
        };
        actor.does(format!("holds {} until it is asked for", guard.path()));
        let holding = holders.enter(actor, &guard, Kind::Exclusive);
        let board = actor.board.clone();
        tokio::select! {
            biased;
            _ = guard.lost() => {}
            asked = guard.revocation() => match asked {
                Ok(()) => board.count("asked to give it up"),
                Err(_) => board.count("revocation not heard of"),
            },
            // When all is over nobody asks.
            () = board.until(crate::board::Phase::Over) => {}
            // Nor if nobody else is there.
            () = tokio::time::sleep(std::time::Duration::from_secs(10)) => {
                board.count("never asked to give it up");
            }
        }
        drop(holding);
        actor.does("releases");
        if let Some(released) = actor.fated(guard.release()).await {
            released?;
        }
        actor.got_on();
        Ok(())
    }
}
