//! Nodes that are kept in the tree.

mod keeper;
mod ttl;

use std::sync::Arc;
use std::time::Duration;

use client::{Client, CreateOptions};
use tokio::sync::watch;

use crate::contend::Cleaner;
use crate::{Error, Token};
use keeper::{Keeper, Order, Report};
pub use ttl::{PersistentTtlNode, TtlOptions};

/// What kind of node is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeKind {
    /// Goes with the session, and comes again with the next one.
    Ephemeral,
    /// The same, with a number at the end of its name.
    EphemeralSequential,
    /// Stays.
    Persistent,
    /// The same, with a number at the end of its name.
    PersistentSequential,
    /// Goes when it has no children and its data were not written for so long.
    Ttl(Duration),
    /// The same, with a number at the end of its name.
    TtlSequential(Duration),
}

impl NodeKind {
    fn is_sequential(self) -> bool {
        matches!(
            self,
            Self::EphemeralSequential | Self::PersistentSequential | Self::TtlSequential(_)
        )
    }

    fn is_ephemeral(self) -> bool {
        matches!(self, Self::Ephemeral | Self::EphemeralSequential)
    }

    /// But for the number.
    fn options(self) -> CreateOptions {
        match self {
            Self::Ephemeral | Self::EphemeralSequential => CreateOptions::ephemeral(),
            Self::Persistent | Self::PersistentSequential => CreateOptions::persistent(),
            Self::Ttl(ttl) | Self::TtlSequential(ttl) => CreateOptions::ttl(ttl),
        }
    }
}

/// A node that is kept: made anew with its data whenever it is deleted, or its session is lost.
///
/// A task in the background does that as long as this lives. When the session expires it opens
/// another one ([`client::Client::renew`]), of its own: [`client`](Self::client) has it. When the
/// client is closed it ends.
///
/// Without a sequence number the path is all there is to tell the node by. A node that is there
/// already is taken for it, and its data are overwritten, as Curator does. An ephemeral of another
/// session at this path stays that session's; when it goes, this one makes its own. So there is no
/// use for a UUID before such a name, with which Curator can protect it.
///
/// With a sequence number the name begins with a UUID, as Curator's does `withProtection`: a node
/// whose answer was lost is found by it, and no second one is made. A node that is made anew has
/// the name of the first one, number included.
///
/// Does the work of Curator's `PersistentNode`, with the same names.
///
/// # Cancellation
///
/// Dropping it deletes the node in the background (unless it is an ephemeral of another session).
/// One that is not ephemeral stays if the runtime or the session ends before.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// # let server = server::embedded::EmbeddedServer::start()?;
/// # let client = client::Client::connect(&server.connect_string()).await?;
/// use recipes::{NodeKind, PersistentNode};
/// let node = PersistentNode::create(&client, "/hosts/a", NodeKind::Ephemeral, "up").await?;
/// let first = node.token();
/// client.delete("/hosts/a", client::Expected::Any).await?;
/// // It is back.
/// node.made_after(first).await?;
/// assert_eq!(client.get_data("/hosts/a").await?.text(), Some("up"));
/// node.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct PersistentNode {
    /// Without them, with the drop, the task deletes the node and ends.
    orders: watch::Sender<Order>,
    reports: watch::Receiver<Report>,
}

impl PersistentNode {
    /// Makes the node, and those above it as containers, and keeps it from then on. A path that
    /// a number is appended to may end with a slash.
    ///
    /// Waits for a connection as long as it takes. Cancellation: the node is deleted in the
    /// background.
    ///
    /// # Errors
    /// [`Error::Client`] with what the server refuses, or when the client is closed.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn create(
        client: &Client,
        path: &str,
        kind: NodeKind,
        data: impl Into<Vec<u8>>,
    ) -> Result<Self, Error> {
        let mut node = Self::start(client, path, kind, data.into(), false)?;
        node.reached(|report| report.token.is_some()).await?;
        Ok(node)
    }

    fn start(
        client: &Client,
        path: &str,
        kind: NodeKind,
        data: Vec<u8>,
        is_left: bool,
    ) -> Result<Self, Error> {
        let (orders, ordered) = watch::channel(Order::write(data));
        let (report, reports) = watch::channel(Report::new(client));
        let cleaner = Arc::new(Cleaner::default());
        let keeper = Keeper::new(client, path, kind, is_left, &cleaner)?;
        client.spawn(keeper.run(ordered, report));
        Ok(Self { orders, reports })
    }

    /// The path, with the number of a sequential one.
    #[must_use]
    pub fn path(&self) -> String {
        self.reports.borrow().path.clone()
    }

    /// The zxid of the transaction that made the node, the last time it was made.
    #[must_use]
    pub fn token(&self) -> Token {
        self.reports.borrow().token.unwrap_or(Token(0))
    }

    /// The client in whose session the node is: the one that was given, until its session ends.
    #[must_use]
    pub fn client(&self) -> Client {
        self.reports.borrow().client.clone()
    }

    /// What the node is to hold.
    #[must_use]
    pub fn data(&self) -> Vec<u8> {
        self.orders.borrow().data.clone()
    }

    /// Writes other data, with which the node will also be made anew; waits until they are
    /// written. Of writes that follow each other soon, some may be passed over: the last one
    /// never is.
    ///
    /// Cancellation: they are written nevertheless.
    ///
    /// # Errors
    /// As [`PersistentNode::made_after`].
    pub async fn set_data(&self, data: impl Into<Vec<u8>>) -> Result<(), Error> {
        let data = data.into();
        let mut number = 0;
        self.orders.send_modify(|order| {
            order.data = data;
            order.number += 1;
            number = order.number;
        });
        let mut reports = self.reports.clone();
        reached(&mut reports, |report| report.written >= number).await
    }

    /// Waits until the node was made after the time that this token tells of: that it was gone,
    /// and is there again. What was made again several times is told once.
    ///
    /// Cancellation: nothing happens.
    ///
    /// # Errors
    /// Why the node is not kept any more: what the server refuses, or
    /// [`Closed`](client::Error::Closed).
    pub async fn made_after(&self, token: Token) -> Result<Token, Error> {
        let mut reports = self.reports.clone();
        reached(&mut reports, |report| report.token > Some(token)).await?;
        Ok(self.token())
    }

    /// Deletes the node, and waits until that is done. An ephemeral of another session stays.
    ///
    /// Cancellation: it is deleted in the background.
    ///
    /// # Errors
    /// When the server does not delete it. That the session has ended is no error: what belongs
    /// to it goes with it. (A leader that is cut off from the others may tell of that end before
    /// they know.)
    pub async fn close(mut self) -> Result<(), Error> {
        self.orders.send_modify(|order| order.is_last = true);
        self.reached(|_| false).await.or_else(|error| match error {
            Error::Client(client::Error::Closed) | Error::RuntimeEnded => Ok(()),
            error => Err(error),
        })
    }

    async fn reached(&mut self, is_reached: impl Fn(&Report) -> bool) -> Result<(), Error> {
        reached(&mut self.reports, is_reached).await
    }
}

/// Waits for a report, or for the end.
async fn reached(
    reports: &mut watch::Receiver<Report>,
    is_reached: impl Fn(&Report) -> bool,
) -> Result<(), Error> {
    let report = reports.wait_for(|report| report.end.is_some() || is_reached(report));
    let report = report.await.map_err(|_| Error::RuntimeEnded)?;
    match &report.end {
        Some(error) => Err(error.clone()),
        None => Ok(()),
    }
}
