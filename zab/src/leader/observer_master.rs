//! Observer master: a follower that serves observers in place of its leader, so that many of them
//! cost the leader nothing but this follower.
//!
//! It takes part as a leader without a vote to count. Its history is that of the leader as far as
//! it is known to be committed, and nothing beyond is handed on; its epoch is its `currentEpoch`,
//! which a quorum has accepted already. Nothing has to be waited for. What observers ask of a
//! leader goes through to it, and the answers come back the same way.

use std::collections::{BTreeMap, VecDeque};

use jute::Zxid;

use super::handler::Progress;
use super::liveness::Pinging;
use super::synced_reads::WAITING_MAX;
use super::{Leader, Learners, Phase};
use crate::core::Context;
use crate::effect::Io;
use crate::input::{Input, LeaderLink, LearnerLink};
use crate::leave::Leave;
use crate::message::{LeaderPacket, LearnerPacket, Request};
use crate::overview::LearnerCounts;
use crate::quorum::Config;
use crate::{Epoch, ServerId, Time};

/// Who waits for an answer of the leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asker {
    /// A client of this server.
    Own,
    Observer(LearnerLink),
}

/// What goes through.
#[derive(Clone, Debug)]
pub(super) struct Relay {
    pub(super) epoch: Epoch,
    uplink: LeaderLink,
    /// The leader answers syncs in order.
    syncs: VecDeque<Asker>,
    /// It answers about sessions in any order.
    revalidations: VecDeque<(i64, LearnerLink)>,
}

impl Relay {
    /// Syncs that the leader has not answered.
    pub(super) fn open_syncs(&self) -> usize {
        self.syncs.len()
    }

    /// Passes a request on.
    pub(super) fn request(
        &mut self,
        cx: &mut Context<'_>,
        link: LearnerLink,
        request: Request,
    ) -> Result<(), Leave> {
        if request.is_sync() {
            check_waiting("open syncs", self.syncs.len())?;
            self.syncs.push_back(Asker::Observer(link));
        }
        let packet = LearnerPacket::Request(request);
        cx.out.push(Io::ToLeader(self.uplink, packet));
        Ok(())
    }

    /// Passes the question on whether a session is alive.
    pub(super) fn revalidate(
        &mut self,
        cx: &mut Context<'_>,
        link: LearnerLink,
        session: i64,
        timeout_ms: i32,
    ) -> Result<(), Leave> {
        check_waiting("open revalidations", self.revalidations.len())?;
        self.revalidations.push_back((session, link));
        let packet = LearnerPacket::Revalidate {
            session,
            timeout_ms,
        };
        cx.out.push(Io::ToLeader(self.uplink, packet));
        Ok(())
    }
}

fn check_waiting(what: &'static str, waiting: usize) -> Result<(), Leave> {
    let max = WAITING_MAX;
    if waiting >= max {
        return Err(Leave::TooMany { what, max });
    }
    Ok(())
}

/// Serves observers while this server follows.
#[derive(Clone, Debug)]
pub(crate) struct ObserverMaster(Leader);

impl ObserverMaster {
    /// This server follows that leader, and is up to date.
    pub(crate) fn start(cx: &Context<'_>, leader: ServerId, uplink: LeaderLink) -> Self {
        Self(Leader {
            initial_end: cx.core.history.committed(),
            designated: leader,
            learners: Learners::default(),
            pinging: Pinging::new(cx),
            ahead: BTreeMap::new(),
            due: Vec::new(),
            phase: Phase::ObserverMaster(Relay {
                epoch: cx.core.writes.current_epoch(),
                uplink,
                syncs: VecDeque::new(),
                revalidations: VecDeque::new(),
            }),
        })
    }

    /// Lets go of all observers.
    pub(crate) fn end(self, cx: &mut Context<'_>, why: &Leave) {
        self.0.end(cx, why);
    }

    pub(crate) fn count_learners(&self, config: &Config) -> LearnerCounts {
        self.0.count_learners(config)
    }

    pub(crate) fn next_deadline(&self) -> Time {
        self.0.pinging.due()
    }

    pub(crate) fn on_deadline(&mut self, cx: &mut Context<'_>) {
        if self.0.pinging.due() <= cx.now {
            self.0.check_learners(cx);
            self.0.ping_all(cx);
        }
    }

    pub(crate) fn on_input(&mut self, cx: &mut Context<'_>, input: Input) {
        self.0.on_learner(cx, input);
    }

    /// A reconfiguration says who leads from here on.
    pub(crate) fn designate(&mut self, leader: ServerId) {
        self.0.designated = leader;
    }

    /// More may be committed than before.
    pub(crate) fn follow(&mut self, cx: &mut Context<'_>) {
        for link in self.0.learners.fed(Progress::History) {
            self.0.pump(cx, link);
        }
    }

    /// A client of this server asks for a sync.
    pub(crate) fn asked_for_sync(&mut self) {
        if let Phase::ObserverMaster(relay) = &mut self.0.phase {
            relay.syncs.push_back(Asker::Own);
        }
    }

    /// The leader has answered the oldest sync; whether it is that of an observer.
    pub(crate) fn takes_sync(&mut self, cx: &mut Context<'_>) -> bool {
        let Phase::ObserverMaster(relay) = &mut self.0.phase else {
            return false;
        };
        let Some(Asker::Observer(link)) = relay.syncs.pop_front() else {
            return false;
        };
        // Everything that the answer vouches for came before it.
        let through = cx.core.history.committed();
        self.0.answer_sync(cx, link, through);
        true
    }

    /// The leader has answered about a session; whether an observer had asked.
    pub(crate) fn takes_revalidation(
        &mut self,
        cx: &mut Context<'_>,
        session: i64,
        valid: bool,
    ) -> bool {
        let Phase::ObserverMaster(relay) = &mut self.0.phase else {
            return false;
        };
        let asked = |(of, _): &(i64, LearnerLink)| *of == session;
        let Some(at) = relay.revalidations.iter().position(asked) else {
            return false;
        };
        if let Some((_, link)) = relay.revalidations.remove(at) {
            let packet = LeaderPacket::Revalidate { session, valid };
            self.0.send(cx, link, packet);
        }
        true
    }
}

/// An observer that has more than this follower knows to be committed comes too early: what it has
/// may be committed all the same, so it is not to be truncated here.
pub(super) fn check_not_ahead(cx: &Context<'_>, server: ServerId, last: Zxid) -> Result<(), Leave> {
    match last > cx.core.history.committed() {
        true => Err(Leave::Ahead(server)),
        false => Ok(()),
    }
}
