//! The end of a run, as far as clients are concerned.

use std::collections::BTreeSet;

use client::session::Request;

use super::{Event, World, tell};
use crate::checkers::liveness;
use crate::violation::Checked;

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Clients work and faults happen.
    Faulty,
    /// No more faults; by then everything must be answered.
    Settling {
        until_us: u64,
        /// Was everybody asked for something since?
        probed: bool,
    },
    /// Everything is settled, and all power is lost for a last time.
    LastStart {
        /// By then everything is up again.
        until_us: u64,
    },
    /// The end.
    Done,
}

/// How often it is looked whether everything is settled, microseconds.
pub(crate) const LOOK_US: u64 = 200_000;

impl World {
    /// No more faults from here on.
    pub(crate) fn begin_settling(&mut self) {
        tell!(self, "the faults stop");
        self.phase = Phase::Settling {
            until_us: self.now_us + liveness::PATIENCE_US,
            probed: false,
        };
        for link in self.links.values_mut() {
            link.stalled_until_us = 0;
        }
        // Clients outside are looked after by whoever has them.
        if self.outside.is_none() {
            self.look_again();
        }
    }

    pub(crate) fn look_again(&mut self) {
        self.at(LOOK_US, Event::Settle);
    }

    /// Has every client that waits for nothing ask for something, and notes whether all were
    /// without a wish before.
    pub(crate) fn probe(&mut self, unanswered: bool) -> Checked {
        if !unanswered && let Phase::Settling { probed, .. } = &mut self.phase {
            *probed = true;
        }
        for at in 0..self.clients.len() {
            let client = &self.clients[at];
            if client.session.is_established() && client.open() == 0 && !client.dead {
                let path = "/".to_owned();
                self.submit(at, Request::Sync { path })?;
            }
        }
        Ok(())
    }

    pub(crate) fn unanswered(&self) -> Vec<String> {
        let clients = self.clients.iter();
        let waiting = clients
            .filter(|client| client.dead || client.open() > 0 || !client.session.is_established());
        waiting
            .map(|client| format!("{} for {:?}", client.name, client.oldest()))
            .collect()
    }

    pub(crate) fn living(&self) -> BTreeSet<i64> {
        let clients = self.clients.iter().filter(|client| !client.dead);
        clients.map(|client| client.session.id()).collect()
    }
}
