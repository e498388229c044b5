//! Leader: discovery, synchronisation, broadcast, as one leads them.
//!
//! ```text
//! Discovery → Accepting → Acknowledgement → Synchronisation → Broadcast
//! INFO from   acceptedEpoch  ACKEPOCH from    ACK(NEWLEADER)    proposals,
//! a quorum    being saved    a quorum         from a quorum     acks, commits
//! ```
//!
//! Every learner goes its own way through [`handler`]; the phases count what a quorum of them has
//! done. This server counts as one of the quorum when, and not before, the same thing is
//! durable on its own disk: `acceptedEpoch` before LEADERINFO leaves, `currentEpoch` before
//! it counts for NEWLEADER, a proposal before it counts for its commit.

mod broadcast;
mod discovery;
mod feed;
mod handler;
mod learners;
mod liveness;
mod observer_master;
mod reconfiguration;
mod synced_reads;
mod synchronisation;

use std::collections::BTreeMap;

use jute::Zxid;
use jute::quorum::config::Role;

use self::broadcast::Broadcast;
use self::discovery::{Accepting, Acknowledgement, Discovery};
use self::handler::Stage;
use self::learners::Learners;
use self::liveness::Pinging;
pub(crate) use self::observer_master::ObserverMaster;
use self::observer_master::Relay;
use self::synchronisation::Synchronisation;
use crate::core::Context;
use crate::effect::{Effect, Io, RoleStatus};
use crate::input::{Input, LearnerLink, LogRead, ReadId};
use crate::leave::{Exit, Leave};
use crate::message::{Entry, LeaderPacket, LearnerPacket};
use crate::overview::LearnerCounts;
use crate::quorum::Config;
use crate::time::earlier;
use crate::writes::Stored;
use crate::{Epoch, ServerId, Time};

/// Leads, or is about to.
#[derive(Clone, Debug)]
pub(crate) struct Leader {
    /// The last entry of the history that this leader brings along.
    initial_end: Zxid,
    /// Who leads as far as learners are told: this server, until a reconfiguration says otherwise.
    designated: ServerId,
    learners: Learners,
    pinging: Pinging,
    /// Voters that looked for a leader with histories of later epochs than this one.
    ahead: BTreeMap<ServerId, Epoch>,
    /// What is being committed; between two calls, memory for the next.
    due: Vec<Zxid>,
    phase: Phase,
}

#[derive(Clone, Debug)]
enum Phase {
    Discovery(Discovery),
    Accepting(Accepting),
    Acknowledgement(Acknowledgement),
    Synchronisation(Synchronisation),
    Broadcast(Broadcast),
    /// This server follows, and serves observers.
    ObserverMaster(Relay),
}

impl Leader {
    /// Starts to lead. The whole own history is durable.
    pub(crate) fn start(cx: &mut Context<'_>) -> Result<Self, Exit> {
        cx.change_status(RoleStatus::Preparing);
        let initial_end = cx.core.history.last_logged();
        assert_eq!(
            cx.core.writes.log_end(),
            initial_end,
            "a leader's history is durable before it leads"
        );
        let mut leader = Self {
            initial_end,
            designated: cx.core.me,
            learners: Learners::default(),
            pinging: Pinging::new(cx),
            ahead: BTreeMap::new(),
            due: Vec::new(),
            phase: Phase::Discovery(Discovery::new(cx)),
        };
        leader.discover(cx)?;
        Ok(leader)
    }

    /// Lets go of all learners.
    pub(crate) fn end(self, cx: &mut Context<'_>, why: &Leave) {
        cx.core.configs.set_followed(false);
        for link in self.learners.links() {
            cx.out.push(Io::DropLearner(link, why.clone()));
        }
    }

    /// Which server a connection belongs to, once it is named, if the server has no newer one.
    pub(crate) fn learner(&self, link: LearnerLink) -> Option<ServerId> {
        let server = self.learners.get(link)?.server?;
        (self.learners.link_of(server) == Some(link)).then_some(server)
    }

    /// Since when this server leads, once it is established.
    pub(crate) fn since(&self) -> Option<Time> {
        match &self.phase {
            Phase::Broadcast(phase) => Some(phase.since),
            _ => None,
        }
    }

    /// How many learners there are, and how far they have come.
    pub(crate) fn count_learners(&self, config: &Config) -> LearnerCounts {
        let mut counts = self.learners.count(config);
        counts.pending_syncs = match &self.phase {
            Phase::Broadcast(phase) => phase.synced_reads.len(),
            Phase::ObserverMaster(relay) => relay.open_syncs(),
            _ => 0,
        };
        counts
    }

    /// The epoch, once it is decided and saved.
    fn epoch(&self) -> Option<Epoch> {
        match &self.phase {
            Phase::Discovery(_) | Phase::Accepting(_) => None,
            Phase::Acknowledgement(phase) => Some(phase.epoch),
            Phase::Synchronisation(phase) => Some(phase.epoch),
            Phase::Broadcast(phase) => Some(phase.epoch),
            Phase::ObserverMaster(relay) => Some(relay.epoch),
        }
    }

    /// Up to where learners are told that the history is committed. What a new leader brings along
    /// counts, though only UPTODATE makes it so: learners apply none of it before that.
    fn commit_point(&self, cx: &Context<'_>) -> Zxid {
        match &self.phase {
            Phase::Broadcast(_) | Phase::ObserverMaster(_) => cx.core.history.committed(),
            _ => self.initial_end,
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        let give_up = match &self.phase {
            Phase::Discovery(phase) => Some(phase.give_up),
            Phase::Accepting(_) => None,
            Phase::Acknowledgement(phase) => Some(phase.give_up),
            Phase::Synchronisation(phase) => Some(phase.give_up),
            Phase::Broadcast(phase) => phase.next_deadline(),
            Phase::ObserverMaster(_) => None,
        };
        earlier(Some(self.pinging.due()), give_up)
    }

    pub(crate) fn on_deadline(&mut self, cx: &mut Context<'_>) -> Result<(), Exit> {
        self.check_phase(cx)?;
        if self.pinging.due() <= cx.now {
            self.check_learners(cx);
            self.check_quorum(cx)?;
            self.ping_all(cx);
        }
        self.settle(cx)
    }

    /// The three waits for a quorum are bounded: the others look again, and so do we.
    fn check_phase(&mut self, cx: &mut Context<'_>) -> Result<(), Exit> {
        let (phase, give_up) = match &self.phase {
            Phase::Discovery(phase) => ("discovery", phase.give_up),
            Phase::Acknowledgement(phase) => ("acknowledgement", phase.give_up),
            Phase::Synchronisation(phase) => ("synchronisation", phase.give_up),
            Phase::Accepting(_) | Phase::ObserverMaster(_) => return Ok(()),
            Phase::Broadcast(phase) => return phase.check_retirement(cx.now),
        };
        if cx.now >= give_up {
            let ms = cx.core.options.init_limit_ms();
            return Err(Leave::Unfinished { phase, ms }.into());
        }
        Ok(())
    }

    pub(crate) fn on_input(&mut self, cx: &mut Context<'_>, input: Input) -> Result<(), Exit> {
        match input {
            Input::Propose(entry) => {
                // Nothing can be concluded from it before someone has logged it.
                self.propose(cx, entry);
                return Ok(());
            }
            Input::Sync(id) => self.sync_own(cx, id),
            Input::LearnerSync(link) => self.sync_learner(cx, link),
            Input::Revalidated {
                link,
                session,
                valid,
            } => self.revalidated(cx, link, session, valid),
            Input::FromLearner(link, LearnerPacket::Request(request)) => {
                // As little as from a proposal, unless the learner is let go for it.
                let learners = self.learners.len();
                self.on_packet(cx, link, LearnerPacket::Request(request));
                if self.learners.len() == learners {
                    return Ok(());
                }
            }
            input => self.on_learner(cx, input),
        }
        self.settle(cx)
    }

    /// The oracle may have made this server alone a quorum.
    pub(crate) fn on_oracle(&mut self, cx: &mut Context<'_>) -> Result<(), Exit> {
        self.settle(cx)
    }

    /// What concerns a learner alone.
    fn on_learner(&mut self, cx: &mut Context<'_>, input: Input) {
        match input {
            Input::LearnerConnected(link) | Input::ObserverConnected(link) => {
                self.on_connected(cx, link);
            }
            Input::LearnerLost(link) => self.forget(link),
            Input::FromLearner(link, packet) => self.on_packet(cx, link, packet),
            Input::Flushed(link, bytes) => self.on_flushed(cx, link, bytes),
            Input::SnapshotSent(link) => self.on_snapshot_sent(cx, link),
            Input::LogRead(read, found) => self.on_log_read(cx, read, found),
            _ => {}
        }
    }

    fn on_connected(&mut self, cx: &mut Context<'_>, link: LearnerLink) {
        if let Err(why) = self.learners.add(link, cx.now) {
            cx.out.push(Io::DropLearner(link, why));
        }
    }

    /// Lets go of a learner.
    fn drop_learner(&mut self, cx: &mut Context<'_>, link: LearnerLink, why: Leave) {
        self.forget(link);
        cx.out.push(Io::DropLearner(link, why));
    }

    /// What a learner acknowledged is worth nothing once it is gone: when it comes back it
    /// may be told to truncate it first.
    fn forget(&mut self, link: LearnerLink) {
        let Some(server) = self.learners.remove(link) else {
            return;
        };
        match &mut self.phase {
            Phase::Discovery(phase) => phase.forget(server),
            Phase::Acknowledgement(phase) => phase.forget(server),
            Phase::Synchronisation(phase) => phase.forget(server),
            Phase::Broadcast(phase) => phase.forget(server),
            Phase::Accepting(_) | Phase::ObserverMaster(_) => {}
        }
    }

    fn on_packet(&mut self, cx: &mut Context<'_>, link: LearnerLink, packet: LearnerPacket) {
        if let Some(handler) = self.learners.get_mut(link) {
            handler.heard = cx.now;
            if let Err(why) = self.take(cx, link, packet) {
                self.drop_learner(cx, link, why);
            }
        }
    }

    fn take(
        &mut self,
        cx: &mut Context<'_>,
        link: LearnerLink,
        packet: LearnerPacket,
    ) -> Result<(), Leave> {
        let Some(handler) = self.learners.get_mut(link) else {
            return Ok(());
        };
        match (&handler.stage, packet) {
            (
                Stage::Greeting,
                LearnerPacket::Info {
                    role,
                    server,
                    accepted_epoch,
                    config_version,
                },
            ) => {
                self.check_role(role)?;
                self.check_config(cx, server, config_version)?;
                self.greet(cx, link, server, role)?;
                self.on_info(cx, link, server, accepted_epoch)
            }
            (
                Stage::Invited,
                LearnerPacket::AckEpoch {
                    current_epoch,
                    last_zxid,
                },
            ) => self.on_ack_epoch(cx, link, current_epoch, last_zxid),
            (Stage::Fed(_), LearnerPacket::Ack { zxid }) => self.on_ack(cx, link, zxid),
            (Stage::Fed(_), LearnerPacket::Ping { touched, .. }) => {
                handler.pong()?;
                cx.out.push(Effect::Touched(link, touched));
                Ok(())
            }
            (Stage::Fed(fed), LearnerPacket::Request(request)) if fed.is_up_to_date() => {
                self.on_request(cx, link, request)
            }
            (
                Stage::Fed(fed),
                LearnerPacket::Revalidate {
                    session,
                    timeout_ms,
                },
            ) if fed.is_up_to_date() => self.on_revalidate(cx, link, session, timeout_ms),
            (stage, packet) => Err(Leave::Unexpected {
                packet: packet.name(),
                phase: stage.name(),
            }),
        }
    }

    /// Whether the session is alive: the leader's clients know, or the leader does.
    fn on_revalidate(
        &mut self,
        cx: &mut Context<'_>,
        link: LearnerLink,
        session: i64,
        timeout_ms: i32,
    ) -> Result<(), Leave> {
        if let Phase::ObserverMaster(relay) = &mut self.phase {
            return relay.revalidate(cx, link, session, timeout_ms);
        }
        cx.out.push(Effect::Revalidate {
            link,
            session,
            timeout_ms,
        });
        Ok(())
    }

    /// Followers belong to the leader.
    fn check_role(&self, role: Role) -> Result<(), Leave> {
        match (&self.phase, role) {
            (Phase::ObserverMaster(_), Role::Participant) => Err(Leave::Unexpected {
                packet: "FOLLOWERINFO",
                phase: "serving observers",
            }),
            _ => Ok(()),
        }
    }

    /// Names the learner; an older connection of the same server is dead, whether it knows or not.
    fn greet(
        &mut self,
        cx: &mut Context<'_>,
        link: LearnerLink,
        server: ServerId,
        role: Role,
    ) -> Result<(), Leave> {
        if server == cx.core.me {
            return Err(Leave::OwnId(server));
        }
        if let Some(old) = self.learners.link_of(server) {
            self.drop_learner(cx, old, Leave::Replaced(server));
        }
        self.learners.name(link, server, role);
        Ok(())
    }

    /// So many bytes have reached the learner's socket: there is room for more.
    fn on_flushed(&mut self, cx: &mut Context<'_>, link: LearnerLink, bytes: usize) {
        if let Some(handler) = self.learners.get_mut(link)
            && let Stage::Fed(fed) = &mut handler.stage
        {
            fed.feed.flushed(bytes);
            if !fed.has_acked() {
                // A long synchronisation is no silence.
                handler.heard = cx.now;
            }
            self.pump(cx, link);
        }
    }

    fn on_snapshot_sent(&mut self, cx: &mut Context<'_>, link: LearnerLink) {
        if let Some(handler) = self.learners.get_mut(link)
            && let Stage::Fed(fed) = &mut handler.stage
        {
            fed.feed.snapshot_sent();
            handler.heard = cx.now;
            self.pump(cx, link);
        }
    }

    fn on_log_read(&mut self, cx: &mut Context<'_>, read: ReadId, found: LogRead) {
        if let Some(link) = self.learners.reading(read)
            && let Err(why) = self.read_for(cx, link, found)
        {
            self.drop_learner(cx, link, why);
        }
    }

    pub(crate) fn on_stored(&mut self, cx: &mut Context<'_>, stored: Stored) -> Result<(), Exit> {
        let me = cx.core.me;
        match (&mut self.phase, stored) {
            (Phase::Accepting(phase), Stored::AcceptedEpoch(epoch)) if phase.epoch == epoch => {
                self.accepted(cx, epoch);
            }
            (Phase::Synchronisation(phase), Stored::CurrentEpoch(epoch))
                if phase.epoch == epoch =>
            {
                phase.acked.insert(me);
            }
            (Phase::Broadcast(phase), Stored::Append(zxid)) => phase.acks.record(me, zxid),
            _ => {}
        }
        self.settle(cx)
    }

    fn propose(&mut self, cx: &mut Context<'_>, entry: Entry) {
        if self.may_propose() {
            self.broadcast(cx, entry);
        }
    }

    /// Answers a learner about a session.
    fn revalidated(&mut self, cx: &mut Context<'_>, link: LearnerLink, session: i64, valid: bool) {
        self.send(cx, link, LeaderPacket::Revalidate { session, valid });
    }

    /// Draws the conclusions from whatever has been counted: one place, so that no order of
    /// events is forgotten.
    fn settle(&mut self, cx: &mut Context<'_>) -> Result<(), Exit> {
        self.count_followers(cx);
        self.discover(cx)?;
        self.acknowledge(cx);
        self.establish(cx)?;
        self.advance(cx)?;
        self.finish_syncs(cx);
        self.retire(cx)
    }
}
