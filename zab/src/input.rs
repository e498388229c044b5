//! Everything that can happen to a peer.

use jute::Zxid;

use crate::election::Notification;
use crate::message::{Entry, LeaderPacket, LearnerPacket, Request};
use crate::{ServerId, Ticket};

/// A connection that this server opened to its leader. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeaderLink(pub u64);

/// A connection that a learner opened to this server. Numbered by the caller, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LearnerLink(pub u64);

/// Stands for a read of the log. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReadId(pub u64);

/// Stands for a client's sync request; the caller's own number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncId(pub u64);

/// What happened. Whatever names something that is gone (a link that was dropped, a read of a
/// role that ended) is ignored: it was on its way when we let go.
#[derive(Clone, Debug)]
pub enum Input {
    /// Nothing: a deadline has passed.
    Tick,

    /// A message of the election port.
    Notification {
        /// Who sent it.
        from: ServerId,
        /// The message.
        notification: Notification,
    },
    /// A connection to the election port of `peer` was refused or reset: no process answers there,
    /// or not yet.
    Unreachable {
        /// Who.
        peer: ServerId,
    },

    /// The connection asked for by [`Io::Connect`](crate::Io::Connect) is there.
    LeaderConnected(LeaderLink),
    /// The connection to the leader could not be made, or is gone.
    LeaderLost(LeaderLink),
    /// A packet from the leader, in the order sent.
    FromLeader(LeaderLink, LeaderPacket),
    /// A proposal of the leader's that no one could read back: it must not get into the log.
    Unreadable(LeaderLink, Zxid),
    /// The tree behind SNAP has been received whole; packets follow.
    SnapshotReceived(LeaderLink),

    /// A learner connected.
    LearnerConnected(LearnerLink),
    /// One connected to `observerMasterPort`.
    ObserverConnected(LearnerLink),
    /// Its connection is gone.
    LearnerLost(LearnerLink),
    /// A packet from a learner, in the order sent.
    FromLearner(LearnerLink, LearnerPacket),
    /// So many bytes ([`LeaderPacket::cost`]) have been written to the learner's socket.
    Flushed(LearnerLink, usize),
    /// The tree asked for by [`Effect::SendSnapshot`](crate::Effect::SendSnapshot) has been
    /// written.
    SnapshotSent(LearnerLink),
    /// The answer to [`Io::ReadLog`](crate::Io::ReadLog).
    LogRead(ReadId, LogRead),

    /// Every [`Store`](crate::Store) up to this one is done and durable.
    Stored(Ticket),
    /// A write or sync failed. The state of the disk is unknown: the peer stops for good.
    StoreFailed(Ticket),
    /// A truncation is durable, but the log did not contain the transaction that it was to end
    /// with. Completes the ticket.
    TruncateMissed(Ticket),

    /// Leader only, see [`Peer::may_propose`](crate::Peer::may_propose): the next transaction.
    Propose(Entry),
    /// Leader only: a client of this server wants everything that is committed by now.
    Sync(SyncId),
    /// Leader only: so does a client of this learner, whose sync was forwarded. What its client
    /// asked for before has been proposed by now.
    LearnerSync(LearnerLink),
    /// Leader only: the answer to [`Effect::Revalidate`](crate::Effect::Revalidate).
    Revalidated {
        /// The learner that asked.
        link: LearnerLink,
        /// The session.
        session: i64,
        /// Whether it is alive.
        valid: bool,
    },
    /// Learner only: a client's request for the leader.
    Forward(Request),
    /// Learner only: is this session alive?
    Revalidate {
        /// The session.
        session: i64,
        /// Its timeout in milliseconds.
        timeout_ms: i32,
    },
    /// The tree after `zxid` is not the one that the transaction's digest tells.
    DigestMismatch {
        /// The transaction.
        zxid: Zxid,
    },
    /// What the oracle of an ensemble of two says (`oraclePath`), as often as it may have changed.
    /// Without the first one there is no oracle.
    Oracle(bool),
    /// This server is to be stopped. A leader first sees to it that someone can take over at once.
    HandOver,
}

impl Input {
    /// Whether it concerns a learner's connection.
    pub(crate) fn is_from_learner(&self) -> bool {
        matches!(
            self,
            Self::LearnerConnected(_) | Self::LearnerLost(_) | Self::FromLearner(..)
        )
    }
}

/// What was found in the log.
#[derive(Clone, Debug)]
pub enum LogRead {
    /// The transactions behind the position asked for, without a gap; none only if it is the end.
    Entries {
        /// The last transaction at or before that position.
        floor: Zxid,
        /// From there on.
        entries: Vec<Entry>,
    },
    /// The log does not reach back so far, or is longer than `snapshotSizeFactor` allows.
    Unavailable,
}
