//! What waits for the engine's thread.

use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::engine::Arrival;

/// What came in, in order. Bounded by those who bring it: clients by their limits, servers by
/// what is on the way between them, the disk by what it was asked for.
#[derive(Default)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    filled: Condvar,
}

#[derive(Default)]
struct Inner {
    arrivals: Vec<Arrival>,
    /// Another thread does the work in place of the engine's.
    helped: bool,
    /// Does the engine's thread wait?
    waiting: bool,
    /// It is to look at once.
    interrupted: bool,
}

impl Queue {
    /// Adds what came in. True if the caller is to do the work itself, and to leave by
    /// [`Queue::leave`]: it is `willing`, and nobody else is at it.
    pub(super) fn push(&self, arrivals: impl IntoIterator<Item = Arrival>, willing: bool) -> bool {
        let mut inner = self.inner.lock();
        let was_empty = inner.arrivals.is_empty();
        inner.arrivals.extend(arrivals);
        if inner.helped || inner.arrivals.is_empty() {
            return false;
        }
        if willing && was_empty {
            inner.helped = true;
            return true;
        }
        self.wake(inner);
        false
    }

    /// A helper stops if nothing is queued; false if something is.
    pub(super) fn leave_if_empty(&self) -> bool {
        let mut inner = self.inner.lock();
        let empty = inner.arrivals.is_empty();
        inner.helped &= !empty;
        empty
    }

    /// A helper stops and leaves what is queued to the engine's thread.
    pub(super) fn leave(&self) {
        let mut inner = self.inner.lock();
        inner.helped = false;
        self.wake(inner);
    }

    fn wake(&self, mut inner: MutexGuard<'_, Inner>) {
        if inner.waiting && !inner.arrivals.is_empty() {
            inner.waiting = false;
            drop(inner);
            self.filled.notify_one();
        }
    }

    /// Wakes the engine's thread, or keeps it from the next wait.
    pub(super) fn interrupt(&self) {
        let mut inner = self.inner.lock();
        inner.interrupted = true;
        inner.waiting = false;
        drop(inner);
        self.filled.notify_one();
    }

    /// Waits for at most `timeout` until something is there.
    pub(super) fn wait(&self, timeout: Duration) {
        let mut inner = self.inner.lock();
        if inner.arrivals.is_empty() && !inner.interrupted {
            inner.waiting = true;
            self.filled.wait_for(&mut inner, timeout);
            inner.waiting = false;
        }
        inner.interrupted = false;
    }

    /// Takes everything.
    pub(super) fn take(&self) -> Vec<Arrival> {
        std::mem::take(&mut self.inner.lock().arrivals)
    }
}
