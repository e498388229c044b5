//! How a session and its connection stand.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

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

/// Where a client's state is written, and read by any number.
///
/// tokio's `watch` would do, but wakes its readers in an order that it draws from the operating
/// system's randomness: a simulated client would not do the same thing twice. Here they are woken
/// in the order in which they began to wait.
#[derive(Debug)]
pub(super) struct Board {
    entry: Mutex<Entry>,
    changed: Notify,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    state: State,
    /// Grows with each state.
    number: u64,
    /// No other state follows.
    is_last: bool,
}

impl Board {
    pub(super) fn new(state: State) -> Arc<Self> {
        let entry = Entry {
            state,
            number: 0,
            is_last: false,
        };
        Arc::new(Self {
            entry: Mutex::new(entry),
            changed: Notify::new(),
        })
    }

    /// Tells the next state; nothing follows the one that ends the session.
    pub(super) fn tell(&self, state: State) {
        let mut entry = self.entry.lock();
        *entry = Entry {
            state,
            number: entry.number + 1,
            is_last: state.status.has_ended(),
        };
        drop(entry);
        self.changed.notify_waiters();
    }
}

/// The changes of a client's state. Who reads slowly sees the newest state, not each one.
#[derive(Clone, Debug)]
pub struct States {
    board: Arc<Board>,
    /// Number of the last state that was seen.
    seen: u64,
}

impl States {
    /// A reader that has seen the present state.
    pub(super) fn of(board: &Arc<Board>) -> Self {
        let seen = board.entry.lock().number;
        let board = Arc::clone(board);
        Self { board, seen }
    }

    /// A reader that has seen the present state.
    pub(super) fn fresh(&self) -> Self {
        Self::of(&self.board)
    }

    /// The state now.
    pub fn now(&self) -> State {
        self.board.entry.lock().state
    }

    /// The next state that this reader has not seen; `None` after the last one, which says how
    /// the session ended. A new reader has seen the state of that moment.
    ///
    /// Cancellation: nothing is lost when the future is dropped.
    pub async fn changed(&mut self) -> Option<State> {
        loop {
            // Before the look: what is told in between wakes it.
            let changed = self.board.changed.notified();
            let entry = *self.board.entry.lock();
            if entry.number != self.seen {
                self.seen = entry.number;
                return Some(entry.state);
            }
            if entry.is_last {
                return None;
            }
            changed.await;
        }
    }

    /// Waits for a state that `wanted` accepts, the present one included; `None` when the
    /// session ends without.
    ///
    /// Cancellation: nothing is lost when the future is dropped.
    pub async fn wait_for(&mut self, mut wanted: impl FnMut(State) -> bool) -> Option<State> {
        let mut state = {
            let entry = self.board.entry.lock();
            self.seen = entry.number;
            entry.state
        };
        while !wanted(state) {
            state = self.changed().await?;
        }
        Some(state)
    }
}
