use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use jute::OpCode;
use jute::data::Stat;
use jute::proto::{
    AuthPacket, ConnectRequest, ConnectResponse, CreateResponse, ExistsResponse,
    GetChildrenRequest, GetChildrenResponse, GetDataResponse, ReplyHeader, RequestHeader,
    SetDataResponse, WatcherEvent,
};
use jute::wire::{Decode, Encode, Limits, Reader};

/// So long a test waits for a server before it fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A frame around a body.
pub(crate) fn frame(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 4);
    jute::frame::append(&mut out, |out| out.extend_from_slice(body));
    out
}

/// A request for a new session.
pub(crate) fn connect_request(timeout_ms: i32) -> ConnectRequest<'static> {
    ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: 0,
        timeout_ms,
        session_id: 0,
        passwd: Some(&[0; 16]),
        read_only: Some(false),
    }
}

/// A connection that moves bytes and frames.
pub(crate) struct Wire {
    pub(crate) stream: TcpStream,
}

impl Wire {
    pub(crate) fn open(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).expect("the server listens"))
    }

    pub(crate) fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("a live socket");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a live socket");
        stream
            .set_write_timeout(Some(PATIENCE))
            .expect("a live socket");
        Self { stream }
    }

    /// Sends bytes; a server that has closed meanwhile shows when it is read.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        if let Err(error) = self.stream.write_all(bytes) {
            let closed = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
            assert!(closed.contains(&error.kind()), "cannot send: {error}");
        }
    }

    /// The next frame's body; `None` if the server closed before a byte of it.
    pub(crate) fn receive(&mut self) -> Option<Vec<u8>> {
        let mut prefix = [0; 4];
        if !self.fill(&mut prefix) {
            return None;
        }
        let len = i32::from_be_bytes(prefix);
        let mut body = vec![0; usize::try_from(len).expect("a length is not negative")];
        assert!(self.fill(&mut body), "closed in the middle of a frame");
        Some(body)
    }

    /// False at the end of the stream.
    fn fill(&mut self, buffer: &mut [u8]) -> bool {
        match self.stream.read_exact(buffer) {
            Ok(()) => true,
            Err(error) => match error.kind() {
                ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset => false,
                _ => panic!("no bytes from the server: {error}"),
            },
        }
    }

    /// Everything up to the end of the stream.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            Err(error) => panic!("the server does not close: {error}"),
        }
        rest
    }

    /// Sends a ConnectRequest and reads the answer.
    pub(crate) fn handshake(&mut self, request: &ConnectRequest<'_>) -> Option<Vec<u8>> {
        self.send(&frame(&super::bytes(request)));
        self.receive()
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) xid: i32,
    pub(crate) zxid: i64,
    pub(crate) err: i32,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    fn parse(frame: &[u8]) -> Self {
        let mut reader = Reader::new(frame, Limits::default());
        let header = ReplyHeader::decode(&mut reader).expect("a reply header");
        Self {
            xid: header.xid,
            zxid: header.zxid,
            err: header.err,
            body: reader.rest().to_vec(),
        }
    }

    /// The body as a record of this type.
    pub(crate) fn decode<'a, T: Decode<'a>>(&'a self) -> T {
        assert_eq!(self.err, 0, "the request failed");
        T::decode(&mut Reader::new(&self.body, Limits::default())).expect("a whole record")
    }
}

/// A watch event: its type, its path and the zxid in its header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) kind: i32,
    pub(crate) path: String,
    pub(crate) zxid: i64,
}

/// A client with a session.
pub(crate) struct Client {
    pub(crate) wire: Wire,
    pub(crate) session: i64,
    pub(crate) passwd: [u8; 16],
    /// Events that came before the last answer, oldest first.
    pub(crate) events: VecDeque<Event>,
    xid: i32,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::with_timeout(address, 10_000)
    }

    pub(crate) fn with_timeout(address: SocketAddr, timeout_ms: i32) -> Self {
        Self::open(address, &connect_request(timeout_ms)).expect("a session")
    }

    /// `None` if the server closes, or says that the session has expired.
    pub(crate) fn open(address: SocketAddr, request: &ConnectRequest<'_>) -> Option<Self> {
        Self::try_open(Wire::open(address), request).flatten()
    }

    /// `None` if the server closes; nothing inside if it says that the session has expired.
    pub(crate) fn try_open(mut wire: Wire, request: &ConnectRequest<'_>) -> Option<Option<Self>> {
        let answer = wire.handshake(request)?;
        let mut reader = Reader::new(&answer, Limits::default());
        let response = ConnectResponse::decode(&mut reader).expect("a ConnectResponse");
        let passwd = response.passwd.expect("a password");
        let established = response.session_id != 0;
        Some(established.then(|| Self {
            wire,
            session: response.session_id,
            passwd: passwd.try_into().expect("16 bytes"),
            events: VecDeque::new(),
            xid: 0,
        }))
    }

    /// A request that goes on with this client's session.
    pub(crate) fn renewal(&self) -> ConnectRequest<'_> {
        ConnectRequest {
            session_id: self.session,
            passwd: Some(&self.passwd),
            ..connect_request(10_000)
        }
    }

    /// The frame of a request under the next xid.
    pub(crate) fn request(&mut self, op: OpCode, record: &impl Encode) -> Vec<u8> {
        self.xid += 1;
        Self::request_as(self.xid, op.as_i32(), &super::bytes(record))
    }

    pub(crate) fn request_as(xid: i32, op: i32, record: &[u8]) -> Vec<u8> {
        let mut body = super::bytes(&RequestHeader { xid, op });
        body.extend_from_slice(record);
        frame(&body)
    }

    /// Sends without waiting.
    pub(crate) fn send(&mut self, op: OpCode, record: &impl Encode) {
        let request = self.request(op, record);
        self.wire.send(&request);
    }

    /// The next answer, `None` if the server closed; events before it are kept.
    pub(crate) fn reply(&mut self) -> Option<Reply> {
        loop {
            let reply = Reply::parse(&self.wire.receive()?);
            if reply.xid != ReplyHeader::NOTIFICATION_XID {
                return Some(reply);
            }
            self.keep(&reply);
        }
    }

    /// The next event: one that is kept or one that comes.
    pub(crate) fn event(&mut self) -> Event {
        while self.events.is_empty() {
            let reply = Reply::parse(&self.wire.receive().expect("an event, not a close"));
            assert_eq!(reply.xid, ReplyHeader::NOTIFICATION_XID);
            self.keep(&reply);
        }
        self.events.pop_front().expect("not empty")
    }

    fn keep(&mut self, reply: &Reply) {
        let event: WatcherEvent<'_> = reply.decode();
        assert_eq!(event.state, 3, "events say SyncConnected");
        self.events.push_back(Event {
            kind: event.event_type,
            path: event.path.expect("a path").into_owned(),
            zxid: reply.zxid,
        });
    }

    /// One request and its answer.
    pub(crate) fn call(&mut self, op: OpCode, record: &impl Encode) -> Reply {
        self.send(op, record);
        let reply = self.reply().expect("an answer, not a close");
        if op != OpCode::Ping {
            assert_eq!(reply.xid, self.xid, "answers come in order");
        }
        reply
    }

    /// A request with a body of any bytes.
    pub(crate) fn call_raw(&mut self, op: i32, body: &[u8]) -> Option<Reply> {
        self.xid += 1;
        let request = Self::request_as(self.xid, op, body);
        self.wire.send(&request);
        self.reply()
    }

    /// Adds credentials, or tries to.
    pub(crate) fn auth(&mut self, scheme: &str, auth: Option<&[u8]>) -> Option<Reply> {
        let packet = AuthPacket {
            kind: 0,
            scheme: Some(scheme.into()),
            auth,
        };
        let (xid, op) = (ReplyHeader::AUTH_XID, OpCode::Auth.as_i32());
        let request = Self::request_as(xid, op, &super::bytes(&packet));
        self.wire.send(&request);
        self.reply()
    }

    pub(crate) fn create(&mut self, path: &str, data: &[u8], flags: i32) -> Reply {
        self.call(OpCode::Create, &super::create(path, data, flags))
    }

    /// Creates and gives the path back, which must succeed.
    pub(crate) fn created(&mut self, path: &str, flags: i32) -> String {
        let reply = self.create(path, b"", flags);
        let response: CreateResponse<'_> = reply.decode();
        response.path.expect("a path").into_owned()
    }

    pub(crate) fn set(&mut self, path: &str, data: &[u8]) -> Reply {
        self.call(OpCode::SetData, &super::set(path, data, -1))
    }

    pub(crate) fn set_stat(&mut self, path: &str, data: &[u8], version: i32) -> Stat {
        let reply = self.call(OpCode::SetData, &super::set(path, data, version));
        reply.decode::<SetDataResponse>().stat
    }

    pub(crate) fn delete(&mut self, path: &str) -> Reply {
        self.call(OpCode::Delete, &super::delete(path, -1))
    }

    pub(crate) fn get(&mut self, path: &str, watch: bool) -> Reply {
        self.call(OpCode::GetData, &super::get(path, watch))
    }

    pub(crate) fn data(&mut self, path: &str) -> Option<Vec<u8>> {
        let reply = self.get(path, false);
        let response: GetDataResponse<'_> = reply.decode();
        response.data.map(<[u8]>::to_vec)
    }

    pub(crate) fn exists(&mut self, path: &str, watch: bool) -> Reply {
        self.call(OpCode::Exists, &super::exists(path, watch))
    }

    pub(crate) fn stat(&mut self, path: &str) -> Stat {
        self.exists(path, false).decode::<ExistsResponse>().stat
    }

    pub(crate) fn children(&mut self, path: &str, watch: bool) -> Vec<String> {
        let request = GetChildrenRequest {
            path: Some(path.into()),
            watch,
        };
        let reply = self.call(OpCode::GetChildren, &request);
        let response: GetChildrenResponse<'_> = reply.decode();
        let names = response.children.expect("a list").into_iter();
        let mut names: Vec<_> = names.map(|name| name.expect("a name").into()).collect();
        names.sort();
        names
    }

    pub(crate) fn ping(&mut self) {
        let reply = self.call_raw(OpCode::Ping.as_i32(), &[]);
        assert_eq!(reply.expect("a pong").xid, ReplyHeader::PING_XID);
    }

    pub(crate) fn close(mut self) {
        let reply = self.call_raw(OpCode::CloseSession.as_i32(), &[]);
        assert_eq!(reply.expect("an answer").err, 0);
        assert_eq!(self.wire.rest(), b"");
    }
}
