//! Queues: nothing comes out twice or is lost, but for what is said.

mod clock;
mod own;

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::time::Duration;

use clock::Clock;
use own::{Entry, QUEUE};
pub(crate) use own::{Format, Kind, Own};
use parking_lot::Mutex;
use recipes::Error;
use sim::{Site, Violation};
use tokio::time::Instant;

use super::{ROOT, Trial};
use crate::actor::{Actor, Who};
use crate::stage::ROUNDS_IN_CALM;

const NAME: &str = "queue";

/// An entry is due so much later than it is put at the most, milliseconds.
const DELAY_MS: u64 = 1500;

const IDS: [&str; 3] = ["a", "b", "c"];

/// Who has waited so long for an entry of a queue with ids puts another one: the one that there
/// was for it may have been removed.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is known of the entries.
#[derive(Debug, Default)]
struct Account {
    /// Those that somebody began to put in, by their items.
    begun: BTreeMap<String, Known>,
    /// Certainly put in.
    put: BTreeSet<String>,
    /// So often each came out.
    got: BTreeMap<String, u32>,
    /// Certainly removed by who had it.
    consumed: BTreeSet<String>,
    /// Removals of which nobody knows what, or whether at all.
    uncertain: usize,
    /// What was removed by an id.
    removed: Vec<Removed>,
}

#[derive(Debug)]
struct Known {
    due_ms: i64,
    id: &'static str,
    /// Somebody may have removed it by its id.
    may_be_removed: bool,
}

/// No entry with this id is there that the session had seen before.
#[derive(Debug)]
struct Removed {
    id: &'static str,
    seen_zxid: i64,
}

/// A queue that all put into and take from.
#[derive(Debug)]
pub(crate) struct Queues {
    kind: Kind,
    start: Instant,
    /// By the processes' numbers.
    clocks: Mutex<BTreeMap<usize, Clock>>,
    account: Mutex<Account>,
}

/// Somebody removes what has an id: until it ends, with whatever, it may do so.
struct Removal<'a> {
    account: &'a Mutex<Account>,
    id: &'static str,
}

impl Drop for Removal<'_> {
    fn drop(&mut self) {
        let mut account = self.account.lock();
        let with_id = account.begun.values_mut().filter(|put| put.id == self.id);
        with_id.for_each(|put| put.may_be_removed = true);
    }
}

impl Queues {
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            kind,
            start: Instant::now(),
            clocks: Mutex::default(),
            account: Mutex::default(),
        }
    }

    fn clock(&self, who: &Who) -> Clock {
        let mut clocks = self.clocks.lock();
        let clock = clocks.entry(who.number());
        clock.or_insert_with(|| Clock::new(who, self.start)).clone()
    }

    fn has(&self, format: Format) -> bool {
        self.kind.format() == Some(format)
    }

    fn draw(&self, actor: &mut Actor) -> Entry {
        let item = format!("{}-{:x}", actor.number(), actor.rng.next_u64());
        let priority = *actor.rng.pick(&[1, 100, 100, 100, 999]);
        let due_ms = match self.has(Format::Delay) {
            true => self.clock(actor).now_ms() + actor.rng.below(DELAY_MS) as i64,
            false => 0,
        };
        let id = match self.has(Format::Id) {
            true => actor.rng.pick(&IDS),
            false => "",
        };
        Entry {
            item,
            priority,
            due_ms,
            id,
        }
    }

    async fn put(&self, who: &Who, queue: &Own, entry: &Entry) -> Result<(), Error> {
        let known = Known {
            due_ms: entry.due_ms,
            id: entry.id,
            may_be_removed: false,
        };
        let item = entry.item.clone();
        self.account.lock().begun.insert(item.clone(), known);
        queue.put(entry).await?;
        self.account.lock().put.insert(item);
        who.count("put in");
        Ok(())
    }

    /// Waits for an entry; where there are ids, it sees to it that there is one.
    async fn supplied<T>(
        &self,
        who: &Who,
        queue: &Own,
        entry: &Entry,
        waiting: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        if !self.has(Format::Id) {
            return waiting.await;
        }
        let mut waiting = pin!(waiting);
        for number in 1.. {
            if let Ok(done) = tokio::time::timeout(PATIENCE, &mut waiting).await {
                return done;
            }
            let item = format!("{}-{number}", entry.item);
            who.tell(|| format!("has waited in vain, and puts {item}"));
            let another = Entry {
                item,
                ..entry.clone()
            };
            if let Err(error) = self.put(who, queue, &another).await {
                who.tell(|| format!("cannot put it: {error}"));
            }
        }
        waiting.await
    }

    async fn take(&self, actor: &mut Actor, queue: &Own, entry: &Entry) -> Result<(), Error> {
        actor.does("takes");
        // Until it is told otherwise something may be lost, even if this process is no more.
        self.account.lock().uncertain += 1;
        let who = actor.who.clone();
        let taking = self.supplied(&who, queue, entry, queue.take());
        match actor.fated(taking).await {
            Some(Ok(data)) => {
                self.account.lock().uncertain -= 1;
                self.got(actor, &data);
                actor.got_on();
                Ok(())
            }
            Some(Err(error @ Error::TakenPerhaps { .. })) => {
                actor.count("taken perhaps");
                Err(error)
            }
            Some(Err(error)) => {
                self.account.lock().uncertain -= 1;
                Err(error)
            }
            None => Ok(()),
        }
    }

    /// Holds an entry, works on it, and removes it.
    async fn work(&self, actor: &mut Actor, queue: &Own, entry: &Entry) -> Result<(), Error> {
        actor.does("waits for an entry to hold");
        let who = actor.who.clone();
        let holding = self.supplied(&who, queue, entry, queue.hold());
        let Some(held) = actor.fated(holding).await.transpose()? else {
            return Ok(());
        };
        let item = self.got(actor, &held.data());
        actor.idles(150).await;
        if actor.is_faulty() && actor.chance(20) {
            actor.does("gives the entry back");
            return actor.fated(held.give_back()).await.unwrap_or(Ok(()));
        }
        actor.does(format!("removes {item}"));
        if let Some(consumed) = actor.fated(held.consume()).await {
            consumed?;
            self.consumed(actor, item);
        }
        Ok(())
    }

    /// Removes what has some id.
    async fn remove(&self, actor: &mut Actor, queue: &Own) -> Result<(), Error> {
        let id = *actor.rng.pick(&IDS);
        actor.does(format!("removes what has the id {id}"));
        let seen_zxid = actor.client.last_zxid();
        let removal = Removal {
            account: &self.account,
            id,
        };
        let removed = actor.fated(queue.remove(id)).await;
        drop(removal);
        if let Some(removed) = removed {
            match removed? {
                0 => actor.count("nothing removed by an id"),
                _ => actor.count("removed by an id"),
            }
            // What others hold stays.
            if !self.kind.holds() {
                let removed = Removed { id, seen_zxid };
                self.account.lock().removed.push(removed);
            }
        }
        Ok(())
    }

    fn got(&self, actor: &Actor, data: &[u8]) -> String {
        let item = String::from_utf8_lossy(data).into_owned();
        actor.does(format!("has {item}"));
        actor.count("came out");
        let mut account = self.account.lock();
        let times = account.got.entry(item.clone()).or_default();
        *times += 1;
        let again = *times > 1 && !self.kind.holds();
        if again || account.consumed.contains(&item) {
            actor.violates(NAME, format!("{item} comes out, and was removed before"));
        }
        let now_ms = self.clock(actor).now_ms();
        match account.begun.get(&item) {
            Some(known) if known.due_ms > now_ms => {
                let early_ms = known.due_ms - now_ms;
                actor.violates(NAME, format!("{item} comes out {early_ms} ms too early"));
            }
            Some(_) => {}
            None => actor.violates(NAME, format!("{item} comes out, and nobody has put it in")),
        }
        item
    }

    fn consumed(&self, actor: &Actor, item: String) {
        actor.count("removed");
        if !self.account.lock().consumed.insert(item.clone()) {
            actor.violates(NAME, format!("{item} is removed twice"));
        }
        actor.got_on();
    }
}

impl Trial for Queues {
    type Own = Own;

    async fn begin(&self, actor: &Actor) -> Result<Self::Own, Error> {
        Ok(Own::new(self.kind, &actor.client, self.clock(actor)))
    }

    async fn round(&self, actor: &mut Actor, queue: &mut Own) -> Result<(), Error> {
        if self.has(Format::Id) && actor.is_faulty() && actor.chance(20) {
            return self.remove(actor, queue).await;
        }
        // All who wait try to take what has just become due: of two, always that one has it who is
        // nearer to the leader. Nothing is promised to the other.
        let has_done = actor.board.calm_rounds(actor.number()) >= ROUNDS_IN_CALM;
        if self.has(Format::Delay) && has_done {
            return Ok(());
        }
        let entry = self.draw(actor);
        actor.does(format!("puts {}", entry.item));
        let who = actor.who.clone();
        let Some(put) = actor.fated(self.put(&who, queue, &entry)).await else {
            // Who has put nothing takes nothing: so there is something for everybody who waits.
            return Ok(());
        };
        put?;
        match self.kind.holds() {
            true => self.work(actor, queue, &entry).await,
            false => self.take(actor, queue, &entry).await,
        }
    }

    fn look(&self, site: &Site) -> Result<(), Violation> {
        for removed in self.account.lock().removed.drain(..) {
            let stem = format!("{QUEUE}/queue-|{}|", removed.id);
            let left = site
                .nodes()
                .find(|(path, node)| path.starts_with(&stem) && node.czxid <= removed.seen_zxid);
            if let Some((path, _)) = left {
                return Err(Violation::new(NAME, format!("{removed:?}, but for {path}")));
            }
        }
        Ok(())
    }

    /// Everything that was put in came out, or is there: but for what somebody may have removed
    /// without knowing of it, or by its id.
    fn last_look(&self, site: &Site) -> Result<(), Violation> {
        let there: Vec<String> = site
            .nodes()
            .map(|(_, node)| String::from_utf8_lossy(node.data).into_owned())
            .collect();
        let account = self.account.lock();
        let lost = account.put.iter().filter(|item| {
            let known = account.begun.get(*item);
            !account.got.contains_key(*item)
                && !known.is_some_and(|known| known.may_be_removed)
                && !there.iter().any(|data| data.contains(*item))
        });
        let lost: Vec<_> = lost.collect();
        if lost.len() > account.uncertain {
            let text = format!("{lost:?} are lost, {} may be", account.uncertain);
            return Err(Violation::new(NAME, text));
        }
        Ok(())
    }

    /// What was not taken, and the directories that are no containers.
    fn keeps(&self, path: &str) -> bool {
        path.starts_with(ROOT) && !path.contains("-locks/") && !path.contains("/taken/")
    }
}
