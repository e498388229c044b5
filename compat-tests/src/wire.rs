//! A second, independent reading of the client protocol: a cursor, a writer, and a blocking
//! connection that sends bursts and hands out frames. It shares nothing with the `jute` crate, so
//! that one mistake cannot hide on both sides of a comparison.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// A server that is silent for this long hangs.
pub(crate) const SILENCE_LIMIT: Duration = Duration::from_secs(10);
/// The silence is that of so many waits in a row. A machine that stands still for as long as the
/// limit, as virtual ones do, ends one of them, and the server can still answer.
const WAITS: u32 = 5;
/// No reply in these tests comes near this size.
const FRAME_LIMIT: usize = 64 << 20;
/// Bytes asked from the socket at once.
const READ_CHUNK: usize = 64 << 10;

/// xid of watch events.
pub(crate) const XID_EVENT: i32 = -1;
/// xid of ping replies.
pub(crate) const XID_PING: i32 = -2;

/// Request types by their names in ZooKeeper.
pub(crate) mod op {
    #![allow(missing_docs)]
    pub(crate) const CREATE: i32 = 1;
    pub(crate) const DELETE: i32 = 2;
    pub(crate) const EXISTS: i32 = 3;
    pub(crate) const GET_DATA: i32 = 4;
    pub(crate) const SET_DATA: i32 = 5;
    pub(crate) const GET_ACL: i32 = 6;
    pub(crate) const SET_ACL: i32 = 7;
    pub(crate) const GET_CHILDREN: i32 = 8;
    pub(crate) const SYNC: i32 = 9;
    pub(crate) const PING: i32 = 11;
    pub(crate) const GET_CHILDREN2: i32 = 12;
    pub(crate) const CHECK: i32 = 13;
    pub(crate) const MULTI: i32 = 14;
    pub(crate) const CREATE2: i32 = 15;
    pub(crate) const RECONFIG: i32 = 16;
    pub(crate) const CHECK_WATCHES: i32 = 17;
    pub(crate) const REMOVE_WATCHES: i32 = 18;
    pub(crate) const CREATE_CONTAINER: i32 = 19;
    pub(crate) const CREATE_TTL: i32 = 21;
    pub(crate) const MULTI_READ: i32 = 22;
    pub(crate) const AUTH: i32 = 100;
    pub(crate) const SET_WATCHES: i32 = 101;
    pub(crate) const SASL: i32 = 102;
    pub(crate) const GET_EPHEMERALS: i32 = 103;
    pub(crate) const GET_ALL_CHILDREN_NUMBER: i32 = 104;
    pub(crate) const SET_WATCHES2: i32 = 105;
    pub(crate) const ADD_WATCH: i32 = 106;
    pub(crate) const WHO_AM_I: i32 = 107;
    pub(crate) const CLOSE_SESSION: i32 = -11;
}

/// Appends jute primitives.
#[derive(Debug, Default, Clone)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    pub(crate) fn int(mut self, value: i32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(crate) fn long(mut self, value: i64) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(crate) fn bool(mut self, value: bool) -> Self {
        self.0.push(u8::from(value));
        self
    }

    /// A buffer; none is null.
    pub(crate) fn buffer(self, value: Option<&[u8]>) -> Self {
        let Some(bytes) = value else {
            return self.int(-1);
        };
        let mut writer = self.int(i32::try_from(bytes.len()).expect("test data is small"));
        writer.0.extend(bytes);
        writer
    }

    /// A string; none is null.
    pub(crate) fn string(self, value: Option<&str>) -> Self {
        self.buffer(value.map(str::as_bytes))
    }

    /// A vector of strings.
    pub(crate) fn strings(self, values: &[String]) -> Self {
        let count = i32::try_from(values.len()).expect("test data is small");
        values
            .iter()
            .fold(self.int(count), |writer, value| writer.string(Some(value)))
    }
}

/// Takes jute primitives from a reply; every failure is an error of the server under test.
#[derive(Debug)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// What was not read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        if count > self.bytes.len() {
            bail!(
                "reply too short: {count} bytes wanted, {} left",
                self.bytes.len()
            );
        }
        let (head, rest) = self.bytes.split_at(count);
        self.bytes = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        Ok(self.take(N)?.try_into()?)
    }

    pub(crate) fn int(&mut self) -> Result<i32> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    pub(crate) fn long(&mut self) -> Result<i64> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    pub(crate) fn bool(&mut self) -> Result<bool> {
        Ok(self.array::<1>()?[0] != 0)
    }

    pub(crate) fn buffer(&mut self) -> Result<Option<&'a [u8]>> {
        match self.int()? {
            -1 => Ok(None),
            length => Ok(Some(self.take(usize::try_from(length)?)?)),
        }
    }

    pub(crate) fn string(&mut self) -> Result<Option<String>> {
        let bytes = self.buffer()?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
    }

    pub(crate) fn strings(&mut self) -> Result<Vec<String>> {
        let count = self.int()?;
        (0..count)
            .map(|_| Ok(self.string()?.unwrap_or_else(|| "<null>".to_owned())))
            .collect()
    }

    pub(crate) fn stat(&mut self) -> Result<Stat> {
        Ok(Stat {
            czxid: self.long()?,
            mzxid: self.long()?,
            ctime: self.long()?,
            mtime: self.long()?,
            version: self.int()?,
            cversion: self.int()?,
            aversion: self.int()?,
            ephemeral_owner: self.long()?,
            data_length: self.int()?,
            num_children: self.int()?,
            pzxid: self.long()?,
        })
    }
}

/// A node's metadata as clients see it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) struct Stat {
    pub(crate) czxid: i64,
    pub(crate) mzxid: i64,
    pub(crate) ctime: i64,
    pub(crate) mtime: i64,
    pub(crate) version: i32,
    pub(crate) cversion: i32,
    pub(crate) aversion: i32,
    pub(crate) ephemeral_owner: i64,
    pub(crate) data_length: i32,
    pub(crate) num_children: i32,
    pub(crate) pzxid: i64,
}

/// The first frame of a connection.
#[derive(Debug, Clone)]
pub(crate) struct ConnectRequest {
    /// Highest zxid the client claims to have seen.
    pub(crate) last_zxid_seen: i64,
    /// Wanted session timeout in milliseconds.
    pub(crate) timeout: i32,
    /// 0 for a new session.
    pub(crate) session_id: i64,
    /// Password of a renewed session.
    pub(crate) password: Option<Vec<u8>>,
    /// The optional last byte; none leaves it out, as old clients do.
    pub(crate) read_only: Option<bool>,
}

impl ConnectRequest {
    /// A new session.
    pub(crate) fn fresh(timeout: i32) -> Self {
        Self {
            last_zxid_seen: 0,
            timeout,
            session_id: 0,
            password: Some(vec![0; 16]),
            read_only: Some(false),
        }
    }

    fn encode(&self) -> Vec<u8> {
        let writer = Writer::default()
            .int(0)
            .long(self.last_zxid_seen)
            .int(self.timeout)
            .long(self.session_id)
            .buffer(self.password.as_deref());
        match self.read_only {
            Some(flag) => writer.bool(flag).0,
            None => writer.0,
        }
    }
}

/// The server's answer to a [`ConnectRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConnectResponse {
    /// Negotiated timeout in milliseconds; 0 says that the session is gone.
    pub(crate) timeout: i32,
    /// The session.
    pub(crate) session_id: i64,
    /// Its password.
    pub(crate) password: Vec<u8>,
    /// The optional last byte.
    pub(crate) read_only: Option<bool>,
}

impl ConnectResponse {
    fn decode(frame: &[u8]) -> Result<Self> {
        let mut cursor = Cursor::new(frame);
        let version = cursor.int()?;
        if version != 0 {
            bail!("protocol version {version}");
        }
        let (timeout, session_id) = (cursor.int()?, cursor.long()?);
        let password = cursor.buffer()?.context("null password")?.to_vec();
        let read_only = if cursor.rest().is_empty() {
            None
        } else {
            Some(cursor.bool()?)
        };
        if !cursor.rest().is_empty() {
            bail!("trailing bytes in a connect response");
        }
        Ok(Self {
            timeout,
            session_id,
            password,
            read_only,
        })
    }
}

/// A blocking connection that separates sending from receiving.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    taken: usize,
}

impl Connection {
    /// Opens a TCP connection; nothing is sent.
    ///
    /// # Errors
    /// When the server does not accept.
    pub(crate) fn open(address: SocketAddr) -> Result<Self> {
        Self::open_within(address, SILENCE_LIMIT)
    }

    /// As [`Connection::open`], for servers that may stay silent: `limit` bounds the connect,
    /// and every wait for bytes.
    ///
    /// # Errors
    /// When the server does not accept.
    pub(crate) fn open_within(address: SocketAddr, limit: Duration) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, limit)?;
        stream.set_nodelay(true)?;
        let connection = Self {
            stream,
            received: Vec::new(),
            taken: 0,
        };
        connection.limit(limit)?;
        Ok(connection)
    }

    /// From now on `limit` bounds every wait.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn limit(&self, limit: Duration) -> Result<()> {
        self.stream.set_read_timeout(Some(limit / WAITS))?;
        Ok(self.stream.set_write_timeout(Some(limit))?)
    }

    /// Sends a connect request and waits for the answer; none if the server closed instead.
    ///
    /// # Errors
    /// On a socket failure or a malformed answer.
    pub(crate) fn handshake(
        &mut self,
        request: &ConnectRequest,
    ) -> Result<Option<ConnectResponse>> {
        self.handshake_with(request, &[])
    }

    /// As [`Connection::handshake`], with `more` in the same write, not waiting for the answer.
    ///
    /// # Errors
    /// As [`Connection::handshake`].
    pub(crate) fn handshake_with(
        &mut self,
        request: &ConnectRequest,
        more: &[u8],
    ) -> Result<Option<ConnectResponse>> {
        let mut bytes = framed(&request.encode());
        bytes.extend_from_slice(more);
        self.send(&bytes)?;
        let frame = self.frame()?;
        frame
            .map(|frame| ConnectResponse::decode(&frame))
            .transpose()
    }

    /// Writes raw bytes.
    ///
    /// # Errors
    /// On a socket failure.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).context("sending")
    }

    /// The next frame; none at the end of the stream (an abort counts as its end).
    ///
    /// # Errors
    /// On silence, a frame cut short, or an absurd length.
    pub(crate) fn frame(&mut self) -> Result<Option<Vec<u8>>> {
        loop {
            let pending = &self.received[self.taken..];
            if let Some(head) = pending.first_chunk::<4>() {
                let length = usize::try_from(i32::from_be_bytes(*head)).context("frame length")?;
                if length > FRAME_LIMIT {
                    bail!("frame of {length} bytes");
                }
                if let Some(frame) = pending.get(4..4 + length) {
                    let frame = frame.to_vec();
                    self.taken += 4 + length;
                    return Ok(Some(frame));
                }
            }
            if !self.fill()? {
                if self.taken < self.received.len() {
                    bail!("connection closed inside a frame");
                }
                return Ok(None);
            }
        }
    }

    fn fill(&mut self) -> Result<bool> {
        self.received.drain(..self.taken);
        self.taken = 0;
        let mut chunk = [0; READ_CHUNK];
        let mut waits = 0;
        loop {
            match self.stream.read(&mut chunk) {
                Ok(count) => {
                    self.received.extend_from_slice(&chunk[..count]);
                    return Ok(count > 0);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(false),
                Err(error) if error.kind() == ErrorKind::WouldBlock && waits + 1 < WAITS => {
                    waits += 1;
                }
                Err(error) => return Err(error).context("no answer from the server"),
            }
        }
    }
}

/// Whether it was for want of an answer that something failed.
pub(crate) fn is_silence(error: &anyhow::Error) -> bool {
    let cause = error.root_cause().downcast_ref::<std::io::Error>();
    cause.is_some_and(|error| error.kind() == ErrorKind::WouldBlock)
}

/// `body` behind its length.
pub(crate) fn framed(body: &[u8]) -> Vec<u8> {
    Writer::default().buffer(Some(body)).0
}

/// A request frame.
pub(crate) fn request(xid: i32, code: i32, body: &[u8]) -> Vec<u8> {
    let mut bytes = Writer::default().int(xid).int(code).0;
    bytes.extend_from_slice(body);
    framed(&bytes)
}

/// A session that sends one request at a time.
#[derive(Debug)]
pub(crate) struct Session {
    connection: Connection,
    xid: i32,
    /// What the server answered at connect.
    pub(crate) opened: ConnectResponse,
}

impl Session {
    /// Connects with `request`.
    ///
    /// # Errors
    /// On a socket failure, or when the server refuses the session.
    pub(crate) fn connect(address: SocketAddr, request: &ConnectRequest) -> Result<Self> {
        let mut connection = Connection::open(address)?;
        let opened = connection
            .handshake(request)?
            .context("connection closed at connect")?;
        if opened.timeout <= 0 {
            bail!("session refused");
        }
        Ok(Self {
            connection,
            xid: 0,
            opened,
        })
    }

    /// Sends one request and returns its error code and body; events in between are skipped.
    ///
    /// # Errors
    /// On a socket failure or when the connection is closed.
    pub(crate) fn call(&mut self, code: i32, body: &[u8]) -> Result<(i32, Vec<u8>)> {
        self.xid += 1;
        let bytes = request(self.xid, code, body);
        self.connection.send(&bytes)?;
        loop {
            let frame = self.connection.frame()?.context("connection closed")?;
            let mut cursor = Cursor::new(&frame);
            let (xid, _zxid, error) = (cursor.int()?, cursor.long()?, cursor.int()?);
            if xid != XID_EVENT {
                return Ok((error, cursor.rest().to_vec()));
            }
        }
    }

    /// As [`Session::call`], and any error code is a failure.
    ///
    /// # Errors
    /// As [`Session::call`], or when the server answers with an error.
    pub(crate) fn expect(&mut self, code: i32, body: &[u8]) -> Result<Vec<u8>> {
        match self.call(code, body)? {
            (0, body) => Ok(body),
            (error, _) => bail!("request of type {code} failed with {error}"),
        }
    }
}

/// Body of create, create2 and createContainer with an open ACL.
pub(crate) fn create_body(path: &str, data: &[u8], flags: i32) -> Vec<u8> {
    let writer = Writer::default()
        .string(Some(path))
        .buffer(Some(data))
        .int(1);
    let writer = writer.int(31).string(Some("world")).string(Some("anyone"));
    writer.int(flags).0
}

/// Body of a multi: a type and a body for each operation.
pub(crate) fn multi_body(ops: &[(i32, Vec<u8>)]) -> Vec<u8> {
    let mut writer = Writer::default();
    for (code, body) in ops {
        writer = writer.int(*code).bool(false).int(-1);
        writer.0.extend(body);
    }
    writer.int(-1).bool(true).int(-1).0
}

/// Body of an auth packet.
pub(crate) fn auth_body(scheme: &str, auth: &[u8]) -> Vec<u8> {
    Writer::default()
        .int(0)
        .string(Some(scheme))
        .buffer(Some(auth))
        .0
}

/// Body of the requests that carry a path and a watch flag.
pub(crate) fn path_watch_body(path: &str, watch: bool) -> Vec<u8> {
    Writer::default().string(Some(path)).bool(watch).0
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Duration;

    use super::{ConnectRequest, Connection, Cursor, Writer, framed, is_silence, request};

    #[test]
    fn silence_is_told_from_an_end() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let limit = Duration::from_millis(50);
        let mut connection = Connection::open_within(address, limit).expect("it listens");
        let error = connection.frame().expect_err("nothing comes");
        assert!(is_silence(&error), "{error:#}");
        drop(listener);
        assert_eq!(connection.frame().expect("an end"), None);
    }

    #[test]
    fn frames_have_the_documented_bytes() {
        // The example of a new session in the protocol sheet.
        let mut expected = vec![0, 0, 0, 0x2d];
        expected.extend([0; 14]);
        expected.extend([0x27, 0x10]);
        expected.extend([0; 8]);
        expected.extend([0, 0, 0, 16]);
        expected.extend([0; 17]);
        assert_eq!(framed(&ConnectRequest::fresh(10_000).encode()), expected);
        assert_eq!(request(1, 11, &[]), [0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 11]);
    }

    #[test]
    fn null_and_empty_stay_apart() {
        let bytes = Writer::default()
            .buffer(None)
            .buffer(Some(b""))
            .string(Some("x"))
            .0;
        let mut cursor = Cursor::new(&bytes);
        assert_eq!(cursor.buffer().expect("null"), None);
        assert_eq!(cursor.buffer().expect("empty"), Some(&b""[..]));
        assert_eq!(cursor.string().expect("x").as_deref(), Some("x"));
        assert!(cursor.int().is_err());
    }
}
