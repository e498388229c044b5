//! A member is told something, and what it wants is done; clients' connections; timers.

use std::collections::BTreeSet;

use replica::member::{Input, Outcome};

use super::{Cluster, Own};
use crate::violation::{Checked, ensure};

impl Cluster {
    pub(super) fn peer_input(&mut self, at: usize, input: zab::Input) -> Checked {
        self.input(at, Input::Peer(input))
    }

    /// Hands something to a member, does what it wants, and looks at what became of it.
    pub(super) fn input(&mut self, at: usize, input: Input) -> Checked {
        let now = self.now(at);
        let life = self.machines[at].life;
        let Some(process) = self.process(at) else {
            return Ok(());
        };
        let mut out = Outcome::default();
        // Unless another state takes its place, what is applied is delivered.
        let known = match input {
            Input::Loaded(_) => None,
            _ => Some(process.replica.read().last_zxid()),
        };
        process.member.handle(now, input, &mut out);
        for effect in out.take_effects() {
            self.effect(at, effect)?;
            if self.machines[at].life != life {
                return Ok(());
            }
        }
        self.observe(at, known)?;
        for connection in out.take_touched() {
            connection.send_now();
        }
        self.serve_woken(at);
        self.schedule(at);
        Ok(())
    }

    pub(super) fn timer(&mut self, at: usize) -> Checked {
        let now_us = self.world.now_us;
        let Some(process) = self.process(at) else {
            return Ok(());
        };
        if process.timer_us.is_none_or(|due_us| due_us > now_us) {
            // A later one; an earlier one took its place.
            return Ok(());
        }
        process.timer_us = None;
        self.input(at, Input::Tick)?;
        let Some(process) = self.process(at) else {
            return Ok(());
        };
        let next_ms = process.member.next_deadline_ms();
        let now_ms = self.now(at).monotonic_ms();
        ensure!(
            next_ms.is_none_or(|next_ms| next_ms > now_ms),
            "liveness",
            "server {} spins: due at {next_ms:?} ms, and it is {now_ms} ms",
            at + 1
        );
        Ok(())
    }

    pub(super) fn submit(&mut self, at: usize) -> Checked {
        let Some(process) = self.process(at) else {
            return Ok(());
        };
        process.submit_due = false;
        let submissions = std::mem::take(&mut process.submissions);
        self.input(at, Input::Submitted(submissions))
    }

    /// An answer that took a moment.
    pub(super) fn answer(&mut self, at: usize) -> Checked {
        match self
            .process(at)
            .and_then(|process| process.inbox.pop_front())
        {
            Some(input) => {
                self.plans_from_log = matches!(input, zab::Input::LogRead(..));
                let done = self.peer_input(at, input);
                self.plans_from_log = false;
                done
            }
            None => Ok(()),
        }
    }

    pub(super) fn answer_later(&mut self, at: usize, input: zab::Input) {
        if let Some(process) = self.process(at) {
            process.inbox.push_back(input);
            let after = self.world.rng.between(20..3000);
            self.own(at, after, Own::Inbox);
        }
    }

    pub(super) fn accept(&mut self, link: u64) -> Checked {
        let Some(at) = self.world.links.get(&link).map(|link| link.server) else {
            return Ok(());
        };
        let now = self.now(at);
        let process = self.machines[at].process.as_mut();
        self.world
            .accept(link, process.map(|process| process.door(now)));
        Ok(())
    }

    pub(super) fn reach_server(&mut self, link: u64) -> Checked {
        let Some(at) = self.world.links.get(&link).map(|link| link.server) else {
            return Ok(());
        };
        let now = self.now(at);
        let mut process = self.machines[at].process.as_mut();
        let door = process.as_mut().map(|process| process.door(now));
        let heard = self.world.reach_server(link, door);
        if let Some(process) = process {
            process.ephemerals.heard(heard, now.monotonic_us);
        }
        self.serve_woken(at);
        self.schedule(at);
        Ok(())
    }

    /// Serves every connection that was woken.
    fn serve_woken(&mut self, at: usize) {
        let now = self.now(at);
        while let Some(process) = &mut self.machines[at].process {
            let woken: BTreeSet<u64> = process.woken.take();
            if woken.is_empty() {
                return;
            }
            for link in woken {
                let heard = self.world.serve(link, process.door(now));
                process.ephemerals.heard(heard, now.monotonic_us);
            }
        }
    }

    /// Sees to it that what is due in a process comes about.
    pub(super) fn schedule(&mut self, at: usize) {
        let now_us = self.world.now_us;
        let clock = self.machines[at].clock;
        let Some(process) = &mut self.machines[at].process else {
            return;
        };
        let due_ms = process.member.next_deadline_ms();
        let due_us = due_ms.map(|ms| clock.true_us(ms.saturating_mul(1000)));
        let timer = due_us.filter(|due| process.timer_us.is_none_or(|timer| timer > *due));
        if let Some(due_us) = timer {
            process.timer_us = Some(due_us);
        }
        let submit = !process.submissions.is_empty() && !process.submit_due;
        process.submit_due |= submit;
        let disk = !process.jobs.is_empty() && !process.disk_due;
        process.disk_due |= disk;
        let snapshot = process.snapshot.is_some() && !process.snapshot_due;
        process.snapshot_due |= snapshot;
        let file = process.preparer.has_work() && !process.file_due;
        process.file_due |= file;
        if let Some(due_us) = timer {
            self.own(at, due_us.saturating_sub(now_us), Own::Timer);
        }
        if submit {
            let after = self.world.rng.between(1..400);
            self.own(at, after, Own::Submit);
        }
        if disk {
            let after = self.world.rng.between(1..500);
            self.own(at, after, Own::Disk);
        }
        if file {
            let after = self.world.rng.between(50..20_000);
            self.own(at, after, Own::File);
        }
        if snapshot {
            let after = self.world.rng.between(50..15_000);
            self.own(at, after, Own::Snapshot);
        }
    }
}
