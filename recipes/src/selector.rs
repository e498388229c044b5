use client::Client;

use crate::contend::{Loss, Naming};
use crate::{Error, Leadership, Mutex};

/// An election in which leading is a task that ends: then it is the next one's turn.
///
/// Interoperates with Curator's `LeaderSelector`, or kazoo's `Election`: both are a mutex whose
/// nodes hold the ids of the contenders.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// # let server = server::embedded::EmbeddedServer::start()?;
/// # let client = client::Client::connect(&server.connect_string()).await?;
/// let selector = recipes::LeaderSelector::new(&client, "/election", "host-1");
/// let led = selector
///     .lead(async |leadership| leadership.token())
///     .await?;
/// assert!(matches!(led, recipes::Led::Done(_)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct LeaderSelector {
    mutex: Mutex,
}

/// How a leadership went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Led<T> {
    /// The task came to its end.
    Done(T),
    /// The leadership was lost first, and the task dropped.
    Lost(Loss),
}

impl LeaderSelector {
    /// The election of this directory. `id` tells others who this is.
    #[must_use]
    pub fn new(client: &Client, path: &str, id: &str) -> Self {
        let mutex = Mutex::new(client, path).data(id);
        Self { mutex }
    }

    /// Names the own nodes so.
    #[must_use]
    pub fn naming(mut self, naming: Naming) -> Self {
        self.mutex = self.mutex.naming(naming);
        self
    }

    /// Waits to be elected, runs the task as the leader, and gives the leadership up. The task
    /// is dropped, at an await of its own, when the leadership is lost.
    ///
    /// Cancellation: the candidature or the leadership is given up, in the background.
    ///
    /// # Errors
    /// As [`Mutex::acquire`].
    pub async fn lead<T>(&self, task: impl AsyncFnOnce(&Leadership) -> T) -> Result<Led<T>, Error> {
        let leadership = Leadership::new(self.mutex.acquire().await?.into_hold());
        let led = tokio::select! {
            biased;
            loss = leadership.lost() => Led::Lost(loss),
            done = task(&leadership) => Led::Done(done),
        };
        leadership.resign().await?;
        Ok(led)
    }

    /// The ids of those who stand, the leader first.
    ///
    /// # Errors
    /// What the client reports.
    pub async fn participants(&self) -> Result<Vec<String>, Error> {
        crate::latch::ids(self.mutex.arena()).await
    }
}
