use std::collections::BTreeMap;

use client::{Client, PathError};

use crate::contend::join;
use crate::{Cache, Error, NodeKind, PersistentNode, Token, children};

/// Who is a member of a group, by their ids, each with a payload.
///
/// To be told of each change take [`Group::cache`].
///
/// Interoperates with Curator's `GroupMember`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// # let server = server::embedded::EmbeddedServer::start()?;
/// # let client = client::Client::connect(&server.connect_string()).await?;
/// let group = recipes::Group::new(&client, "/workers");
/// let member = group.join("host-1", "2 cores").await?;
/// let members = group.members().await?;
/// assert_eq!(members["host-1"], b"2 cores");
/// member.leave().await?;
/// assert!(group.members().await?.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Group {
    client: Client,
    path: String,
}

/// A membership. It outlasts the session, as a [`PersistentNode`] does. Dropping it leaves the
/// group, in the background.
#[derive(Debug)]
pub struct GroupMember {
    id: String,
    path: String,
    node: PersistentNode,
}

impl Group {
    /// The group of this directory.
    #[must_use]
    pub fn new(client: &Client, path: &str) -> Self {
        Self {
            client: client.clone(),
            path: path.to_owned(),
        }
    }

    /// Joins the group. The id must be nobody else's: of two members with the same one the first
    /// has the payload of the second, until it leaves.
    ///
    /// Waits for a connection as long as it takes. Cancellation: it leaves again, in the
    /// background.
    ///
    /// # Errors
    /// As [`PersistentNode::create`]; an id with a slash is no name of a node.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn join(&self, id: &str, payload: impl Into<Vec<u8>>) -> Result<GroupMember, Error> {
        let path = join(&self.path, id);
        if let Some(at) = id.find('/') {
            let reason = PathError::EmptyName(path.len() - id.len() + at);
            return Err(client::Error::InvalidPath { path, reason }.into());
        }
        let node = PersistentNode::create(&self.client, &path, NodeKind::Ephemeral, payload);
        Ok(GroupMember {
            id: id.to_owned(),
            path: self.path.clone(),
            node: node.await?,
        })
    }

    /// The members and their payloads, as this session's server knows them. Who comes or goes
    /// while they are read may be among them or not.
    ///
    /// Cancellation: nothing happens.
    ///
    /// # Errors
    /// [`Error::Client`] with the end of the session, or what the server refuses.
    pub async fn members(&self) -> Result<BTreeMap<String, Vec<u8>>, Error> {
        members(&self.client, &self.path).await
    }

    /// The members and their payloads, with each change of them: the children of this directory.
    ///
    /// Cancellation: nothing is left.
    ///
    /// # Errors
    /// As [`Cache::children`].
    pub async fn cache(&self) -> Result<Cache, Error> {
        Cache::children(&self.client, &self.path).await
    }
}

impl GroupMember {
    /// The id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The zxid of the transaction with which it joined, the last time it did.
    #[must_use]
    pub fn token(&self) -> Token {
        self.node.token()
    }

    /// The client in whose session the membership is: the one that was given, until its session
    /// ends.
    #[must_use]
    pub fn client(&self) -> Client {
        self.node.client()
    }

    /// Changes the payload. As [`PersistentNode::set_data`].
    ///
    /// Cancellation: it is changed nevertheless.
    ///
    /// # Errors
    /// As [`PersistentNode::made_after`].
    pub async fn set_payload(&self, payload: impl Into<Vec<u8>>) -> Result<(), Error> {
        self.node.set_data(payload).await
    }

    /// Waits until it has joined anew. As [`PersistentNode::made_after`].
    ///
    /// Cancellation: nothing happens.
    ///
    /// # Errors
    /// As [`PersistentNode::made_after`].
    pub async fn joined_after(&self, token: Token) -> Result<Token, Error> {
        self.node.made_after(token).await
    }

    /// As [`Group::members`], in the session of the membership. This one is always among them,
    /// even while its node is made anew.
    ///
    /// Cancellation: nothing happens.
    ///
    /// # Errors
    /// As [`Group::members`].
    pub async fn members(&self) -> Result<BTreeMap<String, Vec<u8>>, Error> {
        let mut members = members(&self.node.client(), &self.path).await?;
        members
            .entry(self.id.clone())
            .or_insert_with(|| self.node.data());
        Ok(members)
    }

    /// Leaves the group, and waits until that is done. Cancellation: it leaves in the background.
    ///
    /// # Errors
    /// As [`PersistentNode::close`].
    pub async fn leave(self) -> Result<(), Error> {
        self.node.close().await
    }
}

async fn members(client: &Client, path: &str) -> Result<BTreeMap<String, Vec<u8>>, Error> {
    let names = children::names(client, path).await?;
    let members = children::data(client, path, names).await?;
    Ok(members.into_iter().collect())
}
