//! The other side of the wire, byte by byte.

use jute::quorum::ServerId;
use jute::quorum::election::{InitialForm, InitialMessage};
use jute::wire::Encode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use zab::election::Notification;

use super::super::conversation::prepare;
use super::node::{Seat, message, options, within};
use crate::net::socket::listen;

/// The initial message of a server with one address.
pub(super) fn initial(seat: &Seat) -> Vec<u8> {
    let message = InitialMessage {
        form: InitialForm::V1,
        server: ServerId(seat.id),
        addresses: vec![seat.endpoint()],
    };
    let mut out = Vec::new();
    message.encode(&mut out);
    out
}

pub(super) fn frame(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    jute::frame::append(&mut out, |out| out.extend_from_slice(body));
    out
}

/// Listens where a server of the ensemble should.
pub(super) struct RawServer {
    listener: TcpListener,
}

impl RawServer {
    pub(super) fn listen(seat: &Seat) -> Self {
        let listener = listen(seat.port.address(), 16).expect("the port is free");
        Self { listener }
    }

    /// Takes the next connection, which must begin with the initial message of `from`.
    pub(super) async fn accept(&self, from: &Seat) -> RawLink {
        let (stream, _) = within(self.listener.accept()).await.expect("a connection");
        let mut link = RawLink { stream };
        let expected = initial(from);
        assert_eq!(link.read(expected.len()).await, expected);
        link
    }
}

pub(super) struct RawLink {
    pub(super) stream: TcpStream,
}

impl RawLink {
    pub(super) async fn dial(to: &Seat) -> Self {
        let stream = within(TcpStream::connect(to.port.address())).await;
        let stream = stream.expect("it listens");
        prepare(&stream, &options()).expect("a socket");
        Self { stream }
    }

    /// Dials and sends the initial message of `from`.
    pub(super) async fn dial_as(from: &Seat, to: &Seat) -> Self {
        let mut link = Self::dial(to).await;
        link.write(&initial(from)).await;
        link
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) {
        within(self.stream.write_all(bytes)).await.expect("written");
    }

    pub(super) async fn send(&mut self, round: i64) {
        self.write(&frame(&message(round).to_bytes())).await;
    }

    pub(super) async fn read(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        let read = within(self.stream.read_exact(&mut bytes)).await;
        read.expect("so many bytes");
        bytes
    }

    pub(super) async fn notification(&mut self) -> Notification {
        let prefix = self.read(4).await;
        let len = u32::from_be_bytes(prefix.try_into().expect("four bytes"));
        let body = self.read(len as usize).await;
        Notification::from_bytes(&body).expect("a notification")
    }

    /// The round of the next message.
    pub(super) async fn received(&mut self) -> i64 {
        self.notification().await.round
    }

    /// Waits for the end of the connection; nothing must come before it.
    pub(super) async fn closed(mut self) {
        let mut rest = Vec::new();
        // A reset is an end too: we may have sent more than was read.
        let _ = within(self.stream.read_to_end(&mut rest)).await;
        assert_eq!(rest, b"", "received before the end");
    }

    /// Ends it as a process does that is killed with data unread.
    pub(super) fn reset(self) {
        socket2::SockRef::from(&self.stream)
            .set_linger(Some(std::time::Duration::ZERO))
            .expect("a socket");
    }
}
