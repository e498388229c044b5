//! How long one change takes to reach every session that watches it.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use jute::OpCode;
use jute::proto::{GetDataRequest, ReplyHeader, SetDataRequest};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use super::report::Report;
use super::session::{Session, header};
use super::tally::Tally;
use super::{Args, idle, requests, setup};

/// How long one change may take to reach everybody.
const ROUND_LIMIT: Duration = Duration::from_secs(30);

/// Repeats the change `rounds` times; each round's latency is that of its last event.
pub(super) fn measure(args: &Args, servers: &[SocketAddr]) -> Result<Report> {
    let path = format!("{}/watched", args.prefix);
    let data = requests::data(args.size, args.seed);
    let mut writer = Session::open(servers[0], args.session_timeout_ms)?;
    setup::ensure_prefix(&mut writer, &args.prefix)?;
    setup::ensure_node(&mut writer, &path)?;
    let mut watchers = Watchers::open(servers, args)?;

    let mut tally = Tally::new();
    let start = Instant::now();
    for _ in 0..args.rounds {
        watchers.watch(&path)?;
        let xid = writer.next_xid();
        let mut request = Vec::new();
        let body = SetDataRequest {
            path: Some(path.as_str().into()),
            data: Some(&data),
            version: -1,
        };
        requests::append(&mut request, xid, OpCode::SetData, body);
        let round = Instant::now();
        writer.send(&request)?;
        tally.record(watchers.wait_for_events(round)?);
        let err = writer.reply(xid)?.err;
        ensure!(err == 0, "setData {path}: error {err}");
    }
    let seconds = start.elapsed().as_secs_f64();
    watchers.close()?;
    writer.close()?;
    Ok(Report::new(
        args,
        "rounds",
        args.rounds as u64,
        seconds,
        tally,
    ))
}

struct Watchers {
    poll: Poll,
    sessions: Vec<Session>,
}

impl Watchers {
    fn open(servers: &[SocketAddr], args: &Args) -> Result<Self> {
        let poll = Poll::new()?;
        let sessions = idle::open_all(servers, args.clients, args.session_timeout_ms)?;
        for (n, session) in sessions.iter().enumerate() {
            let fd = session.stream().as_raw_fd();
            poll.registry()
                .register(&mut SourceFd(&fd), Token(n), Interest::READABLE)?;
        }
        Ok(Self { poll, sessions })
    }

    /// Sets the watch of every session.
    fn watch(&mut self, path: &str) -> Result<()> {
        let mut xids = Vec::with_capacity(self.sessions.len());
        let mut request = Vec::new();
        for session in &mut self.sessions {
            let xid = session.next_xid();
            let body = GetDataRequest {
                path: Some(path.into()),
                watch: true,
            };
            request.clear();
            requests::append(&mut request, xid, OpCode::GetData, body);
            session.send(&request)?;
            xids.push(xid);
        }
        for (session, xid) in self.sessions.iter_mut().zip(xids) {
            let err = session.reply(xid)?.err;
            ensure!(err == 0, "getData {path}: error {err}");
        }
        // Readiness from those replies must not be taken for events.
        self.forget_readiness()
    }

    fn forget_readiness(&mut self) -> Result<()> {
        let mut events = Events::with_capacity(self.sessions.len());
        loop {
            self.poll.poll(&mut events, Some(Duration::ZERO))?;
            if events.is_empty() {
                return Ok(());
            }
        }
    }

    /// Waits until every session has its event; returns the time since `start`.
    fn wait_for_events(&mut self, start: Instant) -> Result<Duration> {
        let mut events = Events::with_capacity(self.sessions.len());
        let mut missing = self.sessions.len();
        while missing > 0 {
            let Some(left) = ROUND_LIMIT.checked_sub(start.elapsed()) else {
                bail!("{missing} watch events did not arrive within {ROUND_LIMIT:?}");
            };
            match self.poll.poll(&mut events, Some(left)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            for event in &events {
                // The event arrives as one frame; should it be split, the rest is on its way.
                let session = &mut self.sessions[event.token().0];
                let header = header(session.receive()?)?;
                ensure!(
                    header.xid == ReplyHeader::NOTIFICATION_XID,
                    "reply to {} where an event was due",
                    header.xid
                );
                missing -= 1;
            }
        }
        Ok(start.elapsed())
    }

    fn close(&mut self) -> Result<()> {
        self.sessions.iter_mut().try_for_each(Session::close)
    }
}
