//! The differential tester: two servers, the same bytes, every answer compared.
//!
//! A run starts both servers on empty directories and executes the same random steps on each.
//! After every step all connections are drained, so that each frame (reply or watch event) has
//! one place in one connection's stream. Frames become text without what may differ
//! (`allowed::TABLE`), and the texts must be equal.

mod allowed;
mod generate;
mod multi;
mod render;
mod requests;
mod shrink;
mod side;
mod step;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use anyhow::{Context as _, Result};

use crate::report::Report;
use crate::server::{Launcher, Server, Settings, Which};
pub(crate) use generate::Dice;
use side::Side;
use step::Step;

/// What to compare, and how much.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The server under test.
    #[arg(long, value_enum, default_value_t = Which::Ours)]
    server: Which,
    /// The server that is right.
    #[arg(long, value_enum, default_value_t = Which::Apache395)]
    oracle: Which,
    /// Seeds, as `N` or `FIRST..LAST` (both included).
    #[arg(long, default_value = "1..50", value_parser = parse_seeds)]
    seeds: RangeInclusive<u64>,
    /// Requests per seed.
    #[arg(long, default_value_t = 10_000)]
    ops: usize,
    /// Report a divergence as it is, without making it shorter.
    #[arg(long)]
    no_shrink: bool,
    /// Print the permitted differences and stop.
    #[arg(long)]
    list_allowed: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            server: Which::Ours,
            oracle: Which::Apache395,
            seeds: 1..=50,
            ops: 10_000,
            no_shrink: false,
            list_allowed: false,
        }
    }
}

fn parse_seeds(text: &str) -> Result<RangeInclusive<u64>, String> {
    let number = |text: &str| {
        text.parse::<u64>()
            .map_err(|error| format!("{text:?}: {error}"))
    };
    match text.split_once("..") {
        Some((first, last)) => Ok(number(first)?..=number(last)?),
        None => number(text).map(|seed| seed..=seed),
    }
}

/// Replies by request type and error code.
type Coverage = BTreeMap<(i32, i32), u64>;

/// Where two servers parted.
#[derive(Debug)]
struct Divergence {
    step: usize,
    tested: Vec<String>,
    oracle: Vec<String>,
}

/// Runs all seeds.
///
/// # Errors
/// When a server cannot be started.
pub(crate) fn run(launcher: &Launcher, options: &Options) -> Result<bool> {
    if options.list_allowed {
        for row in allowed::TABLE {
            println!("{:?}: {}: {}", row.treatment, row.what, row.reason);
        }
        return Ok(true);
    }
    let mut report = Report::new("diff");
    let mut coverage = Coverage::new();
    let mut total = 0;
    for seed in options.seeds.clone() {
        let steps = generate::steps(seed, options.ops);
        let sent: usize = steps.iter().map(Step::requests).sum();
        let name = format!("seed {seed}: {sent} requests in {} steps", steps.len());
        total += sent;
        match compare(launcher, options, seed, &steps, &mut coverage)? {
            None => report.pass(&name),
            Some(divergence) => {
                report.fail(&name, "the servers differ");
                explain(launcher, options, seed, steps, divergence)?;
            }
        }
    }
    println!("{total} requests; replies by type and error code:");
    for (code, line) in by_type(&coverage) {
        println!("  {code:>4}: {line}");
    }
    Ok(report.finish())
}

fn by_type(coverage: &Coverage) -> BTreeMap<i32, String> {
    let mut lines: BTreeMap<i32, String> = BTreeMap::new();
    for ((code, error), count) in coverage {
        lines
            .entry(*code)
            .or_default()
            .push_str(&format!(" {error}:{count}"));
    }
    lines
}

/// Requests for other suites: the same mix, one at a time, without those that damage the reference
/// server's log, and without create2 inside a multi: 3.8.0 drops such a multi as a whole when it
/// replays its log (no client library sends one). Each is its type and its record.
pub(crate) fn random_requests(seed: u64, count: usize) -> Vec<(i32, Vec<u8>)> {
    let mut dice = Dice::new(seed);
    let scaffold = requests::scaffold().into_iter();
    let random = std::iter::repeat_with(|| requests::any(&mut dice, 0));
    let all = scaffold
        .chain(random)
        .filter(|request| request.zxid_matters && !request.label.contains("create(15)"));
    all.take(count)
        .map(|request| (request.code, request.body))
        .collect()
}

/// Settings that reach as many branches as possible. Reconfiguration is enabled for odd seeds.
fn settings(seed: u64) -> Settings {
    Settings::usual()
        .cfg("enforceQuota", true)
        .cfg("forceSync", "no")
        .cfg("preAllocSize", 4096)
        .cfg("reconfigEnabled", seed % 2 == 1)
}

fn start_pair(launcher: &Launcher, options: &Options, seed: u64) -> Result<(Pair, Side, Side)> {
    let directory = tempfile::tempdir()?;
    let settings = settings(seed);
    let mut tested = launcher.spawn(options.server, &directory.path().join("tested"), &settings)?;
    let mut oracle = launcher.spawn(options.oracle, &directory.path().join("oracle"), &settings)?;
    tested.await_ready()?;
    oracle.await_ready()?;
    let sides = (Side::new(tested.address()), Side::new(oracle.address()));
    let pair = Pair {
        tested,
        oracle,
        _directory: directory,
    };
    Ok((pair, sides.0, sides.1))
}

/// Both servers and their directories; gone when dropped.
#[derive(Debug)]
struct Pair {
    tested: Server,
    oracle: Server,
    _directory: tempfile::TempDir,
}

fn compare(
    launcher: &Launcher,
    options: &Options,
    seed: u64,
    steps: &[Step],
    coverage: &mut Coverage,
) -> Result<Option<Divergence>> {
    let (pair, mut tested, mut oracle) = start_pair(launcher, options, seed)?;
    for (index, step) in steps.iter().enumerate() {
        let begun = (tested.begin(step), oracle.begin(step));
        let (left, right) = std::thread::scope(|scope| {
            // Only slow steps gain from a second thread; a burst was already sent to both.
            if let Step::Expire(..) = step {
                let left = scope.spawn(|| tested.finish(step));
                let right = oracle.finish(step);
                (
                    left.join().expect("the thread reports failures as lines"),
                    right,
                )
            } else {
                (tested.finish(step), oracle.finish(step))
            }
        });
        for &outcome in &right.outcomes {
            *coverage.entry(outcome).or_default() += 1;
        }
        let failed = begun.0.is_err() || begun.1.is_err();
        if failed
            || left.lines != right.lines
            || right.lines.iter().any(|line| line.starts_with("failure"))
        {
            for (side, server) in [("tested", pair.tested.log()), ("oracle", pair.oracle.log())] {
                if server.contains("panicked") || server.contains("SEVERE") {
                    println!("the {side} server said:\n{}", crate::process::tail(&server));
                }
            }
            return Ok(Some(Divergence {
                step: index,
                tested: left.lines,
                oracle: right.lines,
            }));
        }
    }
    pair.oracle.kill().context("stopping the oracle")?;
    pair.tested
        .kill()
        .context("stopping the server under test")?;
    Ok(None)
}

fn explain(
    launcher: &Launcher,
    options: &Options,
    seed: u64,
    mut steps: Vec<Step>,
    mut divergence: Divergence,
) -> Result<()> {
    steps.truncate(divergence.step + 1);
    println!(
        "first difference at step {} of seed {seed}",
        divergence.step
    );
    if !options.no_shrink {
        let mut last = None;
        steps = shrink::shrink(steps, |candidate| {
            let outcome = compare(launcher, options, seed, candidate, &mut Coverage::new());
            let found = outcome.ok().flatten();
            let differs = found.is_some();
            last = found.or_else(|| last.take());
            differs
        });
        println!("shortened to {} steps:", steps.len());
        divergence = last.unwrap_or(divergence);
    }
    let shown = if options.no_shrink {
        steps.len().saturating_sub(1)
    } else {
        0
    };
    for (index, step) in steps.iter().enumerate().skip(shown) {
        println!("  {index}: {step}");
    }
    show_difference(&divergence);
    println!(
        "replay: cargo run -p compat-tests -- diff --server {} --oracle {} --seeds {seed} --ops {}",
        options.server.name(),
        options.oracle.name(),
        options.ops
    );
    Ok(())
}

/// Only the lines from the first difference on, with a little before it.
fn show_difference(divergence: &Divergence) {
    let pairs = divergence.tested.iter().zip(&divergence.oracle);
    let equal = pairs.take_while(|(left, right)| left == right).count();
    for (side, lines) in [
        ("tested", &divergence.tested),
        ("oracle", &divergence.oracle),
    ] {
        for line in lines.iter().take(equal + 4).skip(equal.saturating_sub(2)) {
            println!("  {side}: {line}");
        }
        if lines.len() <= equal {
            println!("  {side}: (nothing more)");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::parse_seeds;

    #[test]
    fn seeds_are_one_or_a_range() {
        assert_eq!(parse_seeds("7"), Ok(7..=7));
        assert_eq!(parse_seeds("3..5"), Ok(3..=5));
        assert!(parse_seeds("x").is_err() && parse_seeds("1..").is_err());
    }
}
