//! Servers start and die.

use storage::sim_disk::{Op, Rng as DiskRng};
use storage::{Disk, StorageError};

use super::{Event, Standalone, server};
use crate::checkers::start::{self, Excuses, Refusal};
use crate::checkers::{ephemerals, replay};
use crate::rot::Flip;
use crate::scenario::Fault;
use crate::violation::Checked;
use crate::world::tell;

/// How a server ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Death {
    /// The machine loses power.
    Power,
    /// The process alone.
    Process,
}

/// One start in so many has a crash in it, in percent.
const CRASH_IN_START_PERCENT: u64 = 12;

/// One start in so many finds a flipped bit, in percent.
const ROT_PERCENT: u64 = 12;

impl Standalone {
    pub(super) fn start(&mut self) -> Checked {
        self.life += 1;
        self.rot_something();
        self.arm_start();
        let now = self.now();
        let ops_before = self.disk.ops_total();
        match server::start(&self.disk, self.settings, self.life, now) {
            Ok((server, recovery)) => {
                self.world
                    .acknowledged
                    .recovered(&self.world.history, recovery.last_zxid)?;
                let state = server.replica.read();
                replay::recovered(&mut self.world.history, &recovery, &state)?;
                self.ephemerals.started(&state, self.world.now_us);
                ephemerals::owned(&state)?;
                drop(state);
                self.count_recovery(&recovery);
                tell!(
                    self.world,
                    "server: life {} at zxid {:x}, {} replayed, {} fallbacks {:?}",
                    self.life,
                    recovery.last_zxid,
                    recovery.replayed.len(),
                    recovery.fallbacks,
                    recovery.warnings
                );
                self.server = Some(server);
                self.unrot();
                // A crash point behind the start stays armed: it may hit anything.
                self.schedule_server();
                Ok(())
            }
            Err(error) => self.start_failed(&error, ops_before),
        }
    }

    fn start_failed(&mut self, error: &StorageError, ops_before: u64) -> Checked {
        tell!(self.world, "server: start failed: {error}");
        let soon = self.world.rng.between(50_000..800_000);
        if self.disk_is_down() {
            let ops = self.disk.ops_total() - ops_before;
            tell!(
                self.world,
                "disk: power lost in the start, after {ops} operations"
            );
            self.world.coverage.count("crash in start");
            self.world.coverage.count(&crash_point("start", error));
            // Repaired first: a crash may bring back the sector as it was before the damage.
            self.unrot();
            let mut rng = DiskRng::new(self.world.fault_rng.number());
            self.disk.crash(&mut rng);
            self.at(soon, Event::Start);
            return Ok(());
        }
        let excuses = Excuses {
            rotten: self.flip.is_some(),
            full: self.disk_is_limited,
            failing: self.disk_fails,
        };
        match start::failed(error, excuses)? {
            Refusal::Damage => self.world.coverage.count("start refused: damage"),
            Refusal::NoSpace => self.world.coverage.count("start refused: no space"),
            Refusal::DiskError => self.world.coverage.count("start refused: disk error"),
        }
        self.disk_fails = false;
        self.unrot();
        self.disk.kill();
        self.at(soon, Event::Start);
        Ok(())
    }

    fn rot_something(&mut self) {
        let allowed = self.world.scenario.kinds.contains(&Fault::Rot) && self.world.faults_go_on();
        let rng = &mut self.world.fault_rng;
        if !allowed || self.flip.is_some() || !rng.percent(ROT_PERCENT) {
            return;
        }
        self.flip = Flip::draw(&self.disk, &server::layout(), rng);
        if let Some(flip) = &self.flip {
            tell!(self.world, "disk: {flip}");
            self.world.coverage.count("bit flipped");
        }
    }

    fn unrot(&mut self) {
        if let Some(flip) = self.flip.take() {
            flip.undo(&self.disk);
        }
    }

    fn arm_start(&mut self) {
        let allowed =
            self.world.scenario.kinds.contains(&Fault::CrashInside) && self.world.faults_go_on();
        if allowed && self.world.fault_rng.percent(CRASH_IN_START_PERCENT) {
            let ops = self.world.fault_rng.between(1..80);
            self.disk.crash_after(ops);
        }
    }

    /// The server can no longer write its log, or the machine is gone.
    pub(super) fn fatal(&mut self, point: &str, error: &StorageError) -> Checked {
        tell!(self.world, "server: stops in {point}: {error}");
        if self.disk_is_down() {
            self.world.coverage.count("crash inside a disk operation");
            self.world.coverage.count(&crash_point(point, error));
            return self.die(Death::Power);
        }
        if error.is_storage_full() {
            self.world.coverage.count("clean stop: no space");
        } else {
            self.world.coverage.count("clean stop: disk error");
        }
        let death = if self.world.fault_rng.percent(50) {
            Death::Power
        } else {
            Death::Process
        };
        self.die(death)
    }

    /// The server is gone, and what was on its way to clients may be.
    pub(super) fn die(&mut self, death: Death) -> Checked {
        let Some(server) = self.server.take() else {
            return Ok(());
        };
        tell!(self.world, "server: dies ({death:?})");
        if server.snapshot.is_some() {
            self.world
                .coverage
                .count("crash while a snapshot is written");
        }
        if !server.written.is_empty() {
            self.world.coverage.count("crash between sync and commit");
        } else if !server.with_log.is_empty() {
            self.world
                .coverage
                .count("crash between preparation and sync");
        }
        // What is prepared or written is not applied.
        replay::same_tree(&self.world.history, &server.replica.read())?;
        drop(server);
        self.life += 1;
        self.disk_fails = false;
        self.round_due = false;
        self.log_due = false;
        self.timer_us = None;
        self.snapshot_due = false;
        self.file_due = false;
        match death {
            Death::Power => {
                self.world.coverage.count("power lost");
                let mut rng = DiskRng::new(self.world.fault_rng.number());
                self.disk.crash(&mut rng);
            }
            Death::Process => {
                self.world.coverage.count("process killed");
                self.disk.kill();
            }
        }
        let links: Vec<u64> = self.world.links.keys().copied().collect();
        for link in links {
            self.world.drop_server_end(link);
        }
        let after = self.world.rng.between(1000..2_000_000);
        self.at(after, Event::Start);
        Ok(())
    }

    /// Has a crash point been reached?
    pub(super) fn disk_is_down(&self) -> bool {
        self.disk.exists(server::layout().snap_dir()).is_err()
    }

    pub(super) fn speed_up_disk(&mut self) {
        for op in [Op::Write, Op::Sync, Op::SyncDir] {
            self.disk.set_cost(op, 0);
        }
    }

    fn count_recovery(&mut self, recovery: &server::Recovery) {
        self.world.coverage.count("start");
        self.world
            .coverage
            .add("snapshot fallback", recovery.fallbacks);
        self.world
            .coverage
            .add("record replayed", recovery.replayed.len() as u64);
        for warning in &recovery.warnings {
            if warning.contains("unfinished record") {
                self.world.coverage.count("torn tail cut off");
            } else if warning.contains("no complete header") {
                self.world.coverage.count("log without header removed");
            } else if warning.contains("is skipped") {
                self.world.coverage.count("repeated record skipped");
            }
        }
    }
}

fn crash_point(point: &str, error: &StorageError) -> String {
    match error {
        StorageError::Io { action, .. } => format!("crash point: {point}: {action}"),
        _ => format!("crash point: {point}"),
    }
}
