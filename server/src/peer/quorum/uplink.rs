//! The connection to the leader.

use std::sync::Arc;
use std::time::Duration;

use journal::{Inflow, InflowError};
use jute::Zxid;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};
use zab::{Input, LeaderLink, LeaderPacket, ServerId};

use super::reading::{Incoming, ReadError};
use super::socket::{Flush, PeerSocket};
use crate::ensemble::{Arrival, Engine};
use crate::peer::dial::dial;

/// So many bytes of a tree are taken before others may run: some tens of microseconds. With 16 KiB
/// the writes beside it waited longer (p99 by a quarter), with 1 KiB too.
const TREE_PIECE_BYTES: usize = 4 << 10;

/// Connects to leaders, as consensus asks for.
#[derive(Clone)]
pub(crate) struct Uplinks {
    pub(crate) engine: Arc<Engine>,
    pub(crate) runtime: tokio::runtime::Handle,
    pub(crate) tasks: TaskTracker,
    pub(crate) connect_timeout: Duration,
}

impl Uplinks {
    /// Connects and reads, until `stop`.
    pub(crate) fn connect(
        &self,
        link: LeaderLink,
        to: ServerId,
        addresses: Vec<(String, u16)>,
        stop: CancellationToken,
    ) {
        let uplinks = self.clone();
        let connecting = async move {
            tokio::select! {
                () = uplinks.run(link, to, &addresses) => {}
                () = stop.cancelled() => {}
            }
        };
        self.tasks.spawn_on(connecting, &self.runtime);
    }

    async fn run(&self, link: LeaderLink, to: ServerId, addresses: &[(String, u16)]) {
        match self.reach(to, addresses).await {
            Err(error) => info!("leader {to} is not reached: {error}"),
            Ok(stream) => match self.serve(link, stream).await {
                ended @ (ReadError::Packet(_) | ReadError::Tree(_)) => {
                    warn!("leader {to} is left: {ended}");
                }
                ReadError::Closed => info!("leader {to} has closed the connection"),
                ReadError::Io(error) => info!("the connection to leader {to} is lost: {error}"),
            },
        }
        self.engine.push(Arrival::Peer(Input::LeaderLost(link)));
    }

    async fn reach(&self, to: ServerId, addresses: &[(String, u16)]) -> std::io::Result<TcpStream> {
        if addresses.is_empty() {
            let text = format!("server {to} has no line in the configuration");
            return Err(std::io::Error::new(std::io::ErrorKind::NotFound, text));
        }
        let stream = dial(addresses, self.connect_timeout).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn serve(&self, link: LeaderLink, stream: TcpStream) -> ReadError {
        let address = match stream.peer_addr() {
            Ok(address) => address,
            Err(error) => return ReadError::Io(error),
        };
        let (reader, writer) = stream.into_split();
        let socket = Arc::new(PeerSocket::new(writer, address));
        self.engine
            .push(Arrival::Connected(link, Arc::clone(&socket)));
        let mut incoming = Incoming::new(reader, self.engine.limits());
        tokio::select! {
            ended = self.receive(&mut incoming, link) => ended,
            sent = send(&socket) => sent.err().map_or(ReadError::Closed, ReadError::Io),
        }
    }

    async fn receive(&self, incoming: &mut Incoming, link: LeaderLink) -> ReadError {
        loop {
            let packets = incoming.packets(
                |packet, whole, limits| LeaderPacket::from_packet(&packet, whole, limits),
                |packet| matches!(packet, LeaderPacket::Snap { .. }),
            );
            let packets = match packets {
                Ok(packets) => packets,
                Err(error) => return error.into(),
            };
            let tree = match packets.last() {
                Some(LeaderPacket::Snap { zxid }) => Some(*zxid),
                _ => None,
            };
            packets.iter().for_each(tell);
            let inputs = packets
                .into_iter()
                .map(|packet| Arrival::Peer(Input::FromLeader(link, packet)));
            self.engine.push_all(inputs);
            let more = match tree {
                Some(zxid) => self.take_tree(incoming, link, zxid).await,
                None => incoming.more().await,
            };
            if let Err(error) = more {
                return error;
            }
            // Who is slower than the leader reads no more than the disk takes.
            self.engine.disk_relief().await;
        }
    }

    /// Takes the tree behind a SNAP, aside from the one in use.
    async fn take_tree(
        &self,
        incoming: &mut Incoming,
        link: LeaderLink,
        zxid: Zxid,
    ) -> Result<(), ReadError> {
        let begun = self.engine.files().receive(zxid);
        let mut tree = begun.map_err(|error| ReadError::Tree(error.to_string()))?;
        loop {
            let taken = tokio::task::block_in_place(|| take(&mut tree, incoming.bytes()));
            match taken {
                Ok(Some(taken)) => {
                    incoming.advance(taken);
                    self.engine.push(Arrival::Tree(link, Box::new(tree)));
                    return Ok(());
                }
                Ok(None) => {
                    let taken = incoming.bytes().len();
                    incoming.advance(taken);
                }
                Err(error) => return Err(ReadError::Tree(error.to_string())),
            }
            if let Err(error) = incoming.more().await {
                tree.abandon();
                return Err(error);
            }
        }
    }
}

/// Takes a part of a tree; the length of what belongs to it once it is complete, as
/// [`Inflow::take`]. Nobody waits for it here, but others may for the processor, for as long as the
/// system lets a busy thread run: so they are let go first again and again.
fn take(tree: &mut Inflow, bytes: &[u8]) -> Result<Option<usize>, InflowError> {
    let mut before = 0;
    for piece in bytes.chunks(TREE_PIECE_BYTES) {
        if let Some(taken) = tree.take(piece)? {
            return Ok(Some(before + taken));
        }
        before += piece.len();
        std::thread::yield_now();
    }
    Ok(None)
}

/// How this server is synchronised, in Apache's words.
fn tell(packet: &LeaderPacket) {
    match packet {
        LeaderPacket::Diff { zxid } => info!("Getting a diff from the leader 0x{zxid}"),
        LeaderPacket::Trunc { zxid } => {
            info!("Truncating log to get in sync with the leader 0x{zxid}");
        }
        LeaderPacket::Snap { zxid } => info!("Getting a snapshot from leader 0x{zxid}"),
        _ => {}
    }
}

/// Sends what could not be sent at once, until the connection is to be closed.
async fn send(socket: &PeerSocket) -> std::io::Result<()> {
    loop {
        match socket.flush()?.0 {
            Flush::Blocked => socket.writable().await?,
            Flush::Done if socket.is_closing() => return Ok(()),
            Flush::Done => socket.woken().await,
        }
    }
}
