//! Deletes in the background what dropped futures and guards leave.

use std::sync::Mutex;

use client::Client;
use tokio::sync::mpsc;

use super::claim::CleanUp;
use crate::Error;

/// Contenders and holders of one recipe object at the same time. More wait for their turn before
/// they make a node.
const PLACES: usize = 4096;

/// The way to the task that cleans up, one for each recipe object. It starts with the first
/// contender, in its runtime, and ends when the last contender is gone and cleaned up after.
///
/// If the runtime ends first, nodes are left until their session ends.
#[derive(Debug, Default)]
pub(crate) struct Cleaner {
    jobs: Mutex<Option<mpsc::Sender<CleanUp>>>,
}

/// A place in the queue.
#[derive(Debug)]
pub(super) struct Place(mpsc::OwnedPermit<CleanUp>);

impl Place {
    /// Neither waits nor fails.
    pub(super) fn hand_over(self, job: CleanUp) {
        self.0.send(job);
    }
}

impl Cleaner {
    /// A place for one clean-up.
    pub(super) async fn reserve(&self, client: &Client) -> Result<Place, Error> {
        let permit = self.jobs(client).reserve_owned().await;
        permit.map(Place).map_err(|_| Error::RuntimeEnded)
    }

    fn jobs(&self, client: &Client) -> mpsc::Sender<CleanUp> {
        // A panic cannot leave it half changed.
        let mut jobs = self.jobs.lock().unwrap_or_else(|lock| lock.into_inner());
        if let Some(jobs) = jobs.as_ref().filter(|jobs| !jobs.is_closed()) {
            return jobs.clone();
        }
        let (sender, receiver) = mpsc::channel(PLACES);
        client.spawn(run(receiver));
        jobs.insert(sender).clone()
    }
}

async fn run(mut jobs: mpsc::Receiver<CleanUp>) {
    while let Some(job) = jobs.recv().await {
        // What fails other than for want of a connection fails for good (the identities are not
        // allowed to delete, say): the node is left to the end of the session.
        let _ = job.run().await;
    }
}
