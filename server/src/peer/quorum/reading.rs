//! From a stream of bytes to packets.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use jute::quorum::QuorumPacket;
use jute::quorum::packet;
use jute::wire::Limits;
use thiserror::Error;
use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;
use zab::WireError;

/// Bytes taken from a socket at once.
const READ_BYTES: usize = 64 << 10;

/// With less room than this the next read gets a new buffer.
const READ_BYTES_MIN: usize = 4 << 10;

/// Why nothing more comes from the other side.
#[derive(Debug, Error)]
pub(super) enum ReadError {
    /// It closed the connection.
    #[error("closed by the other side")]
    Closed,
    /// The connection broke.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Bytes that are no packet.
    #[error("not a packet of the quorum protocol: {0}")]
    Packet(#[from] WireError),
    /// A tree that is none, or no room for it.
    #[error("{0}")]
    Tree(String),
}

/// What has come in and is not understood yet.
pub(super) struct Incoming {
    half: OwnedReadHalf,
    buffer: BytesMut,
    limits: Limits,
}

impl Incoming {
    pub(super) fn new(half: OwnedReadHalf, limits: Limits) -> Self {
        Self {
            half,
            buffer: BytesMut::new(),
            limits,
        }
    }

    /// Takes the packets that are there, up to and with the first one that ends a batch.
    ///
    /// # Errors
    /// Bytes that are no packet.
    pub(super) fn packets<P>(
        &mut self,
        mut decode: impl FnMut(QuorumPacket<'_>, &Bytes, Limits) -> Result<P, WireError>,
        ends: impl Fn(&P) -> bool,
    ) -> Result<Vec<P>, WireError> {
        let mut packets = Vec::new();
        // Looked at as one piece: packets share the bytes instead of copying them.
        let whole = self.buffer.split().freeze();
        let mut done = 0;
        loop {
            let rest = &whole[done..];
            let Some((packet, len)) = packet::first(rest, self.limits)? else {
                break;
            };
            let packet = decode(packet, &whole, self.limits)?;
            done += len;
            let last = ends(&packet);
            packets.push(packet);
            if last {
                break;
            }
        }
        self.buffer.extend_from_slice(&whole[done..]);
        Ok(packets)
    }

    /// What is there, for a tree to take.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// So much of it is taken.
    pub(super) fn advance(&mut self, len: usize) {
        self.buffer.advance(len);
    }

    /// Waits for more.
    ///
    /// # Errors
    /// When nothing more will come.
    pub(super) async fn more(&mut self) -> Result<(), ReadError> {
        // Packets share the buffer: a new one for each small read would be held by few of them, and
        // what is kept for learners would cost many times its length.
        if self.buffer.capacity() - self.buffer.len() < READ_BYTES_MIN {
            self.buffer.reserve(READ_BYTES);
        }
        match self.half.read_buf(&mut self.buffer).await? {
            0 => Err(ReadError::Closed),
            _ => Ok(()),
        }
    }
}
