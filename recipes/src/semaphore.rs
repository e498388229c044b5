use std::ops::Deref;

use client::{Client, ErrorCode};

use crate::contend::{Arena, Claim, Hold, Label, Naming, NodeName, join};
use crate::retry;
use crate::{Error, Mutex};

/// Leases are counted, not ordered: all children of their directory count, as with Curator and
/// kazoo.
const LEASES: &[Label] = &[LEASE];
const LEASE: Label = Label::exclusive("lease-");

/// So many holders at a time, in the order of asking.
///
/// Who wants a lease takes a mutex, makes the node of the lease, and waits with the mutex until
/// no more leases than allowed are there. So only one waits for leases to be given back, and the
/// end of a lease wakes nobody else.
///
/// The number of leases is what each contender says: all must say the same.
///
/// Interoperates with Curator's `InterProcessSemaphoreV2`, or kazoo's `Semaphore`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// # let server = server::embedded::EmbeddedServer::start()?;
/// # let client = client::Client::connect(&server.connect_string()).await?;
/// let semaphore = recipes::Semaphore::new(&client, "/pool", 2);
/// let (one, other) = (semaphore.acquire().await?, semaphore.acquire().await?);
/// assert!(semaphore.try_acquire().await?.is_none());
/// one.release().await?;
/// assert!(semaphore.try_acquire().await?.is_some());
/// # other.release().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Semaphore {
    mutex: Mutex,
    leases: Arena,
    naming: Naming,
    leases_max: usize,
    data: Vec<u8>,
}

/// One of the leases is held. See [`Hold`]. Tokens grow from lease to lease.
#[derive(Debug)]
pub struct Lease {
    hold: Hold,
}

impl Deref for Lease {
    type Target = Hold;

    fn deref(&self) -> &Hold {
        &self.hold
    }
}

impl Lease {
    /// Gives the lease back, and waits until that is done. Cancellation: it is given back in the
    /// background.
    ///
    /// # Errors
    /// As [`Hold::release`].
    pub async fn release(self) -> Result<(), Error> {
        self.hold.release().await
    }
}

impl Semaphore {
    /// The semaphore of this directory, with Curator's layout.
    #[must_use]
    pub fn new(client: &Client, path: &str, leases_max: usize) -> Self {
        Self {
            mutex: Mutex::new(client, &join(path, "locks")),
            leases: Arena::new(client, &join(path, "leases"), LEASES),
            naming: Naming::Curator,
            leases_max,
            data: Vec::new(),
        }
    }

    /// The semaphore of this directory, with kazoo's layout. kazoo keeps the number of leases in
    /// the directory's data, and refuses to work with another one; here it is neither written
    /// nor compared.
    #[must_use]
    pub fn kazoo(client: &Client, path: &str, leases_max: usize) -> Self {
        Self {
            mutex: Mutex::new(client, &format!("{path}-__lock__")).naming(Naming::Kazoo),
            leases: Arena::new(client, path, LEASES),
            naming: Naming::Kazoo,
            leases_max,
            data: Vec::new(),
        }
    }

    /// What the nodes of own leases hold, for others to read.
    #[must_use]
    pub fn data(mut self, data: impl Into<Vec<u8>>) -> Self {
        self.data = data.into();
        self
    }

    /// Waits for a lease as long as it takes, or until the session ends.
    ///
    /// Cancellation: the place in the queue, or the lease, is given up in the background.
    ///
    /// # Errors
    /// As [`Mutex::acquire`].
    pub async fn acquire(&self) -> Result<Lease, Error> {
        let turn = self.mutex.acquire().await?;
        let claim = self.enter().await?;
        while !self.is_within(&claim).await? {
            self.until_changed().await?;
        }
        let hold = Hold::new(claim);
        turn.release().await?;
        Ok(Lease { hold })
    }

    /// A lease, if one is left and nobody waits for one.
    ///
    /// # Errors
    /// As [`Semaphore::acquire`].
    pub async fn try_acquire(&self) -> Result<Option<Lease>, Error> {
        let Some(turn) = self.mutex.try_acquire().await? else {
            return Ok(None);
        };
        let claim = self.enter().await?;
        let lease = if self.is_within(&claim).await? {
            let hold = Hold::new(claim);
            Some(Lease { hold })
        } else {
            claim.withdraw().await?;
            None
        };
        turn.release().await?;
        Ok(lease)
    }

    async fn enter(&self) -> Result<Claim, Error> {
        let name = match self.naming {
            Naming::Curator => NodeName::sequential(self.naming, LEASE),
            Naming::Kazoo => NodeName::fixed(self.naming, ""),
        };
        self.leases.enter(name, &self.data).await
    }

    /// Whether no more leases are there than may be, the claim's with them.
    async fn is_within(&self, claim: &Claim) -> Result<bool, Error> {
        let client = &self.leases.client;
        let read = || client.get_children(&self.leases.parent);
        let deleted = || Error::Deleted(claim.path().to_owned());
        match retry::answered(client, read).await {
            Ok(children) if children.iter().any(|name| name == claim.name()) => {
                Ok(children.len() <= self.leases_max)
            }
            Ok(_) => Err(deleted()),
            Err(error) if error.code() == Some(ErrorCode::NoNode) => Err(deleted()),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until fewer leases are there. Only who has the mutex does, so nobody makes one
    /// meanwhile.
    async fn until_changed(&self) -> Result<(), Error> {
        let client = &self.leases.client;
        match client.get_children_and_watch(&self.leases.parent).await {
            Ok((children, ..)) if children.len() <= self.leases_max => Ok(()),
            Ok((.., watcher)) => {
                if watcher.await.is_err() {
                    retry::connected(client).await;
                }
                Ok(())
            }
            Err(error) if retry::is_passing(&error) => {
                retry::pause(client).await;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}
