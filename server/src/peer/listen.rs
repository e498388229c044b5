//! The ports between servers: opened at the start, and moved when a reconfiguration says so.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::time::Duration;

use jute::quorum::Endpoint;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
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

/// Starts a task that accepts connections.
type Accept = Box<dyn Fn(TcpListener) -> JoinHandle<()> + Send + Sync>;

/// One of the ports between servers, on all own addresses. Connections that were accepted have
/// tasks of their own, and outlive a move.
pub(crate) struct PeerPort {
    name: &'static str,
    options: ElectionOptions,
    accept: Accept,
    /// Those who accept, by address.
    open: BTreeMap<(String, u16), Vec<JoinHandle<()>>>,
}

impl PeerPort {
    /// A port that is not open yet. `accept` is given each listener.
    pub(crate) fn new(
        name: &'static str,
        options: ElectionOptions,
        accept: impl Fn(TcpListener) -> JoinHandle<()> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            options,
            accept: Box::new(accept),
            open: BTreeMap::new(),
        }
    }

    /// Listens on these addresses from now on, and on no others. An old address is given up when
    /// all new ones are open, unless it has the number of a new one: one of the two may stand for
    /// all addresses of the machine.
    ///
    /// # Errors
    /// If one cannot be had, however often it was tried.
    pub(crate) async fn listen_on(&mut self, own: &[Endpoint]) -> Result<(), ListenError> {
        let all = self.options.quorum_listen_on_all_ips;
        let place = |address: &Endpoint| match all {
            true => ("0.0.0.0".to_owned(), address.port),
            false => (address.host.clone(), address.port),
        };
        let wanted: BTreeSet<_> = own.iter().map(place).collect();
        let fresh = |address: &&(String, u16)| !self.open.contains_key(*address);
        let fresh: Vec<_> = wanted.iter().filter(fresh).cloned().collect();
        let in_the_way = |(_, port): &(String, u16)| fresh.iter().any(|(_, new)| port == new);
        self.close(|old| !wanted.contains(old) && in_the_way(old))
            .await;
        for address in &fresh {
            let listeners = bind(address, self.name, &self.options).await?;
            let accepting = listeners
                .into_iter()
                .map(|listener| (self.accept)(listener));
            self.open.insert(address.clone(), accepting.collect());
        }
        self.close(|old| !wanted.contains(old)).await;
        Ok(())
    }

    async fn close(&mut self, unwanted: impl Fn(&(String, u16)) -> bool) {
        let closed: Vec<_> = self
            .open
            .keys()
            .filter(|old| unwanted(old))
            .cloned()
            .collect();
        for address in closed {
            for task in self.open.remove(&address).unwrap_or_default() {
                task.abort();
                // Its listener is gone when it has ended.
                let _ = task.await;
            }
            let (host, port) = address;
            info!("no longer listening on {host}:{port} ({})", self.name);
        }
    }
}

impl fmt::Debug for PeerPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerPort")
            .field("name", &self.name)
            .field("open", &self.open.keys())
            .finish_non_exhaustive()
    }
}

async fn bind(
    (host, port): &(String, u16),
    name: &'static str,
    options: &ElectionOptions,
) -> Result<Vec<TcpListener>, ListenError> {
    let address = Endpoint {
        host: host.clone(),
        port: *port,
    };
    let mut tried = 0;
    loop {
        let bound = if options.quorum_listen_on_all_ips {
            let bound = socket::listen_all(address.port, DEFAULT_BACKLOG);
            bound.map(|one| vec![one]).map_err(|(_, source)| source)
        } else {
            listen(&address).await
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
            return Err(ListenError::Bind {
                port: name,
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
