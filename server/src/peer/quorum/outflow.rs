//! Sends a tree to a learner, while the leader serves.

use std::sync::Arc;
use std::time::{Duration, Instant};

use replica::Replica;
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};
use zab::{Input, LearnerLink};

use super::socket::{Flush, PeerSocket};
use crate::ensemble::{Arrival, Engine};
use crate::snapshots::{PIECE_BYTES, rest, step};

/// A learner that takes nothing of the tree for so long is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends trees, each in a task of its own.
#[derive(Clone)]
pub(crate) struct Outflows {
    pub(crate) engine: Arc<Engine>,
    pub(crate) replica: Arc<Replica>,
    pub(crate) runtime: tokio::runtime::Handle,
    pub(crate) tasks: TaskTracker,
}

/// Why a tree did not arrive.
#[derive(Debug, Error)]
enum Failure {
    #[error(transparent)]
    Gone(std::io::Error),
    #[error("it takes nothing of it for {} s", PATIENCE.as_secs())]
    Slow,
    #[error("the state was replaced by another one meanwhile")]
    Replaced,
}

impl Outflows {
    /// Sends the tree as it is from now on, behind what is queued.
    pub(crate) fn send(&self, link: LearnerLink, socket: Arc<PeerSocket>, stop: CancellationToken) {
        let outflows = self.clone();
        let sending = async move {
            let Some(sent) = outflows.run(link, &socket, &stop).await else {
                return;
            };
            let input = match sent {
                Ok(()) => Input::SnapshotSent(link),
                Err(failure) => {
                    warn!("{} does not get the tree: {failure}", socket.peer());
                    socket.cut();
                    Input::LearnerLost(link)
                }
            };
            outflows.engine.push(Arrival::Peer(input));
        };
        self.tasks.spawn_on(sending, &self.runtime);
    }

    /// `None` if it was told to stop: nobody waits for the tree any more.
    async fn run(
        &self,
        link: LearnerLink,
        socket: &PeerSocket,
        stop: &CancellationToken,
    ) -> Option<Result<(), Failure>> {
        let start = Instant::now();
        let (mut outflow, generation) = {
            let mut state = self.replica.write();
            (
                journal::Outflow::begin(&mut state),
                self.replica.generation(),
            )
        };
        // However it ends, the walk does: while there is one, the tree uses no slot again.
        let sent = tokio::select! {
            sent = self.pieces(link, socket, &mut outflow, generation) => Some(sent),
            () = stop.cancelled() => None,
        };
        let mut state = self.replica.write();
        if self.replica.generation() == generation {
            outflow.end(&mut state);
        }
        drop(state);
        let sent = sent?;
        if let Ok(bytes) = &sent {
            let took_ms = start.elapsed().as_millis();
            info!("sent a tree of {bytes} bytes in {took_ms} ms");
        }
        Some(sent.map(drop))
    }

    async fn pieces(
        &self,
        link: LearnerLink,
        socket: &PeerSocket,
        outflow: &mut journal::Outflow,
        generation: u64,
    ) -> Result<u64, Failure> {
        let mut bytes = 0;
        loop {
            let begun = Instant::now();
            let mut piece = Vec::new();
            let mut done = false;
            while piece.len() < PIECE_BYTES && !done {
                let state = self.replica.read();
                if self.replica.generation() != generation {
                    return Err(Failure::Replaced);
                }
                done = step(piece.len(), || {
                    let done = outflow.piece(&state, 1, &mut piece);
                    (piece.len(), done)
                });
                drop(state);
                // Who wrote meanwhile goes first, where there are fewer processors than threads.
                std::thread::yield_now();
            }
            bytes += piece.len() as u64;
            socket.push(0, |out| out.extend_from_slice(&piece));
            self.drain(link, socket).await?;
            if done {
                return Ok(bytes);
            }
            tokio::time::sleep(rest(begun.elapsed())).await;
        }
    }

    /// Until the socket has taken everything.
    async fn drain(&self, link: LearnerLink, socket: &PeerSocket) -> Result<(), Failure> {
        loop {
            let (flush, cost) = socket.flush().map_err(Failure::Gone)?;
            if cost > 0 {
                self.engine.push(Arrival::Peer(Input::Flushed(link, cost)));
            }
            if flush == Flush::Done {
                return Ok(());
            }
            match tokio::time::timeout(PATIENCE, socket.writable()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(Failure::Gone(error)),
                Err(_) => return Err(Failure::Slow),
            }
        }
    }
}
