use std::ops::Deref;
use std::time::Duration;

use client::Client;

use crate::Error;
use crate::contend::{Arena, Hold, Label, Mode, Naming, NodeName};

const CURATOR: Label = Label::exclusive("lock-");
const KAZOO: Label = Label::exclusive("__lock__");
const LABELS: &[Label] = &[CURATOR, KAZOO];

/// One holder at a time, in the order of asking. Not re-entrant: see [`crate::ReentrantMutex`].
///
/// Interoperates with Curator's `InterProcessMutex`, or kazoo's `Lock`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// # let server = server::embedded::EmbeddedServer::start()?;
/// # let connect_string = server.connect_string();
/// let client = client::Client::connect(&connect_string).await?;
/// let mutex = recipes::Mutex::new(&client, "/locks/orders");
/// let guard = mutex.acquire().await?;
/// tokio::select! {
///     loss = guard.lost() => println!("somebody else may have it by now: {loss:?}"),
///     () = async { /* work */ } => {}
/// }
/// // Nothing is written if the lock is not held any more.
/// let written = guard.multi().create("/order", "1", &client::CreateOptions::persistent());
/// written.commit().await?;
/// guard.release().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Mutex {
    arena: Arena,
    naming: Naming,
    data: Vec<u8>,
}

/// The mutex is held. See [`Hold`].
#[derive(Debug)]
pub struct MutexGuard {
    hold: Hold,
}

impl Deref for MutexGuard {
    type Target = Hold;

    fn deref(&self) -> &Hold {
        &self.hold
    }
}

impl MutexGuard {
    pub(crate) fn into_hold(self) -> Hold {
        self.hold
    }

    /// Gives the mutex up, and waits until the next one can have it. Cancellation: it is given
    /// up in the background.
    ///
    /// # Errors
    /// As [`Hold::release`].
    pub async fn release(self) -> Result<(), Error> {
        self.hold.release().await
    }
}

impl Mutex {
    /// The mutex of this directory, which is made when it is needed.
    #[must_use]
    pub fn new(client: &Client, path: &str) -> Self {
        Self {
            arena: Arena::new(client, path, LABELS),
            naming: Naming::default(),
            data: Vec::new(),
        }
    }

    /// Names the own nodes so.
    #[must_use]
    pub fn naming(mut self, naming: Naming) -> Self {
        self.naming = naming;
        self
    }

    /// What the own nodes hold, for others to read: who this is, say.
    #[must_use]
    pub fn data(mut self, data: impl Into<Vec<u8>>) -> Self {
        self.data = data.into();
        self
    }

    /// Waits for the mutex as long as it takes, or until the session ends.
    ///
    /// Cancellation: the place in the queue is given up. Its node is deleted in the background.
    ///
    /// # Errors
    /// [`Error::Client`] with the end of the session, or what the server refuses;
    /// [`Error::Deleted`] if somebody deletes the node that waits.
    pub async fn acquire(&self) -> Result<MutexGuard, Error> {
        let hold = self.arena.acquire(self.name(), &self.data, Mode::Exclusive);
        Ok(MutexGuard { hold: hold.await? })
    }

    /// Waits no longer than this for the mutex. `None` if that was too short.
    ///
    /// # Errors
    /// As [`Mutex::acquire`].
    pub async fn acquire_within(&self, patience: Duration) -> Result<Option<MutexGuard>, Error> {
        let acquired = tokio::time::timeout(patience, self.acquire()).await;
        acquired.map_or(Ok(None), |guard| guard.map(Some))
    }

    /// The mutex, if nobody has it or waits for it.
    ///
    /// # Errors
    /// As [`Mutex::acquire`].
    pub async fn try_acquire(&self) -> Result<Option<MutexGuard>, Error> {
        let hold = self
            .arena
            .try_acquire(self.name(), &self.data, Mode::Exclusive);
        Ok(hold.await?.map(|hold| MutexGuard { hold }))
    }

    /// The paths of the nodes of who has it, and then of those who wait, in their order.
    ///
    /// # Errors
    /// What the client reports.
    pub async fn contenders(&self) -> Result<Vec<String>, Error> {
        self.arena.contender_paths().await
    }

    pub(crate) fn arena(&self) -> &Arena {
        &self.arena
    }

    fn name(&self) -> NodeName {
        let label = match self.naming {
            Naming::Curator => CURATOR,
            Naming::Kazoo => KAZOO,
        };
        NodeName::sequential(self.naming, label)
    }
}
