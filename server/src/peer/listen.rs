//! Opens the ports between servers.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use jute::quorum::Endpoint;
use thiserror::Error;
use tokio::net::TcpListener;
use tracing::{error, info};

use super::dial::resolve;
use super::election::ElectionOptions;
use crate::net::socket::{self, DEFAULT_BACKLOG};

/// Between two attempts to get a port.
const BIND_PAUSE: Duration = Duration::from_secs(1);

/// A port between servers cannot be had.
#[derive(Debug, Error)]
pub enum ListenError {
    /// As often as `zookeeper.electionPortBindRetry` says.
    #[error("cannot listen on {address} ({port}): {source}")]
    Bind {
        /// Which port.
        port: &'static str,
        /// The own address.
        address: Endpoint,
        /// What the system says.
        source: io::Error,
    },
    /// It was to stop before.
    #[error("stopped before a port between servers could be had")]
    Stopped,
}

/// Listens on the own addresses.
pub(crate) async fn bind(
    own: &[Endpoint],
    port: &'static str,
    options: &ElectionOptions,
) -> Result<Vec<TcpListener>, ListenError> {
    let mut listeners = Vec::new();
    if options.quorum_listen_on_all_ips {
        let ports: BTreeSet<_> = own.iter().map(|address| address.port).collect();
        for number in ports {
            let address = Endpoint {
                host: "0.0.0.0".to_owned(),
                port: number,
            };
            listeners.extend(bind_one(&address, port, options, true).await?);
        }
    } else {
        for address in own {
            listeners.extend(bind_one(address, port, options, false).await?);
        }
    }
    Ok(listeners)
}

async fn bind_one(
    address: &Endpoint,
    name: &'static str,
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
                info!("listening on {address} ({name})");
                return Ok(listeners);
            }
            Err(source) => source,
        };
        tried += 1;
        if tried == options.election_port_bind_retry {
            let address = address.clone();
            let port = name;
            return Err(ListenError::Bind {
                port,
                address,
                source,
            });
        }
        error!("cannot listen on {address} ({name}), trying again: {source}");
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
