//! Phase 2 of the protocol, the leader's side: the history on a quorum.

use std::collections::{BTreeSet, VecDeque};

use jute::Zxid;
use jute::quorum::config::Role;

use super::feed::{Feed, LOG_READ_BYTES};
use super::handler::{Fed, Progress, Stage, SyncKind};
use super::{Broadcast, Leader, Phase};
use crate::core::Context;
use crate::effect::{Effect, Io, RoleStatus, Store};
use crate::input::{LearnerLink, LogRead};
use crate::leave::{Exit, Leave};
use crate::message::LeaderPacket;
use crate::sync::{self, Plan, Recent};
use crate::{Epoch, ServerId, Time};

/// Waits until a quorum has the history, and the epoch as its `currentEpoch`.
#[derive(Clone, Debug)]
pub(super) struct Synchronisation {
    pub(super) epoch: Epoch,
    /// This server is among them once its own `currentEpoch` is durable.
    pub(super) acked: BTreeSet<ServerId>,
    pub(super) give_up: Time,
}

impl Synchronisation {
    pub(super) fn start(cx: &mut Context<'_>, epoch: Epoch) -> Self {
        let committed = cx.core.configs.committed();
        if committed.version() == Zxid::ZERO && cx.core.configs.proposed().is_none() {
            // The very first leader gives the configuration of the files a version.
            let config = committed.under(epoch.zxid());
            cx.see_config(config);
        }
        cx.store(Store::CurrentEpoch(epoch));
        Self {
            epoch,
            acked: BTreeSet::new(),
            give_up: cx.now.after_ms(cx.core.options.init_limit_ms()),
        }
    }

    pub(super) fn forget(&mut self, server: ServerId) {
        self.acked.remove(&server);
    }
}

impl Leader {
    /// Starts to send a learner what it lacks. `last` is the last entry of its log.
    pub(super) fn synchronise(&mut self, cx: &mut Context<'_>, link: LearnerLink, last: Zxid) {
        let window = cx.core.history.window();
        let in_window = last >= window.base();
        let recent = Recent {
            base: window.base(),
            max: self.commit_point(cx),
            floor: in_window.then(|| window.floor(last)),
            next: if in_window {
                window.behind(last).next().map(|entry| entry.zxid)
            } else {
                None
            },
        };
        match sync::plan(last, &recent) {
            Plan::Log => {
                let read = cx.next_read();
                self.set_stage(link, Stage::Planning { last, read });
                cx.out.push(Io::ReadLog {
                    read,
                    after: last,
                    through: recent.max,
                    bytes_max: LOG_READ_BYTES,
                    opening: true,
                    gently: false,
                });
            }
            plan => self.start_feed(cx, link, last, plan),
        }
    }

    pub(super) fn plan_from_log(
        &mut self,
        cx: &mut Context<'_>,
        link: LearnerLink,
        last: Zxid,
        found: LogRead,
    ) {
        let plan = match &found {
            LogRead::Entries { floor, entries } if *floor <= last => entries
                .first()
                .map_or(Plan::Snap, |next| sync::from_log(last, *floor, next.zxid)),
            _ => Plan::Snap,
        };
        self.start_feed(cx, link, last, plan);
    }

    fn start_feed(&mut self, cx: &mut Context<'_>, link: LearnerLink, last: Zxid, plan: Plan) {
        let (packet, feed, kind) = match plan {
            Plan::Diff => {
                let zxid = self.commit_point(cx);
                (
                    LeaderPacket::Diff { zxid },
                    Feed::from(last),
                    SyncKind::Diff,
                )
            }
            Plan::Trunc(zxid) => (
                LeaderPacket::Trunc { zxid },
                Feed::from(zxid),
                SyncKind::Diff,
            ),
            Plan::Snap | Plan::Log => {
                let zxid = cx.core.history.delivered();
                let feed = Feed::behind_snapshot(zxid);
                (LeaderPacket::Snap { zxid }, feed, SyncKind::Snap)
            }
        };
        if let Err(why) = self.check_sync_limit(cx, link, kind) {
            return self.drop_learner(cx, link, why);
        }
        let streams = feed.is_streaming();
        let fed = Fed {
            feed,
            kind,
            progress: Progress::History,
            syncs: VecDeque::new(),
        };
        self.set_stage(link, Stage::Fed(fed));
        self.send(cx, link, packet);
        if streams {
            cx.out.push(Effect::SendSnapshot(link));
        }
        self.pump(cx, link);
    }

    /// Observers that need more than this server is to give at a time come again later. Followers
    /// are counted but never turned away: the ensemble needs them.
    fn check_sync_limit(
        &self,
        cx: &Context<'_>,
        link: LearnerLink,
        kind: SyncKind,
    ) -> Result<(), Leave> {
        let (what, max) = match kind {
            SyncKind::Snap => (
                "SNAP syncs at a time",
                cx.core.options.max_concurrent_snap_syncs,
            ),
            SyncKind::Diff => (
                "DIFF syncs at a time",
                cx.core.options.max_concurrent_diff_syncs,
            ),
        };
        let is_observer =
            self.learners.get(link).map(|handler| handler.role) == Some(Role::Observer);
        let under_way = self
            .learners
            .iter()
            .filter(|(_, handler)| handler.is_synchronising(kind));
        if is_observer && under_way.count() >= max {
            return Err(Leave::TooMany { what, max });
        }
        Ok(())
    }

    fn set_stage(&mut self, link: LearnerLink, stage: Stage) {
        if let Some(handler) = self.learners.get_mut(link) {
            handler.stage = stage;
        }
    }

    /// ACK of NEWLEADER.
    pub(super) fn on_new_leader_ack(&mut self, cx: &mut Context<'_>, link: LearnerLink) {
        let Some(handler) = self.learners.get_mut(link) else {
            return;
        };
        if let Stage::Fed(fed) = &mut handler.stage {
            fed.progress = Progress::Acked;
        }
        match (&mut self.phase, handler.server) {
            (Phase::Synchronisation(phase), Some(server)) => {
                phase.acked.insert(server);
            }
            (Phase::Broadcast(_) | Phase::ObserverMaster(_), _) => self.up_to_date(cx, link),
            _ => {}
        }
    }

    /// A quorum has the history, durably, and votes with this epoch: whoever leads next has it
    /// too. So it is committed, and this leader is established.
    pub(super) fn establish(&mut self, cx: &mut Context<'_>) -> Result<(), Exit> {
        let Phase::Synchronisation(phase) = &self.phase else {
            return Ok(());
        };
        if !cx
            .core
            .configs
            .is_quorum(|server| phase.acked.contains(&server))
        {
            return Ok(());
        }
        let epoch = phase.epoch;
        self.phase = Phase::Broadcast(Broadcast::new(epoch, cx.now));
        cx.core.history.commit(self.initial_end);
        cx.core.ballot.vote.peer_epoch = epoch;
        // To be looked at only once all have their UPTODATE: it puts the configuration in force
        // there too, and the next election needs that.
        let leads_on = Self::activate_last_seen(cx);
        cx.change_status(RoleStatus::Leading { epoch });
        cx.deliver();
        for link in self.learners.fed(Progress::Acked) {
            self.up_to_date(cx, link);
        }
        Ok(leads_on?)
    }

    fn up_to_date(&mut self, cx: &mut Context<'_>, link: LearnerLink) {
        if let Some(handler) = self.learners.get_mut(link)
            && let Stage::Fed(fed) = &mut handler.stage
        {
            fed.progress = Progress::UpToDate;
            self.send(cx, link, LeaderPacket::UpToDate);
        }
    }
}
