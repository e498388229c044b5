use std::ops::Deref;

use client::Client;

use crate::Error;
use crate::contend::{Arena, Claim, Hold, Label, Mode, Naming, NodeName};

const CURATOR_READ: Label = Label::shared("__READ__");
const CURATOR_WRITE: Label = Label::exclusive("__WRIT__");
const KAZOO_READ: Label = Label::shared("__rlock__");
const KAZOO_WRITE: Label = Label::exclusive("__lock__");
const LABELS: &[Label] = &[CURATOR_READ, CURATOR_WRITE, KAZOO_READ, KAZOO_WRITE];

/// Many readers or one writer, in the order of asking: a reader does not overtake a writer that
/// waits.
///
/// Interoperates with Curator's `InterProcessReadWriteLock`, or kazoo's `ReadLock` and
/// `WriteLock`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// # let server = server::embedded::EmbeddedServer::start()?;
/// # let client = client::Client::connect(&server.connect_string()).await?;
/// let lock = recipes::RwLock::new(&client, "/locks/table");
/// let (one, other) = (lock.read().await?, lock.read().await?);
/// one.release().await?;
/// other.release().await?;
///
/// let writing = lock.write().await?;
/// // Still nobody writes, but others may read from now on.
/// let reading = writing.downgrade().await?;
/// reading.release().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct RwLock {
    arena: Arena,
    naming: Naming,
}

/// Nobody writes. See [`Hold`].
#[derive(Debug)]
pub struct ReadGuard {
    hold: Hold,
}

/// Nobody else reads or writes. See [`Hold`].
#[derive(Debug)]
pub struct WriteGuard {
    hold: Hold,
    lock: RwLock,
}

impl Deref for ReadGuard {
    type Target = Hold;

    fn deref(&self) -> &Hold {
        &self.hold
    }
}

impl Deref for WriteGuard {
    type Target = Hold;

    fn deref(&self) -> &Hold {
        &self.hold
    }
}

impl ReadGuard {
    /// Gives the lock up, and waits until the next one can have it. Cancellation: it is given up
    /// in the background.
    ///
    /// # Errors
    /// As [`Hold::release`].
    pub async fn release(self) -> Result<(), Error> {
        self.hold.release().await
    }
}

impl WriteGuard {
    /// As [`ReadGuard::release`].
    ///
    /// # Errors
    /// As [`Hold::release`].
    pub async fn release(self) -> Result<(), Error> {
        self.hold.release().await
    }

    /// Makes the write lock a read lock. No writer comes in between: the read lock's node has the
    /// write lock's sequence number and is there before that of the write lock is deleted. The
    /// fencing token stays that of the writer.
    ///
    /// Cancellation, and an error: both locks are given up, in the background.
    ///
    /// # Errors
    /// As [`RwLock::write`]. The lock is then lost.
    pub async fn downgrade(self) -> Result<ReadGuard, Error> {
        let (read, write) = match self.lock.naming {
            Naming::Curator => (CURATOR_READ, CURATOR_WRITE),
            Naming::Kazoo => (KAZOO_READ, KAZOO_WRITE),
        };
        let own = self.hold.name();
        let number = own
            .rfind(write.text)
            .map(|at| &own[at + write.text.len()..]);
        let rest = format!("{}{}", read.text, number.unwrap_or_default());
        let name = NodeName::fixed(self.lock.naming, &rest);
        let claim: Claim = self.lock.arena.enter(name, &[]).await?;
        let hold = Hold::with_token(claim, self.hold.token());
        self.hold.release().await?;
        Ok(ReadGuard { hold })
    }
}

impl RwLock {
    /// The lock of this directory, which is made when it is needed.
    #[must_use]
    pub fn new(client: &Client, path: &str) -> Self {
        Self {
            arena: Arena::new(client, path, LABELS),
            naming: Naming::default(),
        }
    }

    /// Names the own nodes so.
    #[must_use]
    pub fn naming(mut self, naming: Naming) -> Self {
        self.naming = naming;
        self
    }

    /// Waits until nobody writes, or has asked to before.
    ///
    /// Cancellation: the place in the queue is given up. Its node is deleted in the background.
    ///
    /// # Errors
    /// As [`crate::Mutex::acquire`].
    pub async fn read(&self) -> Result<ReadGuard, Error> {
        let hold = self
            .arena
            .acquire(self.name(Mode::Shared), &[], Mode::Shared);
        Ok(ReadGuard { hold: hold.await? })
    }

    /// Waits until nobody reads or writes, or has asked to before. A reader who asks to write
    /// before giving up its read lock waits for itself.
    ///
    /// Cancellation: as of [`RwLock::read`].
    ///
    /// # Errors
    /// As [`crate::Mutex::acquire`].
    pub async fn write(&self) -> Result<WriteGuard, Error> {
        let hold = self
            .arena
            .acquire(self.name(Mode::Exclusive), &[], Mode::Exclusive);
        Ok(self.writing(hold.await?))
    }

    /// The read lock, if it can be had at once.
    ///
    /// # Errors
    /// As [`RwLock::read`].
    pub async fn try_read(&self) -> Result<Option<ReadGuard>, Error> {
        let hold = self
            .arena
            .try_acquire(self.name(Mode::Shared), &[], Mode::Shared);
        Ok(hold.await?.map(|hold| ReadGuard { hold }))
    }

    /// The write lock, if it can be had at once.
    ///
    /// # Errors
    /// As [`RwLock::write`].
    pub async fn try_write(&self) -> Result<Option<WriteGuard>, Error> {
        let hold = self
            .arena
            .try_acquire(self.name(Mode::Exclusive), &[], Mode::Exclusive);
        Ok(hold.await?.map(|hold| self.writing(hold)))
    }

    /// The paths of the nodes of who has the lock or waits for it, in their order.
    ///
    /// # Errors
    /// What the client reports.
    pub async fn contenders(&self) -> Result<Vec<String>, Error> {
        self.arena.contender_paths().await
    }

    fn writing(&self, hold: Hold) -> WriteGuard {
        let lock = self.clone();
        WriteGuard { hold, lock }
    }

    fn name(&self, mode: Mode) -> NodeName {
        let label = match (self.naming, mode) {
            (Naming::Curator, Mode::Shared) => CURATOR_READ,
            (Naming::Curator, Mode::Exclusive) => CURATOR_WRITE,
            (Naming::Kazoo, Mode::Shared) => KAZOO_READ,
            (Naming::Kazoo, Mode::Exclusive) => KAZOO_WRITE,
        };
        NodeName::sequential(self.naming, label)
    }
}
