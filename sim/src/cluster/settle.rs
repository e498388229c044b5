//! The end of a run: the faults stop, and everything must come to rest.

use client::session::{Request, WritePart};
use zab::RoleStatus;

use super::Cluster;
use super::life::Death;
use crate::checkers::{liveness, replay};
use crate::violation::{Checked, Violation, ensure};
use crate::world::{Phase, tell};

impl Cluster {
    pub(crate) fn begin_settling(&mut self) -> Checked {
        self.world.begin_settling();
        self.net.heal();
        self.crashes.clear();
        for at in 0..self.machines.len() {
            self.speed_up(at);
            let machine = &mut self.machines[at];
            machine.paused_until_us = 0;
            machine.to_be_wiped = false;
            machine.is_to_rot = false;
            machine.disk_is_limited = false;
            machine.disk.set_capacity(None);
            // A crash point that was not reached is taken back.
            machine.disk.crash_after(u64::MAX);
        }
        Ok(())
    }

    pub(super) fn settle(&mut self) -> Checked {
        match self.world.phase {
            Phase::Settling { until_us, probed } => self.look(until_us, probed),
            Phase::LastStart { until_us } => self.look_last(until_us),
            Phase::Faulty | Phase::Done => Ok(()),
        }
    }

    fn look(&mut self, until_us: u64, probed: bool) -> Checked {
        let unanswered = self.world.unanswered();
        match self.is_settled(&unanswered) {
            Ok(()) if probed => return self.last_crash(),
            Err(violation) if self.world.now_us > until_us => return Err(violation),
            _ => {}
        }
        if !probed {
            self.write_something()?;
        }
        self.world.probe(!unanswered.is_empty())?;
        self.world.look_again();
        Ok(())
    }

    /// Every client that waits for nothing writes; not the one who may do everything, which the
    /// checkers know nothing of.
    fn write_something(&mut self) -> Checked {
        for at in 0..self.world.scenario.clients as usize {
            let client = &self.world.clients[at];
            if client.session.is_established() && client.open() == 0 && !client.dead {
                let request = Request::Write(WritePart::SetData {
                    path: "/a".to_owned(),
                    data: Some(b"the end".to_vec()),
                    version: -1,
                });
                self.world.submit(at, request)?;
            }
        }
        Ok(())
    }

    fn is_settled(&self, unanswered: &[String]) -> Checked {
        let living = self.world.living();
        for machine in &self.machines {
            if let Some(process) = &machine.process {
                liveness::settled(unanswered, &living, &process.replica.read())?;
            }
        }
        self.is_at_rest()
    }

    /// One leads, all others follow, and all have everything.
    fn is_at_rest(&self) -> Checked {
        let leader = self.leader();
        let leader = leader.map(|at| self.machines[at].id);
        let end = self.world.history.last_zxid();
        for machine in &self.machines {
            let id = machine.id;
            let Some(process) = &machine.process else {
                return Err(Violation::new("liveness", format!("server {id} is down")));
            };
            let peer = process.member.peer();
            let follows = match peer.status() {
                RoleStatus::Leading { .. } => Some(id) == leader,
                // An observer master does not say whom it follows now.
                RoleStatus::Observing { .. } if self.settings.observer_masters => true,
                RoleStatus::Following { leader: of, .. }
                | RoleStatus::Observing { leader: of, .. } => Some(of) == leader,
                _ => false,
            };
            ensure!(
                follows,
                "liveness",
                "server {id} is {:?}, the leader is {leader:?}",
                peer.status()
            );
            let applied = process.replica.read().last_zxid().0;
            ensure!(
                applied == end && peer.last_logged().0 == end,
                "liveness",
                "server {id} has applied {applied:#x} and logged {}, the history ends at {end:#x}",
                peer.last_logged()
            );
        }
        Ok(())
    }

    pub(crate) fn same_trees(&self) -> Checked {
        for machine in &self.machines {
            if let Some(process) = &machine.process {
                let state = process.replica.read();
                replay::same_tree(&self.world.history, &state)?;
                crate::checkers::ephemerals::owned(&state)?;
            }
        }
        Ok(())
    }

    fn last_crash(&mut self) -> Checked {
        self.same_trees()?;
        tell!(
            self.world,
            "settled at zxid {:x}",
            self.world.history.last_zxid()
        );
        self.world.phase = Phase::LastStart {
            until_us: self.world.now_us + liveness::PATIENCE_US,
        };
        for at in 0..self.machines.len() {
            self.die(at, Death::Power)?;
        }
        self.world.look_again();
        Ok(())
    }

    fn look_last(&mut self, until_us: u64) -> Checked {
        match self.is_at_rest() {
            Ok(()) => {
                self.same_trees()?;
                self.world.phase = Phase::Done;
            }
            Err(violation) if self.world.now_us > until_us => return Err(violation),
            Err(_) => self.world.look_again(),
        }
        Ok(())
    }
}
