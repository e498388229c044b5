//! What a peer does and with whom, for those who look from outside.

use crate::effect::RoleStatus;
use crate::quorum::Config;
use crate::{ServerId, Time};

/// A peer as of one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overview {
    /// What it does.
    pub status: RoleStatus,
    /// The configuration in force.
    pub config: Config,
    /// An established leader only: since when.
    pub leading_since: Option<Time>,
    /// Who gets the history from this server: of a leader, established or not, and of a follower
    /// that serves observers. `None` for all others.
    pub learners: Option<LearnerCounts>,
    /// A learner only: whom it is connected with, or tries to be. The leader, or its observer
    /// master.
    pub master: Option<ServerId>,
}

/// The learners of a server. One is synchronised when it holds the leader's history durably and
/// has been told that it is up to date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LearnerCounts {
    /// Followers and observers that are connected and have said who they are.
    pub connected: usize,
    /// Synchronised followers, with and without a vote.
    pub synced_followers: usize,
    /// Those of them that have no vote in the configuration in force.
    pub synced_non_voting_followers: usize,
    /// Synchronised observers.
    pub synced_observers: usize,
    /// Syncs of clients that wait for an answer, over all servers.
    pub pending_syncs: usize,
}
