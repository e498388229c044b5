//! `cargo xtask sim`: one seed again with a transcript, many seeds, or as many as fit into
//! some minutes.

use std::io::Write;
use std::ops::Range;
use std::process::ExitCode;

use clap::Parser;
use sim::{Fault, Goal, Scenario, Servers, explore};

/// Runs of the default exploration, when nothing else is asked for.
const MINUTES: f64 = 1.0;

#[derive(Parser)]
#[command(about = "Simulate servers with clients over faulty disks, clocks and connections")]
struct Args {
    /// Run this seed and print a transcript.
    #[arg(long, conflicts_with_all = ["seeds", "minutes"])]
    seed: Option<u64>,
    /// Run these seeds: `A..B`, without B.
    #[arg(long, value_parser = Goal::seeds, conflicts_with = "minutes")]
    seeds: Option<Range<u64>>,
    /// Run as many seeds as fit into so many minutes.
    #[arg(long)]
    minutes: Option<f64>,
    /// The first seed of `--minutes`.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// `standalone`, or the number of members of an ensemble; drawn from the seed if not given.
    #[arg(long, value_parser = Servers::parse)]
    servers: Option<Servers>,
    /// Clients at a time.
    #[arg(long)]
    clients: Option<u64>,
    /// Requests before the faults stop.
    #[arg(long)]
    requests: Option<u64>,
    /// Faults at the most.
    #[arg(long)]
    faults: Option<u64>,
    /// Kinds of faults that do not happen, comma separated.
    #[arg(long, value_delimiter = ',', value_parser = kind)]
    without: Vec<Fault>,
    /// Threads; all cores if not given.
    #[arg(long)]
    jobs: Option<usize>,
}

impl Args {
    fn scenario(&self, seed: u64) -> Scenario {
        let mut scenario = Scenario::new(seed);
        scenario.servers = self.servers.unwrap_or(scenario.servers);
        scenario.clients = self.clients.unwrap_or(scenario.clients);
        scenario.requests = self.requests.unwrap_or(scenario.requests);
        scenario.faults = self.faults.unwrap_or(scenario.faults);
        scenario.kinds.retain(|kind| !self.without.contains(kind));
        scenario
    }
}

fn kind(text: &str) -> Result<Fault, String> {
    let names: Vec<_> = Fault::all().map(Fault::name).collect();
    Fault::of_name(text).ok_or_else(|| format!("known are {}", names.join(", ")))
}

fn main() -> ExitCode {
    let args = Args::parse();
    // A panic is a finding like any other; it is reported with its seed.
    std::panic::set_hook(Box::new(|_| {}));
    if let Some(seed) = args.seed {
        return replay(&args.scenario(seed));
    }
    let goal = match &args.seeds {
        Some(seeds) => Goal::Seeds(seeds.clone()),
        None => Goal::Minutes {
            from: args.from,
            minutes: args.minutes.unwrap_or(MINUTES),
        },
    };
    let explored = explore(&goal, args.jobs, &|seed| {
        sim::run(&args.scenario(seed), false)
    });
    print!("{}", explored.coverage);
    println!("{}", explored.summary());
    match explored.failure {
        None => ExitCode::SUCCESS,
        Some((seed, violation)) => {
            println!("\nseed {seed} FAILED\n  {violation}");
            shrink(&args.scenario(seed));
            ExitCode::FAILURE
        }
    }
}

/// Tells how to see a failure again, and how to see less of it.
fn shrink(scenario: &Scenario) {
    println!("again:   cargo xtask sim {}", scenario.arguments());
    let (smallest, outcome) = sim::shrink(scenario);
    if let Some(violation) = outcome.violation {
        println!(
            "shrunk:  cargo xtask sim {}\n  {violation}",
            smallest.arguments()
        );
    }
}

fn replay(scenario: &Scenario) -> ExitCode {
    let outcome = sim::run(scenario, true);
    let mut out = std::io::stdout().lock();
    // Whoever reads may stop reading.
    let _ = write!(out, "{}\n{}", outcome.transcript, outcome.coverage);
    match outcome.violation {
        None => ExitCode::SUCCESS,
        Some(_) => ExitCode::FAILURE,
    }
}
