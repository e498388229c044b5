use crate::{Error, Mutex, MutexGuard};

/// Several mutexes as one: all of them, or none.
///
/// They are acquired in the order in which they are given. Two of these that share mutexes must
/// name them in the same order, or they may wait for each other for ever.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// # let server = server::embedded::EmbeddedServer::start()?;
/// # let client = client::Client::connect(&server.connect_string()).await?;
/// let accounts = ["/accounts/1", "/accounts/2"];
/// let both = recipes::MultiMutex::new(accounts.map(|path| recipes::Mutex::new(&client, path)));
/// let guards = both.acquire().await?;
/// assert_eq!(guards.iter().count(), 2);
/// guards.release().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct MultiMutex {
    mutexes: Vec<Mutex>,
}

/// All of the mutexes are held. Dropping it gives all of them up, in the background.
#[derive(Debug)]
pub struct MultiGuard {
    guards: Vec<MutexGuard>,
}

impl MultiMutex {
    /// These mutexes as one.
    pub fn new(mutexes: impl IntoIterator<Item = Mutex>) -> Self {
        let mutexes = mutexes.into_iter().collect();
        Self { mutexes }
    }

    /// Waits for all of them. Cancellation, and an error: those acquired so far are given up, in
    /// the background.
    ///
    /// # Errors
    /// As [`Mutex::acquire`].
    pub async fn acquire(&self) -> Result<MultiGuard, Error> {
        let mut guards = Vec::with_capacity(self.mutexes.len());
        for mutex in &self.mutexes {
            guards.push(mutex.acquire().await?);
        }
        Ok(MultiGuard { guards })
    }

    /// All of them, if each can be had at once. Else those that could are given up again.
    ///
    /// # Errors
    /// As [`Mutex::try_acquire`].
    pub async fn try_acquire(&self) -> Result<Option<MultiGuard>, Error> {
        let mut guards = Vec::with_capacity(self.mutexes.len());
        for mutex in &self.mutexes {
            match mutex.try_acquire().await? {
                Some(guard) => guards.push(guard),
                None => {
                    MultiGuard { guards }.release().await?;
                    return Ok(None);
                }
            }
        }
        Ok(Some(MultiGuard { guards }))
    }
}

impl MultiGuard {
    /// The guards, in the order of the mutexes.
    pub fn iter(&self) -> impl Iterator<Item = &MutexGuard> {
        self.guards.iter()
    }

    /// Gives all of them up, the last one first.
    ///
    /// # Errors
    /// As [`MutexGuard::release`]; those that are left are given up in the background.
    pub async fn release(mut self) -> Result<(), Error> {
        while let Some(guard) = self.guards.pop() {
            guard.release().await?;
        }
        Ok(())
    }
}
