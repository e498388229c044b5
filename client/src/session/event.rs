//! What a session is told and what it wants done.

use jute::ErrorCode;
use jute::proto::EventType;
use thiserror::Error;

use crate::session::{Reply, Request};

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
    /// The application asks for something. Answered by one [`Effect::Answer`], unless it is
    /// withdrawn with [`Session::withdraw`](crate::session::Session::withdraw). Tokens grow from
    /// request to request.
    Submit(Token, Request),
    /// A server that takes writes was found: leave the read-only one for it.
    WritableFound,
    /// The application stops without waiting for the server: everything unanswered fails. The
    /// session itself lives on at the server until its timeout.
    Abandon,
    /// Time has passed.
    Tick,
}

/// What is to be done, in order, besides sending
/// [`Session::output`](crate::session::Session::output), which comes last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Open a connection; report [`Input::Connected`] or [`Input::Disconnected`].
    Connect,
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
        /// The server has no quorum and takes no writes.
        read_only: bool,
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
    /// The session is over. Nothing follows.
    Ended(End),
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The server no longer knows it.
    Expired,
    /// It was closed as asked, or abandoned.
    Closed,
    /// The server no longer accepts an identity that it accepted before, or refuses SASL.
    AuthFailed,
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
    /// The connection went, or could not be had in time, before it was sent: it did not happen.
    #[error("there was no connection to send it on")]
    NotSent,
    /// The session is over, and it was not sent before: it did not happen.
    #[error("the session has ended: {0:?}")]
    SessionEnded(End),
    /// Too many requests wait to be sent: it did not happen.
    #[error("too many requests wait to be sent")]
    TooManyWaiting,
}
