//! What happens at the server: connections, rounds, snapshots.

use super::life::Death;
use super::server::{Server, SnapshotStep};
use super::{Event, Standalone};
use crate::violation::Checked;
use crate::world::tell;

/// So many rounds are prepared, written or committed at a time.
const ROUNDS_MAX: usize = 4;

impl Standalone {
    pub(super) fn accept(&mut self, id: u64) {
        let now = self.now();
        let door = self.server.as_mut().map(|server| server.door(now));
        self.world.accept(id, door);
    }

    pub(super) fn reach_server(&mut self, id: u64) {
        let now = self.now();
        let door = self.server.as_mut().map(|server| server.door(now));
        let heard = self.world.reach_server(id, door);
        self.ephemerals.heard(heard, self.world.now_us);
        self.schedule_server();
    }

    /// Serves every connection that was woken.
    pub(super) fn serve_woken(&mut self) {
        let now = self.now();
        while let Some(server) = &mut self.server {
            let woken = server.woken.take();
            if woken.is_empty() {
                return;
            }
            for link in woken {
                let heard = self.world.serve(link, server.door(now));
                self.ephemerals.heard(heard, self.world.now_us);
            }
            self.schedule_server();
        }
    }

    /// Sees to it that what is due in the server comes about.
    pub(super) fn schedule_server(&mut self) {
        let Some(server) = &self.server else {
            return;
        };
        let life = self.life;
        let deadline_us = server.next_deadline_us().max(self.world.now_us);
        let work = !server.submissions.is_empty();
        let (snapshot, file) = (server.snapshot.is_some(), server.preparation.is_some());
        let log = !server.with_log.is_empty();
        let outstanding = server.outstanding();
        if work && outstanding < ROUNDS_MAX && !self.round_due {
            self.round_due = true;
            let after = self.world.rng.between(1..400);
            self.at(after, Event::Round { life });
        }
        if log && !self.log_due {
            self.log_due = true;
            let after = self.world.rng.between(1..300);
            self.at(after, Event::Log { life });
        }
        let idle = outstanding == 0 && !self.round_due;
        if idle && self.timer_us.is_none_or(|at_us| at_us > deadline_us) {
            self.timer_us = Some(deadline_us);
            self.when(deadline_us, Event::Timer { life });
        }
        if snapshot && !self.snapshot_due {
            self.snapshot_due = true;
            let after = self.world.rng.between(50..20_000);
            self.at(after, Event::Snapshot { life });
        }
        if file && !self.file_due {
            self.file_due = true;
            let after = self.world.rng.between(50..20_000);
            self.at(after, Event::File { life });
        }
    }

    pub(super) fn timer(&mut self) -> Checked {
        if self.timer_us != Some(self.world.now_us) {
            // A later one; an earlier one took its place.
            return Ok(());
        }
        self.timer_us = None;
        let at_rest = self.server.as_ref().is_some_and(Server::is_at_rest);
        if at_rest && !self.round_due {
            self.begin_round()?;
        }
        self.schedule_server();
        Ok(())
    }

    pub(super) fn begin_round(&mut self) -> Checked {
        self.round_due = false;
        let now = self.now();
        let Some(server) = &mut self.server else {
            return Ok(());
        };
        if !server.is_at_rest() {
            self.world.coverage.count("round prepared behind another");
        }
        let entries = server.prepare_round(now);
        if entries.len() > 1 {
            self.world.coverage.count("round with several transactions");
        }
        for entry in entries.iter() {
            self.ephemerals
                .prepared(&self.world.history, entry, self.world.now_us)?;
        }
        self.schedule_server();
        Ok(())
    }

    pub(super) fn write_log(&mut self) -> Checked {
        self.log_due = false;
        let Some(server) = &mut self.server else {
            return Ok(());
        };
        let before = self.world.history.tentative.len();
        let written = match server.write_log(&mut self.world.history.tentative) {
            Ok(written) => written,
            Err(error) => return self.fatal("append", &error),
        };
        assert_eq!(
            written.entries,
            self.world.history.tentative.len() - before,
            "a round is durable or refused as a whole"
        );
        if written.is_refused() {
            self.world.coverage.count("round refused for lack of space");
        }
        if written.rounds() > 1 {
            self.world
                .coverage
                .count("several rounds made durable at once");
        }
        server.written.push_back(written);
        let spent_us = self.disk.take_spent_us();
        let after = spent_us + self.world.rng.between(20..1500);
        let life = self.life;
        self.at(after, Event::Commit { life });
        self.schedule_server();
        Ok(())
    }

    pub(super) fn commit(&mut self) -> Checked {
        let now = self.now();
        let Some(server) = &mut self.server else {
            return Ok(());
        };
        let Some(written) = server.written.pop_front() else {
            return Ok(());
        };
        let from = self.world.history.last_zxid();
        self.world.history.apply(written.entries)?;
        let touched = server.finish_rounds(written, now);
        self.world.tell_history(from);
        for connection in touched {
            connection.send_now();
        }
        self.serve_woken();
        self.schedule_server();
        Ok(())
    }

    pub(super) fn step_snapshot(&mut self) -> Checked {
        self.snapshot_due = false;
        let Some(server) = &mut self.server else {
            return Ok(());
        };
        // The shell begins a snapshot after a commit, and goes on with it at any time.
        let step = server.step_snapshot();
        match step {
            SnapshotStep::Going => {}
            SnapshotStep::Done => {
                self.world.coverage.count("snapshot written");
                tell!(self.world, "server: snapshot written");
            }
            SnapshotStep::Failed(error) if self.disk_is_down() => {
                return self.fatal("snapshot", &error);
            }
            SnapshotStep::Failed(error) => {
                self.world.coverage.count("snapshot given up");
                tell!(self.world, "server: snapshot given up: {error}");
            }
        }
        self.schedule_server();
        Ok(())
    }

    pub(super) fn prepare_file(&mut self) -> Checked {
        self.file_due = false;
        if let Some(server) = &mut self.server {
            server.prepare_file();
            self.world.coverage.count("log file prepared ahead");
        }
        if self.server.is_some() && self.disk_is_down() {
            tell!(self.world, "server: dies while it prepares a log file");
            self.world.coverage.count("crash inside a disk operation");
            self.world
                .coverage
                .count("crash point: prepare a log file ahead");
            return self.die(Death::Power);
        }
        self.schedule_server();
        Ok(())
    }
}
