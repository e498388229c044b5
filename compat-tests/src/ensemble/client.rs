//! A session that outlives its connections, one request at a time, and that knows of every
//! request whether it was done, was not done, or may have been.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::server::SUPER_AUTH;
use crate::wire::{
    ConnectRequest, Connection, Cursor, Stat, Writer, XID_EVENT, XID_PING, auth_body, create_body,
    op, path_watch_body, request,
};

/// xid of auth packets.
const XID_AUTH: i32 = -4;
/// xid of setWatches.
const XID_SET_WATCHES: i32 = -8;
/// Pause between two attempts to connect.
const RETRY: Duration = Duration::from_millis(5);

/// How long a client waits, and for how long its session lives.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// For a connection and the session on it; then the next server is tried.
    pub(crate) connect: Duration,
    /// For each answer.
    pub(crate) answer: Duration,
    /// Session timeout in milliseconds.
    pub(crate) session: i32,
}

impl Patience {
    /// Gives a silent server up soon, and keeps its session through any fail-over.
    pub(crate) const USUAL: Self = Self {
        connect: Duration::from_secs(1),
        answer: Duration::from_secs(4),
        session: 60_000,
    };
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was answered.
    Answered(Reply),
    /// It was sent; whether it was done is unknown.
    Unknown,
    /// It was never sent.
    NotSent,
}

/// The server's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    /// zxid of the header.
    pub(crate) zxid: i64,
    /// Error code, 0 for none.
    pub(crate) error: i32,
    /// What follows the header.
    pub(crate) body: Vec<u8>,
}

/// One session.
#[derive(Debug)]
pub(crate) struct Client {
    addresses: Vec<SocketAddr>,
    /// Which address is next.
    at: usize,
    patience: Patience,
    session: Option<(i64, Vec<u8>)>,
    link: Option<Connection>,
    xid: i32,
    /// Highest zxid that the session has been shown.
    seen: i64,
    /// zxids that went back, which no session may ever see.
    pub(crate) went_back: Vec<(i64, i64)>,
    /// Watch events, as type and path.
    pub(crate) events: Vec<(i32, String)>,
    /// Sessions that ended other than by this client's wish.
    pub(crate) sessions_lost: u32,
    /// Connections that ended other than by this client's wish.
    pub(crate) connections_lost: u32,
}

impl Client {
    /// A client of these servers, tried in turn from the first; nothing is sent yet.
    pub(crate) fn new(addresses: &[SocketAddr], patience: Patience) -> Self {
        assert!(!addresses.is_empty(), "a client needs a server");
        Self {
            addresses: addresses.to_vec(),
            at: 0,
            patience,
            session: None,
            link: None,
            xid: 0,
            seen: 0,
            went_back: Vec::new(),
            events: Vec::new(),
            sessions_lost: 0,
            connections_lost: 0,
        }
    }

    /// A connected client.
    ///
    /// # Errors
    /// When no server takes it within `limit`.
    pub(crate) fn connected(
        addresses: &[SocketAddr],
        patience: Patience,
        limit: Duration,
    ) -> Result<Self> {
        let mut client = Self::new(addresses, patience);
        client.await_connection(limit)?;
        Ok(client)
    }

    /// Session id, or 0.
    pub(crate) fn session_id(&self) -> i64 {
        self.session.as_ref().map_or(0, |session| session.0)
    }

    /// Tries until a server takes the session.
    ///
    /// # Errors
    /// The last attempt's, after `limit`.
    pub(crate) fn await_connection(&mut self, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        loop {
            match self.connect() {
                Ok(()) => return Ok(()),
                Err(error) if Instant::now() >= deadline => return Err(error),
                Err(_) => std::thread::sleep(RETRY),
            }
        }
    }

    /// Goes on with these servers; the connection is given up, the session is not.
    pub(crate) fn move_to(&mut self, addresses: &[SocketAddr]) {
        self.link = None;
        self.addresses = addresses.to_vec();
        self.at = 0;
    }

    /// One attempt to connect, if there is no connection. A session that is refused is counted as
    /// lost, and the next attempt opens another.
    ///
    /// # Errors
    /// When the next server does not take it.
    pub(crate) fn connect(&mut self) -> Result<()> {
        if self.link.is_some() {
            return Ok(());
        }
        let address = self.addresses[self.at % self.addresses.len()];
        self.at += 1;
        let mut link = Connection::open_within(address, self.patience.connect)?;
        let mut wanted = ConnectRequest::fresh(self.patience.session);
        wanted.last_zxid_seen = self.seen;
        if let Some((id, password)) = &self.session {
            wanted.session_id = *id;
            wanted.password = Some(password.clone());
        }
        let answer = link.handshake(&wanted)?.context("closed at connect")?;
        if answer.timeout <= 0 {
            self.sessions_lost += 1;
            self.session = None;
            self.seen = 0;
            bail!("the session is gone");
        }
        link.limit(self.patience.answer)?;
        self.session = Some((answer.session_id, answer.password));
        self.link = Some(link);
        Ok(())
    }

    /// Sends one request and waits; connects first if need be, once.
    pub(crate) fn call(&mut self, code: i32, body: &[u8]) -> Outcome {
        self.xid = self.xid.wrapping_add(1).max(1);
        self.call_as(self.xid, code, body)
    }

    /// Sends one request on the connection there is, and waits for nothing.
    ///
    /// # Errors
    /// When there is no connection, or it ends.
    pub(crate) fn send_only(&mut self, code: i32, body: &[u8]) -> Result<()> {
        self.xid = self.xid.wrapping_add(1).max(1);
        let link = self.link.as_mut().context("no connection")?;
        link.send(&request(self.xid, code, body))
    }

    fn call_as(&mut self, xid: i32, code: i32, body: &[u8]) -> Outcome {
        if self.connect().is_err() {
            std::thread::sleep(RETRY);
            return Outcome::NotSent;
        }
        let Some(link) = &mut self.link else {
            return Outcome::NotSent;
        };
        let answered = link
            .send(&request(xid, code, body))
            .and_then(|()| self.answer(xid));
        match answered {
            Ok(reply) => Outcome::Answered(reply),
            Err(_) => {
                self.connections_lost += 1;
                self.link = None;
                Outcome::Unknown
            }
        }
    }

    /// The next answer that is no event, with its xid.
    fn receive(&mut self) -> Result<(i32, Reply)> {
        let link = self.link.as_mut().context("no connection")?;
        loop {
            let frame = link.frame()?.context("closed")?;
            let mut cursor = Cursor::new(&frame);
            let (xid, zxid, error) = (cursor.int()?, cursor.long()?, cursor.int()?);
            if xid == XID_EVENT {
                let (kind, _state) = (cursor.int()?, cursor.int()?);
                let path = cursor.string()?.unwrap_or_default();
                self.events.push((kind, path));
                continue;
            }
            // Pings say what the server has, in any order with what it has sent.
            if xid > 0 {
                if zxid < self.seen {
                    self.went_back.push((self.seen, zxid));
                }
                self.seen = self.seen.max(zxid);
            }
            let body = cursor.rest().to_vec();
            return Ok((xid, Reply { zxid, error, body }));
        }
    }

    fn answer(&mut self, wanted: i32) -> Result<Reply> {
        let (xid, reply) = self.receive()?;
        if xid != wanted {
            bail!("xid {xid} instead of {wanted}");
        }
        Ok(reply)
    }

    /// Up to `count` answers to what was sent by [`Client::send_only`], in the order in which
    /// they come; fewer if the connection ends, or nothing comes until `deadline`.
    pub(crate) fn answers(&mut self, count: usize, deadline: Instant) -> Vec<Reply> {
        let mut heard = Vec::new();
        while heard.len() < count {
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(link) = &self.link else { break };
            if left.is_zero() || link.limit(left).is_err() {
                break;
            }
            match self.receive() {
                Ok((_, reply)) => heard.push(reply),
                Err(_) => self.link = None,
            }
        }
        heard
    }

    /// Ends the session, if there is a connection; nothing is awaited.
    pub(crate) fn close(&mut self) {
        let _ = self.send_only(op::CLOSE_SESSION, &[]);
        self.link = None;
        self.session = None;
    }

    /// A ping; false if the connection is gone, which is not opened again.
    pub(crate) fn ping(&mut self) -> bool {
        self.link.is_some() && matches!(self.call_as(XID_PING, op::PING, &[]), Outcome::Answered(_))
    }

    /// Repeats an idempotent request until it is answered without an error.
    ///
    /// # Errors
    /// When `limit` is over, or the answer is an error.
    pub(crate) fn insist(&mut self, code: i32, body: &[u8], limit: Duration) -> Result<Reply> {
        let deadline = Instant::now() + limit;
        loop {
            match self.call(code, body) {
                Outcome::Answered(reply) if reply.error == 0 => return Ok(reply),
                Outcome::Answered(reply) => bail!("request {code} failed with {}", reply.error),
                other if Instant::now() >= deadline => {
                    bail!("request {code}: {other:?} after {limit:?}")
                }
                _ => {}
            }
        }
    }

    /// Tells a new server which data watches the session had, as libraries do after a move.
    /// Events that were missed come before the answer.
    ///
    /// # Errors
    /// When it is not answered, or with an error.
    pub(crate) fn set_data_watches(&mut self, paths: &[String], limit: Duration) -> Result<()> {
        self.await_connection(limit)?;
        let writer = Writer::default().long(self.seen).strings(paths);
        let body = writer.strings(&[]).strings(&[]).0;
        match self.call_as(XID_SET_WATCHES, op::SET_WATCHES, &body) {
            Outcome::Answered(reply) if reply.error == 0 => Ok(()),
            other => bail!("setWatches: {other:?}"),
        }
    }

    /// Becomes the super user.
    ///
    /// # Errors
    /// As [`Client::insist`].
    pub(crate) fn become_super(&mut self, limit: Duration) -> Result<()> {
        self.await_connection(limit)?;
        match self.call_as(XID_AUTH, op::AUTH, &auth_body("digest", SUPER_AUTH)) {
            Outcome::Answered(reply) if reply.error == 0 => Ok(()),
            other => bail!("auth: {other:?}"),
        }
    }

    /// Creates an open node; one that is there already is as good.
    ///
    /// # Errors
    /// As [`Client::insist`].
    pub(crate) fn ensure_node(&mut self, path: &str, data: &[u8], limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        loop {
            match self.call(op::CREATE, &create_body(path, data, 0)) {
                Outcome::Answered(reply) if matches!(reply.error, 0 | NODE_EXISTS) => return Ok(()),
                Outcome::Answered(reply) => bail!("create {path} failed with {}", reply.error),
                other if Instant::now() >= deadline => bail!("create {path}: {other:?}"),
                _ => {}
            }
        }
    }

    /// Data and Stat of a node.
    ///
    /// # Errors
    /// As [`Client::insist`].
    pub(crate) fn get(&mut self, path: &str, limit: Duration) -> Result<(Vec<u8>, Stat)> {
        let reply = self.insist(op::GET_DATA, &path_watch_body(path, false), limit)?;
        data_and_stat(&reply.body)
    }

    /// Brings the connected server up to its leader.
    ///
    /// # Errors
    /// As [`Client::insist`].
    pub(crate) fn sync(&mut self, limit: Duration) -> Result<()> {
        self.insist(op::SYNC, &path_body("/"), limit).map(drop)
    }
}

/// -110.
pub(crate) const NODE_EXISTS: i32 = -110;
/// -103.
pub(crate) const BAD_VERSION: i32 = -103;

/// Body of a sync.
pub(crate) fn path_body(path: &str) -> Vec<u8> {
    Writer::default().string(Some(path)).0
}

/// Body of a setData; -1 for any version.
pub(crate) fn set_body(path: &str, data: &[u8], version: i32) -> Vec<u8> {
    let writer = Writer::default().string(Some(path)).buffer(Some(data));
    writer.int(version).0
}

/// Reads the answer of a getData.
///
/// # Errors
/// When it is cut short.
pub(crate) fn data_and_stat(body: &[u8]) -> Result<(Vec<u8>, Stat)> {
    let mut cursor = Cursor::new(body);
    let data = cursor.buffer()?.unwrap_or_default().to_vec();
    Ok((data, cursor.stat()?))
}
