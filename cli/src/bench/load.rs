//! The sliding-window load: every connection keeps exactly `pipeline` requests outstanding.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use jute::frame::Frames;
use jute::proto::ReplyHeader;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::report::Report;
use super::requests::{self, Requests, Template, numbered};
use super::session::{FRAME_MAX, Session, header, next_xid};
use super::tally::Tally;
use super::{Args, Op, lean, setup};

/// How often a thread looks at the clock when nothing arrives.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// How often paced connections are looked at.
const PACE: Duration = Duration::from_millis(1);
/// How long replies may take after the last request was sent.
const DRAIN_LIMIT: Duration = Duration::from_secs(30);
/// First size of a connection's receive buffer, bytes; it doubles for larger replies.
const RECEIVE_BUFFER: usize = 16 << 10;

/// When to count and when to stop.
#[derive(Clone, Copy)]
pub(super) struct Schedule {
    /// Replies to requests sent from here on count.
    pub(super) measure_from: Instant,
    /// Nothing is sent, and no reply counts, from here on.
    pub(super) until: Instant,
}

/// What a connection may send.
#[derive(Clone, Copy)]
struct Window {
    /// Requests outstanding.
    pipeline: usize,
    /// Time between two of them, if they are paced.
    interval: Option<Duration>,
}

/// Measures get, set, mix and create.
pub(super) fn measure(args: &Args, servers: &[SocketAddr]) -> Result<Report> {
    let data = requests::data(args.size, args.seed);
    let streams = match args.op {
        Op::Create => create_streams(args, servers[0], &data)?,
        _ => {
            let stem = setup::ensure_keys(args, servers[0], &data)?;
            (0..args.clients as u64)
                .map(|n| {
                    let seed = args.seed.wrapping_add(n << 32);
                    Requests::keyed(args.op, &stem, args.keys, &data, seed)
                })
                .collect()
        }
    };
    let start = Instant::now() + Duration::from_millis(1);
    let measure_from = start + args.warmup();
    let until = measure_from + args.duration();
    let schedule = Schedule {
        measure_from,
        until,
    };
    let tally = run_threads(args, servers, streams, schedule)?;
    let count = tally.latency.len();
    Ok(Report::new(args, "requests", count, args.duration, tally))
}

/// One parent per connection, new for this run so that no name is taken.
fn create_streams(args: &Args, server: SocketAddr, data: &[u8]) -> Result<Vec<Requests>> {
    let mut session = Session::open(server, args.session_timeout_ms)?;
    setup::ensure_prefix(&mut session, &args.prefix)?;
    let millis = std::time::UNIX_EPOCH.elapsed()?.as_millis();
    let run = format!("{}/run-{millis}", args.prefix);
    setup::ensure_node(&mut session, &run)?;
    let mut streams = Vec::new();
    for n in 0..args.clients as u64 {
        let parent = numbered(&format!("{run}/c"), n);
        setup::ensure_node(&mut session, &parent)?;
        let template = Template::create(&format!("{parent}/n"), data);
        streams.push(Requests::Create { template, next: 0 });
    }
    session.close()?;
    Ok(streams)
}

/// Deals the streams out to the threads, one connection each, and adds up what they saw.
pub(super) fn run_threads(
    args: &Args,
    servers: &[SocketAddr],
    streams: Vec<Requests>,
    schedule: Schedule,
) -> Result<Tally> {
    let mut shares: Vec<Vec<_>> = (0..args.threads).map(|_| Vec::new()).collect();
    for (n, stream) in streams.into_iter().enumerate() {
        let server = servers[n % servers.len()];
        let session = Session::open(server, args.session_timeout_ms)?;
        shares[n % args.threads].push((session, stream));
    }
    let window = Window {
        pipeline: args.pipeline,
        interval: args.interval(),
    };
    let threads: Vec<_> = shares
        .into_iter()
        .map(|share| thread::spawn(move || run_share(share, window, schedule)))
        .collect();
    let mut total = Tally::new();
    for thread in threads {
        let tally = thread
            .join()
            .map_err(|_| anyhow!("a load thread panicked"))??;
        total.add(&tally);
    }
    Ok(total)
}

fn run_share(
    mut share: Vec<(Session, Requests)>,
    window: Window,
    schedule: Schedule,
) -> Result<Tally> {
    let paced = window.interval.is_some();
    if window.pipeline == 1 && share.len() == 1 && !paced {
        let (session, stream) = share.remove(0);
        return Ok(lean::run(session, stream, schedule));
    }
    let connections = share
        .into_iter()
        .map(|(session, stream)| Connection::new(&session, stream, window))
        .collect::<Result<Vec<_>>>()?;
    Driver::new(connections, schedule, paced)?.run()
}

/// One thread's event loop.
struct Driver {
    poll: Poll,
    connections: Vec<Option<Connection>>,
    schedule: Schedule,
    paced: bool,
    tally: Tally,
}

impl Driver {
    fn new(connections: Vec<Connection>, schedule: Schedule, paced: bool) -> Result<Self> {
        let poll = Poll::new()?;
        let mut slots = Vec::new();
        for (n, mut connection) in connections.into_iter().enumerate() {
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry()
                .register(&mut connection.stream, Token(n), interest)?;
            slots.push(Some(connection));
        }
        Ok(Self {
            poll,
            connections: slots,
            schedule,
            paced,
            tally: Tally::new(),
        })
    }

    fn run(mut self) -> Result<Tally> {
        let mut events = Events::with_capacity(256);
        for n in 0..self.connections.len() {
            self.turn(n);
        }
        while self.connections.iter().any(Option::is_some) {
            let interval = if self.paced { PACE } else { POLL_INTERVAL };
            match self.poll.poll(&mut events, Some(interval)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            for event in &events {
                self.turn(event.token().0);
            }
            if self.paced {
                (0..self.connections.len()).for_each(|n| self.turn(n));
            }
            if events.is_empty() {
                self.look_at_the_clock();
            }
        }
        Ok(self.tally)
    }

    /// Moves one connection on; drops it when it has finished or broken.
    fn turn(&mut self, n: usize) {
        let Some(connection) = &mut self.connections[n] else {
            return;
        };
        match connection.turn(self.schedule, &mut self.tally) {
            Ok(false) => {}
            Ok(true) => self.connections[n] = None,
            Err(_) => {
                self.tally.lost += 1;
                self.connections[n] = None;
            }
        }
    }

    /// A silent server must not keep the run from ending.
    fn look_at_the_clock(&mut self) {
        let now = Instant::now();
        let overdue = now >= self.schedule.until + DRAIN_LIMIT;
        for slot in &mut self.connections {
            let drained = slot.as_ref().is_some_and(|c| c.sent_at.is_empty());
            if now >= self.schedule.until && drained {
                *slot = None;
            } else if overdue && slot.take().is_some() {
                self.tally.lost += 1;
            }
        }
    }
}

struct Connection {
    stream: TcpStream,
    requests: Requests,
    window: Window,
    /// When the next request of a paced connection is due.
    due: Instant,
    /// When each outstanding request was handed to the socket, oldest first.
    sent_at: VecDeque<Instant>,
    xid_sent: i32,
    xid_replied: i32,
    exhausted: bool,
    out: Vec<u8>,
    written: usize,
    inbox: Vec<u8>,
    filled: usize,
}

impl Connection {
    fn new(session: &Session, requests: Requests, window: Window) -> Result<Self> {
        let stream = session.stream().try_clone()?;
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream: TcpStream::from_std(stream),
            requests,
            window,
            due: Instant::now(),
            sent_at: VecDeque::with_capacity(window.pipeline),
            xid_sent: 0,
            xid_replied: 0,
            exhausted: false,
            out: Vec::new(),
            written: 0,
            inbox: vec![0; RECEIVE_BUFFER],
            filled: 0,
        })
    }

    /// Takes in what has arrived and fills the window up again. `true` when all is done.
    fn turn(&mut self, schedule: Schedule, tally: &mut Tally) -> Result<bool> {
        let mut now = Instant::now();
        loop {
            let drained = self.receive()?;
            if self.filled > 0 {
                now = Instant::now();
                self.take_replies(now, schedule, tally)?;
            }
            if drained {
                break;
            }
        }
        if now < schedule.until {
            self.refill(now);
        } else {
            self.exhausted = true;
        }
        self.flush()?;
        Ok(self.exhausted && self.sent_at.is_empty())
    }

    /// Reads once. `true` when the socket is empty: a short read says so as well, which
    /// saves the call that would only return `WouldBlock`.
    fn receive(&mut self) -> Result<bool> {
        if self.filled == self.inbox.len() {
            self.inbox.resize(2 * self.filled, 0);
        }
        match self.stream.read(&mut self.inbox[self.filled..]) {
            Ok(0) => Err(anyhow!("the server closed the connection")),
            Ok(read) => {
                self.filled += read;
                Ok(self.filled < self.inbox.len())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(true),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn take_replies(&mut self, now: Instant, schedule: Schedule, tally: &mut Tally) -> Result<()> {
        let mut frames = Frames::new(&self.inbox[..self.filled], FRAME_MAX);
        for body in &mut frames {
            let header = header(body?)?;
            if matches!(
                header.xid,
                ReplyHeader::NOTIFICATION_XID | ReplyHeader::PING_XID
            ) {
                continue;
            }
            self.xid_replied = next_xid(self.xid_replied);
            if header.xid != self.xid_replied {
                tally.out_of_order += 1;
            }
            let Some(sent_at) = self.sent_at.pop_front() else {
                return Err(anyhow!("a reply to nothing"));
            };
            if header.err != 0 {
                tally.error(header.err);
            }
            if sent_at >= schedule.measure_from && now < schedule.until {
                tally.record(now - sent_at);
            }
        }
        let left = frames.rest().len();
        self.inbox.copy_within(self.filled - left..self.filled, 0);
        self.filled = left;
        Ok(())
    }

    fn refill(&mut self, now: Instant) {
        while !self.exhausted && self.sent_at.len() < self.window.pipeline {
            if let Some(interval) = self.window.interval {
                if self.due > now {
                    break;
                }
                self.due += interval;
            }
            let xid = next_xid(self.xid_sent);
            if self.requests.append_next(xid, &mut self.out) {
                self.xid_sent = xid;
                self.sent_at.push_back(now);
            } else {
                self.exhausted = true;
            }
        }
    }

    fn flush(&mut self) -> Result<()> {
        while self.written < self.out.len() {
            match self.stream.write(&self.out[self.written..]) {
                Ok(written) => self.written += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.out.clear();
        self.written = 0;
        Ok(())
    }
}
