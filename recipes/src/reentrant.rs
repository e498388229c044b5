use std::ops::Deref;
use std::sync::{Arc, Weak};

use client::Client;
use tokio::sync::Mutex as AsyncMutex;

use crate::contend::{Hold, Naming};
use crate::{Error, Mutex, MutexGuard};

/// A [`Mutex`] that its owner may acquire again while it has it.
///
/// The owner is this object with its clones: where Curator asks which thread it is, a task has
/// the object or it has not. Two objects exclude each other, also on one client.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// # let server = server::embedded::EmbeddedServer::start()?;
/// # let client = client::Client::connect(&server.connect_string()).await?;
/// let mutex = recipes::ReentrantMutex::new(&client, "/locks/orders");
/// let outer = mutex.acquire().await?;
/// let inner = mutex.acquire().await?;
/// assert_eq!(outer.token(), inner.token());
/// // The last one gives it up.
/// outer.release().await?;
/// inner.release().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ReentrantMutex {
    mutex: Mutex,
    held: Arc<AsyncMutex<Weak<MutexGuard>>>,
}

/// The mutex is held at least once. A clone is one more time.
#[derive(Clone, Debug)]
pub struct ReentrantGuard {
    guard: Arc<MutexGuard>,
}

impl Deref for ReentrantGuard {
    type Target = Hold;

    fn deref(&self) -> &Hold {
        &self.guard
    }
}

impl ReentrantGuard {
    /// Gives it up once; the last time, waits until the next one can have it.
    ///
    /// # Errors
    /// As [`MutexGuard::release`].
    pub async fn release(self) -> Result<(), Error> {
        match Arc::into_inner(self.guard) {
            Some(last) => last.release().await,
            None => Ok(()),
        }
    }
}

impl ReentrantMutex {
    /// As [`Mutex::new`].
    #[must_use]
    pub fn new(client: &Client, path: &str) -> Self {
        let mutex = Mutex::new(client, path);
        let held = Arc::default();
        Self { mutex, held }
    }

    /// As [`Mutex::naming`].
    #[must_use]
    pub fn naming(mut self, naming: Naming) -> Self {
        self.mutex = self.mutex.naming(naming);
        self
    }

    /// The mutex once more, at once if this owner has it. If it was lost meanwhile,
    /// [`Hold::lost`] of all its guards tells; it is acquired anew when they are gone.
    ///
    /// Cancellation: as of [`Mutex::acquire`].
    ///
    /// # Errors
    /// As [`Mutex::acquire`].
    pub async fn acquire(&self) -> Result<ReentrantGuard, Error> {
        let mut held = self.held.lock().await;
        let guard = match held.upgrade() {
            Some(guard) => guard,
            None => {
                let guard = Arc::new(self.mutex.acquire().await?);
                *held = Arc::downgrade(&guard);
                guard
            }
        };
        Ok(ReentrantGuard { guard })
    }
}
