//! The SASL exchange between servers: on the quorum port before the first packet, on the
//! election port behind the initial message.

use crate::Buffer;
use crate::wire::{Decode, DecodeError, DecodeErrorKind, Limits, Reader, record};

/// What a packet of the exchange starts with. A peer that sends anything else does not
/// authenticate.
pub const MAGIC: i64 = 0x5f24_3501_3501_edcc;
/// Longest token in bytes; a mechanism's messages are far shorter.
pub const TOKEN_LEN_MAX: usize = 64 << 10;
/// Rounds after which a server gives up.
pub const ROUNDS_MAX: u32 = 5;

const LIMITS: Limits = Limits {
    max_len: TOKEN_LEN_MAX,
    max_depth: 1,
};

/// Where the exchange stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum AuthStatus {
    /// The mechanism refuses.
    Error = -1,
    /// The other side shall go on.
    InProgress = 0,
    /// It is complete.
    Success = 1,
}

impl AuthStatus {
    /// The status with this number, if there is one.
    pub fn from_i32(code: i32) -> Option<Self> {
        Some(match code {
            -1 => Self::Error,
            0 => Self::InProgress,
            1 => Self::Success,
            _ => return None,
        })
    }

    /// The number on the wire.
    pub fn as_i32(self) -> i32 {
        self as i32
    }
}

record! {
    /// One step of the exchange; no length stands around it.
    #[derive(Copy)]
    pub struct QuorumAuthPacket<'a> {
        /// [`MAGIC`].
        pub magic: i64,
        /// An [`AuthStatus`].
        pub status: i32,
        /// The mechanism's message.
        pub token: Buffer<'a>,
    }
}

impl<'a> QuorumAuthPacket<'a> {
    /// A step with its magic.
    pub fn new(status: AuthStatus, token: Buffer<'a>) -> Self {
        Self {
            magic: MAGIC,
            status: status.as_i32(),
            token,
        }
    }
}

/// Does a stream start with an authentication? `None` while that cannot be told.
pub fn is_auth(buf: &[u8]) -> Option<bool> {
    let magic = MAGIC.to_be_bytes();
    match buf.first_chunk() {
        Some(start) => Some(*start == magic),
        None if magic.starts_with(buf) => None,
        None => Some(false),
    }
}

/// The packet at the front of `buf` and its length in bytes, or `None` while it is incomplete.
///
/// # Errors
/// Another magic, an unknown status, or a token longer than [`TOKEN_LEN_MAX`].
pub fn first(buf: &[u8]) -> Result<Option<(QuorumAuthPacket<'_>, usize)>, DecodeError> {
    let mut reader = Reader::new(buf, LIMITS);
    if is_auth(buf) == Some(false) {
        return Err(reader.error(DecodeErrorKind::InvalidField("magic")));
    }
    match QuorumAuthPacket::decode(&mut reader) {
        Ok(packet) if AuthStatus::from_i32(packet.status).is_some() => {
            Ok(Some((packet, reader.position())))
        }
        Ok(packet) => Err(reader.error(DecodeErrorKind::UnknownType(packet.status))),
        Err(error) if matches!(error.kind, DecodeErrorKind::Truncated { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
