//! What a session is told and what it wants done.

use jute::ErrorCode;
use jute::proto::EventType;
use thiserror::Error;

use crate::{Reply, Request};

/// Chosen by the caller to recognise the answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token(pub u64);

/// What happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// The connection asked for by [`Effect::Connect`] is there.
    Connected,
    /// Bytes came from the server, cut anywhere.
    Received(&'a [u8]),
    /// The connection is gone, or could not be had.
    Disconnected,
    /// The application asks for something. Answered by one [`Effect::Answer`], always.
    Submit(Token, Request),
    /// Time has passed.
    Tick,
}

/// What is to be done, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Open a connection; report [`Input::Connected`] or [`Input::Disconnected`].
    Connect,
    /// Send these bytes on the connection.
    Send(Vec<u8>),
    /// Close the connection. Nothing is to be reported for it.
    Disconnect,
    /// The server granted the session, or granted it again on a new connection.
    Established {
        /// Its id.
        session: i64,
        /// Its timeout, milliseconds.
        timeout_ms: i32,
        /// False for the first connection.
        renewed: bool,
    },
    /// The answer to a request.
    Answer {
        /// Which request.
        token: Token,
        /// The zxid in the reply's header; 0 if there was no reply.
        zxid: i64,
        /// What came of it.
        outcome: Result<Reply, Failure>,
    },
    /// Something watched changed.
    Event(WatchEvent),
    /// The connection is lost; the session may live on.
    Suspended,
    /// The session is over: the server no longer knows it.
    Expired,
    /// The session is over: it was closed as asked.
    Closed,
}

/// A watch event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchEvent {
    /// What happened.
    pub kind: EventType,
    /// To which node.
    pub path: String,
    /// By which transaction; -1 if that is not known (3.8, or missed while away).
    pub zxid: i64,
}

/// Why a request has no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Failure {
    /// The server refused it, or it failed there.
    #[error("the server answered {0:?}")]
    Refused(ErrorCode),
    /// The server refused it with a number that is not known.
    #[error("the server answered with the unknown error {0}")]
    RefusedUnknown(i32),
    /// The connection went before the answer came: it may have happened or not.
    #[error("the connection was lost before the answer")]
    ConnectionLoss,
    /// The session is over.
    #[error("the session has ended")]
    SessionEnded,
    /// Too many requests are unanswered; it was not sent.
    #[error("too many unanswered requests")]
    TooManyOutstanding,
}

pub(crate) fn event_type(kind: i32) -> Option<EventType> {
    [
        EventType::NodeCreated,
        EventType::NodeDeleted,
        EventType::NodeDataChanged,
        EventType::NodeChildrenChanged,
    ]
    .into_iter()
    .find(|known| *known as i32 == kind)
}
