//! What goes wrong, and when.

use std::io;

use storage::log::LogHolds;
use storage::sim_disk::Op;

use super::life::Death;
use super::settle::Phase;
use super::{Event, World, tell};
use crate::scenario::Fault;
use crate::server;
use crate::violation::Checked;

impl World {
    /// May faults still happen?
    pub(super) fn faults_go_on(&self) -> bool {
        self.phase == Phase::Faulty && self.faults_left > 0
    }

    pub(super) fn fault(&mut self) -> Checked {
        if self.requests_left == 0 || !self.faults_go_on() || self.scenario.kinds.is_empty() {
            if self.requests_left == 0 {
                self.begin_settling();
            } else {
                self.at(500_000, Event::Fault);
            }
            return Ok(());
        }
        self.faults_left -= 1;
        let kind = *self.fault_rng.pick(&self.scenario.kinds);
        tell!(self, "fault: {}", kind.name());
        self.coverage.count(&format!("fault: {}", kind.name()));
        self.inflict(kind)?;
        let after = if self.fault_rng.percent(25) {
            self.fault_rng.between(100..50_000)
        } else {
            self.fault_rng.between(100_000..2_500_000)
        };
        self.at(after, Event::Fault);
        Ok(())
    }

    fn inflict(&mut self, kind: Fault) -> Checked {
        match kind {
            Fault::PowerLoss => self.die(Death::Power)?,
            Fault::Kill => self.die(Death::Process)?,
            Fault::CrashInside => {
                let most = if self.fault_rng.percent(70) { 12 } else { 120 };
                let ops = self.fault_rng.between(1..most);
                self.disk.crash_after(ops);
            }
            Fault::BreakLink => self.break_link(),
            Fault::StallLink => self.stall_link(),
            Fault::WallJump => self.jump(),
            Fault::DiskFull => {
                let room = self.fault_rng.below(6000);
                self.disk.set_capacity(Some(self.disk.used() + room));
                self.disk_is_limited = true;
                let after = self.fault_rng.between(200_000..6_000_000);
                self.at(after, Event::SpaceBack);
            }
            Fault::SyncError => {
                let op = *self
                    .fault_rng
                    .pick(&[Op::Sync, Op::Sync, Op::Write, Op::SyncDir]);
                self.disk.fail_next(op, io::ErrorKind::Other);
                self.disk_fails = true;
            }
            Fault::SlowDisk => {
                for op in [Op::Write, Op::Sync, Op::SyncDir] {
                    let us = self.fault_rng.between(100..200_000);
                    self.disk.set_cost(op, us);
                }
                self.at(2_000_000, Event::FastAgain);
            }
            Fault::Purge => self.purge()?,
            Fault::ClientDies => self.kill_client(),
            // Happens at starts; here the process goes, so that there is one.
            Fault::Rot => self.die(Death::Process)?,
        }
        Ok(())
    }

    fn break_link(&mut self) {
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

    fn stall_link(&mut self) {
        if let Some(id) = self.some_link() {
            let us = self.fault_rng.between(50_000..9_000_000);
            let link = self.links.get_mut(&id).expect("picked from them");
            link.stalled_until_us = self.now_us + us;
        }
    }

    fn some_link(&mut self) -> Option<u64> {
        let links: Vec<u64> = self
            .clients
            .iter()
            .filter_map(|client| client.link)
            .collect();
        if links.is_empty() {
            return None;
        }
        let id = *self.fault_rng.pick(&links);
        self.links.contains_key(&id).then_some(id)
    }

    fn jump(&mut self) {
        let most_ms = *self.fault_rng.pick(&[1000, 60_000, 86_400_000]);
        let by_ms = self.fault_rng.below(2 * most_ms) as i64 - most_ms as i64;
        self.wall_offset_ms += by_ms;
        tell!(self, "clock: the wall clock jumps by {by_ms} ms");
    }

    fn purge(&mut self) -> Checked {
        if self.server.is_none() {
            return Ok(());
        }
        match storage::purge::purge(&self.disk, &server::layout(), 3, &LogHolds::default()) {
            Ok(removed) => self.coverage.add("file purged", removed.len() as u64),
            Err(error) if self.disk_is_down() => return self.fatal("purge", &error),
            // It is tried again another time.
            Err(_) => self.coverage.count("purge failed"),
        }
        Ok(())
    }

    fn kill_client(&mut self) {
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
