//! What happens at the server: connections, rounds, snapshots.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use replica::{Ending, Next};

use super::life::Death;
use super::{Event, World, tell};
use crate::server::{Server, SimTransport, SnapshotStep};
use crate::violation::Checked;

/// So many rounds are prepared, written or committed at a time.
const ROUNDS_MAX: usize = 4;

impl World {
    pub(super) fn accept(&mut self, id: u64) -> Checked {
        let now = self.now();
        let Some(link) = self.links.get_mut(&id) else {
            return Ok(());
        };
        let Some(server) = &self.server else {
            self.coverage.count("connection refused");
            if let Some(at_us) = link.down.end(&mut self.rng, self.now_us, 0) {
                self.when(at_us, Event::ToClient { link: id });
            }
            return Ok(());
        };
        let port = (id % 60_000) as u16 + 1000;
        let peer = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), port);
        let transport = Box::new(SimTransport {
            link: id,
            woken: server.woken.clone(),
        });
        link.connection = Some(server.replica.connect(peer, now, transport));
        Ok(())
    }

    pub(super) fn reach_server(&mut self, id: u64) -> Checked {
        let Some(link) = self.links.get_mut(&id) else {
            return Ok(());
        };
        let Some(piece) = link.up.arrive() else {
            return Ok(());
        };
        let Some(connection) = link.connection.clone() else {
            return Ok(());
        };
        if piece.is_empty() {
            link.connection = None;
            if let Some(server) = &self.server {
                server.replica.disconnect(&connection);
            }
            return Ok(());
        }
        link.input.extend_from_slice(&piece);
        if link.next == Next::Input {
            self.serve(id)?;
        }
        Ok(())
    }

    /// Serves every connection that was woken.
    pub(super) fn serve_woken(&mut self) -> Checked {
        loop {
            let woken = match &self.server {
                Some(server) => server.woken.take(),
                None => return Ok(()),
            };
            if woken.is_empty() {
                return Ok(());
            }
            for link in woken {
                self.serve(link)?;
            }
        }
    }

    /// What the shell's task of a connection does when there is something to do.
    fn serve(&mut self, id: u64) -> Checked {
        let now = self.now();
        loop {
            let (Some(server), Some(link)) = (&mut self.server, self.links.get_mut(&id)) else {
                return Ok(());
            };
            let Some(connection) = link.connection.clone() else {
                return Ok(());
            };
            let received = server.replica.receive(&connection, &link.input, now);
            link.input.drain(..received.consumed);
            link.next = received.next;
            if received.consumed > 0 {
                self.ephemerals.heard(connection.session(), self.now_us);
            }
            if let Some(submission) = received.submission {
                server.submissions.push(submission);
            }
            self.flush(id);
            if received.next == Next::Drain {
                continue;
            }
            if received.next != Next::Again {
                break;
            }
        }
        self.schedule_server();
        Ok(())
    }

    /// Sends what is queued for a client, and closes if that was the last.
    fn flush(&mut self, id: u64) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let Some(connection) = link.connection.clone() else {
            return;
        };
        let mut outbox = connection.outbox();
        let delay_us = link.delay_us(self.now_us);
        let mut times = link
            .down
            .send(&mut self.rng, self.now_us, delay_us, outbox.pending());
        let len = outbox.len();
        outbox.advance(len);
        let ending = outbox.ending();
        drop(outbox);
        if let Some(ending) = ending {
            times.extend(link.down.end(&mut self.rng, self.now_us, delay_us));
            link.connection = None;
            if let Some(server) = &self.server {
                server.replica.disconnect(&connection);
            }
            self.count_ending(ending);
            tell!(self, "server: connection {id} ends: {ending:?}");
        }
        for at_us in times {
            self.when(at_us, Event::ToClient { link: id });
        }
    }

    fn count_ending(&mut self, ending: Ending) {
        self.coverage.count(match ending {
            Ending::SessionClosed => "session closed",
            Ending::SessionExpired => "session expired with a connection",
            Ending::InvalidSession => "renewal refused",
            Ending::Replaced => "connection replaced by a newer one",
            Ending::ClientAhead => "client ahead of the server",
            Ending::NoSpace => "new session refused for lack of space",
            _ => "connection ended otherwise",
        });
    }

    /// Sees to it that what is due in the server comes about.
    pub(super) fn schedule_server(&mut self) {
        let Some(server) = &self.server else {
            return;
        };
        let life = self.life;
        let deadline_us = server.next_deadline_us().max(self.now_us);
        let work = !server.submissions.is_empty();
        let (snapshot, file) = (server.snapshot.is_some(), server.preparation.is_some());
        let log = !server.with_log.is_empty();
        let outstanding = server.outstanding();
        if work && outstanding < ROUNDS_MAX && !self.round_due {
            self.round_due = true;
            let after = self.rng.between(1..400);
            self.at(after, Event::Round { life });
        }
        if log && !self.log_due {
            self.log_due = true;
            let after = self.rng.between(1..300);
            self.at(after, Event::Log { life });
        }
        let idle = outstanding == 0 && !self.round_due;
        if idle && self.timer_us.is_none_or(|at_us| at_us > deadline_us) {
            self.timer_us = Some(deadline_us);
            self.when(deadline_us, Event::Timer { life });
        }
        if snapshot && !self.snapshot_due {
            self.snapshot_due = true;
            let after = self.rng.between(50..20_000);
            self.at(after, Event::Snapshot { life });
        }
        if file && !self.file_due {
            self.file_due = true;
            let after = self.rng.between(50..20_000);
            self.at(after, Event::File { life });
        }
    }

    pub(super) fn timer(&mut self) -> Checked {
        if self.timer_us != Some(self.now_us) {
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
            self.coverage.count("round prepared behind another");
        }
        let entries = server.prepare_round(now);
        if entries.len() > 1 {
            self.coverage.count("round with several transactions");
        }
        self.ephemerals
            .prepared(&self.history, &entries, self.now_us)?;
        self.schedule_server();
        Ok(())
    }

    pub(super) fn write_log(&mut self) -> Checked {
        self.log_due = false;
        let Some(server) = &mut self.server else {
            return Ok(());
        };
        let before = self.history.tentative.len();
        let written = match server.write_log(&mut self.history.tentative) {
            Ok(written) => written,
            Err(error) => return self.fatal("append", &error),
        };
        assert_eq!(
            written.entries,
            self.history.tentative.len() - before,
            "a round is durable or refused as a whole"
        );
        if written.is_refused() {
            self.coverage.count("round refused for lack of space");
        }
        if written.rounds() > 1 {
            self.coverage.count("several rounds made durable at once");
        }
        server.written.push_back(written);
        let spent_us = self.disk.take_spent_us();
        let after = spent_us + self.rng.between(20..1500);
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
        let from = self.history.last_zxid() + 1;
        self.history.apply(written.entries)?;
        let touched = server.finish_rounds(written, now);
        for zxid in from..=self.history.last_zxid() {
            if self.transcript.is_some()
                && let Some(entry) = self.history.entry(zxid)
            {
                let (header, op) = (entry.header, entry.txn.op());
                let line = format!(
                    "history: {zxid:x} {op:?} session {:x} xid {}",
                    header.client_id, header.cxid
                );
                self.tell(&line);
            }
        }
        for connection in touched {
            connection.send_now();
        }
        self.serve_woken()?;
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
                self.coverage.count("snapshot written");
                tell!(self, "server: snapshot written");
            }
            SnapshotStep::Failed(error) if self.disk_is_down() => {
                return self.fatal("snapshot", &error);
            }
            SnapshotStep::Failed(error) => {
                self.coverage.count("snapshot given up");
                tell!(self, "server: snapshot given up: {error}");
            }
        }
        self.schedule_server();
        Ok(())
    }

    pub(super) fn prepare_file(&mut self) -> Checked {
        self.file_due = false;
        if let Some(server) = &mut self.server {
            server.prepare_file();
            self.coverage.count("log file prepared ahead");
        }
        if self.server.is_some() && self.disk_is_down() {
            tell!(self, "server: dies while it prepares a log file");
            self.coverage.count("crash inside a disk operation");
            self.coverage.count("crash point: prepare a log file ahead");
            return self.die(Death::Power);
        }
        self.schedule_server();
        Ok(())
    }
}
