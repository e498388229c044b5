//! The one shipped binary.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use server::config::{Config, Env};
use tracing_subscriber::EnvFilter;

/// Small objects by the million, made and freed by several threads: glibc's allocator
/// takes a quarter more memory for them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A ZooKeeper-compatible coordination service.
#[derive(Parser)]
#[command(name = "zabkeeper", version, arg_required_else_help = false)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve in the foreground: `server [zoo.cfg]` or `server PORT DATADIR [TICKTIME] [MAXCNXNS]`.
    /// Without arguments on 127.0.0.1:2181, with the data in ./data.
    Server {
        /// As Apache's main class takes them.
        arguments: Vec<String>,
    },
    /// Talk with any ZooKeeper: takes the arguments of zkCli.sh, and `-json`.
    #[command(disable_help_flag = true)]
    Shell {
        /// As zkCli.sh takes them.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Put load on any ZooKeeper and measure it.
    Bench(cli::bench::Args),
    /// A path, or a port and a directory, without `server` before it: the same.
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

fn main() -> ExitCode {
    // Huge pages would be taken for every small arena: megabytes of zeros in an idle server.
    // Without them nothing is lost but speed, so a failure is no reason to stop.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    match Arguments::parse().command {
        None => serve(&[]),
        Some(Command::Server { arguments }) => serve(&arguments),
        Some(Command::Other(arguments)) => {
            let text = |argument: OsString| argument.to_string_lossy().into_owned();
            serve(&arguments.into_iter().map(text).collect::<Vec<_>>())
        }
        Some(Command::Shell { arguments }) => cli::shell::main(&arguments),
        Some(Command::Bench(arguments)) => match cli::bench::run(arguments) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{}", one_line(&error));
                ExitCode::FAILURE
            }
        },
    }
}

fn serve(arguments: &[String]) -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .init();
    let served = Config::from_arguments(arguments, &Env::from_process())
        .map_err(anyhow::Error::from)
        .and_then(server::run);
    let Err(error) = served else {
        return ExitCode::SUCCESS;
    };
    eprintln!("{}", one_line(&error));
    let end = server::exit(&error);
    eprintln!("{}", end.closing_line);
    ExitCode::from(end.code)
}

/// An error with its causes. Some messages name their cause already.
fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let text = cause.to_string();
        if !line.contains(&text) {
            line.push_str(if line.is_empty() { "" } else { ": " });
            line.push_str(&text);
        }
    }
    line
}
