//! The packets of the quorum port and how they are found in a stream.

use crate::Buffer;
use crate::data::Id;
use crate::wire::{Decode, DecodeError, DecodeErrorKind, Limits, Reader, record};

/// Most identities in the authinfo of a packet.
pub const AUTHINFO_IDS_MAX: i32 = 4096;
/// Most bytes of text in the authinfo of a packet.
pub const AUTHINFO_BYTES_MAX: usize = 4 << 20;

macro_rules! packet_types {
    ($( $(#[$meta:meta])* $name:ident = $code:literal, )*) => {
        /// What a [`QuorumPacket`] is for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(i32)]
        pub enum PacketType { $( $(#[$meta])* $name = $code, )* }

        impl PacketType {
            /// Every type, in the order of their numbers.
            pub const ALL: &'static [Self] = &[ $( Self::$name, )* ];

            /// The type with this number, if there is one.
            pub fn from_i32(code: i32) -> Option<Self> {
                match code { $( $code => Some(Self::$name), )* _ => None }
            }
        }
    };
}

packet_types! {
    /// A client's request, forwarded to the leader.
    Request = 1,
    /// A transaction to log and acknowledge.
    Proposal = 2,
    /// A transaction is logged, or the history of a new leader.
    Ack = 3,
    /// A proposed transaction is committed.
    Commit = 4,
    /// Are you there? The answer carries the sessions heard of.
    Ping = 5,
    /// Does a session that moved to this learner still exist?
    Revalidate = 6,
    /// All that was committed before a forwarded sync has been sent.
    Sync = 7,
    /// A committed transaction, for observers.
    Inform = 8,
    /// A reconfiguration is committed.
    CommitAndActivate = 9,
    /// The history is complete: acknowledge it.
    NewLeader = 10,
    /// A follower introduces itself.
    FollowerInfo = 11,
    /// Serve clients.
    UpToDate = 12,
    /// Synchronisation by the transactions that are missing.
    Diff = 13,
    /// Synchronisation by dropping what was never committed.
    Trunc = 14,
    /// Synchronisation by the whole tree.
    Snap = 15,
    /// An observer introduces itself.
    ObserverInfo = 16,
    /// The epoch of the new leader.
    LeaderInfo = 17,
    /// The epoch is accepted; how far the learner's history goes.
    AckEpoch = 18,
    /// A committed reconfiguration, for observers.
    InformAndActivate = 19,
}

impl PacketType {
    /// The number on the wire.
    pub fn as_i32(self) -> i32 {
        self as i32
    }
}

record! {
    /// A packet as it stands on the wire: its fields have no prefix around them.
    pub struct QuorumPacket<'a> {
        /// A [`PacketType`].
        pub kind: i32,
        /// A zxid, a new epoch shifted by 32 bits, or a constant; the type decides.
        pub zxid: i64,
        /// The payload; the type decides on its form.
        pub data: Buffer<'a>,
        /// The identities of the client, in a forwarded request.
        pub authinfo: Option<Vec<Id<'a>>>,
    }
}

/// Type, zxid, and the lengths of data and authinfo.
const FIXED_LEN: usize = 20;
/// The two lengths of an identity.
const ID_FIXED_LEN: usize = 8;

/// The longest packet in bytes that [`first`] accepts: what a reader must be able to buffer.
pub fn max_len(limits: Limits) -> usize {
    FIXED_LEN + limits.max_len + AUTHINFO_BYTES_MAX + ID_FIXED_LEN * AUTHINFO_IDS_MAX as usize
}

/// The packet at the front of `buf` and its length in bytes, or `None` while it is incomplete.
/// A SNAP is followed by the tree and not by a packet.
///
/// # Errors
/// Data longer than [`Limits::max_len`], or an authinfo of more than [`AUTHINFO_IDS_MAX`]
/// identities or [`AUTHINFO_BYTES_MAX`] bytes. This shows as soon as the length is there, so no
/// more than [`max_len`] bytes are ever waited for.
pub fn first(buf: &[u8], limits: Limits) -> Result<Option<(QuorumPacket<'_>, usize)>, DecodeError> {
    let mut reader = Reader::new(buf, limits);
    match skip(&mut reader) {
        Ok(()) => {}
        Err(error) if matches!(error.kind, DecodeErrorKind::Truncated { .. }) => return Ok(None),
        Err(error) => return Err(error),
    }
    let len = reader.position();
    let packet = QuorumPacket::decode(&mut Reader::new(&buf[..len], limits))?;
    Ok(Some((packet, len)))
}

/// Goes to the end of a packet. Nothing is allocated: while one is incomplete this runs
/// again with every read of the socket.
fn skip(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    reader.i32()?;
    reader.i64()?;
    reader.buffer()?;
    let count = reader.i32()?;
    if count > AUTHINFO_IDS_MAX {
        return Err(reader.error(DecodeErrorKind::BadLength(count)));
    }
    let mut budget = AUTHINFO_BYTES_MAX;
    for _ in 0..count {
        skip_text(reader, &mut budget)?;
        skip_text(reader, &mut budget)?;
    }
    Ok(())
}

fn skip_text(reader: &mut Reader<'_>, budget: &mut usize) -> Result<(), DecodeError> {
    let len = reader.clone().i32()?;
    let bytes = usize::try_from(len).unwrap_or(0);
    *budget = budget
        .checked_sub(bytes)
        .ok_or_else(|| reader.error(DecodeErrorKind::BadLength(len)))?;
    reader.buffer()?;
    Ok(())
}
