//! A contender's node, from before it is made until it is gone.

use client::{Client, CreateOptions, ErrorCode, Expected};

use super::cleaner::{Cleaner, Place};
use super::name::{Label, Naming};
use super::{join, parents};
use crate::Error;
use crate::retry;

/// What a node is to be called.
#[derive(Clone, Debug)]
pub(crate) struct NodeName {
    /// All of it but for the sequence number, and for a prefix that is still to be drawn.
    text: String,
    sequential: bool,
    proof: Proof,
}

/// What tells the own node from another's when no answer has told of it.
#[derive(Clone, Debug)]
enum Proof {
    /// The claim draws a prefix for it.
    Fresh(Naming),
    /// Its name begins so, and no other node's name does.
    Prefix(String),
    /// Its name is the whole text, which others may take too. Its data are the own ones, which
    /// are nobody else's.
    Data,
    /// Its name is the whole text, and it is an ephemeral of this session, which makes no other
    /// one of this name.
    Session,
    /// Its name is the whole text: whoever made it.
    Name,
}

impl NodeName {
    /// A name with a number that the server chooses.
    pub(crate) fn sequential(naming: Naming, label: Label) -> Self {
        Self::own(naming, label.text, true)
    }

    /// A name that is all chosen here.
    pub(crate) fn fixed(naming: Naming, rest: &str) -> Self {
        Self::own(naming, rest, false)
    }

    /// A name that begins with a prefix that no other node has.
    pub(crate) fn own(naming: Naming, rest: &str, sequential: bool) -> Self {
        Self {
            text: rest.to_owned(),
            sequential,
            proof: Proof::Fresh(naming),
        }
    }

    /// A name that others may take too. The data tell whose node it is: nobody else's are the
    /// same.
    pub(crate) fn told_by_data(name: &str) -> Self {
        Self::shared(name, Proof::Data)
    }

    /// A name that others may take too, for an ephemeral. Nobody else takes it in this session.
    pub(crate) fn told_by_session(name: &str) -> Self {
        Self::shared(name, Proof::Session)
    }

    /// A name that says all: the node of this name is the own one, whoever made it.
    pub(crate) fn anyones(name: &str) -> Self {
        Self::shared(name, Proof::Name)
    }

    fn shared(name: &str, proof: Proof) -> Self {
        Self {
            text: name.to_owned(),
            sequential: false,
            proof,
        }
    }
}

/// A contender's node, an ephemeral one as a rule. From the first try to make it on, dropping this
/// deletes it in the background.
#[derive(Debug)]
pub(crate) struct Claim {
    client: Client,
    parent: String,
    name: NodeName,
    data: Vec<u8>,
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
        mut name: NodeName,
    ) -> Result<Self, Error> {
        if let Proof::Fresh(naming) = name.proof {
            let prefix = naming.prefix(client)?;
            name.text.insert_str(0, &prefix);
            name.proof = Proof::Prefix(prefix);
        }
        let place = cleaner.reserve(client).await?;
        Ok(Self {
            client: client.clone(),
            parent: parent.to_owned(),
            name,
            data: Vec::new(),
            node: None,
            place: Some(place),
            tried: false,
        })
    }

    /// Makes an ephemeral node, once: when the answer is lost, it is looked for before it is made
    /// again.
    pub(crate) async fn create(&mut self, data: &[u8]) -> Result<(), Error> {
        self.create_as(data, CreateOptions::ephemeral()).await
    }

    /// As [`create`](Self::create), a node of any kind.
    pub(crate) async fn create_as(
        &mut self,
        data: &[u8],
        options: CreateOptions,
    ) -> Result<(), Error> {
        let path = self.wanted_path();
        let options = if self.name.sequential {
            options.sequential()
        } else {
            options
        };
        self.data = data.to_vec();
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

    /// Looks for a node of which no answer told. One of this name that may be somebody else's is
    /// not found: to make it is tried again, and says that there is one.
    async fn find(&mut self) -> Result<bool, Error> {
        let found = match &self.name.proof {
            Proof::Prefix(prefix) => find_child(&self.client, &self.parent, prefix).await?,
            Proof::Data => {
                let path = self.wanted_path();
                let owner = Owner::Data(self.data.clone());
                let czxid = find_own(&self.client, &path, &owner).await?;
                czxid.map(|czxid| (path, czxid))
            }
            Proof::Session | Proof::Name | Proof::Fresh(_) => None,
        };
        if let Some((path, czxid)) = found {
            self.found(path, czxid);
            return Ok(true);
        }
        Ok(false)
    }

    fn found(&mut self, path: String, czxid: i64) {
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        self.node = Some(Node { name, path, czxid });
    }

    /// The node of this name is there already, and is taken for the one that was to be made.
    pub(crate) fn adopt(&mut self, czxid: i64) {
        self.found(self.wanted_path(), czxid);
    }

    /// The path but for the number of a sequential node.
    pub(crate) fn wanted_path(&self) -> String {
        join(&self.parent, &self.name.text)
    }

    /// The name that the node has got, for another one: with its number, if it has one.
    pub(crate) fn name_again(&self) -> NodeName {
        NodeName {
            text: self.name().to_owned(),
            sequential: false,
            proof: self.name.proof.clone(),
        }
    }

    /// The node is gone, or somebody else's affair: it is not cleaned up.
    pub(crate) fn disown(&mut self) {
        self.place = None;
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
        if self.place.is_some() && self.tried {
            self.job().run().await?;
        }
        self.place = None;
        Ok(())
    }

    fn job(&self) -> CleanUp {
        let path = match &self.node {
            Some(node) => node.path.clone(),
            None => self.wanted_path(),
        };
        let owner = match &self.name.proof {
            Proof::Prefix(prefix) => match &self.node {
                Some(_) => None,
                None => {
                    return CleanUp {
                        client: self.client.clone(),
                        what: What::Prefix {
                            parent: self.parent.clone(),
                            prefix: prefix.clone(),
                        },
                    };
                }
            },
            Proof::Data => Some(Owner::Data(self.data.clone())),
            Proof::Session => Some(Owner::Session),
            Proof::Name => Some(Owner::Anyone),
            Proof::Fresh(_) => None,
        };
        let czxid = self.node.as_ref().map(|node| node.czxid);
        let what = match owner {
            None => What::Own(path),
            Some(owner) => What::Shared { path, owner, czxid },
        };
        let client = self.client.clone();
        CleanUp { client, what }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(place) = self.place.take().filter(|_| self.tried) {
            place.hand_over(self.job());
        }
    }
}

/// What is to be deleted, and with which session.
#[derive(Debug)]
pub(super) struct CleanUp {
    client: Client,
    what: What,
}

#[derive(Debug)]
enum What {
    /// A node of a name that no other node ever has.
    Own(String),
    /// In this directory, whatever has this prefix.
    Prefix { parent: String, prefix: String },
    /// A node of a name that others may take as soon as it is free.
    Shared {
        path: String,
        owner: Owner,
        /// Of the own one, if an answer has told of it.
        czxid: Option<i64>,
    },
}

/// Whose a node is.
#[derive(Debug)]
enum Owner {
    /// Theirs who have written these data.
    Data(Vec<u8>),
    /// This session's.
    Session,
    /// Whoever has made it.
    Anyone,
}

impl CleanUp {
    /// Deletes what may be left of a contender. Nothing being there is as good.
    pub(super) async fn run(&self) -> Result<(), client::Error> {
        let client = &self.client;
        let outcome = match &self.what {
            What::Own(path) => delete(client, path).await,
            What::Prefix { parent, prefix } => delete_all(client, parent, prefix).await,
            What::Shared { path, owner, czxid } => delete_shared(client, path, owner, *czxid).await,
        };
        match outcome {
            // The node goes with the session.
            Err(error) if error.is_session_end() => Ok(()),
            outcome => outcome,
        }
    }
}

async fn delete(client: &Client, path: &str) -> Result<(), client::Error> {
    let delete = || client.delete(path, Expected::Any);
    match retry::answered(client, delete).await {
        Err(error) if error.code() == Some(ErrorCode::NoNode) => Ok(()),
        outcome => outcome,
    }
}

async fn delete_all(client: &Client, parent: &str, prefix: &str) -> Result<(), client::Error> {
    while let Some((path, _)) = find_child(client, parent, prefix).await? {
        delete(client, &path).await?;
    }
    Ok(())
}

/// Deletes a node whose name others may take. As soon as a deletion may have happened the node is
/// looked for anew: it may be another's by then.
async fn delete_shared(
    client: &Client,
    path: &str,
    owner: &Owner,
    czxid: Option<i64>,
) -> Result<(), client::Error> {
    let own = match czxid {
        Some(czxid) => Some(czxid),
        None => find_own(client, path, owner).await?,
    };
    if own.is_none() {
        return Ok(());
    }
    loop {
        match client.delete(path, Expected::Any).await {
            Err(error) if error.code() == Some(ErrorCode::NoNode) => return Ok(()),
            Err(error) if retry::is_passing(&error) => {
                retry::pause(client).await;
                if find_own(client, path, &Owner::Anyone).await? != own {
                    return Ok(());
                }
            }
            outcome => return outcome,
        }
    }
}

/// A child with this prefix, and its czxid. What the session asked for before is seen: by `sync`
/// also what another server took from it, on a connection that is lost. (Once the session has
/// moved to this server, the leader takes nothing more from the other one.)
async fn find_child(
    client: &Client,
    parent: &str,
    prefix: &str,
) -> Result<Option<(String, i64)>, client::Error> {
    let found = async {
        retry::answered(client, || client.sync(parent)).await?;
        retry::answered(client, || client.get_children(parent)).await
    };
    let children = match found.await {
        Ok(children) => children,
        Err(error) if error.code() == Some(ErrorCode::NoNode) => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some(name) = children.into_iter().find(|name| name.starts_with(prefix)) else {
        return Ok(None);
    };
    let path = join(parent, &name);
    let stat = retry::answered(client, || client.exists(&path)).await?;
    Ok(stat.map(|stat| (path, stat.czxid)))
}

/// The czxid of a node, if it is this owner's. As [`find_child`] sees what was asked for before.
async fn find_own(
    client: &Client,
    path: &str,
    owner: &Owner,
) -> Result<Option<i64>, client::Error> {
    let found = async {
        retry::answered(client, || client.sync(path)).await?;
        retry::answered(client, || client.get_data(path)).await
    };
    let node = match found.await {
        Ok(node) => node,
        Err(error) if error.code() == Some(ErrorCode::NoNode) => return Ok(None),
        Err(error) => return Err(error),
    };
    let is_own = match owner {
        Owner::Data(data) => node.data.as_ref() == Some(data),
        Owner::Session => node.stat.ephemeral_owner == client.session_id(),
        Owner::Anyone => true,
    };
    Ok(is_own.then_some(node.stat.czxid))
}
