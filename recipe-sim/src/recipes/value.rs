use std::collections::BTreeMap;

use parking_lot::Mutex;
use recipes::{Error, Reading, SharedValue};
use sim::{Site, Violation};

use super::Trial;
use crate::actor::Actor;

const NAME: &str = "shared value";
const PATH: &str = "/value";

/// What the writer was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It may have been written, once.
    Open,
    /// It was written with this zxid.
    Written(i64),
    /// It never was.
    NotWritten,
}

/// A value that all write and follow. Each value is written by one call.
#[derive(Debug, Default)]
pub(crate) struct Values {
    fates: Mutex<BTreeMap<String, Fate>>,
}

impl Values {
    /// The next change that was not seen.
    async fn follow(
        &self,
        shared: &SharedValue,
        before: &Reading,
        fate: Fate,
    ) -> Result<Reading, Error> {
        match fate {
            Fate::Written(_) => shared.changed(before).await,
            // There may be none.
            _ => shared.get().await,
        }
    }
}

impl Trial for Values {
    type Own = (SharedValue, Reading);

    async fn begin(&self, actor: &Actor) -> Result<Self::Own, Error> {
        let shared = SharedValue::new(&actor.client, PATH);
        let seen = shared.get().await?;
        Ok((shared, seen))
    }

    async fn round(&self, actor: &mut Actor, (shared, seen): &mut Self::Own) -> Result<(), Error> {
        let value = format!("{} {:x}", actor.number(), actor.rng.next_u64());
        let compares = actor.chance(60);
        actor.does(format!("writes {value:?} and waits for a change"));
        self.fates.lock().insert(value.clone(), Fate::Open);
        let writing = async {
            let data = value.clone().into_bytes();
            match compares {
                true => {
                    let latest = shared.get().await?;
                    shared.compare_and_set(&latest, data).await
                }
                false => shared.set(data).await.map(Some),
            }
        };
        let written = actor.fated(writing).await;
        let fate = match &written {
            Some(Ok(Some(reading))) => Fate::Written(reading.zxid()),
            Some(Ok(None)) => Fate::NotWritten,
            Some(Err(Error::Client(error))) if !error.may_have_happened() => Fate::NotWritten,
            _ => Fate::Open,
        };
        actor.tell(|| format!("{fate:?}"));
        self.fates.lock().insert(value, fate);
        written.transpose()?;
        // Everybody writes now and then, so there is a change.
        let before = seen.clone();
        if fate == Fate::NotWritten {
            return Ok(());
        }
        let changed = actor.fated(self.follow(shared, &before, fate)).await;
        if let Some(reading) = changed.transpose()? {
            let is_new = matches!(fate, Fate::Written(_)) && reading.zxid() <= before.zxid();
            if is_new || reading.zxid() < before.zxid() {
                actor.violates(NAME, format!("{reading:?} follows {before:?}"));
            }
            *seen = reading;
            actor.count("change seen");
            actor.got_on();
        }
        Ok(())
    }

    fn last_look(&self, site: &Site) -> Result<(), Violation> {
        let mut written: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for (zxid, node) in site.versions(PATH) {
            let data = node.map(|node| String::from_utf8_lossy(node.data).into_owned());
            written
                .entry(data.unwrap_or_default())
                .or_default()
                .push(zxid);
        }
        for (value, fate) in self.fates.lock().iter() {
            let zxids = written.get(value).map_or(&[][..], |zxids| &zxids[..]);
            let fits = match fate {
                Fate::Open => zxids.len() <= 1,
                Fate::Written(zxid) => zxids == [*zxid],
                Fate::NotWritten => zxids.is_empty(),
            };
            if !fits {
                let text = format!("{value:?} is {fate:?}, and was written at {zxids:x?}");
                return Err(Violation::new(NAME, text));
            }
        }
        Ok(())
    }

    fn keeps(&self, path: &str) -> bool {
        path == PATH
    }
}
