//! Phase 1 of the protocol, the leader's side: an epoch that no one has accepted before, accepted
//! by a quorum.

use std::collections::{BTreeMap, BTreeSet};

use jute::Zxid;

use super::handler::Stage;
use super::observer_master::check_not_ahead;
use super::{Leader, Phase, Synchronisation};
use crate::core::Context;
use crate::effect::{Io, Store};
use crate::election::Vote;
use crate::input::LearnerLink;
use crate::leave::{Exit, Leave};
use crate::message::LeaderPacket;
use crate::{Epoch, ServerId, Time};

/// How many epochs a voter can be ahead of an established leader: each is one election that came to
/// nothing. A voter that says more is not believed, or whoever reaches the port could use them up.
const EPOCHS_AHEAD_MAX: i64 = 1000;

/// Waits until a quorum has said which epoch it accepted last.
#[derive(Clone, Debug)]
pub(super) struct Discovery {
    accepted: BTreeMap<ServerId, Epoch>,
    started: Time,
    pub(super) give_up: Time,
}

impl Discovery {
    pub(super) fn new(cx: &Context<'_>) -> Self {
        let own = (cx.core.me, cx.core.writes.accepted_epoch());
        Self {
            accepted: BTreeMap::from([own]),
            started: cx.now,
            give_up: cx.now.after_ms(cx.core.options.init_limit_ms()),
        }
    }

    pub(super) fn forget(&mut self, server: ServerId) {
        self.accepted.remove(&server);
    }
}

/// The own `acceptedEpoch` is on its way to the disk.
#[derive(Clone, Debug)]
pub(super) struct Accepting {
    pub(super) epoch: Epoch,
}

/// Waits until a quorum has accepted the epoch.
#[derive(Clone, Debug)]
pub(super) struct Acknowledgement {
    pub(super) epoch: Epoch,
    acked: BTreeSet<ServerId>,
    /// `currentEpoch` and last entry of this server. Who has more must not follow it.
    own: (Epoch, Zxid),
    pub(super) give_up: Time,
}

impl Acknowledgement {
    pub(super) fn forget(&mut self, server: ServerId) {
        self.acked.remove(&server);
    }
}

impl Leader {
    pub(super) fn check_config(
        &self,
        cx: &Context<'_>,
        server: ServerId,
        version: Zxid,
    ) -> Result<(), Leave> {
        if version > cx.core.configs.last_seen().version() {
            return Err(Leave::AheadInConfig(server));
        }
        Ok(())
    }

    pub(super) fn on_info(
        &mut self,
        cx: &mut Context<'_>,
        link: LearnerLink,
        server: ServerId,
        accepted: Epoch,
    ) -> Result<(), Leave> {
        if accepted >= Epoch::MAX {
            return Err(Leave::NoNextEpoch(accepted));
        }
        if let Phase::Discovery(phase) = &mut self.phase {
            phase.accepted.insert(server, accepted);
        }
        let epoch = self.epoch();
        if let Some(epoch) = epoch.filter(|epoch| accepted > *epoch) {
            return Err(self.passed_by(cx, server, accepted, epoch));
        }
        if let Some(handler) = self.learners.get_mut(link) {
            handler.stage = Stage::Informed;
            if let Some(epoch) = epoch {
                handler.stage = Stage::Invited;
                invite(cx, link, epoch);
            }
        }
        Ok(())
    }

    /// A server that accepted the epoch of a leader who was never established can follow no leader
    /// of an older one. Were it left alone (as Apache leaves it) until the next election, the
    /// ensemble would do without it until then. So the reign ends in order, and the next one has a
    /// later epoch; unless an epoch is told that no one can have got to.
    ///
    /// Or unless the server's history itself is of a later epoch. NEWLEADER, which makes an epoch
    /// the current one, is sent when a quorum has accepted it, and of that quorum someone would be
    /// in this one: so a quorum has lost its data since. An election would be won by that history,
    /// and what was acknowledged in this reign would be gone: as in Apache, the server stays out,
    /// and the operator decides.
    ///
    /// FOLLOWERINFO does not tell of which epoch the history is, but the vote does by which the
    /// server looked for its leader: a server that joins has voted, to this one too, and the vote
    /// comes first, as it asks for the answer that sends it here. That keeps it out for as long as
    /// this leader reigns; an election that begins for another reason it wins all the same.
    fn passed_by(
        &mut self,
        cx: &Context<'_>,
        server: ServerId,
        accepted: Epoch,
        epoch: Epoch,
    ) -> Leave {
        if let Some(current) = self.ahead.get(&server).copied() {
            return Leave::AheadInEpoch {
                server,
                current,
                epoch,
            };
        }
        let why = Leave::PassedBy {
            server,
            accepted,
            epoch,
        };
        let believed = accepted.0 - epoch.0 <= EPOCHS_AHEAD_MAX;
        if believed && cx.core.configs.is_voter(server) {
            self.end_in_order(cx, why.clone());
        }
        why
    }

    /// One who elected this server, as one of a quorum that was only just one perhaps, is in an
    /// election again. If the quorum does not come soon it will not come: to wait for all of
    /// initLimit would keep everyone.
    pub(crate) fn on_elector_looking(
        &mut self,
        cx: &Context<'_>,
        server: ServerId,
        vote: Vote,
    ) -> Result<(), Exit> {
        if vote.leader == server && cx.core.configs.is_voter(server) {
            self.ahead.remove(&server);
            if self.epoch().is_some_and(|epoch| vote.peer_epoch > epoch) {
                self.ahead.insert(server, vote.peer_epoch);
            }
        }
        let (Phase::Discovery(phase), Some(ms)) =
            (&self.phase, cx.core.options.max_time_to_wait_for_epoch_ms)
        else {
            return Ok(());
        };
        if cx.core.electors.contains(&server) && cx.now > phase.started.after_ms(ms) {
            return Err(Leave::Unfinished {
                phase: "discovery",
                ms,
            }
            .into());
        }
        Ok(())
    }

    /// A quorum is there: the next epoch is above all that any of it has accepted, so that
    /// no two leaders can get a quorum for the same one.
    pub(super) fn discover(&mut self, cx: &mut Context<'_>) -> Result<(), Exit> {
        let Phase::Discovery(phase) = &self.phase else {
            return Ok(());
        };
        let here = |server| phase.accepted.contains_key(&server);
        if !cx.core.configs.is_quorum(here) {
            return Ok(());
        }
        let newest = phase.accepted.values().copied().max();
        let newest = newest.unwrap_or(Epoch::ZERO);
        if newest >= Epoch::MAX {
            return Err(Leave::NoNextEpoch(newest).into());
        }
        let epoch = newest.next();
        if !cx.core.may_lead() {
            // It has heard of a history meanwhile, and has none.
            return Err(Leave::PerhapsWiped(epoch).into());
        }
        if !cx.core.may_promise(epoch) {
            // Whoever comes yet, or votes yet, may change that until initLimit is over.
            return Ok(());
        }
        self.phase = Phase::Accepting(Accepting { epoch });
        cx.store(Store::AcceptedEpoch(epoch));
        Ok(())
    }

    /// The own promise is durable: the others may be asked for theirs.
    pub(super) fn accepted(&mut self, cx: &mut Context<'_>, epoch: Epoch) {
        assert_eq!(
            cx.core.writes.accepted_epoch(),
            epoch,
            "LEADERINFO before acceptedEpoch is durable"
        );
        self.phase = Phase::Acknowledgement(Acknowledgement {
            epoch,
            acked: BTreeSet::from([cx.core.me]),
            own: (cx.core.writes.current_epoch(), self.initial_end),
            give_up: cx.now.after_ms(cx.core.options.init_limit_ms()),
        });
        for (link, handler) in self.learners.iter_mut() {
            if let Stage::Informed = handler.stage {
                handler.stage = Stage::Invited;
                invite(cx, link, epoch);
            }
        }
    }

    pub(super) fn on_ack_epoch(
        &mut self,
        cx: &mut Context<'_>,
        link: LearnerLink,
        current: Option<Epoch>,
        last: Zxid,
    ) -> Result<(), Leave> {
        let Some(handler) = self.learners.get_mut(link) else {
            return Ok(());
        };
        handler.stage = Stage::Acknowledged { last };
        match (&mut self.phase, current, handler.server) {
            (Phase::Acknowledgement(phase), Some(current), Some(server)) => {
                if (current, last) > phase.own {
                    return Err(Leave::Ahead(server));
                }
                phase.acked.insert(server);
            }
            (Phase::ObserverMaster(_), _, Some(server)) => {
                check_not_ahead(cx, server, last)?;
                self.synchronise(cx, link, last);
            }
            (Phase::Synchronisation(_) | Phase::Broadcast(_), _, _) => {
                self.synchronise(cx, link, last);
            }
            _ => {}
        }
        Ok(())
    }

    /// A quorum accepted the epoch: from here on no older leader can commit anything, so the
    /// history that this leader brings along is fixed and can be handed on.
    pub(super) fn acknowledge(&mut self, cx: &mut Context<'_>) {
        let Phase::Acknowledgement(phase) = &self.phase else {
            return;
        };
        if !cx
            .core
            .configs
            .is_quorum(|server| phase.acked.contains(&server))
        {
            return;
        }
        let epoch = phase.epoch;
        self.phase = Phase::Synchronisation(Synchronisation::start(cx, epoch));
        let waiting: Vec<_> = self
            .learners
            .iter()
            .filter_map(|(link, handler)| match handler.stage {
                Stage::Acknowledged { last } => Some((link, last)),
                _ => None,
            })
            .collect();
        for (link, last) in waiting {
            self.synchronise(cx, link, last);
        }
    }
}

fn invite(cx: &mut Context<'_>, link: LearnerLink, epoch: Epoch) {
    let packet = LeaderPacket::LeaderInfo { epoch };
    cx.out.push(Io::ToLearner(link, packet));
}
