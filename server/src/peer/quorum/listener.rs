//! Accepts learners.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, warn};
use zab::LearnerLink;

use super::learner::{self, ReadComplaints};
use crate::ensemble::Engine;

/// After an accept that failed for lack of descriptors, wait before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What the connections of learners share, over all ports.
#[derive(Default)]
pub(crate) struct Learners {
    numbers: AtomicU64,
    complaints: ReadComplaints,
}

impl Learners {
    fn next(&self) -> LearnerLink {
        LearnerLink(self.numbers.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// Which port learners connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Port {
    /// A leader's.
    Quorum,
    /// That of a follower which serves observers.
    ObserverMaster,
}

/// One address of such a port.
pub(crate) struct QuorumListener {
    pub(crate) port: Port,
    pub(crate) listener: TcpListener,
    pub(crate) learners: Arc<Learners>,
}

impl QuorumListener {
    /// Accepts until told to stop. Who connects while this server does not lead is told so by
    /// consensus, which may be about to lead.
    pub(crate) async fn run(
        self,
        engine: Arc<Engine>,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) {
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
                    if let Err(error) = stream.set_nodelay(true) {
                        warn!("learner {peer} dropped: {error}");
                        continue;
                    }
                    let (engine, stop) = (Arc::clone(&engine), stop.clone());
                    let learner = (self.learners.next(), self.port);
                    let learners = Arc::clone(&self.learners);
                    tasks.spawn(async move {
                        let complaints = &learners.complaints;
                        learner::serve(engine, stream, peer, learner, complaints, stop).await;
                    });
                }
                Err(error) => {
                    error!("cannot accept a learner: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}
