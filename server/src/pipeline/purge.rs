use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use storage::StorageError;
use tokio::task::{AbortHandle, spawn_blocking};
use tracing::{error, info};

use crate::config::Autopurge;

/// Removes old snapshots and logs in the background (`autopurge.*`); stops when dropped.
pub(crate) struct Purge(Option<AbortHandle>);

impl Purge {
    /// `purge` removes what no start needs, but so many snapshots.
    pub(crate) fn start(
        autopurge: Autopurge,
        purge: impl Fn(usize) -> Result<Vec<PathBuf>, StorageError> + Send + Sync + 'static,
    ) -> Self {
        let keep = autopurge.snap_retain_count;
        info!("autopurge.snapRetainCount set to {keep}");
        let Some(hours) = autopurge.purge_interval_hours else {
            info!("Purge task is not scheduled.");
            return Self(None);
        };
        let purge = Arc::new(purge);
        let period = Duration::from_secs(u64::from(hours) * 3600);
        let task = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(period);
            loop {
                ticks.tick().await;
                info!("Purge task started.");
                let purge = Arc::clone(&purge);
                // A panic in it was reported where it happened.
                let _ = spawn_blocking(move || report(purge(keep as usize))).await;
            }
        });
        Self(Some(task.abort_handle()))
    }
}

impl Drop for Purge {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

fn report(purged: Result<Vec<PathBuf>, StorageError>) {
    match purged {
        Ok(removed) => {
            for path in removed {
                info!("Removing file: {}", path.display());
            }
            info!("Purge task completed.");
        }
        Err(error) => error!("Purge task failed: {error}"),
    }
}
