//! Why a connection, or a role, is given up.

use jute::Zxid;
use thiserror::Error;

use crate::{Epoch, ServerId};

/// Why this server lets go of a leader, of a learner, or of its role.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Leave {
    /// The connection broke.
    #[error("the connection is gone")]
    Lost,
    /// Nothing was heard for too long.
    #[error("nothing heard for {ms} ms")]
    Silent {
        /// How long.
        ms: u64,
    },
    /// The leader could not be reached in time.
    #[error("not reached within {ms} ms")]
    Unreached {
        /// How long it was tried.
        ms: u64,
    },
    /// A phase did not end in time.
    #[error("{phase} did not end within {ms} ms")]
    Unfinished {
        /// What was waited for.
        phase: &'static str,
        /// How long.
        ms: u64,
    },
    /// No quorum of learners was heard for too long.
    #[error("no quorum heard for {ms} ms")]
    NoQuorum {
        /// How long.
        ms: u64,
    },
    /// A proposal was not acknowledged in time.
    #[error("proposal {zxid} not acknowledged within {ms} ms")]
    Unacknowledged {
        /// The oldest one.
        zxid: Zxid,
        /// How long.
        ms: u64,
    },
    /// A packet that has no place in this phase.
    #[error("unexpected {packet} while {phase}")]
    Unexpected {
        /// The packet's name.
        packet: &'static str,
        /// The phase.
        phase: &'static str,
    },
    /// This server's disk was empty, and those who may have a history are not here.
    #[error(
        "epoch {0} is not the first, and the disk was empty: it may have been wiped, and too few others \
         say that they have no history either"
    )]
    PerhapsWiped(Epoch),
    /// The leader's epoch is older than one that was accepted.
    #[error("epoch {offered} was offered, {accepted} is accepted already")]
    OldEpoch {
        /// The leader's.
        offered: Epoch,
        /// The own.
        accepted: Epoch,
    },
    /// NEWLEADER names another epoch than LEADERINFO.
    #[error("NEWLEADER of epoch {found} instead of {expected}")]
    OtherEpoch {
        /// LEADERINFO's.
        expected: Epoch,
        /// NEWLEADER's.
        found: Epoch,
    },
    /// A proposal that does not follow the last one.
    #[error("proposal {found} behind {last}")]
    Gap {
        /// The last logged transaction.
        last: Zxid,
        /// What came.
        found: Zxid,
    },
    /// History of a later epoch than the leader's own.
    #[error("{zxid} in a history of epoch {epoch}")]
    FutureEpoch {
        /// What came.
        zxid: Zxid,
        /// The leader's epoch.
        epoch: Epoch,
    },
    /// A proposal that no one could read back.
    #[error("proposal {0} cannot be read")]
    Unreadable(Zxid),
    /// A commit of anything but the oldest open proposal.
    #[error("commit of {found} instead of {expected:?}")]
    CommitOrder {
        /// The oldest open proposal.
        expected: Option<Zxid>,
        /// What came.
        found: Zxid,
    },
    /// A leader that does not have what was committed before it.
    #[error("the leader's history ends at {found}, {decided} is committed")]
    LostCommitted {
        /// Committed, and told so by an earlier leader.
        decided: Zxid,
        /// The last one that the leader has committed.
        found: Zxid,
    },
    /// The leader builds on a history that was announced as worthless.
    #[error("a snapshot is needed")]
    SnapshotNeeded,
    /// A truncation that cannot be carried out.
    #[error("truncation to {to}: the history reaches from {decided} (committed) to {last}")]
    BadTruncation {
        /// Where to.
        to: Zxid,
        /// The last transaction known to be committed.
        decided: Zxid,
        /// The last logged one.
        last: Zxid,
    },
    /// The log was truncated to a transaction that it did not contain.
    #[error("the log has no {0} to be truncated to")]
    TruncateMissed(Zxid),
    /// An acknowledgement of something that was not sent.
    #[error("acknowledgement of {found}, the last sent is {sent}")]
    AckNotSent {
        /// What came.
        found: Zxid,
        /// The last proposal sent to it.
        sent: Zxid,
    },
    /// More answers than pings.
    #[error("an answer to a ping that was not sent")]
    PongNotAsked,
    /// A learner whose history is newer than the leader's.
    #[error("server {0} is ahead of its leader")]
    Ahead(ServerId),
    /// A learner with a newer configuration than the leader's.
    #[error("server {0} has a newer configuration than its leader")]
    AheadInConfig(ServerId),
    /// A voter has promised not to follow a leader of an epoch as old as this one.
    #[error("server {server} has accepted epoch {accepted} already, this is {epoch}")]
    PassedBy {
        /// Which one.
        server: ServerId,
        /// What it has accepted.
        accepted: Epoch,
        /// The leader's.
        epoch: Epoch,
    },
    /// A voter whose history is of a later epoch than this one, which a quorum would know.
    #[error(
        "server {server} has a history of epoch {current}, this is {epoch}: a quorum of this ensemble has lost its data, or that \
         server is not one of it"
    )]
    AheadInEpoch {
        /// Which one.
        server: ServerId,
        /// Of its history.
        current: Epoch,
        /// The leader's.
        epoch: Epoch,
    },
    /// The same server connected anew.
    #[error("server {0} connected anew")]
    Replaced(ServerId),
    /// A limit was reached.
    #[error("more than {max} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many are allowed.
        max: usize,
    },
    /// A learner that says it is this very server.
    #[error("a learner with the id of this server, {0}")]
    OwnId(ServerId),
    /// Someone accepted, or offers, the last possible epoch.
    #[error("no epoch comes after {0}")]
    NoNextEpoch(Epoch),
    /// The log was purged while a learner was being fed from it.
    #[error("the log behind {0} is gone")]
    LogGone(Zxid),
    /// This server does not lead.
    #[error("this server does not lead")]
    NotLeading,
    /// The counter of the epoch is used up.
    #[error("the zxids of epoch {0} are used up")]
    Rollover(Epoch),
    /// A reconfiguration gave this server, or its leader, another role.
    #[error("a reconfiguration changed roles")]
    Reconfigured,
    /// The tree's digest differs from the leader's.
    #[error("digest mismatch at {0}")]
    DigestMismatch(Zxid),
    /// This server is being stopped.
    #[error("stopping")]
    Stopping,
    /// A write failed.
    #[error("the disk failed")]
    DiskFailed,
}

impl Leave {
    /// Whether it is told for good manners' sake: nothing is wrong with the other side, and what
    /// was sent to it last is worth its while. It may say who leads next.
    pub fn is_orderly(&self) -> bool {
        matches!(
            self,
            Self::Stopping | Self::Reconfigured | Self::Rollover(_) | Self::PassedBy { .. }
        )
    }
}

/// The end of a role: why, and what comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exit {
    pub(crate) why: Leave,
    pub(crate) then: Then,
}

/// What comes after a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// An election.
    Look,
    /// Following, or leading, without one: a reconfiguration named the leader.
    Join(ServerId),
    /// Nothing.
    Halt,
}

impl Exit {
    pub(crate) fn join(why: Leave, leader: ServerId) -> Self {
        let then = Then::Join(leader);
        Self { why, then }
    }

    pub(crate) fn halt(why: Leave) -> Self {
        let then = Then::Halt;
        Self { why, then }
    }
}

impl From<Leave> for Exit {
    fn from(why: Leave) -> Self {
        let then = Then::Look;
        Self { why, then }
    }
}
