//! A member's disk: one queue of work, done in pieces; what is done is told some time later.

use journal::Write;
use jute::Zxid;
use storage::StorageError;
use zab::{Input, Pretty, Store};

use super::crash::{CrashAt, Moment};
use super::life::Death;
use super::machine::{Completion, Job, Process};
use super::{Cluster, Own, names};
use crate::violation::Checked;
use crate::world::tell;

impl Cluster {
    /// The disk does the next piece of its work.
    pub(super) fn work_disk(&mut self, at: usize) -> Checked {
        let most = match self.world.rng.percent(50) {
            true => 1,
            false => self.world.rng.between(1..12) as usize,
        };
        let Some(process) = &mut self.machines[at].process else {
            return Ok(());
        };
        process.disk_due = false;
        match process.jobs.front() {
            None => Ok(()),
            Some(Job::Reload(zxid)) => {
                let zxid = *zxid;
                process.jobs.pop_front();
                self.reload(at, zxid)
            }
            Some(Job::Write(write)) => {
                let kind = names::store_kind(&write.store);
                if self.crash_is_due(at, kind, Moment::Before) {
                    return self.crash_now(at, kind, Moment::Before);
                }
                let inside = self.crash_is_due(at, kind, Moment::Inside);
                let after = self.crash_is_due(at, kind, Moment::After);
                if inside {
                    let ops = self.world.fault_rng.below(6);
                    self.machines[at].disk.crash_after(ops);
                }
                let writes = self.take_writes(at, if inside || after { 1 } else { most });
                let is_last_word = after || inside;
                self.write(at, writes, kind)?;
                if is_last_word && self.is_alive(at) {
                    let moment = if after { Moment::After } else { Moment::Inside };
                    return self.crash_now(at, kind, moment);
                }
                Ok(())
            }
        }
    }

    /// The next writes, up to one that a crash waits for, and no more than one tree.
    fn take_writes(&mut self, at: usize, most: usize) -> Vec<Write> {
        let Some(process) = &mut self.machines[at].process else {
            return Vec::new();
        };
        let mut writes: Vec<Write> = Vec::new();
        while writes.len() < most
            && let Some(Job::Write(write)) = process.jobs.front()
        {
            let kind = names::store_kind(&write.store);
            let waits = self.crashes.iter().any(|crash| crash.kind == kind) && !writes.is_empty();
            let tree = matches!(write.store, Store::InstallSnapshot(_));
            if waits || tree && !writes.is_empty() {
                break;
            }
            let Some(Job::Write(write)) = process.jobs.pop_front() else {
                break;
            };
            writes.push(write);
            if tree {
                break;
            }
        }
        writes
    }

    fn write(&mut self, at: usize, writes: Vec<Write>, kind: &'static str) -> Checked {
        let machine = &mut self.machines[at];
        let Some(process) = &mut machine.process else {
            return Ok(());
        };
        let stores = writes
            .iter()
            .map(|write| (write.ticket, write.store.clone()));
        let stores: Vec<_> = stores.collect();
        let mut told = Vec::new();
        for write in &writes {
            machine.record.begins(&write.store);
            if !matches!(write.store, Store::Append(_) | Store::Barrier) {
                told.push(write.store.to_string());
            }
        }
        if writes.len() > 1 {
            self.world.coverage.count("several writes at once");
        }
        let carried = process.journal.carry_out(writes);
        if machine.is_down() {
            return self.disk_died(at, kind);
        }
        for input in &carried.inputs {
            if let Input::TruncateMissed(ticket) = input
                && let Some(missed) = stores.iter().position(|(found, _)| found == ticket)
            {
                let behind = stores[missed + 1..].iter();
                let behind: Vec<Store> = behind.map(|(_, store)| store.clone()).collect();
                machine.record.truncation_missed(missed, &behind);
                self.world.coverage.count("truncation missed");
            }
        }
        if carried.failure.is_none() {
            machine.record.done();
        }
        for text in told {
            tell!(self.world, "server {}: stored: {text}", at + 1);
        }
        if let Some(failure) = &carried.failure {
            let full = failure.error.is_storage_full();
            tell!(self.world, "server {}: its disk fails: {failure}", at + 1);
            self.world.coverage.count(match full {
                true => "clean stop: no space",
                false => "clean stop: disk error",
            });
        }
        let completion = Completion {
            loaded: carried.installed.map(Box::new),
            inputs: carried.inputs,
        };
        let snapshot_due = carried.snapshot_due && carried.failure.is_none();
        self.complete_later(at, completion);
        if snapshot_due {
            self.begin_snapshot(at)?;
        }
        if self.is_alive(at) {
            self.check_durable()?;
        }
        Ok(())
    }

    fn reload(&mut self, at: usize, upto: Zxid) -> Checked {
        let machine = &mut self.machines[at];
        let Some(process) = &mut machine.process else {
            return Ok(());
        };
        let loaded = process.journal.reload(upto);
        if machine.is_down() {
            return self.disk_died(at, "reload");
        }
        let state = match loaded {
            Ok(state) => state,
            Err(error) => return self.disk_error(at, "reload", &error),
        };
        let completion = Completion {
            loaded: Some(Box::new(state)),
            inputs: Vec::new(),
        };
        self.complete_later(at, completion);
        Ok(())
    }

    fn complete_later(&mut self, at: usize, completion: Completion) {
        let spent_us = self.machines[at].disk.take_spent_us();
        let after = spent_us + self.world.rng.between(20..self.settings.disk_us);
        if let Some(process) = self.process(at) {
            process.completions.push_back(completion);
            self.own(at, after, Own::Complete);
            self.schedule(at);
        }
    }

    /// The member hears of what the disk has done.
    pub(super) fn complete(&mut self, at: usize) -> Checked {
        let Some(process) = self.process(at) else {
            return Ok(());
        };
        let Some(completion) = process.completions.pop_front() else {
            return Ok(());
        };
        let life = self.machines[at].life;
        if let Some(state) = completion.loaded {
            if let Some(process) = self.process(at) {
                Process::end_walks(process);
            }
            tell!(
                self.world,
                "server {}: has another state, of {}",
                at + 1,
                Pretty(state.last_zxid())
            );
            self.input(at, replica::member::Input::Loaded(state))?;
        }
        for input in completion.inputs {
            if self.machines[at].life != life {
                return Ok(());
            }
            self.peer_input(at, input)?;
        }
        Ok(())
    }

    /// A log file is prepared ahead.
    pub(super) fn prepare_file(&mut self, at: usize) -> Checked {
        let machine = &mut self.machines[at];
        let Some(process) = &mut machine.process else {
            return Ok(());
        };
        process.file_due = false;
        if process.preparer.step() {
            self.world.coverage.count("log file prepared ahead");
        }
        match machine.is_down() {
            true => self.disk_died(at, "prepare a log file ahead"),
            false => Ok(()),
        }
    }

    /// Power was lost inside of a disk operation.
    pub(super) fn disk_died(&mut self, at: usize, point: &str) -> Checked {
        self.world.coverage.count("crash inside a disk operation");
        let store = names::STORES.contains(&point);
        self.world.coverage.count(&match store {
            true => format!("crash at {point}"),
            false => format!("crash inside: {point}"),
        });
        let aimed = |crash: &CrashAt| crash.kind == point && crash.moment == Moment::Inside;
        if let Some(came) = self.crashes.iter().position(aimed) {
            self.crashes.remove(came);
        }
        self.die(at, Death::Power)
    }

    /// An operation failed that cannot be done without.
    pub(super) fn disk_error(&mut self, at: usize, what: &str, error: &StorageError) -> Checked {
        tell!(self.world, "server {}: {what} fails: {error}", at + 1);
        let machine = &self.machines[at];
        let excuses = crate::checkers::start::Excuses {
            rotten: machine.is_rotten,
            full: machine.disk_is_limited,
            failing: machine.disk_fails,
        };
        crate::checkers::start::failed(error, excuses)?;
        self.world.coverage.count("clean stop: disk error");
        self.die(at, Death::Process)
    }
}
