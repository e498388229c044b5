use client::Client;

use super::entries::Entries;
use super::name::{self, Format};
use crate::Error;

/// What kazoo's queues take for the priority if nothing is said.
pub(super) const PRIORITY: u16 = 100;

/// The highest number of a priority: it has three digits.
const PRIORITY_MAX: u16 = 999;

pub(super) fn checked(priority: u16) -> Result<u16, Error> {
    match priority {
        0..=PRIORITY_MAX => Ok(priority),
        _ => Err(Error::NoPriority(priority)),
    }
}

/// Entries come out in the order in which they were put in, each once at most: who takes one
/// removes it, and then works on it. The crate's documentation has what that means for failures.
///
/// Interoperates with Curator's `SimpleDistributedQueue`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// # let server = server::embedded::EmbeddedServer::start()?;
/// # let client = client::Client::connect(&server.connect_string()).await?;
/// let queue = recipes::SimpleQueue::new(&client, "/jobs");
/// queue.put("one").await?;
/// queue.put("two").await?;
/// assert_eq!(queue.take().await?, b"one");
/// assert_eq!(queue.peek().await?.as_deref(), Some(&b"two"[..]));
/// assert_eq!(queue.try_take().await?.as_deref(), Some(&b"two"[..]));
/// assert_eq!(queue.try_take().await?, None);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SimpleQueue {
    entries: Entries,
}

/// Entries come out by their priority, the lowest number first, and then in the order in which
/// they were put in, each once at most: who takes one removes it, and then works on it.
/// [`crate::LockingQueue`] loses none.
///
/// Interoperates with kazoo's `Queue`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// # let server = server::embedded::EmbeddedServer::start()?;
/// # let client = client::Client::connect(&server.connect_string()).await?;
/// let queue = recipes::Queue::new(&client, "/jobs");
/// queue.put("sweep").await?;
/// queue.put_with_priority("extinguish", 0).await?;
/// assert_eq!(queue.take().await?, b"extinguish");
/// assert_eq!(queue.take().await?, b"sweep");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Queue {
    entries: Entries,
}

impl SimpleQueue {
    /// The queue of this directory, which is made when it is needed, as a container.
    #[must_use]
    pub fn new(client: &Client, path: &str) -> Self {
        let entries = Entries::new(client, path, Format::Simple);
        Self { entries }
    }

    /// Puts an entry at the end.
    ///
    /// Cancellation: it may be put or not.
    ///
    /// # Errors
    /// [`Error::Client`] with the end of the session, what the server refuses, or the loss of the
    /// connection if the entry may have been put.
    pub async fn put(&self, data: impl Into<Vec<u8>>) -> Result<(), Error> {
        self.entries.put(&name::simple(), &data.into()).await
    }

    /// The first entry, which stays.
    ///
    /// Cancellation: nothing happens.
    ///
    /// # Errors
    /// [`Error::Client`] with the end of the session, or what the server refuses.
    pub async fn peek(&self) -> Result<Option<Vec<u8>>, Error> {
        self.entries.peek().await
    }

    /// Waits for an entry, and removes it.
    ///
    /// Cancellation: an entry that was about to be removed may be lost, unless it waits for one.
    ///
    /// # Errors
    /// [`Error::TakenPerhaps`] with an entry that may have been removed, else as
    /// [`SimpleQueue::peek`].
    pub async fn take(&self) -> Result<Vec<u8>, Error> {
        self.entries.take().await.map(|(_, data)| data)
    }

    /// Removes the first entry, if there is one.
    ///
    /// Cancellation: an entry that was about to be removed may be lost.
    ///
    /// # Errors
    /// As [`SimpleQueue::take`].
    pub async fn try_take(&self) -> Result<Option<Vec<u8>>, Error> {
        let taken = self.entries.try_take().await?;
        Ok(taken.map(|(_, data)| data))
    }

    /// How many entries there are.
    ///
    /// Cancellation: nothing happens.
    ///
    /// # Errors
    /// As [`SimpleQueue::peek`].
    pub async fn count(&self) -> Result<usize, Error> {
        self.entries.count().await
    }
}

impl Queue {
    /// The queue of this directory, which is made when it is needed, as a persistent node: kazoo
    /// does not make it again if it goes.
    #[must_use]
    pub fn new(client: &Client, path: &str) -> Self {
        let entries = Entries::new(client, path, Format::Kazoo);
        Self { entries }
    }

    /// Puts an entry behind those with the priority 100.
    ///
    /// Cancellation: it may be put or not.
    ///
    /// # Errors
    /// As [`SimpleQueue::put`].
    pub async fn put(&self, data: impl Into<Vec<u8>>) -> Result<(), Error> {
        self.put_with_priority(data, PRIORITY).await
    }

    /// Puts an entry behind those with this priority, 0 to 999.
    ///
    /// Cancellation: it may be put or not.
    ///
    /// # Errors
    /// As [`SimpleQueue::put`], or [`Error::NoPriority`].
    pub async fn put_with_priority(
        &self,
        data: impl Into<Vec<u8>>,
        priority: u16,
    ) -> Result<(), Error> {
        let stem = name::kazoo(checked(priority)?);
        self.entries.put(&stem, &data.into()).await
    }

    /// Waits for an entry, and removes it.
    ///
    /// Cancellation: an entry that was about to be removed may be lost, unless it waits for one.
    ///
    /// # Errors
    /// As [`SimpleQueue::take`].
    pub async fn take(&self) -> Result<Vec<u8>, Error> {
        self.entries.take().await.map(|(_, data)| data)
    }

    /// Removes the first entry, if there is one.
    ///
    /// Cancellation: an entry that was about to be removed may be lost.
    ///
    /// # Errors
    /// As [`SimpleQueue::take`].
    pub async fn try_take(&self) -> Result<Option<Vec<u8>>, Error> {
        let taken = self.entries.try_take().await?;
        Ok(taken.map(|(_, data)| data))
    }

    /// How many entries there are.
    ///
    /// Cancellation: nothing happens.
    ///
    /// # Errors
    /// As [`SimpleQueue::peek`].
    pub async fn count(&self) -> Result<usize, Error> {
        self.entries.count().await
    }
}
