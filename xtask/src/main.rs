//! The project's own tasks: `cargo xtask <task>`.

mod bench;
mod fuzz;
mod mutants;
mod prealloc;
mod stats;
mod tidy;
mod workspace;

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's own tasks")]
enum Task {
    /// Measure against Apache ZooKeeper, alternately in one run, and print ratios.
    Bench(bench::Args),
    /// Simulate servers, or with `--recipes` recipes on them: one seed again, or many.
    #[command(disable_help_flag = true)]
    Sim {
        /// Arguments of the simulator.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Compare with Apache ZooKeeper and foreign clients.
    #[command(disable_help_flag = true)]
    Compat {
        /// Arguments of the comparison.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Run every fuzz target for a while.
    Fuzz {
        /// Seconds for each target.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Only these targets, comma separated.
        #[arg(long, value_delimiter = ',')]
        only: Vec<String>,
    },
    /// Put historic bugs of ZooKeeper back, one at a time: each must be caught.
    Mutants {
        /// Only these, comma separated: `ZOOKEEPER-3911`.
        #[arg(long, value_delimiter = ',')]
        only: Vec<String>,
    },
    /// Check the sources for what the compiler does not look at.
    Tidy,
    /// Measure which preallocation makes small synced writes cheapest.
    Prealloc {
        /// Directory on the disk to measure.
        directory: PathBuf,
        /// Writes per way and size.
        #[arg(long, default_value_t = 1_000)]
        writes: usize,
    },
}

fn main() -> Result<()> {
    match Task::parse() {
        Task::Bench(args) => bench::run(&args),
        Task::Sim { args } => {
            let recipes = args.iter().any(|arg| arg == "--recipes");
            let package = if recipes { "recipe-sim" } else { "sim" };
            workspace::cargo(["run", "--release", "-p", package, "--"])
                .args(args)
                .run()
        }
        Task::Compat { args } => {
            workspace::build_server()?;
            workspace::cargo(["run", "--release", "-p", "compat-tests", "--"])
                .env("ZABKEEPER_BIN", workspace::server_binary())
                .args(args)
                .run()
        }
        Task::Fuzz { seconds, only } => fuzz::run(seconds, &only),
        Task::Mutants { only } => mutants::run(&only),
        Task::Tidy => tidy::run(),
        Task::Prealloc { directory, writes } => prealloc::run(&directory, writes),
    }
}
