//! What a run is made of: steps, and the requests inside them, readable in a report.

use std::fmt;

use crate::wire::op;

/// Number of client slots in one run.
pub(crate) const SLOTS: usize = 4;

/// One request with everything that is needed to judge its answer.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Request type.
    pub(crate) code: i32,
    /// xid to send instead of the next one.
    pub(crate) xid: Option<i32>,
    /// Encoded record.
    pub(crate) body: Vec<u8>,
    /// For people.
    pub(crate) label: String,
    /// Whether the server closes the connection after its answer.
    pub(crate) closes: bool,
    /// Whether the reference server may judge what is pipelined behind it by stale state.
    pub(crate) races_with_next: bool,
    /// Whether the zxid of the answer is compared.
    pub(crate) zxid_matters: bool,
}

impl Request {
    /// An ordinary request.
    pub(crate) fn new(code: i32, body: Vec<u8>, label: impl Into<String>) -> Self {
        Self {
            code,
            xid: None,
            body,
            label: label.into(),
            closes: code == op::CLOSE_SESSION,
            races_with_next: matches!(code, op::SET_ACL | op::MULTI),
            zxid_matters: true,
        }
    }
}

/// A way to connect.
#[derive(Debug, Clone)]
pub(crate) enum Connect {
    /// A new session.
    Fresh {
        /// Requested timeout in milliseconds.
        timeout: i32,
        /// The optional flag of the request.
        read_only: Option<bool>,
    },
    /// The slot's session again, while or after it has another connection.
    Renew {
        /// Send a wrong password instead of the right one.
        wrong_password: bool,
    },
}

/// A short-lived connection that is judged by itself.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Probe {
    /// A new session with this timeout, an old client's request without the flag, and requests
    /// that do not wait for the connect response.
    Pipelined(i32),
    /// A new session with a null password.
    NullPassword,
    /// A session that never was.
    UnknownSession,
    /// A client that has seen the future.
    ZxidAhead,
    /// A first frame with this length and nothing behind it.
    FirstLength(i32),
    /// After the handshake, a frame with this length.
    LaterLength(i32),
}

/// One step; after it every connection is drained on both servers.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Connects a slot.
    Connect(usize, Connect),
    /// Sends requests in one write and reads their answers.
    Burst(usize, Vec<Request>),
    /// Closes a slot's TCP connection; its session lives on.
    Drop(usize),
    /// A short connection.
    Probe(Probe),
    /// A short session makes ephemerals, vanishes, and is awaited to expire.
    Expire(Vec<Request>, String),
}

impl Step {
    /// Number of requests sent.
    pub(crate) fn requests(&self) -> usize {
        match self {
            Self::Burst(_, requests) | Self::Expire(requests, _) => requests.len(),
            Self::Connect(..) | Self::Probe(_) => 1,
            Self::Drop(_) => 0,
        }
    }

    /// Whether a session ends here, so that its ephemerals go in no defined order.
    pub(crate) fn ends_a_session(&self) -> bool {
        match self {
            Self::Burst(_, requests) => requests
                .iter()
                .any(|request| request.code == op::CLOSE_SESSION),
            Self::Expire(..) => true,
            Self::Connect(..) | Self::Drop(_) | Self::Probe(_) => false,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(slot, how) => write!(f, "slot {slot}: connect {how:?}"),
            Self::Drop(slot) => write!(f, "slot {slot}: drop the connection"),
            Self::Probe(probe) => write!(f, "probe {probe:?}"),
            Self::Burst(slot, requests) => {
                write!(f, "slot {slot}:")?;
                requests
                    .iter()
                    .try_for_each(|request| write!(f, "\n      {}", request.label))
            }
            Self::Expire(requests, _) => {
                write!(f, "expiring session:")?;
                requests
                    .iter()
                    .try_for_each(|request| write!(f, "\n      {}", request.label))
            }
        }
    }
}
