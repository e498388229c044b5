//! An ensemble in memory: disks that are always done at once, links without delay.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jute::Zxid;
use jute::txn::LogEntry;
use jute::wire::Limits;
use state::{Options, State};
use zab::quorum::Config;
use zab::{
    Entry, Epoch, Io, LeaderLink, LearnerLink, LearnerPacket, LogRead, Recovered, ServerId,
    Standing, Store, parse_config,
};

use super::super::{Effect, Input, Member, MemberOptions, Outcome};
use crate::tests::{TestClient, connect_frame};
use crate::{Connection, Next, Now, Replica, ReplicaOptions, Transport};

/// What survives a crash.
pub(super) struct Disk {
    pub(super) history: Vec<Entry>,
    accepted: Epoch,
    current: Epoch,
    committed: Config,
    last_seen: Option<Config>,
    staged: Option<Vec<Entry>>,
}

pub(super) struct Node {
    pub(super) member: Option<Member>,
    pub(super) disk: Disk,
    life: u64,
}

struct Link {
    learner: ServerId,
    at_learner: LeaderLink,
    leader: ServerId,
    at_leader: LearnerLink,
}

/// Somebody's turn.
enum Event {
    Peer(zab::Input),
    Loaded(Box<State>),
}

pub(super) struct Ensemble {
    pub(super) nodes: BTreeMap<ServerId, Node>,
    /// By server and life: nothing reaches a server that has restarted since.
    events: VecDeque<(ServerId, u64, Event)>,
    links: Vec<Link>,
    next_link: u64,
    cut: BTreeSet<ServerId>,
    /// Nothing passes between this server and its leader, and neither notices.
    pub(super) stuck: BTreeSet<ServerId>,
    /// Acknowledgements do not arrive, unless they are let through.
    pub(super) holds_acks: bool,
    held_acks: Vec<(ServerId, zab::Input)>,
    /// What leaders sent, and to whom.
    pub(super) told: Vec<(ServerId, zab::LeaderPacket)>,
    /// Who left a leader, and why.
    pub(super) left: Vec<(ServerId, zab::Leave)>,
    pub(super) now: Now,
    replica_options: ReplicaOptions,
    options: MemberOptions,
    clients: Vec<Arc<Client>>,
}

/// A client's connection, with input that is not handled yet.
pub(super) struct Client {
    pub(super) server: ServerId,
    pub(super) wire: TestClient,
    input: parking_lot::Mutex<Vec<u8>>,
    woken: Arc<Woken>,
}

#[derive(Default)]
struct Woken(AtomicBool);

struct TestTransport(Arc<Woken>);

impl Transport for TestTransport {
    fn wake(&self) {
        self.0.0.store(true, Ordering::SeqCst);
    }

    fn try_send(&self, _bytes: &[u8], _last: bool) -> usize {
        0
    }
}

impl Client {
    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.wire.connection
    }

    pub(super) fn send(&self, bytes: &[u8]) {
        self.input.lock().extend_from_slice(bytes);
        self.woken.0.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_open(&self) -> bool {
        self.connection().outbox().ending().is_none()
    }
}

impl Ensemble {
    pub(super) fn new(size: i64, options: MemberOptions) -> Self {
        Self::with_replica(size, options, |_| ())
    }

    pub(super) fn with_replica(
        size: i64,
        options: MemberOptions,
        change: impl FnOnce(&mut ReplicaOptions),
    ) -> Self {
        let mut text = String::new();
        for id in 1..=size {
            text.push_str(&format!("server.{id}=h{id}:2888:3888:participant\n"));
        }
        text.push_str("version=0");
        let config = parse_config(text.as_bytes()).expect("a configuration");
        let mut ensemble = Self {
            nodes: BTreeMap::new(),
            events: VecDeque::new(),
            links: Vec::new(),
            next_link: 0,
            cut: BTreeSet::new(),
            stuck: BTreeSet::new(),
            holds_acks: false,
            held_acks: Vec::new(),
            told: Vec::new(),
            left: Vec::new(),
            now: Now {
                monotonic_us: 1_000_000,
                wall_ms: 1_700_000_000_000,
            },
            replica_options: ReplicaOptions {
                auth: options.prep.auth.clone(),
                ..crate::tests::options()
            },
            options,
            clients: Vec::new(),
        };
        change(&mut ensemble.replica_options);
        for id in (1..=size).map(ServerId) {
            let disk = Disk {
                history: Vec::new(),
                accepted: Epoch(0),
                current: Epoch(0),
                committed: config.clone(),
                last_seen: None,
                staged: None,
            };
            let node = Node {
                member: None,
                disk,
                life: 0,
            };
            ensemble.nodes.insert(id, node);
        }
        for id in (1..=size).map(ServerId) {
            ensemble.start(id);
        }
        ensemble.run_ms(3000);
        ensemble
    }

    pub(super) fn start(&mut self, id: ServerId) {
        let node = self.nodes.get_mut(&id).expect("a server");
        let state = state_of(&node.disk.history);
        let recovered = Recovered {
            last_zxid: state.last_zxid(),
            recent: Vec::new(),
            accepted_epoch: node.disk.accepted,
            current_epoch: node.disk.current,
            committed_config: node.disk.committed.clone(),
            last_seen_config: node.disk.last_seen.clone(),
            standing: Standing::Sound,
        };
        let mut options = self.replica_options.clone();
        options.server_id = id.0 as u8;
        let replica = Arc::new(Replica::of_member(state, options, self.now));
        let member = Member::new(id, replica, self.options.clone(), recovered, self.now);
        node.member = Some(member);
        node.life += 1;
        self.handle(id, Input::Tick);
    }

    pub(super) fn crash(&mut self, id: ServerId) {
        self.nodes.get_mut(&id).expect("a server").member = None;
        self.clients.retain(|client| client.server != id);
        self.cut_links(id);
        for other in self.others(id) {
            self.push(other, zab::Input::Unreachable { peer: id });
        }
        self.settle();
    }

    /// Takes a server off the network, or brings it back.
    pub(super) fn set_cut(&mut self, id: ServerId, cut: bool) {
        match cut {
            true => {
                self.cut.insert(id);
                self.cut_links(id);
            }
            false => {
                self.cut.remove(&id);
            }
        }
        self.settle();
    }

    fn cut_links(&mut self, id: ServerId) {
        let links = std::mem::take(&mut self.links);
        let (gone, kept) = links
            .into_iter()
            .partition(|link| link.learner == id || link.leader == id);
        self.links = kept;
        for link in gone {
            let gone: Link = link;
            self.push(gone.learner, zab::Input::LeaderLost(gone.at_learner));
            self.push(gone.leader, zab::Input::LearnerLost(gone.at_leader));
        }
    }

    /// A follower gets what its leader never sent, or not yet.
    pub(super) fn tell(&mut self, follower: ServerId, packet: zab::LeaderPacket) {
        let mut links = self.links.iter();
        let link = links.find(|link| link.learner == follower);
        let link = link.expect("it follows").at_learner;
        self.push(follower, zab::Input::FromLeader(link, packet));
        self.settle();
    }

    fn others(&self, id: ServerId) -> Vec<ServerId> {
        let others = self.nodes.keys().copied();
        others.filter(|other| *other != id).collect()
    }

    pub(super) fn leader(&self) -> ServerId {
        let leads = |node: &Node| {
            let member = node.member.as_ref();
            member.is_some_and(|member| {
                matches!(member.peer().status(), zab::RoleStatus::Leading { .. })
            })
        };
        let mut leaders = self.nodes.iter().filter(|(_, node)| leads(node));
        *leaders.next().expect("a leader").0
    }

    pub(super) fn follower(&self) -> ServerId {
        let leader = self.leader();
        let alive = |id: &ServerId| self.nodes[id].member.is_some();
        self.others(leader).into_iter().find(alive).expect("one")
    }

    pub(super) fn replica(&self, id: ServerId) -> &Arc<Replica> {
        self.member(id).replica()
    }

    pub(super) fn member(&self, id: ServerId) -> &Member {
        self.nodes[&id].member.as_ref().expect("it runs")
    }

    /// A connection that has sent its ConnectRequest.
    pub(super) fn connect(&mut self, server: ServerId, session: i64, passwd: &[u8]) -> Arc<Client> {
        let client = self.dial(server);
        client.send(&connect_frame(session, passwd));
        self.settle();
        client
    }

    /// A client with a new session.
    pub(super) fn session(&mut self, server: ServerId) -> (Arc<Client>, i64) {
        let client = self.connect(server, 0, &[0; 16]);
        let (session, _) = client.wire.response();
        assert_ne!(session, 0, "a session");
        (client, session)
    }

    pub(super) fn dial(&mut self, server: ServerId) -> Arc<Client> {
        let woken = Arc::new(Woken::default());
        let transport = Box::new(TestTransport(Arc::clone(&woken)));
        let peer = SocketAddr::from(([127, 0, 0, 1], 4242));
        let connection = self.replica(server).connect(peer, self.now, transport);
        let client = Arc::new(Client {
            server,
            wire: TestClient { connection },
            input: parking_lot::Mutex::default(),
            woken,
        });
        self.clients.push(Arc::clone(&client));
        client
    }

    /// The client's end of a connection closes.
    pub(super) fn hang_up(&mut self, client: &Arc<Client>) {
        self.replica(client.server).disconnect(client.connection());
        self.clients.retain(|other| !Arc::ptr_eq(other, client));
    }

    pub(super) fn run_ms(&mut self, ms: u64) {
        let end_us = self.now.monotonic_us + ms * 1000;
        loop {
            self.settle();
            let deadlines = self.nodes.iter().filter_map(|(id, node)| {
                let due = node.member.as_ref()?.next_deadline_ms()?;
                Some((due * 1000, *id))
            });
            let next = deadlines.min().filter(|(due_us, _)| *due_us <= end_us);
            let Some((due_us, id)) = next else {
                break;
            };
            self.advance_to(due_us.max(self.now.monotonic_us + 1000));
            self.handle(id, Input::Tick);
        }
        self.advance_to(end_us);
    }

    fn advance_to(&mut self, us: u64) {
        let step_us = us.saturating_sub(self.now.monotonic_us);
        self.now.monotonic_us += step_us;
        self.now.wall_ms += (step_us / 1000) as i64;
    }

    /// Until nothing is on its way any more.
    pub(super) fn settle(&mut self) {
        for _ in 0..1_000_000 {
            if let Some((id, life, event)) = self.events.pop_front() {
                if self.nodes[&id].life == life {
                    self.handle(
                        id,
                        match event {
                            Event::Peer(input) => Input::Peer(input),
                            Event::Loaded(state) => Input::Loaded(state),
                        },
                    );
                }
            } else if !self.serve_one() {
                return;
            }
        }
        panic!("the ensemble does not settle");
    }

    /// What the shell does for a connection that was woken.
    fn serve_one(&mut self) -> bool {
        let woken = |client: &&Arc<Client>| client.woken.0.swap(false, Ordering::SeqCst);
        let Some(client) = self.clients.iter().find(woken).cloned() else {
            return false;
        };
        let now = self.now;
        let replica = Arc::clone(self.replica(client.server));
        loop {
            let mut input = client.input.lock();
            let received = replica.receive(client.connection(), &input, now);
            input.drain(..received.consumed);
            drop(input);
            if let Some(submission) = received.submission {
                self.handle(client.server, Input::Submitted(vec![submission]));
            }
            if received.next != Next::Again {
                return true;
            }
        }
    }

    fn push(&mut self, id: ServerId, input: zab::Input) {
        let life = self.nodes[&id].life;
        self.events.push_back((id, life, Event::Peer(input)));
    }

    fn handle(&mut self, id: ServerId, input: Input) {
        let now = self.now;
        let mut out = Outcome::default();
        if let Some(member) = &mut self.nodes.get_mut(&id).expect("a server").member {
            member.handle(now, input, &mut out);
        }
        for effect in out.take_effects() {
            self.effect(id, effect);
        }
        for connection in out.take_touched() {
            connection.send_now();
        }
    }

    fn reaches(&self, a: ServerId, b: ServerId) -> bool {
        !self.cut.contains(&a) && !self.cut.contains(&b) && self.nodes[&b].member.is_some()
    }

    /// Acknowledgements arrive, late or not.
    pub(super) fn release_acks(&mut self) {
        self.holds_acks = false;
        for (leader, ack) in std::mem::take(&mut self.held_acks) {
            self.push(leader, ack);
        }
        self.settle();
    }

    fn effect(&mut self, id: ServerId, effect: Effect) {
        match effect {
            Effect::Io(io) => self.io(id, io),
            Effect::Reload(zxid) => {
                let mut history = self.nodes[&id].disk.history.clone();
                history.retain(|entry| entry.zxid <= zxid);
                self.load(id, state_of(&history));
            }
            Effect::SendSnapshot(link) => self.send_snapshot(id, link),
            Effect::RoleChanged(_) | Effect::Alarm(_) => {}
        }
    }

    fn io(&mut self, id: ServerId, io: Io) {
        match io {
            Io::Store(ticket, store) => {
                self.store(id, store);
                self.push(id, zab::Input::Stored(ticket));
            }
            Io::Notify { to, notification } => {
                if self.reaches(id, to) {
                    let from = id;
                    self.push(to, zab::Input::Notification { from, notification });
                }
            }
            Io::Connect { link, to, .. } | Io::ConnectToObserverMaster { link, to, .. } => {
                self.dial_leader(id, link, to);
            }
            Io::LeaveLeader(link, why) => {
                self.left.push((id, why));
                self.unlink(|known| known.learner == id && known.at_learner == link);
            }
            Io::DropLearner(link, _) => {
                self.unlink(|known| known.leader == id && known.at_leader == link);
            }
            Io::ToLeader(link, packet) => {
                let known = |known: &&Link| known.learner == id && known.at_learner == link;
                let is_ack = matches!(packet, LearnerPacket::Ack { .. });
                if let Some(link) = self.links.iter().find(known)
                    && !self.stuck.contains(&id)
                {
                    let (leader, link) = (link.leader, link.at_leader);
                    let input = zab::Input::FromLearner(link, packet);
                    match self.holds_acks && is_ack {
                        true => self.held_acks.push((leader, input)),
                        false => self.push(leader, input),
                    }
                }
            }
            Io::ToLearner(link, packet) => {
                self.push(id, zab::Input::Flushed(link, packet.cost()));
                let known = |known: &&Link| known.leader == id && known.at_leader == link;
                if let Some(link) = self.links.iter().find(known)
                    && !self.stuck.contains(&link.learner)
                {
                    let (learner, link) = (link.learner, link.at_learner);
                    self.told.push((learner, packet.clone()));
                    self.push(learner, zab::Input::FromLeader(link, packet));
                }
            }
            Io::ReceiveSnapshot(..) => {}
            Io::StageEntry(entry) => {
                let disk = &mut self.nodes.get_mut(&id).expect("a server").disk;
                let staged = disk.staged.as_mut().expect("a tree");
                if staged.last().is_none_or(|last| last.zxid < entry.zxid) {
                    staged.push(entry);
                }
            }
            Io::ReadLog { read, .. } => {
                self.push(id, zab::Input::LogRead(read, LogRead::Unavailable));
            }
        }
    }

    fn dial_leader(&mut self, id: ServerId, link: LeaderLink, to: ServerId) {
        if !self.reaches(id, to) {
            return self.push(id, zab::Input::LeaderLost(link));
        }
        self.next_link += 1;
        let at_leader = LearnerLink(self.next_link);
        self.links.push(Link {
            learner: id,
            at_learner: link,
            leader: to,
            at_leader,
        });
        self.push(to, zab::Input::LearnerConnected(at_leader));
        self.push(id, zab::Input::LeaderConnected(link));
    }

    fn unlink(&mut self, is_it: impl Fn(&Link) -> bool) {
        let Some(at) = self.links.iter().position(is_it) else {
            return;
        };
        let link = self.links.remove(at);
        self.push(link.learner, zab::Input::LeaderLost(link.at_learner));
        self.push(link.leader, zab::Input::LearnerLost(link.at_leader));
    }

    fn send_snapshot(&mut self, id: ServerId, link: LearnerLink) {
        let applied = self.replica(id).read().last_zxid();
        let mut tree = self.nodes[&id].disk.history.clone();
        tree.retain(|entry| entry.zxid <= applied);
        let known = |known: &&Link| known.leader == id && known.at_leader == link;
        if let Some(known) = self.links.iter().find(known) {
            let (learner, at_learner) = (known.learner, known.at_learner);
            self.nodes.get_mut(&learner).expect("one").disk.staged = Some(tree);
            self.push(learner, zab::Input::SnapshotReceived(at_learner));
        }
        self.push(id, zab::Input::SnapshotSent(link));
    }

    fn store(&mut self, id: ServerId, store: Store) {
        let disk = &mut self.nodes.get_mut(&id).expect("a server").disk;
        match store {
            Store::Append(entry) => disk.history.push(entry),
            Store::Truncate(zxid) => disk.history.retain(|entry| entry.zxid <= zxid),
            Store::InstallSnapshot(_) => {
                disk.history = disk.staged.take().expect("a tree");
                let state = state_of(&disk.history);
                self.load(id, state);
            }
            Store::AcceptedEpoch(epoch) => disk.accepted = epoch,
            Store::CurrentEpoch(epoch) => disk.current = epoch,
            Store::CommittedConfig(config) => disk.committed = config,
            Store::LastSeenConfig(config) => disk.last_seen = Some(config),
            Store::Barrier => {}
        }
    }

    fn load(&mut self, id: ServerId, state: State) {
        let life = self.nodes[&id].life;
        let event = Event::Loaded(Box::new(state));
        self.events.push_back((id, life, event));
    }
}

/// What is in a history.
fn state_of(history: &[Entry]) -> State {
    let options = Options {
        digest_enabled: true,
        ..Options::default()
    };
    let mut state = State::new(options, 1);
    for entry in history {
        let entry = LogEntry::from_bytes(&entry.bytes, Limits::default()).expect("an entry");
        state.replay(entry).expect("a transaction");
    }
    state
}

/// The last transaction that a server has applied.
pub(super) fn applied(ensemble: &Ensemble, id: ServerId) -> Zxid {
    ensemble.replica(id).read().last_zxid()
}
