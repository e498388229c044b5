//! Measures the client and the recipes on a server that runs, and prints a table. Started by
//! `cargo xtask bench client` and `cargo xtask bench recipes`.

mod reads;
mod recipe;
mod words;

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(about = "How fast client and recipes are")]
struct Arguments {
    /// The server.
    #[arg(long, global = true, default_value = "127.0.0.1:2181")]
    server: SocketAddr,
    /// How often everything is measured; the medians are printed.
    #[arg(long, global = true, default_value_t = 5)]
    rounds: usize,
    #[command(subcommand)]
    subject: Subject,
}

#[derive(Debug, Subcommand)]
enum Subject {
    /// Reads in flight, with this client and with the crate `zookeeper-client`, in turns.
    Client(reads::Options),
    /// A mutex that nobody else wants, and one that many wait for.
    Recipes(recipe::Options),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let outcome = runtime.map_err(Into::into).and_then(|runtime| {
        // On a thread of the runtime, as most of an application is.
        let task = runtime.spawn(async move { run(&arguments).await });
        runtime.block_on(task)?
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("client-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.subject {
        Subject::Client(options) => reads::run(arguments.server, arguments.rounds, options).await,
        Subject::Recipes(options) => recipe::run(arguments.server, arguments.rounds, options).await,
    }
}

/// The value in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
