//! One session over one blocking socket.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jute::proto::{ConnectRequest, ConnectResponse, ReplyHeader};
use jute::wire::{Decode, Encode, Limits, Reader};
use jute::{OpCode, frame};

use super::requests;

/// Longest frame accepted from a server, bytes.
pub(super) const FRAME_MAX: usize = 16 << 20;
/// Bytes asked of the socket at once.
const READ_CHUNK: usize = 16 << 10;
/// How long a blocking read may take before the server counts as gone.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// The header of a reply or event frame.
pub(super) fn header(body: &[u8]) -> Result<ReplyHeader> {
    Ok(ReplyHeader::decode(&mut Reader::new(
        body,
        Limits::default(),
    ))?)
}

/// A connected session.
pub(super) struct Session {
    stream: TcpStream,
    /// Bytes received and not yet consumed: `buffer[start..end]`.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    xid: i32,
    /// The negotiated timeout.
    pub(super) timeout: Duration,
}

impl Session {
    /// Connects, and sends the request for a session without waiting for the answer.
    pub(super) fn begin(server: SocketAddr, timeout_ms: i32) -> Result<Self> {
        let stream = TcpStream::connect(server).with_context(|| format!("connect to {server}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(READ_TIMEOUT))?;
        let mut session = Self {
            stream,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            xid: 0,
            timeout: Duration::ZERO,
        };
        let mut request = Vec::new();
        frame::append(&mut request, |out| {
            ConnectRequest {
                protocol_version: 0,
                last_zxid_seen: 0,
                timeout_ms,
                session_id: 0,
                passwd: Some(&[0; 16]),
                read_only: Some(false),
            }
            .encode(out);
        });
        session.send(&request)?;
        Ok(session)
    }

    /// Waits for the answer to [`Session::begin`].
    pub(super) fn finish(&mut self) -> Result<()> {
        let body = self.receive()?;
        let response = ConnectResponse::decode(&mut Reader::new(body, Limits::default()))?;
        ensure!(response.session_id != 0, "the server gave no session");
        self.timeout = Duration::from_millis(u64::try_from(response.timeout_ms).unwrap_or(0));
        Ok(())
    }

    /// Opens a session.
    pub(super) fn open(server: SocketAddr, timeout_ms: i32) -> Result<Self> {
        let mut session = Self::begin(server, timeout_ms)?;
        session.finish()?;
        Ok(session)
    }

    /// The next xid of this session.
    pub(super) fn next_xid(&mut self) -> i32 {
        self.xid = next_xid(self.xid);
        self.xid
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(bytes)?)
    }

    /// Waits for the next frame and returns its body.
    pub(super) fn receive(&mut self) -> Result<&[u8]> {
        let len = loop {
            if let Some(body) = frame::first(&self.buffer[self.start..self.end], FRAME_MAX)? {
                break body.len();
            }
            self.read_more()?;
        };
        let body = self.start + frame::PREFIX_LEN;
        self.start = body + len;
        Ok(&self.buffer[body..body + len])
    }

    fn read_more(&mut self) -> Result<()> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.buffer.len() < self.end + READ_CHUNK {
            self.buffer.resize(self.end + READ_CHUNK, 0);
        }
        let read = self.stream.read(&mut self.buffer[self.end..])?;
        ensure!(read > 0, "the server closed the connection");
        self.end += read;
        Ok(())
    }

    /// Waits for the reply with this xid, passing over events and answers to pings.
    pub(super) fn reply(&mut self, xid: i32) -> Result<ReplyHeader> {
        loop {
            let header = header(self.receive()?)?;
            match header.xid {
                ReplyHeader::NOTIFICATION_XID | ReplyHeader::PING_XID if header.xid != xid => {}
                found => {
                    ensure!(found == xid, "reply to {found} where {xid} was next");
                    return Ok(header);
                }
            }
        }
    }

    /// Sends one request and waits for its reply; returns the reply's error code.
    pub(super) fn call(&mut self, op: OpCode, body: impl Encode) -> Result<i32> {
        let xid = self.next_xid();
        let mut request = Vec::new();
        requests::append(&mut request, xid, op, body);
        self.send(&request)?;
        Ok(self.reply(xid)?.err)
    }

    /// Closes the session and waits for the answer.
    pub(super) fn close(&mut self) -> Result<()> {
        let xid = self.next_xid();
        let mut request = Vec::new();
        requests::append_bare(&mut request, xid, OpCode::CloseSession);
        self.send(&request)?;
        let err = self.reply(xid)?.err;
        ensure!(err == 0, "close: error {err}");
        Ok(())
    }

    /// The socket, for what only sockets can do.
    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }
}

/// xids are positive and start again at 1.
pub(super) fn next_xid(xid: i32) -> i32 {
    if xid == i32::MAX { 1 } else { xid + 1 }
}
