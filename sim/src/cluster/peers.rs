//! What servers say to each other, as bytes on connections that break.

use bytes::Bytes;
use jute::quorum::packet;
use jute::wire::Limits;
use zab::election::Notification;
use zab::{Input, LeaderLink, LeaderPacket, LearnerLink, LearnerPacket, Leave, ServerId};

use super::{CUT_RETRY_US, Cluster, Event, Own, Port};
use crate::violation::{Checked, Violation};
use crate::world::tell;

/// How long a connection to a machine that cannot be reached is tried, microseconds.
const DIAL_TIMEOUT_US: u64 = 300_000;

impl Cluster {
    /// A learner's connection reaches the leader's machine.
    pub(super) fn dial(
        &mut self,
        (from, life, link): (usize, u64, LeaderLink),
        to: usize,
        port: Port,
    ) -> Checked {
        if self.machines[from].life != life {
            return Ok(());
        }
        if self.net.is_cut(from, to) || self.net.is_cut(to, from) {
            self.own(from, DIAL_TIMEOUT_US, Own::NoLeader(link));
            return Ok(());
        }
        if !self.is_alive(to) {
            self.own(from, 200, Own::NoLeader(link));
            return Ok(());
        }
        let wire = self.net.connect(from, link, to);
        let learner = LearnerLink(wire);
        let connected = match port {
            Port::Quorum => Input::LearnerConnected(learner),
            Port::ObserverMaster => {
                self.world.coverage.count("observer at an observer master");
                Input::ObserverConnected(learner)
            }
        };
        self.peer_input(to, connected)?;
        if self.machines[from].life == life {
            self.peer_input(from, Input::LeaderConnected(link))?;
        }
        Ok(())
    }

    pub(super) fn send_to_leader(&mut self, at: usize, link: LeaderLink, packet: &LearnerPacket) {
        let Some(id) = self.net.of_learner(at, link) else {
            return;
        };
        if !matches!(packet, LearnerPacket::Ping { .. }) {
            let leader = self.net.wires[&id].leader + 1;
            tell!(self.world, "server {}: to {leader}: {}", at + 1, packet);
        }
        let mut bytes = Vec::new();
        packet.encode(&mut bytes);
        let Some(wire) = self.net.wires.get_mut(&id) else {
            return;
        };
        let slow = self.net.slow_us.get(&(wire.learner, wire.leader));
        let delay_us = slow.copied().unwrap_or(0);
        let world = &mut self.world;
        let times = wire.up.send(&mut world.rng, world.now_us, delay_us, &bytes);
        for at_us in times {
            self.when(at_us, Event::Up { wire: id });
        }
    }

    pub(super) fn send_to_learner(&mut self, at: usize, link: LearnerLink, packet: &LeaderPacket) {
        let Some(wire) = self.net.wires.get(&link.0) else {
            return;
        };
        let quiet = matches!(packet, LeaderPacket::Ping { .. });
        if !quiet {
            self.world.coverage.count(packet.name());
            if self.plans_from_log && matches!(packet, LeaderPacket::Diff { .. }) {
                self.world.coverage.count("DIFF from the log");
            }
            let learner = wire.learner + 1;
            tell!(self.world, "server {}: to {learner}: {}", at + 1, packet);
        }
        let mut bytes = Vec::new();
        packet.encode(&mut bytes);
        self.send_down(link.0, &bytes, packet.cost());
    }

    /// Sends bytes to a learner.
    pub(super) fn send_down(&mut self, id: u64, bytes: &[u8], cost: usize) {
        let Some(wire) = self.net.wires.get_mut(&id) else {
            return;
        };
        if !wire.leader_open {
            return;
        }
        wire.unflushed += cost;
        let slow = self.net.slow_us.get(&(wire.leader, wire.learner));
        let delay_us = slow.copied().unwrap_or(0);
        let world = &mut self.world;
        let times = wire
            .down
            .send(&mut world.rng, world.now_us, delay_us, bytes);
        for at_us in times {
            self.when(at_us, Event::Down { wire: id });
        }
    }

    /// A learner closes its end: what it sent still arrives.
    pub(super) fn hang_up_on_leader(&mut self, at: usize, link: LeaderLink) {
        if let Some(id) = self.net.of_learner(at, link) {
            self.close_learner_end(id);
        }
    }

    pub(super) fn close_learner_end(&mut self, id: u64) {
        let Some(wire) = self.net.wires.get_mut(&id) else {
            return;
        };
        if std::mem::replace(&mut wire.learner_open, false) {
            let world = &mut self.world;
            if let Some(at_us) = wire.up.end(&mut world.rng, world.now_us, 0) {
                self.when(at_us, Event::Up { wire: id });
            }
        }
    }

    pub(super) fn hang_up_on_learner(&mut self, at: usize, link: LearnerLink, why: &Leave) {
        if let Some(wire) = self.net.wires.get(&link.0) {
            let learner = wire.learner + 1;
            tell!(self.world, "server {}: drops {learner}: {why}", at + 1);
            self.close_leader_end(link.0);
        }
    }

    pub(super) fn close_leader_end(&mut self, id: u64) {
        let Some(wire) = self.net.wires.get_mut(&id) else {
            return;
        };
        if std::mem::replace(&mut wire.leader_open, false) {
            let world = &mut self.world;
            if let Some(at_us) = wire.down.end(&mut world.rng, world.now_us, 0) {
                self.when(at_us, Event::Down { wire: id });
            }
        }
    }

    /// Something arrives at a leader.
    pub(super) fn up(&mut self, id: u64) -> Checked {
        let Some(wire) = self.net.wires.get_mut(&id) else {
            return Ok(());
        };
        if self.net.cuts.contains(&(wire.learner, wire.leader)) {
            self.at(CUT_RETRY_US, Event::Up { wire: id });
            return Ok(());
        }
        let Some(piece) = wire.up.arrive() else {
            return Ok(());
        };
        let (leader, link) = (wire.leader, LearnerLink(id));
        if !wire.leader_open {
            self.net.forget_finished();
            return Ok(());
        }
        if piece.is_empty() {
            self.close_leader_end(id);
            self.end_tree(leader, link);
            return self.peer_input(leader, Input::LearnerLost(link));
        }
        wire.at_leader.extend_from_slice(&piece);
        loop {
            let Some(wire) = self.net.wires.get_mut(&id) else {
                return Ok(());
            };
            if !wire.leader_open {
                return Ok(());
            }
            let first = packet::first(&wire.at_leader, Limits::default()).map_err(unreadable)?;
            let Some((packet, len)) = first else {
                return Ok(());
            };
            let packet = LearnerPacket::from_packet(packet, Limits::default());
            let packet = packet.map_err(unreadable)?;
            wire.at_leader.drain(..len);
            self.hear_learner(leader, &packet);
            self.peer_input(leader, Input::FromLearner(link, packet))?;
        }
    }

    /// The leader hears of sessions.
    fn hear_learner(&mut self, leader: usize, packet: &LearnerPacket) {
        let now_us = self.now(leader).monotonic_us;
        let Some(process) = self.process(leader) else {
            return;
        };
        match packet {
            LearnerPacket::Ping { touched, .. } => {
                for touch in touched {
                    process.ephemerals.heard(touch.session, now_us);
                }
            }
            LearnerPacket::Revalidate { session, .. } => {
                process.ephemerals.heard(*session, now_us);
            }
            _ => {}
        }
    }

    /// Something arrives at a learner.
    pub(super) fn down(&mut self, id: u64) -> Checked {
        let Some(wire) = self.net.wires.get_mut(&id) else {
            return Ok(());
        };
        if self.net.cuts.contains(&(wire.leader, wire.learner)) {
            self.at(CUT_RETRY_US, Event::Down { wire: id });
            return Ok(());
        }
        let Some(piece) = wire.down.arrive() else {
            return Ok(());
        };
        let (learner, leader, link) = (wire.learner, wire.leader, wire.link);
        let (cost, leader_open) = (std::mem::take(&mut wire.unflushed), wire.leader_open);
        if !wire.learner_open {
            self.net.forget_finished();
            return Ok(());
        }
        if piece.is_empty() {
            self.close_learner_end(id);
            self.abandon_tree(learner, link);
            return self.peer_input(learner, Input::LeaderLost(link));
        }
        wire.at_learner.extend_from_slice(&piece);
        self.take_down(id, learner, link)?;
        if cost > 0 && leader_open {
            self.peer_input(leader, Input::Flushed(LearnerLink(id), cost))?;
        }
        Ok(())
    }

    fn take_down(&mut self, id: u64, learner: usize, link: LeaderLink) -> Checked {
        loop {
            let tree_follows = self.process(learner).is_some_and(|process| {
                let incoming = process.inflow.as_ref();
                incoming.is_some_and(|incoming| incoming.link == link && !incoming.complete)
            });
            let Some(wire) = self.net.wires.get_mut(&id) else {
                return Ok(());
            };
            if !wire.learner_open || wire.at_learner.is_empty() {
                return Ok(());
            }
            if tree_follows {
                let bytes = std::mem::take(&mut wire.at_learner);
                let Some(taken) = self.take_tree(learner, link, &bytes)? else {
                    return Ok(());
                };
                if let Some(wire) = self.net.wires.get_mut(&id) {
                    wire.at_learner = bytes[taken..].to_vec();
                }
                continue;
            }
            let limits = Limits::default();
            let first = packet::first(&wire.at_learner, limits).map_err(unreadable)?;
            let Some((_, len)) = first else {
                return Ok(());
            };
            let bytes: Bytes = wire.at_learner.drain(..len).collect();
            let (packet, _) = packet::first(&bytes, limits)
                .map_err(unreadable)?
                .expect("it was whole before");
            let packet = LeaderPacket::from_packet(&packet, &bytes, limits);
            let packet = packet.map_err(unreadable)?;
            self.peer_input(learner, Input::FromLeader(link, packet))?;
        }
    }

    pub(super) fn notify(&mut self, at: usize, to: ServerId, notification: &Notification) {
        let Some(to) = self.machine_of(to) else {
            return;
        };
        if self.world.rng.percent(self.net.lost_percent) || self.net.is_cut(at, to) {
            self.world.coverage.count("notification lost");
            return;
        }
        let world = &mut self.world;
        let bytes = notification.to_bytes();
        let arrives_us = self.net.post(&mut world.rng, world.now_us, (at, to), bytes);
        self.when(arrives_us, Event::Letter { from: at, to });
    }

    /// A notification arrives.
    pub(super) fn letter(&mut self, from: usize, to: usize) -> Checked {
        let letters = self.net.letters.get_mut(&(from, to));
        let Some(letter) = letters.and_then(std::collections::VecDeque::pop_front) else {
            return Ok(());
        };
        if self.net.is_cut(from, to) {
            self.world.coverage.count("notification lost");
            return Ok(());
        }
        if !self.is_alive(to) {
            if !self.net.is_cut(to, from) {
                self.own(from, 200, Own::Unreachable(to));
            }
            return Ok(());
        }
        let notification = Notification::from_bytes(&letter.bytes).map_err(unreadable)?;
        tell!(
            self.world,
            "server {}: hears from {}: {}",
            to + 1,
            from + 1,
            notification
        );
        let from = self.machines[from].id;
        self.peer_input(to, Input::Notification { from, notification })
    }

    /// The ends of all connections of a machine vanish with its process; what it sent may still
    /// arrive.
    pub(super) fn drop_wires(&mut self, at: usize) {
        let ids: Vec<u64> = self.net.wires.keys().copied().collect();
        for id in ids {
            let wire = self.net.wires.get_mut(&id).expect("listed just now");
            if wire.learner == at && wire.learner_open {
                wire.up.lose_tail(&mut self.world.rng);
                self.close_learner_end(id);
            } else if wire.leader == at && wire.leader_open {
                wire.down.lose_tail(&mut self.world.rng);
                self.close_leader_end(id);
            }
        }
        self.net.forget_finished();
        for other in 0..self.machines.len() {
            if other != at && self.is_alive(other) && !self.net.is_cut(at, other) {
                let after = self.world.rng.between(100..3000);
                self.own(other, after, Own::Unreachable(at));
            }
        }
    }
}

fn unreadable(error: impl std::fmt::Display) -> Violation {
    Violation::new("messages", format!("unreadable packet: {error}"))
}
