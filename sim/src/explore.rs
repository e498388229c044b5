//! Runs seeds on all cores until one fails; each run is single-threaded.

use std::ops::Range;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sim::{Coverage, SIMULATED_MS, Scenario, Violation};

/// What to run.
pub(crate) enum Goal {
    /// These seeds.
    Seeds(Range<u64>),
    /// Seeds from one on, for some minutes.
    Minutes {
        /// The first.
        from: u64,
        /// How long.
        minutes: f64,
    },
}

/// What the threads share.
struct Progress {
    next: AtomicU64,
    clean: AtomicU64,
    stop: AtomicBool,
    coverage: Mutex<Coverage>,
    /// The failing seed that is smallest of those found.
    failure: Mutex<Option<(Scenario, Violation)>>,
}

/// Runs until the goal is reached or a seed fails; prints what was found.
pub(crate) fn explore(
    goal: &Goal,
    jobs: Option<usize>,
    scenario: &(dyn Fn(u64) -> Scenario + Sync),
) -> ExitCode {
    let (first, end, limit) = match goal {
        Goal::Seeds(seeds) => (seeds.start, seeds.end, None),
        Goal::Minutes { from, minutes } => {
            let limit = Duration::from_secs_f64(minutes * 60.0);
            (*from, u64::MAX, Some(limit))
        }
    };
    let progress = Progress {
        next: AtomicU64::new(first),
        clean: AtomicU64::new(0),
        stop: AtomicBool::new(false),
        coverage: Mutex::default(),
        failure: Mutex::new(None),
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let start = now();
    std::thread::scope(|scope| {
        for _ in 0..jobs.unwrap_or(cores).max(1) {
            scope.spawn(|| work(&progress, end, limit.map(|limit| start + limit), scenario));
        }
    });
    report(&progress, first, start.elapsed())
}

/// The only clock here: it decides when to stop looking, and nothing in a run.
#[allow(clippy::disallowed_methods, reason = "outside of the simulation")]
fn now() -> Instant {
    Instant::now()
}

fn work(
    progress: &Progress,
    end: u64,
    until: Option<Instant>,
    scenario: &(dyn Fn(u64) -> Scenario + Sync),
) {
    while !progress.stop.load(Ordering::Relaxed) {
        let seed = progress.next.fetch_add(1, Ordering::Relaxed);
        if seed >= end || until.is_some_and(|until| now() > until) {
            return;
        }
        let scenario = scenario(seed);
        let outcome = sim::run(&scenario, false);
        lock(&progress.coverage).merge(&outcome.coverage);
        let Some(violation) = outcome.violation else {
            progress.clean.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        progress.stop.store(true, Ordering::Relaxed);
        let mut failure = lock(&progress.failure);
        if failure.as_ref().is_none_or(|(found, _)| found.seed > seed) {
            *failure = Some((scenario, violation));
        }
    }
}

fn report(progress: &Progress, first: u64, took: Duration) -> ExitCode {
    let clean = progress.clean.load(Ordering::Relaxed);
    print!("{}", lock(&progress.coverage));
    let seconds = took.as_secs_f64().max(0.001);
    let simulated = lock(&progress.coverage).of(SIMULATED_MS) as f64 / 1000.0;
    println!(
        "{clean} seeds clean, from {first} on, in {seconds:.1} s ({:.0}/s, {:.0} simulated seconds \
         in each)",
        clean as f64 / seconds,
        simulated / seconds
    );
    let failure = lock(&progress.failure).take();
    let Some((scenario, violation)) = failure else {
        return ExitCode::SUCCESS;
    };
    println!("\nseed {} FAILED\n  {violation}", scenario.seed);
    println!("again:   cargo xtask sim {}", scenario.arguments());
    let (smallest, outcome) = sim::shrink(&scenario);
    if let Some(violation) = outcome.violation {
        println!(
            "shrunk:  cargo xtask sim {}\n  {violation}",
            smallest.arguments()
        );
    }
    ExitCode::FAILURE
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
