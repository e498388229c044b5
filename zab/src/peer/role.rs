//! What a server is at the moment, and how one role follows another.

use std::collections::BTreeMap;

use jute::Zxid;
use jute::quorum::config::Role;
use jute::quorum::election::ServerState;

use crate::core::Context;
use crate::effect::{Effect, Io, RoleStatus, Store};
use crate::election::{Looking, Notification, Outcome, answer};
use crate::input::Input;
use crate::leader::Leader;
use crate::learner::{Choice, Learner};
use crate::leave::{Exit, Leave, Then};
use crate::lobby::Lobby;
use crate::standing::Verdict;
use crate::writes::Stored;
use crate::{ServerId, Ticket, Time};

/// What a server is at the moment; each role owns what it alone needs.
#[derive(Clone, Debug)]
pub(crate) enum PeerRole {
    /// Between two roles, until the disk has done everything that the last one asked for. So
    /// nothing that is reported durable later can be taken for something else, and the vote that
    /// follows vouches for durable history only.
    Settling(Settling),
    Looking(Looking),
    Learner(Learner),
    Leader(Leader),
    Halted,
}

/// Until the disk has settled.
#[derive(Clone, Debug)]
pub(crate) struct Settling {
    barrier: Ticket,
    then: Then,
    /// The newest notification of each voter, for the election to come.
    heard: BTreeMap<ServerId, Notification>,
    unreachable: Vec<ServerId>,
}

impl Settling {
    fn new(barrier: Ticket, then: Then, heard: BTreeMap<ServerId, Notification>) -> Self {
        Self {
            barrier,
            then,
            heard,
            unreachable: Vec::new(),
        }
    }
}

impl PeerRole {
    /// Before the first input: what was found at the start is durable.
    pub(super) fn unstarted() -> Self {
        Self::Settling(Settling::new(Ticket(0), Then::Look, BTreeMap::new()))
    }

    pub(super) fn is_unstarted(&self) -> bool {
        matches!(self, Self::Settling(settling) if settling.barrier == Ticket(0))
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        match self {
            Self::Settling(_) | Self::Halted => None,
            Self::Looking(looking) => looking.next_deadline(),
            Self::Learner(learner) => learner.next_deadline(),
            Self::Leader(leader) => leader.next_deadline(),
        }
    }

    /// Does something that may end the role.
    pub(super) fn step(
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
        let wait_ms = cx.core.options.finalize_wait_ms;
        let heard = cx.core.early_votes.take(cx.now, wait_ms);
        *self = Self::Settling(Settling::new(cx.store(Store::Barrier), exit.then, heard));
    }

    /// Starts the next role.
    pub(super) fn enter(&mut self, cx: &mut Context<'_>, then: Then) {
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
    pub(super) fn leave_lobby(&mut self, cx: &mut Context<'_>, lobby: &mut Lobby) {
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

    pub(super) fn on_deadline(&mut self, cx: &mut Context<'_>) -> Result<(), Exit> {
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

    pub(super) fn on_input(&mut self, cx: &mut Context<'_>, input: Input) -> Result<(), Exit> {
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
        if proposal.is_none() && cx.core.configs.is_voter(from) {
            let round = cx.core.ballot.round;
            cx.core
                .early_votes
                .heard(from, &notification, round, cx.now);
        }
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
