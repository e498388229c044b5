use std::collections::BTreeSet;

use parking_lot::Mutex;
use recipes::{Counter, Error};
use sim::{Site, Violation};

use super::Trial;
use crate::actor::Actor;

const NAME: &str = "counter";

/// One of each format.
const PATHS: [&str; 3] = ["/count", "/long", "/text"];

#[derive(Debug, Default)]
struct Account {
    /// What was certainly added.
    certain: i64,
    /// What may have been.
    uncertain: i64,
    /// The numbers that additions have led to.
    sums: BTreeSet<i64>,
}

/// Numbers that all add to.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    accounts: [Mutex<Account>; 3],
}

impl Trial for Counters {
    type Own = [Counter; 3];

    async fn begin(&self, actor: &Actor) -> Result<Self::Own, Error> {
        Ok([
            Counter::shared_count(&actor.client, PATHS[0]),
            Counter::atomic_long(&actor.client, PATHS[1]),
            Counter::kazoo(&actor.client, PATHS[2]),
        ])
    }

    async fn round(&self, actor: &mut Actor, counters: &mut [Counter; 3]) -> Result<(), Error> {
        let at = actor.rng.below(3) as usize;
        let by = actor.rng.between(1..5) as i64;
        actor.does(format!("adds {by} to {}", PATHS[at]));
        let account = &self.accounts[at];
        // From here on it may happen, even if this process is no more.
        account.lock().uncertain += by;
        let added = actor.fated(counters[at].add(by)).await;
        match added {
            Some(Ok(sum)) => {
                actor.count("added");
                let mut account = account.lock();
                account.uncertain -= by;
                account.certain += by;
                let fits = sum.after == sum.before + by;
                if !fits || !account.sums.insert(sum.after) {
                    actor.violates(NAME, format!("{sum:?} of {by}, and it was there before"));
                }
                drop(account);
                actor.got_on();
                Ok(())
            }
            Some(Err(Error::Client(error))) if !error.may_have_happened() => {
                account.lock().uncertain -= by;
                actor.count("not added");
                Err(error.into())
            }
            Some(Err(error)) => {
                actor.count("may have been added");
                Err(error)
            }
            None => Ok(()),
        }
    }

    fn last_look(&self, site: &Site) -> Result<(), Violation> {
        for (path, account) in PATHS.into_iter().zip(&self.accounts) {
            let account = account.lock();
            let data = site.node(path).map(|node| node.data);
            let number = match (path, data) {
                (_, None) => 0,
                ("/count", Some(data)) => data.try_into().map_or(0, i32::from_be_bytes).into(),
                ("/long", Some(data)) => data.try_into().map_or(0, i64::from_be_bytes),
                (_, Some(data)) => {
                    let text = std::str::from_utf8(data).unwrap_or_default();
                    text.parse().unwrap_or_default()
                }
            };
            let least = account.certain;
            let most = least + account.uncertain;
            if !(least..=most).contains(&number) {
                let text = format!("{path} is {number}, not {least} to {most}");
                return Err(Violation::new(NAME, text));
            }
        }
        Ok(())
    }

    fn keeps(&self, path: &str) -> bool {
        PATHS.contains(&path)
    }
}
