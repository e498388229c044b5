//! A learner's connection, at the leader.

use std::mem::{Discriminant, discriminant};
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use zab::{Input, LearnerLink, LearnerPacket};

use super::listener::Port;
use super::reading::{Incoming, ReadError};
use super::socket::{Flush, PeerSocket};
use crate::ensemble::{Arrival, Engine};
use crate::peer::Complaints;

/// What learners have sent that cannot be read.
pub(super) type ReadComplaints = Complaints<Discriminant<ReadError>>;

/// Serves the connection until either side ends it.
pub(super) async fn serve(
    engine: Arc<Engine>,
    stream: TcpStream,
    peer: SocketAddr,
    (link, port): (LearnerLink, Port),
    complaints: &ReadComplaints,
    stop: CancellationToken,
) {
    let (reader, writer) = stream.into_split();
    let socket = Arc::new(PeerSocket::new(writer, peer));
    engine.push(Arrival::Accepted(link, Arc::clone(&socket), port));
    let mut incoming = Incoming::new(reader, engine.limits());
    let ended = tokio::select! {
        ended = receive(&engine, &mut incoming, (link, &socket)) => Some(ended),
        sent = send(&engine, &socket, link) => match sent {
            Ok(()) => {
                tokio::select! {
                    () = see_off(&mut incoming, &socket) => {}
                    () = socket.was_cut() => {}
                    () = stop.cancelled() => {}
                }
                None
            }
            Err(error) => Some(ReadError::Io(error)),
        },
        () = socket.was_cut() => None,
        () = stop.cancelled() => return,
    };
    match ended {
        // Closed from here, and the reason is told there.
        None => {}
        Some(ended @ (ReadError::Packet(_) | ReadError::Tree(_))) => {
            if let Some(behind) = complaints.told(peer.ip(), discriminant(&ended)) {
                let peer = socket.peer();
                warn!("connection from {peer} to the quorum port is closed{behind}: {ended}");
            }
        }
        // A look whether the port is open, as monitors take it.
        Some(ReadError::Closed) if socket.server().is_none() => {
            debug!("{peer} has closed its connection to the quorum port");
        }
        Some(ended @ (ReadError::Closed | ReadError::Io(_))) => {
            info!("learner {} is gone: {ended}", socket.peer());
        }
    }
    engine.push(Arrival::Peer(Input::LearnerLost(link)));
}

/// Everything is sent: waits for the other side to close, having read it.
async fn see_off(incoming: &mut Incoming, socket: &PeerSocket) {
    let mut open = socket.shut().is_ok();
    while open {
        open = incoming.more().await.is_ok();
        incoming.advance(incoming.bytes().len());
    }
}

async fn receive(
    engine: &Arc<Engine>,
    incoming: &mut Incoming,
    (link, socket): (LearnerLink, &PeerSocket),
) -> ReadError {
    let mut identities = None;
    loop {
        let packets = incoming.packets(
            |packet, _, limits| LearnerPacket::from_packet(packet, limits, &mut identities),
            |_| false,
        );
        let packets = match packets {
            Ok(packets) => packets,
            Err(error) => return error.into(),
        };
        for packet in &packets {
            if let LearnerPacket::Info { server, .. } = packet {
                socket.set_server(*server);
            }
        }
        let mut told: Vec<LearnerPacket> = Vec::with_capacity(packets.len());
        for packet in packets {
            match told.last_mut() {
                Some(last) if packet.supersedes(last) => *last = packet,
                _ => told.push(packet),
            }
        }
        let inputs = told
            .into_iter()
            .map(|packet| Arrival::Peer(Input::FromLearner(link, packet)));
        engine.push_all(inputs);
        // A leader that has too much to do reads no more requests.
        engine.relief().await;
        if let Err(error) = incoming.more().await {
            return error;
        }
    }
}

/// Sends what could not be sent at once, until the connection is to be closed.
pub(super) async fn send(
    engine: &Arc<Engine>,
    socket: &PeerSocket,
    link: LearnerLink,
) -> std::io::Result<()> {
    loop {
        let (flush, cost) = socket.flush()?;
        if cost > 0 {
            engine.push(Arrival::Peer(Input::Flushed(link, cost)));
        }
        match flush {
            Flush::Blocked => socket.writable().await?,
            Flush::Done if socket.is_closing() => return Ok(()),
            Flush::Done => socket.woken().await,
        }
    }
}
