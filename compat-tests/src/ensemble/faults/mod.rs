//! Faults under load: rounds of clients on registers of their own, a fault in each, and a look at
//! the whole history afterwards.

mod history;
mod nemesis;
mod workload;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::diff::Dice;
use crate::report::Report;
use crate::server::{Launcher, Which};

use super::cluster::{self, Ensemble};
use super::config::Plan;
use super::network::Kind as NetworkKind;
use super::{Members, row};
use history::Record;
use nemesis::Nemesis;
use workload::{KEYS, Shared, Worker};

/// Clients at the same time, beside one for each server that only reads.
const CLIENTS: usize = 6;
/// Undisturbed load before and behind a fault.
const CALM: Duration = Duration::from_millis(1000);

/// What to do, and for how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Minutes to go on starting rounds; every fault comes once in any case.
    #[arg(long, default_value_t = 0.0)]
    minutes: f64,
    #[command(flatten)]
    members: Members,
    /// Only these faults, comma separated.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Nemesis>,
    /// What is between the members.
    #[arg(long, value_enum, default_value_t = NetworkKind::Proxies)]
    network: NetworkKind,
    /// Chooses operations and victims.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Runs the rounds.
///
/// # Errors
/// When the ensemble cannot be started; later failures are rows of the table.
pub(crate) fn run(launcher: &Launcher, options: &Options) -> Result<bool> {
    let mut report = Report::new("faults");
    let kinds = options.members.kinds(1)?;
    let servers = kinds.len();
    let plan = Plan::voters(&kinds)
        .over(options.network)
        .cfg("snapCount", 500);
    let can_cut = options.network != NetworkKind::Direct;
    let mut faults = Nemesis::all(servers, can_cut);
    faults.retain(|fault| options.only.is_empty() || options.only.contains(fault));
    ensure!(
        !faults.is_empty(),
        "none of these faults fits {servers} servers"
    );
    cluster::with(launcher, &plan, |ensemble| {
        let mut run = Run::new(ensemble, options.seed);
        let until = Instant::now() + Duration::from_secs_f64(options.minutes * 60.0);
        let mut round = 0;
        while round < faults.len() || Instant::now() < until {
            let fault = faults[round % faults.len()];
            round += 1;
            if !run.round(round as u64, fault, &mut report) {
                break;
            }
        }
        run.end(&mut report);
        ensure!(report.failures() == 0, "{} rows failed", report.failures());
        Ok(())
    })
    .or_else(|error| {
        report.fail("ensemble", &format!("{error:#}"));
        Ok::<(), anyhow::Error>(())
    })?;
    Ok(report.finish())
}

struct Run<'a> {
    ensemble: &'a mut Ensemble,
    workers: Vec<Worker>,
    shared: Shared,
    dice: Dice,
    /// Not all members are ours.
    with_apache: bool,
    /// Rounds whose synced reads were not all fresh.
    stale: u32,
    /// Rounds whose plain reads were not all fresh either, as they need not be: the search finds
    /// stale reads in real histories when there are some.
    plain_stale: u32,
    rounds: u32,
}

impl<'a> Run<'a> {
    fn new(ensemble: &'a mut Ensemble, seed: u64) -> Self {
        let addresses = ensemble.addresses();
        let readers = CLIENTS + addresses.len();
        let workers =
            (0..readers).map(|number| Worker::new(number, &addresses, seed, number >= CLIENTS));
        Self {
            workers: workers.collect(),
            with_apache: ensemble
                .members()
                .iter()
                .any(|member| member.kind != Which::Ours),
            ensemble,
            shared: Shared::new(),
            dice: Dice::new(seed),
            stale: 0,
            plain_stale: 0,
            rounds: 0,
        }
    }

    /// One round; false if the ensemble did not come back.
    fn round(&mut self, round: u64, fault: Nemesis, report: &mut Report) -> bool {
        let name = format!("round {round}, {}", fault.name());
        let records = match self.load(round, fault) {
            Ok(records) => records,
            Err(error) => {
                report.fail(&name, &format!("{error:#}"));
                return false;
            }
        };
        self.rounds += 1;
        row(report, &name, || {
            history::one_state_per_zxid(&records)?;
            history::sessions_in_order(&records)?;
            for worker in &self.workers {
                ensure!(
                    worker.client.went_back.is_empty(),
                    "the zxids of client {} went back: {:x?}",
                    worker.number,
                    worker.client.went_back
                );
            }
            history::linearizable(&records, KEYS, false)?;
            Ok(figures(&records))
        });
        let strict: Vec<Record> = records.iter().cloned().map(Record::demand_fresh).collect();
        self.plain_stale += u32::from(history::linearizable(&strict, KEYS, true).is_err());
        let fresh = history::linearizable(&records, KEYS, true);
        self.stale += u32::from(fresh.is_err());
        let name = format!("{name}: synced reads");
        match fresh {
            Ok(()) => report.pass(&format!("{name}: none was stale")),
            // Apache's leader answers a sync without asking anyone whether it still leads, and
            // one of its own clients without waiting for what it has committed.
            Err(error) if self.with_apache => {
                report.note(&name, &format!("stale, as Apache's may be: {error:#}"));
            }
            Err(error) => report.fail(&name, &format!("{error:#}")),
        }
        true
    }

    fn load(&mut self, round: u64, fault: Nemesis) -> Result<Vec<Record>> {
        let addresses = self.ensemble.addresses();
        workload::prepare(&addresses, round)?;
        self.shared.stop.store(false, Ordering::Relaxed);
        let (shared, ensemble, dice) = (&self.shared, &mut *self.ensemble, &mut self.dice);
        let workers = &mut self.workers;
        let (struck, records) = std::thread::scope(|scope| {
            let running: Vec<_> = workers
                .iter_mut()
                .map(|worker| scope.spawn(move || worker.run(shared, round)))
                .collect();
            std::thread::sleep(CALM);
            let struck = fault.strike(ensemble, dice);
            std::thread::sleep(CALM);
            shared.stop.store(true, Ordering::Relaxed);
            let records: Result<Vec<Vec<Record>>> = running
                .into_iter()
                .map(|worker| worker.join().expect("a client does not panic"))
                .collect();
            (struck, records)
        });
        struck?;
        let mut records = records.context("an answer made no sense")?.concat();
        records.extend(workload::final_reads(&self.shared, &addresses, round)?);
        Ok(records)
    }

    fn end(&mut self, report: &mut Report) {
        row(report, "trees at the end", || {
            self.ensemble.await_serving()?;
            let tree = self.ensemble.equal_trees()?;
            let mismatches = self.ensemble.digest_mismatches()?.expect_explained()?;
            Ok(format!(
                "{} nodes, equal on all members; {mismatches}; of {} rounds {} had stale synced reads and {} stale plain ones; {} sessions lost",
                tree.len(),
                self.rounds,
                self.stale,
                self.plain_stale,
                self.workers
                    .iter()
                    .map(|worker| worker.client.sessions_lost)
                    .sum::<u32>()
            ))
        });
    }
}

/// What a round was made of.
fn figures(records: &[Record]) -> String {
    use super::linear::{Action, Answer};
    let count = |wanted: &dyn Fn(&Record) -> bool| records.iter().filter(|r| wanted(r)).count();
    let written = count(&|r| matches!(r.operation.answer, Answer::Written(_)));
    let unknown = count(&|r| r.operation.answer == Answer::Unknown);
    let synced = count(&|r| r.operation.action == Action::Read && !r.plain);
    let plain = count(&|r| r.plain);
    let mut times: Vec<u64> = records
        .iter()
        .filter(|r| matches!(r.operation.answer, Answer::Written(_)))
        .map(|r| r.operation.returned)
        .collect();
    times.sort_unstable();
    let gap = times.windows(2).map(|pair| pair[1] - pair[0]).max();
    format!(
        "{written} writes, {unknown} unknown, {synced} synced and {plain} plain reads, longest write gap {} ms",
        gap.unwrap_or(0) / 1_000_000
    )
}
