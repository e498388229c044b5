use recipes::{Error, Naming, ReadGuard, RwLock};

use super::holders::{Holders, Kind};
use super::{ROOT, Trial};
use crate::actor::{Actor, Played};

/// Readers, writers, and writers that become readers.
#[derive(Debug)]
pub(crate) struct RwLocks {
    holders: Holders,
}

impl Default for RwLocks {
    fn default() -> Self {
        let holders = Holders::new(1, "/guarded");
        Self { holders }
    }
}

impl RwLocks {
    async fn round(&self, actor: &mut Actor, lock: &RwLock) -> Result<(), Error> {
        let tries = actor.is_faulty() && actor.chance(15);
        let done = match actor.chance(50) {
            true => self.read(actor, lock, tries).await?,
            false => self.write(actor, lock, tries).await?,
        };
        if done {
            actor.got_on();
        }
        Ok(())
    }

    async fn read(&self, actor: &mut Actor, lock: &RwLock, tries: bool) -> Result<bool, Error> {
        actor.does("asks to read");
        let guard = match tries {
            true => actor.fated(lock.try_read()).await.transpose()?.flatten(),
            false => actor.fated(lock.read()).await.transpose()?,
        };
        let Some(guard) = guard else {
            return Ok(false);
        };
        self.reads(actor, guard).await
    }

    async fn reads(&self, actor: &mut Actor, guard: ReadGuard) -> Result<bool, Error> {
        actor.does(format!("reads with {}", guard.path()));
        self.holders.hold(actor, &guard, Kind::Shared).await;
        actor.does("reads no longer");
        if let Some(released) = actor.fated(guard.release()).await {
            released?;
        }
        Ok(true)
    }

    async fn write(&self, actor: &mut Actor, lock: &RwLock, tries: bool) -> Result<bool, Error> {
        actor.does("asks to write");
        let guard = match tries {
            true => actor.fated(lock.try_write()).await.transpose()?.flatten(),
            false => actor.fated(lock.write()).await.transpose()?,
        };
        let Some(guard) = guard else {
            return Ok(false);
        };
        actor.does(format!(
            "writes with {} and {}",
            guard.path(),
            guard.token()
        ));
        self.holders.hold(actor, &guard, Kind::Exclusive).await;
        if actor.chance(40) {
            actor.does("becomes a reader");
            let token = guard.token();
            let reading = actor.fated(guard.downgrade()).await.transpose()?;
            let Some(reading) = reading else {
                return Ok(false);
            };
            actor.count("downgraded");
            if reading.token() != token {
                let text = "a downgrade changes the token".to_owned();
                actor.violates("downgrade", text);
            }
            return self.reads(actor, reading).await;
        }
        actor.does("writes no longer");
        if let Some(released) = actor.fated(guard.release()).await {
            released?;
        }
        Ok(true)
    }
}

impl Trial for RwLocks {
    fn play<'a>(&'a self, actor: &'a mut Actor) -> Played<'a> {
        Box::pin(async move {
            self.holders.make_guarded(actor).await?;
            let naming = match actor.number() % 3 {
                0 => Naming::Kazoo,
                _ => Naming::Curator,
            };
            let lock = RwLock::new(&actor.client, ROOT).naming(naming);
            while actor.goes_on() {
                self.round(actor, &lock).await?;
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
