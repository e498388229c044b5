//! Listens on the election port, and finds out who dials.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jute::quorum::Endpoint;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tracing::{error, info};

use super::ElectionOptions;
use super::complaints::Fault;
use super::greeting::{self, Caller};
use super::hub::Hub;
use super::mailbox::{Arrival, Connection};
use crate::net::socket::{self, DEFAULT_BACKLOG};
use crate::peer::dial::resolve;

/// Between two attempts to get a port.
const BIND_PAUSE: Duration = Duration::from_secs(1);

/// After an accept that failed for lack of descriptors, wait before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The election port cannot be had.
#[derive(Debug, Error)]
pub enum ListenError {
    /// As often as `zookeeper.electionPortBindRetry` says.
    #[error("cannot listen on {address} (election port): {source}")]
    Bind {
        /// The own address.
        address: Endpoint,
        /// What the system says.
        source: io::Error,
    },
    /// It was to stop before.
    #[error("stopped before the election port could be had")]
    Stopped,
}

/// Listens on the own addresses.
pub(super) async fn bind(
    own: &[Endpoint],
    options: &ElectionOptions,
) -> Result<Vec<TcpListener>, ListenError> {
    let mut listeners = Vec::new();
    if options.quorum_listen_on_all_ips {
        let ports: BTreeSet<_> = own.iter().map(|address| address.port).collect();
        for port in ports {
            let address = Endpoint {
                host: "0.0.0.0".to_owned(),
                port,
            };
            listeners.extend(bind_one(&address, options, true).await?);
        }
    } else {
        for address in own {
            listeners.extend(bind_one(address, options, false).await?);
        }
    }
    Ok(listeners)
}

async fn bind_one(
    address: &Endpoint,
    options: &ElectionOptions,
    all: bool,
) -> Result<Vec<TcpListener>, ListenError> {
    let mut tried = 0;
    loop {
        let bound = if all {
            let bound = socket::listen_all(address.port, DEFAULT_BACKLOG);
            bound.map(|one| vec![one]).map_err(|(_, source)| source)
        } else {
            listen(address).await
        };
        let source = match bound {
            Ok(listeners) => {
                info!("listening on {address} for elections");
                return Ok(listeners);
            }
            Err(source) => source,
        };
        tried += 1;
        if tried == options.election_port_bind_retry {
            let address = address.clone();
            return Err(ListenError::Bind { address, source });
        }
        error!("cannot listen on {address} (election port), trying again: {source}");
        tokio::time::sleep(BIND_PAUSE).await;
    }
}

/// Listens on every address that a name stands for: of those, peers may dial any. One that this
/// machine does not have does not matter beside another that it has.
async fn listen(address: &Endpoint) -> io::Result<Vec<TcpListener>> {
    let (mut listeners, mut foreign) = (Vec::new(), None);
    for found in resolve(&address.host, address.port).await? {
        match socket::listen(found, DEFAULT_BACKLOG) {
            Ok(listener) => listeners.push(listener),
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => foreign = Some(error),
            Err(error) => return Err(error),
        }
    }
    match foreign {
        Some(error) if listeners.is_empty() => Err(error),
        _ => Ok(listeners),
    }
}

/// Accepts peers, for ever.
pub(super) async fn accept(hub: Arc<Hub>, listener: TcpListener) {
    loop {
        let Ok(place) = Arc::clone(&hub.handshakes).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, from)) => {
                let from = SocketAddr::new(from.ip().to_canonical(), from.port());
                let (shared, number) = (Arc::clone(&hub), hub.number());
                hub.spawn(async move {
                    if let Err(fault) = welcome(&shared, stream, from, number).await {
                        shared.complaints.log(from, &fault);
                    }
                    drop(place);
                });
            }
            Err(error) => {
                error!("cannot accept a connection to the election port: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Hears who dialled, and hands the connection over if it is to stand.
async fn welcome(
    hub: &Arc<Hub>,
    mut stream: TcpStream,
    from: SocketAddr,
    number: u64,
) -> Result<(), Fault> {
    super::conversation::prepare(&stream, &hub.options).map_err(|_| Fault::Gone)?;
    let (message, input) = greeting::receive(&mut stream, hub.options.cnx_timeout).await?;
    let caller = Caller::from_message(message, hub.me, |server| hub.is_member(server))?;
    let server = caller.server.unwrap_or_else(|| hub.private_id());
    let arrival = if server < hub.me {
        drop(stream);
        Arrival::CallBack(caller.told)
    } else {
        Arrival::Connection(Connection {
            stream,
            address: from,
            input,
            told: caller.told,
        })
    };
    hub.arrived(server, number, arrival)
}
