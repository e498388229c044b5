//! The sending half of a connection between servers.
//!
//! Packets are queued by the thread that decides and sent by it, as far as the socket takes them
//! at once; the rest is sent by the connection's task.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::sync::OnceLock;
use std::time::Duration;

use parking_lot::Mutex;
use socket2::SockRef;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use zab::ServerId;

/// What is queued when a connection is to close in order is sent within this time, or not at all.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The sending half of a connection to another server.
pub(crate) struct PeerSocket {
    half: OwnedWriteHalf,
    name: PeerName,
    outbox: Mutex<Outbox>,
    /// There is something to send, or to close, that could not be sent at once.
    wake: Notify,
    /// To be closed behind what is queued.
    closing: CancellationToken,
    /// To be closed at once.
    cut: CancellationToken,
}

/// Who is at the other end.
struct PeerName {
    address: SocketAddr,
    /// Known when it has said so.
    server: OnceLock<ServerId>,
}

impl fmt::Display for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(server) = self.server.get() {
            write!(f, "server {server} at ")?;
        }
        write!(f, "{}", self.address)
    }
}

#[derive(Default)]
struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
    /// Bytes handed in and taken by the socket so far.
    queued_total: u64,
    sent_total: u64,
    /// Where packets end, and what each counts for.
    costs: VecDeque<(u64, usize)>,
}

/// What is left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flush {
    /// Nothing.
    Done,
    /// The rest, when the socket takes more.
    Blocked,
}

impl PeerSocket {
    pub(crate) fn new(half: OwnedWriteHalf, address: SocketAddr) -> Self {
        Self {
            half,
            name: PeerName {
                address,
                server: OnceLock::new(),
            },
            outbox: Mutex::default(),
            wake: Notify::new(),
            closing: CancellationToken::new(),
            cut: CancellationToken::new(),
        }
    }

    /// The other end has said who it is.
    pub(super) fn set_server(&self, server: ServerId) {
        self.name.server.get_or_init(|| server);
    }

    /// The server at the other end, if it has said who it is.
    pub(crate) fn server(&self) -> Option<ServerId> {
        self.name.server.get().copied()
    }

    /// The address of the other end.
    pub(crate) fn address(&self) -> SocketAddr {
        self.name.address
    }

    /// Who is at the other end, for the log.
    pub(crate) fn peer(&self) -> &impl fmt::Display {
        &self.name
    }

    /// Queues a packet. Consensus bounds what is on the way.
    pub(crate) fn push(&self, cost: usize, encode: impl FnOnce(&mut Vec<u8>)) {
        let mut outbox = self.outbox.lock();
        let before = outbox.bytes.len();
        encode(&mut outbox.bytes);
        outbox.queued_total += (outbox.bytes.len() - before) as u64;
        if cost > 0 {
            let end = outbox.queued_total;
            outbox.costs.push_back((end, cost));
        }
    }

    /// Sends what the socket takes at once. The cost of the packets that are out by now comes
    /// with it.
    ///
    /// # Errors
    /// When the connection is gone.
    pub(crate) fn flush(&self) -> io::Result<(Flush, usize)> {
        let mut outbox = self.outbox.lock();
        let mut blocked = Flush::Done;
        while outbox.sent < outbox.bytes.len() {
            match self.half.try_write(&outbox.bytes[outbox.sent..]) {
                Ok(len) => {
                    outbox.sent += len;
                    outbox.sent_total += len as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    blocked = Flush::Blocked;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        outbox.reclaim();
        Ok((blocked, outbox.take_costs()))
    }

    /// Has the connection's task send the rest.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Until there is something for the task to do.
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Until the socket takes more.
    ///
    /// # Errors
    /// When the connection is gone.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        self.half.writable().await
    }

    /// Closes the connection once everything is sent, or cannot be sent in time.
    pub(crate) fn close(&self) {
        self.closing.cancel();
        self.wake();
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.is_cancelled()
    }

    /// Closes the connection now, whatever is queued.
    pub(crate) fn cut(&self) {
        self.cut.cancel();
    }

    /// Until the connection is to be closed whatever is queued.
    pub(super) async fn was_cut(&self) {
        let overdue = async {
            self.closing.cancelled().await;
            tokio::time::sleep(LAST_WORDS).await;
        };
        tokio::select! {
            () = self.cut.cancelled() => {}
            () = overdue => {}
        }
    }

    /// Says that nothing more comes from here. What the other side sent and nobody read would have
    /// the system take back what is on its way to it, so the connection must not be closed before
    /// the other side has closed it.
    ///
    /// # Errors
    /// When the connection is gone.
    pub(super) fn shut(&self) -> io::Result<()> {
        SockRef::from(self.half.as_ref()).shutdown(Shutdown::Write)
    }

    /// Bytes that are queued and not sent.
    pub(crate) fn pending(&self) -> usize {
        let outbox = self.outbox.lock();
        outbox.bytes.len() - outbox.sent
    }
}

impl Outbox {
    /// Gives the memory of what is sent back.
    fn reclaim(&mut self) {
        const KEEP: usize = 64 << 10;
        if self.sent == self.bytes.len() {
            self.bytes.clear();
            self.sent = 0;
            if self.bytes.capacity() > KEEP {
                self.bytes = Vec::new();
            }
        } else if self.sent > self.bytes.len() / 2 {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
    }

    fn take_costs(&mut self) -> usize {
        let mut cost = 0;
        while let Some((_, one)) = self
            .costs
            .front()
            .filter(|(end, _)| *end <= self.sent_total)
        {
            cost += one;
            self.costs.pop_front();
        }
        cost
    }
}
