use client::{Client, ErrorCode, Expected};

use crate::Error;
use crate::contend::parents;
use crate::retry;

/// Holds up all who come to it, as long as it is set.
///
/// It belongs to no session: it stays set until somebody removes it.
///
/// Interoperates with Curator's `DistributedBarrier` and kazoo's `Barrier`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// # let server = server::embedded::EmbeddedServer::start()?;
/// # let client = client::Client::connect(&server.connect_string()).await?;
/// let barrier = recipes::Barrier::new(&client, "/maintenance");
/// barrier.set().await?;
/// let (waited, removed) = tokio::join!(barrier.wait(), barrier.remove());
/// waited?;
/// removed?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Barrier {
    client: Client,
    path: String,
}

impl Barrier {
    /// The barrier that is set while there is this node.
    #[must_use]
    pub fn new(client: &Client, path: &str) -> Self {
        Self {
            client: client.clone(),
            path: path.to_owned(),
        }
    }

    /// Sets the barrier, if it is not set already.
    ///
    /// Cancellation: it may be set or not.
    ///
    /// # Errors
    /// [`Error::Client`] with the end of the session, or what the server refuses.
    pub async fn set(&self) -> Result<(), Error> {
        parents::ensure_kept(&self.client, &self.path).await
    }

    /// Removes the barrier, if it is set: all who wait go on.
    ///
    /// Cancellation: it may be removed or not.
    ///
    /// # Errors
    /// As [`Barrier::set`].
    pub async fn remove(&self) -> Result<(), Error> {
        let delete = || self.client.delete(&self.path, Expected::Any);
        match retry::answered(&self.client, delete).await {
            Err(error) if error.code() == Some(ErrorCode::NoNode) => Ok(()),
            outcome => Ok(outcome?),
        }
    }

    /// Waits until the barrier is not set. One that is removed and soon set again may hold up
    /// who waited, as one that has just come.
    ///
    /// Cancellation: nothing is left but a watch, which is removed.
    ///
    /// # Errors
    /// As [`Barrier::set`].
    pub async fn wait(&self) -> Result<(), Error> {
        retry::until_gone(&self.client, &self.path).await
    }
}
