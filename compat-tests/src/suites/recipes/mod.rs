//! Our recipes beside those of Curator and kazoo, on one server.

mod contention;
mod discovery;
mod exchange;
mod partition;

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::report::Report;
use crate::server::{Launcher, Settings, Which};

/// How much to do, and on which server.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The server to test.
    #[arg(long, value_enum, default_value_t = Which::Ours)]
    server: Which,
    /// Acquisitions of each recipe, by all contenders together.
    #[arg(long, default_value_t = 10_000)]
    turns: u32,
    /// Only these recipes, comma separated.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Recipe>,
    /// No more acquisitions than every change must pass.
    #[arg(long, conflicts_with = "turns")]
    short: bool,
}

/// What there is to check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Recipe {
    Mutex,
    Rwlock,
    Semaphore,
    Election,
    Discovery,
    Partition,
    /// Queues, groups and nodes that are kept.
    Exchange,
}

/// Acquisitions of each recipe with `--short`.
const SHORT: u32 = 150;

impl Options {
    /// What every change must pass.
    pub(crate) fn short() -> Self {
        Self {
            server: Which::Ours,
            turns: SHORT,
            only: Vec::new(),
            short: true,
        }
    }

    fn turns(&self) -> u32 {
        if self.short { SHORT } else { self.turns }
    }

    fn wants(&self, recipe: Recipe) -> bool {
        self.only.is_empty() || self.only.contains(&recipe)
    }
}

/// Runs all of it on one server.
///
/// # Errors
/// When something cannot be installed or built, or the server cannot be started.
pub(crate) fn run(launcher: &Launcher, options: &Options) -> Result<bool> {
    let mut report = Report::new("recipes");
    let scratch = tempfile::tempdir()?;
    let settings = Settings::usual();
    let server = launcher.start(
        options.server,
        &scratch.path().join("plain"),
        &settings,
    )?;
    if contention::RECIPES
        .iter()
        .any(|(recipe, _)| options.wants(*recipe))
    {
        contention::run(&mut report, launcher, &server, options)?;
    }
    if options.wants(Recipe::Discovery) {
        discovery::run(&mut report, launcher, &server)?;
    }
    if options.wants(Recipe::Partition) {
        partition::run(&mut report, launcher, &server)?;
    }
    server.stop()?;
    if options.wants(Recipe::Exchange) {
        // What has outlived its time, and containers, soon go.
        let settings = settings.property("znode.container.checkIntervalMs", 500);
        let folder = scratch.path().join("exchange");
        let server = launcher.start(options.server, &folder, &settings)?;
        exchange::run(&mut report, launcher, &server)?;
        server.stop()?;
    }
    Ok(report.finish())
}

/// An example of our recipes, built.
fn example(name: &str) -> Result<Command> {
    let cargo = |verb| {
        let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(program);
        command
            .args([verb, "--quiet", "--release", "--locked"])
            .args(["--package", "recipes", "--example", name])
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
            .stdin(Stdio::null());
        command
    };
    let status = cargo("build").status().context("cannot run cargo")?;
    ensure!(status.success(), "the example {name} cannot be built");
    let mut run = cargo("run");
    run.arg("--");
    Ok(run)
}
