//! Sessions that do nothing but stay alive, so that their memory can be read off the server.

use std::io::Write;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use jute::OpCode;
use jute::proto::ReplyHeader;

use super::Args;
use super::report::Report;
use super::requests;
use super::session::Session;
use super::tally::Tally;

/// Handshakes under way at once while sessions are opened.
const OPEN_BATCH: usize = 50;

/// Opens all sessions, says so on standard output, and pings until the time is over.
pub(super) fn measure(args: &Args, servers: &[SocketAddr]) -> Result<Report> {
    let start = Instant::now();
    let mut sessions = open_all(servers, args.clients, args.session_timeout_ms)?;
    let opened_in = start.elapsed().as_secs_f64();
    println!("{} sessions are up after {opened_in:.2} s", sessions.len());
    std::io::stdout().flush()?;

    let until = Instant::now() + args.duration();
    let timeout = sessions.iter().map(|session| session.timeout).min();
    let interval = (timeout.unwrap_or_default() / 3).max(Duration::from_millis(100));
    let mut tally = Tally::new();
    loop {
        let left = until.saturating_duration_since(Instant::now());
        thread::sleep(left.min(interval));
        if left <= interval {
            break;
        }
        ping_all(&mut sessions, &mut tally);
    }
    for session in &mut sessions {
        if session.close().is_err() {
            tally.lost += 1;
        }
    }
    Ok(Report::new(
        args,
        "sessions opened",
        args.clients as u64,
        opened_in,
        tally,
    ))
}

/// Opens sessions, [`OPEN_BATCH`] at a time.
pub(super) fn open_all(
    servers: &[SocketAddr],
    count: usize,
    timeout_ms: i32,
) -> Result<Vec<Session>> {
    let mut sessions = Vec::with_capacity(count);
    while sessions.len() < count {
        let first = sessions.len();
        for _ in first..count.min(first + OPEN_BATCH) {
            let server = servers[sessions.len() % servers.len()];
            sessions.push(Session::begin(server, timeout_ms)?);
        }
        for session in &mut sessions[first..] {
            session.finish()?;
        }
    }
    Ok(sessions)
}

/// One ping for every session; a session that does not answer is gone.
fn ping_all(sessions: &mut Vec<Session>, tally: &mut Tally) {
    let mut ping = Vec::new();
    requests::append_bare(&mut ping, ReplyHeader::PING_XID, OpCode::Ping);
    let before = sessions.len();
    sessions.retain_mut(|session| session.send(&ping).is_ok());
    sessions.retain_mut(|session| session.reply(ReplyHeader::PING_XID).is_ok());
    tally.lost += (before - sessions.len()) as u64;
}
