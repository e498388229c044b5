//! Keeps sockets and timers looked after while a thread that moves bytes waits for the disk.
//!
//! A thread of the runtime that receives a lone write may write the log itself, which saves its
//! client two wake-ups. The runtime does not know that it waits. If the others sleep at that
//! moment, none of them polls the sockets, and none is woken to do so: reads, pings and words would
//! wait for the disk. To wake another one at each write would cost what is saved. So a thread that
//! never waits for the disk looks every so often whether one has been at it all the time since; if
//! so, it wakes another, which goes on polling.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use parking_lot::{Condvar, Mutex};
use tokio::runtime::{Handle, RuntimeMetrics};

/// Between two looks: twice that is as long as a slow disk may keep those who do not need it.
const PERIOD: Duration = Duration::from_millis(20);

/// Ends with its drop.
pub(crate) struct IoWatch {
    end: Arc<End>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct End {
    is_here: Mutex<bool>,
    came: Condvar,
}

impl IoWatch {
    /// # Errors
    /// When the system has no thread left.
    pub(crate) fn start(runtime: Handle) -> Result<Self> {
        let end = Arc::new(End::default());
        let awaited = Arc::clone(&end);
        let watch = move || {
            let metrics = runtime.metrics();
            let mut seen = looked_at(&metrics);
            let mut is_here = awaited.is_here.lock();
            while !*is_here {
                awaited.came.wait_for(&mut is_here, PERIOD);
                let now = looked_at(&metrics);
                if now
                    .iter()
                    .zip(&seen)
                    .any(|(now, seen)| now.is_at_it_since(*seen))
                {
                    runtime.spawn(async {});
                }
                seen = now;
            }
        };
        let thread = std::thread::Builder::new()
            .name("zk-io-watch".to_owned())
            .spawn(watch)
            .context("no thread for the watch on those that move bytes")?;
        Ok(Self {
            end,
            thread: Some(thread),
        })
    }
}

/// What is seen of a thread of the runtime: how often it has gone to rest and come back.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Changes(u64);

impl Changes {
    /// It works, and has not rested since.
    fn is_at_it_since(self, seen: Self) -> bool {
        self == seen && self.0.is_multiple_of(2)
    }
}

fn looked_at(metrics: &RuntimeMetrics) -> Vec<Changes> {
    let changes = |worker| Changes(metrics.worker_park_unpark_count(worker));
    (0..metrics.num_workers()).map(changes).collect()
}

impl Drop for IoWatch {
    fn drop(&mut self) {
        *self.end.is_here.lock() = true;
        self.end.came.notify_one();
        if let Some(thread) = self.thread.take() {
            // It does not panic, and what it was there for ends anyway.
            let _ = thread.join();
        }
    }
}
