//! Phase 3 of the protocol: log what is proposed, apply what is committed.

use jute::Zxid;
use jute::quorum::config::Role;

use super::stream::Stream;
use super::synchronising::history;
use super::{Phase, Uplink, unexpected};
use crate::ServerId;
use crate::core::Context;
use crate::effect::{Effect, RoleStatus};
use crate::id::names_epoch;
use crate::leave::{Exit, Leave};
use crate::message::{LeaderPacket, LearnerPacket};
use crate::quorum::Config;

/// ACK(NEWLEADER) is sent; UPTODATE comes once a quorum has done the same.
#[derive(Debug)]
pub(super) struct Waiting {
    stream: Stream,
    config: Option<Config>,
}

impl Waiting {
    pub(super) const NAME: &'static str = "waiting for UPTODATE";

    pub(super) fn new(stream: Stream, config: Option<Config>) -> Self {
        Self { stream, config }
    }

    pub(super) fn on_stored(mut self, cx: &mut Context<'_>, uplink: &Uplink) -> Phase {
        self.stream.acknowledge(cx, uplink);
        Phase::Waiting(self)
    }

    pub(super) fn on_packet(
        mut self,
        cx: &mut Context<'_>,
        uplink: &Uplink,
        packet: LeaderPacket,
    ) -> Result<Phase, Exit> {
        if packet != LeaderPacket::UpToDate {
            history(&mut self.stream, cx, Self::NAME, packet)?;
            return Ok(Phase::Waiting(self));
        }
        let stream = self.stream;
        let (decided, found) = (cx.core.history.decided(), stream.committed());
        if found < decided {
            return Err(Leave::LostCommitted { decided, found }.into());
        }
        if let Some(config) = self.config {
            activate_initial(cx, uplink, &stream, config)?;
        }
        stream.deliver(cx);
        // Apache's learners say it once more at this point.
        let zxid = stream.epoch.zxid();
        uplink.send(cx, LearnerPacket::Ack { zxid });
        serve(cx, uplink, &stream);
        Ok(Phase::Broadcasting(Broadcasting { stream }))
    }
}

/// NEWLEADER's configuration is in force, if it is committed: Apache's leaders put the one that they saw last
/// into it, which may only be proposed. That one comes into force by its commit.
fn activate_initial(
    cx: &mut Context<'_>,
    uplink: &Uplink,
    stream: &Stream,
    config: Config,
) -> Result<(), Exit> {
    let version = config.version();
    let committed = names_epoch(version) || version <= stream.committed();
    if committed && version > cx.core.configs.committed().version() {
        cx.commit_config(config);
    }
    if cx.core.role() != uplink.role {
        return Err(Exit::join(Leave::Reconfigured, uplink.leader));
    }
    Ok(())
}

fn serve(cx: &mut Context<'_>, uplink: &Uplink, stream: &Stream) {
    let (leader, epoch) = (uplink.leader, stream.epoch);
    cx.core.ballot.vote.peer_epoch = epoch;
    cx.change_status(match uplink.role {
        Role::Participant => RoleStatus::Following { leader, epoch },
        Role::Observer => RoleStatus::Observing { leader, epoch },
    });
}

/// Clients are served.
#[derive(Debug)]
pub(super) struct Broadcasting {
    stream: Stream,
}

impl Broadcasting {
    pub(super) const NAME: &'static str = "broadcasting";

    pub(super) fn on_stored(mut self, cx: &mut Context<'_>, uplink: &Uplink) -> Phase {
        self.stream.acknowledge(cx, uplink);
        Phase::Broadcasting(self)
    }

    pub(super) fn on_packet(
        mut self,
        cx: &mut Context<'_>,
        uplink: &Uplink,
        packet: LeaderPacket,
    ) -> Result<Phase, Exit> {
        match packet {
            LeaderPacket::Proposal(entry) => self.stream.propose(cx, entry)?,
            LeaderPacket::Commit { zxid } => {
                self.stream.commit(zxid)?;
                self.stream.deliver(cx);
            }
            LeaderPacket::Inform(entry) => {
                let zxid = entry.zxid;
                self.stream.propose(cx, entry)?;
                self.stream.commit(zxid)?;
                self.stream.deliver(cx);
            }
            LeaderPacket::CommitAndActivate { zxid, leader } => {
                self.activate(cx, uplink, zxid, leader)?;
            }
            LeaderPacket::InformAndActivate { entry, leader } => {
                let zxid = entry.zxid;
                self.stream.propose(cx, entry)?;
                self.activate(cx, uplink, zxid, leader)?;
            }
            LeaderPacket::Sync => cx.out.push(Effect::SyncAnswered),
            LeaderPacket::Revalidate { session, valid } => {
                cx.out.push(Effect::Revalidated { session, valid });
            }
            packet => return Err(unexpected(Self::NAME, &packet).into()),
        }
        Ok(Phase::Broadcasting(self))
    }

    /// A reconfiguration is committed: it is in force from here on. Who has another role in it, or
    /// another leader, starts again as what it is now; without an election, as the leader is known.
    fn activate(
        &mut self,
        cx: &mut Context<'_>,
        uplink: &Uplink,
        zxid: Zxid,
        leader: ServerId,
    ) -> Result<(), Exit> {
        self.stream.commit(zxid)?;
        let proposed = cx.core.configs.proposed().cloned();
        if let Some(config) = proposed.filter(|config| config.version() == zxid) {
            cx.commit_config(config);
        }
        self.stream.deliver(cx);
        if leader != uplink.leader || cx.core.role() != uplink.role {
            cx.core.ballot.vote.leader = leader;
            return Err(Exit::join(Leave::Reconfigured, leader));
        }
        Ok(())
    }
}
