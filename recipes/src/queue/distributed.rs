use std::ops::Deref;
use std::sync::Arc;
use std::time::SystemTime;

use client::Client;

use super::entries::{Clock, Entries};
use super::item;
use super::locks::{Held, Locks};
use super::name::{self, Format};
use crate::contend::Hold;
use crate::{Error, children};

/// How a queue of Curator's family is used. All who use it must say the same.
#[derive(Clone, Debug, Default)]
pub struct QueueOptions {
    lock_path: Option<String>,
    entries_max: Option<usize>,
}

impl QueueOptions {
    /// Entries are held while they are worked on: by nodes in this directory, which must be
    /// another one than the queue's.
    #[must_use]
    pub fn lock_path(mut self, path: &str) -> Self {
        self.lock_path = Some(path.to_owned());
        self
    }

    /// Who puts an entry waits while so many are there. As with Curator it looks first and puts
    /// then: of several who put at the same time, each may put one more.
    #[must_use]
    pub fn max_items(mut self, entries_max: usize) -> Self {
        self.entries_max = Some(entries_max);
        self
    }
}

/// What Curator's queues have in common: entries with any number of items each.
///
/// With [`QueueOptions::lock_path`] an entry is worked on once at least by who
/// [holds](Self::hold) it; without, each is worked on once at most.
#[derive(Clone, Debug)]
pub struct ItemQueue {
    entries: Entries,
    locks: Option<Locks>,
}

/// An entry is held. See [`Hold`]. Of two that hold the same entry the later one has the higher
/// token. Dropping it leaves the entry where it was, for others, in the background.
#[derive(Debug)]
pub struct HeldItems {
    held: Held,
    items: Vec<Vec<u8>>,
}

impl Deref for HeldItems {
    type Target = Hold;

    fn deref(&self) -> &Hold {
        &self.held.hold
    }
}

impl HeldItems {
    /// What was put in.
    #[must_use]
    pub fn items(&self) -> &[Vec<u8>] {
        &self.items
    }

    /// The path of the entry. That of [`Hold::path`] is of the node that holds it.
    #[must_use]
    pub fn entry_path(&self) -> String {
        self.held.path()
    }

    /// Removes the entry, and waits until that is done. It is removed only while it is held.
    ///
    /// Cancellation: it is removed, or comes out again.
    ///
    /// # Errors
    /// As [`crate::HeldEntry::consume`].
    pub async fn consume(self) -> Result<(), Error> {
        self.held.consume().await
    }

    /// Puts the entry at the end: of those with its priority, time or id. (Curator's forget a
    /// priority or a time then.)
    ///
    /// Cancellation: it is put there, or stays where it was.
    ///
    /// # Errors
    /// As [`HeldItems::consume`].
    pub async fn requeue(self) -> Result<(), Error> {
        self.held.requeue().await
    }

    /// Leaves the entry where it was, and waits until others can have it.
    ///
    /// Cancellation: it is left in the background.
    ///
    /// # Errors
    /// As [`Hold::release`].
    pub async fn release(self) -> Result<(), Error> {
        self.held.release().await
    }
}

impl ItemQueue {
    fn new(client: &Client, path: &str, format: Format, options: &QueueOptions) -> Self {
        let mut entries = Entries::new(client, path, format);
        entries.entries_max = options.entries_max.unwrap_or(usize::MAX);
        let locks = options.lock_path.as_ref();
        Self {
            locks: locks.map(|path| Locks::new(entries.clone(), path)),
            entries,
        }
    }

    /// Waits for an entry, and holds it.
    ///
    /// Cancellation: nothing is held. An entry that was about to be is left in the background.
    ///
    /// # Errors
    /// [`Error::NoLockPath`] if the queue was made without; [`Error::NoItems`] of an entry that
    /// holds something else, and was removed; [`Error::Client`] with the end of the session, or
    /// what the server refuses.
    pub async fn hold(&self) -> Result<HeldItems, Error> {
        read(self.locks()?.hold().await?).await
    }

    /// Holds the first entry that nobody holds, if there is one.
    ///
    /// Cancellation: as of [`ItemQueue::hold`].
    ///
    /// # Errors
    /// As [`ItemQueue::hold`].
    pub async fn try_hold(&self) -> Result<Option<HeldItems>, Error> {
        match self.locks()?.try_hold().await? {
            Some(held) => read(held).await.map(Some),
            None => Ok(None),
        }
    }

    /// Waits for an entry, and removes it.
    ///
    /// Cancellation: an entry that was about to be removed may be lost, unless it waits for one.
    ///
    /// # Errors
    /// [`Error::TakenPerhaps`] with an entry that may have been removed; [`Error::NoItems`] of one
    /// that holds something else, and was removed; [`Error::Client`] with the end of the session,
    /// or what the server refuses.
    pub async fn take(&self) -> Result<Vec<Vec<u8>>, Error> {
        let (path, data) = match &self.locks {
            Some(locks) => taken(locks.hold().await?).await?,
            None => self.entries.take().await?,
        };
        items(path, data)
    }

    /// Removes the first entry, if there is one that nobody holds.
    ///
    /// Cancellation: an entry that was about to be removed may be lost.
    ///
    /// # Errors
    /// As [`ItemQueue::take`].
    pub async fn try_take(&self) -> Result<Option<Vec<Vec<u8>>>, Error> {
        let first = match &self.locks {
            Some(locks) => match locks.try_hold().await? {
                Some(held) => Some(taken(held).await?),
                None => None,
            },
            None => self.entries.try_take().await?,
        };
        first.map(|(path, data)| items(path, data)).transpose()
    }

    /// How many entries there are, those that are held or not due yet with them.
    ///
    /// Cancellation: nothing happens.
    ///
    /// # Errors
    /// [`Error::Client`] with the end of the session, or what the server refuses.
    pub async fn count(&self) -> Result<usize, Error> {
        self.entries.count().await
    }

    fn locks(&self) -> Result<&Locks, Error> {
        self.locks.as_ref().ok_or(Error::NoLockPath)
    }

    async fn put<T: Into<Vec<u8>>>(
        &self,
        stem: &str,
        items: impl IntoIterator<Item = T>,
    ) -> Result<(), Error> {
        let items: Vec<Vec<u8>> = items.into_iter().map(Into::into).collect();
        self.entries.put(stem, &item::encode(&items)).await
    }
}

/// The items of an entry that is held; what is none is removed.
async fn read(held: Held) -> Result<HeldItems, Error> {
    match item::decode(&held.data) {
        Some(items) => Ok(HeldItems { held, items }),
        None => {
            let (path, data) = taken(held).await?;
            Err(Error::NoItems { path, data })
        }
    }
}

/// Removes an entry that is held.
async fn taken(mut held: Held) -> Result<(String, Vec<u8>), Error> {
    let path = held.path();
    // What it holds is not needed to remove it.
    let data = std::mem::take(&mut held.data);
    match held.consume().await {
        Ok(()) => Ok((path, data)),
        Err(Error::Client(error)) if error.is_session_end() || error.may_have_happened() => {
            Err(Error::TakenPerhaps { path, data })
        }
        Err(error) => Err(error),
    }
}

fn items(path: String, data: Vec<u8>) -> Result<Vec<Vec<u8>>, Error> {
    item::decode(&data).ok_or(Error::NoItems { path, data })
}

/// Entries come out in the order in which they were put in. See [`ItemQueue`] for how.
///
/// Interoperates with Curator's `DistributedQueue`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// # let server = server::embedded::EmbeddedServer::start()?;
/// # let client = client::Client::connect(&server.connect_string()).await?;
/// use recipes::{DistributedQueue, QueueOptions};
/// let options = QueueOptions::default().lock_path("/jobs-locks").max_items(100);
/// let queue = DistributedQueue::new(&client, "/jobs", &options);
/// queue.put("one").await?;
/// queue.put_all(["two", "three"]).await?;
/// let first = queue.hold().await?;
/// assert_eq!(first.items(), [b"one"]);
/// // It failed: once more, behind the others.
/// first.requeue().await?;
/// assert_eq!(queue.take().await?, [&b"two"[..], b"three"]);
/// queue.hold().await?.consume().await?;
/// assert_eq!(queue.count().await?, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct DistributedQueue {
    queue: ItemQueue,
}

/// Entries come out by their priority, the lowest number first, and then in the order in which
/// they were put in. See [`ItemQueue`] for how.
///
/// Interoperates with Curator's `DistributedPriorityQueue`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// # let server = server::embedded::EmbeddedServer::start()?;
/// # let client = client::Client::connect(&server.connect_string()).await?;
/// use recipes::{DistributedPriorityQueue, QueueOptions};
/// let queue = DistributedPriorityQueue::new(&client, "/jobs", &QueueOptions::default());
/// queue.put("sweep", 7).await?;
/// queue.put("extinguish", -1).await?;
/// assert_eq!(queue.take().await?, [b"extinguish"]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct DistributedPriorityQueue {
    queue: ItemQueue,
}

/// Entries come out when they are due, the earliest first. See [`ItemQueue`] for how.
///
/// The time is that of the clock of who takes them, which is asked whenever entries are looked
/// at. Between two looks tokio's time goes by.
///
/// Interoperates with Curator's `DistributedDelayQueue`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// # let server = server::embedded::EmbeddedServer::start()?;
/// # let client = client::Client::connect(&server.connect_string()).await?;
/// use recipes::{DistributedDelayQueue, QueueOptions};
/// let queue = DistributedDelayQueue::new(&client, "/jobs", &QueueOptions::default());
/// let now = std::time::SystemTime::now();
/// queue.put("later", now + std::time::Duration::from_millis(50)).await?;
/// queue.put("now", now).await?;
/// assert_eq!(queue.take().await?, [b"now"]);
/// assert_eq!(queue.try_take().await?, None);
/// assert_eq!(queue.take().await?, [b"later"]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct DistributedDelayQueue {
    queue: ItemQueue,
}

/// Entries come out in the order in which they were put in, and can be removed by an id before.
/// See [`ItemQueue`] for how.
///
/// In ids `/` and `|` are the same as `_`. Several entries may have the same one.
///
/// Interoperates with Curator's `DistributedIdQueue`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// # let server = server::embedded::EmbeddedServer::start()?;
/// # let client = client::Client::connect(&server.connect_string()).await?;
/// use recipes::{DistributedIdQueue, QueueOptions};
/// let queue = DistributedIdQueue::new(&client, "/jobs", &QueueOptions::default());
/// queue.put("one", "order-1").await?;
/// queue.put("two", "order-2").await?;
/// assert_eq!(queue.remove("order-1").await?, 1);
/// assert_eq!(queue.take().await?, [b"two"]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct DistributedIdQueue {
    queue: ItemQueue,
}

impl Deref for DistributedQueue {
    type Target = ItemQueue;

    fn deref(&self) -> &ItemQueue {
        &self.queue
    }
}

impl Deref for DistributedPriorityQueue {
    type Target = ItemQueue;

    fn deref(&self) -> &ItemQueue {
        &self.queue
    }
}

impl Deref for DistributedDelayQueue {
    type Target = ItemQueue;

    fn deref(&self) -> &ItemQueue {
        &self.queue
    }
}

impl Deref for DistributedIdQueue {
    type Target = ItemQueue;

    fn deref(&self) -> &ItemQueue {
        &self.queue
    }
}

impl DistributedQueue {
    /// The queue of this directory, which is made when it is needed, and stays.
    #[must_use]
    pub fn new(client: &Client, path: &str, options: &QueueOptions) -> Self {
        let queue = ItemQueue::new(client, path, Format::Fifo, options);
        Self { queue }
    }

    /// Puts an entry with one item at the end.
    ///
    /// Cancellation: it may be put or not.
    ///
    /// # Errors
    /// As [`crate::SimpleQueue::put`].
    pub async fn put(&self, item: impl Into<Vec<u8>>) -> Result<(), Error> {
        self.put_all([item]).await
    }

    /// Puts one entry with all these items at the end: they are taken together.
    ///
    /// Cancellation: it may be put or not.
    ///
    /// # Errors
    /// As [`crate::SimpleQueue::put`].
    pub async fn put_all<T: Into<Vec<u8>>>(
        &self,
        items: impl IntoIterator<Item = T>,
    ) -> Result<(), Error> {
        self.queue.put(&name::fifo(), items).await
    }
}

impl DistributedPriorityQueue {
    /// As [`DistributedQueue::new`].
    #[must_use]
    pub fn new(client: &Client, path: &str, options: &QueueOptions) -> Self {
        let queue = ItemQueue::new(client, path, Format::Priority, options);
        Self { queue }
    }

    /// Puts an entry with one item behind those with its priority.
    ///
    /// Cancellation: it may be put or not.
    ///
    /// # Errors
    /// As [`crate::SimpleQueue::put`].
    pub async fn put(&self, item: impl Into<Vec<u8>>, priority: i32) -> Result<(), Error> {
        self.put_all([item], priority).await
    }

    /// Puts one entry with all these items behind those with its priority: they are taken
    /// together.
    ///
    /// Cancellation: it may be put or not.
    ///
    /// # Errors
    /// As [`crate::SimpleQueue::put`].
    pub async fn put_all<T: Into<Vec<u8>>>(
        &self,
        items: impl IntoIterator<Item = T>,
        priority: i32,
    ) -> Result<(), Error> {
        self.queue.put(&name::priority(priority), items).await
    }
}

impl DistributedDelayQueue {
    /// As [`DistributedQueue::new`], with the system's clock.
    #[must_use]
    pub fn new(client: &Client, path: &str, options: &QueueOptions) -> Self {
        Self::with_clock(client, path, options, || since_1970_ms(SystemTime::now()))
    }

    /// With another clock, which tells the milliseconds since 1970.
    #[must_use]
    pub fn with_clock(
        client: &Client,
        path: &str,
        options: &QueueOptions,
        now_ms: impl Fn() -> i64 + Send + Sync + 'static,
    ) -> Self {
        let clock = Some(Clock(Arc::new(now_ms)));
        let mut queue = ItemQueue::new(client, path, Format::Delay, options);
        queue.entries.clock = clock.clone();
        if let Some(locks) = &mut queue.locks {
            locks.entries.clock = clock;
        }
        Self { queue }
    }

    /// Puts an entry with one item that is due then. What is to be before 1970 is due at once.
    ///
    /// Cancellation: it may be put or not.
    ///
    /// # Errors
    /// As [`crate::SimpleQueue::put`].
    pub async fn put(&self, item: impl Into<Vec<u8>>, due: SystemTime) -> Result<(), Error> {
        self.put_all([item], due).await
    }

    /// Puts one entry with all these items, which are due then: they are taken together.
    ///
    /// Cancellation: it may be put or not.
    ///
    /// # Errors
    /// As [`crate::SimpleQueue::put`].
    pub async fn put_all<T: Into<Vec<u8>>>(
        &self,
        items: impl IntoIterator<Item = T>,
        due: SystemTime,
    ) -> Result<(), Error> {
        self.queue
            .put(&name::delay(since_1970_ms(due)), items)
            .await
    }
}

fn since_1970_ms(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    let since = since.map_or(0, |since| since.as_millis());
    i64::try_from(since).unwrap_or(i64::MAX)
}

impl DistributedIdQueue {
    /// As [`DistributedQueue::new`].
    #[must_use]
    pub fn new(client: &Client, path: &str, options: &QueueOptions) -> Self {
        let queue = ItemQueue::new(client, path, Format::Id, options);
        Self { queue }
    }

    /// Puts an entry with one item at the end.
    ///
    /// Cancellation: it may be put or not.
    ///
    /// # Errors
    /// As [`crate::SimpleQueue::put`], or [`Error::EmptyId`].
    pub async fn put(&self, item: impl Into<Vec<u8>>, id: &str) -> Result<(), Error> {
        if id.is_empty() {
            return Err(Error::EmptyId);
        }
        self.queue.put(&name::id(id), [item]).await
    }

    /// Removes the entries with this id that nobody holds; how many. After a loss of the
    /// connection that may be more or fewer than this call has removed.
    ///
    /// Cancellation: they may be removed or not.
    ///
    /// # Errors
    /// [`Error::Client`] with the end of the session, or what the server refuses.
    pub async fn remove(&self, id: &str) -> Result<usize, Error> {
        let entries = &self.queue.entries;
        let stem = name::id(id);
        let mut names = children::names(&entries.client, &entries.path).await?;
        names.retain(|name| {
            let entry = entries.format.parse(name);
            entry.is_some_and(|entry| entry.stem == stem)
        });
        if let Some(locks) = &self.queue.locks {
            // Makes their directory, if need be.
            locks.names().await?;
        }
        let mut removed = 0;
        for name in names {
            let is_removed = match &self.queue.locks {
                Some(locks) => match locks.hold_this(&name).await? {
                    Some(held) => held.consume().await.map(|()| true)?,
                    None => false,
                },
                None => entries.discard(&name).await?,
            };
            removed += usize::from(is_removed);
        }
        Ok(removed)
    }
}
