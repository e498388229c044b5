//! The role of a server in an election.

use std::collections::BTreeSet;

use jute::quorum::config::Role;
use jute::quorum::election::ServerState;

use super::backoff::Backoff;
use super::{Cast, Notification, Tally, Vote};
use crate::core::Context;
use crate::effect::Io;
use crate::time::earlier;
use crate::{ServerId, Time};

/// No ensemble has so many elections. Who says so would take the rounds of all others away.
const ROUND_MAX: i64 = i64::MAX / 2;

/// What a message or a deadline led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The election goes on.
    Open,
    /// It is over: this server leads.
    Elected(ServerId),
    /// The configuration changed: it starts anew.
    Restart,
}

/// In an election.
#[derive(Clone, Debug)]
pub(crate) struct Looking {
    /// Where this server starts from in each round.
    initial: Vote,
    /// What it wants now: the best vote heard of in this round.
    proposal: Vote,
    /// Votes of this round.
    votes: Tally,
    /// Votes of servers that follow or lead already.
    established: Tally,
    /// Voters that are gone: no better vote will come from them.
    unreachable: BTreeSet<ServerId>,
    backoff: Backoff,
    /// Set while a quorum agrees with the proposal.
    finalize: Option<Time>,
}

impl Looking {
    /// Starts the next round. Everything logged must be durable: the vote vouches for it.
    pub(crate) fn start(cx: &mut Context<'_>) -> Self {
        cx.core.ballot.round += 1;
        let initial = initial_vote(cx);
        let waits = cx.core.look_from > cx.now;
        let looking = Self {
            initial,
            proposal: initial,
            votes: Tally::default(),
            established: Tally::default(),
            unreachable: BTreeSet::new(),
            backoff: match waits {
                true => Backoff::starting(&cx.core.options, cx.core.look_from),
                false => Backoff::new(&cx.core.options, cx.now),
            },
            finalize: None,
        };
        if !waits {
            looking.broadcast(cx);
        }
        looking
    }

    /// A single voter needs no one else.
    pub(crate) fn started(&mut self, cx: &mut Context<'_>) -> Outcome {
        self.decide(cx)
    }

    /// What this server answers in the election.
    pub(crate) fn proposal(&self, cx: &Context<'_>) -> Vote {
        if has_voice(cx) {
            self.proposal
        } else {
            Vote::NONE
        }
    }

    /// Whether a quorum agrees, and only the last wait is left.
    #[cfg(test)]
    pub(crate) fn is_finalizing(&self) -> bool {
        self.finalize.is_some()
    }

    /// Everything but the times: who agrees in all of this acts alike from here on.
    #[cfg(test)]
    pub(crate) fn timeless(&self) -> String {
        let votes = (&self.votes, &self.established);
        let proposals = (self.initial, self.proposal);
        let waits = self.finalize.is_some();
        format!("{proposals:?} {votes:?} {:?} {waits}", self.unreachable)
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        earlier(Some(self.backoff.due()), self.finalize)
    }

    pub(crate) fn on_deadline(&mut self, cx: &mut Context<'_>) -> Outcome {
        if self.finalize.is_some_and(|at| at <= cx.now) {
            self.finalize = None;
            let outcome = self.conclude(cx, self.proposal, cx.core.ballot.round);
            // The others may agree on this server though it must not lead: it goes on asking.
            if outcome != Outcome::Open {
                return outcome;
            }
        }
        if self.backoff.expired(cx.now) {
            self.broadcast(cx);
        }
        Outcome::Open
    }

    /// A connection to a voter was refused or reset. One that was never heard of may be starting
    /// along with this server: it is waited for like one that is silent.
    pub(crate) fn on_unreachable(&mut self, cx: &mut Context<'_>, peer: ServerId) -> Outcome {
        if cx.core.heard_of.contains(&peer) {
            self.unreachable.insert(peer);
        }
        self.decide(cx)
    }

    /// The oracle may have made this server's voice a quorum, or taken that back.
    pub(crate) fn on_oracle(&mut self, cx: &mut Context<'_>) -> Outcome {
        self.decide(cx)
    }

    pub(crate) fn on_notification(
        &mut self,
        cx: &mut Context<'_>,
        from: ServerId,
        notification: &Notification,
    ) -> Outcome {
        if adopt_config(cx, notification) {
            return Outcome::Restart;
        }
        self.lose_voice(cx);
        let configs = &cx.core.configs;
        // A stock server that a reconfiguration gave its leader says round -1.
        let first = match notification.state {
            ServerState::Looking => 0,
            _ => -1,
        };
        let credible = (first..ROUND_MAX).contains(&notification.round);
        if !credible || !configs.is_voter(from) || !configs.is_voter(notification.vote.leader) {
            return Outcome::Open;
        }
        self.unreachable.remove(&from);
        self.backoff.heard(cx.now);
        match notification.state {
            ServerState::Looking => self.on_vote(cx, from, notification),
            ServerState::Following | ServerState::Leading => {
                self.on_follower(cx, from, notification)
            }
            ServerState::Observing => Outcome::Open,
        }
    }

    /// Someone else is looking too.
    fn on_vote(
        &mut self,
        cx: &mut Context<'_>,
        from: ServerId,
        notification: &Notification,
    ) -> Outcome {
        let vote = notification.vote;
        if notification.round < cx.core.ballot.round {
            if self.brings_forward(cx, &vote) {
                self.propose(vote);
                self.broadcast(cx);
            }
            return Outcome::Open;
        }
        if notification.round > cx.core.ballot.round {
            cx.core.ballot.round = notification.round;
            self.votes.clear();
            self.propose(self.initial);
            if self.is_better(cx, &vote) {
                self.proposal = vote;
            }
            self.broadcast(cx);
        } else if self.is_better(cx, &vote) {
            self.propose(vote);
            self.broadcast(cx);
        }
        self.votes.record(from, Cast::of(notification));
        self.decide(cx)
    }

    /// Someone has a leader already. It is ours too if a quorum follows it and it knows.
    ///
    /// A quorum of the committed configuration is enough: the leader has been elected by whatever
    /// quorums it needed. One that this server saw proposed may never have been committed, and
    /// never get a quorum.
    fn on_follower(
        &mut self,
        cx: &mut Context<'_>,
        from: ServerId,
        notification: &Notification,
    ) -> Outcome {
        let cast = Cast::of(notification);
        let (leader, round) = (cast.vote.leader, cast.round);
        if round == cx.core.ballot.round {
            let recorded = Cast {
                versioned: false,
                ..cast
            };
            self.votes.record(from, recorded);
            // The own vote of this round is one of them, as in Apache: the others may be no quorum
            // without this server, and wait for it.
            let (me, own) = (cx.core.me, has_voice(cx) && self.proposal == cast.vote);
            let agrees = |server| match server == me {
                true => own,
                false => self.votes.agrees(server, &cast),
            };
            if cx.core.configs.committed().is_quorum(agrees)
                && leads(cx, &self.votes, leader, round)
            {
                return self.conclude(cx, cast.vote, round);
            }
        }
        self.established.record(from, cast);
        if self
            .established
            .is_quorum(&cast, cx.core.configs.committed())
            && leads(cx, &self.established, leader, round)
        {
            return self.join(cx, &cast);
        }
        if cast.state == ServerState::Leading && leader == from && cx.core.configs.trusts_leader() {
            return self.join(cx, &cast);
        }
        match self.finalize {
            // It may be one of the quorum, and have gone elsewhere.
            Some(_) => self.decide(cx),
            None => Outcome::Open,
        }
    }

    /// Whether a vote of an earlier round is to be taken over in this one. Who is behind is told
    /// the round by answers, but one that names no one is heeded nowhere, not by Apache's servers
    /// either: this server and the other would wait for each other for ever. Once it names someone,
    /// the others come to its round.
    ///
    /// It does not go back to theirs: in an earlier round it may have named itself, before it
    /// learned of a configuration under which it must not lead. No one takes back a vote for a
    /// better server within a round.
    fn brings_forward(&self, cx: &Context<'_>, vote: &Vote) -> bool {
        // An observer, or who was wiped, is counted in no round.
        self.initial != Vote::NONE
            && self.proposal.leader == ServerId::NON_VOTER
            && vote.beats(&self.initial, cx.core.configs.committed())
    }

    fn is_better(&self, cx: &Context<'_>, vote: &Vote) -> bool {
        vote.beats(&self.proposal, cx.core.configs.committed())
    }

    fn propose(&mut self, vote: Vote) {
        self.proposal = vote;
        self.finalize = None;
    }

    /// A server that learns only now that its disk was wiped takes back what it proposed.
    fn lose_voice(&mut self, cx: &Context<'_>) {
        if !has_voice(cx) && self.initial != Vote::NONE {
            self.initial = Vote::NONE;
            if self.proposal.leader == cx.core.me {
                self.propose(Vote::NONE);
            }
        }
    }

    /// Ends the election, now or after a last wait for something better, if a quorum agrees.
    fn decide(&mut self, cx: &mut Context<'_>) -> Outcome {
        let (me, round) = (cx.core.me, cx.core.ballot.round);
        let wanted = Cast {
            vote: self.proposal,
            round,
            state: ServerState::Looking,
            versioned: true,
        };
        let voice = has_voice(cx);
        let agrees = |server| {
            if server == me {
                voice
            } else {
                self.votes.agrees(server, &wanted)
            }
        };
        let configs = &cx.core.configs;
        if self.proposal.leader == ServerId::NON_VOTER || !configs.is_quorum(agrees) {
            self.finalize = None;
            return Outcome::Open;
        }
        // The wait lets a better vote arrive. No one is left who could cast one if every
        // voter agrees, or has no process that could answer.
        let silent = |server: &ServerId| !agrees(*server) && !self.unreachable.contains(server);
        if !configs.voters().iter().any(silent) {
            return self.conclude(cx, self.proposal, round);
        }
        let wait_ms = cx.core.options.finalize_wait_ms;
        let end = cx.now.after_ms(wait_ms);
        self.finalize.get_or_insert(end);
        Outcome::Open
    }

    /// Goes along with an established ensemble, in the round of its election if it says which.
    fn join(&self, cx: &mut Context<'_>, cast: &Cast) -> Outcome {
        if cast.round >= 0 {
            cx.core.ballot.round = cast.round;
        }
        self.conclude(cx, cast.vote, cast.round)
    }

    fn conclude(&self, cx: &mut Context<'_>, vote: Vote, round: i64) -> Outcome {
        if vote.leader == cx.core.me && !cx.core.may_lead() {
            return Outcome::Open;
        }
        let elected = Cast {
            vote,
            round,
            state: ServerState::Looking,
            versioned: true,
        };
        let agrees = |server: &ServerId| self.votes.agrees(*server, &elected);
        let voters = cx.core.configs.voters().into_iter();
        cx.core.electors = voters.filter(agrees).collect();
        cx.core.ballot.vote = vote;
        cx.core.ballot.vote_round = round;
        Outcome::Elected(vote.leader)
    }

    fn broadcast(&self, cx: &mut Context<'_>) {
        let notification = Notification {
            state: ServerState::Looking,
            vote: self.proposal(cx),
            round: cx.core.ballot.round,
            version: Notification::VERSION,
            config: Some(cx.core.configs.committed().clone()),
        };
        for to in cx.core.configs.voters() {
            if to != cx.core.me {
                let notification = notification.clone();
                cx.out.push(Io::Notify { to, notification });
            }
        }
    }
}

/// Whether this server votes. Whether its vote counts is for others to say: it may be a voter in
/// a configuration that has been proposed to them but not to it, and that needs its quorum.
fn has_voice(cx: &Context<'_>) -> bool {
    cx.core.reputation.may_vote()
}

/// The own history as a vote. A server that must not lead names no one, but votes for no one behind
/// it; an observer, whose history is committed anyway, repeats any vote.
fn initial_vote(cx: &Context<'_>) -> Vote {
    if !has_voice(cx) || cx.core.role() == Role::Observer {
        return Vote::NONE;
    }
    Vote {
        leader: if cx.core.may_lead() {
            cx.core.me
        } else {
            ServerId::NON_VOTER
        },
        zxid: cx.core.history.last_logged(),
        peer_epoch: cx.core.writes.current_epoch(),
    }
}

/// Whether the leader knows of its office: another server must say so itself, or its followers
/// would wait for someone who is looking again. This server leads only in the round it is in.
fn leads(cx: &Context<'_>, votes: &Tally, leader: ServerId, round: i64) -> bool {
    if leader == cx.core.me {
        round == cx.core.ballot.round && cx.core.may_lead()
    } else {
        votes.leads(leader)
    }
}

/// Takes over a newer committed configuration; whether it is another ensemble than before.
fn adopt_config(cx: &mut Context<'_>, notification: &Notification) -> bool {
    let Some(config) = &notification.config else {
        return false;
    };
    if config.version() <= cx.core.configs.committed().version() {
        return false;
    }
    let changed = config != cx.core.configs.committed();
    cx.commit_config(config.clone()) && changed
}
