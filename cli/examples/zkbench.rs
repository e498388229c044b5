//! The load generator as a program of its own, for use against other servers.

use clap::Parser;

/// Load generator for any ZooKeeper server.
#[derive(Parser)]
#[command(name = "zkbench")]
struct Line {
    #[command(flatten)]
    args: cli::bench::Args,
}

fn main() -> anyhow::Result<()> {
    cli::bench::run(Line::parse().args)
}
