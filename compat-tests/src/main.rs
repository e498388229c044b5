//! Foreign clients, foreign servers and foreign data against the real binary.
//!
//! `compat-tests <suite>` starts real servers, drives them, and prints a table that ends with
//! `N passed, N failed`. Apache ZooKeeper is the oracle; what is missing is fetched first.

mod diff;
mod ensemble;
mod install;
mod kafka;
mod process;
mod program;
mod report;
mod server;
mod suites;
mod tree_dump;
mod wire;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::install::Installed;
use crate::server::{Launcher, Which};

/// Compatibility tests against real clients, servers and data.
#[derive(Debug, Parser)]
struct Arguments {
    /// Our server's binary.
    #[arg(long, global = true, value_name = "PATH")]
    ours: Option<PathBuf>,
    /// Where fetched parts are kept.
    #[arg(long, global = true, value_name = "FOLDER")]
    cache: Option<PathBuf>,
    #[command(subcommand)]
    suite: Suite,
}

#[derive(Debug, Subcommand)]
enum Suite {
    /// Fetch and build everything that the suites need.
    Install,
    /// The same random operations on two servers; every answer compared.
    Diff(diff::Options),
    /// Apache's Java client and Curator's recipes.
    Java(Target),
    /// The tests of this project's own client.
    Client(Target),
    /// kazoo, its recipes included.
    Kazoo(Target),
    /// Our recipes beside Curator's and kazoo's: mixed holders.
    Recipes(suites::recipes::Options),
    /// Apache's shell.
    Zkcli(Target),
    /// Our shell beside Apache's.
    Shell(Target),
    /// Data directories and snapshots of other servers, and ours on theirs.
    Data(suites::data::Options),
    /// SIGKILL under load, and logs cut at every byte of the last record.
    Crash(suites::crash::Options),
    /// Our links to the election ports of Apache's servers.
    Election(suites::election::Options),
    /// Three Kafka brokers on an ensemble whose leader is killed again and again.
    Kafka(kafka::Options),
    /// Ensembles under load with faults; the histories are checked for linearizability.
    Faults(ensemble::faults::Options),
    /// How long writes wait when a leader dies, falls silent, or all members are restarted.
    Failover(ensemble::meter::Options),
    /// Servers of two kinds in one ensemble.
    Mixed(ensemble::mixed::Options),
    /// kazoo, Apache's Java client and Curator through kills of the leader.
    Survive(ensemble::foreign::Options),
    /// Every suite, with the sizes that the project's checks ask for.
    All,
}

#[derive(Debug, clap::Args)]
struct Target {
    /// The server to test.
    #[arg(long, value_enum, default_value_t = Which::Ours)]
    server: Which,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("compat-tests: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<bool> {
    let from_environment = || std::env::var_os("ZABKEEPER_BIN").map(PathBuf::from);
    let ours = arguments.ours.clone().or_else(from_environment);
    let cache = arguments.cache.clone().unwrap_or_else(default_cache);
    let launcher = Launcher::new(ours, Installed::new(cache));
    match &arguments.suite {
        Suite::Install => launcher.installed().all().map(|()| true),
        Suite::Diff(options) => diff::run(&launcher, options),
        Suite::Java(target) => suites::clients::java(&launcher, target.server),
        Suite::Client(target) => suites::client::run(&launcher, target.server),
        Suite::Kazoo(target) => suites::clients::kazoo(&launcher, target.server),
        Suite::Recipes(options) => suites::recipes::run(&launcher, options),
        Suite::Zkcli(target) => suites::zkcli::run(&launcher, target.server),
        Suite::Shell(target) => suites::shell::run(&launcher, target.server),
        Suite::Data(options) => suites::data::run(&launcher, options),
        Suite::Crash(options) => suites::crash::run(&launcher, options),
        Suite::Election(options) => suites::election::run(&launcher, options),
        Suite::Kafka(options) => kafka::run(&launcher, options),
        Suite::Faults(options) => ensemble::faults::run(&launcher, options),
        Suite::Failover(options) => ensemble::meter::run(&launcher, options),
        Suite::Mixed(options) => ensemble::mixed::run(&launcher, options),
        Suite::Survive(options) => ensemble::foreign::run(&launcher, options),
        Suite::All => all(&launcher),
    }
}

/// Runs every suite even when one fails, so that one run shows everything.
fn all(launcher: &Launcher) -> Result<bool> {
    launcher.installed().all()?;
    let mut held = true;
    let mut note = |suite: &str, outcome: Result<bool>| match outcome {
        Ok(passed) => held &= passed,
        Err(error) => {
            println!("{suite}: stopped: {error:#}");
            held = false;
        }
    };
    note("zkcli", suites::zkcli::run(launcher, Which::Ours));
    note("shell", suites::shell::run(launcher, Which::Ours));
    note("kazoo", suites::clients::kazoo(launcher, Which::Ours));
    note("java", suites::clients::java(launcher, Which::Ours));
    note(
        "recipes",
        suites::recipes::run(launcher, &suites::recipes::Options::short()),
    );
    note(
        "data",
        suites::data::run(launcher, &suites::data::Options::default()),
    );
    note(
        "crash",
        suites::crash::run(launcher, &suites::crash::Options::default()),
    );
    note(
        "election",
        suites::election::run(launcher, &suites::election::Options::default()),
    );
    note("diff", diff::run(launcher, &diff::Options::default()));
    Ok(held)
}

/// `target/compat` of the workspace, or of the folder that cargo was told to use.
fn default_cache() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target")),
        PathBuf::from,
    );
    target.join("compat")
}
