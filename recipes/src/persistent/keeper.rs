//! The task that keeps a node.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use client::{Client, ErrorCode, Expected, Stat};
use tokio::sync::watch;

use super::NodeKind;
use crate::contend::{Claim, Cleaner, Naming, NodeName, split};
use crate::{Error, Token, retry};

/// Between two tries to open a session when no server is reached.
const RENEWAL_PAUSE: Duration = Duration::from_millis(500);

/// What is wanted of the task.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) data: Vec<u8>,
    /// Grows with each data.
    pub(super) number: u64,
    /// To delete the node and end.
    pub(super) is_last: bool,
}

impl Order {
    pub(super) fn write(data: Vec<u8>) -> Self {
        Self {
            data,
            number: 0,
            is_last: false,
        }
    }
}

/// How far the task has come.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) client: Client,
    pub(super) path: String,
    /// Of the node as it was made last.
    pub(super) token: Option<Token>,
    /// The number of the data that it has.
    pub(super) written: u64,
    pub(super) end: Option<Error>,
}

impl Report {
    pub(super) fn new(client: &Client) -> Self {
        Self {
            client: client.clone(),
            path: String::new(),
            token: None,
            written: 0,
            end: None,
        }
    }
}

/// What keeps the node.
#[derive(Debug)]
pub(super) struct Keeper {
    client: Client,
    parent: String,
    name: NodeName,
    kind: NodeKind,
    /// Whether the node stays when it is not kept any more.
    is_left: bool,
    cleaner: Arc<Cleaner>,
    /// The node. Never one that is known to be gone: its name may be another's by then.
    claim: Option<Claim>,
}

impl Keeper {
    pub(super) fn new(
        client: &Client,
        path: &str,
        kind: NodeKind,
        is_left: bool,
        cleaner: &Arc<Cleaner>,
    ) -> Result<Self, Error> {
        let (parent, name) = split(path)?;
        let name = match kind {
            _ if kind.is_sequential() => NodeName::own(Naming::Curator, name, true),
            NodeKind::Ephemeral => NodeName::told_by_session(name),
            _ => NodeName::anyones(name),
        };
        Ok(Self {
            client: client.clone(),
            parent: parent.to_owned(),
            name,
            kind,
            is_left,
            cleaner: Arc::clone(cleaner),
            claim: None,
        })
    }

    /// Keeps the node until the last order, or until it cannot be kept. The last report says why.
    pub(super) async fn run(
        mut self,
        mut orders: watch::Receiver<Order>,
        reports: watch::Sender<Report>,
    ) {
        let mut last = orders.clone();
        let last = async {
            // Or nobody is left to order anything.
            let _ = last.wait_for(|order| order.is_last).await;
        };
        let failure = tokio::select! {
            biased;
            () = last => None,
            failure = self.keep(&mut orders, &reports) => Some(failure),
        };
        let end = match (failure, self.claim.take()) {
            (Some(failure), _) => failure,
            (None, Some(claim)) => match claim.withdraw().await {
                Ok(()) => client::Error::Closed.into(),
                Err(error) => error,
            },
            (None, None) => client::Error::Closed.into(),
        };
        reports.send_modify(|report| report.end = Some(end));
    }

    /// Keeps it through all sessions.
    async fn keep(
        &mut self,
        orders: &mut watch::Receiver<Order>,
        reports: &watch::Sender<Report>,
    ) -> Error {
        loop {
            let Err(end) = self.keep_in_session(orders, reports).await;
            if end != Error::Client(client::Error::SessionExpired) {
                return end;
            }
            // What the old session cannot delete any more is made again under the same name.
            self.let_go();
            match self.renewed().await {
                Ok(client) => self.client = client,
                Err(error) => return error,
            }
            reports.send_modify(|report| report.client = self.client.clone());
        }
    }

    async fn renewed(&self) -> Result<Client, Error> {
        loop {
            match self.client.renew().await {
                Ok(client) => return Ok(client),
                Err(
                    error @ (client::Error::AuthFailed
                    | client::Error::ConnectString(_)
                    | client::Error::Refused(_)),
                ) => return Err(error.into()),
                Err(_) => tokio::time::sleep(RENEWAL_PAUSE).await,
            }
        }
    }

    async fn keep_in_session(
        &mut self,
        orders: &mut watch::Receiver<Order>,
        reports: &watch::Sender<Report>,
    ) -> Result<Infallible, Error> {
        loop {
            let (path, czxid, written) = self.make(orders).await?;
            reports.send_modify(|report| {
                report.path = path.clone();
                report.token = Some(Token(czxid));
                report.written = written;
            });
            self.until_gone(&path, czxid, orders, reports).await?;
            self.let_go();
        }
    }

    /// The node is gone, or another's.
    fn let_go(&mut self) {
        if let Some(mut claim) = self.claim.take() {
            claim.disown();
        }
    }

    /// Makes the node, or takes the one that is there: its path, its czxid, and the number of the
    /// data that it has.
    async fn make(
        &mut self,
        orders: &mut watch::Receiver<Order>,
    ) -> Result<(String, i64, u64), Error> {
        let (data, number) = {
            let order = orders.borrow_and_update();
            (order.data.clone(), order.number)
        };
        loop {
            let claim = Claim::new(&self.client, &self.cleaner, &self.parent, self.name.clone());
            let claim = self.claim.insert(claim.await?);
            if self.is_left {
                claim.disown();
            }
            match claim.create_as(&data, self.kind.options()).await {
                Ok(()) => {}
                Err(Error::Client(error)) if error.code() == Some(ErrorCode::NodeExists) => {
                    let path = claim.wanted_path();
                    let Some(stat) = write(&self.client, &path, &data).await? else {
                        self.let_go();
                        continue;
                    };
                    let session = self.client.session_id();
                    claim.adopt(stat.czxid);
                    if self.kind.is_ephemeral() && stat.ephemeral_owner != session {
                        claim.disown();
                    }
                }
                Err(error) => return Err(error),
            }
            self.name = claim.name_again();
            return Ok((claim.path().to_owned(), claim.czxid(), number));
        }
    }

    /// Writes what is ordered until the node is gone, or another one of the same name.
    async fn until_gone(
        &self,
        path: &str,
        czxid: i64,
        orders: &mut watch::Receiver<Order>,
        reports: &watch::Sender<Report>,
    ) -> Result<(), Error> {
        loop {
            let watcher = match self.client.exists_and_watch(path).await {
                Ok((Some(stat), watcher)) if stat.czxid == czxid => watcher,
                Ok(_) => return Ok(()),
                Err(error) if retry::is_passing(&error) => {
                    retry::pause(&self.client).await;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            tokio::select! {
                biased;
                told = watcher => if told.is_err() {
                    // The next call says why, if the session is over.
                    retry::connected(&self.client).await;
                },
                // Without anybody to order the task ends.
                Ok(()) = orders.changed() => {
                    let (data, number) = {
                        let order = orders.borrow_and_update();
                        (order.data.clone(), order.number)
                    };
                    if write(&self.client, path, &data).await?.is_none() {
                        // It is made anew, with these data or later ones.
                        return Ok(());
                    }
                    reports.send_modify(|report| report.written = number);
                }
            }
        }
    }
}

/// Writes the data of a node; `None` if there is none.
async fn write(client: &Client, path: &str, data: &[u8]) -> Result<Option<Stat>, Error> {
    let write = || client.set_data(path, data, Expected::Any);
    match retry::answered(client, write).await {
        Ok(stat) => Ok(Some(stat)),
        Err(error) if error.code() == Some(ErrorCode::NoNode) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
