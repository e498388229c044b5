//! A contender's node, from before it is made until it is gone.

use client::{Client, CreateOptions, ErrorCode};

use super::cleaner::{CleanUp, Cleaner, Place};
use super::name::{Label, Naming};
use super::{join, parents};
use crate::Error;
use crate::retry;

/// What a node is to be called.
#[derive(Clone, Debug)]
pub(crate) struct NodeName {
    naming: Naming,
    /// What follows the contender's own prefix, before the sequence number if there is to be one.
    rest: String,
    sequential: bool,
}

impl NodeName {
    /// A name with a number that the server chooses.
    pub(crate) fn sequential(naming: Naming, label: Label) -> Self {
        Self {
            naming,
            rest: label.text.to_owned(),
            sequential: true,
        }
    }

    /// A name that is all chosen here.
    pub(crate) fn fixed(naming: Naming, rest: &str) -> Self {
        Self {
            naming,
            rest: rest.to_owned(),
            sequential: false,
        }
    }
}

/// A contender's ephemeral node. From the first try to make it on, dropping this deletes it in
/// the background.
#[derive(Debug)]
pub(crate) struct Claim {
    client: Client,
    parent: String,
    name: NodeName,
    /// The contender's own: no other node's name begins so.
    prefix: String,
    node: Option<Node>,
    /// Where the clean-up goes. Reserved before there is anything to clean up: handing it over
    /// neither waits nor fails. `None` once nothing is left to be cleaned.
    place: Option<Place>,
    tried: bool,
}

#[derive(Debug)]
struct Node {
    name: String,
    path: String,
    czxid: i64,
}

impl Claim {
    pub(crate) async fn new(
        client: &Client,
        cleaner: &Cleaner,
        parent: &str,
        name: NodeName,
    ) -> Result<Self, Error> {
        let prefix = name.naming.prefix(client)?;
        let place = cleaner.reserve(client).await?;
        Ok(Self {
            client: client.clone(),
            parent: parent.to_owned(),
            name,
            prefix,
            node: None,
            place: Some(place),
            tried: false,
        })
    }

    /// Makes the node, once: when the answer is lost, it is looked for before it is made again.
    pub(crate) async fn create(&mut self, data: &[u8]) -> Result<(), Error> {
        let own = format!("{}{}", self.prefix, self.name.rest);
        let path = join(&self.parent, &own);
        let options = CreateOptions::ephemeral();
        let options = if self.name.sequential {
            options.sequential()
        } else {
            options
        };
        let mut parent_tries = 0;
        loop {
            // From here on it may be there.
            self.tried = true;
            let call = self.client.create(&path, data, &options);
            match call.with_zxid().await {
                Ok((created, zxid)) => {
                    let czxid = created.stat.map_or(zxid, |stat| stat.czxid);
                    self.found(created.path, czxid);
                    return Ok(());
                }
                Err(error) if error.code() == Some(ErrorCode::NoNode) => {
                    parent_tries += 1;
                    if parent_tries > parents::TRIES {
                        return Err(Error::ParentDeleted(self.parent.clone()));
                    }
                    parents::ensure(&self.client, &self.parent).await?;
                }
                Err(error) if retry::is_passing(&error) => {
                    retry::pause(&self.client).await;
                    if error.may_have_happened() && self.find().await? {
                        return Ok(());
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Looks for a node of which no answer told.
    async fn find(&mut self) -> Result<bool, Error> {
        let Some(name) = find_child(&self.client, &self.parent, &self.prefix).await? else {
            return Ok(false);
        };
        let path = join(&self.parent, &name);
        let exists = || self.client.exists(&path);
        let Some(stat) = retry::answered(&self.client, exists).await? else {
            return Ok(false);
        };
        self.found(path, stat.czxid);
        Ok(true)
    }

    fn found(&mut self, path: String, czxid: i64) {
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        self.node = Some(Node { name, path, czxid });
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The node's name; empty before it is made.
    pub(crate) fn name(&self) -> &str {
        self.node.as_ref().map_or("", |node| &node.name)
    }

    /// The node's path; empty before it is made.
    pub(crate) fn path(&self) -> &str {
        self.node.as_ref().map_or("", |node| &node.path)
    }

    /// The zxid of the node's creation; 0 before.
    pub(crate) fn czxid(&self) -> i64 {
        self.node.as_ref().map_or(0, |node| node.czxid)
    }

    /// Deletes the node and waits until it has gone. Dropped on the way, the clean-up goes on in
    /// the background.
    pub(crate) async fn withdraw(mut self) -> Result<(), Error> {
        clean_up(&self.client, self.job()).await?;
        self.place = None;
        Ok(())
    }

    fn job(&self) -> CleanUpOf<'_> {
        match &self.node {
            Some(node) => CleanUpOf::Node(&node.path),
            None => CleanUpOf::Prefix(&self.parent, &self.prefix),
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let Some(place) = self.place.take().filter(|_| self.tried) else {
            return;
        };
        place.hand_over(CleanUp {
            client: self.client.clone(),
            parent: std::mem::take(&mut self.parent),
            prefix: std::mem::take(&mut self.prefix),
            path: self.node.take().map(|node| node.path),
        });
    }
}

/// What is to be deleted.
pub(super) enum CleanUpOf<'a> {
    /// A node.
    Node(&'a str),
    /// In this directory, whatever has this prefix.
    Prefix(&'a str, &'a str),
}

/// Deletes what may be left of a contender. Nothing being there is as good.
pub(super) async fn clean_up(client: &Client, what: CleanUpOf<'_>) -> Result<(), client::Error> {
    match what {
        CleanUpOf::Node(path) => delete(client, path).await,
        CleanUpOf::Prefix(parent, prefix) => {
            while let Some(name) = find_child(client, parent, prefix).await? {
                delete(client, &join(parent, &name)).await?;
            }
            Ok(())
        }
    }
}

async fn delete(client: &Client, path: &str) -> Result<(), client::Error> {
    let delete = || client.delete(path, client::Expected::Any);
    match retry::answered(client, delete).await {
        Err(error) if error.code() == Some(ErrorCode::NoNode) => Ok(()),
        // The node goes with the session.
        Err(error) if error.is_session_end() => Ok(()),
        outcome => outcome,
    }
}

/// A child with this prefix. What the session asked for before is seen: by `sync` also what
/// another server took from it, on a connection that is lost. (Once the session has moved to
/// this server, the leader takes nothing more from the other one.)
async fn find_child(
    client: &Client,
    parent: &str,
    prefix: &str,
) -> Result<Option<String>, client::Error> {
    let found = async {
        retry::answered(client, || client.sync(parent)).await?;
        retry::answered(client, || client.get_children(parent)).await
    };
    match found.await {
        Ok(children) => Ok(children.into_iter().find(|name| name.starts_with(prefix))),
        Err(error) if error.code() == Some(ErrorCode::NoNode) => Ok(None),
        Err(error) => Err(error),
    }
}
