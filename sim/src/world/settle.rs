//! The end of a run: the faults stop, and everything must come to rest.

use std::collections::BTreeSet;

use client::Request;

use super::life::Death;
use super::{Event, World, tell};
use crate::checkers::{liveness, replay};
use crate::server::Server;
use crate::violation::{Checked, Violation};

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Clients work and faults happen.
    Faulty,
    /// No more faults; by then everything must be answered.
    Settling {
        until_us: u64,
        /// Was everybody asked for something since?
        probed: bool,
    },
    /// Everything is settled, and the server has lost its power for a last time.
    LastStart,
    /// The end.
    Done,
}

/// How often it is looked whether everything is settled, microseconds.
const LOOK_US: u64 = 200_000;

impl World {
    pub(super) fn begin_settling(&mut self) {
        tell!(self, "the faults stop");
        self.phase = Phase::Settling {
            until_us: self.now_us + liveness::PATIENCE_US,
            probed: false,
        };
        self.disk.set_capacity(None);
        self.disk_is_limited = false;
        self.speed_up_disk();
        // A crash point that was not reached is taken back.
        self.disk.crash_after(u64::MAX);
        for link in self.links.values_mut() {
            link.stalled_until_us = 0;
        }
        self.at(LOOK_US, Event::Settle);
    }

    pub(super) fn settle(&mut self) -> Checked {
        match self.phase {
            Phase::Settling { until_us, probed } => self.look(until_us, probed),
            Phase::LastStart => self.look_last(),
            Phase::Faulty | Phase::Done => Ok(()),
        }
    }

    fn look(&mut self, until_us: u64, probed: bool) -> Checked {
        let unanswered = self.unanswered();
        let living = self.living();
        let settled = self.server.as_ref().map(|server| {
            let state = server.replica.read();
            liveness::settled(&unanswered, &living, &state)
        });
        match settled {
            Some(Ok(())) if self.is_at_rest() && probed => return self.last_crash(),
            Some(Err(violation)) if self.now_us > until_us => return Err(violation),
            None if self.now_us > until_us => {
                return Err(Violation::new("liveness", "no server"));
            }
            _ => {}
        }
        if unanswered.is_empty() {
            self.phase = Phase::Settling {
                until_us,
                probed: true,
            };
        }
        for at in 0..self.clients.len() {
            let client = &self.clients[at];
            if client.session.is_established() && client.open() == 0 && !client.dead {
                let path = "/".to_owned();
                self.submit(at, Request::Sync { path })?;
            }
        }
        self.at(LOOK_US, Event::Settle);
        Ok(())
    }

    fn last_crash(&mut self) -> Checked {
        tell!(self, "settled at zxid {:x}", self.history.last_zxid());
        self.phase = Phase::LastStart;
        self.die(Death::Power)?;
        self.at(LOOK_US, Event::Settle);
        Ok(())
    }

    fn look_last(&mut self) -> Checked {
        let Some(server) = &self.server else {
            self.at(LOOK_US, Event::Settle);
            return Ok(());
        };
        if server.is_at_rest() {
            replay::same_tree(&self.history, &server.replica.read())?;
            self.phase = Phase::Done;
        } else {
            self.at(LOOK_US, Event::Settle);
        }
        Ok(())
    }

    fn is_at_rest(&self) -> bool {
        self.server.as_ref().is_some_and(Server::is_at_rest)
    }

    fn unanswered(&self) -> Vec<String> {
        let clients = self.clients.iter();
        let waiting = clients
            .filter(|client| client.dead || client.open() > 0 || !client.session.is_established());
        waiting
            .map(|client| format!("{} for {:?}", client.name, client.oldest()))
            .collect()
    }

    fn living(&self) -> BTreeSet<i64> {
        let clients = self.clients.iter().filter(|client| !client.dead);
        clients.map(|client| client.session.id()).collect()
    }
}
