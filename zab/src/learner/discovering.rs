//! Phase 1 of the protocol: reach the leader and accept its epoch.

use jute::Zxid;
use jute::quorum::config::Role;

use super::synchronising::Planning;
use super::{Phase, Uplink};
use crate::core::Context;
use crate::effect::{Io, Store};
use crate::input::LeaderLink;
use crate::leave::Leave;
use crate::message::LearnerPacket;
use crate::writes::Stored;
use crate::{Epoch, ServerId, Standing, Time};

/// Tries to reach the leader, again and again: it may need a while to notice its election.
#[derive(Clone, Debug)]
pub(super) struct Connecting {
    started: Time,
    /// When to try again; an attempt is under way if there is none.
    retry: Option<Time>,
    give_up: Time,
}

impl Connecting {
    pub(super) fn start(cx: &mut Context<'_>, uplink: &mut Uplink) -> Self {
        connect(cx, uplink);
        Self {
            started: cx.now,
            retry: None,
            give_up: cx.now.after_ms(cx.core.options.connect_limit_ms()),
        }
    }

    pub(super) fn next_deadline(&self) -> Time {
        self.retry
            .map_or(self.give_up, |retry| retry.min(self.give_up))
    }

    pub(super) fn on_deadline(
        &mut self,
        cx: &mut Context<'_>,
        uplink: &mut Uplink,
    ) -> Result<(), Leave> {
        if cx.now >= self.give_up {
            let ms = cx.now.0 - self.started.0;
            return Err(Leave::Unreached { ms });
        }
        if self.retry.is_some_and(|retry| retry <= cx.now) {
            self.retry = None;
            connect(cx, uplink);
        }
        Ok(())
    }

    pub(super) fn failed(&mut self, cx: &Context<'_>) {
        self.retry = Some(cx.now.after_ms(cx.core.options.leader_connect_delay_ms));
    }

    pub(super) fn connected(&self, cx: &mut Context<'_>, uplink: &Uplink) -> Discovering {
        let packet = LearnerPacket::Info {
            role: uplink.role,
            server: cx.core.me,
            accepted_epoch: cx.core.writes.accepted_epoch(),
            config_version: cx.core.configs.committed().version(),
        };
        uplink.send(cx, packet);
        Discovering {
            started: self.started,
            give_up: self.give_up,
        }
    }
}

/// Every attempt has a name of its own, so that what is left of the last one is not taken for it.
fn connect(cx: &mut Context<'_>, uplink: &mut Uplink) {
    let link: LeaderLink = cx.next_leader_link();
    uplink.link = link;
    let to = learner_master(cx, uplink);
    uplink.master = to;
    let member = cx.core.configs.member(to).cloned();
    cx.out.push(match to == uplink.leader {
        true => Io::Connect { link, to, member },
        false => Io::ConnectToObserverMaster { link, to, member },
    });
}

/// Whom to connect to: the leader; or, for an observer where followers serve observers, one after
/// the other, beginning with another one on each observer. The leader is the last resort.
fn learner_master(cx: &mut Context<'_>, uplink: &Uplink) -> ServerId {
    if uplink.role == Role::Participant || !cx.core.options.observer_masters {
        return uplink.leader;
    }
    let voters = cx.core.configs.committed().voters();
    let mut masters: Vec<ServerId> = voters.filter(|voter| *voter != uplink.leader).collect();
    let first = cx.core.me.0.unsigned_abs() as usize % masters.len().max(1);
    masters.rotate_left(first);
    masters.push(uplink.leader);
    let at = cx.core.masters_tried % masters.len();
    cx.core.masters_tried += 1;
    masters[at]
}

/// FOLLOWERINFO or OBSERVERINFO is sent; LEADERINFO comes once a quorum has done the same.
#[derive(Clone, Debug)]
pub(super) struct Discovering {
    started: Time,
    give_up: Time,
}

impl Discovering {
    /// The connection broke before anything was said on it, and another may do as well.
    pub(super) fn reconnect(&self, cx: &Context<'_>) -> Connecting {
        let mut connecting = Connecting {
            started: self.started,
            retry: None,
            give_up: self.give_up,
        };
        connecting.failed(cx);
        connecting
    }

    pub(super) fn on_leader_info(
        self,
        cx: &mut Context<'_>,
        uplink: &Uplink,
        epoch: Epoch,
    ) -> Result<Phase, Leave> {
        let accepted = cx.core.writes.accepted_epoch();
        if epoch >= Epoch::MAX {
            return Err(Leave::NoNextEpoch(epoch));
        }
        if epoch < accepted {
            let offered = epoch;
            return Err(Leave::OldEpoch { offered, accepted });
        }
        if epoch == accepted {
            // Accepted before, perhaps from the same leader, perhaps not: not to be counted again.
            return Ok(Phase::Planning(acknowledge(cx, uplink, epoch, false)));
        }
        if cx.core.reputation.standing() == Standing::Wiped && accepted == Epoch::ZERO {
            // Its promise would not be counted, and a start tells by an accepted epoch that a disk
            // was not wiped. It is saved behind the leader's history.
            return Ok(Phase::Planning(acknowledge(cx, uplink, epoch, false)));
        }
        if !cx.core.may_promise(epoch) {
            return Err(Leave::PerhapsWiped(epoch));
        }
        cx.store(Store::AcceptedEpoch(epoch));
        Ok(Phase::Accepting(Accepting { epoch }))
    }
}

/// `acceptedEpoch` is on its way to the disk.
#[derive(Clone, Debug)]
pub(super) struct Accepting {
    epoch: Epoch,
}

impl Accepting {
    pub(super) fn on_stored(self, cx: &mut Context<'_>, uplink: &Uplink, stored: Stored) -> Phase {
        if stored != Stored::AcceptedEpoch(self.epoch) {
            return Phase::Accepting(self);
        }
        Phase::Planning(acknowledge(cx, uplink, self.epoch, true))
    }
}

/// Sends ACKEPOCH.
fn acknowledge(cx: &mut Context<'_>, uplink: &Uplink, epoch: Epoch, counts: bool) -> Planning {
    assert!(
        !counts || cx.core.writes.accepted_epoch() >= epoch,
        "ACKEPOCH of {epoch} before acceptedEpoch is durable"
    );
    let reputation = &cx.core.reputation;
    let (voice, builds) = (reputation.may_vote(), reputation.may_build_on_history());
    let current = cx.core.writes.current_epoch();
    let packet = LearnerPacket::AckEpoch {
        current_epoch: (counts && voice).then_some(current),
        last_zxid: if builds {
            cx.core.history.last_logged()
        } else {
            Zxid(-1)
        },
    };
    uplink.send(cx, packet);
    Planning::new(epoch)
}
