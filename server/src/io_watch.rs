//! Keeps sockets and timers looked after while a thread that moves bytes waits for the disk.
//!
//! A thread of the runtime that receives a lone write may write the log itself, which saves its client
//! two wake-ups. The runtime does not know that it waits. If the others sleep at that moment, none of
//! them polls the sockets, and none is woken to do so: reads, pings and words would wait for the disk.
//! To wake another one at each write would cost what is saved. So a thread that never waits for the
//! disk wakes one every so often: it goes on polling.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use parking_lot::{Condvar, Mutex};
use tokio::runtime::Handle;

/// So long a slow disk may keep those who do not need it.
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
            let mut is_here = awaited.is_here.lock();
            while !*is_here {
                awaited.came.wait_for(&mut is_here, PERIOD);
                runtime.spawn(async {});
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
