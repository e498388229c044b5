use jute::ErrorCode;
use jute::path::PathError;
use thiserror::Error;

use super::hosts::ConnectStringError;
use crate::session::{End, Failure};

/// Why a call failed.
///
/// [`may_have_happened`](Self::may_have_happened) tells the two kinds apart: what certainly
/// had no effect, and what may have had one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// The server refused it: it did not happen.
    #[error("the server answered {0:?}")]
    Refused(ErrorCode),
    /// The server refused it with a number that is not known.
    #[error("the server answered with the unknown error {0}")]
    RefusedUnknown(i32),
    /// One operation of a multi failed, so none of them happened.
    #[error("operation {index} of the multi failed: {code:?}")]
    MultiFailed {
        /// Which operation, from 0.
        index: usize,
        /// Why.
        code: ErrorCode,
    },
    /// The path is none. It was not sent.
    #[error("invalid path {path:?}: {reason}")]
    InvalidPath {
        /// The path as given.
        path: String,
        /// What is wrong with it.
        reason: PathError,
    },
    /// The time to live is not between 1 and 2^40 - 1 milliseconds. It was not sent.
    #[error("a time to live is 1 to 1099511627775 milliseconds")]
    InvalidTtl,
    /// The connect string makes no sense.
    #[error(transparent)]
    ConnectString(#[from] ConnectStringError),
    /// The connection was lost after it was sent and before the answer came: it may have
    /// happened.
    #[error("the connection was lost before the answer")]
    ConnectionLoss,
    /// There was no connection to send it on: it did not happen.
    #[error("there was no connection to send it on")]
    NotSent,
    /// Too many calls wait to be sent: it did not happen.
    #[error("too many calls wait to be sent")]
    TooManyWaiting,
    /// No server was reached in time.
    #[error("no server was reached: {0}")]
    Unreachable(String),
    /// The session has expired; it was not sent before.
    #[error("the session has expired")]
    SessionExpired,
    /// The client was closed; it was not sent before.
    #[error("the client is closed")]
    Closed,
    /// The server no longer accepts the session's identities; it was not sent before.
    #[error("the session's identities are refused")]
    AuthFailed,
    /// The answer does not fit the request. It happened, with a result that is not known.
    #[error("the server's answer does not fit the request")]
    UnexpectedAnswer,
}

impl Error {
    /// May the call have had its effect? When false, it certainly had none.
    pub fn may_have_happened(&self) -> bool {
        match self {
            Self::ConnectionLoss | Self::UnexpectedAnswer | Self::RefusedUnknown(_) => true,
            // Raised where something broke, not where something was decided.
            Self::Refused(code) | Self::MultiFailed { code, .. } => matches!(
                code,
                ErrorCode::SystemError
                    | ErrorCode::ConnectionLoss
                    | ErrorCode::OperationTimeout
                    | ErrorCode::RequestTimeout
            ),
            _ => false,
        }
    }

    /// The server's code, if a server refused it.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused(code) | Self::MultiFailed { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Has the session ended? Then every further call fails as well.
    pub fn is_session_end(&self) -> bool {
        matches!(self, Self::SessionExpired | Self::Closed | Self::AuthFailed)
    }
}

impl From<ErrorCode> for Error {
    fn from(code: ErrorCode) -> Self {
        Self::Refused(code)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(code) => Self::Refused(code),
            Failure::RefusedUnknown(code) => Self::RefusedUnknown(code),
            Failure::ConnectionLoss => Self::ConnectionLoss,
            Failure::NotSent => Self::NotSent,
            Failure::TooManyWaiting => Self::TooManyWaiting,
            Failure::SessionEnded(end) => end.into(),
        }
    }
}

impl From<End> for Error {
    fn from(end: End) -> Self {
        match end {
            End::Expired => Self::SessionExpired,
            End::Closed => Self::Closed,
            End::AuthFailed => Self::AuthFailed,
        }
    }
}
