//! When the next fault is due; what goes wrong then is up to the kind of world.

use super::outside::Outside;
use super::{Event, World, tell};
use crate::scenario::Fault;

/// What is due when a fault could happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing now.
    Nothing,
    /// This fault.
    Fault(Fault),
    /// The end of all faults: clients have asked enough.
    Settling,
}

impl World {
    /// May faults still happen?
    pub(crate) fn faults_go_on(&self) -> bool {
        self.phase == super::Phase::Faulty && self.faults_left > 0
    }

    /// May what was prepared before still happen?
    pub(crate) fn faults_may_wait(&self) -> bool {
        self.phase == super::Phase::Faulty
    }

    /// Draws the next fault.
    pub(crate) fn due_fault(&mut self) -> Due {
        if self.requests_left == 0 {
            return Due::Settling;
        }
        let kinds = self.scenario.possible();
        if !self.faults_go_on() || kinds.is_empty() {
            self.at(500_000, Event::Fault);
            return Due::Nothing;
        }
        self.faults_left -= 1;
        let kind = *self.fault_rng.pick(&kinds);
        tell!(self, "fault: {}", kind.name());
        self.coverage.count(&format!("fault: {}", kind.name()));
        let most_us = if self.scenario.is_ensemble() {
            1_200_000
        } else {
            2_500_000
        };
        let after = if self.fault_rng.percent(25) {
            self.fault_rng.between(100..50_000)
        } else {
            self.fault_rng.between(100_000..most_us)
        };
        self.at(after, Event::Fault);
        Due::Fault(kind)
    }

    /// A connection of a client breaks; what is under way is lost from some byte on.
    pub(crate) fn break_link(&mut self) {
        let Some(id) = self.some_link() else {
            return;
        };
        let link = self.links.get_mut(&id).expect("picked from them");
        let in_flight = link.up.lose_tail(&mut self.rng) | link.down.lose_tail(&mut self.rng);
        let up = link.up.end(&mut self.rng, self.now_us, 0);
        let down = link.down.end(&mut self.rng, self.now_us, 0);
        if let Some(at_us) = up {
            self.when(at_us, Event::ToServer { link: id });
        }
        if let Some(at_us) = down {
            self.when(at_us, Event::ToClient { link: id });
        }
        if in_flight {
            self.coverage.count("connection lost with bytes under way");
        }
    }

    pub(crate) fn stall_link(&mut self) {
        if let Some(id) = self.some_link() {
            let us = self.fault_rng.between(50_000..9_000_000);
            let link = self.links.get_mut(&id).expect("picked from them");
            link.stalled_until_us = self.now_us + us;
        }
    }

    fn some_link(&mut self) -> Option<u64> {
        let clients = self.clients.iter().filter_map(|client| client.link);
        let outside = self.outside.iter().flat_map(Outside::links);
        let links: Vec<u64> = clients.chain(outside).collect();
        if links.is_empty() {
            return None;
        }
        let id = *self.fault_rng.pick(&links);
        self.links.contains_key(&id).then_some(id)
    }

    /// By how much a wall clock jumps, milliseconds.
    pub(crate) fn draw_jump_ms(&mut self) -> i64 {
        let most_ms = *self.fault_rng.pick(&[1000, 60_000, 86_400_000]);
        self.fault_rng.below(2 * most_ms) as i64 - most_ms as i64
    }

    pub(crate) fn kill_client(&mut self) {
        let at = self.fault_rng.below(self.clients.len() as u64) as usize;
        if self.clients[at].dead {
            return;
        }
        tell!(self, "{}: vanishes", self.clients[at].name);
        self.clients[at].dead = true;
        let after = self.fault_rng.between(100_000..9_000_000);
        self.at(after, Event::Replace { client: at });
    }
}
