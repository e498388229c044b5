//! Fast leader election: the servers of a quorum agree on the one with the newest history.

mod answer;
mod backoff;
mod early;
mod looking;
mod tally;
mod vote;

pub(crate) use answer::{Strangers, answer};
pub(crate) use early::EarlyVotes;
pub use jute::quorum::election::ServerState;
pub(crate) use looking::{Looking, Outcome};
pub use tally::{Cast, Tally};
pub use vote::{Notification, Vote};

/// What a server remembers of its elections, from one to the next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ballot {
    /// The logical clock: the number of the newest round taken part in.
    pub(crate) round: i64,
    /// The vote of the last election that ended, its epoch brought up to date once the
    /// synchronisation is over, so that late joiners see one and the same vote everywhere.
    pub(crate) vote: Vote,
    /// The round in which that election ended.
    pub(crate) vote_round: i64,
}

impl Default for Ballot {
    fn default() -> Self {
        Self {
            round: 0,
            vote: Vote::NONE,
            vote_round: 0,
        }
    }
}

#[cfg(test)]
mod tests;
