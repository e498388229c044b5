//! The emptiest possible server: every request is answered with the same getData reply.
//! What the generator reaches against it is the generator's own ceiling.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::thread;

use anyhow::{Result, anyhow};
use jute::OpCode;
use jute::data::Stat;
use jute::frame::{self, Frames};
use jute::proto::{ConnectResponse, GetDataResponse, ReplyHeader, RequestHeader};
use jute::wire::{Decode, Encode, Limits, Reader};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use super::session::FRAME_MAX;

/// Bytes of data in every reply.
const DATA_LEN: usize = 100;
/// Connections taken at most.
const CONNECTIONS_MAX: usize = 100_000;
/// First size of a receive buffer, bytes.
const RECEIVE_BUFFER: usize = 4 << 10;
/// The listener's token; connections have their index.
const LISTENER: Token = Token(usize::MAX - 1);

/// Starts the responder on a free port of the loopback interface.
pub(super) fn start() -> Result<SocketAddr> {
    let mut listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let address = listener.local_addr()?;
    let poll = Poll::new()?;
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut responder = Responder {
        poll,
        listener,
        connections: Vec::new(),
        free: Vec::new(),
        reply: reply_frame(),
    };
    thread::spawn(move || {
        if let Err(error) = responder.run() {
            eprintln!("null responder: {error}");
        }
    });
    Ok(address)
}

fn reply_frame() -> Vec<u8> {
    let mut reply = Vec::new();
    frame::append(&mut reply, |out| {
        let (xid, zxid, err) = (0, 1, 0);
        ReplyHeader { xid, zxid, err }.encode(out);
        GetDataResponse {
            data: Some(&[b'x'; DATA_LEN]),
            stat: Stat::default(),
        }
        .encode(out);
    });
    reply
}

struct Responder {
    poll: Poll,
    listener: TcpListener,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    reply: Vec<u8>,
}

impl Responder {
    fn run(&mut self) -> Result<()> {
        let mut events = Events::with_capacity(256);
        loop {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept()?,
                    Token(n) => self.serve(n),
                }
            }
        }
    }

    fn accept(&mut self) -> Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            if self.connections.len() - self.free.len() >= CONNECTIONS_MAX {
                continue;
            }
            let n = self.free.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            stream.set_nodelay(true)?;
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll
                .registry()
                .register(&mut stream, Token(n), interest)?;
            self.connections[n] = Some(Connection::new(stream));
        }
    }

    fn serve(&mut self, n: usize) {
        let Some(connection) = self.connections.get_mut(n).and_then(Option::as_mut) else {
            return;
        };
        if !matches!(connection.serve(&self.reply), Ok(true)) {
            self.connections[n] = None;
            self.free.push(n);
        }
    }
}

struct Connection {
    stream: TcpStream,
    connected: bool,
    closing: bool,
    inbox: Vec<u8>,
    filled: usize,
    out: Vec<u8>,
    written: usize,
}

impl Connection {
    fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            connected: false,
            closing: false,
            inbox: vec![0; RECEIVE_BUFFER],
            filled: 0,
            out: Vec::new(),
            written: 0,
        }
    }

    /// Answers what has arrived; `false` at the end of the session.
    fn serve(&mut self, reply: &[u8]) -> Result<bool> {
        loop {
            if self.filled == self.inbox.len() {
                self.inbox.resize(2 * self.filled, 0);
            }
            match self.stream.read(&mut self.inbox[self.filled..]) {
                Ok(0) => return Ok(false),
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
            let drained = self.filled < self.inbox.len();
            self.answer(reply)?;
            if drained {
                break;
            }
        }
        while self.written < self.out.len() {
            match self.stream.write(&self.out[self.written..]) {
                Ok(written) => self.written += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error.into()),
            }
        }
        self.out.clear();
        self.written = 0;
        Ok(!self.closing)
    }

    fn answer(&mut self, reply: &[u8]) -> Result<()> {
        let mut frames = Frames::new(&self.inbox[..self.filled], FRAME_MAX);
        for body in &mut frames {
            let body = body?;
            if !self.connected {
                self.connected = true;
                frame::append(&mut self.out, greet);
                continue;
            }
            let request = RequestHeader::decode(&mut Reader::new(body, Limits::default()))
                .map_err(|error| anyhow!("request header: {error}"))?;
            self.closing |= request.op == OpCode::CloseSession.as_i32();
            let start = self.out.len();
            self.out.extend_from_slice(reply);
            self.out[start + 4..start + 8].copy_from_slice(&request.xid.to_be_bytes());
        }
        let left = frames.rest().len();
        self.inbox.copy_within(self.filled - left..self.filled, 0);
        self.filled = left;
        Ok(())
    }
}

fn greet(out: &mut Vec<u8>) {
    ConnectResponse {
        protocol_version: 0,
        timeout_ms: 30_000,
        session_id: 1,
        passwd: Some(&[0; 16]),
        read_only: Some(false),
    }
    .encode(out);
}
