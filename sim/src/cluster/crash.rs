//! Deaths at chosen moments: before, in, or right behind the next effect of some kind.

use super::life::Death;
use super::{Cluster, names};
use crate::violation::Checked;
use crate::world::tell;

/// When, as seen from the effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    Before,
    /// Between two operations of the disk.
    Inside,
    /// It is done, and nobody knows.
    After,
}

/// A death that waits for its moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct CrashAt {
    /// Of a store or another effect, see [`names`].
    pub(super) kind: &'static str,
    pub(super) moment: Moment,
    /// So many of them are let pass.
    passes: u64,
}

/// Crashes that wait at a time.
const WAITING_MAX: usize = 6;

/// What comes seldom, and is chosen the more often.
const RARE: [&str; 10] = [
    "Truncate",
    "InstallSnapshot",
    "CommittedConfig",
    "LastSeenConfig",
    "Reload",
    "Reload",
    "ReceiveSnapshot",
    "StageEntry",
    "StageEntry",
    "ReadLog",
];

impl Cluster {
    /// Chooses the moment of another death.
    pub(super) fn draw_crash(&mut self) {
        let rng = &mut self.world.fault_rng;
        let kind = match rng.below(10) {
            0..5 => *rng.pick(&RARE),
            5 => *rng.pick(&names::STORES),
            _ => *rng.pick(&names::EFFECTS),
        };
        self.draw_crash_at(kind);
    }

    /// Chooses when, as seen from an effect of this kind, somebody dies.
    pub(super) fn draw_crash_at(&mut self, kind: &'static str) {
        let rng = &mut self.world.fault_rng;
        let store = names::STORES.contains(&kind);
        let moment = match rng.below(3) {
            0 => Moment::Before,
            1 if store => Moment::Inside,
            _ => Moment::After,
        };
        let common = ["Append", "Notify", "ToLeader", "ToLearner", "Store"].contains(&kind);
        let passes = if common { rng.below(40) } else { rng.below(2) };
        tell!(self.world, "a crash waits for {kind} ({moment:?})");
        if self.crashes.len() >= WAITING_MAX {
            self.crashes.remove(0);
        }
        self.crashes.push(CrashAt {
            kind,
            moment,
            passes,
        });
    }

    /// Whether a server dies at this effect. One that is let pass is counted at its moment.
    pub(super) fn crash_is_due(&mut self, at: usize, kind: &'static str, moment: Moment) -> bool {
        if !self.world.faults_may_wait() || self.machines[at].process.is_none() {
            return false;
        }
        let mut crashes = self.crashes.iter_mut();
        let waits = |crash: &&mut CrashAt| crash.kind == kind && crash.moment == moment;
        let Some(crash) = crashes.find(waits) else {
            return false;
        };
        let due = crash.passes == 0;
        crash.passes = crash.passes.saturating_sub(1);
        due
    }

    pub(super) fn crash_now(&mut self, at: usize, kind: &str, moment: Moment) -> Checked {
        let mut crashes = self.crashes.iter();
        let came = crashes.position(|crash| crash.kind == kind && crash.moment == moment);
        if let Some(came) = came {
            self.crashes.remove(came);
        }
        let text = match moment {
            Moment::Before => "before",
            Moment::Inside => "inside",
            Moment::After => "behind",
        };
        tell!(self.world, "server {}: crash {text} {kind}", at + 1);
        self.world.coverage.count(&format!("crash at {kind}"));
        self.world
            .coverage
            .count(&format!("crash {text} an effect"));
        let power = self.world.fault_rng.percent(60);
        self.die(at, if power { Death::Power } else { Death::Process })
    }
}
