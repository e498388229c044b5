//! Servers, their disks and the network to them, for clients that run elsewhere: on the same
//! clock, which whoever has them moves.

use jute::data::StatPersisted;
use state::tree::Owner;

use crate::cluster::Cluster;
use crate::coverage::Coverage;
use crate::model::{Node, owner};
use crate::scenario::{Scenario, Servers};
use crate::standalone::Standalone;
use crate::violation::Violation;
use crate::world::{Arrival, World};
use crate::{Outcome, caught};

/// One server or an ensemble, with everything that goes wrong there, and nobody who asks for
/// anything: clients come from outside.
pub struct Site {
    kind: Kind,
}

enum Kind {
    Standalone(Box<Standalone>),
    Ensemble(Box<Cluster>),
}

/// A node at some time.
#[derive(Clone, Copy, Debug)]
pub struct NodeSeen<'a> {
    /// Its data.
    pub data: &'a [u8],
    /// The zxid that made it.
    pub czxid: i64,
    /// The zxid of its data.
    pub mzxid: i64,
    /// The version of its data.
    pub version: i32,
    /// The session that it lives with; 0 for other nodes.
    pub session: i64,
    /// It is a container that never had a child: such a one stays.
    pub is_unused_container: bool,
}

impl<'a> NodeSeen<'a> {
    fn of(node: &'a Node) -> Self {
        let StatPersisted {
            czxid,
            mzxid,
            version,
            cversion,
            ..
        } = node.stat;
        let owner = owner(node);
        let session = match owner {
            Owner::Session(session) => session,
            _ => 0,
        };
        Self {
            data: node.data.as_deref().unwrap_or_default(),
            czxid,
            mzxid,
            version,
            session,
            is_unused_container: owner == Owner::Container && cversion == 0,
        }
    }
}

impl Site {
    /// The servers of a scenario, which begin to start. Its clients and requests do not count.
    ///
    /// # Errors
    /// An invariant that does not hold.
    pub fn new(scenario: &Scenario, transcript: bool) -> Result<Self, Violation> {
        let scenario = Scenario {
            clients: 0,
            // Faults go on until they are told to end.
            requests: 1,
            ..scenario.clone()
        };
        let kind = match scenario.servers {
            Servers::Standalone => {
                Kind::Standalone(Box::new(Standalone::new(&scenario, transcript)))
            }
            Servers::Members(members) => {
                Kind::Ensemble(Box::new(Cluster::new(&scenario, members, transcript)))
            }
        };
        let mut site = Self { kind };
        let world = site.world_mut();
        world.outside = Some(crate::world::Outside::default());
        world.history.has_others = true;
        match &mut site.kind {
            Kind::Standalone(server) => server.open()?,
            Kind::Ensemble(cluster) => cluster.open()?,
        }
        Ok(site)
    }

    fn world(&self) -> &World {
        match &self.kind {
            Kind::Standalone(server) => server.world(),
            Kind::Ensemble(cluster) => cluster.world(),
        }
    }

    fn world_mut(&mut self) -> &mut World {
        match &mut self.kind {
            Kind::Standalone(server) => server.world_mut(),
            Kind::Ensemble(cluster) => cluster.world_mut(),
        }
    }

    /// The time, microseconds.
    pub fn now_us(&self) -> u64 {
        self.world().now_us
    }

    /// Moves the clock forward to this time. Events that were due before happen late.
    pub fn advance(&mut self, to_us: u64) {
        let world = self.world_mut();
        world.now_us = world.now_us.max(to_us);
    }

    /// When the next event happens, microseconds.
    pub fn next_us(&self) -> Option<u64> {
        self.world().next_us()
    }

    /// The next event happens. A panic in the code under test is a violation like any other.
    ///
    /// # Errors
    /// An invariant that does not hold.
    pub fn step(&mut self) -> Result<(), Violation> {
        caught(|| {
            match &mut self.kind {
                Kind::Standalone(server) => server.step()?,
                Kind::Ensemble(cluster) => cluster.step()?,
            };
            Ok(())
        })
    }

    /// A client begins to connect to one of the servers, counted from 0. The number of the
    /// connection.
    pub fn dial(&mut self, client: usize, server: usize) -> u64 {
        self.world_mut().dial(client, server)
    }

    /// A client sends.
    pub fn send(&mut self, link: u64, bytes: &[u8]) {
        self.world_mut().send_from_outside(link, bytes);
    }

    /// A client closes a connection. `silently`, its machine is gone, and the server not told.
    pub fn hang_up(&mut self, link: u64, silently: bool) {
        self.world_mut().hang_up(link, silently);
    }

    /// Until then nothing gets through between a client and the servers, as if the network were
    /// cut; it is not lost.
    pub fn cut_off(&mut self, client: usize, until_us: u64) {
        self.world_mut().cut_off(client, until_us);
    }

    /// What has arrived at clients.
    pub fn take_arrivals(&mut self) -> Vec<Arrival> {
        let outside = self.world_mut().outside.as_mut();
        outside
            .map(crate::world::Outside::take_arrived)
            .unwrap_or_default()
    }

    /// No more faults at the servers from here on: those that are down start, and stay up.
    ///
    /// # Errors
    /// An invariant that does not hold.
    pub fn end_faults(&mut self) -> Result<(), Violation> {
        match &mut self.kind {
            Kind::Standalone(server) => {
                server.begin_settling();
                Ok(())
            }
            Kind::Ensemble(cluster) => cluster.begin_settling(),
        }
    }

    /// Do all servers measure true time, so that no session ends early?
    pub fn clocks_are_true(&self) -> bool {
        match &self.kind {
            Kind::Standalone(_) => true,
            Kind::Ensemble(cluster) => cluster.clocks_are_true(),
        }
    }

    /// Every server's tree is what the history makes it.
    ///
    /// # Errors
    /// If not.
    pub fn check_trees(&self) -> Result<(), Violation> {
        match &self.kind {
            Kind::Standalone(server) => server.same_tree(),
            Kind::Ensemble(cluster) => cluster.same_trees(),
        }
    }

    /// The sessions that are open.
    pub fn sessions(&self) -> impl Iterator<Item = i64> + '_ {
        self.world().history.model.sessions.keys().copied()
    }

    /// The last transaction that was committed.
    pub fn last_zxid(&self) -> i64 {
        self.world().history.last_zxid()
    }

    /// A node, as what was committed has made it.
    pub fn node(&self, path: &str) -> Option<NodeSeen<'_>> {
        self.world().history.model.now(path).map(NodeSeen::of)
    }

    /// All nodes, as what was committed has made them.
    pub fn nodes(&self) -> impl Iterator<Item = (&str, NodeSeen<'_>)> {
        let nodes = self.world().history.model.all_now();
        nodes.map(|(path, node)| (path, NodeSeen::of(node)))
    }

    /// A node after a transaction.
    pub fn node_at(&self, path: &str, zxid: i64) -> Option<NodeSeen<'_>> {
        self.world().history.model.at(path, zxid).map(NodeSeen::of)
    }

    /// The zxids of the transactions that have changed a node, and what it was then; `None` if it
    /// went.
    pub fn versions(&self, path: &str) -> impl Iterator<Item = (i64, Option<NodeSeen<'_>>)> {
        let versions = self.world().history.model.versions(path);
        versions.map(|(zxid, node)| (zxid, node.map(NodeSeen::of)))
    }

    /// The zxids of the transactions that changed something below a node, in order.
    pub fn changes_below(&self, path: &str) -> Vec<i64> {
        self.world().history.model.changes_below(path)
    }

    /// Names of a node's children after a transaction, sorted.
    pub fn children_at(&self, path: &str, zxid: i64) -> Vec<String> {
        self.world().history.model.children(path, zxid)
    }

    /// Adds a line to the transcript, if there is one.
    pub fn tell(&mut self, line: &str) {
        self.world_mut().tell(line);
    }

    /// Is there a transcript?
    pub fn tells(&self) -> bool {
        self.world().transcript.is_some()
    }

    /// What has happened, counted.
    pub fn coverage(&mut self) -> &mut Coverage {
        &mut self.world_mut().coverage
    }

    /// What it came to.
    pub fn into_outcome(self, checked: Result<(), Violation>) -> Outcome {
        match self.kind {
            Kind::Standalone(server) => server.into_outcome(checked),
            Kind::Ensemble(cluster) => cluster.into_outcome(checked),
        }
    }
}
