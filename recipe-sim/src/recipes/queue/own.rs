//! The queue of one session, of whichever kind.

use std::ops::Deref;
use std::time::{Duration, SystemTime};

use client::Client;
use recipes::{
    DistributedDelayQueue, DistributedIdQueue, DistributedPriorityQueue, DistributedQueue, Error,
    HeldEntry, HeldItems, ItemQueue, LockingQueue, Queue, QueueOptions, SimpleQueue,
};

use super::clock::Clock;

pub(super) const QUEUE: &str = "/app/queue";
const LOCKS: &str = "/app/queue-locks";

/// Which queue is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Simple,
    Priority,
    Locking,
    /// Of Curator's family, without locks.
    Items(Format),
    /// The same, with locks.
    HeldItems(Format),
}

/// Of a queue of Curator's family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Fifo,
    Priority,
    Delay,
    Id,
}

impl Kind {
    /// Are entries held while they are worked on?
    pub(super) fn holds(self) -> bool {
        matches!(self, Self::Locking | Self::HeldItems(_))
    }

    pub(super) fn format(self) -> Option<Format> {
        match self {
            Self::Items(format) | Self::HeldItems(format) => Some(format),
            _ => None,
        }
    }
}

/// What is put in. A queue goes by what it knows of.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) item: String,
    pub(super) priority: u16,
    /// When it is due, milliseconds since 1970.
    pub(super) due_ms: i64,
    pub(super) id: &'static str,
}

impl Entry {
    fn due(&self) -> SystemTime {
        let since = u64::try_from(self.due_ms).unwrap_or(0);
        SystemTime::UNIX_EPOCH + Duration::from_millis(since)
    }
}

pub(crate) enum Own {
    Simple(SimpleQueue),
    Priority(Queue),
    Locking(LockingQueue),
    Items(Items),
}

pub(crate) enum Items {
    Fifo(DistributedQueue),
    Priority(DistributedPriorityQueue),
    Delay(DistributedDelayQueue),
    Id(DistributedIdQueue),
}

impl Deref for Items {
    type Target = ItemQueue;

    fn deref(&self) -> &ItemQueue {
        match self {
            Self::Fifo(queue) => queue,
            Self::Priority(queue) => queue,
            Self::Delay(queue) => queue,
            Self::Id(queue) => queue,
        }
    }
}

impl Items {
    fn new(format: Format, client: &Client, options: &QueueOptions, clock: Clock) -> Self {
        match format {
            Format::Fifo => Self::Fifo(DistributedQueue::new(client, QUEUE, options)),
            Format::Priority => {
                Self::Priority(DistributedPriorityQueue::new(client, QUEUE, options))
            }
            Format::Delay => {
                let clock = move || clock.now_ms();
                let queue = DistributedDelayQueue::with_clock(client, QUEUE, options, clock);
                Self::Delay(queue)
            }
            Format::Id => Self::Id(DistributedIdQueue::new(client, QUEUE, options)),
        }
    }
}

impl Own {
    pub(super) fn new(kind: Kind, client: &Client, clock: Clock) -> Self {
        let options = QueueOptions::default();
        match kind {
            Kind::Simple => Self::Simple(SimpleQueue::new(client, QUEUE)),
            Kind::Priority => Self::Priority(Queue::new(client, QUEUE)),
            Kind::Locking => Self::Locking(LockingQueue::new(client, QUEUE)),
            Kind::Items(format) => Self::Items(Items::new(format, client, &options, clock)),
            Kind::HeldItems(format) => {
                let options = options.lock_path(LOCKS);
                Self::Items(Items::new(format, client, &options, clock))
            }
        }
    }

    pub(super) async fn put(&self, entry: &Entry) -> Result<(), Error> {
        let (item, priority) = (entry.item.as_str(), entry.priority);
        match self {
            Self::Simple(queue) => queue.put(item).await,
            Self::Priority(queue) => queue.put_with_priority(item, priority).await,
            Self::Locking(queue) => queue.put_with_priority(item, priority).await,
            Self::Items(Items::Fifo(queue)) => queue.put(item).await,
            Self::Items(Items::Priority(queue)) => queue.put(item, priority.into()).await,
            Self::Items(Items::Delay(queue)) => queue.put(item, entry.due()).await,
            Self::Items(Items::Id(queue)) => queue.put(item, entry.id).await,
        }
    }

    /// Takes an entry of a queue that holds none.
    pub(super) async fn take(&self) -> Result<Vec<u8>, Error> {
        match self {
            Self::Simple(queue) => queue.take().await,
            Self::Priority(queue) => queue.take().await,
            Self::Items(queue) => Ok(queue.take().await?.concat()),
            Self::Locking(_) => unreachable!("it is held first"),
        }
    }

    /// Holds an entry of a queue that does.
    pub(super) async fn hold(&self) -> Result<Held, Error> {
        match self {
            Self::Locking(queue) => queue.hold().await.map(Held::Entry),
            Self::Items(queue) => queue.hold().await.map(Held::Items),
            Self::Simple(_) | Self::Priority(_) => unreachable!("nothing is held"),
        }
    }

    /// Removes what has this id: so many, if there are ids.
    pub(super) async fn remove(&self, id: &str) -> Result<usize, Error> {
        match self {
            Self::Items(Items::Id(queue)) => queue.remove(id).await,
            _ => Ok(0),
        }
    }
}

/// An entry that is held.
pub(super) enum Held {
    Entry(HeldEntry),
    Items(HeldItems),
}

impl Held {
    pub(super) fn data(&self) -> Vec<u8> {
        match self {
            Self::Entry(held) => held.data().to_vec(),
            Self::Items(held) => held.items().concat(),
        }
    }

    pub(super) async fn consume(self) -> Result<(), Error> {
        match self {
            Self::Entry(held) => held.consume().await,
            Self::Items(held) => held.consume().await,
        }
    }

    /// Leaves it where it was, or at the end.
    pub(super) async fn give_back(self) -> Result<(), Error> {
        match self {
            Self::Entry(held) => held.release().await,
            Self::Items(held) => held.requeue().await,
        }
    }
}
