//! Phase 3 of the protocol: log what is proposed, apply what is committed.

use jute::quorum::config::Role;

use super::stream::Stream;
use super::synchronising::history;
use super::{Phase, Uplink};
use crate::core::Context;
use crate::effect::{Effect, RoleStatus};
use crate::id::names_epoch;
use crate::leave::{Exit, Leave};
use crate::message::{LeaderPacket, LearnerPacket};
use crate::quorum::Config;

/// ACK(NEWLEADER) is sent; UPTODATE comes once a quorum has done the same.
#[derive(Clone, Debug)]
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
        let mut stream = self.stream;
        let (decided, found) = (cx.core.history.decided(), stream.committed());
        if found < decided {
            return Err(Leave::LostCommitted { decided, found }.into());
        }
        if let Some(config) = self.config {
            activate_initial(cx, &stream, config);
        }
        stream.deliver(cx);
        stream.activate(cx, uplink)?;
        // Apache's learners say it once more at this point.
        let zxid = stream.epoch.zxid();
        uplink.send(cx, LearnerPacket::Ack { zxid });
        serve(cx, uplink, &stream);
        Ok(Phase::Broadcasting(Broadcasting { stream }))
    }
}

/// NEWLEADER's configuration is in force, if it is committed: Apache's leaders put the one that
/// they saw last into it, which may only be proposed. That one comes into force by its commit.
fn activate_initial(cx: &mut Context<'_>, stream: &Stream, config: Config) {
    let version = config.version();
    let committed = names_epoch(version) || version <= stream.committed();
    if committed && version > cx.core.configs.committed().version() {
        cx.commit_config(config);
    }
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
#[derive(Clone, Debug)]
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
            LeaderPacket::Sync => cx.out.push(Effect::SyncAnswered),
            LeaderPacket::Revalidate { session, valid } => {
                cx.out.push(Effect::Revalidated { session, valid });
            }
            packet => {
                let activates = packet.activates();
                history(&mut self.stream, cx, Self::NAME, packet)?;
                self.stream.deliver(cx);
                if activates {
                    self.stream.activate(cx, uplink)?;
                }
            }
        }
        Ok(Phase::Broadcasting(self))
    }
}
