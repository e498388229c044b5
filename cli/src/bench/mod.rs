//! `zabkeeper bench`: a load generator in the spirit of `redis-benchmark`.
//!
//! It speaks the client protocol over raw sockets, so that it costs little beside the
//! server it measures and works against every ZooKeeper. [`Args::null_responder`] shows
//! its own ceiling on the machine at hand.

mod args;
mod fill;
mod idle;
mod lean;
mod load;
mod null_responder;
mod report;
mod requests;
mod session;
mod sessions;
mod setup;
mod tally;
mod watch_fanout;

pub use args::{Args, Op};

use std::net::SocketAddr;
use std::net::ToSocketAddrs;

use anyhow::{Context, Result, ensure};

use report::Report;

/// Runs one measurement and prints it.
///
/// # Errors
/// A server that cannot be reached, and anything unexpected during the run: error
/// replies, lost connections, replies out of order. Those are printed first.
pub fn run(args: Args) -> Result<()> {
    args.validate()?;
    raise_file_limit();
    let servers = if args.null_responder {
        vec![null_responder::start()?]
    } else {
        args.server.split(',').map(resolve).collect::<Result<_>>()?
    };
    let report = measure(&args, &servers)?;
    report.print(args.json);
    ensure!(
        report.tally.unexpected() == 0,
        "{} unexpected replies or lost connections",
        report.tally.unexpected()
    );
    Ok(())
}

fn measure(args: &Args, servers: &[SocketAddr]) -> Result<Report> {
    match args.op {
        Op::Get | Op::Set | Op::Mix { .. } | Op::Create => load::measure(args, servers),
        Op::Fill => fill::measure(args, servers),
        Op::WatchFanout => watch_fanout::measure(args, servers),
        Op::Sessions => sessions::measure(args, servers),
        Op::Idle => idle::measure(args, servers),
    }
}

fn resolve(server: &str) -> Result<SocketAddr> {
    server
        .to_socket_addrs()
        .with_context(|| format!("--server {server}"))?
        .next()
        .with_context(|| format!("--server {server}: no address"))
}

/// Thousands of sessions need more descriptors than most shells allow at first. A refusal
/// shows itself as a failed connect later.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let _ = setrlimit(Resource::Nofile, raised);
}
