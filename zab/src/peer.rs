//! One server of an ensemble.

use std::collections::{BTreeMap, BTreeSet};

use jute::Zxid;
use jute::quorum::config::Role;
use jute::quorum::election::ServerState;

use thiserror::Error;

use crate::core::{Context, Core};
use crate::effect::{Effect, Effects, Io, RoleStatus, Store};
use crate::election::{Ballot, Looking, Notification, Outcome, Strangers, answer};
use crate::history::History;
use crate::input::{Input, LearnerLink};
use crate::leader::Leader;
use crate::learner::{Choice, Learner};
use crate::leave::{Exit, Leave, Then};
use crate::lobby::Lobby;
use crate::message::Entry;
use crate::overview::Overview;
use crate::quorum::{Config, Configs};
use crate::standing::{Reputation, Standing, Verdict};
use crate::writes::{Stored, Writes};
use crate::{Epoch, Options, ServerId, Ticket, Time};

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

/// What a server is at the moment; each role owns what it alone needs.
#[derive(Clone, Debug)]
enum PeerRole {
    /// Between two roles, until the disk has done everything that the last one asked for. So
    /// nothing that is reported durable later can be taken for something else, and the vote that
    /// follows vouches for durable history only.
    Settling(Settling),
    Looking(Looking),
    Learner(Learner),
    Leader(Leader),
    Halted,
}

#[derive(Clone, Debug)]
struct Settling {
    barrier: Ticket,
    then: Then,
    /// The newest notification of each voter, for the election to come.
    heard: BTreeMap<ServerId, Notification>,
    unreachable: Vec<ServerId>,
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
            reputation: Reputation::new(recovered.standing),
            reload_due: false,
            leader_links: 0,
            reads: 0,
            stopping: false,
            status: RoleStatus::Looking,
        };
        let role = PeerRole::Settling(Settling {
            barrier: Ticket(0),
            then: Then::Look,
            heard: BTreeMap::new(),
            unreachable: Vec::new(),
        });
        let lobby = Lobby::default();
        Self { core, role, lobby }
    }

    /// Takes what happened at `now`, and says what is to be done.
    ///
    /// Deadlines that have passed come first: what a process finds in its sockets after a long
    /// sleep is not taken for a sign that nothing has changed.
    pub fn handle(&mut self, now: Time, input: Input, out: &mut Effects) {
        let Self { core, role, lobby } = self;
        let mut cx = Context { now, core, out };
        if let PeerRole::Settling(settling) = role
            && settling.barrier == Ticket(0)
        {
            // The very first input: what was found at the start is durable. A configuration is
            // saved before the transaction that carries it; a crash in between leaves one that no
            // one proposed.
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
        match &self.role {
            PeerRole::Settling(_) | PeerRole::Halted => None,
            PeerRole::Looking(looking) => looking.next_deadline(),
            PeerRole::Learner(learner) => learner.next_deadline(),
            PeerRole::Leader(leader) => leader.next_deadline(),
        }
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

impl PeerRole {
    /// Does something that may end the role.
    fn step(
        &mut self,
        cx: &mut Context<'_>,
        action: impl FnOnce(&mut Self, &mut Context<'_>) -> Result<(), Exit>,
    ) {
        if let Err(exit) = action(self, cx) {
            self.leave(cx, exit);
        }
    }

    /// Ends the role. The next one starts when the disk has settled.
    fn leave(&mut self, cx: &mut Context<'_>, exit: Exit) {
        match std::mem::replace(self, Self::Halted) {
            Self::Learner(learner) => learner.end(cx, exit.why),
            Self::Leader(leader) => leader.end(cx, &exit.why),
            Self::Settling(_) | Self::Looking(_) | Self::Halted => {}
        }
        if exit.then == Then::Halt || cx.core.stopping {
            return cx.change_status(RoleStatus::Halted);
        }
        cx.change_status(RoleStatus::Looking);
        *self = Self::Settling(Settling {
            barrier: cx.store(Store::Barrier),
            then: exit.then,
            heard: BTreeMap::new(),
            unreachable: Vec::new(),
        });
    }

    /// Starts the next role.
    fn enter(&mut self, cx: &mut Context<'_>, then: Then) {
        match then {
            Then::Halt => *self = Self::Halted,
            Then::Join(leader) => self.follow_or_lead(cx, leader, Choice::Designated),
            Then::Look => {
                let mut looking = Looking::start(cx);
                let outcome = looking.started(cx);
                *self = Self::Looking(looking);
                self.conclude(cx, outcome);
            }
        }
    }

    fn conclude(&mut self, cx: &mut Context<'_>, outcome: Outcome) {
        match outcome {
            Outcome::Open => {}
            Outcome::Restart => self.enter(cx, Then::Look),
            Outcome::Elected(leader) => self.follow_or_lead(cx, leader, Choice::Elected),
        }
    }

    fn follow_or_lead(&mut self, cx: &mut Context<'_>, leader: ServerId, choice: Choice) {
        if leader != cx.core.me {
            *self = Self::Learner(Learner::start(cx, leader, choice));
        } else if cx.core.may_lead() {
            match Leader::start(cx) {
                Ok(leader) => *self = Self::Leader(leader),
                Err(exit) => self.leave(cx, exit),
            }
        } else {
            self.enter(cx, Then::Look);
        }
    }

    /// Learners that came early are let in, or sent away, once the election is over.
    fn leave_lobby(&mut self, cx: &mut Context<'_>, lobby: &mut Lobby) {
        match self {
            Self::Settling(_) | Self::Looking(_) => {}
            Self::Leader(_) => {
                for input in lobby.open() {
                    self.step(cx, |role, cx| role.on_input(cx, input));
                }
            }
            Self::Learner(_) | Self::Halted => lobby.close(cx),
        }
    }

    fn on_deadline(&mut self, cx: &mut Context<'_>) -> Result<(), Exit> {
        match self {
            Self::Looking(looking) => {
                let outcome = looking.on_deadline(cx);
                self.conclude(cx, outcome);
                Ok(())
            }
            Self::Learner(learner) => learner.on_deadline(cx),
            Self::Leader(leader) => leader.on_deadline(cx),
            Self::Settling(_) | Self::Halted => Ok(()),
        }
    }

    fn on_input(&mut self, cx: &mut Context<'_>, input: Input) -> Result<(), Exit> {
        match input {
            Input::Tick => Ok(()),
            Input::Notification { from, notification } => {
                self.on_notification(cx, from, notification)
            }
            Input::Unreachable { peer } => self.on_unreachable(cx, peer),
            Input::Stored(through) | Input::TruncateMissed(through) => {
                let missed = matches!(input, Input::TruncateMissed(_));
                self.on_stored(cx, through, missed)
            }
            Input::StoreFailed(_) => Err(Exit::halt(Leave::DiskFailed)),
            Input::Oracle(says) => self.on_oracle(cx, says),
            Input::DigestMismatch { zxid } => self.on_mismatch(cx, zxid),
            Input::ObserverConnected(link)
                if !matches!(self, Self::Learner(_) | Self::Leader(_)) =>
            {
                cx.out.push(Io::DropLearner(link, Leave::NotLeading));
                Ok(())
            }
            Input::HandOver => {
                cx.core.stopping = true;
                match self {
                    Self::Leader(leader) => leader.hand_over(cx),
                    _ => Err(Exit::halt(Leave::Stopping)),
                }
            }
            input => match self {
                Self::Learner(learner) => learner.on_input(cx, input),
                Self::Leader(leader) => leader.on_input(cx, input),
                _ => Ok(()),
            },
        }
    }

    fn on_notification(
        &mut self,
        cx: &mut Context<'_>,
        from: ServerId,
        notification: Notification,
    ) -> Result<(), Exit> {
        cx.core.reputation.heard(from, &notification.vote);
        if cx.core.configs.is_voter(from) {
            cx.core.heard_of.insert(from);
        }
        if let Self::Halted = self {
            return Ok(());
        }
        let (state, proposal) = match self {
            Self::Settling(settling) => {
                if cx.core.configs.is_voter(from) {
                    settling.heard.insert(from, notification);
                }
                return Ok(());
            }
            Self::Looking(looking) => (ServerState::Looking, Some(looking.proposal(cx))),
            Self::Leader(_) => (ServerState::Leading, None),
            Self::Learner(learner) => match learner.role() {
                Role::Participant => (ServerState::Following, None),
                Role::Observer => (ServerState::Observing, None),
            },
            Self::Halted => return Ok(()),
        };
        answer(cx, state, proposal, from, &notification);
        match self {
            Self::Looking(looking) => {
                let outcome = looking.on_notification(cx, from, &notification);
                self.conclude(cx, outcome);
                Ok(())
            }
            Self::Learner(learner) => {
                let looks = notification.state == ServerState::Looking;
                let again = looks && notification.round > cx.core.ballot.vote_round;
                if from == learner.leader() && again {
                    return learner.on_leader_looking();
                }
                Ok(())
            }
            Self::Leader(leader) if notification.state == ServerState::Looking => {
                leader.on_elector_looking(cx, from, notification.vote)
            }
            _ => Ok(()),
        }
    }

    fn on_oracle(&mut self, cx: &mut Context<'_>, says: bool) -> Result<(), Exit> {
        cx.core.configs.hear_oracle(says);
        match self {
            Self::Looking(looking) => {
                let outcome = looking.on_oracle(cx);
                self.conclude(cx, outcome);
                Ok(())
            }
            Self::Leader(leader) => leader.on_oracle(cx),
            Self::Settling(_) | Self::Learner(_) | Self::Halted => Ok(()),
        }
    }

    fn on_unreachable(&mut self, cx: &mut Context<'_>, peer: ServerId) -> Result<(), Exit> {
        match self {
            Self::Settling(settling) => {
                settling.heard.remove(&peer);
                if cx.core.configs.is_voter(peer) && !settling.unreachable.contains(&peer) {
                    settling.unreachable.push(peer);
                }
                Ok(())
            }
            Self::Looking(looking) => {
                let outcome = looking.on_unreachable(cx, peer);
                self.conclude(cx, outcome);
                Ok(())
            }
            Self::Learner(learner) if learner.leader() == peer => learner.on_leader_gone(),
            Self::Learner(_) | Self::Leader(_) | Self::Halted => Ok(()),
        }
    }

    fn on_stored(
        &mut self,
        cx: &mut Context<'_>,
        through: Ticket,
        missed: bool,
    ) -> Result<(), Exit> {
        while let Some(stored) = cx.core.writes.complete_next(through) {
            if let (true, Stored::Truncate(zxid)) = (missed, stored) {
                // Whatever the log ends with now, it is no prefix of the leader's history.
                cx.core.reputation.uncut();
                cx.core.writes.void_pending();
                cx.core.history.truncate(zxid);
                // Nothing was cut, so there is nothing to load: a leader's tree has to come.
                cx.core.reload_due = false;
                self.leave(cx, Leave::TruncateMissed(zxid).into());
                continue;
            }
            match stored {
                Stored::AcceptedEpoch(_) => cx.core.reputation.promised(),
                Stored::Truncate(zxid) if std::mem::take(&mut cx.core.reload_due) => {
                    cx.out.push(Effect::Reload(zxid));
                }
                _ => {}
            }
            match self {
                Self::Settling(settling) if stored == Stored::Barrier(settling.barrier) => {
                    self.settled(cx);
                }
                // A leader's history is taken over, though the leader was lost before it could be
                // told: a start would find the same, and trust it.
                Self::Settling(_) if matches!(stored, Stored::CurrentEpoch(_)) => {
                    cx.core.reputation.synchronised(cx.core.writes.log_end());
                }
                Self::Learner(learner) => learner.on_stored(cx, stored),
                Self::Leader(leader) => {
                    let result = leader.on_stored(cx, stored);
                    self.step(cx, |_, _| result);
                }
                Self::Settling(_) | Self::Looking(_) | Self::Halted => {}
            }
        }
        Ok(())
    }

    /// The disk has done everything that the last role asked for.
    fn settled(&mut self, cx: &mut Context<'_>) {
        let Self::Settling(settling) = std::mem::replace(self, Self::Halted) else {
            return;
        };
        assert_eq!(
            cx.core.writes.log_end(),
            cx.core.history.last_logged(),
            "everything logged is durable before the next role"
        );
        self.enter(cx, settling.then);
        for (from, notification) in settling.heard {
            self.step(cx, |role, cx| role.on_notification(cx, from, notification));
        }
        for peer in settling.unreachable {
            self.step(cx, |role, cx| role.on_unreachable(cx, peer));
        }
    }

    /// The tree is not what it should be. The caller has already tried to build it again from the
    /// disk.
    fn on_mismatch(&mut self, cx: &mut Context<'_>, zxid: Zxid) -> Result<(), Exit> {
        let leads = matches!(self, Self::Leader(_));
        let verdict = cx.core.reputation.mismatch(zxid);
        if verdict == Verdict::Alarm {
            cx.out.push(Effect::Alarm(zxid));
        }
        match self {
            Self::Leader(_) | Self::Learner(_) | Self::Looking(_)
                if leads || verdict == Verdict::Resync =>
            {
                Err(Leave::DigestMismatch(zxid).into())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod exhaustive;
