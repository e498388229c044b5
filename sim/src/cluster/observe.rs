//! What the checkers are told when something has happened in a server.

use jute::Zxid;
use replica::Service;
use zab::RoleStatus;

use super::{Cluster, Own};
use crate::checkers::{durability, primary_integrity, total_order};
use crate::violation::Checked;
use crate::world::tell;

impl Cluster {
    /// A member was told something: what it serves, or has delivered behind `known`, is looked
    /// at.
    pub(super) fn observe(&mut self, at: usize, known: Option<Zxid>) -> Checked {
        let server = at as u64 + 1;
        let Some(process) = &mut self.machines[at].process else {
            return Ok(());
        };
        let state = process.replica.read();
        let delivers = known.is_some_and(|known| known < state.last_zxid());
        if process.replica.service() != Service::Serving && !delivers {
            return Ok(());
        }
        let through = state.last_zxid().0;
        self.digests.serves(server, &state)?;
        drop(state);
        let (end, last) = (process.log_end, self.world.history.last_zxid());
        total_order::delivered(&mut self.world.history, &self.ledger, server, through, end)?;
        if through > last {
            self.world.tell_history(last);
            self.grown(last)?;
        }
        Ok(())
    }

    /// The history has grown behind `last`.
    fn grown(&mut self, last: i64) -> Checked {
        for zxid in self.world.history.behind(last) {
            let proposal = self.ledger.get(zxid).expect("it is in the history");
            if let Some(config) = &proposal.config {
                self.config = config.clone();
                self.world.coverage.count("reconfiguration committed");
            }
        }
        self.check_durable()
    }

    /// What is delivered is on the disks of a quorum.
    pub(super) fn check_durable(&self) -> Checked {
        let ends: Vec<_> = self
            .machines
            .iter()
            .map(|machine| (machine.id, machine.record.held().end))
            .collect();
        let last = self.world.history.last_zxid();
        durability::on_a_quorum(&self.ledger, &self.config, &ends, last)
    }

    pub(super) fn role_changed(&mut self, at: usize, status: RoleStatus) -> Checked {
        let server = at as u64 + 1;
        let now_us = self.now(at).monotonic_us;
        tell!(self.world, "server {server}: {}", status);
        let serves = status.serves();
        match status {
            RoleStatus::Leading { epoch } => {
                self.world.coverage.count("leader established");
                self.leadership.leads(server, epoch)?;
                let Some(process) = &mut self.machines[at].process else {
                    return Ok(());
                };
                let (history, end) = (&self.world.history, process.log_end);
                primary_integrity::established(history, &self.ledger, server, epoch, end)?;
                process.ephemerals.started(&process.replica.read(), now_us);
            }
            RoleStatus::Following { .. } => self.world.coverage.count("follower synchronised"),
            RoleStatus::Observing { .. } => {
                self.world.coverage.count("observer synchronised");
                let mut wires = self.net.wires.values();
                let up = wires.find(|wire| wire.learner == at && wire.learner_open);
                if up.is_some_and(|wire| Some(wire.leader) != self.leader()) {
                    let coverage = &mut self.world.coverage;
                    coverage.count("observer synchronised by an observer master");
                }
            }
            RoleStatus::Looking => self.world.coverage.count("looks for a leader"),
            RoleStatus::Preparing => self.world.coverage.count("elected"),
            RoleStatus::Joining { .. } => {}
            RoleStatus::Halted => {
                let after = self.world.rng.between(100..20_000);
                self.own(at, after, Own::Exit);
            }
        }
        if serves {
            self.machines[at].is_wiped = false;
        }
        self.count_held(at, serves);
        Ok(())
    }

    /// What becomes of those whose leader was lost.
    fn count_held(&mut self, at: usize, serves: bool) {
        let Some(process) = &mut self.machines[at].process else {
            return;
        };
        let served = std::mem::replace(&mut process.serves, serves);
        let links = self.world.links.iter();
        let of_server = links.filter(|(_, link)| link.server == at);
        let connected = of_server.filter_map(|(id, link)| {
            let connection = link.connection.as_ref()?;
            (connection.session() != 0).then(|| (*id, connection.in_flight()))
        });
        let connected: Vec<_> = connected.collect();
        if served && !serves {
            process.held = connected.iter().copied().collect();
        }
        if !served && serves {
            let held = std::mem::take(&mut process.held);
            let coverage = &mut self.world.coverage;
            let mut any = false;
            for (id, now) in connected {
                let Some(before) = held.get(&id) else {
                    continue;
                };
                any = true;
                coverage.count("held connection goes on");
                let answered = before.saturating_sub(now);
                coverage.add("held request answered from history", answered.into());
                coverage.add("held request asked again", now.into());
            }
            if any {
                coverage.count("leader change with held clients");
            }
        }
    }
}
