//! What a member wants of its shell, and what it came to.

use std::sync::Arc;

use jute::Zxid;
use jute::quorum::config::Member as MemberLine;
use zab::election::Notification;
use zab::{
    Entry, LeaderLink, LeaderPacket, LearnerLink, LearnerPacket, Leave, ReadId, RoleStatus,
    ServerId, Store, Ticket,
};

use crate::Connection;
use crate::answer::Touched;

/// What is to be done, in the order given. What consensus wants is told further in the
/// documentation of [`zab::Effect`].
#[derive(Clone, Debug)]
pub enum Effect {
    /// Changes the disk; answered by [`zab::Input::Stored`]. One queue, in order, together with
    /// [`Effect::Reload`]. Before a [`Store::InstallSnapshot`] is reported as stored, the state
    /// that it holds comes as [`Input::Loaded`](super::Input::Loaded).
    Store(Ticket, Store),
    /// Loads the state from snapshot and log again, as of this zxid and no further, when the
    /// stores before this are done. Answered by [`Input::Loaded`](super::Input::Loaded); by nothing
    /// if the truncation that it comes with has missed ([`zab::Input::TruncateMissed`]).
    Reload(Zxid),
    /// Sends a message of the election port, connecting on demand.
    Notify {
        /// To whom.
        to: ServerId,
        /// The message.
        notification: Notification,
    },
    /// Connects to the quorum port of a leader.
    Connect {
        /// The connection's name from here on.
        link: LeaderLink,
        /// Whom.
        to: ServerId,
        /// Its line, if the configuration has one.
        member: Option<MemberLine>,
    },
    /// Connects to the `observerMasterPort` of a follower instead, on its first address.
    ConnectToObserverMaster {
        /// The connection's name from here on.
        link: LeaderLink,
        /// Whom.
        to: ServerId,
        /// Its line, if the configuration has one.
        member: Option<MemberLine>,
    },
    /// Closes it, or stops connecting. A tree that came on it and is not installed is thrown
    /// away.
    LeaveLeader(LeaderLink, Leave),
    /// Sends to the leader.
    ToLeader(LeaderLink, LearnerPacket),
    /// Takes the tree that follows on the link, aside from the one in use.
    ReceiveSnapshot(LeaderLink, Zxid),
    /// Applies a committed entry to the received tree.
    StageEntry(Entry),
    /// Closes a learner's connection; behind what was sent on it, if [`Leave::is_orderly`].
    DropLearner(LearnerLink, Leave),
    /// Sends to a learner.
    ToLearner(LearnerLink, LeaderPacket),
    /// Sends the tree as it is at some moment from now on.
    SendSnapshot(LearnerLink),
    /// Reads the log for a learner.
    ReadLog {
        /// The read's name.
        read: ReadId,
        /// Entries behind it are wanted.
        after: Zxid,
        /// The last one wanted.
        through: Zxid,
        /// Enough, once there are so many bytes; at least one entry.
        bytes_max: usize,
        /// Refuse if a snapshot is cheaper, or on-disk synchronisation is off.
        opening: bool,
    },
    /// What this server does has changed; clients have been told.
    RoleChanged(RoleStatus),
    /// A digest mismatch that resynchronisation did not cure: an operator should know.
    Alarm(Zxid),
}

/// What a call came to.
#[derive(Default)]
pub struct Outcome {
    pub(super) effects: Vec<Effect>,
    pub(super) touched: Touched,
}

impl Outcome {
    /// What is to be done, in order.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// The connections that have something to send, each once.
    pub fn take_touched(&mut self) -> Vec<Arc<Connection>> {
        std::mem::take(&mut self.touched).into_inner()
    }
}
