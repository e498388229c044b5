//! Connections between processes and servers, as streams of bytes in memory.
//!
//! A process asks for something (a connection, bytes to be sent, an end), and the [`crate::stage`]
//! carries it out at the site; what arrives there is handed back here. Nothing blocks: what is
//! written is taken at once, and the site decides when it arrives.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

/// What a process wants of the network.
#[derive(Debug)]
pub(crate) enum Ask {
    Connect {
        stream: u64,
        process: usize,
        server: usize,
    },
    Send {
        stream: u64,
        bytes: Vec<u8>,
    },
    Close {
        stream: u64,
    },
}

/// The ends of all connections at processes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Net {
    inner: Arc<Mutex<Inner>>,
    asked: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Inner {
    last: u64,
    asks: Vec<Ask>,
    inboxes: BTreeMap<u64, Inbox>,
}

/// What has arrived and was not read.
#[derive(Debug, Default)]
struct Inbox {
    bytes: VecDeque<u8>,
    has_ended: bool,
    reader: Option<Waker>,
}

impl Net {
    pub(crate) fn connect(&self, process: usize, server: usize) -> SimStream {
        let mut inner = self.inner.lock();
        inner.last += 1;
        let stream = inner.last;
        inner.inboxes.insert(stream, Inbox::default());
        inner.asks.push(Ask::Connect {
            stream,
            process,
            server,
        });
        drop(inner);
        self.asked.notify_one();
        let net = self.clone();
        SimStream { net, stream }
    }

    /// Waits until somebody asks for something.
    pub(crate) async fn asked(&self) {
        self.asked.notified().await;
    }

    pub(crate) fn take_asks(&self) -> Vec<Ask> {
        std::mem::take(&mut self.inner.lock().asks)
    }

    /// Something arrives at a process; nothing means the end.
    pub(crate) fn arrive(&self, stream: u64, bytes: &[u8]) {
        let mut inner = self.inner.lock();
        let Some(inbox) = inner.inboxes.get_mut(&stream) else {
            return;
        };
        inbox.bytes.extend(bytes);
        inbox.has_ended |= bytes.is_empty();
        let reader = inbox.reader.take();
        drop(inner);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    fn ask(&self, ask: Ask) {
        self.inner.lock().asks.push(ask);
        self.asked.notify_one();
    }
}

/// A connection, at the process.
#[derive(Debug)]
pub(crate) struct SimStream {
    net: Net,
    stream: u64,
}

impl AsyncRead for SimStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut inner = self.net.inner.lock();
        let Some(inbox) = inner.inboxes.get_mut(&self.stream) else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        if inbox.bytes.is_empty() && !inbox.has_ended {
            inbox.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        let len = inbox.bytes.len().min(buffer.remaining());
        for byte in inbox.bytes.drain(..len) {
            buffer.put_slice(&[byte]);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for SimStream {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let stream = self.stream;
        let ask = Ask::Send {
            stream,
            bytes: bytes.to_vec(),
        };
        self.net.ask(ask);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for SimStream {
    fn drop(&mut self) {
        self.net.inner.lock().inboxes.remove(&self.stream);
        let stream = self.stream;
        self.net.ask(Ask::Close { stream });
    }
}
