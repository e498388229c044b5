//! Synchronisation by a whole tree.
//!
//! Until NEWLEADER everything happens aside: the tree, and what is committed behind it, are put
//! together as one snapshot, and the old history stays as it is. The switch is one atomic step.
//! Were the tree installed first and the rest logged behind it, a crash in between would leave this
//! server without transactions that it once acknowledged, and with a vote.

use std::collections::VecDeque;

use jute::Zxid;

use super::stream::{OPEN_MAX, Stream};
use super::synchronising::Adopting;
use super::{Phase, unexpected};
use crate::Epoch;
use crate::core::Context;
use crate::effect::{Io, Store};
use crate::id::{check_epoch, follows};
use crate::input::LeaderLink;
use crate::leave::Leave;
use crate::message::{Entry, LeaderPacket};
use crate::quorum::Config;

/// Bytes of open proposals at the most. A leader stops proposing before.
const OPEN_BYTES_MAX: usize = 128 << 20;

/// A tree is on its way.
#[derive(Clone, Debug)]
pub(super) struct Receiving {
    epoch: Epoch,
    zxid: Zxid,
}

impl Receiving {
    pub(super) fn start(cx: &mut Context<'_>, link: LeaderLink, epoch: Epoch, zxid: Zxid) -> Self {
        cx.out.push(Io::ReceiveSnapshot(link, zxid));
        Self { epoch, zxid }
    }

    pub(super) fn received(self) -> Staging {
        Staging {
            epoch: self.epoch,
            last: self.zxid,
            committed: self.zxid,
            open: VecDeque::new(),
            open_bytes: 0,
        }
    }
}

/// The tree is here, the history behind it is coming in; NEWLEADER ends it.
#[derive(Clone, Debug)]
pub(super) struct Staging {
    epoch: Epoch,
    /// The last proposal.
    last: Zxid,
    /// The last one that is in the staged tree.
    committed: Zxid,
    /// Proposals without a commit, oldest first.
    open: VecDeque<Entry>,
    open_bytes: usize,
}

impl Staging {
    pub(super) const NAME: &'static str = "synchronising by a snapshot";

    pub(super) fn on_packet(
        mut self,
        cx: &mut Context<'_>,
        packet: LeaderPacket,
    ) -> Result<Phase, Leave> {
        match packet {
            LeaderPacket::Proposal(entry) => self.propose(entry)?,
            LeaderPacket::Commit { zxid } | LeaderPacket::CommitAndActivate { zxid, .. } => {
                self.commit(cx, zxid)?;
            }
            LeaderPacket::Inform(entry) | LeaderPacket::InformAndActivate { entry, .. } => {
                let zxid = entry.zxid;
                self.propose(entry)?;
                self.commit(cx, zxid)?;
            }
            LeaderPacket::NewLeader { epoch, config } => {
                let stream = self.install(cx, config.as_ref())?;
                return Adopting::start(cx, stream, epoch, config).map(Phase::Adopting);
            }
            packet => return Err(unexpected(Self::NAME, &packet)),
        }
        Ok(Phase::Staging(self))
    }

    fn propose(&mut self, entry: Entry) -> Result<(), Leave> {
        let (last, found) = (self.last, entry.zxid);
        check_epoch(found, self.epoch)?;
        if !follows(last, found) {
            return Err(Leave::Gap { last, found });
        }
        self.open_bytes += entry.bytes.len();
        if self.open.len() >= OPEN_MAX || self.open_bytes > OPEN_BYTES_MAX {
            let (what, max) = ("open proposals", OPEN_MAX);
            return Err(Leave::TooMany { what, max });
        }
        self.last = found;
        self.open.push_back(entry);
        Ok(())
    }

    fn commit(&mut self, cx: &mut Context<'_>, found: Zxid) -> Result<(), Leave> {
        match self.open.pop_front() {
            Some(entry) if entry.zxid == found => {
                self.open_bytes -= entry.bytes.len();
                self.committed = found;
                cx.out.push(Io::StageEntry(entry));
                Ok(())
            }
            other => Err(Leave::CommitOrder {
                expected: other.map(|entry| entry.zxid),
                found,
            }),
        }
    }

    /// The staged tree becomes the history; what is open is logged behind it. The configuration
    /// comes first: its transaction may be in the tree, where no one looks for it after a crash. If
    /// the tree is not installed, the next start forgets a configuration that its history does not
    /// have.
    fn install(self, cx: &mut Context<'_>, config: Option<&Config>) -> Result<Stream, Leave> {
        let (decided, found) = (cx.core.history.decided(), self.committed);
        if found < decided {
            return Err(Leave::LostCommitted { decided, found });
        }
        cx.core.history.replace(self.committed);
        cx.forget_proposed();
        if let Some(config) = config {
            cx.see_config(config.clone());
        }
        cx.store(Store::InstallSnapshot(self.committed));
        if cx.core.writes.accepted_epoch() < self.epoch {
            // A wiped disk: see `Discovering::on_leader_info`.
            cx.store(Store::AcceptedEpoch(self.epoch));
        }
        let mut stream = Stream::new(self.epoch, self.committed);
        for entry in self.open {
            stream.propose(cx, entry)?;
        }
        Ok(stream)
    }
}
