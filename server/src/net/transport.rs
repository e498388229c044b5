use replica::Transport;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;

/// The sending half of a socket. The connection's task and the write thread both send, one
/// at a time: each holds the outbox while it does.
pub(super) struct Socket {
    pub(super) half: OwnedWriteHalf,
    pub(super) wake: Notify,
}

/// What the replica holds of a socket.
pub(super) struct SocketTransport(pub(super) std::sync::Arc<Socket>);

impl Transport for SocketTransport {
    fn wake(&self) {
        self.0.wake.notify_one();
    }

    fn try_send(&self, bytes: &[u8]) -> usize {
        // Errors show again when the connection's task sends or receives.
        self.0.half.try_write(bytes).unwrap_or(0)
    }
}
