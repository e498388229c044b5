use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, warn};

use super::connection;
use super::limits::ConnectionLimits;
use super::socket::{self, DEFAULT_BACKLOG};
use crate::serve::Server;

/// One in so many refused connections is logged.
const REJECTIONS_LOGGED: u64 = 1000;

/// After an accept that failed for lack of descriptors, wait before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The client port cannot be had.
#[derive(Debug, Error)]
#[error("cannot listen on {address} (clientPort): {source}")]
pub(crate) struct ListenError {
    address: SocketAddr,
    source: std::io::Error,
}

/// A stop has two steps: first no one new, then, when all is answered, no one at all.
#[derive(Clone, Default)]
pub(crate) struct Stop {
    /// Ends the accepting.
    pub(crate) accepting: CancellationToken,
    /// Ends the connections.
    pub(crate) connected: CancellationToken,
}

/// Accepts clients.
pub(crate) struct Listener {
    listener: TcpListener,
    limits: Arc<ConnectionLimits>,
    keep_alive: bool,
}

impl Listener {
    /// Binds the port on all addresses, of both families where the system has both.
    pub(crate) fn bind_all(
        port: u16,
        backlog: i32,
        keep_alive: bool,
        limits: Arc<ConnectionLimits>,
    ) -> Result<Self, ListenError> {
        let listener = socket::listen_all(port, or_default(backlog))
            .map_err(|(address, source)| ListenError { address, source })?;
        Ok(Self {
            listener,
            limits,
            keep_alive,
        })
    }

    /// Binds the port. A `backlog` below 1 leaves the choice to us.
    pub(crate) fn bind(
        address: SocketAddr,
        backlog: i32,
        keep_alive: bool,
        limits: Arc<ConnectionLimits>,
    ) -> Result<Self, ListenError> {
        let listener = socket::listen(address, or_default(backlog))
            .map_err(|source| ListenError { address, source })?;
        Ok(Self {
            listener,
            limits,
            keep_alive,
        })
    }

    /// The address it is bound to.
    pub(crate) fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Accepts until told to stop.
    pub(crate) async fn run(self, server: Arc<Server>, tasks: TaskTracker, stop: Stop) {
        loop {
            let accepted = tokio::select! {
                () = stop.accepting.cancelled() => return,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    // On a socket for both families IPv4 addresses come wrapped.
                    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
                    self.accept(&server, &tasks, &stop.connected, stream, peer);
                }
                Err(error) => {
                    error!("cannot accept a connection: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn accept(
        &self,
        server: &Arc<Server>,
        tasks: &TaskTracker,
        stop: &CancellationToken,
        stream: TcpStream,
        peer: SocketAddr,
    ) {
        let place = match self.limits.take(peer.ip()) {
            Ok(place) => place,
            Err(limit) => {
                let stats = server.replica.stats();
                let rejected = stats.connections_rejected.fetch_add(1, Relaxed);
                if rejected.is_multiple_of(REJECTIONS_LOGGED) {
                    warn!("too many connections from {}: {limit}", peer.ip());
                }
                return;
            }
        };
        if let Err(error) = socket::set_options(&stream, self.keep_alive) {
            warn!("connection from {peer} dropped: {error}");
            return;
        }
        let (server, stop) = (Arc::clone(server), stop.clone());
        tasks.spawn(connection::serve(server, stream, peer, place, stop));
    }
}

fn or_default(backlog: i32) -> i32 {
    if backlog > 0 {
        backlog
    } else {
        DEFAULT_BACKLOG
    }
}
