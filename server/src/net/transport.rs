use std::sync::Weak;

use replica::Transport;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;

/// The sending half of a socket. The connection's task and the writer both send, one at a
/// time: each holds the outbox while it does. The task alone owns it: when it ends, the
/// socket closes, however long the session and what belongs to it live on.
pub(super) struct Socket {
    pub(super) half: OwnedWriteHalf,
    pub(super) wake: Notify,
}

/// What the replica holds of a socket.
pub(super) struct SocketTransport(pub(super) Weak<Socket>);

impl Transport for SocketTransport {
    fn wake(&self) {
        if let Some(socket) = self.0.upgrade() {
            socket.wake.notify_one();
        }
    }

    fn try_send(&self, bytes: &[u8]) -> usize {
        // Errors show again when the connection's task sends or receives.
        let socket = self.0.upgrade();
        socket.map_or(0, |socket| socket.half.try_write(bytes).unwrap_or(0))
    }
}
