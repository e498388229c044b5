//! One learner, as its leader sees it.

use jute::Zxid;
use jute::quorum::config::Role;

use super::feed::Feed;
use crate::input::ReadId;
use crate::leave::Leave;
use crate::{ServerId, Time};

/// A connection to a learner.
#[derive(Clone, Debug)]
pub(super) struct LearnerHandler {
    /// Known from its first packet on.
    pub(super) server: Option<ServerId>,
    pub(super) role: Role,
    pub(super) stage: Stage,
    /// The last sign of life.
    pub(super) heard: Time,
    /// Pings sent and answered. They are matched by count: every learner answers each, in order.
    pings_sent: u64,
    pings_answered: u64,
    /// The oldest proposal that it has not acknowledged, and since when that is waited for.
    pub(super) unacknowledged: Option<(Zxid, Time)>,
}

/// How far a learner has come.
#[derive(Clone, Debug)]
pub(super) enum Stage {
    /// FOLLOWERINFO or OBSERVERINFO is awaited.
    Greeting,
    /// It is here; the epoch is not decided yet.
    Informed,
    /// LEADERINFO is sent.
    Invited,
    /// It accepted the epoch; a quorum has not yet.
    Acknowledged {
        /// Its last entry.
        last: Zxid,
    },
    /// The log is being looked up for what it lacks.
    Planning {
        /// Its last entry.
        last: Zxid,
        read: ReadId,
    },
    /// It is being sent the history.
    Fed(Fed),
}

/// A learner that gets the history.
#[derive(Clone, Debug)]
pub(super) struct Fed {
    pub(super) feed: Feed,
    pub(super) kind: SyncKind,
    pub(super) progress: Progress,
    /// Syncs that are answered once everything up to the zxid is sent, as committed.
    pub(super) syncs: std::collections::VecDeque<Zxid>,
}

/// How a learner gets what it lacks: DIFF and TRUNC are one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SyncKind {
    Diff,
    Snap,
}

/// How far a fed learner has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Progress {
    /// It lacks part of the history that NEWLEADER ends.
    History,
    /// NEWLEADER is sent.
    NewLeader,
    /// It has everything up to NEWLEADER durably.
    Acked,
    /// UPTODATE is sent.
    UpToDate,
}

impl LearnerHandler {
    pub(super) fn new(now: Time) -> Self {
        Self {
            server: None,
            role: Role::Observer,
            stage: Stage::Greeting,
            heard: now,
            pings_sent: 0,
            pings_answered: 0,
            unacknowledged: None,
        }
    }

    /// A ping leaves; its number.
    pub(super) fn ping(&mut self) -> u64 {
        self.pings_sent += 1;
        self.pings_sent
    }

    /// A ping is answered.
    pub(super) fn pong(&mut self) -> Result<(), Leave> {
        if self.pings_answered == self.pings_sent {
            return Err(Leave::PongNotAsked);
        }
        self.pings_answered += 1;
        Ok(())
    }

    pub(super) fn pings_answered(&self) -> u64 {
        self.pings_answered
    }

    /// Whether pings reach it: behind SNAP they would be taken for the tree.
    pub(super) fn takes_pings(&self) -> bool {
        matches!(&self.stage, Stage::Fed(fed) if !fed.feed.is_streaming())
    }

    /// Whether it is being synchronised in this way: until it acknowledges NEWLEADER.
    pub(super) fn is_synchronising(&self, by: SyncKind) -> bool {
        matches!(&self.stage, Stage::Fed(fed) if fed.kind == by && !fed.has_acked())
    }

    pub(super) fn is_fed(&self, at_least: Progress) -> bool {
        matches!(&self.stage, Stage::Fed(fed) if fed.progress >= at_least)
    }
}

impl Fed {
    pub(super) fn has_acked(&self) -> bool {
        self.progress >= Progress::Acked
    }

    pub(super) fn is_up_to_date(&self) -> bool {
        self.progress == Progress::UpToDate
    }
}

impl Stage {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Greeting => "waiting for FOLLOWERINFO",
            Self::Informed => "deciding the epoch",
            Self::Invited => "waiting for ACKEPOCH",
            Self::Acknowledged { .. } => "waiting for a quorum of ACKEPOCH",
            Self::Planning { .. } => "planning",
            Self::Fed(fed) if fed.is_up_to_date() => "broadcasting",
            Self::Fed(_) => "synchronising",
        }
    }
}
