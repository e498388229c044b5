use std::io;
use std::net::Shutdown;
use std::sync::Weak;

use parking_lot::Mutex;
use replica::Transport;
use rustix::net::SendFlags;
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;

use super::limits::Place;

/// The sending half of a socket. The connection's task and the writer both send, one at a
/// time: each holds the outbox while it does. The task alone owns it: when it ends, the
/// socket closes, however long the session and what belongs to it live on.
pub(super) struct Socket {
    pub(super) half: OwnedWriteHalf,
    pub(super) wake: Notify,
    /// Given back before the client sees the end: it may come again at once.
    place: Mutex<Option<Place>>,
}

impl Socket {
    pub(super) fn new(half: OwnedWriteHalf, place: Place) -> Self {
        Self {
            half,
            wake: Notify::new(),
            place: Mutex::new(Some(place)),
        }
    }

    /// Sends what the socket takes at once. If these are the `last` bytes the end goes with them,
    /// in the same segment: a client that closes its session waits for both, and would be woken
    /// twice.
    pub(super) fn send(&self, bytes: &[u8], last: bool) -> io::Result<usize> {
        if !last {
            return self.half.try_write(bytes);
        }
        let stream = self.half.as_ref();
        let sent = stream.try_io(Interest::WRITABLE, || {
            Ok(rustix::net::send(stream, bytes, SendFlags::MORE)?)
        })?;
        if sent == bytes.len() {
            self.place.lock().take();
            // It fails if the client has gone, which shows again.
            let _ = SockRef::from(stream).shutdown(Shutdown::Write);
        }
        Ok(sent)
    }

    /// Lets the socket close as a whole, with the reading half. The sending half would be shut down
    /// by itself otherwise.
    pub(super) fn forget(self) {
        self.place.lock().take();
        self.half.forget();
    }
}

/// What the replica holds of a socket.
pub(super) struct SocketTransport(pub(super) Weak<Socket>);

impl Transport for SocketTransport {
    fn wake(&self) {
        if let Some(socket) = self.0.upgrade() {
            socket.wake.notify_one();
        }
    }

    fn try_send(&self, bytes: &[u8], last: bool) -> usize {
        // Errors show again when the connection's task sends or receives.
        let socket = self.0.upgrade();
        socket.map_or(0, |socket| socket.send(bytes, last).unwrap_or(0))
    }
}
