//! What calls, watchers and the driver share: the session under one lock.

mod inner;

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::session::{Input, Reply, Request, Session, Token};
use crate::shell::error::Error;
use crate::shell::outlet::{Portion, Sending};
use crate::shell::state::{Board, State, States, Status};
use crate::shell::watch::{Class, Subscription};
use inner::{Inner, Slot};

/// Room for so many effects and answers is kept from one time to the next.
const EFFECTS_KEPT_MAX: usize = 4096;

/// An answer, and who waits for it.
pub(crate) type Done = (oneshot::Sender<Answer>, Answer);

/// What came back for a call.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) outcome: Result<Reply, Error>,
    pub(crate) zxid: i64,
    /// The watch that it set. In a box: few set one, and all answers are moved several times.
    pub(crate) watch: Option<Box<Subscription>>,
}

/// A watch that a request will set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Registering {
    pub(crate) class: Class,
    /// In full.
    pub(crate) path: String,
    /// Is it also set where there is no node? An exists does that.
    pub(crate) absent_too: bool,
}

/// What the driver is to do with the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Connect,
    Disconnect,
}

/// What a look at the work says.
#[derive(Debug)]
pub(crate) struct Work {
    /// There are bytes to be sent, but those whom the last answers woke have not run yet: the
    /// driver is to let them run first.
    pub(crate) waits: bool,
    pub(crate) wish: Option<Wish>,
    /// When there is more to do.
    pub(crate) deadline: Option<Instant>,
    pub(crate) has_ended: bool,
    /// A server that takes writes is to be looked for.
    pub(crate) is_read_only: bool,
}

/// What all parts of a client share.
#[derive(Debug)]
pub(crate) struct Shared {
    inner: Mutex<Inner>,
    start: Instant,
}

impl Shared {
    pub(crate) fn new(
        session: Session,
        session_timeout: Duration,
        watch_buffer: usize,
    ) -> (Arc<Self>, States) {
        let state = State {
            status: Status::Connecting,
            session_id: 0,
            session_timeout,
            connection: 0,
        };
        let board = Board::new(state);
        let states = States::of(&board);
        let inner = Inner::new(session, state, board, watch_buffer);
        let shared = Self {
            inner: Mutex::new(inner),
            start: Instant::now(),
        };
        (Arc::new(shared), states)
    }

    /// Submits a request; its place in the order is taken when this returns.
    pub(crate) fn submit(
        self: &Arc<Self>,
        request: Request,
        registering: Option<Registering>,
    ) -> Result<(Token, oneshot::Receiver<Answer>), Error> {
        let (sender, receiver) = oneshot::channel();
        let token = self.change(|inner, now_us| {
            if inner.closing.is_some() {
                return Err(Error::Closed);
            }
            if let Some(watch) = &registering {
                inner.registry.begin(watch.class, &watch.path);
            }
            let slot = match request {
                Request::RemoveWatches { ref path, kind } => {
                    Slot::Removal(sender, path.clone(), kind)
                }
                _ => Slot::Call(sender, registering),
            };
            inner.undecided = inner.undecided.saturating_sub(1);
            Ok(inner.submit(now_us, request, slot))
        })?;
        Ok((token, receiver))
    }

    /// Takes a call back if it was not sent.
    pub(crate) fn withdraw(self: &Arc<Self>, token: Token) {
        self.change(|inner, now_us| {
            if !inner.session.withdraw(token) {
                return;
            }
            if let Some(Slot::Call(_, Some(watch))) = inner.slots.take(token) {
                inner.registry.finish(watch.class, &watch.path, false);
                inner.tidy(now_us, watch.class, &watch.path);
            }
        });
    }

    /// A watcher is no longer interested.
    pub(crate) fn unsubscribe(self: &Arc<Self>, class: Class, path: &str, id: u64) {
        self.change(|inner, now_us| {
            inner.registry.leave(class, path, id);
            inner.tidy(now_us, class, path);
        });
    }

    /// Closes the session behind all calls that were made; the answer comes when it is over.
    pub(crate) fn close(self: &Arc<Self>, waiter: Option<oneshot::Sender<Answer>>) {
        self.change(|inner, now_us| inner.close(now_us, waiter));
    }

    /// The highest zxid seen.
    pub(crate) fn last_zxid(&self) -> i64 {
        self.inner.lock().session.last_zxid()
    }

    /// When the last request was sent that was answered.
    pub(crate) fn touched(&self) -> Instant {
        let touched_us = self.inner.lock().session.touched_us();
        self.start + Duration::from_micros(touched_us)
    }

    /// Why the last attempt to connect failed.
    pub(crate) fn last_error(&self) -> Option<String> {
        self.inner.lock().last_error.clone()
    }

    /// For the driver: something happened at the connection. An empty list of its own spares the
    /// making of one each time.
    pub(crate) fn input(self: &Arc<Self>, input: Input<'_>, done: &mut Vec<Done>) {
        self.drive(done, |inner, now_us| {
            inner.session.handle(now_us, input, &mut inner.effects);
        });
    }

    /// For the driver: there is a connection, on which callers may send by themselves if there is a
    /// `writer`.
    pub(crate) fn connected(self: &Arc<Self>, writer: Option<Arc<OwnedWriteHalf>>) {
        self.drive(&mut Vec::new(), |inner, now_us| {
            inner.outlet.connect(writer);
            let input = Input::Connected;
            inner.session.handle(now_us, input, &mut inner.effects);
        });
    }

    /// For the driver: the connection failed, or could not be had.
    pub(crate) fn disconnected(self: &Arc<Self>, error: &std::io::Error) {
        self.drive(&mut Vec::new(), |inner, now_us| {
            inner.last_error = Some(error.to_string());
            inner.outlet.connect(None);
            let input = Input::Disconnected;
            inner.session.handle(now_us, input, &mut inner.effects);
        });
    }

    /// For the driver: looks what there is to do, and will be woken for more. If all of `sending`
    /// is sent, it becomes what is to be sent next; not if `may_wait`, and more is likely to come
    /// at once.
    pub(crate) fn work(
        self: &Arc<Self>,
        waker: &Waker,
        sending: &mut Sending,
        may_wait: bool,
    ) -> Work {
        self.drive(&mut Vec::new(), |inner, now_us| {
            inner.tick(now_us);
            // What the tick wants done is to be seen here.
            inner.absorb(now_us, self);
            let output = inner.session.output();
            let waits = may_wait && inner.undecided > 0 && !output.is_empty();
            if inner.outlet.fill(sending, output, waits) {
                inner.undecided = 0;
            }
            let wish = inner.wish.take();
            let has_ended = inner.session.has_ended();
            let is_read_only = inner.session.is_read_only();
            let deadline = inner.deadline_us();
            let deadline = deadline.map(|us| self.start + Duration::from_micros(us));
            // Who waits runs again anyway.
            inner.driver = (!waits).then(|| waker.clone());
            Work {
                waits,
                wish,
                deadline,
                has_ended,
                is_read_only,
            }
        })
    }

    /// For everybody but the driver: as [`drive`](Self::drive); sends what is to be sent if it is
    /// much, and wakes the driver.
    fn change<R>(self: &Arc<Self>, act: impl FnOnce(&mut Inner, u64) -> R) -> R {
        let mut inner = self.inner.lock();
        // While the driver is awake its last look at the clock was a moment ago; to look again
        // takes a good part of a call. If the driver does not get to run for long, requests count
        // as sent earlier than they were: the session is pinged, and waiting is given up, so much
        // too early, never too late.
        if inner.driver.is_some() {
            inner.now_us = self.now_us();
        }
        let (result, portion, driver) = self.run(inner, &mut Vec::new(), |inner, now_us| {
            let result = act(inner, now_us);
            let portion = inner.outlet.take(inner.session.output());
            (result, portion, inner.driver.take())
        });
        let waiting = portion.and_then(|portion| self.send(portion));
        if let Some(driver) = driver.or(waiting) {
            driver.wake();
        }
        result
    }

    /// Sends in place of the driver; returns the driver's waker if it has to go on. A driver
    /// without one is awake, and has yet to look, under the lock, before it sleeps: so what is left
    /// is not forgotten.
    fn send(&self, mut portion: Portion) -> Option<Waker> {
        portion.send();
        let inner = &mut *self.inner.lock();
        let is_left = inner.outlet.give_back(&mut portion, inner.session.output());
        is_left.then(|| inner.driver.take()).flatten()
    }

    /// Runs `act` under the lock, does what follows from it, and hands the answers out, by way of
    /// the empty list `done`.
    fn drive<R>(
        self: &Arc<Self>,
        done: &mut Vec<Done>,
        act: impl FnOnce(&mut Inner, u64) -> R,
    ) -> R {
        let mut inner = self.inner.lock();
        inner.now_us = self.now_us();
        self.run(inner, done, act)
    }

    fn now_us(&self) -> u64 {
        self.start.elapsed().as_micros() as u64
    }

    /// As [`drive`](Self::drive), as of the last look at the clock.
    fn run<R>(
        self: &Arc<Self>,
        mut inner: MutexGuard<'_, Inner>,
        done: &mut Vec<Done>,
        act: impl FnOnce(&mut Inner, u64) -> R,
    ) -> R {
        let now_us = inner.now_us;
        let result = act(&mut inner, now_us);
        inner.absorb(now_us, self);
        if !inner.done.is_empty() {
            std::mem::swap(&mut inner.done, done);
            inner.undecided += done.len();
        }
        drop(inner);
        for (waiter, answer) in done.drain(..) {
            // Who has gone drops the answer, and the watch in it.
            drop(waiter.send(answer));
        }
        done.shrink_to(EFFECTS_KEPT_MAX);
        result
    }
}
