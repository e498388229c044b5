//! Several peers, their disks and their network in memory, one event at a time.

mod checker;
mod disk;
mod effects;
mod network;

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use jute::Zxid;
use jute::quorum::QuorumConfig;
use jute::quorum::config::{Member, Role};
use zab::quorum::Config;
use zab::{
    Effect, Effects, Entry, Input, Options, Peer, Pretty, RoleStatus, ServerId, Standing, Store,
    SyncId, Time,
};

use checker::Checker;
use disk::Disk;
pub(crate) use network::Down;
pub(crate) use network::Up;
use network::{Dial, Network};

/// One server.
pub(crate) struct Server {
    pub(crate) id: ServerId,
    pub(crate) peer: Option<Peer>,
    pub(crate) disk: Disk,
    pub(crate) tree: Vec<Entry>,
    staged: Option<Vec<Entry>>,
    inbox: VecDeque<Input>,
    pub(crate) options: Options,
    pub(crate) observer: bool,
    pub(crate) wiped: bool,
    pub(crate) synced: Vec<SyncId>,
    pub(crate) sync_answers: u64,
    pub(crate) frozen: bool,
    pub(crate) old_habits: bool,
}

/// What can happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Inbox(ServerId),
    Reset,
    Dial,
    Notification(ServerId, ServerId),
    Up(u64),
    Down(u64),
    Disk(ServerId),
}

/// All of them.
pub(crate) struct Ensemble {
    pub(crate) now: Time,
    pub(crate) servers: BTreeMap<ServerId, Server>,
    pub(crate) net: Network,
    pub(crate) checker: Checker,
    pub(crate) voters: usize,
    /// What happened, for those who read it.
    pub(crate) trace: Vec<String>,
    /// Entries kept in memory after a restart.
    pub(crate) recent: usize,
    /// Whether a log may be read to plan a synchronisation.
    pub(crate) log_sync: bool,
    pub(crate) coverage: BTreeMap<&'static str, u64>,
    values: u64,
    static_config: bool,
    /// Servers were lied to: their trees are not looked at.
    pub(crate) lenient: bool,
}

impl Ensemble {
    /// The first `voters` vote, the rest observe.
    pub(crate) fn new(voters: i64, observers: i64, options: &Options) -> Self {
        let role = |id: i64| {
            if id <= voters {
                Role::Participant
            } else {
                Role::Observer
            }
        };
        let all: Vec<(i64, Role)> = (1..=voters + observers).map(|id| (id, role(id))).collect();
        let config = config(0, &all);
        let server = |(id, role): &(i64, Role)| {
            let id = ServerId(*id);
            let server = Server {
                id,
                peer: None,
                disk: Disk::new(config.clone()),
                tree: Vec::new(),
                staged: None,
                inbox: VecDeque::new(),
                options: options.clone(),
                observer: *role == Role::Observer,
                wiped: false,
                synced: Vec::new(),
                sync_answers: 0,
                frozen: false,
                old_habits: false,
            };
            (id, server)
        };
        Self {
            now: Time(0),
            servers: all.iter().map(server).collect(),
            net: Network::default(),
            checker: Checker::default(),
            voters: usize::try_from(voters).expect("a count"),
            trace: Vec::new(),
            recent: 5,
            log_sync: true,
            coverage: BTreeMap::new(),
            values: 0,
            static_config: true,
            lenient: false,
        }
    }

    pub(crate) fn note(&mut self, line: String) {
        self.trace.push(line);
    }

    pub(super) fn count(&mut self, what: &'static str) {
        *self.coverage.entry(what).or_default() += 1;
    }

    pub(crate) fn ids(&self) -> Vec<ServerId> {
        self.servers.keys().copied().collect()
    }

    fn server(&mut self, id: ServerId) -> &mut Server {
        self.servers.get_mut(&id).expect("a server")
    }

    pub(crate) fn is_up(&self, id: ServerId) -> bool {
        self.servers
            .get(&id)
            .is_some_and(|server| server.peer.is_some())
    }

    pub(crate) fn start(&mut self, id: ServerId) {
        let recent = self.recent;
        let server = self.server(id);
        let standing = match server.wiped {
            true => Standing::Empty,
            false => Standing::Sound,
        };
        let recovered = server.disk.recover(standing, recent);
        assert!(
            recovered.accepted_epoch >= recovered.current_epoch,
            "epoch files"
        );
        server.tree = server.disk.durable.history.clone();
        server.peer = Some(Peer::new(id, server.options.clone(), recovered));
        self.note(format!("{id}: starts"));
        self.input(id, Input::Tick);
    }

    /// The process dies; `more` of its writes have reached the disk unnoticed.
    pub(crate) fn crash(&mut self, id: ServerId, more: usize) {
        let others: Vec<_> = self
            .ids()
            .into_iter()
            .filter(|other| *other != id)
            .collect();
        let others: Vec<_> = others
            .into_iter()
            .filter(|other| self.is_up(*other))
            .collect();
        let server = self.server(id);
        server.peer = None;
        server.staged = None;
        server.inbox.clear();
        server.disk.crash(more);
        server.frozen = false;
        self.net.crash(id, &others);
        self.note(format!("{id}: crashes"));
        self.check_durable();
    }

    pub(crate) fn input(&mut self, id: ServerId, input: Input) {
        let now = self.now;
        let mut effects = Effects::default();
        let server = self.server(id);
        let Some(peer) = &mut server.peer else {
            return;
        };
        peer.handle(now, input, &mut effects);
        let effects: Vec<Effect> = effects.drain().collect();
        for effect in effects {
            self.effect(id, effect);
        }
    }

    /// Proposes the next transaction on a leader; `false` if it takes none.
    pub(crate) fn propose(&mut self, id: ServerId) -> Option<Zxid> {
        self.propose_entry(id, None)
    }

    pub(crate) fn propose_entry(
        &mut self,
        id: ServerId,
        members: Option<&[(i64, Role)]>,
    ) -> Option<Zxid> {
        self.values += 1;
        let value = Bytes::from(format!("value {}", self.values));
        self.propose_value(id, value, members)
    }

    pub(crate) fn propose_value(
        &mut self,
        id: ServerId,
        bytes: Bytes,
        members: Option<&[(i64, Role)]>,
    ) -> Option<Zxid> {
        let server = self.server(id);
        let peer = server.peer.as_ref().filter(|peer| peer.may_propose())?;
        let RoleStatus::Leading { epoch } = peer.status() else {
            return None;
        };
        let zxid = peer.last_logged().max(epoch.zxid()).next();
        let entry = Entry {
            zxid,
            bytes,
            config: members.map(|members| config(zxid.0, members)),
        };
        self.static_config &= members.is_none();
        if let Some(members) = members {
            let zxid = Pretty(zxid);
            self.note(format!(
                "{id}: reconfigures by {zxid} to {}",
                names(members)
            ));
        }
        self.checker.on_propose(id, &entry);
        self.input(id, Input::Propose(entry));
        Some(zxid)
    }

    /// What each server is, has, and has delivered.
    pub(crate) fn state(&self) -> Vec<String> {
        let describe = |server: &Server| {
            let (id, image) = (server.id, &server.disk.durable);
            let Some(peer) = &server.peer else {
                return format!("{id}: down");
            };
            format!(
                "{id}: {}; acceptedEpoch {}, currentEpoch {}, on disk {}, committed {}, delivered {}",
                peer.status(),
                image.accepted,
                image.current,
                Pretty(image.last()),
                Pretty(peer.last_committed()),
                Pretty(server.tree.last().map_or(Zxid::ZERO, |entry| entry.zxid)),
            )
        };
        self.servers.values().map(describe).collect()
    }

    /// All data of a server that is down are lost.
    pub(crate) fn wipe(&mut self, id: ServerId) {
        let server = self.server(id);
        assert!(server.peer.is_none(), "{id} is up");
        server.disk.wipe();
        server.wiped = true;
        self.count("wipe");
    }

    /// A snapshot was taken, and the log before it purged.
    pub(crate) fn purge(&mut self, id: ServerId) {
        let disk = &mut self.server(id).disk;
        for image in [&mut disk.durable, &mut disk.visible] {
            image.in_snapshot = image.history.len();
            image.snapshot = image.last();
        }
    }

    pub(crate) fn freeze(&mut self, id: ServerId, frozen: bool) {
        let server = self.server(id);
        server.frozen = frozen && server.peer.is_some();
    }

    /// The connection of a learner to its leader breaks.
    pub(crate) fn break_uplink(&mut self, id: ServerId) {
        let ours = self
            .net
            .connections
            .iter()
            .filter(|(_, c)| c.learner == id && c.learner_open);
        let numbers: Vec<u64> = ours.map(|(number, _)| *number).collect();
        numbers
            .into_iter()
            .for_each(|number| self.net.break_connection(number));
    }

    /// What the file of its configuration, or of the next one, says on a server that is down.
    pub(crate) fn write_config(&mut self, id: ServerId, config: Config, committed: bool) {
        self.static_config = false;
        self.server(id).disk.edit(|image| match committed {
            true => image.committed_config = config.clone(),
            false => image.last_seen_config = Some(config.clone()),
        });
    }

    /// The oracle of an ensemble of two decides: what one server commits alone is on one disk.
    pub(crate) fn tell_oracle(&mut self, id: ServerId, says: bool) {
        self.static_config = false;
        self.input(id, Input::Oracle(says));
    }

    /// The state of a server finds that its tree is not the one that a digest tells.
    pub(crate) fn mismatch(&mut self, id: ServerId) {
        let zxid = self
            .server(id)
            .tree
            .last()
            .map_or(Zxid::ZERO, |entry| entry.zxid);
        self.input(id, Input::DigestMismatch { zxid });
    }

    pub(crate) fn leader(&self) -> Option<ServerId> {
        let leads = |server: &&Server| {
            let status = server.peer.as_ref().map(Peer::status);
            matches!(status, Some(RoleStatus::Leading { .. })) && !server.frozen
        };
        self.servers
            .values()
            .filter(leads)
            .map(|server| server.id)
            .next_back()
    }

    /// The next moment at which some server wants to be called.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        let up = self.servers.values().filter(|server| !server.frozen);
        up.filter_map(|server| server.peer.as_ref()?.next_deadline())
            .min()
    }

    /// Moves the clock, and calls who is due.
    pub(crate) fn advance(&mut self, to: Time) {
        self.now = to.max(self.now);
        for id in self.ids() {
            let now = self.now;
            let server = self.server(id);
            let due = server.peer.as_ref().and_then(Peer::next_deadline);
            if !server.frozen && due.is_some_and(|due| due <= now) {
                self.input(id, Input::Tick);
                let next = self.server(id).peer.as_ref().and_then(Peer::next_deadline);
                assert!(
                    next.is_none_or(|next| next > now),
                    "{id} spins: {next:?} at {now:?}"
                );
            }
        }
    }

    /// Everything that can happen without the clock.
    pub(crate) fn events(&self) -> Vec<Event> {
        let mut events = Vec::new();
        for server in self.servers.values().filter(|server| !server.frozen) {
            if !server.inbox.is_empty() {
                events.push(Event::Inbox(server.id));
            }
            if server.disk.pending() > 0 && server.peer.is_some() {
                events.push(Event::Disk(server.id));
            }
        }
        if !self.net.resets.is_empty() {
            events.push(Event::Reset);
        }
        if !self.net.dials.is_empty() {
            events.push(Event::Dial);
        }
        for (from, to) in self.net.notifications.keys() {
            if !self.net.is_cut(*from, *to) && !self.is_frozen(*to) {
                events.push(Event::Notification(*from, *to));
            }
        }
        for (number, connection) in &self.net.connections {
            let cut = self.net.is_cut(connection.learner, connection.leader);
            if !connection.up.is_empty() && !cut && !self.is_frozen(connection.leader) {
                events.push(Event::Up(*number));
            }
            if !connection.down.is_empty() && !cut && !self.is_frozen(connection.learner) {
                events.push(Event::Down(*number));
            }
        }
        events
    }

    fn is_frozen(&self, id: ServerId) -> bool {
        self.servers.get(&id).is_some_and(|server| server.frozen)
    }

    pub(crate) fn run(&mut self, event: Event) {
        match event {
            Event::Inbox(id) => {
                if let Some(input) = self.server(id).inbox.pop_front() {
                    self.input(id, input);
                }
            }
            Event::Reset => {
                if let Some((to, peer)) = self.net.resets.pop_front() {
                    self.input(to, Input::Unreachable { peer });
                }
            }
            Event::Dial => self.dial(),
            Event::Notification(from, to) => self.notify(from, to),
            Event::Up(number) => self.up(number),
            Event::Down(number) => self.down(number),
            Event::Disk(id) => self.complete(id),
        }
        self.net.forget_finished();
    }

    fn dial(&mut self) {
        let Some(dial) = self.net.dials.pop_front() else {
            return;
        };
        let Dial {
            from,
            link,
            to,
            observes,
        } = dial.clone();
        if !self.is_up(to) || self.net.is_cut(from, to) {
            return self.input(from, Input::LeaderLost(link));
        }
        let number = self.net.connect(dial);
        let learner_link = self.net.connections[&number].learner_link;
        self.input(from, Input::LeaderConnected(link));
        self.input(
            to,
            match observes {
                true => Input::ObserverConnected(learner_link),
                false => Input::LearnerConnected(learner_link),
            },
        );
        if observes && self.servers[&to].peer.as_ref().is_some_and(follows) {
            self.count("observer master");
        }
    }

    fn notify(&mut self, from: ServerId, to: ServerId) {
        let Some(notification) = self.net.notifications.remove(&(from, to)) else {
            return;
        };
        if !self.is_up(to) {
            return self.input(from, Input::Unreachable { peer: to });
        }
        self.note(format!("{from} -> {to} {}", notification));
        self.input(to, Input::Notification { from, notification });
    }

    fn up(&mut self, number: u64) {
        let Some(connection) = self.net.connections.get_mut(&number) else {
            return;
        };
        let (learner, leader) = (connection.learner, connection.leader);
        let link = connection.learner_link;
        if !connection.leader_open {
            return connection.up.clear();
        }
        match connection.up.pop_front() {
            Some(Up::Packet(packet)) => {
                self.note(format!("{learner} -> {leader} {}", packet));
                self.input(leader, Input::FromLearner(link, packet));
            }
            Some(Up::End) => {
                connection.leader_open = false;
                self.input(leader, Input::LearnerLost(link));
            }
            None => {}
        }
    }

    fn down(&mut self, number: u64) {
        let Some(connection) = self.net.connections.get_mut(&number) else {
            return;
        };
        let (learner, leader) = (connection.learner, connection.leader);
        let (link, learner_link) = (connection.leader_link, connection.learner_link);
        if !connection.learner_open {
            return connection.down.clear();
        }
        match connection.down.pop_front() {
            Some(Down::Packet(packet)) => {
                self.note(format!("{leader} -> {learner} {}", packet));
                let cost = packet.cost();
                self.server(leader)
                    .inbox
                    .push_back(Input::Flushed(learner_link, cost));
                self.input(learner, Input::FromLeader(link, packet));
            }
            Some(Down::Tree(tree)) => {
                self.note(format!(
                    "{leader} -> {learner} tree of {} entries",
                    tree.len()
                ));
                self.server(leader)
                    .inbox
                    .push_back(Input::SnapshotSent(learner_link));
                self.server(learner).staged = Some(tree);
                self.input(learner, Input::SnapshotReceived(link));
            }
            Some(Down::End) => {
                connection.learner_open = false;
                self.input(learner, Input::LeaderLost(link));
            }
            None => {}
        }
    }

    /// The next write of a server becomes durable.
    pub(crate) fn complete(&mut self, id: ServerId) {
        let Some(completed) = self.server(id).disk.complete() else {
            return;
        };
        if !matches!(completed.store, Store::LastSeenConfig(_) | Store::Barrier) {
            self.note(format!("{id}: stored {}", completed.store));
        }
        if matches!(
            completed.store,
            Store::Truncate(_) | Store::InstallSnapshot(_)
        ) {
            self.check_durable();
        }
        let ticket = completed.ticket;
        self.input(
            id,
            match completed.found {
                true => Input::Stored(ticket),
                false => Input::TruncateMissed(ticket),
            },
        );
    }

    /// A server that has synchronised serves what it had before, too: it counts as delivered.
    fn serves(&mut self, id: ServerId) {
        let server = self.server(id);
        let Some(committed) = server.peer.as_ref().map(Peer::last_committed) else {
            return;
        };
        let tree: Vec<_> = server
            .tree
            .iter()
            .filter(|entry| entry.zxid <= committed)
            .cloned()
            .collect();
        self.checker.on_delivered(id, &tree);
        self.check_durable();
    }

    fn check_durable(&mut self) {
        if !self.static_config || self.lenient {
            return;
        }
        let servers = &self.servers;
        let holders = |zxid| {
            let voters = servers.values().filter(|server| !server.observer);
            voters
                .filter(|server| server.disk.durable.has(zxid))
                .count()
        };
        self.checker.check_durable(self.voters, holders);
    }
}

fn follows(peer: &Peer) -> bool {
    matches!(peer.status(), RoleStatus::Following { .. })
}

/// A configuration of servers named by their ids.
pub(crate) fn config(version: i64, members: &[(i64, Role)]) -> Config {
    let line = |(id, role): &(i64, Role)| {
        let text = format!("s{id}:2888:3888:{}", role.name());
        (ServerId(*id), Member::parse(&text).expect("a member"))
    };
    let config = QuorumConfig {
        version,
        members: members.iter().map(line).collect(),
        hierarchy: None,
    };
    Config::try_from(config).expect("a configuration")
}

/// Observers with an o behind.
fn names(members: &[(i64, Role)]) -> String {
    let mark = |role: Role| if role == Role::Observer { "o" } else { "" };
    let names = members
        .iter()
        .map(|(id, role)| format!("{id}{}", mark(*role)));
    names.collect::<Vec<_>>().join(" ")
}
