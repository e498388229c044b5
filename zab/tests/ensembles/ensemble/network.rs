//! Connections in memory: in order, until they break.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use zab::election::Notification;
use zab::{Entry, LeaderLink, LeaderPacket, LearnerLink, LearnerPacket, ServerId};

/// To a leader.
#[derive(Clone, Debug)]
pub(crate) enum Up {
    Packet(LearnerPacket),
    End,
}

/// To a learner.
#[derive(Clone, Debug)]
pub(crate) enum Down {
    Packet(LeaderPacket),
    Tree(Vec<Entry>),
    End,
}

/// A connection to a quorum port.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) learner: ServerId,
    pub(crate) leader_link: LeaderLink,
    pub(crate) leader: ServerId,
    pub(crate) learner_link: LearnerLink,
    pub(crate) up: VecDeque<Up>,
    pub(crate) down: VecDeque<Down>,
    pub(crate) learner_open: bool,
    pub(crate) leader_open: bool,
}

impl Connection {
    /// The learner lets go: what it sent arrives, then the end.
    pub(crate) fn close_learner(&mut self) {
        if self.learner_open {
            self.learner_open = false;
            self.down.clear();
            self.up.push_back(Up::End);
        }
    }

    /// The leader lets go.
    pub(crate) fn close_leader(&mut self) {
        if self.leader_open {
            self.leader_open = false;
            self.up.clear();
            self.down.push_back(Down::End);
        }
    }
}

/// An attempt to connect.
#[derive(Clone, Debug)]
pub(crate) struct Dial {
    pub(crate) from: ServerId,
    pub(crate) link: LeaderLink,
    pub(crate) to: ServerId,
    /// To the port for observers.
    pub(crate) observes: bool,
}

#[derive(Default)]
pub(crate) struct Network {
    pub(crate) connections: BTreeMap<u64, Connection>,
    pub(crate) dials: VecDeque<Dial>,
    /// The newest unsent notification of each pair.
    pub(crate) notifications: BTreeMap<(ServerId, ServerId), Notification>,
    /// Who is to learn that whom is gone.
    pub(crate) resets: VecDeque<(ServerId, ServerId)>,
    pub(crate) cut: BTreeSet<(ServerId, ServerId)>,
    pub(crate) numbers: u64,
}

impl Network {
    pub(crate) fn is_cut(&self, a: ServerId, b: ServerId) -> bool {
        self.cut.contains(&(a.min(b), a.max(b)))
    }

    pub(crate) fn dial(&mut self, from: ServerId, link: LeaderLink, to: ServerId, observes: bool) {
        self.dials.push_back(Dial {
            from,
            link,
            to,
            observes,
        });
    }

    pub(crate) fn connect(&mut self, dial: Dial) -> u64 {
        self.numbers += 1;
        let connection = Connection {
            learner: dial.from,
            leader_link: dial.link,
            leader: dial.to,
            learner_link: LearnerLink(self.numbers),
            up: VecDeque::new(),
            down: VecDeque::new(),
            learner_open: true,
            leader_open: true,
        };
        self.connections.insert(self.numbers, connection);
        self.numbers
    }

    pub(crate) fn of_learner(
        &mut self,
        learner: ServerId,
        link: LeaderLink,
    ) -> Option<&mut Connection> {
        let ours =
            |c: &&mut Connection| c.learner == learner && c.leader_link == link && c.learner_open;
        self.connections.values_mut().find(ours)
    }

    pub(crate) fn of_leader(&mut self, link: LearnerLink) -> Option<&mut Connection> {
        self.connections.get_mut(&link.0)
    }

    /// Both sides learn of it; what was on its way is lost.
    pub(crate) fn break_connection(&mut self, number: u64) {
        if let Some(connection) = self.connections.get_mut(&number) {
            connection.up = VecDeque::from([Up::End]);
            connection.down = VecDeque::from([Down::End]);
        }
    }

    /// Only one side learns of it; the other finds out by silence, or by the next connection.
    pub(crate) fn half_break(&mut self, number: u64, tells_leader: bool) {
        if let Some(connection) = self.connections.get_mut(&number) {
            connection.up.clear();
            connection.down.clear();
            if tells_leader {
                connection.close_learner();
            } else {
                connection.close_leader();
            }
        }
    }

    /// A process died: what it sent may still arrive, unless the way is cut, then its connections
    /// end.
    pub(crate) fn crash(&mut self, server: ServerId, others: &[ServerId]) {
        for connection in self.connections.values_mut() {
            let pair = (connection.learner, connection.leader);
            let ours = pair.0 == server || pair.1 == server;
            if ours && self.cut.contains(&(pair.0.min(pair.1), pair.0.max(pair.1))) {
                connection.up.clear();
                connection.down.clear();
            }
            if connection.learner == server {
                connection.close_learner();
            }
            if connection.leader == server {
                connection.close_leader();
            }
        }
        self.dials.retain(|dial| dial.from != server);
        self.notifications
            .retain(|(from, to), _| *from != server && *to != server);
        self.resets.retain(|(to, _)| *to != server);
        self.resets
            .extend(others.iter().map(|other| (*other, server)));
    }

    /// Cuts two servers off from each other: nothing arrives, and nothing tells.
    pub(crate) fn cut(&mut self, a: ServerId, b: ServerId) {
        self.cut.insert((a.min(b), a.max(b)));
    }

    pub(crate) fn heal(&mut self) {
        self.cut.clear();
    }

    pub(crate) fn forget_finished(&mut self) {
        let open = |connection: &Connection| connection.learner_open || connection.leader_open;
        self.connections.retain(|_, connection| open(connection));
    }
}
