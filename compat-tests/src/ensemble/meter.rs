//! How long an ensemble does not acknowledge writes: a leader that is killed, a leader that stops
//! without a word, and restarts in turn.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::report::Report;
use crate::server::{Launcher, Which};
use crate::wire::op;

use super::client::{Client, Outcome, Patience, set_body};
use super::cluster::{self, Ensemble};
use super::config::Plan;
use super::load::Load;
use super::{kinds_of, row};

/// The node that is written.
const PATH: &str = "/meter";
/// Nothing in a fail-over takes longer.
const LIMIT: Duration = Duration::from_secs(120);
/// The ensemble runs undisturbed for so long before each fault.
const CALM: Duration = Duration::from_millis(1500);
/// A client of the meter never gives a server up: how long it is kept waiting is what counts.
const PATIENCE: Patience = Patience {
    connect: LIMIT,
    answer: LIMIT,
    session: 120_000,
};

/// What to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Kinds of the members, comma separated; given to them in turn.
    #[arg(
        long = "kind",
        value_enum,
        value_delimiter = ',',
        default_value = "ours"
    )]
    kinds: Vec<Which>,
    /// Members.
    #[arg(long, default_value_t = 3)]
    servers: usize,
    /// Faults of each kind.
    #[arg(long, default_value_t = 5)]
    faults: usize,
    /// `tickTime` in milliseconds; with `syncLimit` 5 it says when a silent leader is given up.
    #[arg(long, default_value_t = 2000)]
    tick: u64,
    /// Also write the figures to this file, as JSON.
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Times of one kind of fault, in milliseconds, one for each fault.
#[derive(Debug, Clone)]
pub(crate) struct Figures {
    /// What was done.
    pub(crate) what: &'static str,
    /// The times, in the order of the faults.
    pub(crate) samples: Vec<f64>,
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
            "{what} x{count}: median {median:.0} ms, worst {worst:.0} ms {all:.0?}"
        )
    }
}

/// Prints the table.
///
/// # Errors
/// When a kind of fault cannot be measured.
pub(crate) fn run(launcher: &Launcher, options: &Options) -> Result<bool> {
    let mut report = Report::new("failover");
    let kinds = kinds_of(&options.kinds, options.servers)?;
    ensure!(options.servers >= 3, "a fail-over needs three servers");
    ensure!(options.faults > 0, "--faults: at least 1");
    let names: Vec<&str> = options.kinds.iter().map(|kind| kind.name()).collect();
    let plan = plan(&kinds, options.tick);
    let mut measured = Vec::new();
    for measure in [leader_kills, leader_pauses, rolling_restarts] {
        row(&mut report, &names.join("+"), || {
            let figures = measure(launcher, &plan, options.faults)?;
            let text = figures.to_string();
            measured.push(figures);
            Ok(text)
        });
    }
    if let Some(path) = &options.out {
        let values: Vec<serde_json::Value> = measured
            .iter()
            .map(|figures| serde_json::json!({"what": figures.what, "ms": figures.samples}))
            .collect();
        let all =
            serde_json::json!({"kind": names.join("+"), "tick": options.tick, "figures": values});
        std::fs::write(path, serde_json::to_string_pretty(&all)?)?;
    }
    Ok(report.finish())
}

/// Voters of these kinds with the limits of Apache's sample configuration, but for `tick`.
pub(crate) fn plan(kinds: &[Which], tick: u64) -> Plan {
    Plan::voters(kinds)
        .cfg("tickTime", tick)
        .cfg("initLimit", 10)
        .cfg("syncLimit", 5)
}

/// SIGKILL of the leader until the first acknowledged write through a survivor that was sent
/// afterwards.
///
/// # Errors
/// When the ensemble does not go on.
pub(crate) fn leader_kills(launcher: &Launcher, plan: &Plan, faults: usize) -> Result<Figures> {
    let strike = |ensemble: &mut Ensemble, leader: u64| ensemble.member_mut(leader).kill();
    let mend = |ensemble: &mut Ensemble, leader: u64| ensemble.start(leader);
    deposed(launcher, plan, faults, "leader SIGKILL", strike, mend)
}

/// As [`leader_kills`], with SIGSTOP: nobody is told.
///
/// # Errors
/// When the ensemble does not go on.
pub(crate) fn leader_pauses(launcher: &Launcher, plan: &Plan, faults: usize) -> Result<Figures> {
    let strike = |ensemble: &mut Ensemble, leader: u64| ensemble.member_mut(leader).pause();
    let mend = |ensemble: &mut Ensemble, leader: u64| ensemble.member_mut(leader).resume();
    deposed(launcher, plan, faults, "leader SIGSTOP", strike, mend)
}

fn deposed(
    launcher: &Launcher,
    plan: &Plan,
    faults: usize,
    what: &'static str,
    strike: impl Fn(&mut Ensemble, u64) -> Result<()>,
    mend: impl Fn(&mut Ensemble, u64) -> Result<()>,
) -> Result<Figures> {
    cluster::with(launcher, plan, |ensemble| {
        let addresses = ensemble.addresses();
        Client::new(&addresses, PATIENCE).ensure_node(PATH, b"", LIMIT)?;
        let mut samples = Vec::new();
        for fault in 1..=faults {
            ensemble.await_serving()?;
            let leader = ensemble.await_leader()?;
            let survivors = ensemble.addresses_without(leader);
            let probes = Probes::ready(&survivors)?;
            std::thread::sleep(CALM);
            let took = probes
                .time_to_write(|| strike(ensemble, leader))
                .with_context(|| format!("{what} {fault}"))?;
            samples.push(took.as_secs_f64() * 1000.0);
            mend(ensemble, leader)?;
        }
        ensemble.await_serving()?;
        ensemble.equal_trees()?;
        Ok(Figures { what, samples })
    })
}

/// A session on each survivor, made before the fault.
struct Probes {
    clients: Vec<Client>,
}

impl Probes {
    fn ready(survivors: &[SocketAddr]) -> Result<Self> {
        let clients = survivors
            .iter()
            .map(|address| Client::connected(&[*address], PATIENCE, LIMIT));
        Ok(Self {
            clients: clients.collect::<Result<_>>()?,
        })
    }

    /// The time from `strike` to the first acknowledgement of a write that was sent after it.
    fn time_to_write(self, strike: impl FnOnce() -> Result<()>) -> Result<Duration> {
        let (over, first) = (AtomicBool::new(false), Mutex::new(None));
        std::thread::scope(|scope| {
            let began = Instant::now();
            let struck = strike();
            for mut client in self.clients {
                let (over, first) = (&over, &first);
                scope.spawn(move || {
                    while !over.load(Ordering::Relaxed) && began.elapsed() < LIMIT {
                        let outcome = client.call(op::SET_DATA, &set_body(PATH, b"", -1));
                        if matches!(&outcome, Outcome::Answered(reply) if reply.error == 0) {
                            let took = began.elapsed();
                            over.store(true, Ordering::Relaxed);
                            let mut first = first.lock().expect("no holder panics");
                            *first = Some(first.map_or(took, |known: Duration| known.min(took)));
                        }
                    }
                });
            }
            struck
        })?;
        let first = first.into_inner().expect("no holder panics");
        first.with_context(|| format!("no write was acknowledged within {LIMIT:?}"))
    }
}

/// Longest time without an acknowledged write while every member is restarted in turn.
///
/// # Errors
/// When the ensemble does not go on, or something acknowledged is lost.
pub(crate) fn rolling_restarts(launcher: &Launcher, plan: &Plan, faults: usize) -> Result<Figures> {
    cluster::with(launcher, plan, |ensemble| {
        let ids = ensemble.running();
        let mut samples = Vec::new();
        for _ in 0..faults {
            let load = Load::start(&ensemble.addresses())?;
            std::thread::sleep(CALM);
            for &id in &ids {
                ensemble.restart(id)?;
                std::thread::sleep(CALM);
            }
            let outcomes = load.finish();
            outcomes.verify(&ensemble.equal_trees()?)?;
            samples.push(outcomes.longest_gap().as_secs_f64() * 1000.0);
        }
        Ok(Figures {
            what: "rolling restart, longest write gap",
            samples,
        })
    })
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
            let figures = Figures { what: "", samples };
            assert_eq!((figures.median(), figures.worst()), (median, worst));
        }
    }
}
