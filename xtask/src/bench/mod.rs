//! `cargo xtask bench`: the same loads against Apache ZooKeeper and against ours, alternately
//! in one run, so that both meet the same machine in the same mood; medians and ratios.

mod clients;
mod ensemble;
mod figure;
mod floors;
mod generator;
mod probe;
mod rows;
mod server;
mod table;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};

use crate::workspace;
use rows::{Kind, Samples};
use server::Product;

/// Which servers are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Suite {
    /// One server alone.
    Standalone,
    /// Three servers on this machine.
    Ensemble,
    /// The client, in turns with the crate `zookeeper-client`.
    Client,
    /// The recipes: a mutex that nobody else wants, and one that a thousand wait for.
    Recipes,
}

impl Suite {
    /// What there is to measure, in the order of the table.
    fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Standalone => rows::KINDS,
            Self::Ensemble => ensemble::KINDS,
            Self::Client | Self::Recipes => &[],
        }
    }
}

/// What to measure.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Of what.
    #[arg(value_enum, default_value = "standalone")]
    suite: Suite,
    /// Short loads and a tenth of the znodes: for a look, not for the record.
    #[arg(long)]
    quick: bool,
    /// Only rows whose name starts with one of these, comma separated.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Alternations; the table shows medians over them.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Also write all samples to this file, as JSON.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Measure this binary of ours. Nothing is built, and a generator that is older than its
    /// sources is refused.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Servers to measure: apache, ours.
    #[arg(long, value_delimiter = ',', default_value = "apache,ours")]
    servers: Vec<Product>,
    /// For client and recipes, behind `--`: options of `client-bench`.
    #[arg(last = true)]
    rest: Vec<String>,
}

impl Args {
    fn wants(&self, row: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| row.starts_with(only.as_str()))
    }

    fn kinds(&self) -> &'static [Kind] {
        self.suite.kinds()
    }

    /// Seconds of one load.
    fn seconds(&self) -> f64 {
        if self.quick { 2.0 } else { 5.0 }
    }

    /// The generator's options of a load that is measured.
    fn timing(&self) -> [String; 4] {
        let seconds = self.seconds().to_string();
        ["--warmup", "1", "--duration", &seconds].map(str::to_owned)
    }

    /// Znodes where the full measurement has this many.
    fn znodes(&self, full: u64) -> u64 {
        if self.quick { full / 10 } else { full }
    }
}

/// Builds, measures and prints.
pub(crate) fn run(args: &Args) -> Result<()> {
    ensure!(args.rounds > 0, "--rounds: at least 1");
    match args.suite {
        Suite::Standalone | Suite::Ensemble => servers(args),
        Suite::Client => prepared(args).and_then(|()| clients::run(args, "client")),
        Suite::Recipes => prepared(args).and_then(|()| clients::run(args, "recipes")),
    }
}

/// Has the servers built, or fetched.
fn prepared(args: &Args) -> Result<()> {
    raise_file_limit()?;
    if let Some(binary) = &args.binary {
        server::measure_binary(binary.clone());
    } else if args.servers.contains(&Product::Ours) {
        workspace::build_server()?;
    }
    if args.servers.contains(&Product::Apache) {
        server::fetch_apache()?;
    }
    Ok(())
}

/// Loads on servers.
fn servers(args: &Args) -> Result<()> {
    let names = rows::names(args.kinds());
    let known = names.iter().any(|row| args.wants(row));
    ensure!(known, "--only: the rows are {}", names.join(", "));
    prepared(args)?;
    match args.binary {
        Some(_) => generator::check_fresh()?,
        None => generator::build()?,
    }
    let mut samples = Samples::new(args.kinds());
    for round in 0..args.rounds {
        floors::measure(args, &mut samples)?;
        if args.suite == Suite::Ensemble {
            floors::measure_writers(ensemble::SERVERS, &mut samples)?;
        }
        for &product in &args.servers {
            eprintln!("round {} of {}: {product}", round + 1, args.rounds);
            for kind in args.kinds() {
                if kind.rows.iter().any(|row| args.wants(row.name)) {
                    (kind.measure)(args, product, &mut samples)
                        .with_context(|| format!("{} on {product}", kind.name))?;
                }
            }
        }
    }
    print!("{}", table::markdown(args, &samples));
    if let Some(path) = &args.out {
        fs::write(path, table::json(args, &samples).to_string())
            .with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

/// The servers started here inherit the limit, and 5,000 sessions need it.
fn raise_file_limit() -> Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    let current = maximum;
    Ok(setrlimit(Resource::Nofile, Rlimit { current, maximum })?)
}
