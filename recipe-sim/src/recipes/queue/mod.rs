use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;
use recipes::{
    DistributedPriorityQueue, DistributedQueue, Error, LockingQueue, Queue, QueueOptions,
    SimpleQueue,
};
use sim::{Site, Violation};

use super::{ROOT, Trial};
use crate::actor::Actor;

const NAME: &str = "queue";
const QUEUE: &str = "/app/queue";
const LOCKS: &str = "/app/queue-locks";

/// Which queue is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Simple,
    Priority,
    Locking,
    Items,
    HeldItems,
}

impl Kind {
    /// Are entries held while they are worked on?
    fn holds(self) -> bool {
        matches!(self, Self::Locking | Self::HeldItems)
    }
}

/// The queue of one session.
pub(crate) enum Own {
    Simple(SimpleQueue),
    Priority(Queue),
    Locking(LockingQueue),
    Items(DistributedQueue),
    HeldItems(DistributedPriorityQueue),
}

impl Own {
    fn new(kind: Kind, client: &client::Client) -> Self {
        match kind {
            Kind::Simple => Self::Simple(SimpleQueue::new(client, QUEUE)),
            Kind::Priority => Self::Priority(Queue::new(client, QUEUE)),
            Kind::Locking => Self::Locking(LockingQueue::new(client, QUEUE)),
            Kind::Items => {
                let options = QueueOptions::default();
                Self::Items(DistributedQueue::new(client, QUEUE, &options))
            }
            Kind::HeldItems => {
                let options = QueueOptions::default().lock_path(LOCKS);
                Self::HeldItems(DistributedPriorityQueue::new(client, QUEUE, &options))
            }
        }
    }

    async fn put(&self, item: &str, priority: u16) -> Result<(), Error> {
        match self {
            Self::Simple(queue) => queue.put(item).await,
            Self::Priority(queue) => queue.put_with_priority(item, priority).await,
            Self::Locking(queue) => queue.put_with_priority(item, priority).await,
            Self::Items(queue) => queue.put(item).await,
            Self::HeldItems(queue) => queue.put(item, priority.into()).await,
        }
    }

    /// Takes an entry of a queue that holds none.
    async fn take(&self) -> Result<Vec<u8>, Error> {
        match self {
            Self::Simple(queue) => queue.take().await,
            Self::Priority(queue) => queue.take().await,
            Self::Items(queue) => Ok(queue.take().await?.concat()),
            Self::Locking(_) | Self::HeldItems(_) => unreachable!("it is held first"),
        }
    }
}

/// What is known of the entries.
#[derive(Debug, Default)]
struct Account {
    /// Certainly put in.
    put: BTreeSet<String>,
    /// So often each came out.
    got: BTreeMap<String, u32>,
    /// Certainly removed by who had it.
    consumed: BTreeSet<String>,
    /// Removals of which nobody knows what, or whether at all.
    uncertain: usize,
}

/// A queue that all put into and take from.
#[derive(Debug)]
pub(crate) struct Queues {
    kind: Kind,
    account: Mutex<Account>,
}

impl Queues {
    pub(crate) fn new(kind: Kind) -> Self {
        let account = Mutex::default();
        Self { kind, account }
    }

    async fn take(&self, actor: &mut Actor, queue: &Own) -> Result<(), Error> {
        actor.does("takes");
        // Until it is told otherwise something may be lost, even if this process is no more.
        self.account.lock().uncertain += 1;
        match actor.fated(queue.take()).await {
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
    async fn work(&self, actor: &mut Actor, queue: &Own) -> Result<(), Error> {
        actor.does("waits for an entry to hold");
        match queue {
            Own::Locking(queue) => {
                let Some(held) = actor.fated(queue.hold()).await.transpose()? else {
                    return Ok(());
                };
                let item = self.got(actor, held.data());
                actor.idles(150).await;
                if actor.is_faulty() && actor.chance(20) {
                    actor.does("gives the entry back");
                    return actor.fated(held.release()).await.unwrap_or(Ok(()));
                }
                actor.does(format!("removes {item}"));
                if let Some(consumed) = actor.fated(held.consume()).await {
                    consumed?;
                    self.consumed(actor, item);
                }
            }
            Own::HeldItems(queue) => {
                let Some(held) = actor.fated(queue.hold()).await.transpose()? else {
                    return Ok(());
                };
                let item = self.got(actor, &held.items().concat());
                actor.idles(150).await;
                if actor.is_faulty() && actor.chance(20) {
                    actor.does("puts the entry back");
                    return actor.fated(held.requeue()).await.unwrap_or(Ok(()));
                }
                actor.does(format!("removes {item}"));
                if let Some(consumed) = actor.fated(held.consume()).await {
                    consumed?;
                    self.consumed(actor, item);
                }
            }
            _ => {}
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
        Ok(Own::new(self.kind, &actor.client))
    }

    async fn round(&self, actor: &mut Actor, queue: &mut Own) -> Result<(), Error> {
        let item = format!("{}-{:x}", actor.number(), actor.rng.next_u64());
        let priority = *actor.rng.pick(&[1, 100, 100, 100, 999]);
        actor.does(format!("puts {item}"));
        let Some(put) = actor.fated(queue.put(&item, priority)).await else {
            // Who has put nothing takes nothing: so there is something for everybody who waits.
            return Ok(());
        };
        put?;
        self.account.lock().put.insert(item);
        actor.count("put in");
        if self.kind.holds() {
            self.work(actor, queue).await?;
        } else {
            self.take(actor, queue).await?;
        }
        Ok(())
    }

    /// Everything that was put in came out, or is there: but for what somebody may have removed
    /// without knowing of it.
    fn last_look(&self, site: &Site) -> Result<(), Violation> {
        let there: Vec<String> = site
            .nodes()
            .map(|(_, node)| String::from_utf8_lossy(node.data).into_owned())
            .collect();
        let account = self.account.lock();
        let lost = account.put.iter().filter(|item| {
            !account.got.contains_key(*item) && !there.iter().any(|data| data.contains(*item))
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
