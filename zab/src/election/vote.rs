//! A vote, and which of two is the better one.

use jute::Zxid;
use jute::quorum::election::ServerState;

use crate::quorum::Config;
use crate::{Epoch, ServerId};

/// Whom a server wants to lead, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vote {
    /// The proposed leader.
    pub leader: ServerId,
    /// The last transaction in its history, committed or not.
    pub zxid: Zxid,
    /// Its `currentEpoch`.
    pub peer_epoch: Epoch,
}

impl Vote {
    /// What a server without a vote sends: beaten by every other, and ignored by voters.
    pub const NONE: Self = Self {
        leader: ServerId::NON_VOTER,
        zxid: Zxid(i64::MIN),
        peer_epoch: Epoch::NONE,
    };

    /// Whether this vote is to be preferred to `current`.
    ///
    /// Larger epoch, then larger zxid, then larger id: a leader so chosen by a quorum has
    /// every transaction that a quorum acknowledged. The round is no part of the order.
    pub fn beats(&self, current: &Self, config: &Config) -> bool {
        config.weight(self.leader) > 0 && self.rank() > current.rank()
    }

    fn rank(&self) -> (Epoch, Zxid, ServerId) {
        (self.peer_epoch, self.zxid, self.leader)
    }
}

/// A message of the election port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// What the sender is doing.
    pub state: ServerState,
    /// Its vote.
    pub vote: Vote,
    /// The election (`electionEpoch`, the logical clock) in which it voted so.
    pub round: i64,
    /// Version of the message: 2 from us, 0 or 1 from old servers.
    pub version: i32,
    /// The sender's committed configuration, from version 2 on.
    pub config: Option<Config>,
}

impl Notification {
    /// The version that we send.
    pub const VERSION: i32 = 2;
}
