use std::fmt;

use thiserror::Error;

use crate::Zxid;
use crate::quorum::ServerId;
use crate::wire::{Decode, DecodeError, DecodeErrorKind, Encode, Limits, Reader};

/// What a server is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum ServerState {
    /// Electing.
    Looking = 0,
    /// Following a leader.
    Following = 1,
    /// Leading.
    Leading = 2,
    /// Following a leader without a vote.
    Observing = 3,
}

impl fmt::Display for ServerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Looking => "looking",
            Self::Following => "following",
            Self::Leading => "leading",
            Self::Observing => "observing",
        })
    }
}

impl ServerState {
    /// The state with this number, if there is one.
    pub fn from_i32(code: i32) -> Option<Self> {
        Some(match code {
            0 => Self::Looking,
            1 => Self::Following,
            2 => Self::Leading,
            3 => Self::Observing,
            _ => return None,
        })
    }

    /// The number on the wire.
    pub fn as_i32(self) -> i32 {
        self as i32
    }
}

/// A vote, as servers send it to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notification<'a> {
    /// What the sender is doing.
    pub state: ServerState,
    /// The leader it votes for.
    pub leader: ServerId,
    /// The last zxid of that leader.
    pub zxid: Zxid,
    /// The round of the sender's election.
    pub election_epoch: i64,
    /// The currentEpoch of that leader.
    pub peer_epoch: i64,
    /// Version of the message's form. 0 if the sender does not say: two votes one of which has
    /// version 0 are compared by less.
    pub version: i32,
    /// The text of the sender's configuration, see [`QuorumConfig`](crate::quorum::QuorumConfig);
    /// from version 2 on.
    pub config: Option<&'a [u8]>,
}

/// Why a message is dropped. The connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotificationFault {
    /// Shorter than any form.
    #[error("{0} bytes are no notification")]
    Short(usize),
    /// It ends inside a field, or a field has a value that it must not have.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
}

/// Without the peer's epoch, as written before it was added.
const BARE_LEN: usize = 28;
/// With it; a version stands in the last four bytes of some and does not count.
const UNVERSIONED_LEN: usize = 40;
/// The first version with a configuration.
const CONFIG_VERSION: i32 = 2;

impl<'a> Notification<'a> {
    /// The version that is written today.
    pub const VERSION: i32 = CONFIG_VERSION;

    /// Reads the body of a frame, in any of its forms; the length tells them apart.
    ///
    /// # Errors
    /// See [`NotificationFault`]: the message is to be ignored.
    pub fn from_bytes(body: &'a [u8]) -> Result<Self, NotificationFault> {
        if body.len() < BARE_LEN {
            return Err(NotificationFault::Short(body.len()));
        }
        let limits = Limits::new(super::FRAME_LEN_MAX, 0);
        let mut reader = Reader::new(body, limits);
        let state = reader.i32()?;
        let state = ServerState::from_i32(state)
            .ok_or_else(|| reader.error(DecodeErrorKind::InvalidField("state")))?;
        let leader = ServerId(reader.i64()?);
        let zxid = Zxid(reader.i64()?);
        let election_epoch = reader.i64()?;
        let peer_epoch = match body.len() {
            BARE_LEN => zxid.epoch(),
            _ => reader.i64()?,
        };
        let version = match body.len() {
            BARE_LEN | UNVERSIONED_LEN => 0,
            _ => reader.i32()?,
        };
        let config = if version < CONFIG_VERSION {
            None
        } else {
            let config = Option::decode(&mut reader)?;
            Some(config.ok_or_else(|| reader.error(DecodeErrorKind::BadLength(-1)))?)
        };
        Ok(Self {
            state,
            leader,
            zxid,
            election_epoch,
            peer_epoch,
            version,
            config,
        })
    }
}

/// The body of a frame. Without a configuration it is the form of 40 bytes, whose readers take
/// the version as 0.
impl Encode for Notification<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.state.as_i32().encode(out);
        self.leader.0.encode(out);
        self.zxid.0.encode(out);
        self.election_epoch.encode(out);
        self.peer_epoch.encode(out);
        self.version.encode(out);
        if self.config.is_some() {
            self.config.encode(out);
        }
    }
}
