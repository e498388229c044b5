//! `cargo xtask sim`: one seed again with a transcript, many seeds, or as many as fit into
//! some minutes.

mod explore;

use std::io::Write;
use std::ops::Range;
use std::process::ExitCode;

use clap::Parser;
use sim::{Fault, Scenario, Servers};

use explore::{Goal, explore};

/// Runs of the default exploration, when nothing else is asked for.
const MINUTES: f64 = 1.0;

#[derive(Parser)]
#[command(about = "Simulate servers with clients over faulty disks, clocks and connections")]
struct Args {
    /// Run this seed and print a transcript.
    #[arg(long, conflicts_with_all = ["seeds", "minutes"])]
    seed: Option<u64>,
    /// Run these seeds: `A..B`, without B.
    #[arg(long, value_parser = range, conflicts_with = "minutes")]
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

fn range(text: &str) -> Result<Range<u64>, String> {
    let (start, end) = text.split_once("..").ok_or("wanted: A..B")?;
    let number = |text: &str| text.parse::<u64>().map_err(|error| error.to_string());
    Ok(number(start)?..number(end)?)
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
    explore(&goal, args.jobs, &|seed| args.scenario(seed))
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
