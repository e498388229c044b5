use std::sync::Arc;
use std::time::Duration;

use storage::log::LogHolds;
use storage::{Disk, Layout};
use tokio::task::{AbortHandle, spawn_blocking};
use tracing::{error, info};

use crate::config::Autopurge;

/// Removes old snapshots and logs in the background (`autopurge.*`); stops when dropped.
pub(crate) struct Purge(Option<AbortHandle>);

impl Purge {
    pub(crate) fn start(disk: Arc<dyn Disk>, layout: Layout, autopurge: Autopurge) -> Self {
        let keep = autopurge.snap_retain_count;
        info!("autopurge.snapRetainCount set to {keep}");
        let Some(hours) = autopurge.purge_interval_hours else {
            info!("Purge task is not scheduled.");
            return Self(None);
        };
        let period = Duration::from_secs(u64::from(hours) * 3600);
        let task = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(period);
            loop {
                ticks.tick().await;
                let (disk, layout) = (Arc::clone(&disk), layout.clone());
                // A panic in it was reported where it happened.
                let _ = spawn_blocking(move || run(disk.as_ref(), &layout, keep as usize)).await;
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

fn run(disk: &dyn Disk, layout: &Layout, keep: usize) {
    info!("Purge task started.");
    // A standalone server has no learners that read its log.
    match storage::purge::purge(disk, layout, keep, &LogHolds::default()) {
        Ok(removed) => {
            for path in removed {
                info!("Removing file: {}", path.display());
            }
            info!("Purge task completed.");
        }
        Err(error) => error!("Purge task failed: {error}"),
    }
}
