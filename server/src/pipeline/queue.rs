use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};
use replica::Submission;

use super::log::Written;

/// What waits for the core: submissions from connections, and what the log has written.
///
/// The number of submissions needs no limit of its own: each connection stops reading while
/// its writes wait and `zookeeper.globalOutstandingLimit` is exceeded.
#[derive(Debug, Default)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    filled: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    work: Work,
    stopping: bool,
    /// A thread that moves bytes runs rounds in place of the write thread.
    helped: bool,
    /// Does the write thread wait?
    waiting: bool,
    /// The write thread is to look at once, whatever it waits for.
    interrupted: bool,
}

/// What was taken from the queue.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) submissions: Vec<Submission>,
    pub(super) written: Vec<Written>,
}

impl Work {
    pub(super) fn is_empty(&self) -> bool {
        self.submissions.is_empty() && self.written.is_empty()
    }
}

impl Queue {
    /// Adds a submission. True if the caller is to run the round itself, and to leave by
    /// [`Queue::leave`]: the submission is the only one, the caller is `willing`, and nobody
    /// else is at it. Otherwise someone is, or is woken.
    ///
    /// Once the server stops the submission is dropped: its client gets no answer, and
    /// nothing has happened.
    pub(super) fn push(&self, submission: Submission, willing: bool) -> bool {
        let mut inner = self.inner.lock();
        if inner.stopping {
            return false;
        }
        inner.work.submissions.push(submission);
        if inner.helped {
            return false;
        }
        if willing && inner.work.submissions.len() == 1 {
            inner.helped = true;
            return true;
        }
        self.wake(inner);
        false
    }

    /// A helper stops if nothing is queued; false if something is.
    pub(super) fn leave_if_empty(&self) -> bool {
        let mut inner = self.inner.lock();
        let empty = inner.work.is_empty();
        inner.helped &= !empty;
        empty
    }

    /// A helper stops and leaves what is queued to the write thread.
    pub(super) fn leave(&self) {
        let mut inner = self.inner.lock();
        inner.helped = false;
        self.wake(inner);
    }

    /// Wakes the write thread if it waits and something is queued.
    fn wake(&self, mut inner: MutexGuard<'_, Inner>) {
        if inner.waiting && !inner.work.is_empty() {
            inner.waiting = false;
            drop(inner);
            self.filled.notify_one();
        }
    }

    /// Brings what the log has written, and wakes the write thread.
    pub(super) fn written(&self, written: Written) {
        let mut inner = self.inner.lock();
        inner.work.written.push(written);
        self.wake(inner);
    }

    /// Takes no more submissions, and wakes the write thread.
    pub(super) fn stop(&self) {
        self.inner.lock().stopping = true;
        self.interrupt();
    }

    /// Wakes the write thread, or keeps it from the next wait.
    pub(super) fn interrupt(&self) {
        let mut inner = self.inner.lock();
        inner.interrupted = true;
        inner.waiting = false;
        drop(inner);
        self.filled.notify_one();
    }

    /// Waits for at most `timeout` until something is queued or the wait is interrupted.
    /// True if the server stops; then it waits only while the log `is_writing`.
    pub(super) fn wait(&self, timeout: Duration, is_writing: bool) -> bool {
        let mut inner = self.inner.lock();
        let may_wait = is_writing || !inner.stopping;
        if inner.work.is_empty() && !inner.interrupted && may_wait {
            inner.waiting = true;
            self.filled.wait_for(&mut inner, timeout);
            inner.waiting = false;
        }
        inner.interrupted = false;
        inner.stopping
    }

    /// Takes everything that is queued.
    pub(super) fn take(&self) -> Work {
        std::mem::take(&mut self.inner.lock().work)
    }
}
