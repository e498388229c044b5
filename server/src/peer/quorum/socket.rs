//! The sending half of a connection between servers.
//!
//! Packets are queued by the thread that decides and sent by it, as far as the socket takes them
//! at once; the rest is sent by the connection's task.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;

/// The sending half of a connection to another server.
pub(crate) struct PeerSocket {
    half: OwnedWriteHalf,
    outbox: Mutex<Outbox>,
    /// There is something to send, or to close, that could not be sent at once.
    wake: Notify,
    closing: AtomicBool,
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
    pub(crate) fn new(half: OwnedWriteHalf) -> Self {
        Self {
            half,
            outbox: Mutex::default(),
            wake: Notify::new(),
            closing: AtomicBool::new(false),
        }
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

    /// Closes the connection once everything is sent.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Release);
        self.wake();
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
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
