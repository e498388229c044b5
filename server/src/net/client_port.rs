//! The client port: where the configuration says, or where a reconfiguration moves it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use anyhow::{Context as _, Result};
use jute::quorum::Endpoint;
use jute::quorum::config::Member;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use tracing::{error, info};

use super::limits::ConnectionLimits;
use super::listener::{Listener, Stop};
use crate::config::Config;
use crate::peer::dial::resolve;
use crate::serve::Server;

/// Host of an address that stands for all of the machine.
const ANY_HOST: &str = "0.0.0.0";

/// The client port, open and not accepting yet.
pub(crate) struct ClientPort {
    backlog: i32,
    keep_alive: bool,
    /// They count over all addresses, and over moves.
    limits: Arc<ConnectionLimits>,
    address: Endpoint,
    listener: Listener,
}

impl ClientPort {
    /// Opens the port of this configuration; `None` if it has none.
    ///
    /// # Errors
    /// If it cannot be had.
    pub(crate) async fn open(config: &Config) -> Result<Option<Self>> {
        let Some(port) = config.client_port else {
            return Ok(None);
        };
        let host = config.client_port_address.as_deref().unwrap_or(ANY_HOST);
        let address = Endpoint {
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
        };
        let limits = ConnectionLimits::new(
            config.limits.max_cnxns.unwrap_or(0) as usize,
            config.max_client_cnxns as usize,
        );
        let backlog = config
            .listen_backlog
            .and_then(|backlog| i32::try_from(backlog).ok());
        let backlog = backlog.unwrap_or(0);
        let keep_alive = config.limits.client_tcp_keep_alive;
        let listener = bind(&address, backlog, keep_alive, &limits).await?;
        Ok(Some(Self {
            backlog,
            keep_alive,
            limits,
            address,
            listener,
        }))
    }

    /// The address it is bound to.
    pub(crate) fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Accepts clients until told to stop, where the own line of the configuration says from then
    /// on when it says something new. Connections stay.
    pub(crate) async fn run(
        self,
        server: Arc<Server>,
        tasks: TaskTracker,
        stop: Stop,
        line: Option<watch::Receiver<Member>>,
    ) {
        let Self {
            backlog,
            keep_alive,
            limits,
            mut address,
            listener,
        } = self;
        let accept = |listener: Listener| {
            let (server, tasks) = (Arc::clone(&server), tasks.clone());
            tokio::spawn(listener.run(server, tasks, stop.clone()))
        };
        let mut accepting = accept(listener);
        let Some(mut line) = line else {
            return;
        };
        while let Some(wanted) = moved(&mut line, &address, &stop).await {
            // One of the two may stand for all addresses of the machine, and be in the other's way.
            let in_the_way = wanted.port == address.port;
            if in_the_way {
                close(&mut accepting).await;
            }
            let bound = match bind(&wanted, backlog, keep_alive, &limits).await {
                Ok(listener) => {
                    close(&mut accepting).await;
                    info!("clients are served on {wanted} from now on, no longer on {address}");
                    server.client_port.store(wanted.port.into(), Relaxed);
                    address = wanted;
                    Some(listener)
                }
                Err(error) => {
                    error!("clients are still served on {address}: {error:#}");
                    match in_the_way {
                        true => bind(&address, backlog, keep_alive, &limits).await.ok(),
                        false => None,
                    }
                }
            };
            if let Some(listener) = bound {
                accepting = accept(listener);
            }
        }
    }
}

/// The next client address of the own line that is another one than this; `None` at the stop.
async fn moved(
    line: &mut watch::Receiver<Member>,
    address: &Endpoint,
    stop: &Stop,
) -> Option<Endpoint> {
    loop {
        tokio::select! {
            () = stop.accepting.cancelled() => return None,
            changed = line.changed() => changed.ok()?,
        }
        let client = line.borrow_and_update().client.clone();
        if let Some(client) = client.filter(|client| client != address) {
            return Some(client);
        }
    }
}

/// The listener is gone when this has ended.
async fn close(accepting: &mut JoinHandle<()>) {
    accepting.abort();
    if !accepting.is_finished() {
        let _ = accepting.await;
    }
}

async fn bind(
    address: &Endpoint,
    backlog: i32,
    keep_alive: bool,
    limits: &Arc<ConnectionLimits>,
) -> Result<Listener> {
    let limits = Arc::clone(limits);
    if address.is_wildcard() {
        return Ok(Listener::bind_all(
            address.port,
            backlog,
            keep_alive,
            limits,
        )?);
    }
    let host = &address.host;
    let found = resolve(host, address.port).await.ok();
    let found = found.and_then(|found| found.into_iter().next());
    let found = found.with_context(|| format!("clientPortAddress={host} does not resolve"))?;
    Ok(Listener::bind(found, backlog, keep_alive, limits)?)
}
