use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use replica::Submission;

/// Submissions on their way to the write thread. Its length needs no limit of its own:
/// each connection stops reading while its writes wait and
/// `zookeeper.globalOutstandingLimit` is exceeded.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    filled: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    submissions: Vec<Submission>,
    stopping: bool,
    waiting: bool,
}

/// What the write thread got.
pub(super) enum Drained {
    /// Everything that was queued; nothing if the time is up.
    Round(Vec<Submission>),
    /// Stop: nothing is queued any more.
    Stop,
}

impl Queue {
    /// Adds a submission and wakes the write thread if it waits.
    pub(crate) fn push(&self, submission: Submission) {
        let mut inner = self.inner.lock();
        inner.submissions.push(submission);
        let waiting = std::mem::take(&mut inner.waiting);
        drop(inner);
        if waiting {
            self.filled.notify_one();
        }
    }

    /// Lets the write thread finish what is queued and stop.
    pub(crate) fn stop(&self) {
        self.inner.lock().stopping = true;
        self.filled.notify_one();
    }

    /// Takes everything, waiting for at most `timeout` if there is nothing.
    pub(super) fn drain(&self, timeout: Duration) -> Drained {
        let mut inner = self.inner.lock();
        if inner.submissions.is_empty() && !inner.stopping {
            inner.waiting = true;
            self.filled.wait_for(&mut inner, timeout);
            inner.waiting = false;
        }
        if inner.submissions.is_empty() && inner.stopping {
            return Drained::Stop;
        }
        Drained::Round(std::mem::take(&mut inner.submissions))
    }
}
