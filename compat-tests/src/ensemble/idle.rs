//! Sessions that ask for nothing while something happens to their servers.

use std::time::Duration;

use anyhow::Result;

use super::client::{Client, Patience};
use super::cluster::Ensemble;

/// A server takes a session, or takes it back, within this time.
const LIMIT: Duration = Duration::from_secs(60);

/// Open sessions, each with the server it is on.
pub(crate) struct Idle {
    clients: Vec<(u64, Client)>,
}

impl Idle {
    /// So many sessions on each of these members. `timeout_ms` must outlive what is to happen.
    ///
    /// # Errors
    /// When a member does not take one.
    pub(crate) fn on(
        ensemble: &Ensemble,
        members: &[u64],
        each: usize,
        timeout_ms: i32,
    ) -> Result<Self> {
        let patience = Patience {
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(10),
            session: timeout_ms,
        };
        let mut clients = Vec::new();
        for &id in members {
            let address = ensemble.member(id).address;
            for _ in 0..each {
                clients.push((id, Client::connected(&[address], patience, LIMIT)?));
            }
        }
        Ok(Self { clients })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.clients.len()
    }

    /// Asks over each connection. Who has dropped one, each as often as it did so.
    pub(crate) fn dropped(&mut self) -> Vec<u64> {
        let clients = self.clients.iter_mut();
        clients
            .filter_map(|(id, client)| (!client.ping()).then_some(*id))
            .collect()
    }

    /// Has every session whose connection is gone go on with any running member; how many of
    /// them the servers had given up. The sessions end with it.
    ///
    /// # Errors
    /// When nobody takes one.
    pub(crate) fn expired(mut self, ensemble: &Ensemble) -> Result<u32> {
        let running = ensemble.running();
        let addresses: Vec<_> = running
            .iter()
            .map(|id| ensemble.member(*id).address)
            .collect();
        let mut expired = 0;
        for (_, client) in &mut self.clients {
            if !client.ping() {
                client.move_to(&addresses);
            }
            client.await_connection(LIMIT)?;
            expired += client.sessions_lost;
            client.close();
        }
        Ok(expired)
    }
}
