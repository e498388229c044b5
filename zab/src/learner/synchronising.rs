//! Phase 2 of the protocol: take over the leader's history.

use jute::Zxid;

use super::broadcasting::Waiting;
use super::staging::Receiving;
use super::stream::Stream;
use super::{Phase, Uplink, unexpected};
use crate::Epoch;
use crate::core::Context;
use crate::effect::Store;
use crate::id::{check_epoch, names_epoch};
use crate::leave::Leave;
use crate::message::{LeaderPacket, LearnerPacket};
use crate::quorum::Config;
use crate::writes::Stored;

/// ACKEPOCH is sent; DIFF, TRUNC or SNAP comes once a quorum has done the same.
#[derive(Clone, Debug)]
pub(super) struct Planning {
    epoch: Epoch,
}

impl Planning {
    pub(super) const NAME: &'static str = "waiting for DIFF, TRUNC or SNAP";

    pub(super) fn new(epoch: Epoch) -> Self {
        Self { epoch }
    }

    pub(super) fn on_packet(
        self,
        cx: &mut Context<'_>,
        uplink: &Uplink,
        packet: LeaderPacket,
    ) -> Result<Phase, Leave> {
        let base = match packet {
            LeaderPacket::Snap { zxid } => {
                check_epoch(zxid, self.epoch)?;
                let receiving = Receiving::start(cx, uplink.link, self.epoch, zxid);
                return Ok(Phase::Receiving(receiving));
            }
            LeaderPacket::Diff { .. } | LeaderPacket::Trunc { .. }
                if !cx.core.reputation.may_build_on_history() =>
            {
                return Err(Leave::SnapshotNeeded);
            }
            LeaderPacket::Diff { .. } => cx.core.history.last_logged(),
            LeaderPacket::Trunc { zxid } => {
                let (last, decided) = (cx.core.history.last_logged(), cx.core.history.decided());
                if zxid > last || zxid < decided {
                    let to = zxid;
                    return Err(Leave::BadTruncation { to, decided, last });
                }
                cx.truncate(zxid);
                zxid
            }
            packet => return Err(unexpected(Self::NAME, &packet)),
        };
        let stream = Stream::new(self.epoch, base);
        Ok(Phase::Synchronising(Synchronising { stream }))
    }
}

/// The history is coming in; NEWLEADER ends it.
#[derive(Clone, Debug)]
pub(super) struct Synchronising {
    stream: Stream,
}

impl Synchronising {
    pub(super) const NAME: &'static str = "synchronising";

    pub(super) fn on_packet(
        mut self,
        cx: &mut Context<'_>,
        packet: LeaderPacket,
    ) -> Result<Phase, Leave> {
        let LeaderPacket::NewLeader { epoch, config } = packet else {
            history(&mut self.stream, cx, Self::NAME, packet)?;
            return Ok(Phase::Synchronising(self));
        };
        Adopting::start(cx, self.stream, epoch, config).map(Phase::Adopting)
    }
}

/// The history, then `currentEpoch`, are on their way to the disk.
#[derive(Clone, Debug)]
pub(super) struct Adopting {
    stream: Stream,
    /// The last entry before NEWLEADER.
    end: Zxid,
    config: Option<Config>,
}

impl Adopting {
    pub(super) const NAME: &'static str = "making the history durable";

    /// NEWLEADER arrived.
    pub(super) fn start(
        cx: &mut Context<'_>,
        mut stream: Stream,
        epoch: Epoch,
        config: Option<Config>,
    ) -> Result<Self, Leave> {
        let expected = stream.epoch;
        if epoch != expected {
            let found = epoch;
            return Err(Leave::OtherEpoch { expected, found });
        }
        if let Some(config) = &config {
            let vain = |proposed: &Config| {
                names_epoch(proposed.version()) && proposed.version() > config.version()
            };
            if cx.core.configs.proposed().is_some_and(vain) {
                // A first leader gave it its version and was never established: whoever is elected
                // after one that was has seen its configuration.
                cx.forget_proposed();
            }
            cx.see_config(config.clone());
        }
        // Queued behind the history: durable only when all of it is.
        cx.store(Store::CurrentEpoch(epoch));
        stream.settle();
        let end = cx.core.history.last_logged();
        Ok(Self {
            stream,
            end,
            config,
        })
    }

    pub(super) fn on_packet(
        mut self,
        cx: &mut Context<'_>,
        packet: LeaderPacket,
    ) -> Result<Phase, Leave> {
        history(&mut self.stream, cx, Self::NAME, packet)?;
        Ok(Phase::Adopting(self))
    }

    pub(super) fn on_stored(self, cx: &mut Context<'_>, uplink: &Uplink, stored: Stored) -> Phase {
        let mut stream = self.stream;
        let epoch = stream.epoch;
        if stored != Stored::CurrentEpoch(epoch) {
            return Phase::Adopting(Self { stream, ..self });
        }
        let writes = &cx.core.writes;
        assert!(
            writes.accepted_epoch() >= epoch
                && writes.current_epoch() == epoch
                && writes.log_end() >= self.end,
            "ACK(NEWLEADER) of {epoch} before what it vouches for is durable"
        );
        cx.core.reputation.synchronised(self.end);
        let zxid = epoch.zxid();
        uplink.send(cx, LearnerPacket::Ack { zxid });
        stream.acknowledge(cx, uplink);
        Phase::Waiting(Waiting::new(stream, self.config))
    }
}

/// Packets that carry history, in whatever phase.
pub(super) fn history(
    stream: &mut Stream,
    cx: &mut Context<'_>,
    phase: &'static str,
    packet: LeaderPacket,
) -> Result<(), Leave> {
    match packet {
        LeaderPacket::Proposal(entry) => stream.propose(cx, entry),
        LeaderPacket::Commit { zxid } => stream.commit(zxid),
        LeaderPacket::CommitAndActivate { zxid, leader } => stream.commit_reconfig(zxid, leader),
        LeaderPacket::Inform(entry) => {
            let zxid = entry.zxid;
            stream.propose(cx, entry)?;
            stream.commit(zxid)
        }
        LeaderPacket::InformAndActivate { entry, leader } => {
            let zxid = entry.zxid;
            stream.propose(cx, entry)?;
            stream.commit_reconfig(zxid, leader)
        }
        packet => Err(unexpected(phase, &packet)),
    }
}
