//! Phase 3 of the protocol, the leader's side: propose, count acknowledgements, commit, in one
//! order.

use jute::Zxid;
use jute::quorum::config::Role;

use super::handler::{Progress, Stage};
use super::synced_reads::SyncedReads;
use super::{Leader, Phase};
use crate::core::Context;
use crate::effect::Store;
use crate::id::names_epoch;
use crate::input::LearnerLink;
use crate::leave::{Exit, Leave};
use crate::message::{Entry, LeaderPacket};
use crate::quorum::Acks;
use crate::{Epoch, ServerId, Time};

/// Bytes of proposals that are not committed, from which on no more are taken.
pub(crate) const OUTSTANDING_BYTES_MAX: usize = 32 << 20;

/// Established.
#[derive(Clone, Debug)]
pub(super) struct Broadcast {
    pub(super) epoch: Epoch,
    /// When it was established.
    pub(super) since: Time,
    pub(super) acks: Acks,
    pub(super) synced_reads: SyncedReads,
    outstanding_bytes: usize,
    /// Takes no more proposals, and why.
    retirement: Option<Retirement>,
}

/// A leader that ends its reign in order.
#[derive(Clone, Debug)]
struct Retirement {
    why: Leave,
    /// Whether someone else must have the whole history first.
    needs_successor: bool,
    give_up: Time,
}

impl Broadcast {
    pub(super) fn new(epoch: Epoch, since: Time) -> Self {
        Self {
            epoch,
            since,
            acks: Acks::default(),
            synced_reads: SyncedReads::default(),
            outstanding_bytes: 0,
            retirement: None,
        }
    }

    pub(super) fn forget(&mut self, server: ServerId) {
        self.acks.forget(server);
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.retirement
            .as_ref()
            .map(|retirement| retirement.give_up)
    }

    /// Who does not get to end in order ends anyway.
    pub(super) fn check_retirement(&self, now: Time) -> Result<(), Exit> {
        match &self.retirement {
            Some(retirement) if now >= retirement.give_up => Err(retirement.exit()),
            _ => Ok(()),
        }
    }
}

impl Retirement {
    fn exit(&self) -> Exit {
        match self.why {
            Leave::Stopping => Exit::halt(self.why.clone()),
            _ => self.why.clone().into(),
        }
    }
}

impl Leader {
    pub(crate) fn may_propose(&self) -> bool {
        match &self.phase {
            Phase::Broadcast(phase) => {
                phase.retirement.is_none() && phase.outstanding_bytes < OUTSTANDING_BYTES_MAX
            }
            _ => false,
        }
    }

    /// Hands a proposal to followers and to the own log at the same time: neither waits
    /// for the other, and this server is one voice among the quorum.
    pub(super) fn broadcast(&mut self, cx: &mut Context<'_>, entry: Entry) {
        let Phase::Broadcast(phase) = &mut self.phase else {
            return;
        };
        let zxid = entry.zxid;
        let last = cx.core.history.last_logged().max(phase.epoch.zxid());
        assert_eq!(zxid, last.next(), "a leader proposes without gaps");
        phase.outstanding_bytes += entry.bytes.len();
        if zxid.counter() >= cx.core.options.counter_max {
            let give_up = cx.now.after_ms(cx.core.options.sync_limit_ms());
            let why = Leave::Rollover(phase.epoch);
            phase.retirement.get_or_insert(Retirement {
                why,
                needs_successor: false,
                give_up,
            });
        }
        if let Some(config) = &entry.config {
            assert!(
                cx.core.configs.proposed().is_none(),
                "one reconfiguration at a time"
            );
            cx.see_config(config.clone());
        }
        let committed = cx.core.history.committed();
        cx.core.history.append(entry.clone(), committed);
        let mut last = None;
        while let Some(link) = self.learners.next_fed(last, Progress::History) {
            last = Some(link);
            self.pump(cx, link);
        }
        cx.store(Store::Append(entry));
    }

    pub(super) fn on_ack(
        &mut self,
        cx: &mut Context<'_>,
        link: LearnerLink,
        zxid: Zxid,
    ) -> Result<(), Leave> {
        let Some(epoch) = self.epoch() else {
            return Ok(());
        };
        let Some(handler) = self.learners.get_mut(link) else {
            return Ok(());
        };
        let (Stage::Fed(fed), Some(server)) = (&handler.stage, handler.server) else {
            return Ok(());
        };
        if !fed.has_acked() {
            // Servers of 3.8 acknowledge every entry of the history as well; it does not count.
            if fed.progress == Progress::NewLeader && zxid == epoch.zxid() {
                self.on_new_leader_ack(cx, link);
            }
            return Ok(());
        }
        if names_epoch(zxid) || zxid <= cx.core.history.committed() {
            handler.acknowledged(cx, zxid);
            return Ok(());
        }
        let sent = fed.feed.sent();
        if zxid > sent {
            let found = zxid;
            return Err(Leave::AckNotSent { found, sent });
        }
        handler.acknowledged(cx, zxid);
        if let Phase::Broadcast(phase) = &mut self.phase {
            phase.acks.record(server, zxid);
        }
        Ok(())
    }

    /// Commits, in order, what quorums have.
    pub(super) fn advance(&mut self, cx: &mut Context<'_>) -> Result<(), Exit> {
        loop {
            let Phase::Broadcast(phase) = &mut self.phase else {
                return Ok(());
            };
            let (history, configs, acks) = (&cx.core.history, &cx.core.configs, &phase.acks);
            let has_quorum = |zxid| configs.is_quorum_for(zxid, |server| acks.has(server, zxid));
            let window = history.window();
            self.due.clear();
            for entry in window.due(history.committed(), has_quorum) {
                phase.outstanding_bytes -= entry.bytes.len();
                self.due.push(entry.zxid);
            }
            let Some(&through) = self.due.last() else {
                break;
            };
            let last = window.at(through).filter(|last| last.config.is_some());
            let activated = last.cloned();
            cx.core.history.commit(through);
            if let Some(entry) = &activated {
                self.activate(cx, entry);
            }
            self.tell_commits(cx, activated.is_some());
            if self.designated != cx.core.me {
                cx.deliver();
                return self.give_way(cx);
            }
        }
        cx.deliver();
        Ok(())
    }

    /// Tells of what is due, each by itself as Apache's servers expect it. The last one may put a
    /// configuration in force.
    fn tell_commits(&mut self, cx: &mut Context<'_>, activates: bool) {
        let leader = self.designated;
        let last = self.due.last().copied().filter(|_| activates);
        let mut told = None;
        while let Some(link) = self.learners.next_fed(told, Progress::History) {
            told = Some(link);
            let Some(handler) = self.learners.get_mut(link) else {
                continue;
            };
            let role = handler.role;
            let Stage::Fed(fed) = &mut handler.stage else {
                continue;
            };
            if role == Role::Participant {
                let sent = fed.feed.sent();
                for &zxid in self.due.iter().take_while(|zxid| **zxid <= sent) {
                    let packet = match Some(zxid) == last {
                        true => LeaderPacket::CommitAndActivate { zxid, leader },
                        false => LeaderPacket::Commit { zxid },
                    };
                    fed.commit(cx, link, packet);
                }
            }
            self.pump(cx, link);
        }
    }

    /// Stops taking proposals, so as to be stopped. A follower shall have everything first.
    pub(crate) fn hand_over(&mut self, cx: &mut Context<'_>) -> Result<(), Exit> {
        let Phase::Broadcast(phase) = &mut self.phase else {
            return Err(Exit::halt(Leave::Stopping));
        };
        phase.retirement = Some(Retirement {
            why: Leave::Stopping,
            needs_successor: true,
            give_up: cx.now.after_ms(cx.core.options.sync_limit_ms()),
        });
        self.settle(cx)
    }

    /// Stops taking proposals, so that another reign can begin. A leader that is not established
    /// yet goes on: it will hear of it again.
    pub(super) fn end_in_order(&mut self, cx: &Context<'_>, why: Leave) {
        if let Phase::Broadcast(phase) = &mut self.phase {
            let give_up = cx.now.after_ms(cx.core.options.sync_limit_ms());
            phase.retirement.get_or_insert(Retirement {
                why,
                needs_successor: false,
                give_up,
            });
        }
    }

    /// Ends the reign once everything proposed is committed, and someone can take over.
    pub(super) fn retire(&mut self, cx: &mut Context<'_>) -> Result<(), Exit> {
        let Phase::Broadcast(phase) = &self.phase else {
            return Ok(());
        };
        let Some(retirement) = &phase.retirement else {
            return Ok(());
        };
        let history = &cx.core.history;
        let last = history.last_logged();
        if history.committed() < last {
            return Ok(());
        }
        let has_all = |server: ServerId| {
            let handler = self.learners.by_server(server);
            let ready = handler.is_some_and(|handler| match &handler.stage {
                Stage::Fed(fed) => fed.is_up_to_date() && fed.feed.sent() >= last,
                _ => false,
            });
            let acked = handler.is_some_and(|handler| handler.unacknowledged.is_none());
            ready && acked
        };
        let me = cx.core.me;
        let config = cx.core.configs.committed();
        let mut others = config.voters().filter(|server| *server != me).peekable();
        let alone = others.peek().is_none();
        if !retirement.needs_successor || alone || others.any(has_all) {
            return Err(retirement.exit());
        }
        Ok(())
    }
}
