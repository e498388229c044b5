//! How long an ensemble does not acknowledge writes: a leader that is killed, that falls silent,
//! that is told to stop, and restarts in turn; and when nobody new may be elected at all.

mod deposed;
mod orderly;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::report::Report;
use crate::server::{Launcher, Which};

use super::client::Patience;
use super::cluster::{self, Ensemble};
use super::config::Plan;
use super::{Members, bulk, row};
use deposed::Strike;

/// The node that is written.
const PATH: &str = "/meter";
/// Nothing in a fail-over takes longer.
const LIMIT: Duration = Duration::from_secs(120);
/// The ensemble runs undisturbed for so long before each fault.
const CALM: Duration = Duration::from_millis(500);
/// A client of the meter never gives a server up: how long it is kept waiting is what counts.
/// Its session outlives any fail-over, but not by much.
const PATIENCE: Patience = Patience {
    connect: LIMIT,
    answer: LIMIT,
    session: 40_000,
};

/// What to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    members: Members,
    /// Only these faults, comma separated.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Fault>,
    /// Faults of each kind.
    #[arg(long, default_value_t = 5)]
    faults: usize,
    /// SIGKILLs of the leader, instead of `--faults`.
    #[arg(long)]
    kills: Option<usize>,
    /// Nodes of 100 bytes that are there before anything is measured.
    #[arg(long, default_value_t = 0)]
    znodes: usize,
    /// `tickTime` in milliseconds; with `syncLimit` 5 it says when a silent leader is given up.
    #[arg(long, default_value_t = 2000)]
    tick: u64,
    /// Also write the figures to this file, as JSON.
    #[arg(long)]
    out: Option<PathBuf>,
}

/// What happens to an ensemble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Fault {
    /// SIGKILL of the leader.
    Kill,
    /// SIGSTOP of the leader until it is deposed.
    Pause,
    /// SIGTERM of the leader.
    HandOver,
    /// SIGTERM and start of every member in turn.
    Rolling,
    /// SIGSTOP of the leader for less than half a second.
    Blink,
    /// Other processes take all processors.
    FullLoad,
}

/// Times of one kind of fault, in milliseconds, one for each fault.
#[derive(Debug, Clone)]
pub(crate) struct Figures {
    /// What was done.
    pub(crate) what: &'static str,
    /// The times, in the order of the faults.
    pub(crate) samples: Vec<f64>,
    /// What else was counted.
    pub(crate) beside: String,
}

impl Figures {
    /// The middle one; of an even number the mean of the middle two.
    ///
    /// # Panics
    /// If nothing was measured.
    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.samples.clone();
        sorted.sort_by(f64::total_cmp);
        let upper = sorted[sorted.len() / 2];
        let lower = sorted[(sorted.len() - 1) / 2];
        f64::midpoint(lower, upper)
    }

    /// The longest.
    pub(crate) fn worst(&self) -> f64 {
        self.samples.iter().copied().fold(0.0, f64::max)
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (what, count) = (self.what, self.samples.len());
        let (median, worst, all) = (self.median(), self.worst(), &self.samples);
        write!(
            f,
            "{what} x{count}: median {median:.0} ms, worst {worst:.0} ms {all:.0?}; {}",
            self.beside
        )
    }
}

/// Prints the table.
///
/// # Errors
/// When the options make no sense; what cannot be measured is a failed row.
pub(crate) fn run(launcher: &Launcher, options: &Options) -> Result<bool> {
    let mut report = Report::new("failover");
    let kinds = options.members.kinds(3)?;
    ensure!(options.faults > 0, "--faults: at least 1");
    let mut name = options.members.names();
    if options.znodes > 0 {
        name = format!("{name}, {} nodes", options.znodes);
    }
    let plan = plan(&kinds, options.tick);
    let mut measured = Vec::new();
    // One ensemble for all: a million nodes are not loaded six times.
    let outcome = cluster::with(launcher, &plan, |ensemble| {
        let leader = ensemble.await_leader()?;
        bulk::load(ensemble.member(leader).address, options.znodes)?;
        for fault in <Fault as clap::ValueEnum>::value_variants() {
            if options.only.is_empty() || options.only.contains(fault) {
                row(&mut report, &name, || {
                    let figures = measure(ensemble, *fault, options)?;
                    let text = figures.to_string();
                    measured.push(figures);
                    Ok(text)
                });
            }
        }
        ensure!(report.failures() == 0, "{} rows failed", report.failures());
        Ok(())
    });
    outcome.unwrap_or_else(|error| report.fail("ensemble", &format!("{error:#}")));
    if let Some(path) = &options.out {
        let values: Vec<serde_json::Value> = measured
            .iter()
            .map(|figures| serde_json::json!({"what": figures.what, "ms": figures.samples, "beside": figures.beside}))
            .collect();
        let all = serde_json::json!({"kind": name, "tick": options.tick, "figures": values});
        std::fs::write(path, serde_json::to_string_pretty(&all)?)?;
    }
    Ok(report.finish())
}

fn measure(ensemble: &mut Ensemble, fault: Fault, options: &Options) -> Result<Figures> {
    let (faults, large) = (options.faults, options.znodes > 0);
    match fault {
        Fault::Kill => {
            let kills = options.kills.unwrap_or(faults);
            deposed::measure(ensemble, Strike::Kill, kills, large)
        }
        Fault::Pause => deposed::measure(ensemble, Strike::Pause, faults, large),
        Fault::HandOver => orderly::hand_overs(ensemble, faults, large),
        Fault::Rolling => orderly::rolling_restarts(ensemble, faults, large),
        Fault::Blink => orderly::blinks(ensemble, faults, large),
        Fault::FullLoad => orderly::full_load(ensemble, 1, large),
    }
}

/// Voters of these kinds with the limits of Apache's sample configuration, but for `tick`.
fn plan(kinds: &[Which], tick: u64) -> Plan {
    Plan::voters(kinds)
        .cfg("tickTime", tick)
        .cfg("initLimit", 10)
        .cfg("syncLimit", 5)
}

#[cfg(test)]
mod tests {
    use super::Figures;

    #[test]
    fn medians_and_worst() {
        for (samples, median, worst) in [
            (vec![3.0], 3.0, 3.0),
            (vec![1.0, 5.0], 3.0, 5.0),
            (vec![9.0, 1.0, 2.0], 2.0, 9.0),
        ] {
            let figures = Figures {
                what: "",
                samples,
                beside: String::new(),
            };
            assert_eq!((figures.median(), figures.worst()), (median, worst));
        }
    }
}
