//! What goes wrong, and when.

use std::io;

use storage::log::LogHolds;
use storage::sim_disk::Op;

use super::life::Death;
use super::{Event, Standalone, server};
use crate::scenario::Fault;
use crate::violation::Checked;
use crate::world::{Due, tell};

impl Standalone {
    pub(super) fn fault(&mut self) -> Checked {
        match self.world.due_fault() {
            Due::Nothing => Ok(()),
            Due::Fault(kind) => self.inflict(kind),
            Due::Settling => {
                self.begin_settling();
                Ok(())
            }
        }
    }

    fn inflict(&mut self, kind: Fault) -> Checked {
        match kind {
            Fault::PowerLoss => self.die(Death::Power)?,
            Fault::Kill => self.die(Death::Process)?,
            Fault::CrashInside => {
                let most = if self.world.fault_rng.percent(70) {
                    12
                } else {
                    120
                };
                let ops = self.world.fault_rng.between(1..most);
                self.disk.crash_after(ops);
            }
            Fault::BreakLink => self.world.break_link(),
            Fault::StallLink => self.world.stall_link(),
            Fault::WallJump => {
                let by_ms = self.world.draw_jump_ms();
                self.wall_offset_ms += by_ms;
                tell!(self.world, "clock: the wall clock jumps by {by_ms} ms");
            }
            Fault::DiskFull => {
                let room = self.world.fault_rng.below(6000);
                self.disk.set_capacity(Some(self.disk.used() + room));
                self.disk_is_limited = true;
                let after = self.world.fault_rng.between(200_000..6_000_000);
                self.at(after, Event::SpaceBack);
            }
            Fault::SyncError => {
                let op = *self
                    .world
                    .fault_rng
                    .pick(&[Op::Sync, Op::Sync, Op::Write, Op::SyncDir]);
                self.disk.fail_next(op, io::ErrorKind::Other);
                self.disk_fails = true;
            }
            Fault::SlowDisk => {
                for op in [Op::Write, Op::Sync, Op::SyncDir] {
                    let us = self.world.fault_rng.between(100..200_000);
                    self.disk.set_cost(op, us);
                }
                self.at(2_000_000, Event::FastAgain);
            }
            Fault::Purge => self.purge()?,
            Fault::ClientDies => self.world.kill_client(),
            // Happens at starts; here the process goes, so that there is one.
            Fault::Rot => self.die(Death::Process)?,
            other => unreachable!("{other:?} needs an ensemble"),
        }
        Ok(())
    }

    fn purge(&mut self) -> Checked {
        if self.server.is_none() {
            return Ok(());
        }
        match storage::purge::purge(&self.disk, &server::layout(), 3, &LogHolds::default()) {
            Ok(removed) => self.world.coverage.add("file purged", removed.len() as u64),
            Err(error) if self.disk_is_down() => return self.fatal("purge", &error),
            // It is tried again another time.
            Err(_) => self.world.coverage.count("purge failed"),
        }
        Ok(())
    }
}
