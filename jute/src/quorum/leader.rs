use super::ServerId;
use super::packet::{PacketType, QuorumPacket};
use super::payload::RevalidateResponse;
use crate::data::Id;
use crate::wire::{Decode, DecodeError, DecodeErrorKind, Encode, Limits, Reader};
use crate::{Buffer, Zxid};

/// What a leader or observer master says to a learner.
///
/// Transactions stay encoded: a learner logs the bytes that it was sent.
/// [`LogEntry`](crate::txn::LogEntry) reads them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaderMessage<'a> {
    /// LEADERINFO.
    LeaderInfo {
        /// The new epoch, shifted by 32 bits.
        zxid: Zxid,
        /// The protocol that the leader speaks, [`PROTOCOL_VERSION`](super::PROTOCOL_VERSION).
        protocol_version: i32,
    },
    /// DIFF: what is missing follows.
    Diff {
        /// How far the leader's history goes; informative.
        zxid: Zxid,
    },
    /// TRUNC: what is above must go; then what is missing follows.
    Trunc {
        /// The last transaction to keep.
        zxid: Zxid,
    },
    /// SNAP: the tree follows the packet, see [`snap`](super::snap).
    Snap {
        /// The tree holds every effect up to here.
        zxid: Zxid,
    },
    /// PROPOSAL.
    Proposal {
        /// The transaction's zxid.
        zxid: Zxid,
        /// A log entry.
        entry: &'a [u8],
    },
    /// COMMIT.
    Commit {
        /// Which one.
        zxid: Zxid,
    },
    /// COMMITANDACTIVATE.
    CommitAndActivate {
        /// The reconfiguration.
        zxid: Zxid,
        /// Who leads in the new configuration.
        designated: ServerId,
    },
    /// INFORM.
    Inform {
        /// The transaction's zxid.
        zxid: Zxid,
        /// A log entry.
        entry: &'a [u8],
    },
    /// INFORMANDACTIVATE.
    InformAndActivate {
        /// The reconfiguration.
        zxid: Zxid,
        /// Who leads in the new configuration.
        designated: ServerId,
        /// A log entry.
        entry: &'a [u8],
    },
    /// NEWLEADER.
    NewLeader {
        /// The epoch, shifted by 32 bits.
        zxid: Zxid,
        /// The text of the last configuration that the leader has seen, see
        /// [`QuorumConfig`](super::QuorumConfig); null for learners of the oldest protocol.
        config: Buffer<'a>,
    },
    /// UPTODATE.
    UpToDate,
    /// SYNC: completes the oldest sync that the learner forwarded.
    Sync,
    /// PING.
    Ping {
        /// The transaction proposed last.
        zxid: Zxid,
    },
    /// REVALIDATE.
    Revalidate(RevalidateResponse),
}

const UP_TO_DATE_ZXID: Zxid = Zxid(-1);
const SYNC_ZXID: Zxid = Zxid(0);
const REVALIDATE_ZXID: Zxid = Zxid(-1);

impl<'a> LeaderMessage<'a> {
    /// What a packet from a leader means.
    ///
    /// # Errors
    /// A type that leaders do not send, or a payload that is not of its form. Offsets count
    /// from the start of the payload.
    pub fn from_packet(packet: &QuorumPacket<'a>, limits: Limits) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(packet.data.unwrap_or_default(), limits);
        let reader = &mut reader;
        let zxid = Zxid(packet.zxid);
        Ok(match PacketType::from_i32(packet.kind) {
            Some(PacketType::LeaderInfo) => Self::LeaderInfo {
                zxid,
                protocol_version: reader.i32()?,
            },
            Some(PacketType::Diff) => Self::Diff { zxid },
            Some(PacketType::Trunc) => Self::Trunc { zxid },
            Some(PacketType::Snap) => Self::Snap { zxid },
            Some(PacketType::Proposal) => Self::Proposal {
                zxid,
                entry: reader.rest(),
            },
            Some(PacketType::Commit) => Self::Commit { zxid },
            Some(PacketType::CommitAndActivate) => Self::CommitAndActivate {
                zxid,
                designated: ServerId(reader.i64()?),
            },
            Some(PacketType::Inform) => Self::Inform {
                zxid,
                entry: reader.rest(),
            },
            Some(PacketType::InformAndActivate) => Self::InformAndActivate {
                zxid,
                designated: ServerId(reader.i64()?),
                entry: reader.rest(),
            },
            Some(PacketType::NewLeader) => Self::NewLeader {
                zxid,
                config: packet.data,
            },
            Some(PacketType::UpToDate) => Self::UpToDate,
            Some(PacketType::Sync) => Self::Sync,
            Some(PacketType::Ping) => Self::Ping { zxid },
            Some(PacketType::Revalidate) => Self::Revalidate(RevalidateResponse::decode(reader)?),
            _ => return Err(reader.error(DecodeErrorKind::UnknownType(packet.kind))),
        })
    }

    fn kind(&self) -> PacketType {
        match self {
            Self::LeaderInfo { .. } => PacketType::LeaderInfo,
            Self::Diff { .. } => PacketType::Diff,
            Self::Trunc { .. } => PacketType::Trunc,
            Self::Snap { .. } => PacketType::Snap,
            Self::Proposal { .. } => PacketType::Proposal,
            Self::Commit { .. } => PacketType::Commit,
            Self::CommitAndActivate { .. } => PacketType::CommitAndActivate,
            Self::Inform { .. } => PacketType::Inform,
            Self::InformAndActivate { .. } => PacketType::InformAndActivate,
            Self::NewLeader { .. } => PacketType::NewLeader,
            Self::UpToDate => PacketType::UpToDate,
            Self::Sync => PacketType::Sync,
            Self::Ping { .. } => PacketType::Ping,
            Self::Revalidate(_) => PacketType::Revalidate,
        }
    }

    fn zxid(&self) -> Zxid {
        match self {
            Self::LeaderInfo { zxid, .. }
            | Self::Diff { zxid }
            | Self::Trunc { zxid }
            | Self::Snap { zxid }
            | Self::Proposal { zxid, .. }
            | Self::Commit { zxid }
            | Self::CommitAndActivate { zxid, .. }
            | Self::Inform { zxid, .. }
            | Self::InformAndActivate { zxid, .. }
            | Self::NewLeader { zxid, .. }
            | Self::Ping { zxid } => *zxid,
            Self::UpToDate => UP_TO_DATE_ZXID,
            Self::Sync => SYNC_ZXID,
            Self::Revalidate(_) => REVALIDATE_ZXID,
        }
    }
}

/// The whole packet.
impl Encode for LeaderMessage<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.kind().as_i32().encode(out);
        self.zxid().0.encode(out);
        match self {
            Self::Proposal { entry, .. } | Self::Inform { entry, .. } => Some(*entry).encode(out),
            Self::NewLeader { config, .. } => config.encode(out),
            Self::LeaderInfo {
                protocol_version, ..
            } => Some(&protocol_version.to_be_bytes()[..]).encode(out),
            Self::CommitAndActivate { designated, .. } => {
                Some(&designated.0.to_be_bytes()[..]).encode(out);
            }
            Self::InformAndActivate {
                designated, entry, ..
            } => Some(&[&designated.0.to_be_bytes(), *entry].concat()[..]).encode(out),
            Self::Revalidate(response) => {
                let mut data = Vec::new();
                response.encode(&mut data);
                Some(&data[..]).encode(out);
            }
            Self::Diff { .. }
            | Self::Trunc { .. }
            | Self::Snap { .. }
            | Self::Commit { .. }
            | Self::UpToDate
            | Self::Sync
            | Self::Ping { .. } => None::<&[u8]>.encode(out),
        }
        None::<Vec<Id<'_>>>.encode(out);
    }
}
