//! Servers start and die.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use journal::{FilePreparer, Journal, NoFilePreparer, Notes, Opened};
use jute::Zxid;
use replica::{Member, Replica};
use storage::sim_disk::{Op, Rng as DiskRng};
use storage::{Disk, Rejected, StorageError};
use zab::ServerId;

use super::machine::Process;
use super::preparer::StepPreparer;
use super::settings::layout;
use super::{Cluster, Event};
use crate::checkers::ephemerals::Ephemerals;
use crate::checkers::start::{self, Excuses, Refusal};
use crate::rot::Flip;
use crate::scenario::Fault;
use crate::settings::replica_options;
use crate::violation::{Checked, ensure};
use crate::world::{Woken, tell};

/// How a server ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Death {
    /// The machine loses power.
    Power,
    /// The process alone.
    Process,
}

/// One start in so many has a crash in it, in percent.
const CRASH_IN_START_PERCENT: u64 = 6;

/// What a start replays behind its snapshot.
#[derive(Default)]
struct Replayed(Vec<(Zxid, Vec<u8>)>);

impl Notes for Replayed {
    fn reset(&mut self) {
        self.0.clear();
    }

    fn entry(&mut self, zxid: Zxid, bytes: &[u8]) -> Result<(), Rejected> {
        self.0.push((zxid, bytes.to_vec()));
        Ok(())
    }
}

impl Cluster {
    pub(super) fn start_later(&mut self, at: usize, after_us: u64) {
        if !self.machines[at].starts {
            self.machines[at].starts = true;
            self.at(after_us, Event::Start { at });
        }
    }

    pub(super) fn start(&mut self, at: usize) -> Checked {
        self.machines[at].starts = false;
        if self.is_alive(at) {
            return Ok(());
        }
        if self.machines[at].to_be_wiped {
            self.wipe(at);
        }
        if self.machines[at].is_to_rot {
            self.rot(at);
        }
        self.machines[at].life += 1;
        self.arm_start(at);
        let now = self.now(at);
        let machine = &mut self.machines[at];
        let seed = self.settings.seed_of(machine.id);
        let disk: Arc<dyn Disk> = Arc::new(machine.disk.clone());
        let settings = self.settings.journal_settings(machine.id);
        let preparer = StepPreparer::default();
        let prepares: Box<dyn FilePreparer> = match self.settings.prepares_ahead {
            true => Box::new(preparer.clone()),
            false => Box::new(NoFilePreparer),
        };
        let notes = Replayed::default();
        match Journal::open_with_notes(disk, settings, prepares, seed, notes) {
            Ok(opened) if !machine.is_down() => self.begin(at, opened, preparer, now),
            Ok(_) => self.start_crashed(at),
            Err(error) => self.start_failed(at, &error),
        }
    }

    fn begin(
        &mut self,
        at: usize,
        opened: Opened<Replayed>,
        preparer: StepPreparer,
        now: replica::Now,
    ) -> Checked {
        let server = at as u64 + 1;
        let found = &opened.recovered;
        tell!(
            self.world,
            "server {server}: starts with {}, acceptedEpoch {}, currentEpoch {}, {:?} {:?}",
            zab::Pretty(found.last_zxid),
            found.accepted_epoch,
            found.current_epoch,
            found.standing,
            opened.warnings
        );
        self.world.coverage.count("start");
        let machine = &mut self.machines[at];
        if machine.flip.take().is_some() {
            self.world
                .coverage
                .count("start with a flipped bit that does not matter yet");
        }
        machine.record.recovered(server, found)?;
        machine.disk_fails = false;
        for (zxid, bytes) in &opened.notes.0 {
            let known = self.ledger.get(zxid.0);
            ensure!(
                known.is_some_and(|known| known.bytes == bytes.as_slice()),
                "replay",
                "server {server} replays another {zxid} than was proposed"
            );
        }
        ensure!(
            opened.digest_mismatch.is_none(),
            "replay",
            "server {server}: the digest differs while replaying: {:?}",
            opened.digest_mismatch
        );
        let seed = self.settings.seed_of(machine.id);
        let id = u8::try_from(machine.id.0).unwrap_or(u8::MAX);
        let options = replica_options(id, self.settings.tick_ms, seed);
        let last = found.last_zxid;
        let replica = Arc::new(Replica::of_member(opened.state, options, now));
        let member = Member::new(
            machine.id,
            Arc::clone(&replica),
            self.settings.member_options(),
            opened.recovered,
            now,
        );
        machine.process = Some(Process {
            member,
            replica,
            reader: opened.journal.files().reader(),
            journal: opened.journal,
            woken: Woken::default(),
            submissions: Vec::new(),
            submit_due: false,
            jobs: VecDeque::new(),
            disk_due: false,
            completions: VecDeque::new(),
            inbox: VecDeque::new(),
            inflow: None,
            outflows: BTreeMap::new(),
            snapshot: None,
            snapshot_due: false,
            preparer,
            file_due: false,
            timer_us: None,
            log_end: last.0,
            serves: false,
            ephemerals: Ephemerals::default(),
            held: BTreeMap::new(),
        });
        self.input(at, replica::member::Input::Tick)
    }

    fn start_failed(&mut self, at: usize, error: &StorageError) -> Checked {
        tell!(self.world, "server {}: start failed: {error}", at + 1);
        if self.machines[at].is_down() {
            return self.start_crashed(at);
        }
        let machine = &mut self.machines[at];
        let excuses = Excuses {
            rotten: machine.is_rotten,
            full: machine.disk_is_limited,
            failing: machine.disk_fails,
        };
        if start::failed(error, excuses)? == Refusal::Damage {
            self.world.coverage.count("start refused: damage");
            self.repair(at);
        }
        let machine = &mut self.machines[at];
        machine.disk_fails = false;
        machine.disk.kill();
        self.world.coverage.count("start refused");
        let soon = self.world.rng.between(50_000..800_000);
        self.start_later(at, soon);
        Ok(())
    }

    /// An operator repairs the files from a backup, or has the server begin anew.
    fn repair(&mut self, at: usize) {
        let machine = &mut self.machines[at];
        match machine.flip.take() {
            Some(flip) if self.world.fault_rng.percent(30) => {
                flip.undo(&machine.disk);
                machine.is_rotten = false;
                self.world.coverage.count("damage repaired from a backup");
            }
            _ => machine.to_be_wiped = true,
        }
    }

    fn start_crashed(&mut self, at: usize) -> Checked {
        self.world.coverage.count("crash in start");
        if let Some(flip) = self.machines[at].flip.take() {
            // Repaired first: a crash may bring back the sector as it was before the damage.
            flip.undo(&self.machines[at].disk);
            self.machines[at].is_rotten = false;
        }
        let mut rng = DiskRng::new(self.world.fault_rng.number());
        self.machines[at].disk.crash(&mut rng);
        let soon = self.world.rng.between(50_000..800_000);
        self.start_later(at, soon);
        Ok(())
    }

    fn arm_start(&mut self, at: usize) {
        let kinds = &self.world.scenario.kinds;
        let allowed = kinds.contains(&Fault::CrashInside) && self.world.faults_go_on();
        if allowed && self.world.fault_rng.percent(CRASH_IN_START_PERCENT) {
            let ops = self.world.fault_rng.between(1..80);
            self.machines[at].disk.crash_after(ops);
        }
    }

    /// The process is gone, and what it has sent may be.
    pub(super) fn die(&mut self, at: usize, death: Death) -> Checked {
        let machine = &mut self.machines[at];
        let Some(process) = machine.process.take() else {
            return Ok(());
        };
        tell!(self.world, "server {}: dies ({death:?})", at + 1);
        let coverage = &mut self.world.coverage;
        if process.snapshot.is_some() {
            coverage.count("crash while a snapshot is written");
        }
        if process.inflow.is_some() {
            coverage.count("crash while a tree is received");
        }
        if !process.outflows.is_empty() {
            coverage.count("crash while a tree is sent");
        }
        drop(process);
        machine.life += 1;
        machine.disk_fails = false;
        machine.paused_until_us = 0;
        match death {
            Death::Power => {
                coverage.count("power lost");
                let mut rng = DiskRng::new(self.world.fault_rng.number());
                machine.disk.crash(&mut rng);
            }
            Death::Process => {
                coverage.count("process ended");
                machine.disk.kill();
            }
        }
        self.drop_wires(at);
        let links = self.world.links.iter();
        let links = links.filter(|(_, link)| link.server == at);
        let links: Vec<u64> = links.map(|(id, _)| *id).collect();
        for link in links {
            self.world.drop_server_end(link);
        }
        let after = self.world.rng.between(1000..2_000_000);
        self.start_later(at, after);
        Ok(())
    }

    /// Loses a disk, where the disks of a quorum of the others keep everything that anyone has
    /// seen, and nobody counts on what the lost one acknowledged. As long as there is no history,
    /// a lost disk could not be told from a new one.
    fn wipe(&mut self, at: usize) {
        self.machines[at].to_be_wiped = false;
        if self.others_keep_everything(at) {
            self.world.coverage.count("disk wiped");
            if self.machines[at].is_rotten {
                self.world
                    .coverage
                    .count("damage repaired by a leader's tree");
            }
            tell!(self.world, "server {}: has lost its disk", at + 1);
            self.machines[at].wipe();
        }
    }

    /// A bit flips while a server is down, under the same conditions: the damage may cost it
    /// everything.
    fn rot(&mut self, at: usize) {
        self.machines[at].is_to_rot = false;
        if self.machines[at].is_rotten || !self.others_keep_everything(at) {
            return;
        }
        let machine = &mut self.machines[at];
        machine.flip = Flip::draw(&machine.disk, &layout(), &mut self.world.fault_rng);
        if let Some(flip) = &machine.flip {
            machine.is_rotten = true;
            tell!(self.world, "server {}: {flip}", at + 1);
            self.world.coverage.count("bit flipped in an ensemble");
        }
    }

    fn others_keep_everything(&self, at: usize) -> bool {
        let last = self.world.history.last_zxid();
        let gone = |at| {
            let mut wires = self.net.wires.values();
            wires.all(|wire| wire.learner != at && wire.leader != at)
        };
        let others_keep = |server: ServerId| {
            let Some(other) = self.machine_of(server) else {
                return false;
            };
            let machine = &self.machines[other];
            let keeps = self.ledger.holds(machine.record.held().end, last);
            other != at && machine.process.is_some() && keeps
        };
        let mut others = self.machines.iter().enumerate();
        let alone =
            others.all(|(other, machine)| !machine.is_wiped && (other == at || !machine.is_rotten));
        let quorum = self.config.is_quorum(others_keep);
        last > 0 && alone && quorum && gone(at) && !self.settings.reconfigures
    }

    pub(super) fn speed_up(&mut self, at: usize) {
        for op in [Op::Write, Op::Sync, Op::SyncDir] {
            self.machines[at].disk.set_cost(op, 0);
        }
    }
}
