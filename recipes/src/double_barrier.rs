use std::ops::Deref;

use client::{Client, CreateOptions, ErrorCode, EventType, Expected};

use crate::Error;
use crate::contend::{Arena, Claim, Hold, Naming, NodeName, join};
use crate::retry;

/// Tells that all have come.
const READY: &str = "ready";

/// Lets nobody in before so many have come, and nobody out before all who were let in together
/// have left. More than that may come in; those who come late are not waited for on leaving.
///
/// # How
///
/// Who comes makes an ephemeral node, then counts. Who counts enough makes the node `ready`, for
/// which the others wait. The last one to make its node counts all of them, so as long as that
/// many live, somebody makes `ready`.
///
/// `ready` is persistent: were it to go with a session, a member whose connection was lost just
/// then would never see it. So it may outlive all members, if they crash or their futures are
/// dropped. It counts only for members who were there before it, and while one of them is still
/// inside for others too. Whoever comes and sees one that counts no more deletes it. It is
/// compared by its czxid and then deleted, which are two steps: if in between it is deleted and
/// made anew, a member that has no connection at that time may miss it, and wait for more.
///
/// Interoperates with Curator's `DistributedDoubleBarrier` and kazoo's `DoubleBarrier`. Curator's
/// go through a `ready` that has outlived its members, and kazoo's delete it as soon as the first
/// one leaves.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// # let server = server::embedded::EmbeddedServer::start()?;
/// # let client = client::Client::connect(&server.connect_string()).await?;
/// let barrier = recipes::DoubleBarrier::new(&client, "/phase-1", 2);
/// let (one, other) = tokio::join!(barrier.enter(), barrier.enter());
/// // Both work, and wait for each other again.
/// let (one, other) = tokio::join!(one?.leave(), other?.leave());
/// one?;
/// other?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct DoubleBarrier {
    arena: Arena,
    ready: String,
    members_min: usize,
    data: Vec<u8>,
}

/// Inside a double barrier. See [`Hold`]; its token says nothing of the others inside.
#[derive(Debug)]
pub struct Inside {
    barrier: DoubleBarrier,
    hold: Hold,
    /// The czxid of `ready`; `None` if it was gone before it was seen.
    ready: Option<i64>,
}

impl Deref for Inside {
    type Target = Hold;

    fn deref(&self) -> &Hold {
        &self.hold
    }
}

impl Inside {
    /// Leaves, and waits until all have left who came before the barrier opened. One whose
    /// session ends has left.
    ///
    /// Cancellation: it has left, or leaves in the background. The node `ready` may be left
    /// behind, until somebody comes again.
    ///
    /// # Errors
    /// As [`DoubleBarrier::enter`]. It has left, then.
    pub async fn leave(self) -> Result<(), Error> {
        let Self {
            barrier,
            hold,
            ready,
        } = self;
        let mut others = barrier.members_before(ready).await?;
        others.retain(|name| name != hold.name());
        others.sort_unstable();
        hold.release().await?;
        for name in others {
            let path = join(&barrier.arena.parent, &name);
            retry::until_gone(&barrier.arena.client, &path).await?;
        }
        barrier.remove_ready(ready).await
    }
}

impl DoubleBarrier {
    /// The double barrier of this directory, for so many. All must say the same number.
    #[must_use]
    pub fn new(client: &Client, path: &str, members_min: usize) -> Self {
        Self {
            arena: Arena::new(client, path, &[]),
            ready: join(path, READY),
            members_min,
            data: Vec::new(),
        }
    }

    /// What the own nodes hold, for others to read: who this is, say.
    #[must_use]
    pub fn data(mut self, data: impl Into<Vec<u8>>) -> Self {
        self.data = data.into();
        self
    }

    /// Waits until enough have come.
    ///
    /// Cancellation: the own node is deleted, in the background. If enough had come by then, the
    /// others may go in without this one.
    ///
    /// # Errors
    /// As [`crate::Mutex::acquire`].
    pub async fn enter(&self) -> Result<Inside, Error> {
        let name = NodeName::fixed(Naming::Kazoo, "");
        let claim = self.arena.enter(name, &self.data).await?;
        let ready = self.until_ready(&claim).await?;
        Ok(Inside {
            barrier: self.clone(),
            hold: Hold::new(claim),
            ready,
        })
    }

    async fn until_ready(&self, claim: &Claim) -> Result<Option<i64>, Error> {
        let client = &self.arena.client;
        loop {
            // First the watch, then the count: what comes in between is told.
            let (ready, watcher) = match client.exists_and_watch(&self.ready).await {
                Err(error) if retry::is_passing(&error) => {
                    retry::pause(client).await;
                    continue;
                }
                seen => seen?,
            };
            let members = self.members().await?;
            if !members.iter().any(|name| name == claim.name()) {
                return Err(Error::Deleted(claim.path().to_owned()));
            }
            if let Some(ready) = ready {
                if claim.czxid() < ready.czxid || self.has_older(&members, ready.czxid).await? {
                    return Ok(Some(ready.czxid));
                }
                self.remove_ready(Some(ready.czxid)).await?;
                continue;
            }
            if members.len() >= self.members_min {
                if let Some(ready) = self.make_ready().await? {
                    return Ok(Some(ready));
                }
                continue;
            }
            match watcher.await {
                // It may be deleted before it is looked at: that it was made is enough.
                Ok(event) if event.kind == EventType::NodeCreated => {
                    let ready = retry::answered(client, || client.exists(&self.ready)).await?;
                    return Ok(ready.map(|stat| stat.czxid));
                }
                Ok(_) => {}
                Err(_) => retry::connected(client).await,
            }
        }
    }

    /// The czxid of a new `ready`; `None` if another look is needed.
    async fn make_ready(&self) -> Result<Option<i64>, Error> {
        let client = &self.arena.client;
        let options = CreateOptions::persistent().without_stat();
        match client.create(&self.ready, "", &options).with_zxid().await {
            Ok((_, zxid)) => Ok(Some(zxid)),
            Err(error) if error.code() == Some(ErrorCode::NodeExists) => Ok(None),
            Err(error) if retry::is_passing(&error) => {
                retry::pause(client).await;
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Deletes the `ready` that was made then, and not a later one: it is compared before each try,
    /// as one that was not answered may have deleted it, and another been made since.
    async fn remove_ready(&self, czxid: Option<i64>) -> Result<(), Error> {
        let client = &self.arena.client;
        loop {
            let now = retry::answered(client, || client.exists(&self.ready)).await?;
            if czxid.is_none() || now.map(|stat| stat.czxid) != czxid {
                return Ok(());
            }
            match client.delete(&self.ready, Expected::Any).await {
                Err(error) if error.code() == Some(ErrorCode::NoNode) => return Ok(()),
                Err(error) if retry::is_passing(&error) => retry::pause(client).await,
                outcome => return Ok(outcome?),
            }
        }
    }

    async fn members(&self) -> Result<Vec<String>, Error> {
        let client = &self.arena.client;
        let read = || client.get_children(&self.arena.parent);
        match retry::answered(client, read).await {
            Ok(mut children) => {
                children.retain(|name| name != READY);
                Ok(children)
            }
            Err(error) if error.code() == Some(ErrorCode::NoNode) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// The members whose nodes are older than this zxid; all of them without one.
    async fn members_before(&self, zxid: Option<i64>) -> Result<Vec<String>, Error> {
        let members = self.members().await?;
        let Some(zxid) = zxid else {
            return Ok(members);
        };
        let mut older = Vec::new();
        for name in members {
            if self.is_older(&name, zxid).await? {
                older.push(name);
            }
        }
        Ok(older)
    }

    async fn has_older(&self, members: &[String], zxid: i64) -> Result<bool, Error> {
        for name in members {
            if self.is_older(name, zxid).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn is_older(&self, name: &str, zxid: i64) -> Result<bool, Error> {
        let client = &self.arena.client;
        let path = join(&self.arena.parent, name);
        let stat = retry::answered(client, || client.exists(&path)).await?;
        Ok(stat.is_some_and(|stat| stat.czxid < zxid))
    }
}
