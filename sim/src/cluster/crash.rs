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
    moment: Moment,
    /// So many of them are let pass.
    passes: u64,
}

impl Cluster {
    /// Chooses the moment of the next death.
    pub(super) fn draw_crash(&mut self) {
        let rng = &mut self.world.fault_rng;
        let store = rng.percent(65);
        let kind = match store {
            true => *rng.pick(&names::STORES),
            false => *rng.pick(&names::EFFECTS),
        };
        let moment = match rng.below(3) {
            0 => Moment::Before,
            1 if store => Moment::Inside,
            _ => Moment::After,
        };
        let common = ["Append", "Notify", "ToLeader", "ToLearner", "Store"].contains(&kind);
        let passes = if common { rng.below(40) } else { rng.below(2) };
        tell!(self.world, "a crash waits for {kind} ({moment:?})");
        self.crash_at = Some(CrashAt {
            kind,
            moment,
            passes,
        });
    }

    /// Whether a server dies at this effect. One that is let pass is counted at its first moment.
    pub(super) fn crash_is_due(&mut self, at: usize, kind: &'static str, moment: Moment) -> bool {
        let Some(crash) = &mut self.crash_at else {
            return false;
        };
        if crash.kind != kind || crash.moment != moment || !self.world.faults_may_wait() {
            return false;
        }
        if crash.passes > 0 {
            crash.passes -= 1;
            return false;
        }
        self.machines[at].process.is_some()
    }

    pub(super) fn crash_now(&mut self, at: usize, kind: &str, moment: Moment) -> Checked {
        self.crash_at = None;
        let text = match moment {
            Moment::Before => "before",
            Moment::Inside => "inside",
            Moment::After => "behind",
        };
        tell!(self.world, "server {}: crash {text} {kind}", at + 1);
        self.world.coverage.count(&format!("crash at: {kind}"));
        self.world
            .coverage
            .count(&format!("crash {text} an effect"));
        let power = self.world.fault_rng.percent(60);
        self.die(at, if power { Death::Power } else { Death::Process })
    }
}
