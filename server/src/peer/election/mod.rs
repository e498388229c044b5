//! The election port: carries notifications between servers. What they mean is decided in
//! [`zab::election`].
//!
//! The counterpart of Apache's `QuorumCnxManager`, byte for byte:
//!
//! * A connection is made when there is something to send. The dialler says who it is and where it
//!   can be dialled (`greeting`); there is no answer.
//! * Of each pair of servers the one with the larger id dials. A smaller one dials to be called
//!   back: both sides close that connection.
//! * Each peer has room for one message that is not sent yet; a newer one replaces it. A new
//!   connection without one starts with the last message sent, which may have been lost with the
//!   connection before it.
//!
//! Beyond Apache: a connection that is lost behind a message is dialled again at once, a few times
//! at the most. The message may be lost with it, and a refusal tells that the process is gone
//! ([`ElectionEvent::Unreachable`]), which shortens the election.
//!
//! Each peer has one task (`link`), which owns whatever connection there is to it. Others put
//! into its `mailbox` what it is to do next.

mod complaints;
mod conversation;
mod greeting;
mod hub;
mod link;
mod listener;
mod mailbox;
mod members;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use jute::quorum::{Endpoint, ServerId};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::{CancellationToken, DropGuard};
use zab::election::Notification;

pub use crate::peer::listen::ListenError;
use crate::peer::listen::PeerPort;
use hub::Hub;
pub use members::Members;

/// How the election port behaves; named like ZooKeeper's options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElectionOptions {
    /// `zookeeper.cnxTimeout`: the longest that a dial takes, and the wait for an initial message.
    pub cnx_timeout: Duration,
    /// `zookeeper.electionPortBindRetry`: how often a port is tried that cannot be had, a second
    /// apart; 0 for ever.
    pub election_port_bind_retry: u32,
    /// `quorumListenOnAllIPs`: listens on all addresses of the machine, whatever the own ones are.
    pub quorum_listen_on_all_ips: bool,
    /// `zookeeper.tcpKeepAlive`.
    pub tcp_keep_alive: bool,
    /// `multiAddress.enabled`: tells peers all own addresses instead of the first.
    pub multi_address: bool,
}

impl Default for ElectionOptions {
    fn default() -> Self {
        Self {
            cnx_timeout: Duration::from_millis(5000),
            election_port_bind_retry: 3,
            quorum_listen_on_all_ips: false,
            tcp_keep_alive: false,
            multi_address: false,
        }
    }
}

/// What comes from the election port. An input of [`zab::Peer`].
#[derive(Debug)]
pub enum ElectionEvent {
    /// A message.
    Notification {
        /// Who sent it. Negative for a server without an id of its own.
        from: ServerId,
        /// The message.
        notification: Notification,
        /// Its place among those that are not handled yet.
        place: Place,
    },
    /// All addresses of a member refused or reset the connection: no process answers there.
    Unreachable {
        /// Who.
        peer: ServerId,
    },
}

/// Stands for a message that was received and is not handled yet. A sender that has as many of
/// them as it may is not read until one is dropped, so what waits is bounded as long as the place
/// stays with its message.
#[derive(Debug)]
pub struct Place(#[expect(dead_code, reason = "dropping it is what counts")] OwnedSemaphorePermit);

/// The election port of one server. Dropping it ends all connections.
#[derive(Debug)]
pub struct ElectionLinks {
    hub: Arc<Hub>,
    port: tokio::sync::Mutex<PeerPort>,
    _stop: DropGuard,
}

impl ElectionLinks {
    /// Listens on the own election addresses and takes connections from now on. Must be called
    /// in a runtime, in which everything runs until `stop`.
    ///
    /// `sink` is called from the runtime's threads, and must not block.
    ///
    /// # Errors
    /// If a port cannot be had, however often it was tried, or `stop` came first. Apache's exit
    /// code is 14.
    pub async fn start(
        me: ServerId,
        own: Vec<Endpoint>,
        members: Members,
        options: ElectionOptions,
        sink: impl Fn(ElectionEvent) + Send + Sync + 'static,
        stop: &CancellationToken,
    ) -> Result<Self, ListenError> {
        let stop = stop.child_token();
        let hub = Hub::new(
            me,
            &own,
            members,
            options.clone(),
            Box::new(sink),
            stop.clone(),
        );
        let accepting = Arc::clone(&hub);
        let port = PeerPort::new("election port", options, move |listener| {
            accepting.spawn(listener::accept(Arc::clone(&accepting), listener))
        });
        let links = Self {
            hub,
            port: tokio::sync::Mutex::new(port),
            _stop: stop.clone().drop_guard(),
        };
        stop.run_until_cancelled(links.move_to(&own))
            .await
            .ok_or(ListenError::Stopped)??;
        Ok(links)
    }

    /// The own addresses have changed. Connections stay.
    ///
    /// # Errors
    /// If a port cannot be had, however often it was tried.
    pub async fn move_to(&self, own: &[Endpoint]) -> Result<(), ListenError> {
        self.port.lock().await.listen_on(own).await?;
        self.hub.moved_to(own);
        Ok(())
    }

    /// Sends a message, as soon as there is a connection; makes one if there is none. Takes the
    /// place of the message before it, if that was not sent yet. Never blocks; may be called from
    /// any thread.
    ///
    /// # Panics
    /// If it is to go to this server itself.
    pub fn notify(&self, to: ServerId, notification: &Notification) {
        self.hub.notify(to, notification);
    }

    /// The members have changed: those of the configuration in force and of one that was seen.
    /// Connections stay, also those to servers that are no members any more.
    pub fn set_members(&self, members: Members) {
        self.hub.set_members(members);
    }

    /// Waits until everything has ended behind the cancellation. The ports are free then.
    pub async fn stopped(&self) {
        self.hub.stopped().await;
    }
}
