use recipes::{Error, ReadGuard, RwLock};

use super::ROOT;
use super::contest::{Contest, naming};
use super::holders::{Holders, Kind};
use crate::actor::Actor;

/// Readers, writers, and writers that become readers.
impl Contest for RwLock {
    fn begin(actor: &Actor) -> Self {
        Self::new(&actor.client, ROOT).naming(naming(actor))
    }

    async fn round(&self, actor: &mut Actor, holders: &Holders) -> Result<(), Error> {
        let tries = actor.is_faulty() && actor.chance(15);
        let done = match actor.chance(50) {
            true => read(actor, self, holders, tries).await?,
            false => write(actor, self, holders, tries).await?,
        };
        if done {
            actor.got_on();
        }
        Ok(())
    }
}

async fn read(
    actor: &mut Actor,
    lock: &RwLock,
    holders: &Holders,
    tries: bool,
) -> Result<bool, Error> {
    actor.does("asks to read");
    let guard = match tries {
        true => actor.fated(lock.try_read()).await.transpose()?.flatten(),
        false => actor.fated(lock.read()).await.transpose()?,
    };
    let Some(guard) = guard else {
        return Ok(false);
    };
    reads(actor, guard, holders).await
}

async fn reads(actor: &mut Actor, guard: ReadGuard, holders: &Holders) -> Result<bool, Error> {
    actor.does(format!("reads with {}", guard.path()));
    holders.hold(actor, &guard, Kind::Shared).await;
    actor.does("reads no longer");
    if let Some(released) = actor.fated(guard.release()).await {
        released?;
    }
    Ok(true)
}

async fn write(
    actor: &mut Actor,
    lock: &RwLock,
    holders: &Holders,
    tries: bool,
) -> Result<bool, Error> {
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
    holders.hold(actor, &guard, Kind::Exclusive).await;
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
        return reads(actor, reading, holders).await;
    }
    actor.does("writes no longer");
    if let Some(released) = actor.fated(guard.release()).await {
        released?;
    }
    Ok(true)
}
