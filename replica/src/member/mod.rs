//! A server of an ensemble: consensus, the state, and the clients that hang on both.
//!
//! A [`Member`] is owned by one thread. What clients want reaches it as [`Submission`]s from the
//! gate, what other servers and the disk say as inputs of [`zab`]; what it wants done it hands
//! out as [`Effect`]s. Reads go past it, to the shared [`Replica`].
//!
//! # A write
//!
//! It joins the queue of its session's connection ([`client`]). A leader makes it a transaction
//! and proposes it; a learner forwards it. Either way it comes back with the history: when its
//! transaction is committed it is applied ([`apply`]), and the oldest request of the session is
//! answered by it. Leader and learner answer by the same code, and what waits survives both.
//!
//! # When the leader is lost
//!
//! Connections stay ([`crate::Service::Holding`]), for `syncLimit` ticks at most. What they wait
//! for is then decided as follows:
//!
//! * **DIFF**, or a TRUNC of what was never applied: before clients are served again, all of the
//!   history that outlives the old leader is applied. A request whose transaction is in it is
//!   answered by it. One whose transaction is not in it never will be: the old leader's epoch is
//!   over, its log is closed, and its queues die with its role. So it is asked for again, in the
//!   order of its session. Only if it is the same leader still, of the same epoch, is that not
//!   so: a transaction may yet come of what was sent to it before. Connections that wait for one
//!   end.
//! * **SNAP**, or a TRUNC below what was applied: transactions have come or gone without being
//!   seen, and so have events. All connections end.
//! * A transaction of the session that answers none of its requests: the client goes on
//!   elsewhere. The connection ends, and asks for nothing again: what it waits for must not come
//!   behind what its client asked for later.
//!
//! A connection that is gone asks for nothing again either.

mod apply;
mod client;
mod effect;
mod following;
mod holding;
mod leading;
mod local;
mod reconfig;
mod serving;
mod tail;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use jute::Zxid;
use state::State;
use state::prep::PrepOptions;
use zab::{Io, LeaderPacket, Peer, RoleStatus, Store, Time};

use crate::connection::Ending;
use crate::gate::Submission;
use crate::sessions::{SessionIds, SessionTracker};
use crate::{Now, Replica};
use client::{Clients, Newcomer, Renewal};
pub use effect::{Effect, Outcome};
use following::Uplink;
use holding::Wait;
use leading::Reign;
use tail::Tail;

/// What a member is configured with, besides its [`crate::ReplicaOptions`].
#[derive(Clone, Debug)]
pub struct MemberOptions {
    /// Ticks and limits of consensus.
    pub peer: zab::Options,
    /// What the validation of requests depends on.
    pub prep: PrepOptions,
    /// `localSessionsEnabled`.
    pub local_sessions: bool,
    /// `localSessionsUpgradingEnabled`.
    pub local_sessions_upgrading: bool,
    /// `leaderServes`: as a leader this server takes clients.
    pub leader_serves: bool,
    /// `readonlymode.enabled`.
    pub read_only_mode: bool,
    /// `standaloneEnabled`: a configuration of one voter is none of an ensemble.
    pub standalone_enabled: bool,
}

impl Default for MemberOptions {
    fn default() -> Self {
        Self {
            peer: zab::Options::default(),
            prep: PrepOptions::default(),
            local_sessions: false,
            local_sessions_upgrading: false,
            leader_serves: true,
            read_only_mode: false,
            standalone_enabled: true,
        }
    }
}

/// What happens to a member.
pub enum Input {
    /// Time passes: to be called at [`Member::next_deadline_ms`].
    Tick,
    /// Clients want something, in this order.
    Submitted(Vec<Submission>),
    /// Another server, a link or the disk has something to say. Not for what a member says
    /// itself: proposals, forwarded requests, revalidations, syncs, digest mismatches.
    Peer(zab::Input),
    /// A state was loaded, see [`Effect::Reload`] and [`Effect::Io`].
    Loaded(Box<State>),
}

/// One server of an ensemble.
pub struct Member {
    replica: Arc<Replica>,
    options: MemberOptions,
    peer: Peer,
    /// Scratch for the peer's effects.
    effects: zab::Effects,
    /// What is to be done here, in order.
    agenda: VecDeque<Step>,
    tail: Tail,
    clients: Clients,
    /// By the id that their session will have.
    newcomers: BTreeMap<i64, Newcomer>,
    renewals: VecDeque<Renewal>,
    /// Sessions that no other server knows.
    local: SessionTracker,
    session_ids: SessionIds,
    duty: Duty,
    /// The last epoch that clients were served in.
    epoch: Option<zab::Epoch>,
    /// When a leader was last told which sessions were heard of, microseconds.
    told_us: u64,
    /// A role that begins when everything before it is applied.
    entering: Option<RoleStatus>,
}

/// What this server does for its clients, and for other servers' clients.
enum Duty {
    /// There is no leader, or none that this server has caught up with.
    Waiting(Wait),
    /// It orders the writes.
    Leading(Box<Reign>),
    /// It forwards the writes.
    Following(Uplink),
    /// It has stopped.
    Halted,
}

/// Something to be done in its turn: while a state is being loaded, the rest waits.
enum Step {
    Logged(Zxid, Bytes),
    Truncated(Zxid),
    Effect(zab::Effect),
    Load(Load),
}

/// Why a state is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Load {
    /// The leader's tree takes the place of the own one.
    Install,
    /// The state was ahead of the history.
    Reload,
    /// The tree is not what the history says it is.
    Rebuild { zxid: Zxid, expected: u64 },
}

impl Member {
    /// A server that has just started, with the state that it has recovered
    /// ([`Replica::of_member`]).
    pub fn new(
        me: zab::ServerId,
        replica: Arc<Replica>,
        options: MemberOptions,
        recovered: zab::Recovered,
        now: Now,
    ) -> Self {
        let (server_id, tick_ms) = {
            let options = replica.options();
            (options.server_id, options.tick_time_ms)
        };
        let state = replica.read();
        let mut session_ids = SessionIds::new(server_id, now.wall_ms, state.last_zxid());
        for (session, _timeout_ms) in state.sessions().iter() {
            session_ids.skip_past(session);
        }
        drop(state);
        Self {
            peer: Peer::new(me, options.peer.clone(), recovered),
            effects: zab::Effects::default(),
            agenda: VecDeque::new(),
            tail: Tail::default(),
            clients: Clients::default(),
            newcomers: BTreeMap::new(),
            renewals: VecDeque::new(),
            local: SessionTracker::new(tick_ms),
            session_ids,
            duty: Duty::Waiting(Wait::new(now)),
            epoch: None,
            told_us: 0,
            entering: None,
            replica,
            options,
        }
    }

    /// Takes what another server, a link or the disk has to say, as [`Input::Peer`]. What follows
    /// from it for clients may wait for the next call of [`Member::handle`] or
    /// [`Member::work_off`]: who has several inputs has that done for all of them at once.
    pub fn take(&mut self, now: Now, input: zab::Input, out: &mut Outcome) {
        let input = self.checked(input);
        self.feed(now, input, out);
    }

    /// Ends a run of [`Member::take`].
    pub fn work_off(&mut self, now: Now, out: &mut Outcome) {
        self.work(now, out);
    }

    /// Takes what happened, and says what is to be done.
    pub fn handle(&mut self, now: Now, input: Input, out: &mut Outcome) {
        if matches!(input, Input::Submitted(_) | Input::Loaded(_)) {
            // Which finds everything done that was taken before.
            self.work(now, out);
        }
        match input {
            Input::Tick => {
                self.feed(now, zab::Input::Tick, out);
                self.work(now, out);
                self.tick(now, out);
            }
            Input::Submitted(submissions) => {
                for submission in submissions {
                    self.submit(now, submission, out);
                }
            }
            Input::Peer(input) => self.take(now, input, out),
            Input::Loaded(state) => self.loaded(now, *state, out),
        }
        self.work(now, out);
    }

    /// When [`Input::Tick`] is due, milliseconds on the monotonic clock.
    pub fn next_deadline_ms(&self) -> Option<u64> {
        let peer = self.peer.next_deadline().map(|Time(ms)| ms);
        let duty = match &self.duty {
            Duty::Waiting(wait) => self.next_wait_ms(wait),
            Duty::Leading(reign) => self.next_due_ms(reign),
            Duty::Following(_) | Duty::Halted => None,
        };
        let local = self.local.next_deadline_ms();
        [peer, duty, local].into_iter().flatten().min()
    }

    /// The consensus inside, to look at.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The shared half.
    pub fn replica(&self) -> &Arc<Replica> {
        &self.replica
    }

    /// Sessions that no other server knows.
    pub fn local_sessions(&self) -> usize {
        self.local.len()
    }

    /// Requests that wait until proposals are taken again, and steps that wait until a state is
    /// loaded. Above some bound the shell reads nothing more from other servers, which is what
    /// bounds both: a state is loaded by the disk, so what a leader sends meanwhile does not become
    /// durable.
    pub fn backlog(&self) -> usize {
        let requests = match &self.duty {
            Duty::Leading(reign) => reign.backlog(),
            Duty::Waiting(_) | Duty::Following(_) | Duty::Halted => 0,
        };
        requests + self.agenda.len()
    }

    /// A transaction that no one could read back must not get into the log: the link that it
    /// came on ends instead.
    fn checked(&self, input: zab::Input) -> zab::Input {
        let zab::Input::FromLeader(link, packet) = &input else {
            return input;
        };
        let (LeaderPacket::Proposal(entry)
        | LeaderPacket::Inform(entry)
        | LeaderPacket::InformAndActivate { entry, .. }) = packet
        else {
            return input;
        };
        let limits = self.replica.options().limits;
        match state::apply::check_entry(&entry.bytes, limits) {
            Ok(()) => input,
            Err(_) => zab::Input::Unreadable(*link, entry.zxid),
        }
    }

    /// Tells consensus something, and notes what it wants.
    fn feed(&mut self, now: Now, input: zab::Input, out: &mut Outcome) {
        let time = Time(now.monotonic_ms());
        self.peer.handle(time, input, &mut self.effects);
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain() {
            self.sort(now, effect, out);
        }
        self.effects = effects;
    }

    /// What the shell does it is told at once; what is done here takes its turn.
    fn sort(&mut self, now: Now, effect: zab::Effect, out: &mut Outcome) {
        let effect = match effect {
            zab::Effect::Io(io) => {
                self.note(&io);
                Effect::Io(io)
            }
            zab::Effect::Reload(zxid) => {
                self.agenda.push_back(Step::Load(Load::Reload));
                Effect::Reload(zxid)
            }
            zab::Effect::Pong(link, zxid) => Effect::Io(self.pong(link, zxid, now)),
            zab::Effect::Alarm(zxid) => Effect::Alarm(zxid),
            zab::Effect::RoleChanged(RoleStatus::Halted) => {
                // The end. A state that is waited for may never come: its disk failed.
                self.agenda.clear();
                return self.agenda.push_back(Step::Effect(effect));
            }
            zab::Effect::Deliver { through } => {
                // The tail holds what is between two of them: one guard does for both.
                if let Some(Step::Effect(zab::Effect::Deliver { through: last })) =
                    self.agenda.back_mut()
                {
                    *last = through;
                    return;
                }
                return self.agenda.push_back(Step::Effect(effect));
            }
            here => return self.agenda.push_back(Step::Effect(here)),
        };
        out.effects.push(effect);
    }

    /// What the disk is about to hold changes what is to be done here, in its turn.
    fn note(&mut self, io: &Io) {
        let step = match io {
            Io::Store(_, Store::Append(entry)) => {
                let (zxid, bytes) = (entry.zxid, entry.bytes.clone());
                let changes = |step: &Step| matches!(step, Step::Truncated(_) | Step::Load(_));
                if !self.agenda.iter().any(changes) {
                    // Nothing that is still to be done takes anything of the tail back.
                    return self.tail.push(zxid, bytes);
                }
                Step::Logged(zxid, bytes)
            }
            Io::Store(_, Store::Truncate(zxid)) => Step::Truncated(*zxid),
            Io::Store(_, Store::InstallSnapshot(_)) => Step::Load(Load::Install),
            _ => return,
        };
        self.agenda.push_back(step);
    }

    /// Does what is on the agenda, up to a state that is still being loaded; then begins a role,
    /// if there is one to begin.
    fn work(&mut self, now: Now, out: &mut Outcome) {
        loop {
            match self.agenda.front() {
                Some(Step::Load(_)) => return,
                Some(_) => {
                    let step = self.agenda.pop_front().expect("looked at just now");
                    self.step(now, step, out);
                }
                None => match self.entering.take() {
                    Some(status) => self.enter(now, status, out),
                    None if self.take_backlog(now, out) => {}
                    None => return,
                },
            }
        }
    }

    fn step(&mut self, now: Now, step: Step, out: &mut Outcome) {
        match step {
            Step::Logged(zxid, bytes) => self.tail.push(zxid, bytes),
            Step::Truncated(zxid) => self.tail.truncate(zxid),
            Step::Effect(effect) => self.effect(now, effect, out),
            Step::Load(_) => unreachable!("what loads is waited for"),
        }
    }

    fn effect(&mut self, now: Now, effect: zab::Effect, out: &mut Outcome) {
        match effect {
            zab::Effect::Deliver { through } => self.deliver(now, through, out),
            zab::Effect::RoleChanged(status) => self.role_changed(now, status, out),
            zab::Effect::Forwarded(link, request) => self.forwarded(link, request),
            zab::Effect::Revalidate { link, session, .. } => self.revalidate(link, session),
            zab::Effect::Touched(_, touches) => self.touched(now, &touches),
            zab::Effect::Synced(id) => self.synced(now, id, out),
            zab::Effect::Revalidated { session, valid } => {
                self.revalidated(now, session, valid, out);
            }
            zab::Effect::SyncAnswered => self.sync_answered(now, out),
            zab::Effect::SendSnapshot(link) => out.effects.push(Effect::SendSnapshot(link)),
            zab::Effect::Io(_)
            | zab::Effect::Reload(_)
            | zab::Effect::Pong(..)
            | zab::Effect::Alarm(_) => unreachable!("the shell was told at once"),
        }
    }

    /// A role ends at once; the next begins when everything before it is applied.
    fn role_changed(&mut self, now: Now, status: RoleStatus, out: &mut Outcome) {
        self.entering = None;
        match status {
            RoleStatus::Looking | RoleStatus::Joining { .. } | RoleStatus::Preparing => {
                if !matches!(self.duty, Duty::Waiting(_)) {
                    self.lose_leader(now);
                }
                out.effects.push(Effect::RoleChanged(status));
            }
            RoleStatus::Following { .. }
            | RoleStatus::Observing { .. }
            | RoleStatus::Leading { .. } => self.entering = Some(status),
            RoleStatus::Halted => {
                self.duty = Duty::Halted;
                self.end_all(Ending::ServerStopping, out);
                self.replica.set_service(crate::Service::Closed);
                out.effects.push(Effect::RoleChanged(status));
            }
        }
    }

    /// A state is there that takes the place of the one in use.
    fn loaded(&mut self, now: Now, state: State, out: &mut Outcome) {
        if matches!(self.duty, Duty::Halted) {
            return;
        }
        let Some(Step::Load(load)) = self.agenda.pop_front() else {
            panic!("a state comes when one is waited for");
        };
        match load {
            Load::Rebuild { zxid, expected } => {
                return self.rebuilt(now, (zxid, expected), state, out);
            }
            // The tail begins behind it.
            Load::Reload => {}
            Load::Install => self.tail.clear(),
        }
        self.replace_state(now, state, out);
    }

    /// Events that fell between the states are unknown, and so is what became of requests: no
    /// connection can go on.
    fn replace_state(&mut self, now: Now, state: State, out: &mut Outcome) {
        self.end_all(Ending::StateReplaced, out);
        let sessions: Vec<_> = state.sessions().iter().collect();
        for (session, _timeout_ms) in &sessions {
            self.session_ids.skip_past(*session);
        }
        drop(self.replica.replace(state));
        let mut tracker = self.replica.sessions.lock();
        tracker.restart(sessions.into_iter(), now.monotonic_ms());
    }

    /// Ends all connections, whatever they wait for. Local sessions end with theirs.
    fn end_all(&mut self, ending: Ending, out: &mut Outcome) {
        for mut client in self.clients.take_all() {
            client.end(&self.replica, ending);
        }
        self.end_newcomers(ending, out);
        self.local = SessionTracker::new(self.replica.options().tick_time_ms);
        for connection in self.replica.connections().all() {
            connection.end(ending);
            out.touched.add(&connection);
        }
    }

    /// Has everyone look at what the server does for clients now.
    fn wake_all(&self) {
        for connection in self.replica.connections().all() {
            connection.wake();
        }
    }
}
