//! What a holder has.

use std::fmt;

use client::{Client, ErrorCode, Expected, Multi, Payload, Stat, WriteResult};

use tokio::time::Instant;

use super::Claim;
use crate::Error;
use crate::retry;

/// What a node's data is set to by who asks its owner to let go. Curator's.
pub(crate) const REVOKE_MESSAGE: &[u8] = b"__REVOKE__";

/// Grows from each exclusive holder to the next: the zxid of the transaction that made the
/// holder's node. A service that remembers the largest token it has seen, and refuses smaller
/// ones, is safe from holders who do not know yet that they have lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub i64);

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:x}", self.0)
    }
}

/// Why something is no longer held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The session is over, or the client is closed.
    SessionEnded,
    /// Somebody deleted the node.
    Deleted,
    /// There is no connection, and the session may be over before there is one again.
    Disconnected,
}

/// What is held: a node in the tree, as long as this lives. Every guard dereferences to one.
///
/// Dropping it deletes the node in the background: at once if there is a connection, else when
/// there is one again, and with the end of the session at the latest.
#[derive(Debug)]
pub struct Hold {
    claim: Claim,
    token: Token,
}

impl Hold {
    pub(crate) fn new(claim: Claim) -> Self {
        let token = Token(claim.czxid());
        Self { claim, token }
    }

    pub(crate) fn with_token(claim: Claim, token: Token) -> Self {
        Self { claim, token }
    }

    /// The fencing token.
    #[must_use]
    pub fn token(&self) -> Token {
        self.token
    }

    /// The path of the node.
    #[must_use]
    pub fn path(&self) -> &str {
        self.claim.path()
    }

    pub(crate) fn name(&self) -> &str {
        self.claim.name()
    }

    pub(crate) fn client(&self) -> &Client {
        self.claim.client()
    }

    /// A multi that happens only if this is still held: it begins with a check of the node, which
    /// is also the first of its results. If it is held no longer the whole fails with
    /// `MultiFailed { index: 0, code: NoNode }`.
    pub fn multi(&self) -> Multi {
        self.client().multi().check(self.path(), Expected::Any)
    }

    /// Sets a node's data, if this is still held.
    ///
    /// # Errors
    /// As of [`Hold::multi`].
    pub async fn set_data(
        &self,
        path: &str,
        data: impl Into<Payload>,
        expected: impl Into<Expected>,
    ) -> Result<Stat, Error> {
        let results = self.multi().set_data(path, data, expected).commit().await?;
        match results.into_iter().nth(1) {
            Some(WriteResult::Set(stat)) => Ok(stat),
            _ => Err(client::Error::UnexpectedAnswer.into()),
        }
    }

    /// Asks the server whether this is still held.
    ///
    /// # Errors
    /// What the client reports.
    pub async fn is_held(&self) -> Result<bool, Error> {
        match retry::answered(self.client(), || self.client().exists(self.path())).await {
            Ok(stat) => Ok(self.is_own(stat)),
            Err(error) if error.is_session_end() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until this is no longer held, and says why. Poll it all the time something depends
    /// on holding, with a biased `tokio::select!` say: what happened before the first poll is seen.
    ///
    /// A session that no server has vouched for is lost after three quarters of its timeout,
    /// counted from when the last request was sent that was answered ([`Client::touched`]). That is
    /// before it can have expired, and so before anybody else can hold what this held: a server
    /// that does not lead passes on within half a `tickTime` that it has heard of a session, which
    /// is a quarter of the shortest timeout. It holds as far as this machine's clock runs as fast
    /// as the leader's, and also for a process that stood still: the first poll tells. If that is
    /// not enough, [`Hold::multi`] is.
    ///
    /// Cancellation: nothing is left but a watch, which is removed.
    pub async fn lost(&self) -> Loss {
        tokio::select! {
            // In a fixed order: a random one would not be that of the client's environment.
            biased;
            loss = self.session_lost() => loss,
            () = self.deleted() => Loss::Deleted,
        }
    }

    async fn session_lost(&self) -> Loss {
        let mut states = self.client().states();
        loop {
            let state = states.now();
            if state.status.has_ended() {
                return Loss::SessionEnded;
            }
            let vouched = self.client().touched() + state.session_timeout * 3 / 4;
            if Instant::now() >= vouched {
                return Loss::Disconnected;
            }
            tokio::select! {
                biased;
                next = states.changed() => if next.is_none() {
                    return Loss::SessionEnded;
                },
                () = tokio::time::sleep_until(vouched) => {}
            }
        }
    }

    /// Whether that is the node, and not another one that was given its name.
    fn is_own(&self, stat: Option<Stat>) -> bool {
        stat.is_some_and(|stat| stat.czxid == self.claim.czxid())
    }

    /// The session's end is for others to tell.
    async fn deleted(&self) {
        loop {
            match self.client().exists_and_watch(self.path()).await {
                Ok((stat, _)) if !self.is_own(stat) => return,
                Ok((_, watcher)) => {
                    if watcher.await.is_err() {
                        retry::pause(self.client()).await;
                    }
                }
                Err(_) => retry::pause(self.client()).await,
            }
            if self.client().state().status.has_ended() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits until somebody asks for this to be given up ([`crate::revoke`], or Curator's
    /// `Revoker`). Whether to do so is the holder's choice.
    ///
    /// # Errors
    /// [`Error::Deleted`] when it is no longer held, else what the client reports.
    pub async fn revocation(&self) -> Result<(), Error> {
        loop {
            match self.client().get_data_and_watch(self.path()).await {
                Ok((node, _)) if node.data.as_deref() == Some(REVOKE_MESSAGE) => return Ok(()),
                Ok((_, watcher)) => {
                    if watcher.await.is_err() {
                        retry::pause(self.client()).await;
                    }
                }
                Err(error) if error.code() == Some(ErrorCode::NoNode) => {
                    return Err(Error::Deleted(self.path().to_owned()));
                }
                Err(error) if retry::is_passing(&error) => retry::pause(self.client()).await,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The node is gone already: nothing is left to be deleted.
    pub(crate) fn disown(mut self) {
        self.claim.disown();
    }

    /// Gives it up and waits until the next one can have it.
    ///
    /// # Errors
    /// When the server does not delete the node. An end of the session is none: the node goes
    /// with it. (A leader that is cut off from the others may tell of that end before they know.)
    pub async fn release(self) -> Result<(), Error> {
        self.claim.withdraw().await
    }
}
