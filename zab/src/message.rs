//! The packets of the quorum port, by direction: what a leader cannot say has no variant
//! that a learner would have to refuse, and the other way round.

use std::sync::Arc;

use bytes::Bytes;
use jute::Zxid;
use jute::data::Id;
use jute::quorum::SessionTouch;
use jute::quorum::config::Role;

use crate::quorum::Config;
use crate::{Epoch, ServerId};

/// A logged transaction: header, body and digest, as in the log and in PROPOSAL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The zxid in its header.
    pub zxid: Zxid,
    /// The encoded transaction. Consensus never looks into it.
    pub bytes: Bytes,
    /// The configuration that it establishes, if it is a reconfiguration.
    pub config: Option<Config>,
}

/// From the leader to a learner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaderPacket {
    /// The epoch that a quorum is asked to accept.
    LeaderInfo {
        /// The new epoch.
        epoch: Epoch,
    },
    /// What is missing follows; nothing is to be taken back. The zxid is informative.
    Diff {
        /// Up to where the leader's history is known to be committed.
        zxid: Zxid,
    },
    /// Everything behind `zxid` is to be removed, then what is missing follows.
    Trunc {
        /// The last transaction that stays.
        zxid: Zxid,
    },
    /// A whole tree follows, outside of packets.
    Snap {
        /// The history that the tree holds at least.
        zxid: Zxid,
    },
    /// The history up to here is that of the new epoch.
    NewLeader {
        /// The epoch.
        epoch: Epoch,
        /// The leader's last seen configuration.
        config: Option<Config>,
    },
    /// A quorum has the history: it is committed, clients may be served.
    UpToDate,
    /// To be logged and acknowledged.
    Proposal(Entry),
    /// The proposal is on a quorum.
    Commit {
        /// Which one.
        zxid: Zxid,
    },
    /// The reconfiguration is on both quorums, and is in force.
    CommitAndActivate {
        /// Which one.
        zxid: Zxid,
        /// Who leads from here on.
        leader: ServerId,
    },
    /// PROPOSAL and COMMIT in one, to observers.
    Inform(Entry),
    /// PROPOSAL and COMMITANDACTIVATE in one, to observers.
    InformAndActivate {
        /// The reconfiguration.
        entry: Entry,
        /// Who leads from here on.
        leader: ServerId,
    },
    /// A sign of life that wants an answer.
    Ping {
        /// The last proposed zxid.
        zxid: Zxid,
    },
    /// Everything committed before the learner's oldest open sync request arrived has been sent.
    Sync,
    /// Whether a session that moved to the learner is alive.
    Revalidate {
        /// The session.
        session: i64,
        /// Whether it is.
        valid: bool,
    },
}

impl LeaderPacket {
    /// The packet's name on the wire.
    pub fn name(&self) -> &'static str {
        match self {
            Self::LeaderInfo { .. } => "LEADERINFO",
            Self::Diff { .. } => "DIFF",
            Self::Trunc { .. } => "TRUNC",
            Self::Snap { .. } => "SNAP",
            Self::NewLeader { .. } => "NEWLEADER",
            Self::UpToDate => "UPTODATE",
            Self::Proposal(_) => "PROPOSAL",
            Self::Commit { .. } => "COMMIT",
            Self::CommitAndActivate { .. } => "COMMITANDACTIVATE",
            Self::Inform(_) => "INFORM",
            Self::InformAndActivate { .. } => "INFORMANDACTIVATE",
            Self::Ping { .. } => "PING",
            Self::Sync => "SYNC",
            Self::Revalidate { .. } => "REVALIDATE",
        }
    }

    /// Whether it puts a configuration in force.
    pub(crate) fn activates(&self) -> bool {
        matches!(
            self,
            Self::CommitAndActivate { .. } | Self::InformAndActivate { .. }
        )
    }

    /// What every packet costs at least, in bytes: its fields and its place in a queue.
    const OVERHEAD: usize = 64;

    /// What it counts for in a learner's queue, in bytes.
    pub fn cost(&self) -> usize {
        Self::OVERHEAD
            + match self {
                Self::Proposal(entry)
                | Self::Inform(entry)
                | Self::InformAndActivate { entry, .. } => entry.bytes.len(),
                _ => 0,
            }
    }
}

/// From a learner to the leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LearnerPacket {
    /// FOLLOWERINFO or OBSERVERINFO: who is there.
    Info {
        /// Participants send FOLLOWERINFO.
        role: Role,
        /// The learner's id.
        server: ServerId,
        /// Its `acceptedEpoch`.
        accepted_epoch: Epoch,
        /// The version of its committed configuration.
        config_version: Zxid,
    },
    /// The new epoch is accepted, durably.
    AckEpoch {
        /// Its `currentEpoch`; `None` (-1) if it is not to be counted.
        current_epoch: Option<Epoch>,
        /// The last transaction in its log; -1 if it cannot be built on.
        last_zxid: Zxid,
    },
    /// The proposal and all before it are durable; for an epoch's zxid, NEWLEADER's history and
    /// `currentEpoch` are.
    Ack {
        /// Which one.
        zxid: Zxid,
    },
    /// The answer to a ping.
    Ping {
        /// Echoed.
        zxid: Zxid,
        /// Sessions heard of since the last one.
        touched: Vec<SessionTouch>,
    },
    /// A client's request that only the leader can order.
    Request(Request),
    /// Asks whether a session that moved here is alive.
    Revalidate {
        /// The session.
        session: i64,
        /// Its timeout in milliseconds.
        timeout_ms: i32,
    },
}

impl LearnerPacket {
    /// The packet's name on the wire.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Info {
                role: Role::Participant,
                ..
            } => "FOLLOWERINFO",
            Self::Info { .. } => "OBSERVERINFO",
            Self::AckEpoch { .. } => "ACKEPOCH",
            Self::Ack { .. } => "ACK",
            Self::Ping { .. } => "PING",
            Self::Request(_) => "REQUEST",
            Self::Revalidate { .. } => "REVALIDATE",
        }
    }

    /// Whether this packet says all that `earlier` says, which was sent just before it: an ACK
    /// vouches for everything before it in its epoch. Who hands packets on may leave out what is
    /// said twice.
    pub fn supersedes(&self, earlier: &Self) -> bool {
        let (Self::Ack { zxid }, Self::Ack { zxid: before }) = (self, earlier) else {
            return false;
        };
        // An epoch's own zxid is NEWLEADER's.
        zxid.epoch() == before.epoch() && before.counter() > 0 && zxid >= before
    }
}

/// A forwarded request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The client's session.
    pub session: i64,
    /// The client's number of the request.
    pub cxid: i32,
    /// Its type, an `OpCode`.
    pub op: i32,
    /// Its body, as received.
    pub body: Bytes,
    /// Who the client is; `None` before it has a session.
    pub identities: Option<Arc<[Id<'static>]>>,
}

impl Request {
    /// Whether it is a client's sync, which a leader answers by SYNC.
    pub fn is_sync(&self) -> bool {
        self.op == jute::OpCode::Sync.as_i32()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_acks_say_what_earlier_ones_say() {
        let ack = |zxid| LearnerPacket::Ack { zxid: Zxid(zxid) };
        let ping = LearnerPacket::Ping {
            zxid: Zxid(0),
            touched: Vec::new(),
        };
        for (earlier, later, expected) in [
            (ack(0x1_0000_0001), ack(0x1_0000_0002), true),
            (ack(0x1_0000_0001), ack(0x1_0000_0009), true),
            (ack(0x1_0000_0009), ack(0x1_0000_0001), false),
            // NEWLEADER's is none of a transaction.
            (ack(0x1_0000_0000), ack(0x1_0000_0001), false),
            // Entries of an earlier epoch are part of a synchronisation.
            (ack(0x1_0000_0007), ack(0x2_0000_0001), false),
            (ack(0x1_0000_0001), ping.clone(), false),
            (ping, ack(0x1_0000_0001), false),
        ] {
            assert_eq!(
                later.supersedes(&earlier),
                expected,
                "{earlier:?} {later:?}"
            );
        }
    }
}
