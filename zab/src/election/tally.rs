//! Counts votes.

use std::collections::BTreeMap;

use jute::quorum::election::ServerState;

use super::{Notification, Vote};
use crate::ServerId;
use crate::quorum::Config;

/// A vote as it was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cast {
    /// The vote.
    pub vote: Vote,
    /// The round in which it was cast.
    pub round: i64,
    /// What its sender was doing.
    pub state: ServerState,
    /// Whether the message said its version. The votes of one round are recorded without,
    /// as Apache does.
    pub versioned: bool,
}

impl Cast {
    /// The vote in a message.
    pub fn of(notification: &Notification) -> Self {
        Self {
            vote: notification.vote,
            round: notification.round,
            state: notification.state,
            versioned: notification.version > 0,
        }
    }

    /// Whether both are votes for the same.
    ///
    /// While anyone is looking every field counts. In an established ensemble zxid and round
    /// may differ for good reasons (ZOOKEEPER-1732, 1805): its members voted in different
    /// rounds, but their leader's epoch tells. A vote recorded without a version is compared
    /// with one that has it by the leader alone.
    pub fn agrees(&self, other: &Self) -> bool {
        if self.state == ServerState::Looking || other.state == ServerState::Looking {
            return self.vote == other.vote && self.round == other.round;
        }
        self.vote.leader == other.vote.leader
            && (self.versioned != other.versioned || self.vote.peer_epoch == other.vote.peer_epoch)
    }
}

/// The last vote of each server. Holds votes of members alone, so it has a bound.
#[derive(Clone, Debug, Default)]
pub struct Tally(BTreeMap<ServerId, Cast>);

impl Tally {
    /// Records a vote; it replaces the sender's last one.
    pub fn record(&mut self, from: ServerId, cast: Cast) {
        self.0.insert(from, cast);
    }

    /// Forgets all votes: a new round.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether the server's recorded vote agrees with `cast`.
    pub fn agrees(&self, server: ServerId, cast: &Cast) -> bool {
        self.0.get(&server).is_some_and(|own| own.agrees(cast))
    }

    /// Whether those that agree with `cast` are a quorum of a configuration.
    pub fn is_quorum(&self, cast: &Cast, config: &Config) -> bool {
        config.is_quorum(|server| self.agrees(server, cast))
    }

    /// Whether the server itself says that it leads.
    pub fn leads(&self, server: ServerId) -> bool {
        let state = self.0.get(&server).map(|cast| cast.state);
        state == Some(ServerState::Leading)
    }
}
