use std::ops::Deref;

use client::Client;

use crate::contend::{Arena, Hold, Naming, NodeName, parents};
use crate::{Error, children};

/// What the name of a member's node contains.
const PARTY: &str = "__party__";

/// Who takes part. Several may have the same identifier.
///
/// A membership ends with the session: for one that outlasts it see [`crate::Group`].
///
/// Interoperates with kazoo's `Party`: the identifier is in the data of a node, up to the maximum
/// of a node's data. [`ShallowParty`] has it in the name.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// # let server = server::embedded::EmbeddedServer::start()?;
/// # let client = client::Client::connect(&server.connect_string()).await?;
/// let party = recipes::Party::new(&client, "/party");
/// let membership = party.join("host-1").await?;
/// assert_eq!(party.members().await?, ["host-1"]);
/// membership.leave().await?;
/// assert!(party.members().await?.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Party {
    arena: Arena,
}

/// Who takes part, from one read: each identifier is in the name of a node.
///
/// A membership ends with the session: for one that outlasts it see [`crate::Group`].
///
/// Interoperates with kazoo's `ShallowParty`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// # let server = server::embedded::EmbeddedServer::start()?;
/// # let client = client::Client::connect(&server.connect_string()).await?;
/// let party = recipes::ShallowParty::new(&client, "/party");
/// let membership = party.join("host-1").await?;
/// assert_eq!(party.members().await?, ["host-1"]);
/// membership.leave().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ShallowParty {
    arena: Arena,
}

/// Takes part. See [`Hold`]; its token says nothing of the others who do.
#[derive(Debug)]
pub struct Membership {
    hold: Hold,
}

impl Deref for Membership {
    type Target = Hold;

    fn deref(&self) -> &Hold {
        &self.hold
    }
}

impl Membership {
    /// Takes part no longer, and waits until that is seen. Cancellation: it ends in the
    /// background.
    ///
    /// # Errors
    /// As [`Hold::release`].
    pub async fn leave(self) -> Result<(), Error> {
        self.hold.release().await
    }
}

impl Party {
    /// The party of this directory, which is made, as a persistent node, when it is needed: kazoo
    /// does not make it again if it goes.
    #[must_use]
    pub fn new(client: &Client, path: &str) -> Self {
        let arena = Arena::new(client, path, &[]);
        Self { arena }
    }

    /// Takes part.
    ///
    /// Cancellation: the node is deleted in the background.
    ///
    /// # Errors
    /// [`Error::Client`] with the end of the session, or what the server refuses.
    pub async fn join(&self, identifier: &str) -> Result<Membership, Error> {
        let name = NodeName::fixed(Naming::Kazoo, PARTY);
        enter(&self.arena, name, identifier).await
    }

    /// The identifiers of those who take part, in no order.
    ///
    /// Cancellation: nothing happens.
    ///
    /// # Errors
    /// As [`Party::join`].
    pub async fn members(&self) -> Result<Vec<String>, Error> {
        let names = self.names().await?;
        let members = children::data(&self.arena.client, &self.arena.parent, names).await?;
        let members = members.into_iter();
        let identifiers = members.map(|(_, data)| String::from_utf8_lossy(&data).into_owned());
        Ok(identifiers.collect())
    }

    /// How many take part.
    ///
    /// Cancellation: nothing happens.
    ///
    /// # Errors
    /// As [`Party::join`].
    pub async fn count(&self) -> Result<usize, Error> {
        Ok(self.names().await?.len())
    }

    async fn names(&self) -> Result<Vec<String>, Error> {
        let mut names = children::names(&self.arena.client, &self.arena.parent).await?;
        names.retain(|name| name.contains(PARTY));
        Ok(names)
    }
}

impl ShallowParty {
    /// The party of this directory, which is made, as a persistent node, when it is needed.
    #[must_use]
    pub fn new(client: &Client, path: &str) -> Self {
        let arena = Arena::new(client, path, &[]);
        Self { arena }
    }

    /// Takes part. The identifier must be able to stand in the name of a node.
    ///
    /// Cancellation: the node is deleted in the background.
    ///
    /// # Errors
    /// As [`Party::join`].
    pub async fn join(&self, identifier: &str) -> Result<Membership, Error> {
        let name = NodeName::fixed(Naming::Kazoo, &format!("-{identifier}"));
        enter(&self.arena, name, "").await
    }

    /// The identifiers of those who take part, in no order.
    ///
    /// Cancellation: nothing happens.
    ///
    /// # Errors
    /// As [`Party::join`].
    pub async fn members(&self) -> Result<Vec<String>, Error> {
        let names = children::names(&self.arena.client, &self.arena.parent).await?;
        let identifiers = names.into_iter();
        // kazoo takes all of a name that has no hyphen.
        let identifiers = identifiers.map(|name| match name.split_once('-') {
            Some((_, identifier)) => identifier.to_owned(),
            None => name,
        });
        Ok(identifiers.collect())
    }

    /// How many take part.
    ///
    /// Cancellation: nothing happens.
    ///
    /// # Errors
    /// As [`Party::join`].
    pub async fn count(&self) -> Result<usize, Error> {
        let names = children::names(&self.arena.client, &self.arena.parent).await?;
        Ok(names.len())
    }
}

async fn enter(arena: &Arena, name: NodeName, data: &str) -> Result<Membership, Error> {
    parents::ensure_kept(&arena.client, &arena.parent).await?;
    let hold = Hold::new(arena.enter(name, data.as_bytes()).await?);
    Ok(Membership { hold })
}
