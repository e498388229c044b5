//! Everything that a peer can ask for.

use jute::Zxid;
use jute::quorum::SessionTouch;

use crate::election::Notification;
use crate::input::{LeaderLink, LearnerLink, ReadId, SyncId};
use crate::leave::Leave;
use crate::message::{Entry, LeaderPacket, LearnerPacket, Request};
use crate::quorum::Config;
use crate::{Epoch, ServerId, Ticket};
use jute::quorum::config::Member;

/// What is to be done, in the order given.
///
/// A message may leave as soon as it is handed out: whatever must be durable before it has
/// been reported durable. Nothing here waits for anything else here, but:
///
/// * [`Io::Store`]s are one queue: carried out and completed in order;
/// * what is sent over one link leaves in order;
/// * [`Effect::Deliver`]s are in the order of the history.
#[derive(Clone, Debug)]
pub enum Effect {
    /// For disk and network alone.
    Io(Io),

    /// Everything up to here is committed: apply it. The caller has the entries, from
    /// [`Store::Append`] or [`Input::Propose`](crate::Input::Propose), or finds them in its log.
    Deliver {
        /// The last one.
        through: Zxid,
    },
    /// The state in memory had part of what a truncation has removed: it is to be loaded again, as
    /// the history was up to this zxid. The truncation is durable by now; entries behind it may be
    /// on their way to the disk. Nothing is delivered before.
    Reload(Zxid),
    /// Sends the tree, with everything delivered by now at the least, behind the SNAP packet.
    /// Answered by [`Input::SnapshotSent`](crate::Input::SnapshotSent). However long it takes: a
    /// learner that takes no more of it is for the caller to give up
    /// ([`Input::LearnerLost`](crate::Input::LearnerLost)).
    SendSnapshot(LearnerLink),

    /// Answers a ping: the caller adds the sessions that it heard of.
    Pong(LeaderLink, Zxid),
    /// A request that a learner forwarded. A sync comes back as
    /// [`Input::LearnerSync`](crate::Input::LearnerSync), behind what was forwarded before it.
    Forwarded(LearnerLink, Request),
    /// A learner asks whether a session is alive; the answer is
    /// [`Input::Revalidated`](crate::Input::Revalidated).
    Revalidate {
        /// The learner.
        link: LearnerLink,
        /// The session.
        session: i64,
        /// Its timeout in milliseconds.
        timeout_ms: i32,
    },
    /// The leader's answer to a revalidation of ours.
    Revalidated {
        /// The session.
        session: i64,
        /// Whether it is alive.
        valid: bool,
    },
    /// Sessions that a learner heard of. On an observer master they go to the leader with the next
    /// [`Effect::Pong`], as its own do.
    Touched(LearnerLink, Vec<SessionTouch>),
    /// A sync of the leader's own client is done.
    Synced(SyncId),
    /// A learner's oldest open sync is done.
    SyncAnswered,

    /// What this server does has changed.
    RoleChanged(RoleStatus),
    /// A digest mismatch that resynchronisation did not cure.
    Alarm(Zxid),
}

/// What disk and network are to do. It needs neither the state nor what is known of clients, so
/// whoever stands between a peer and its sockets hands it on as it is.
#[derive(Clone, Debug)]
pub enum Io {
    /// Changes the disk; answered by [`Input::Stored`](crate::Input::Stored).
    Store(Ticket, Store),

    /// Sends a message of the election port, connecting on demand. A newer one replaces one that
    /// could not be sent yet.
    Notify {
        /// To whom.
        to: ServerId,
        /// The message.
        notification: Notification,
    },
    /// Connects to the quorum port of a leader, all its addresses at once.
    Connect {
        /// The connection's name from here on.
        link: LeaderLink,
        /// Whom.
        to: ServerId,
        /// Its line, if the configuration has one.
        member: Option<Member>,
    },
    /// Connects to the `observerMasterPort` of a follower instead, on its first address: it stands
    /// in for the leader.
    ConnectToObserverMaster {
        /// The connection's name from here on.
        link: LeaderLink,
        /// Whom.
        to: ServerId,
        /// Its line, if the configuration has one.
        member: Option<Member>,
    },
    /// Closes it (or stops connecting). A tree that came on it and is not installed is thrown
    /// away.
    LeaveLeader(LeaderLink, Leave),
    /// Sends to the leader.
    ToLeader(LeaderLink, LearnerPacket),
    /// Takes the tree that follows on the link, aside from the one in use. Answered by
    /// [`Input::SnapshotReceived`](crate::Input::SnapshotReceived). If the link is left before
    /// [`Store::InstallSnapshot`], it is thrown away.
    ReceiveSnapshot(LeaderLink, Zxid),
    /// Applies a committed entry to the received tree, which may have some of its effects already.
    StageEntry(Entry),

    /// Closes a learner's connection: behind what was sent on it if the end is an orderly one
    /// ([`Leave::is_orderly`]), at once if not.
    DropLearner(LearnerLink, Leave),
    /// Sends to a learner.
    ToLearner(LearnerLink, LeaderPacket),
    /// Reads the log for a learner. Answered by [`Input::LogRead`](crate::Input::LogRead).
    ReadLog {
        /// The read's name.
        read: ReadId,
        /// The position: entries behind it are wanted.
        after: Zxid,
        /// The last entry wanted.
        through: Zxid,
        /// Enough, once there are so many bytes; at least one entry.
        bytes_max: usize,
        /// Refuse if a snapshot is cheaper (`snapshotSizeFactor`), or on-disk synchronisation is
        /// off.
        opening: bool,
        /// Let others have the disk for a while before the answer.
        gently: bool,
    },
}

impl From<Io> for Effect {
    fn from(io: Io) -> Self {
        Self::Io(io)
    }
}

/// A change of the disk. They are carried out in the order given, and a completion stands for
/// all before it.
#[derive(Clone, Debug)]
pub enum Store {
    /// Appends to the log.
    Append(Entry),
    /// Removes everything behind `zxid` from the log, and every snapshot that contains any of it.
    /// What is removed never comes back. If the log then does not end with `zxid`, because it never
    /// had it, [`Input::TruncateMissed`](crate::Input::TruncateMissed) is the answer, and nothing
    /// that was asked for behind it and before the next [`Store::Barrier`] is carried out: entries
    /// would stand behind a hole.
    Truncate(Zxid),
    /// Makes the received tree, with what was applied to it, the whole history up to this zxid: as
    /// a snapshot it becomes visible, the older ones and the log are gone, and it becomes the
    /// state. After a crash either all of this happened or nothing.
    InstallSnapshot(Zxid),
    /// Writes `acceptedEpoch`.
    AcceptedEpoch(Epoch),
    /// Writes `currentEpoch`.
    CurrentEpoch(Epoch),
    /// Writes the established configuration.
    CommittedConfig(Config),
    /// Writes the configuration seen last, which is not established yet.
    LastSeenConfig(Config),
    /// Changes nothing: its completion says that everything before it is done.
    Barrier,
}

/// What a peer does, for those who look from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleStatus {
    /// No leader.
    Looking,
    /// Has a leader; not synchronised yet. Clients are not served.
    Joining {
        /// The leader.
        leader: ServerId,
    },
    /// Follows.
    Following {
        /// The leader.
        leader: ServerId,
        /// Its epoch.
        epoch: Epoch,
    },
    /// Follows without a vote.
    Observing {
        /// The leader, as far as this server has heard: an observer master does not say whom it
        /// follows, so while it serves this server another one of its own may have been elected.
        leader: ServerId,
        /// The leader's epoch.
        epoch: Epoch,
    },
    /// Elected; not established yet.
    Preparing,
    /// Leads: proposals may come, from `epoch`'s first zxid on.
    Leading {
        /// The epoch.
        epoch: Epoch,
    },
    /// Does nothing any more: stopped, or its disk failed.
    Halted,
}

impl RoleStatus {
    /// Whether clients are served.
    pub fn serves(self) -> bool {
        match self {
            Self::Following { .. } | Self::Observing { .. } | Self::Leading { .. } => true,
            Self::Looking | Self::Joining { .. } | Self::Preparing | Self::Halted => false,
        }
    }
}

/// Collects effects, in order.
#[derive(Debug, Default)]
pub struct Effects(Vec<Effect>);

impl Effects {
    /// Asks for something more.
    pub(crate) fn push(&mut self, effect: impl Into<Effect>) {
        self.0.push(effect.into());
    }

    /// Hands out everything collected so far, in order.
    pub fn drain(&mut self) -> impl Iterator<Item = Effect> {
        self.0.drain(..)
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
