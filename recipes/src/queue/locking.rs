use std::ops::Deref;

use client::{Client, CreateOptions, ErrorCode};

use super::entries::Entries;
use super::locks::{Held, Locks};
use super::name::{self, Format};
use super::simple::{PRIORITY, checked};
use crate::contend::{Hold, join, parents};
use crate::{Error, retry};

/// Where the entries are.
const ENTRIES: &str = "entries";

/// Where the nodes of those are who hold one.
const TAKEN: &str = "taken";

/// Entries come out by their priority, the lowest number first, and then in the order in which
/// they were put in. Who works on one holds it, and removes it at the end: it is worked on once at
/// least. When who holds it goes without, it comes out again.
///
/// Interoperates with kazoo's `LockingQueue`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// # let server = server::embedded::EmbeddedServer::start()?;
/// # let client = client::Client::connect(&server.connect_string()).await?;
/// let queue = recipes::LockingQueue::new(&client, "/jobs");
/// queue.put("one").await?;
/// let entry = queue.hold().await?;
/// assert_eq!(entry.data(), b"one");
/// assert!(queue.try_hold().await?.is_none());
/// tokio::select! {
///     loss = entry.lost() => println!("somebody else may have it by now: {loss:?}"),
///     () = async { /* work */ } => {}
/// }
/// entry.consume().await?;
/// assert_eq!(queue.count().await?, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct LockingQueue {
    locks: Locks,
}

/// An entry is held. See [`Hold`]. Of two that hold the same entry the later one has the higher
/// token. Dropping it leaves the entry where it was, for others, in the background.
#[derive(Debug)]
pub struct HeldEntry {
    held: Held,
}

impl Deref for HeldEntry {
    type Target = Hold;

    fn deref(&self) -> &Hold {
        &self.held.hold
    }
}

impl HeldEntry {
    /// What was put in.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.held.data
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
    /// [`Error::Deleted`] if it is held no longer, and so not removed, or if somebody else has
    /// removed it all the same. [`Error::Client`] with the end of the session: it was removed just
    /// before, or comes out again; or with what the server refuses.
    pub async fn consume(self) -> Result<(), Error> {
        self.held.consume().await
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

impl LockingQueue {
    /// The queue of this directory. That and the two in it are made when they are needed, as
    /// persistent nodes: kazoo does not make them again if they go.
    #[must_use]
    pub fn new(client: &Client, path: &str) -> Self {
        let entries = Entries::new(client, &join(path, ENTRIES), Format::Kazoo);
        let locks = Locks::new(entries, &join(path, TAKEN));
        Self { locks }
    }

    /// Puts an entry behind those with the priority 100.
    ///
    /// Cancellation: it may be put or not.
    ///
    /// # Errors
    /// As [`crate::SimpleQueue::put`].
    pub async fn put(&self, data: impl Into<Vec<u8>>) -> Result<(), Error> {
        self.put_with_priority(data, PRIORITY).await
    }

    /// Puts an entry behind those with this priority, 0 to 999.
    ///
    /// Cancellation: it may be put or not.
    ///
    /// # Errors
    /// As [`crate::SimpleQueue::put`], or [`Error::NoPriority`].
    pub async fn put_with_priority(
        &self,
        data: impl Into<Vec<u8>>,
        priority: u16,
    ) -> Result<(), Error> {
        let stem = name::kazoo(checked(priority)?);
        self.locks.entries.put(&stem, &data.into()).await
    }

    /// Puts all of these, or none. All together must fit into a packet of the server's
    /// (`jute.maxbuffer`, 1 MiB as a rule).
    ///
    /// Cancellation: they may be put or not.
    ///
    /// # Errors
    /// As [`LockingQueue::put_with_priority`].
    pub async fn put_all<T: Into<Vec<u8>>>(
        &self,
        entries: impl IntoIterator<Item = T>,
        priority: u16,
    ) -> Result<(), Error> {
        let queue = &self.locks.entries;
        let stem = queue.path_of(&name::kazoo(checked(priority)?));
        let entries: Vec<Vec<u8>> = entries.into_iter().map(Into::into).collect();
        if entries.is_empty() {
            return Ok(());
        }
        let options = CreateOptions::persistent().sequential().without_stat();
        let mut tries = 0;
        while tries < parents::TRIES {
            let mut multi = queue.client.multi();
            for data in &entries {
                multi = multi.create(&stem, &data[..], &options);
            }
            match multi.commit().await {
                Ok(_) => return Ok(()),
                Err(error) if error.code() == Some(ErrorCode::NoNode) => {
                    tries += 1;
                    queue.ensure().await?;
                }
                Err(error) if retry::is_passing(&error) && !error.may_have_happened() => {
                    retry::pause(&queue.client).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::ParentDeleted(queue.path.clone()))
    }

    /// Waits for an entry that nobody holds, and holds it.
    ///
    /// Cancellation: nothing is held. An entry that was about to be is left in the background.
    ///
    /// # Errors
    /// [`Error::Client`] with the end of the session, or what the server refuses.
    pub async fn hold(&self) -> Result<HeldEntry, Error> {
        let held = self.locks.hold().await?;
        Ok(HeldEntry { held })
    }

    /// Holds the first entry that nobody holds, if there is one.
    ///
    /// Cancellation: as of [`LockingQueue::hold`].
    ///
    /// # Errors
    /// As [`LockingQueue::hold`].
    pub async fn try_hold(&self) -> Result<Option<HeldEntry>, Error> {
        let held = self.locks.try_hold().await?;
        Ok(held.map(|held| HeldEntry { held }))
    }

    /// How many entries there are, those that are held with them.
    ///
    /// Cancellation: nothing happens.
    ///
    /// # Errors
    /// As [`LockingQueue::hold`].
    pub async fn count(&self) -> Result<usize, Error> {
        self.locks.entries.count().await
    }
}
