//! Follower and observer: discovery, synchronisation, broadcast, as one learns them.
//!
//! ```text
//! Connecting → Discovering → Accepting → Planning ┬→ Synchronising ────────┬→ Adopting → Waiting → Broadcasting
//!              INFO sent     LEADERINFO  ACKEPOCH └→ Receiving → Staging ──┘  NEWLEADER  ACK      UPTODATE
//!                            being saved sent        SNAP's tree, then history, aside
//! ```
//!
//! What must be durable before what leaves:
//!
//! * `acceptedEpoch` before ACKEPOCH: a promise not to follow an older leader, which two leaders of
//!   one epoch would follow from breaking;
//! * the whole history up to NEWLEADER, then `currentEpoch`, then ACK(NEWLEADER): the leader counts
//!   it as one copy of the history that it commits, and `currentEpoch` wins elections against
//!   servers without that history;
//! * a proposal and all before it before its ACK.

mod broadcasting;
mod detector;
mod discovering;
mod staging;
mod stream;
mod synchronising;

use jute::quorum::config::Role;

use self::broadcasting::{Broadcasting, Waiting};
use self::detector::Detector;
pub(crate) use self::detector::TRUST_AFTER;
use self::discovering::{Accepting, Connecting, Discovering};
use self::staging::{Receiving, Staging};
use self::synchronising::{Adopting, Planning, Synchronising};
use crate::core::Context;
use crate::effect::{Effect, Io, RoleStatus};
use crate::input::{Input, LeaderLink};
use crate::leader::ObserverMaster;
use crate::leave::{Exit, Leave};
use crate::message::{LeaderPacket, LearnerPacket, Request};
use crate::overview::LearnerCounts;
use crate::quorum::Config;
use crate::time::earlier;
use crate::writes::Stored;
use crate::{ServerId, Time};

/// Follows a leader, with or without a vote.
#[derive(Clone, Debug)]
pub(crate) struct Learner {
    uplink: Uplink,
    choice: Choice,
    detector: Detector,
    phase: Phase,
    /// Serves observers, once this server is up to date.
    master: Option<Box<ObserverMaster>>,
}

/// How it came to be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// By votes.
    Elected,
    /// A reconfiguration named it.
    Designated,
}

/// The connection to the leader, and as what.
#[derive(Clone, Copy, Debug)]
struct Uplink {
    leader: ServerId,
    /// Whom it leads to: the leader, or a follower in its place.
    master: ServerId,
    link: LeaderLink,
    role: Role,
}

impl Uplink {
    fn send(&self, cx: &mut Context<'_>, packet: LearnerPacket) {
        cx.out.push(Io::ToLeader(self.link, packet));
    }

    /// Observers acknowledge no proposals.
    fn acknowledges(&self) -> bool {
        self.role == Role::Participant
    }
}

/// Each phase owns what it alone needs; what it does not expect ends the connection.
#[derive(Clone, Debug)]
enum Phase {
    Connecting(Connecting),
    Discovering(Discovering),
    Accepting(Accepting),
    Planning(Planning),
    Receiving(Receiving),
    Staging(Staging),
    Synchronising(Synchronising),
    Adopting(Adopting),
    Waiting(Waiting),
    Broadcasting(Broadcasting),
    /// Between two phases, or after the last.
    Left,
}

impl Learner {
    /// Starts to follow.
    pub(crate) fn start(cx: &mut Context<'_>, leader: ServerId, choice: Choice) -> Self {
        cx.change_status(RoleStatus::Joining { leader });
        let role = cx.core.role();
        let link = LeaderLink(0);
        let mut uplink = Uplink {
            leader,
            master: leader,
            link,
            role,
        };
        let connecting = Connecting::start(cx, &mut uplink);
        Self {
            uplink,
            choice,
            detector: Detector::new(&cx.core.options, cx.now),
            phase: Phase::Connecting(connecting),
            master: None,
        }
    }

    pub(crate) fn role(&self) -> Role {
        self.uplink.role
    }

    pub(crate) fn leader(&self) -> ServerId {
        self.uplink.leader
    }

    /// Whom it gets the history from.
    pub(crate) fn master(&self) -> ServerId {
        self.uplink.master
    }

    /// The observers that it serves, if it does.
    pub(crate) fn count_learners(&self, config: &Config) -> Option<LearnerCounts> {
        let master = self.master.as_ref()?;
        Some(master.count_learners(config))
    }

    /// Lets go of the leader. No one waits for an observer: it does not come back at once to a
    /// leader that has perhaps just turned it away.
    pub(crate) fn end(self, cx: &mut Context<'_>, why: Leave) {
        if !cx.core.status.serves() {
            cx.core.join_in_vain(cx.now);
        }
        if self.uplink.role == Role::Observer {
            let delay_ms = cx.core.options.observer_election_delay_ms;
            cx.core.look_from = cx.core.look_from.max(cx.now.after_ms(delay_ms));
        }
        if let Some(master) = self.master {
            master.end(cx, &why);
        }
        cx.out.push(Io::LeaveLeader(self.uplink.link, why));
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        match &self.phase {
            Phase::Connecting(connecting) => Some(connecting.next_deadline()),
            _ => {
                let master = self.master.as_deref().map(ObserverMaster::next_deadline);
                earlier(Some(self.detector.next_deadline()), master)
            }
        }
    }

    pub(crate) fn on_deadline(&mut self, cx: &mut Context<'_>) -> Result<(), Exit> {
        if let Phase::Connecting(connecting) = &mut self.phase {
            return Ok(connecting.on_deadline(cx, &mut self.uplink)?);
        }
        self.detector.on_deadline(cx.now)?;
        if let Some(master) = &mut self.master {
            master.on_deadline(cx);
        }
        Ok(())
    }

    pub(crate) fn on_input(&mut self, cx: &mut Context<'_>, input: Input) -> Result<(), Exit> {
        match input {
            Input::LeaderConnected(link) => self.on_connected(cx, link),
            Input::LeaderLost(link) => return self.on_lost(cx, link),
            Input::Unreadable(link, zxid) if link == self.uplink.link => {
                return Err(Leave::Unreadable(zxid).into());
            }
            Input::FromLeader(link, packet) => return self.on_packet(cx, link, packet),
            Input::SnapshotReceived(link) => self.on_snapshot_received(cx, link),
            Input::Forward(request) => self.forward(cx, request),
            Input::Revalidate {
                session,
                timeout_ms,
            } => self.revalidate(cx, session, timeout_ms),
            Input::LearnerConnected(link) => {
                cx.out.push(Io::DropLearner(link, Leave::NotLeading));
            }
            input => self.on_observer(cx, input),
        }
        Ok(())
    }

    /// What concerns an observer that this server serves, or would have to.
    fn on_observer(&mut self, cx: &mut Context<'_>, input: Input) {
        match (&mut self.master, input) {
            (Some(master), input) => master.on_input(cx, input),
            (None, Input::ObserverConnected(link)) => {
                cx.out.push(Io::DropLearner(link, Leave::NotLeading));
            }
            (None, _) => {}
        }
    }

    fn on_connected(&mut self, cx: &mut Context<'_>, link: LeaderLink) {
        if link == self.uplink.link
            && let Phase::Connecting(connecting) = &self.phase
        {
            self.detector = Detector::new(&cx.core.options, cx.now);
            self.phase = Phase::Discovering(connecting.connected(cx, &self.uplink));
        }
    }

    /// Who could not be reached is tried again: it may need a while. So is one that a
    /// reconfiguration named and that has not heard of it yet, and an observer has other masters to
    /// try. But an elected leader that closes what it had accepted does not lead, or not any more:
    /// another one may have been elected meanwhile.
    fn on_lost(&mut self, cx: &mut Context<'_>, link: LeaderLink) -> Result<(), Exit> {
        if link != self.uplink.link {
            return Ok(());
        }
        match &mut self.phase {
            Phase::Connecting(connecting) => connecting.failed(cx),
            Phase::Discovering(discovering)
                if self.choice == Choice::Designated
                    || self.uplink.master != self.uplink.leader =>
            {
                self.phase = Phase::Connecting(discovering.reconnect(cx));
            }
            _ => return Err(Leave::Lost.into()),
        }
        Ok(())
    }

    /// The leader is in an election again: no use to go on connecting, or to wait for its first
    /// word.
    pub(crate) fn on_leader_looking(&mut self) -> Result<(), Exit> {
        match self.phase {
            Phase::Connecting(_) | Phase::Discovering(_) => Err(Leave::Lost.into()),
            _ => Ok(()),
        }
    }

    /// The leader's process is gone: no use to go on connecting.
    pub(crate) fn on_leader_gone(&mut self) -> Result<(), Exit> {
        match self.phase {
            Phase::Connecting(_) => Err(Leave::Lost.into()),
            _ => Ok(()),
        }
    }

    fn on_packet(
        &mut self,
        cx: &mut Context<'_>,
        link: LeaderLink,
        packet: LeaderPacket,
    ) -> Result<(), Exit> {
        if link != self.uplink.link {
            return Ok(());
        }
        self.detector.heard(cx.now, &packet);
        if let LeaderPacket::NewLeader { .. } = packet {
            self.detector.synchronised(&cx.core.options, cx.now);
        }
        if self.is_for_observer(cx, &packet) {
            return Ok(());
        }
        let result = self.take(cx, packet);
        self.serve_observers(cx);
        result
    }

    /// An answer that goes through to an observer.
    fn is_for_observer(&mut self, cx: &mut Context<'_>, packet: &LeaderPacket) -> bool {
        let Some(master) = &mut self.master else {
            return false;
        };
        match *packet {
            LeaderPacket::Sync => master.takes_sync(cx),
            LeaderPacket::Revalidate { session, valid } => {
                master.takes_revalidation(cx, session, valid)
            }
            LeaderPacket::CommitAndActivate { leader, .. } => {
                master.designate(leader);
                false
            }
            _ => false,
        }
    }

    /// Passes on what is committed by now; also if it ends this role.
    fn serve_observers(&mut self, cx: &mut Context<'_>) {
        if let Some(master) = &mut self.master {
            master.follow(cx);
        } else if let Phase::Broadcasting(_) = &self.phase
            && cx.core.options.observer_masters
            && self.uplink.role == Role::Participant
        {
            let Uplink { leader, link, .. } = self.uplink;
            let master = ObserverMaster::start(cx, leader, link);
            self.master = Some(Box::new(master));
        }
    }

    fn take(&mut self, cx: &mut Context<'_>, packet: LeaderPacket) -> Result<(), Exit> {
        let up = self.uplink;
        self.phase = match (self.leave_phase(), packet) {
            (phase @ Phase::Connecting(_), _) => phase,
            (phase, LeaderPacket::Ping { zxid }) if phase.takes_pings() => {
                cx.out.push(Effect::Pong(up.link, zxid));
                phase
            }
            (Phase::Discovering(phase), LeaderPacket::LeaderInfo { epoch }) => {
                phase.on_leader_info(cx, &up, epoch)?
            }
            (Phase::Planning(phase), packet) => phase.on_packet(cx, &up, packet)?,
            (Phase::Staging(phase), packet) => phase.on_packet(cx, packet)?,
            (Phase::Synchronising(phase), packet) => phase.on_packet(cx, packet)?,
            (Phase::Adopting(phase), packet) => phase.on_packet(cx, packet)?,
            (Phase::Waiting(phase), packet) => phase.on_packet(cx, &up, packet)?,
            (Phase::Broadcasting(phase), packet) => phase.on_packet(cx, &up, packet)?,
            (phase, packet) => return Err(unexpected(phase.name(), &packet).into()),
        };
        Ok(())
    }

    /// Takes the phase, for a handler to consume.
    fn leave_phase(&mut self) -> Phase {
        std::mem::replace(&mut self.phase, Phase::Left)
    }

    /// The tree is here.
    fn on_snapshot_received(&mut self, cx: &mut Context<'_>, link: LeaderLink) {
        if link != self.uplink.link {
            return;
        }
        self.phase = match self.leave_phase() {
            Phase::Receiving(phase) => {
                self.detector.progress(cx.now);
                Phase::Staging(phase.received())
            }
            phase => phase,
        };
    }

    pub(crate) fn on_stored(&mut self, cx: &mut Context<'_>, stored: Stored) {
        let up = self.uplink;
        self.phase = match self.leave_phase() {
            Phase::Accepting(phase) => phase.on_stored(cx, &up, stored),
            Phase::Adopting(phase) => phase.on_stored(cx, &up, stored),
            Phase::Waiting(phase) => phase.on_stored(cx, &up),
            Phase::Broadcasting(phase) => phase.on_stored(cx, &up),
            phase => phase,
        };
    }

    /// Passes a client's request on. Before UPTODATE no client is served, so there is none.
    fn forward(&mut self, cx: &mut Context<'_>, request: Request) {
        if let Phase::Broadcasting(_) = self.phase {
            if let Some(master) = self.master.as_mut().filter(|_| request.is_sync()) {
                master.asked_for_sync();
            }
            self.uplink.send(cx, LearnerPacket::Request(request));
        }
    }

    fn revalidate(&self, cx: &mut Context<'_>, session: i64, timeout_ms: i32) {
        if let Phase::Broadcasting(_) = self.phase {
            let packet = LearnerPacket::Revalidate {
                session,
                timeout_ms,
            };
            self.uplink.send(cx, packet);
        }
    }
}

impl Phase {
    fn name(&self) -> &'static str {
        match self {
            Self::Connecting(_) => "connecting",
            Self::Discovering(_) => "waiting for LEADERINFO",
            Self::Accepting(_) => "saving acceptedEpoch",
            Self::Planning(_) => Planning::NAME,
            Self::Receiving(_) => "receiving a snapshot",
            Self::Staging(_) => Staging::NAME,
            Self::Synchronising(_) => Synchronising::NAME,
            Self::Adopting(_) => Adopting::NAME,
            Self::Waiting(_) => Waiting::NAME,
            Self::Broadcasting(_) => Broadcasting::NAME,
            Self::Left => "leaving",
        }
    }

    /// Leaders ping from the first packet of a synchronisation on; not in the middle of a tree.
    fn takes_pings(&self) -> bool {
        match self {
            Self::Planning(_)
            | Self::Staging(_)
            | Self::Synchronising(_)
            | Self::Adopting(_)
            | Self::Waiting(_)
            | Self::Broadcasting(_) => true,
            Self::Connecting(_)
            | Self::Discovering(_)
            | Self::Accepting(_)
            | Self::Receiving(_)
            | Self::Left => false,
        }
    }
}

fn unexpected(phase: &'static str, packet: &LeaderPacket) -> Leave {
    Leave::Unexpected {
        packet: packet.name(),
        phase,
    }
}
