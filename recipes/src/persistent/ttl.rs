use std::time::Duration;

use client::{Client, CreateOptions, ErrorCode, Expected};
use tokio::sync::watch;

use super::keeper::Report;
use super::{NodeKind, PersistentNode};
use crate::contend::join;
use crate::{Error, Token, retry};

/// The child that keeps the node. Curator's name.
const CHILD: &str = "touch";

/// So often in a time to live the child is written. Curator's number.
const TOUCHES: u32 = 2;

/// How a [`PersistentTtlNode`] is kept.
#[derive(Clone, Debug)]
pub struct TtlOptions {
    ttl: Duration,
    child: String,
    touches: u32,
}

impl TtlOptions {
    /// A time to live of 1 to 2^40 - 1 ms.
    #[must_use]
    pub fn new(ttl: Duration) -> Self {
        Self {
            ttl,
            child: CHILD.to_owned(),
            touches: TOUCHES,
        }
    }

    /// The name of the child that is written again and again; `touch` if nothing is said.
    #[must_use]
    pub fn child(mut self, name: &str) -> Self {
        self.child = name.to_owned();
        self
    }

    /// How often in a time to live the child is written; 2 if nothing is said, and 1 at least.
    #[must_use]
    pub fn touches(mut self, touches: u32) -> Self {
        self.touches = touches.max(1);
        self
    }
}

/// A node that lives on for a while after who keeps it has gone: through a restart, say.
///
/// It is kept as a [`PersistentNode`] is, and has a time to live, and a child that has one too.
/// The child is written again and again. When nobody does any more, the child goes first, and
/// then the node, each after its time to live and when the server next looks (once in a minute, as
/// a rule). Who watches the node is told nothing of all the writing.
///
/// Several may keep the same node. Does the work of Curator's `PersistentTtlNode`, with the same
/// names. Needs a server of 3.5.3 or later with `extendedTypesEnabled`.
///
/// # Cancellation
///
/// Dropping it, or the future that makes it, leaves node and child to their time to live.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// # let settings = server::embedded::Settings::default().line("extendedTypesEnabled", "true");
/// # let server = server::embedded::EmbeddedServer::start_with(&settings)?;
/// # let client = client::Client::connect(&server.connect_string()).await?;
/// use recipes::{PersistentTtlNode, TtlOptions};
/// let options = TtlOptions::new(std::time::Duration::from_secs(60));
/// let node = PersistentTtlNode::create(&client, "/shards/7", &options, "host-1").await?;
/// node.set_data("host-2").await?;
/// drop(node);
/// // For a minute at least.
/// assert_eq!(client.get_data("/shards/7").await?.text(), Some("host-2"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct PersistentTtlNode {
    node: PersistentNode,
}

impl PersistentTtlNode {
    /// Makes the node, and those above it as containers, and keeps it from then on.
    ///
    /// Waits for a connection as long as it takes. Cancellation: what is made by then goes after
    /// its time to live.
    ///
    /// # Errors
    /// As [`PersistentNode::create`]: `Unimplemented` from a server that knows no time to live,
    /// [`InvalidTtl`](client::Error::InvalidTtl) for one that cannot be.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn create(
        client: &Client,
        path: &str,
        options: &TtlOptions,
        data: impl Into<Vec<u8>>,
    ) -> Result<Self, Error> {
        let kind = NodeKind::Ttl(options.ttl);
        let mut node = PersistentNode::start(client, path, kind, data.into(), true)?;
        node.reached(|report| report.token.is_some()).await?;
        let mut reports = node.reports.clone();
        let touches = touch_always(
            node.reports.clone(),
            join(path, &options.child),
            options.clone(),
        );
        client.spawn(async move {
            tokio::select! {
                biased;
                _ = reports.wait_for(|report| report.end.is_some()) => {}
                () = touches => {}
            }
        });
        Ok(Self { node })
    }

    /// The zxid of the transaction that made the node, the last time it was made.
    #[must_use]
    pub fn token(&self) -> Token {
        self.node.token()
    }

    /// The client in whose session the node is kept: the one that was given, until its session
    /// ends.
    #[must_use]
    pub fn client(&self) -> Client {
        self.node.client()
    }

    /// What the node is to hold.
    #[must_use]
    pub fn data(&self) -> Vec<u8> {
        self.node.data()
    }

    /// As [`PersistentNode::set_data`].
    ///
    /// Cancellation: they are written nevertheless.
    ///
    /// # Errors
    /// As [`PersistentNode::made_after`].
    pub async fn set_data(&self, data: impl Into<Vec<u8>>) -> Result<(), Error> {
        self.node.set_data(data).await
    }

    /// As [`PersistentNode::made_after`].
    ///
    /// Cancellation: nothing happens.
    ///
    /// # Errors
    /// As [`PersistentNode::made_after`].
    pub async fn made_after(&self, token: Token) -> Result<Token, Error> {
        self.node.made_after(token).await
    }
}

/// Writes the child as long as the node is kept.
async fn touch_always(mut reports: watch::Receiver<Report>, child: String, options: TtlOptions) {
    loop {
        let client = reports.borrow_and_update().client.clone();
        if touch(&client, &child, options.ttl).await.is_err() {
            // With the session its client goes: another one, or the end, is reported. For the
            // rest it is tried again, as long as the node is kept.
            if client.state().status.has_ended() && reports.changed().await.is_err() {
                return;
            }
        }
        tokio::time::sleep(options.ttl / options.touches).await;
    }
}

/// Writes the child, which is made if it is not there.
async fn touch(client: &Client, child: &str, ttl: Duration) -> Result<(), client::Error> {
    let write = || client.set_data(child, "", Expected::Any);
    match retry::answered(client, write).await {
        Err(error) if error.code() == Some(ErrorCode::NoNode) => {}
        outcome => return outcome.map(drop),
    }
    let options = CreateOptions::ttl(ttl);
    match retry::answered(client, || client.create(child, "", &options)).await {
        // Another one who keeps the node has made it.
        Err(error) if error.code() == Some(ErrorCode::NodeExists) => Ok(()),
        // The node was deleted, and is made anew: the next time will do.
        Err(error) if error.code() == Some(ErrorCode::NoNode) => Ok(()),
        outcome => outcome.map(drop),
    }
}
