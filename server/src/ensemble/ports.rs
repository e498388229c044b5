//! A member's ports, which follow its line of the configuration.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use jute::quorum::Endpoint;
use jute::quorum::config::{Member, MemberAddress};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::info;

use super::engine::Engine;
use crate::peer::election::{ElectionLinks, ElectionOptions};
use crate::peer::listen::PeerPort;
use crate::peer::quorum::{Learners, Port, QuorumListener};

/// The ports that learners come to.
pub(super) struct LearnerPorts {
    quorum: PeerPort,
    /// `observerMasterPort`, and what listens on it.
    observer_master: Option<(u16, PeerPort)>,
}

impl LearnerPorts {
    /// Ports that are not open yet.
    pub(super) fn new(
        engine: &Arc<Engine>,
        options: &ElectionOptions,
        observer_master: Option<u16>,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Self {
        let learners = Arc::<Learners>::default();
        let port = |kind, name| {
            let (engine, learners) = (Arc::clone(engine), Arc::clone(&learners));
            let (tasks, stop) = (tasks.clone(), stop.clone());
            PeerPort::new(name, options.clone(), move |listener| {
                let listener = QuorumListener {
                    port: kind,
                    listener,
                    learners: Arc::clone(&learners),
                };
                tasks.spawn(listener.run(Arc::clone(&engine), tasks.clone(), stop.clone()))
            })
        };
        Self {
            quorum: port(Port::Quorum, "quorum port"),
            observer_master: observer_master
                .map(|number| (number, port(Port::ObserverMaster, "observerMasterPort"))),
        }
    }

    /// Listens where this line says.
    ///
    /// # Errors
    /// If a port cannot be had.
    pub(super) async fn listen_on(&mut self, own: &Member) -> Result<()> {
        let quorum = endpoints(own, |address| address.quorum_port);
        self.quorum.listen_on(&quorum).await?;
        if let Some((number, port)) = &mut self.observer_master {
            port.listen_on(&endpoints(own, |_| *number)).await?;
        }
        Ok(())
    }
}

/// The own addresses, with one of the ports.
pub(super) fn endpoints(own: &Member, port: impl Fn(&MemberAddress) -> u16) -> Vec<Endpoint> {
    let endpoint = |address: &MemberAddress| Endpoint {
        host: address.host.clone(),
        port: port(address),
    };
    own.addresses.iter().map(endpoint).collect()
}

/// Moves the ports between servers whenever the own line says something new. Ends with an error
/// when a port cannot be had, and never otherwise: a server that cannot be reached where the
/// others look for it is none.
pub(super) fn follow(
    mut line: watch::Receiver<Member>,
    mut learners: LearnerPorts,
    election: Arc<ElectionLinks>,
    stop: CancellationToken,
) -> JoinHandle<Result<()>> {
    tokio::spawn(async move {
        let follow = async {
            loop {
                if line.changed().await.is_err() {
                    // Nobody is left who could say more.
                    return std::future::pending().await;
                }
                let own = line.borrow_and_update().clone();
                info!("the own addresses are now {own}");
                learners.listen_on(&own).await?;
                let voting = endpoints(&own, |address| address.election_port);
                election.move_to(&voting).await.context("election port")?;
            }
        };
        stop.run_until_cancelled(follow).await.unwrap_or(Ok(()))
    })
}
