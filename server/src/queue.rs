//! What waits for a thread that decides, and who does that thread's work.

use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};

/// From so much waiting work on, those who bring more by [`Queue::push`] wait. Connections stop
/// reading long before, each by its own limits; this holds whatever their number is.
const WAITING_MAX: usize = 1 << 16;

/// Most work that is there without having waited for room. Who posts was asked for what it brings,
/// and has a bound of its own, far below this: the log's thread reports twice at the most before
/// its jobs are given by who takes the reports; messages of the election port hold one of eight
/// places of their server until they are taken; an oracle is told of when it changes its mind,
/// seconds apart; a stop is asked for once. What exceeds this has lost its bound, and would fill
/// the memory.
const POSTED_MAX: usize = 1 << 16;

/// Nothing is due.
const NEVER: u64 = u64::MAX;

/// Work in the order in which it came, for one thread, the owner. Another thread may do the work
/// in the owner's place, as a helper: on a quiet server to wake the owner costs more than the work.
///
/// Who takes work never waits for room here, so who waits for room always gets it.
#[derive(Debug)]
pub(crate) struct Queue<W> {
    inner: Mutex<Inner<W>>,
    filled: Condvar,
    emptied: Condvar,
}

#[derive(Debug)]
struct Inner<W> {
    work: Vec<W>,
    /// How much of it was posted.
    posted: usize,
    stopping: bool,
    /// A helper is at it.
    helped: bool,
    /// What the owner waits for, milliseconds of its clock; `None` if it does not wait.
    waits_for_ms: Option<u64>,
    /// What helpers have brought forward since the owner has looked at its deadlines.
    due_ms: u64,
    /// The owner is to look at once, whatever it waits for.
    interrupted: bool,
    /// So many wait for room.
    crowding: usize,
}

impl<W> Default for Queue<W> {
    fn default() -> Self {
        let inner = Inner {
            work: Vec::new(),
            posted: 0,
            stopping: false,
            helped: false,
            waits_for_ms: None,
            due_ms: NEVER,
            interrupted: false,
            crowding: 0,
        };
        Self {
            inner: Mutex::new(inner),
            filled: Condvar::new(),
            emptied: Condvar::new(),
        }
    }
}

impl<W> Queue<W> {
    /// Adds work, once there is room. True if the caller is to do it itself, and to leave by
    /// [`Queue::leave`]: nothing else waits, the caller is `willing`, and nobody else is at it.
    /// Otherwise someone is, or is woken.
    ///
    /// After [`Queue::stop`] the work is dropped.
    pub(crate) fn push(&self, work: impl IntoIterator<Item = W>, willing: bool) -> bool {
        let mut inner = self.inner.lock();
        while inner.work.len() >= WAITING_MAX && !inner.stopping {
            inner.crowding += 1;
            self.emptied.wait(&mut inner);
            inner.crowding -= 1;
        }
        if inner.stopping {
            return false;
        }
        let was_empty = inner.work.is_empty();
        inner.work.extend(work);
        self.taken_up(inner, was_empty && willing)
    }

    /// Sees to it that someone does the work: who brought it, if that is `willing`, or another.
    fn taken_up(&self, mut inner: MutexGuard<'_, Inner<W>>, willing: bool) -> bool {
        if willing && !inner.helped && !inner.work.is_empty() {
            inner.helped = true;
            return true;
        }
        self.wake(inner);
        false
    }

    /// Adds work without waiting, even after [`Queue::stop`]: for those who were asked for it, and
    /// so bring no more than that.
    ///
    /// # Panics
    /// Above [`POSTED_MAX`].
    pub(crate) fn post(&self, work: impl IntoIterator<Item = W>) {
        self.offer(work, false);
    }

    /// As [`Queue::post`]. True if the caller is to do the work itself, as by [`Queue::push`].
    pub(crate) fn offer(&self, work: impl IntoIterator<Item = W>, willing: bool) -> bool {
        let mut inner = self.inner.lock();
        let before = inner.work.len();
        inner.work.extend(work);
        inner.posted += inner.work.len() - before;
        assert!(inner.posted <= POSTED_MAX, "who posts has a bound");
        self.taken_up(inner, before == 0 && willing)
    }

    /// A helper stops if nothing is queued; false if something is. As [`Queue::leave`] otherwise.
    pub(crate) fn leave_if_empty(&self, due_ms: u64) -> bool {
        let inner = self.inner.lock();
        let empty = inner.work.is_empty();
        if empty {
            self.left(inner, due_ms);
        }
        empty
    }

    /// A helper stops and leaves what is queued to the owner, who alone keeps deadlines: `due_ms`
    /// is the next one as the helper leaves it, in milliseconds of the owner's clock.
    pub(crate) fn leave(&self, due_ms: u64) {
        self.left(self.inner.lock(), due_ms);
    }

    fn left(&self, mut inner: MutexGuard<'_, Inner<W>>, due_ms: u64) {
        inner.helped = false;
        match inner.waits_for_ms {
            Some(waits_for_ms) if due_ms < waits_for_ms => self.wake_now(inner),
            Some(_) => self.wake(inner),
            // It is about to look, or to wait for what it saw before.
            None => inner.due_ms = inner.due_ms.min(due_ms),
        }
    }

    /// Wakes the owner if it waits, something is queued and no helper is at it.
    fn wake(&self, inner: MutexGuard<'_, Inner<W>>) {
        if inner.waits_for_ms.is_some() && !inner.helped && !inner.work.is_empty() {
            self.wake_now(inner);
        }
    }

    fn wake_now(&self, mut inner: MutexGuard<'_, Inner<W>>) {
        inner.waits_for_ms = None;
        drop(inner);
        self.filled.notify_one();
    }

    /// Takes no more pushes, and wakes the owner.
    pub(crate) fn stop(&self) {
        self.inner.lock().stopping = true;
        self.emptied.notify_all();
        self.interrupt();
    }

    /// Whether it was stopped. What was pushed before is there.
    pub(crate) fn is_stopping(&self) -> bool {
        self.inner.lock().stopping
    }

    /// Wakes the owner, or keeps it from the next wait.
    pub(crate) fn interrupt(&self) {
        let mut inner = self.inner.lock();
        inner.interrupted = true;
        self.wake_now(inner);
    }

    /// The owner waits for at most `timeout` until something is queued, it is interrupted, or a
    /// helper leaves something that is due before `due_ms`, which is what it waits for.
    pub(crate) fn wait(&self, due_ms: u64, timeout: Duration) {
        let mut inner = self.inner.lock();
        let may_wait = inner.work.is_empty() && !inner.interrupted && inner.due_ms >= due_ms;
        if may_wait && !timeout.is_zero() {
            inner.waits_for_ms = Some(due_ms);
            self.filled.wait_for(&mut inner, timeout);
            inner.waits_for_ms = None;
        }
        inner.interrupted = false;
        inner.due_ms = NEVER;
    }

    /// How much is queued.
    pub(crate) fn len(&self) -> usize {
        self.inner.lock().work.len()
    }

    /// Takes everything that is queued.
    pub(crate) fn take(&self) -> Vec<W> {
        let mut inner = self.inner.lock();
        if inner.crowding > 0 {
            self.emptied.notify_all();
        }
        inner.posted = 0;
        std::mem::take(&mut inner.work)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_helper_at_a_time() {
        let queue = Queue::default();
        assert!(!queue.push([1], false), "not willing");
        assert!(!queue.push([2], true), "not alone");
        assert_eq!(queue.take(), [1, 2]);
        assert!(!queue.push([], true), "nothing to do");
        assert!(queue.push([3], true));
        assert_eq!(queue.take(), [3]);
        assert!(!queue.push([4], true), "there is a helper");
        assert!(!queue.leave_if_empty(NEVER));
        assert_eq!(queue.take(), [4]);
        assert!(queue.leave_if_empty(NEVER));
        assert!(queue.push([5], true), "the helper has left");
        queue.leave(NEVER);
        assert_eq!(queue.take(), [5]);
    }

    #[test]
    fn the_owner_does_not_sleep_past_what_a_helper_has_left() {
        let queue = Queue::<u8>::default();
        let forever = Duration::MAX;
        // Before it waits, and while it does.
        queue.leave(5);
        queue.wait(6, forever);
        std::thread::scope(|scope| {
            let owner = scope.spawn(|| queue.wait(6, forever));
            while queue.inner.lock().waits_for_ms.is_none() {
                std::thread::yield_now();
            }
            queue.leave(6);
            assert_eq!(queue.inner.lock().waits_for_ms, Some(6), "nothing earlier");
            assert!(queue.leave_if_empty(5));
            owner.join().expect("no panic");
        });
        assert_eq!(queue.inner.lock().due_ms, NEVER, "it looks again");
    }

    #[test]
    fn stopped_it_takes_posts_alone() {
        let queue = Queue::default();
        queue.stop();
        assert!(queue.is_stopping());
        assert!(!queue.push([1], true));
        queue.post([2]);
        assert_eq!(queue.take(), [2]);
    }

    #[test]
    #[should_panic(expected = "who posts has a bound")]
    fn posts_are_bounded() {
        let queue = Queue::default();
        queue.post(0..POSTED_MAX);
        assert_eq!(queue.take().len(), POSTED_MAX);
        queue.post(0..POSTED_MAX);
        queue.post([0]);
    }

    #[test]
    fn who_pushes_waits_for_room() {
        let queue = Queue::default();
        queue.post(0..WAITING_MAX);
        std::thread::scope(|scope| {
            let pushed = scope.spawn(|| queue.push([WAITING_MAX], false));
            let mut taken = Vec::new();
            while taken.len() <= WAITING_MAX {
                taken.extend(queue.take());
            }
            assert!(taken.into_iter().eq(0..=WAITING_MAX));
            assert!(!pushed.join().expect("no panic"));
        });
    }
}
