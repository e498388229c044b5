//! Connections between servers, and what is on its way on them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use zab::LeaderLink;

use crate::rng::Rng;
use crate::world::Pipe;

/// A connection of a learner to a leader's quorum port. The leader knows it by its number.
pub(super) struct Wire {
    pub(super) learner: usize,
    pub(super) link: LeaderLink,
    pub(super) leader: usize,
    pub(super) up: Pipe,
    pub(super) down: Pipe,
    /// Received and not taken for a packet yet, at the leader and at the learner.
    pub(super) at_leader: Vec<u8>,
    pub(super) at_learner: Vec<u8>,
    pub(super) leader_open: bool,
    pub(super) learner_open: bool,
    /// What the packets under way to the learner count for.
    pub(super) unflushed: usize,
}

/// A message of the election port.
pub(super) struct Letter {
    pub(super) bytes: Vec<u8>,
}

#[derive(Default)]
pub(super) struct Network {
    pub(super) wires: BTreeMap<u64, Wire>,
    last_wire: u64,
    /// Notifications under way, by sender and receiver.
    pub(super) letters: BTreeMap<(usize, usize), VecDeque<Letter>>,
    /// When the last one arrives.
    letters_us: BTreeMap<(usize, usize), u64>,
    /// From whom to whom nothing gets.
    pub(super) cuts: BTreeSet<(usize, usize)>,
    /// How much later than usual something arrives.
    pub(super) slow_us: BTreeMap<(usize, usize), u64>,
    /// How many notifications of a hundred are lost.
    pub(super) lost_percent: u64,
}

impl Network {
    pub(super) fn is_cut(&self, from: usize, to: usize) -> bool {
        self.cuts.contains(&(from, to))
    }

    pub(super) fn delay_us(&self, from: usize, to: usize) -> u64 {
        self.slow_us.get(&(from, to)).copied().unwrap_or(0)
    }

    pub(super) fn heal(&mut self) {
        self.cuts.clear();
        self.slow_us.clear();
        self.lost_percent = 0;
    }

    pub(super) fn connect(&mut self, learner: usize, link: LeaderLink, leader: usize) -> u64 {
        self.last_wire += 1;
        let wire = Wire {
            learner,
            link,
            leader,
            up: Pipe::default(),
            down: Pipe::default(),
            at_leader: Vec::new(),
            at_learner: Vec::new(),
            leader_open: true,
            learner_open: true,
            unflushed: 0,
        };
        self.wires.insert(self.last_wire, wire);
        self.last_wire
    }

    /// The wire that a learner calls by this name.
    pub(super) fn of_learner(&self, learner: usize, link: LeaderLink) -> Option<u64> {
        let mut wires = self.wires.iter();
        let ours = |wire: &Wire| wire.learner == learner && wire.link == link && wire.learner_open;
        wires.find(|(_, wire)| ours(wire)).map(|(id, _)| *id)
    }

    /// Puts a notification on its way; when it arrives.
    pub(super) fn post(
        &mut self,
        rng: &mut Rng,
        now_us: u64,
        (from, to): (usize, usize),
        bytes: Vec<u8>,
    ) -> u64 {
        let letters = self.letters.entry((from, to)).or_default();
        letters.push_back(Letter { bytes });
        let at = now_us + self.delay_us(from, to) + rng.between(100..2000);
        let last = self.letters_us.entry((from, to)).or_default();
        *last = at.max(*last);
        *last
    }

    /// Forgets wires that nobody holds an end of, and on which nothing is under way.
    pub(super) fn forget_finished(&mut self) {
        self.wires.retain(|_, wire| {
            let open = wire.leader_open || wire.learner_open;
            open || !wire.up.is_idle() || !wire.down.is_idle()
        });
    }
}
