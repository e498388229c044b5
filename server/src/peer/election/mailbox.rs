use bytes::{Bytes, BytesMut};
use jute::quorum::Endpoint;
use parking_lot::Mutex;
use std::net::SocketAddr;
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// A connection behind its initial message, and with the challenge won.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    /// The other end.
    pub(super) address: SocketAddr,
    /// Received already.
    pub(super) input: BytesMut,
    /// Where its dialler says that it can be dialled; nothing if that is us.
    pub(super) told: Vec<Endpoint>,
}

/// What came from a peer that dialled.
#[derive(Debug)]
pub(super) enum Arrival {
    /// A connection that stands.
    Connection(Connection),
    /// The wish to be dialled at these addresses, from a server with a smaller id. If there are
    /// none, at those known.
    CallBack(Vec<Endpoint>),
}

/// What a peer's task is to do next. One of each kind, the newest.
#[derive(Debug, Default)]
pub(super) struct Mail {
    /// The frame that is to be sent.
    pub(super) message: Option<Bytes>,
    /// Somebody wanted to send since the last dial.
    pub(super) wanted: bool,
    /// What the peer did.
    pub(super) arrival: Option<Arrival>,
}

/// Where others put what a peer's task is to do.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    mail: Mutex<Mail>,
    wake: Notify,
}

impl Mailbox {
    /// Puts something in, or takes something out, and wakes the task.
    pub(super) fn post(&self, put: impl FnOnce(&mut Mail)) {
        put(&mut self.mail.lock());
        self.wake.notify_one();
    }

    /// Looks inside, from the task.
    pub(super) fn with<T>(&self, look: impl FnOnce(&mut Mail) -> T) -> T {
        look(&mut self.mail.lock())
    }

    /// Waits until something was put in since the last wait.
    pub(super) async fn changed(&self) {
        self.wake.notified().await;
    }

    /// Waits for a connection. The wish to be called back stays.
    pub(super) async fn connection(&self) -> Connection {
        loop {
            let arrived = self.with(|mail| match mail.arrival.take() {
                Some(Arrival::Connection(connection)) => Some(connection),
                other => {
                    mail.arrival = other;
                    None
                }
            });
            match arrived {
                Some(connection) => return connection,
                None => self.changed().await,
            }
        }
    }
}
