//! Hands what came in to the member, and does what it wants.

use std::collections::BTreeMap;
use std::mem::{Discriminant, discriminant};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use journal::{Inflow, LogReader, Write};
use jute::Zxid;
use jute::quorum::config::{Member, MemberAddress};
use parking_lot::Mutex;
use replica::Submission;
use replica::member::{self, Effect, Input, Outcome};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};
use zab::{
    Io, LeaderLink, LeaderPacket, LearnerLink, LearnerPacket, Leave, ReadId, RoleStatus, ServerId,
    Store,
};

use super::disk::{self, Disk, DiskError, Job};
use super::engine::{Arrival, Engine};
use crate::answering::answer;
use crate::clock::Clock;
use crate::peer::Complaints;
use crate::peer::election::{ElectionLinks, Members};
use crate::peer::quorum::{Flush, Outflows, PeerSocket, Port, Uplinks};
use crate::snapshots::{self, Snapshots};

/// A read of the log for a learner that is far behind is followed by a rest of so many times as
/// long as it took: whoever commits waits for the disk meanwhile.
const READ_RESTS: u32 = 3;

/// What the member's effects need of the shell. Set once the engine is there.
pub(crate) struct Shell {
    pub(super) engine: Arc<Engine>,
    pub(super) election: Arc<ElectionLinks>,
    /// Where the ports are to be found.
    pub(super) own_line: watch::Sender<Member>,
    pub(super) uplinks: Uplinks,
    pub(super) outflows: Outflows,
    pub(super) runtime: tokio::runtime::Handle,
    /// `observerMasterPort`: the same on all servers.
    pub(super) observer_master_port: Option<u16>,
}

/// Owned by who decides at the moment.
pub(crate) struct Core {
    member: member::Member,
    clock: Clock,
    snapshots: Snapshots,
    reader: Arc<Mutex<LogReader>>,
    shell: Option<Shell>,
    uplink: Option<Uplink>,
    learners: BTreeMap<LearnerLink, Learner>,
    /// A tree that came, and what was applied to it.
    staged: Option<(LeaderLink, Box<Inflow>)>,
    out: Outcome,
    jobs: Vec<Job>,
    /// Batches of jobs that the log's thread has not reported on.
    with_disk: usize,
    /// Why learners were let go.
    complaints: Complaints<Discriminant<Leave>>,
    /// The versions of the configurations that the links know.
    configs: (Zxid, Zxid),
    /// As [`Core::has_new_status`] saw it last.
    status: RoleStatus,
}

/// The connection to the leader.
struct Uplink {
    link: LeaderLink,
    to: ServerId,
    socket: Option<Arc<PeerSocket>>,
    stop: CancellationToken,
}

/// A learner's connection.
struct Learner {
    socket: Arc<PeerSocket>,
    stop: CancellationToken,
}

impl Core {
    pub(super) fn new(
        member: member::Member,
        clock: Clock,
        snapshots: Snapshots,
        reader: LogReader,
    ) -> Self {
        Self {
            status: member.peer().status(),
            member,
            clock,
            snapshots,
            reader: Arc::new(Mutex::new(reader)),
            shell: None,
            uplink: None,
            learners: BTreeMap::new(),
            staged: None,
            out: Outcome::default(),
            jobs: Vec::new(),
            with_disk: 0,
            complaints: Complaints::default(),
            configs: (Zxid::ZERO, Zxid::ZERO),
        }
    }

    /// The ports are open: the member takes part from now on.
    pub(super) fn begin(&mut self, shell: Shell) {
        self.shell = Some(shell);
        self.handle(Input::Tick);
    }

    /// Nothing more is heard or said: connections to other servers close. What the effects
    /// needed goes too, for it refers back to the engine, which would never be freed.
    pub(super) fn retire(&mut self) {
        self.shell = None;
        if let Some(uplink) = self.uplink.take() {
            uplink.stop.cancel();
            if let Some(socket) = uplink.socket {
                socket.close();
            }
        }
        for learner in std::mem::take(&mut self.learners).into_values() {
            learner.stop.cancel();
            learner.socket.close();
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.shell.is_some()
    }

    #[cfg(test)]
    pub(super) fn with_disk(&self) -> usize {
        self.with_disk
    }

    pub(super) fn member(&self) -> &member::Member {
        &self.member
    }

    /// Whether the member's status is another than when this was asked last.
    pub(super) fn has_new_status(&mut self) -> bool {
        let status = self.member.peer().status();
        std::mem::replace(&mut self.status, status) != status
    }

    /// Until something is due.
    pub(super) fn patience(&self) -> Duration {
        let now_ms = self.clock.now().monotonic_ms();
        Duration::from_millis(self.due_ms().saturating_sub(now_ms))
    }

    /// When something is due, in milliseconds of the member's clock.
    pub(super) fn due_ms(&self) -> u64 {
        self.member.next_deadline_ms().unwrap_or(u64::MAX)
    }

    /// Takes what came in through the member. Small jobs of the disk are done here, and what
    /// follows from them; the others are left to its thread.
    pub(super) fn work(&mut self, arrivals: Vec<Arrival>, disk: &Disk) -> Option<DiskError> {
        let mut arrivals = arrivals;
        loop {
            self.take(arrivals);
            if self.patience().is_zero() {
                self.handle(Input::Tick);
            }
            self.carry_effects();
            self.follow_configs();
            // What others wait for leaves before this thread waits for the disk.
            self.flush();
            // Room in a socket lets more follow.
            while self.carry_effects() {
                self.flush();
            }
            if self.jobs.is_empty() {
                return None;
            }
            let jobs = std::mem::take(&mut self.jobs);
            // Completions come in order: nothing overtakes what the log's thread has.
            if self.with_disk > 0 || !disk::are_small(&jobs) {
                self.with_disk += 1;
                disk.push(jobs);
                return None;
            }
            let done = disk.carry_out_alone(jobs);
            if done.failure.is_some() {
                return done.failure;
            }
            arrivals = done.arrivals;
            if done.snapshot_due {
                arrivals.push(Arrival::SnapshotDue);
            }
        }
    }

    fn take(&mut self, arrivals: Vec<Arrival>) {
        let mut submissions: Vec<Submission> = Vec::new();
        let now = self.clock.now();
        for arrival in arrivals {
            if let Arrival::Submission(submission) = arrival {
                submissions.push(submission);
                continue;
            }
            self.submit(&mut submissions);
            match arrival {
                Arrival::Submission(_) => unreachable!("taken above"),
                Arrival::Peer(input @ zab::Input::LearnerLost(link)) => {
                    self.handle(Input::Peer(input));
                    self.learner_lost(link);
                }
                Arrival::Peer(input) => self.member.take(now, input, &mut self.out),
                Arrival::Heard(input, _) => {
                    debug!("{input:?}");
                    self.handle(Input::Peer(input));
                }
                Arrival::Loaded(state) => self.handle(Input::Loaded(state)),
                Arrival::Connected(link, socket) => self.connected(link, socket),
                Arrival::Accepted(link, socket, kind) => self.accepted(link, socket, kind),
                Arrival::Tree(link, tree) => self.tree(link, tree),
                Arrival::DiskDone { batches } => self.with_disk -= batches,
                Arrival::SnapshotDue => {
                    let claim = self.snapshots.claim();
                    self.jobs.extend(claim.map(Job::BeginSnapshot));
                }
                Arrival::SnapshotMayBegin(claim) => {
                    self.snapshots.start(claim);
                    // One that is reading just now is used, and ages next time.
                    if let Some(mut reader) = self.reader.try_lock() {
                        reader.age();
                    }
                }
            }
        }
        self.submit(&mut submissions);
        self.member.work_off(now, &mut self.out);
    }

    /// Members of a configuration that is new here can be reached from now on, and so can this
    /// server where one in force says.
    fn follow_configs(&mut self) {
        let configs = self.member.peer().configs();
        let versions = (configs.committed().version(), configs.last_seen().version());
        if std::mem::replace(&mut self.configs, versions) != versions
            && let Some(shell) = &self.shell
        {
            let members = Members::new(configs.committed(), configs.proposed().map(|seen| &**seen));
            shell.election.set_members(members);
            if let Some(own) = configs.committed().members.get(&self.member.peer().id()) {
                shell.own_line.send_if_modified(|line| {
                    let moved = (&line.addresses, &line.client) != (&own.addresses, &own.client);
                    line.clone_from(own);
                    moved
                });
            }
        }
    }

    fn submit(&mut self, submissions: &mut Vec<Submission>) {
        if !submissions.is_empty() {
            self.handle(Input::Submitted(std::mem::take(submissions)));
        }
    }

    fn handle(&mut self, input: Input) {
        let now = self.clock.now();
        self.member.handle(now, input, &mut self.out);
    }

    fn connected(&mut self, link: LeaderLink, socket: Arc<PeerSocket>) {
        match &mut self.uplink {
            Some(uplink) if uplink.link == link => {
                uplink.socket = Some(socket);
                self.handle(Input::Peer(zab::Input::LeaderConnected(link)));
            }
            _ => socket.close(),
        }
    }

    fn accepted(&mut self, link: LearnerLink, socket: Arc<PeerSocket>, kind: Port) {
        let stop = CancellationToken::new();
        self.learners.insert(link, Learner { socket, stop });
        self.handle(Input::Peer(match kind {
            Port::Quorum => zab::Input::LearnerConnected(link),
            Port::ObserverMaster => zab::Input::ObserverConnected(link),
        }));
    }

    fn tree(&mut self, link: LeaderLink, tree: Box<Inflow>) {
        if self
            .uplink
            .as_ref()
            .is_some_and(|uplink| uplink.link == link)
        {
            self.staged = Some((link, tree));
            self.handle(Input::Peer(zab::Input::SnapshotReceived(link)));
        } else {
            tree.abandon();
        }
    }

    /// Whether there were any.
    fn carry_effects(&mut self) -> bool {
        let mut any = false;
        loop {
            let effects = self.out.take_effects();
            if effects.is_empty() {
                return any;
            }
            any = true;
            for effect in effects {
                self.carry(effect);
            }
        }
    }

    fn carry(&mut self, effect: Effect) {
        match effect {
            Effect::Io(Io::Store(ticket, store @ Store::InstallSnapshot(_))) => {
                let staged = self.staged.take();
                let (_, tree) = staged.expect("a tree was received before it is installed");
                self.jobs.push(disk::installation(ticket, store, tree));
            }
            Effect::Io(Io::Store(ticket, store)) => {
                self.jobs.push(Job::Write(Write::new(ticket, store)));
            }
            Effect::Reload(zxid) => self.jobs.push(Job::Reload(zxid)),
            Effect::Io(io) => self.carry_io(io),
            Effect::SendSnapshot(link) => {
                if let (Some(shell), Some(learner)) = (&self.shell, self.learners.get(&link)) {
                    let socket = Arc::clone(&learner.socket);
                    shell.outflows.send(link, socket, learner.stop.clone());
                }
            }
            Effect::RoleChanged(status) => self.role_changed(status),
            Effect::Alarm(zxid) => error!(
                "the tree after {zxid} differs from the leader's again, after it was replaced: this \
                 server serves on and will not lead"
            ),
        }
    }

    /// What goes to other servers, or comes from them.
    fn carry_io(&mut self, io: Io) {
        let Some(shell) = &self.shell else {
            return warn!("{io:?} before the server is up");
        };
        match io {
            Io::Store(..) => unreachable!("the disk's"),
            Io::Notify { to, notification } => {
                debug!("to {to}: {notification:?}");
                shell.election.notify(to, &notification);
            }
            Io::Connect { link, to, member } => {
                let addresses = addresses(member, |address| address.quorum_port);
                self.connect(link, to, addresses);
            }
            Io::ConnectToObserverMaster { link, to, member } => {
                let port = shell.observer_master_port.unwrap_or_default();
                let mut addresses = addresses(member, |_| port);
                addresses.truncate(1);
                self.connect(link, to, addresses);
            }
            Io::LeaveLeader(link, why) => {
                if let Some(uplink) = self.uplink.as_ref().filter(|uplink| uplink.link == link) {
                    info!("leaving leader {}: {why}", uplink.to);
                }
                self.leave_leader(Some(link));
            }
            Io::ToLeader(link, packet) => self.send_up(link, &packet),
            // The connection's task has begun when it read the packet.
            Io::ReceiveSnapshot(..) => {}
            Io::StageEntry(entry) => self.stage(&entry),
            Io::DropLearner(link, why) => self.drop_learner(link, &why),
            Io::ToLearner(link, packet) => {
                self.tell(link, &packet);
                if let Some(learner) = self.learners.get(&link) {
                    learner.socket.push(packet.cost(), |out| packet.encode(out));
                }
            }
            Io::ReadLog {
                read,
                after,
                through,
                bytes_max,
                opening,
                gently,
            } => self.read_log(read, (after, through), bytes_max, opening, gently),
        }
    }

    /// How a learner is synchronised, in Apache's words as far as they fit.
    fn tell(&self, link: LearnerLink, packet: &LeaderPacket) {
        let learner = || {
            let learner = self.learners.get(&link);
            let server = learner.and_then(|learner| learner.socket.server());
            server.map_or_else(|| "?".to_owned(), |server| server.to_string())
        };
        match packet {
            LeaderPacket::Diff { zxid } => {
                info!("Sending DIFF zxid=0x{zxid} for peer sid: {}", learner());
            }
            LeaderPacket::Trunc { zxid } => {
                info!("Sending TRUNC zxid=0x{zxid} for peer sid: {}", learner());
            }
            LeaderPacket::Snap { zxid } => {
                info!(
                    "Sending snapshot to peer sid: {}, send zxid of db as 0x{zxid}",
                    learner()
                );
            }
            _ => {}
        }
    }

    fn connect(&mut self, link: LeaderLink, to: ServerId, addresses: Vec<(String, u16)>) {
        self.leave_leader(None);
        let stop = CancellationToken::new();
        if let Some(shell) = &self.shell {
            shell.uplinks.connect(link, to, addresses, stop.clone());
        }
        self.uplink = Some(Uplink {
            link,
            to,
            socket: None,
            stop,
        });
    }

    fn role_changed(&mut self, status: RoleStatus) {
        match status {
            RoleStatus::Looking => info!("LOOKING"),
            RoleStatus::Joining { leader } => info!("FOLLOWING: joining leader {leader}"),
            RoleStatus::Following { leader, epoch } => {
                info!("FOLLOWING {leader}, epoch {epoch}: serving clients");
            }
            RoleStatus::Observing { leader, epoch } => {
                info!("OBSERVING {leader}, epoch {epoch}: serving clients");
            }
            RoleStatus::Preparing => info!("LEADING: waiting for a quorum"),
            RoleStatus::Leading { epoch } => info!("LEADING, epoch {epoch}: serving clients"),
            RoleStatus::Halted => info!("stopped"),
        }
        if !matches!(status, RoleStatus::Leading { .. }) {
            self.reader.lock().release();
        }
    }

    fn leave_leader(&mut self, link: Option<LeaderLink>) {
        if let Some(uplink) = self
            .uplink
            .take_if(|uplink| link.is_none_or(|link| link == uplink.link))
        {
            uplink.stop.cancel();
            if let Some((_, tree)) = self.staged.take_if(|(of, _)| *of == uplink.link) {
                tree.abandon();
            }
        }
    }

    fn send_up(&self, link: LeaderLink, packet: &LearnerPacket) {
        if let Some(uplink) = &self.uplink
            && uplink.link == link
            && let Some(socket) = &uplink.socket
        {
            socket.push(0, |out| packet.encode(out));
        }
    }

    fn stage(&mut self, entry: &zab::Entry) {
        let Some((link, tree)) = &mut self.staged else {
            return;
        };
        if let Err(error) = tree.stage(entry) {
            let link = *link;
            warn!("the leader's tree cannot be completed: {error}");
            self.handle(Input::Peer(zab::Input::LeaderLost(link)));
        }
    }

    fn drop_learner(&mut self, link: LearnerLink, why: &Leave) {
        let Some(learner) = self.learners.remove(&link) else {
            return;
        };
        let peer = learner.socket.peer();
        learner.stop.cancel();
        if why.is_orderly() {
            info!("learner {peer} is let go: {why}");
            // The process may end before the connection's task gets its turn.
            flush_one(&learner.socket);
            learner.socket.close();
        } else {
            let from = learner.socket.address().ip();
            if let Some(behind) = self.complaints.told(from, discriminant(why)) {
                info!("connection from {peer} to the quorum port is closed{behind}: {why}");
            }
            learner.socket.cut();
        }
    }

    /// Its connection is gone, and consensus knows.
    fn learner_lost(&mut self, link: LearnerLink) {
        if let Some(learner) = self.learners.remove(&link) {
            learner.stop.cancel();
        }
    }

    fn read_log(
        &self,
        read: ReadId,
        (after, through): (Zxid, Zxid),
        bytes_max: usize,
        opening: bool,
        gently: bool,
    ) {
        let Some(shell) = &self.shell else {
            return;
        };
        let (reader, engine) = (Arc::clone(&self.reader), Arc::clone(&shell.engine));
        shell.runtime.spawn_blocking(move || {
            let began = Instant::now();
            let (found, error) = reader.lock().read(after, through, bytes_max, opening);
            if let Some(error) = error {
                warn!("the log cannot be read for a learner: {error}");
            }
            if gently {
                thread::sleep(snapshots::rest(began.elapsed() * READ_RESTS));
            }
            engine.push(Arrival::Peer(zab::Input::LogRead(read, found)));
        });
    }

    /// Sends what the sockets take at once: to clients first, who wait for nothing else.
    fn flush(&mut self) {
        let touched = self.out.take_touched();
        if let Some(shell) = &self.shell {
            answer(touched, false, &shell.runtime);
        }
        if let Some(Uplink {
            socket: Some(socket),
            ..
        }) = &self.uplink
        {
            flush_one(socket);
        }
        let mut flushed = Vec::new();
        for (link, learner) in &self.learners {
            let cost = flush_one(&learner.socket);
            if cost > 0 {
                flushed.push((*link, cost));
            }
        }
        for (link, cost) in flushed {
            self.handle(Input::Peer(zab::Input::Flushed(link, cost)));
        }
    }
}

/// Where a server can be reached at this port.
fn addresses(member: Option<Member>, port: impl Fn(&MemberAddress) -> u16) -> Vec<(String, u16)> {
    let addresses = member.map(|member| member.addresses).unwrap_or_default();
    let address = |address: MemberAddress| {
        let port = port(&address);
        (address.host, port)
    };
    addresses.into_iter().map(address).collect()
}

/// The cost of what is out. Errors show again in the connection's task.
fn flush_one(socket: &PeerSocket) -> usize {
    if socket.pending() == 0 {
        return 0;
    }
    match socket.flush() {
        Ok((Flush::Done, cost)) => cost,
        Ok((Flush::Blocked, cost)) => {
            socket.wake();
            cost
        }
        Err(_) => {
            socket.wake();
            0
        }
    }
}
