//! The end of a run: the faults stop, and everything must come to rest.

use super::Standalone;
use super::life::Death;
use super::server::Server;
use crate::checkers::{liveness, replay};
use crate::violation::{Checked, Violation};
use crate::world::{Phase, tell};

impl Standalone {
    pub(crate) fn begin_settling(&mut self) {
        self.world.begin_settling();
        self.disk.set_capacity(None);
        self.disk_is_limited = false;
        self.speed_up_disk();
        // A crash point that was not reached is taken back.
        self.disk.crash_after(u64::MAX);
    }

    pub(super) fn settle(&mut self) -> Checked {
        match self.world.phase {
            Phase::Settling { until_us, probed } => self.look(until_us, probed),
            Phase::LastStart { .. } => self.look_last(),
            Phase::Faulty | Phase::Done => Ok(()),
        }
    }

    fn look(&mut self, until_us: u64, probed: bool) -> Checked {
        let unanswered = self.world.unanswered();
        let living = self.world.living();
        let settled = self.server.as_ref().map(|server| {
            let state = server.replica.read();
            liveness::settled(&unanswered, &living, &state)
        });
        match settled {
            Some(Ok(())) if self.is_at_rest() && probed => return self.last_crash(),
            Some(Err(violation)) if self.world.now_us > until_us => return Err(violation),
            None if self.world.now_us > until_us => {
                return Err(Violation::new("liveness", "no server"));
            }
            _ => {}
        }
        self.world.probe(!unanswered.is_empty())?;
        self.world.look_again();
        Ok(())
    }

    fn last_crash(&mut self) -> Checked {
        tell!(
            self.world,
            "settled at zxid {:x}",
            self.world.history.last_zxid()
        );
        self.world.phase = Phase::LastStart {
            until_us: self.world.now_us + liveness::PATIENCE_US,
        };
        self.die(Death::Power)?;
        self.world.look_again();
        Ok(())
    }

    /// The tree is what the history makes it.
    pub(crate) fn same_tree(&self) -> Checked {
        match &self.server {
            Some(server) => replay::same_tree(&self.world.history, &server.replica.read()),
            None => Ok(()),
        }
    }

    fn look_last(&mut self) -> Checked {
        match &self.server {
            Some(server) if server.is_at_rest() => {
                replay::same_tree(&self.world.history, &server.replica.read())?;
                self.world.phase = Phase::Done;
            }
            _ => self.world.look_again(),
        }
        Ok(())
    }

    fn is_at_rest(&self) -> bool {
        self.server.as_ref().is_some_and(Server::is_at_rest)
    }
}
