use client::{Client, CreateOptions, ErrorCode, Expected, Stat};

use crate::Error;
use crate::contend::parents;
use crate::retry;

/// A value that all see, and that is changed only by who has seen the latest one.
///
/// Interoperates with Curator's `SharedValue`: the data of a node, and its version.
///
/// # What a failure means
///
/// A write whose answer is lost is looked for. If it certainly did not happen it is made again.
/// Otherwise the error is [`Error::Client`] with
/// [`ConnectionLoss`](client::Error::ConnectionLoss): it may have happened. So no write happens
/// twice. If the session ends before it can be looked for, it may have happened, too; the next call
/// tells of the end.
///
/// If the node is deleted and made again its versions begin anew, and a writer who has seen an
/// old one of the same number is not told from one who has seen the new one. Do not delete it
/// while it is in use.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// # let server = server::embedded::EmbeddedServer::start()?;
/// # let client = client::Client::connect(&server.connect_string()).await?;
/// let shared = recipes::SharedValue::new(&client, "/settings/colour");
/// let none = shared.get().await?;
/// let red = shared.compare_and_set(&none, "red").await?;
/// assert!(red.is_some());
/// // Who has not seen the latest value changes nothing.
/// assert!(shared.compare_and_set(&none, "blue").await?.is_none());
/// let seen = shared.changed(&none).await?;
/// assert_eq!(seen.value(), Some(&b"red"[..]));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SharedValue {
    client: Client,
    path: String,
}

/// A value as it was at some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    node: Option<(Vec<u8>, Stat)>,
}

impl Reading {
    /// The value; `None` if there was no node.
    #[must_use]
    pub fn value(&self) -> Option<&[u8]> {
        self.node.as_ref().map(|(data, _)| &data[..])
    }

    /// The zxid of the transaction that wrote it; 0 if there was no node.
    #[must_use]
    pub fn zxid(&self) -> i64 {
        self.stat().map_or(0, |stat| stat.mzxid)
    }

    /// The node's Stat, if there was one.
    #[must_use]
    pub fn stat(&self) -> Option<&Stat> {
        self.node.as_ref().map(|(_, stat)| stat)
    }
}

impl SharedValue {
    /// The value of this node, which is made with the first write.
    #[must_use]
    pub fn new(client: &Client, path: &str) -> Self {
        Self {
            client: client.clone(),
            path: path.to_owned(),
        }
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The value, as this session's server knows it.
    ///
    /// Cancellation: nothing happens.
    ///
    /// # Errors
    /// [`Error::Client`] with the end of the session, or what the server refuses.
    pub async fn get(&self) -> Result<Reading, Error> {
        let read = || self.client.get_data(&self.path);
        match retry::answered(&self.client, read).await {
            Ok(node) => {
                let data = node.data.unwrap_or_default();
                let node = Some((data, node.stat));
                Ok(Reading { node })
            }
            Err(error) if error.code() == Some(ErrorCode::NoNode) => Ok(Reading { node: None }),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes the value, whatever it was.
    ///
    /// Cancellation: it may be written or not.
    ///
    /// # Errors
    /// As [`SharedValue::compare_and_set`].
    pub async fn set(&self, data: impl Into<Vec<u8>>) -> Result<Reading, Error> {
        let data = data.into();
        loop {
            let written = self.client.set_data(&self.path, &data[..], Expected::Any);
            match written.await {
                Ok(stat) => {
                    let node = Some((data, stat));
                    return Ok(Reading { node });
                }
                Err(error) if error.code() == Some(ErrorCode::NoNode) => {
                    if let Some(reading) = self.create(&data).await? {
                        return Ok(reading);
                    }
                }
                Err(error) if retry::is_passing(&error) && !error.may_have_happened() => {
                    retry::pause(&self.client).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Writes the value if it is still the one that was seen; `None` if it is not.
    ///
    /// Cancellation: it may be written or not.
    ///
    /// # Errors
    /// [`Error::Client`] with the end of the session, what the server refuses, or the loss of the
    /// connection if it may have been written.
    pub async fn compare_and_set(
        &self,
        seen: &Reading,
        data: impl Into<Vec<u8>>,
    ) -> Result<Option<Reading>, Error> {
        let data = data.into();
        let Some(before) = seen.stat() else {
            return self.create(&data).await;
        };
        loop {
            match self.client.set_data(&self.path, &data[..], before).await {
                Ok(stat) => {
                    let node = Some((data, stat));
                    return Ok(Some(Reading { node }));
                }
                Err(error) if is_conflict(&error) || error.code() == Some(ErrorCode::NoNode) => {
                    return Ok(None);
                }
                Err(error) if retry::is_passing(&error) => {
                    retry::pause(&self.client).await;
                    // Who cannot look does not know either, whatever the look failed of: an end of
                    // the session would say that nothing had happened.
                    if error.may_have_happened()
                        && !self.is_unwritten(before, &data).await.unwrap_or(false)
                    {
                        return Err(error.into());
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Whether a write on top of `before` certainly did not happen: that one is still there, or
    /// somebody else's is, which came instead. By `sync` the write is applied here if it ever
    /// will be.
    async fn is_unwritten(&self, before: &Stat, data: &[u8]) -> Result<bool, Error> {
        retry::answered(&self.client, || self.client.sync(&self.path)).await?;
        let now = self.get().await?;
        Ok(now.node.is_some_and(|(found, now)| {
            let is_next =
                now.czxid == before.czxid && now.version == before.version.wrapping_add(1);
            now.mzxid == before.mzxid || (is_next && found != data)
        }))
    }

    /// Makes the node; `None` if there is one.
    async fn create(&self, data: &[u8]) -> Result<Option<Reading>, Error> {
        let persistent = CreateOptions::persistent();
        let mut tries = 0;
        while tries < parents::TRIES {
            match self.client.create(&self.path, data, &persistent).await {
                Ok(created) => {
                    return match created.stat {
                        Some(stat) => {
                            let node = Some((data.to_vec(), stat));
                            Ok(Some(Reading { node }))
                        }
                        None => Err(client::Error::UnexpectedAnswer.into()),
                    };
                }
                Err(error) if is_conflict(&error) => return Ok(None),
                Err(error) if error.code() == Some(ErrorCode::NoNode) => {
                    tries += 1;
                    parents::ensure_above(&self.client, &self.path).await?;
                }
                Err(error) if retry::is_passing(&error) && !error.may_have_happened() => {
                    retry::pause(&self.client).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::ParentDeleted(self.path.clone()))
    }

    /// Waits until the value is another than the one that was seen. Of changes that follow each
    /// other soon, some may be passed over: the last one never is.
    ///
    /// Cancellation: nothing is left but a watch, which is removed.
    ///
    /// # Errors
    /// As [`SharedValue::get`].
    pub async fn changed(&self, seen: &Reading) -> Result<Reading, Error> {
        loop {
            let watcher = match self.client.exists_and_watch(&self.path).await {
                Ok((_, watcher)) => watcher,
                Err(error) if retry::is_passing(&error) => {
                    retry::pause(&self.client).await;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let now = self.get().await?;
            if now.zxid() != seen.zxid() {
                return Ok(now);
            }
            if watcher.await.is_err() {
                retry::connected(&self.client).await;
            }
        }
    }
}

/// Whether somebody else has changed the node.
fn is_conflict(error: &client::Error) -> bool {
    matches!(
        error.code(),
        Some(ErrorCode::BadVersion | ErrorCode::NodeExists)
    )
}
