//! The configuration of an ensemble: who its servers are and what makes a quorum of them.
//!
//! Its text stands in notifications, in NEWLEADER, in reconfigurations and in
//! `/zookeeper/config`. The `server.N` lines of `zoo.cfg` and of dynamic files, and those of a
//! reconfig request, are [`Member`]s too.

mod member;
mod parse;
mod print;

use std::collections::BTreeMap;

pub use member::{Member, MemberAddress, MemberFault, Role};
pub use parse::{ConfigFault, parse_server_id};

use super::ServerId;

/// Longest text in bytes; a notification cannot carry a longer one.
pub const TEXT_LEN_MAX: usize = super::election::FRAME_LEN_MAX;
/// Most members: the ids of servers end at 255 where session ids carry them.
pub const MEMBERS_MAX: usize = 255;
/// Largest weight of a server: the sum over an ensemble stays far from overflowing.
pub const WEIGHT_MAX: i64 = u32::MAX as i64;

/// A configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuorumConfig {
    /// The zxid of the reconfiguration that made it; 0 before the first leader.
    pub version: i64,
    /// The servers.
    pub members: BTreeMap<ServerId, Member>,
    /// Groups and weights, if quorums are hierarchical.
    pub hierarchy: Option<Hierarchy>,
}

/// Disjoint groups of servers, each of which counts as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hierarchy {
    /// The group of each server that is in one: of every participant, and of others too
    /// where the text says so.
    pub groups: BTreeMap<ServerId, i64>,
    /// The weight of each server in its group, 0..=[`WEIGHT_MAX`]. Every server in a group has
    /// one.
    pub weights: BTreeMap<ServerId, i64>,
}

impl QuorumConfig {
    /// The participants: those with a vote.
    pub fn voters(&self) -> impl Iterator<Item = ServerId> {
        let members = self.members.iter();
        members
            .filter(|(_, member)| member.role == Role::Participant)
            .map(|(id, _)| *id)
    }

    /// Is this server a participant?
    pub fn is_voter(&self, server: ServerId) -> bool {
        let member = self.members.get(&server);
        member.is_some_and(|member| member.role == Role::Participant)
    }

    /// The same members under another version.
    #[must_use]
    pub fn with_version(&self, version: i64) -> Self {
        Self {
            version,
            ..self.clone()
        }
    }

    /// Are these the same configuration for a server that compares what it was told with what
    /// it has? Equal versions decide alone, as there is one configuration of a version;
    /// else the content does.
    pub fn is_same(&self, other: &Self) -> bool {
        self.version == other.version
            || (self.members == other.members && self.hierarchy == other.hierarchy)
    }
}
