//! How a session and its connection stand.

use std::time::Duration;

use tokio::sync::watch;

/// Is there a connection, and does the session live?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// There has been no connection yet.
    Connecting,
    /// Connected to a server that takes writes.
    Connected,
    /// Connected to a server without a quorum: it answers reads, and may be behind.
    ConnectedReadOnly,
    /// The connection is lost, and another one is looked for. The session may have expired
    /// at the servers without this client's knowing: who holds a lock must take it for lost.
    Disconnected,
    /// The session has expired: its ephemerals are gone, and the client is of no more use.
    Expired,
    /// The servers no longer accept the session's identities.
    AuthFailed,
    /// The client was closed.
    Closed,
}

impl Status {
    /// Are calls sent at once?
    pub fn is_connected(self) -> bool {
        matches!(self, Self::Connected | Self::ConnectedReadOnly)
    }

    /// Is the session over? Nothing follows.
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Expired | Self::AuthFailed | Self::Closed)
    }
}

/// The state of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// How it stands.
    pub status: Status,
    /// The session, 0 before there is one.
    pub session_id: i64,
    /// The timeout that the server granted.
    pub session_timeout: Duration,
    /// Number of the connection, from 1; 0 before the first. Whoever saw `Connected` twice
    /// sees by it whether there was a gap between.
    pub connection: u64,
}

/// The changes of a client's state. Who reads slowly sees the newest state, not each one.
#[derive(Clone, Debug)]
pub struct States {
    pub(super) receiver: watch::Receiver<State>,
}

impl States {
    /// A reader that has seen the present state.
    pub(super) fn fresh(&self) -> Self {
        let mut receiver = self.receiver.clone();
        receiver.mark_unchanged();
        Self { receiver }
    }

    /// The state now.
    pub fn now(&self) -> State {
        *self.receiver.borrow()
    }

    /// The next state that this reader has not seen; `None` after the last one, which says how
    /// the session ended. A new reader has seen the state of that moment.
    ///
    /// Cancellation: nothing is lost when the future is dropped.
    pub async fn changed(&mut self) -> Option<State> {
        self.receiver.changed().await.ok()?;
        Some(*self.receiver.borrow_and_update())
    }

    /// Waits for a state that `wanted` accepts, the present one included; `None` when the
    /// session ends without.
    ///
    /// Cancellation: nothing is lost when the future is dropped.
    pub async fn wait_for(&mut self, mut wanted: impl FnMut(State) -> bool) -> Option<State> {
        let found = self.receiver.wait_for(|state| wanted(*state)).await;
        found.ok().map(|state| *state)
    }
}
