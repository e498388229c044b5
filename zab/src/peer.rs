//! One server of an ensemble.

mod role;

#[cfg(test)]
mod exhaustive;

use std::collections::BTreeSet;

use jute::Zxid;
use thiserror::Error;

use crate::core::{Context, Core};
use crate::effect::{Effects, RoleStatus};
use crate::election::{Ballot, EarlyVotes, Strangers};
use crate::history::History;
use crate::input::{Input, LearnerLink};
use crate::leave::Then;
use crate::lobby::Lobby;
use crate::message::Entry;
use crate::overview::Overview;
use crate::quorum::{Config, Configs};
use crate::standing::{Reputation, Standing};
use crate::writes::Writes;
use crate::{Epoch, Options, ServerId, Time};
use role::PeerRole;

/// What a start found on the disk. All of it is durable.
#[derive(Clone, Debug)]
pub struct Recovered {
    /// The last entry of the log, or the snapshot's zxid if the log ends before it. The state
    /// holds everything up to here.
    pub last_zxid: Zxid,
    /// Entries that the log ends with, as many as there are up to `commitLogCount`, for learners.
    /// May be empty.
    pub recent: Vec<Entry>,
    /// `acceptedEpoch`.
    pub accepted_epoch: Epoch,
    /// `currentEpoch`. May be below the epoch of `last_zxid`, if a synchronisation was interrupted.
    pub current_epoch: Epoch,
    /// The established configuration.
    pub committed_config: Config,
    /// The one seen last, if it is another.
    pub last_seen_config: Option<Config>,
    /// What the history is worth: [`Standing::Empty`] for an empty disk without an `initialize`
    /// file, on which no epoch was accepted.
    pub standing: Standing,
}

/// Why a reconfiguration is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ReconfigRefusal {
    /// This server takes no proposals.
    #[error("this server takes no proposals")]
    NotLeading,
    /// Another one is not committed yet.
    #[error("another reconfiguration is in progress")]
    InProgress,
    /// Too few of its voters follow this leader.
    #[error("no quorum of the new configuration follows this leader")]
    NoQuorum,
}

/// A server of an ensemble: votes, leads, follows.
///
/// Everything that happens goes in by [`Peer::handle`], everything that is to be done comes out of
/// it. The same inputs at the same times always lead to the same effects.
///
/// A server alone is its own quorum. This is all that its caller does, with a disk that is always
/// faster:
///
/// ```
/// use bytes::Bytes;
/// use jute::Zxid;
/// use zab::{
///     Effect, Effects, Entry, Epoch, Input, Io, Options, Peer, Recovered, RoleStatus, ServerId,
///     Standing, Time, parse_config,
/// };
///
/// let config = parse_config(b"server.1=localhost:2888:3888:participant\nversion=0")?;
/// let found = Recovered {
///     last_zxid: Zxid(0),
///     recent: Vec::new(),
///     accepted_epoch: Epoch(0),
///     current_epoch: Epoch(0),
///     committed_config: config,
///     last_seen_config: None,
///     standing: Standing::Sound,
/// };
/// let mut peer = Peer::new(ServerId(1), Options::default(), found);
///
/// // What is asked for is done, and said to be done, until nothing is asked for any more.
/// fn run(peer: &mut Peer, input: Input) -> Vec<Zxid> {
///     let (mut inputs, mut effects, mut delivered) = (vec![input], Effects::default(), vec![]);
///     while let Some(input) = inputs.pop() {
///         peer.handle(Time(0), input, &mut effects);
///         for effect in effects.drain() {
///             match effect {
///                 Effect::Io(Io::Store(ticket, _write)) => inputs.insert(0, Input::Stored(ticket)),
///                 Effect::Deliver { through } => delivered.push(through),
///                 _ => {}
///             }
///         }
///     }
///     delivered
/// }
///
/// run(&mut peer, Input::Tick);
/// assert_eq!(peer.status(), RoleStatus::Leading { epoch: Epoch(1) });
///
/// let entry = Entry {
///     zxid: Epoch(1).zxid().next(),
///     bytes: Bytes::from_static(b"header, body, digest"),
///     config: None,
/// };
/// let delivered = run(&mut peer, Input::Propose(entry));
/// assert_eq!(delivered, [Zxid(0x1_0000_0001)]);
/// # Ok::<(), zab::WireError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Peer {
    core: Core,
    role: PeerRole,
    lobby: Lobby,
}

impl Peer {
    /// A server that has just started. It acts from its first input on.
    pub fn new(me: ServerId, options: Options, recovered: Recovered) -> Self {
        let last = recovered.last_zxid;
        let writes = Writes::new(last, recovered.accepted_epoch, recovered.current_epoch);
        let history = History::new(last, recovered.recent, options.commit_log_count);
        let configs = Configs::new(
            recovered.committed_config,
            recovered.last_seen_config,
            options.reconfig_enabled,
        );
        let core = Core {
            me,
            options,
            configs,
            writes,
            history,
            ballot: Ballot::default(),
            masters_tried: 0,
            look_from: Time::default(),
            joined_in_vain: 0,
            heard_of: BTreeSet::new(),
            electors: Vec::new(),
            strangers: Strangers::default(),
            early_votes: EarlyVotes::default(),
            reputation: Reputation::new(recovered.standing),
            reload_due: false,
            leader_links: 0,
            reads: 0,
            stopping: false,
            status: RoleStatus::Looking,
        };
        Self {
            core,
            role: PeerRole::unstarted(),
            lobby: Lobby::default(),
        }
    }

    /// Takes what happened at `now`, and says what is to be done.
    ///
    /// Deadlines that have passed come first: what a process finds in its sockets after a long
    /// sleep is not taken for a sign that nothing has changed.
    pub fn handle(&mut self, now: Time, input: Input, out: &mut Effects) {
        let Self { core, role, lobby } = self;
        let mut cx = Context { now, core, out };
        if role.is_unstarted() {
            // A configuration is saved before the transaction that carries it; a crash in between
            // leaves one that no one proposed.
            cx.forget_config(cx.core.history.last_logged());
            role.enter(&mut cx, Then::Look);
        }
        role.step(&mut cx, PeerRole::on_deadline);
        // An election that this has ended lets those in that wait, before what one of them says.
        role.leave_lobby(&mut cx, lobby);
        match role {
            PeerRole::Settling(_) | PeerRole::Looking(_) if input.is_from_learner() => {
                lobby.on_input(&mut cx, input);
            }
            _ => role.step(&mut cx, |role, cx| role.on_input(cx, input)),
        }
        role.leave_lobby(&mut cx, lobby);
    }

    /// When [`Peer::handle`] is to be called even if nothing happens.
    pub fn next_deadline(&self) -> Option<Time> {
        self.role.next_deadline()
    }

    /// Whether a proposal would be taken now. A leader that has too much outstanding, or is about
    /// to end its reign, takes none; the caller holds requests back until it does, or until the
    /// role changes.
    pub fn may_propose(&self) -> bool {
        matches!(&self.role, PeerRole::Leader(leader) if leader.may_propose())
    }

    /// Whether this configuration may be proposed now. Afterwards nothing is committed, and no one
    /// elected, without a quorum of it: so one must be here, synchronised, and following.
    ///
    /// # Errors
    /// Why it may not.
    pub fn may_reconfigure(&self, config: &Config) -> Result<(), ReconfigRefusal> {
        match &self.role {
            PeerRole::Leader(leader) if leader.may_propose() => {
                if self.core.configs.proposed().is_some() {
                    return Err(ReconfigRefusal::InProgress);
                }
                let follows = |server| server == self.core.me || leader.is_followed_by(server);
                match config.is_quorum(follows) {
                    true => Ok(()),
                    false => Err(ReconfigRefusal::NoQuorum),
                }
            }
            _ => Err(ReconfigRefusal::NotLeading),
        }
    }

    /// Bytes of entries that are not durable yet. The caller stops reading from a leader that is
    /// faster than the disk.
    pub fn undurable_bytes(&self) -> usize {
        self.core.writes.pending_bytes()
    }

    /// Leader only: the learner at the other end of a connection, once it has said who it is. None
    /// if it has come back on another connection since: what arrives late on the old one must not
    /// come behind what it sends on the new one.
    pub fn learner(&self, link: LearnerLink) -> Option<ServerId> {
        match &self.role {
            PeerRole::Leader(leader) => leader.learner(link),
            PeerRole::Settling(_)
            | PeerRole::Looking(_)
            | PeerRole::Learner(_)
            | PeerRole::Halted => None,
        }
    }

    /// This server's id.
    pub fn id(&self) -> ServerId {
        self.core.me
    }

    /// What it does.
    pub fn status(&self) -> RoleStatus {
        self.core.status
    }

    /// What it does, and with whom.
    pub fn overview(&self) -> Overview {
        let config = self.core.configs.committed();
        let (leading_since, learners, master) = match &self.role {
            PeerRole::Leader(leader) => (leader.since(), Some(leader.count_learners(config)), None),
            PeerRole::Learner(learner) => {
                let master = Some(learner.master());
                (None, learner.count_learners(config), master)
            }
            PeerRole::Settling(_) | PeerRole::Looking(_) | PeerRole::Halted => (None, None, None),
        };
        Overview {
            status: self.core.status,
            config: config.clone(),
            leading_since,
            learners,
            master,
        }
    }

    /// `acceptedEpoch`, as on disk.
    pub fn accepted_epoch(&self) -> Epoch {
        self.core.writes.accepted_epoch()
    }

    /// `currentEpoch`, as on disk.
    pub fn current_epoch(&self) -> Epoch {
        self.core.writes.current_epoch()
    }

    /// The last entry of the history, perhaps not yet durable.
    pub fn last_logged(&self) -> Zxid {
        self.core.history.last_logged()
    }

    /// The last entry that is known to be committed.
    pub fn last_committed(&self) -> Zxid {
        self.core.history.committed()
    }

    /// The configurations that count.
    pub fn configs(&self) -> &Configs {
        &self.core.configs
    }

    /// What the own history is worth.
    pub fn standing(&self) -> Standing {
        self.core.reputation.standing()
    }

    /// Whether the tree is known to differ from what the history says, and to build it again from
    /// the disk has not helped.
    pub fn has_doubtful_tree(&self) -> bool {
        self.core.reputation.has_doubtful_tree()
    }
}
