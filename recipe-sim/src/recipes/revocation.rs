use recipes::{Error, Mutex, revoke};

use super::holders::{Holders, Kind};
use super::{ROOT, Trial};
use crate::actor::{Actor, Played};

/// A mutex that is held until somebody asks for it.
#[derive(Debug)]
pub(crate) struct Revocations {
    holders: Holders,
}

impl Default for Revocations {
    fn default() -> Self {
        let holders = Holders::new(1, "/guarded");
        Self { holders }
    }
}

impl Revocations {
    async fn round(&self, actor: &mut Actor, mutex: &Mutex) -> Result<(), Error> {
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
        let holding = self.holders.enter(actor, &guard, Kind::Exclusive);
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

impl Trial for Revocations {
    fn play<'a>(&'a self, actor: &'a mut Actor) -> Played<'a> {
        Box::pin(async move {
            let mutex = Mutex::new(&actor.client, ROOT);
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
}
