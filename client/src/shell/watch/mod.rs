//! Watches: what an application holds, and who is told what.

mod handles;
mod mailbox;
mod registry;

use jute::proto::EventType;
use thiserror::Error;

use crate::session::End;

pub(super) use handles::Subscription;
pub use handles::{OneshotWatcher, Watcher};
pub(super) use registry::{Class, Registry};

/// Something that was watched has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchEvent {
    /// What happened.
    pub kind: EventType,
    /// To which node, as seen below the client's root.
    pub path: String,
    /// By which transaction; `None` from servers before 3.9, and for what happened while there
    /// was no connection.
    pub zxid: Option<i64>,
}

/// What the reader of a [`Watcher`] is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Something has changed.
    Event(WatchEvent),
    /// The connection is lost: from here on changes are missed.
    Disconnected,
    /// The watch is set again. What changed since [`Disconnected`](Self::Disconnected) was
    /// not told: who keeps a copy has to read again.
    Reconnected,
    /// The reader was so slow that its buffer was full: so many events were dropped here. Who
    /// keeps a copy has to read again.
    Lost(u64),
}

/// Why no more events come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WatchEnd {
    /// The watch was removed with [`Client::remove_watches`](crate::Client::remove_watches).
    #[error("the watch was removed")]
    Removed,
    /// The session has expired.
    #[error("the session has expired")]
    SessionExpired,
    /// The client was closed.
    #[error("the client is closed")]
    Closed,
    /// The servers no longer accept the session's identities.
    #[error("the session's identities are refused")]
    AuthFailed,
}

impl From<End> for WatchEnd {
    fn from(end: End) -> Self {
        match end {
            End::Expired => Self::SessionExpired,
            End::Closed => Self::Closed,
            End::AuthFailed => Self::AuthFailed,
        }
    }
}
