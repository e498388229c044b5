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
    /// Set while the write thread waits: it wants so many submissions at once.
    wanted: Option<usize>,
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

    /// Wakes the write thread if it waits for no more than what is queued.
    fn wake(&self, mut inner: MutexGuard<'_, Inner>) {
        let queued = inner.work.submissions.len();
        if inner.wanted.is_some_and(|wanted| queued >= wanted) {
            inner.wanted = None;
            drop(inner);
            self.filled.notify_one();
        }
    }

    /// Brings what the log has written, and wakes the write thread.
    pub(super) fn written(&self, written: Written) {
        self.inner.lock().work.written.push(written);
        self.interrupt();
    }

    /// Takes no more submissions, and wakes the write thread.
    pub(super) fn stop(&self) {
        self.inner.lock().stopping = true;
        self.interrupt();
    }

    /// Wakes the write thread, whatever it waits for.
    pub(super) fn interrupt(&self) {
        let waiting = self.inner.lock().wanted.take();
        if waiting.is_some() {
            self.filled.notify_one();
        }
    }

    /// Waits for at most `timeout` until the log has written something, so many submissions
    /// are queued, or the server stops. True if it stops.
    pub(super) fn wait(&self, timeout: Duration, submissions: usize) -> bool {
        let mut inner = self.inner.lock();
        let work = &inner.work;
        if work.submissions.len() < submissions && work.written.is_empty() && !inner.stopping {
            inner.wanted = Some(submissions);
            self.filled.wait_for(&mut inner, timeout);
            inner.wanted = None;
        }
        inner.stopping
    }

    /// Takes everything that is queued.
    pub(super) fn take(&self) -> Work {
        std::mem::take(&mut self.inner.lock().work)
    }
}
