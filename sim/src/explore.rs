//! Runs seeds on all cores until one fails; each run is single-threaded.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::{Coverage, Outcome, SIMULATED_MS, Violation};

/// What to run.
pub enum Goal {
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

impl Goal {
    /// The seeds of a command line: `A..B`, without B.
    ///
    /// # Errors
    /// What is wanted instead.
    pub fn seeds(text: &str) -> Result<Range<u64>, String> {
        let (start, end) = text.split_once("..").ok_or("wanted: A..B")?;
        let number = |text: &str| text.parse::<u64>().map_err(|error| error.to_string());
        Ok(number(start)?..number(end)?)
    }
}

/// What was found.
pub struct Explored {
    /// The failing seed that is smallest of those found.
    pub failure: Option<(u64, Violation)>,
    /// What happened in all runs.
    pub coverage: Coverage,
    first: u64,
    clean: u64,
    took: Duration,
}

/// What the threads share.
struct Progress {
    next: AtomicU64,
    clean: AtomicU64,
    stop: AtomicBool,
    coverage: Mutex<Coverage>,
    failure: Mutex<Option<(u64, Violation)>>,
}

/// Runs until the goal is reached or a seed fails.
pub fn explore(
    goal: &Goal,
    jobs: Option<usize>,
    run: &(dyn Fn(u64) -> Outcome + Sync),
) -> Explored {
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
            scope.spawn(|| work(&progress, end, limit.map(|limit| start + limit), run));
        }
    });
    Explored {
        failure: lock(&progress.failure).take(),
        coverage: std::mem::take(&mut *lock(&progress.coverage)),
        first,
        clean: progress.clean.load(Ordering::Relaxed),
        took: start.elapsed(),
    }
}

impl Explored {
    /// How many seeds in what time.
    pub fn summary(&self) -> String {
        let seconds = self.took.as_secs_f64().max(0.001);
        let simulated = self.coverage.of(SIMULATED_MS) as f64 / 1000.0;
        format!(
            "{} seeds clean, from {} on, in {seconds:.1} s ({:.0}/s, {:.0} simulated seconds in \
             each)",
            self.clean,
            self.first,
            self.clean as f64 / seconds,
            simulated / seconds
        )
    }
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
    run: &(dyn Fn(u64) -> Outcome + Sync),
) {
    while !progress.stop.load(Ordering::Relaxed) {
        let seed = progress.next.fetch_add(1, Ordering::Relaxed);
        if seed >= end || until.is_some_and(|until| now() > until) {
            return;
        }
        let outcome = run(seed);
        lock(&progress.coverage).merge(&outcome.coverage);
        let Some(violation) = outcome.violation else {
            progress.clean.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        progress.stop.store(true, Ordering::Relaxed);
        let mut failure = lock(&progress.failure);
        if failure.as_ref().is_none_or(|(found, _)| *found > seed) {
            *failure = Some((seed, violation));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
