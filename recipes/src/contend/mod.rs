//! Contending with sequential nodes: what locks, semaphores and elections have in common.
//!
//! A contender makes an ephemeral sequential node in a directory. Those before it in the order of
//! their sequence numbers exclude it, or those of them that are exclusive. It watches the nearest
//! one of these and no other node, so the end of a holder wakes one contender (or, of a writer,
//! the readers behind it).

mod claim;
mod cleaner;
mod hold;
mod name;
mod order;
pub(crate) mod parents;

use std::sync::Arc;

use client::{Client, ErrorCode, PathError};

pub(crate) use claim::{Claim, NodeName};
pub(crate) use cleaner::Cleaner;
pub(crate) use hold::REVOKE_MESSAGE;
pub use hold::{Hold, Loss, Token};
pub use name::Naming;
pub(crate) use name::{Label, sequence};
use order::judge;
pub(crate) use order::{Mode, Verdict};

use crate::Error;
use crate::retry;

/// A directory that is contended in, and under which names.
#[derive(Clone, Debug)]
pub(crate) struct Arena {
    pub(crate) client: Client,
    pub(crate) parent: String,
    /// Names that count as contenders here.
    pub(crate) labels: &'static [Label],
    pub(crate) cleaner: Arc<Cleaner>,
}

impl Arena {
    pub(crate) fn new(client: &Client, parent: &str, labels: &'static [Label]) -> Self {
        Self {
            client: client.clone(),
            parent: parent.to_owned(),
            labels,
            cleaner: Arc::default(),
        }
    }

    /// Makes the node of a contender.
    pub(crate) async fn enter(&self, name: NodeName, data: &[u8]) -> Result<Claim, Error> {
        let mut claim = Claim::new(&self.client, &self.cleaner, &self.parent, name).await?;
        claim.create(data).await?;
        Ok(claim)
    }

    /// The paths of the contenders' nodes, in their order.
    pub(crate) async fn contender_paths(&self) -> Result<Vec<String>, Error> {
        let read = || self.client.get_children(&self.parent);
        match retry::answered(&self.client, read).await {
            Ok(children) => {
                let names = order::sorted(children, self.labels).into_iter();
                Ok(names.map(|name| join(&self.parent, &name)).collect())
            }
            Err(error) if error.code() == Some(ErrorCode::NoNode) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether it is the claim's turn, or whom it waits for.
    pub(crate) async fn verdict(&self, claim: &Claim, mode: Mode) -> Result<Verdict, Error> {
        let read = || self.client.get_children(&self.parent);
        let deleted = || Error::Deleted(claim.path().to_owned());
        match retry::answered(&self.client, read).await {
            Ok(children) => judge(&children, claim.name(), mode, self.labels).ok_or_else(deleted),
            Err(error) if error.code() == Some(ErrorCode::NoNode) => Err(deleted()),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until it is the claim's turn.
    pub(crate) async fn wait(&self, claim: Claim, mode: Mode) -> Result<Hold, Error> {
        loop {
            match self.verdict(&claim, mode).await? {
                Verdict::First => return Ok(Hold::new(claim)),
                Verdict::After(name) => self.until_changed(&name).await?,
            }
        }
    }

    /// Waits until something happens to this contender's node.
    async fn until_changed(&self, name: &str) -> Result<(), Error> {
        let path = join(&self.parent, name);
        retry::until_changed(&self.client, &path).await.map(drop)
    }

    /// Enters, waits, and has it.
    pub(crate) async fn acquire(
        &self,
        name: NodeName,
        data: &[u8],
        mode: Mode,
    ) -> Result<Hold, Error> {
        let claim = self.enter(name, data).await?;
        self.wait(claim, mode).await
    }

    /// Enters; goes again if it would have to wait.
    pub(crate) async fn try_acquire(
        &self,
        name: NodeName,
        data: &[u8],
        mode: Mode,
    ) -> Result<Option<Hold>, Error> {
        let claim = self.enter(name, data).await?;
        match self.verdict(&claim, mode).await? {
            Verdict::First => Ok(Some(Hold::new(claim))),
            Verdict::After(_) => {
                claim.withdraw().await?;
                Ok(None)
            }
        }
    }
}

/// The path of a child.
pub(crate) fn join(parent: &str, name: &str) -> String {
    if parent == "/" {
        format!("/{name}")
    } else {
        format!("{parent}/{name}")
    }
}

/// The directory and the name of a node.
pub(crate) fn split(path: &str) -> Result<(&str, &str), Error> {
    match path.rfind('/') {
        Some(0) => Ok(("/", &path[1..])),
        Some(at) => Ok((&path[..at], &path[at + 1..])),
        None => Err(Error::Client(client::Error::InvalidPath {
            path: path.to_owned(),
            reason: PathError::NotAbsolute,
        })),
    }
}
