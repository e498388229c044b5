//! Sessions opened and closed, with an ephemeral each.

use std::io::Read;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use jute::{CreateMode, OpCode};
use socket2::SockRef;

use super::report::Report;
use super::requests::{create, numbered};
use super::session::Session;
use super::tally::Tally;
use super::{Args, setup};

/// Every client is a thread that opens one session after the other.
pub(super) fn measure(args: &Args, servers: &[SocketAddr]) -> Result<Report> {
    let mut session = Session::open(servers[0], args.session_timeout_ms)?;
    setup::ensure_prefix(&mut session, &args.prefix)?;
    session.close()?;

    let measure_from = Instant::now() + args.warmup();
    let until = measure_from + args.duration();
    let threads: Vec<_> = (0..args.clients as u64)
        .map(|n| {
            let path = numbered(&format!("{}/e", args.prefix), n);
            let timeout_ms = args.session_timeout_ms;
            let server = servers[n as usize % servers.len()];
            thread::spawn(move || {
                let mut tally = Tally::new();
                while Instant::now() < until {
                    let start = Instant::now();
                    match one_session(server, timeout_ms, &path) {
                        Ok(took) if start >= measure_from && start + took < until => {
                            tally.record(took);
                        }
                        Ok(_) => {}
                        Err(_) => tally.lost += 1,
                    }
                }
                tally
            })
        })
        .collect();
    let mut total = Tally::new();
    for thread in threads {
        total.add(
            &thread
                .join()
                .map_err(|_| anyhow!("a load thread panicked"))?,
        );
    }
    let count = total.latency.len();
    Ok(Report::new(args, "sessions", count, args.duration, total))
}

/// Opens a session, creates an ephemeral and closes; returns the time until the answer to
/// the close.
fn one_session(server: SocketAddr, timeout_ms: i32, path: &str) -> Result<Duration> {
    let start = Instant::now();
    let mut session = Session::open(server, timeout_ms)?;
    let err = session.call(OpCode::Create, create(path, b"", CreateMode::Ephemeral))?;
    ensure!(err == 0, "create {path}: error {err}");
    session.close()?;
    let took = start.elapsed();
    // The server closes first. A reset after that leaves no connection in TIME_WAIT, which
    // would use up the ports within seconds.
    let _ = session.stream().read(&mut [0; 16]);
    SockRef::from(session.stream()).set_linger(Some(Duration::ZERO))?;
    Ok(took)
}
