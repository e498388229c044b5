//! The leader's history as it comes in: proposals in order, commits in the same order.

use std::collections::VecDeque;

use jute::Zxid;

use super::Uplink;
use crate::core::Context;
use crate::effect::Store;
use crate::id::{check_epoch, follows, names_epoch};
use crate::leave::{Exit, Leave};
use crate::message::{Entry, LearnerPacket};
use crate::quorum::Config;
use crate::{Epoch, ServerId};

/// Open proposals at the most. A leader has far fewer: it stops proposing before.
pub(super) const OPEN_MAX: usize = 1 << 20;

/// From the first packet of a synchronisation to the end of the connection.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    pub(super) epoch: Epoch,
    /// The last entry that the leader called committed. Applied only after UPTODATE.
    committed: Zxid,
    /// Proposals without a commit, oldest first.
    open: VecDeque<Zxid>,
    /// Proposals without our ACK, oldest first.
    owed: VecDeque<Zxid>,
    /// Who leads, if a reconfiguration has said so.
    designated: Option<ServerId>,
}

impl Stream {
    /// `base` ends the part of the own history that is the leader's too.
    pub(super) fn new(epoch: Epoch, base: Zxid) -> Self {
        Self {
            epoch,
            committed: base,
            open: VecDeque::new(),
            owed: VecDeque::new(),
            designated: None,
        }
    }

    pub(super) fn committed(&self) -> Zxid {
        self.committed
    }

    /// Logs a proposal.
    pub(super) fn propose(&mut self, cx: &mut Context<'_>, entry: Entry) -> Result<(), Leave> {
        let (last, found) = (cx.core.history.last_logged(), entry.zxid);
        check_epoch(found, self.epoch)?;
        if !follows(last, found) {
            return Err(Leave::Gap { last, found });
        }
        if self.open.len() >= OPEN_MAX {
            let (what, max) = ("open proposals", OPEN_MAX);
            return Err(Leave::TooMany { what, max });
        }
        self.open.push_back(found);
        self.owed.push_back(found);
        if let Some(config) = &entry.config {
            cx.see_config(config.clone());
        }
        cx.core.history.append(entry.clone(), found);
        cx.store(Store::Append(entry));
        Ok(())
    }

    /// Takes note of a commit.
    pub(super) fn commit(&mut self, zxid: Zxid) -> Result<(), Leave> {
        let expected = self.open.front().copied();
        if expected != Some(zxid) {
            let found = zxid;
            return Err(Leave::CommitOrder { expected, found });
        }
        self.open.pop_front();
        self.committed = zxid;
        Ok(())
    }

    /// Takes note of a reconfiguration's commit.
    pub(super) fn commit_reconfig(&mut self, zxid: Zxid, leader: ServerId) -> Result<(), Leave> {
        self.commit(zxid)?;
        self.designated = Some(leader);
        Ok(())
    }

    /// NEWLEADER: its ACK covers everything committed so far, so that only the open proposals
    /// are acknowledged one by one.
    pub(super) fn settle(&mut self) {
        self.owed.clone_from(&self.open);
    }

    /// Acknowledges every owed proposal that is durable by now, and with it all before it. Only
    /// after ACK(NEWLEADER), which must be the first one.
    pub(super) fn acknowledge(&mut self, cx: &mut Context<'_>, uplink: &Uplink) {
        assert!(
            cx.core.writes.current_epoch() == self.epoch,
            "an ACK before currentEpoch"
        );
        let durable = cx.core.writes.log_end();
        while let Some(zxid) = self.owed.front().copied().filter(|zxid| *zxid <= durable) {
            self.owed.pop_front();
            if uplink.acknowledges() {
                uplink.send(cx, LearnerPacket::Ack { zxid });
            }
        }
    }

    /// Puts the configuration in force whose transaction is committed. Who has another role in it,
    /// or another leader, starts again as what it is now; without an election if the leader is
    /// known: UPTODATE says nothing of one, and who sent it leads on only if it votes.
    pub(super) fn activate(&mut self, cx: &mut Context<'_>, uplink: &Uplink) -> Result<(), Exit> {
        let proposed = cx.core.configs.proposed().cloned();
        let committed = |config: &Config| {
            // One that the first leader gave a version is in no transaction: NEWLEADER tells of it.
            !names_epoch(config.version()) && config.version() <= self.committed
        };
        if let Some(config) = proposed.filter(committed) {
            cx.commit_config(config);
        }
        let designated = self.designated.take();
        let leader = designated.unwrap_or(uplink.leader);
        if leader == uplink.leader && cx.core.role() == uplink.role {
            return Ok(());
        }
        if designated.is_none() && !cx.core.configs.is_voter(leader) {
            return Err(Leave::Reconfigured.into());
        }
        cx.core.ballot.vote.leader = leader;
        Err(Exit::join(Leave::Reconfigured, leader))
    }

    /// Tells the state what is committed. Only after UPTODATE: what a leader calls committed before
    /// that, it has perhaps not yet brought to a quorum.
    pub(super) fn deliver(&self, cx: &mut Context<'_>) {
        cx.core.history.commit(self.committed);
        cx.deliver();
    }
}
