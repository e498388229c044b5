use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use replica::Submission;

/// Submissions on their way to the write thread. Its length needs no limit of its own:
/// each connection stops reading while its writes wait and
/// `zookeeper.globalOutstandingLimit` is exceeded.
#[derive(Debug, Default)]
pub(super) struct Queue {
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
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Waited {
    /// Something is queued, or the time is up.
    Go,
    /// Stop: nothing is queued and nothing will be.
    Stop,
}

impl Queue {
    /// Adds a submission; true if it is the only one. Once the server stops it is dropped:
    /// its client gets no answer, and nothing has happened.
    pub(super) fn push(&self, submission: Submission) -> bool {
        let mut inner = self.inner.lock();
        if inner.stopping {
            return false;
        }
        inner.submissions.push(submission);
        inner.submissions.len() == 1
    }

    /// Wakes the write thread if it waits.
    pub(super) fn wake(&self) {
        let waiting = std::mem::take(&mut self.inner.lock().waiting);
        if waiting {
            self.filled.notify_one();
        }
    }

    /// Takes nothing more; the write thread finishes what is queued and stops.
    pub(super) fn stop(&self) {
        self.inner.lock().stopping = true;
        self.filled.notify_one();
    }

    /// Waits until something is queued, for at most `timeout`.
    pub(super) fn wait(&self, timeout: Duration) -> Waited {
        let mut inner = self.inner.lock();
        if inner.submissions.is_empty() && !inner.stopping {
            inner.waiting = true;
            self.filled.wait_for(&mut inner, timeout);
            inner.waiting = false;
        }
        if inner.submissions.is_empty() && inner.stopping {
            Waited::Stop
        } else {
            Waited::Go
        }
    }

    /// Takes everything that is queued.
    pub(super) fn take(&self) -> Vec<Submission> {
        std::mem::take(&mut self.inner.lock().submissions)
    }

    /// Is nothing queued?
    pub(super) fn is_empty(&self) -> bool {
        self.inner.lock().submissions.is_empty()
    }
}
