//! What calls, watchers and the driver share: the session under one lock.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use jute::ErrorCode;
use jute::proto::WatcherType;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::error::Error;
use super::slots::Slots;
use super::state::{Board, State, States, Status};
use super::watch::{Class, Registry, Subscription};
use crate::session::{Effect, End, Failure, Input, Reply, Request, Session, Token};

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

/// What an unanswered request is for.
#[derive(Debug)]
enum Slot {
    Call(oneshot::Sender<Answer>, Option<Registering>),
    /// The application removes watches at a full path.
    Removal(oneshot::Sender<Answer>, String, WatcherType),
    /// Nobody is interested in a watch any more.
    Tidying(String, WatcherType),
    Close,
}

/// What the driver is to do with the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Connect,
    Disconnect,
}

/// The session is being closed.
#[derive(Debug)]
struct Closing {
    waiters: Vec<oneshot::Sender<Answer>>,
    /// The servers expire the session at about this time if they cannot be told.
    deadline_us: u64,
    /// It was given up.
    unconfirmed: bool,
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

struct Inner {
    session: Session,
    slots: Slots<Slot>,
    registry: Registry,
    effects: Vec<Effect>,
    /// An empty list that takes its turn.
    spare: Vec<Effect>,
    wish: Option<Wish>,
    /// When somebody looked at the clock last.
    now_us: u64,
    /// Of the driver, when it sleeps.
    driver: Option<Waker>,
    state: State,
    states: Arc<Board>,
    closing: Option<Closing>,
    last_error: Option<String>,
    /// Answers to be handed out once the lock is given up.
    done: Vec<Done>,
    /// Answers handed out less calls made, since something was sent last: so many callers have
    /// not said yet what they want next.
    undecided: usize,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
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
        let inner = Inner {
            session,
            slots: Slots::default(),
            registry: Registry::new(watch_buffer),
            effects: Vec::new(),
            spare: Vec::new(),
            wish: None,
            now_us: 0,
            driver: None,
            state,
            states: board,
            closing: None,
            last_error: None,
            done: Vec::new(),
            undecided: 0,
        };
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

    /// For the driver: something happened at the connection. An empty list of its own spares the making of one
    /// each time.
    pub(crate) fn input(self: &Arc<Self>, input: Input<'_>, done: &mut Vec<Done>) {
        self.drive(done, |inner, now_us| {
            inner.session.handle(now_us, input, &mut inner.effects);
        });
    }

    /// For the driver: the connection failed, or could not be had.
    pub(crate) fn disconnected(self: &Arc<Self>, error: &std::io::Error) {
        self.drive(&mut Vec::new(), |inner, now_us| {
            inner.last_error = Some(error.to_string());
            let input = Input::Disconnected;
            inner.session.handle(now_us, input, &mut inner.effects);
        });
    }

    /// For the driver: looks what there is to do, and will be woken for more. If `bytes` is
    /// empty, it is filled with what is to be sent; not if `may_wait`, and more is likely to come at
    /// once.
    pub(crate) fn work(
        self: &Arc<Self>,
        waker: &Waker,
        bytes: &mut Vec<u8>,
        may_wait: bool,
    ) -> Work {
        self.drive(&mut Vec::new(), |inner, now_us| {
            inner.tick(now_us);
            // What the tick wants done is to be seen here.
            inner.absorb(now_us, self);
            let output = inner.session.output();
            let waits = may_wait && inner.undecided > 0 && !output.is_empty();
            if bytes.is_empty() && !output.is_empty() && !waits {
                std::mem::swap(bytes, output);
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

    /// For everybody but the driver: as [`drive`](Self::drive), and wakes the driver.
    fn change<R>(self: &Arc<Self>, act: impl FnOnce(&mut Inner, u64) -> R) -> R {
        let mut inner = self.inner.lock();
        // While the driver is awake its last look at the clock was a moment ago; to look again takes a good part of
        // a call. If the driver does not get to run for long, requests count as sent earlier than they were: the
        // session is pinged, and waiting is given up, so much too early, never too late.
        if inner.driver.is_some() {
            inner.now_us = self.now_us();
        }
        let (result, driver) = self.run(inner, &mut Vec::new(), |inner, now_us| {
            let result = act(inner, now_us);
            (result, inner.driver.take())
        });
        if let Some(driver) = driver {
            driver.wake();
        }
        result
    }

    /// Runs `act` under the lock, does what follows from it, and hands the answers out, by way of the empty list `done`.
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

impl Inner {
    fn submit(&mut self, now_us: u64, request: Request, slot: Slot) -> Token {
        let token = self.slots.insert(slot);
        let input = Input::Submit(token, request);
        self.session.handle(now_us, input, &mut self.effects);
        token
    }

    fn deadline_us(&self) -> Option<u64> {
        let closing = self.closing.as_ref().map(|closing| closing.deadline_us);
        let session = self.session.next_deadline()?;
        Some(session.min(closing.unwrap_or(u64::MAX)))
    }

    fn tick(&mut self, now_us: u64) {
        let closing = self.closing.as_mut();
        if let Some(closing) = closing.filter(|closing| closing.deadline_us <= now_us) {
            closing.unconfirmed = true;
            let input = Input::Abandon;
            self.session.handle(now_us, input, &mut self.effects);
        }
        self.session.handle(now_us, Input::Tick, &mut self.effects);
    }

    /// Removes the server's watch if nobody is interested in it.
    fn tidy(&mut self, now_us: u64, class: Class, path: &str) {
        let kind = class.kind();
        if !self.registry.is_idle(class, path) || !self.session.watches().contains(path, kind) {
            return;
        }
        self.remove_watch(now_us, path.to_owned(), kind);
    }

    fn remove_watch(&mut self, now_us: u64, path: String, kind: WatcherType) {
        if self.session.is_established() {
            let slot = Slot::Tidying(path.clone(), kind);
            self.submit(now_us, Request::RemoveWatches { path, kind }, slot);
        } else {
            // The server's went with the connection.
            self.session.forget_watch(&path, kind);
        }
    }

    fn close(&mut self, now_us: u64, waiter: Option<oneshot::Sender<Answer>>) {
        if self.session.has_ended() {
            self.done.extend(waiter.map(|waiter| (waiter, done())));
            return;
        }
        if let Some(closing) = &mut self.closing {
            closing.waiters.extend(waiter);
            return;
        }
        let timeout_us = self.state.session_timeout.as_micros() as u64;
        self.closing = Some(Closing {
            waiters: waiter.into_iter().collect(),
            deadline_us: now_us + timeout_us,
            unconfirmed: false,
        });
        if self.session.id() == 0 && !self.session.is_opening() {
            // No server knows of it.
            let input = Input::Abandon;
            self.session.handle(now_us, input, &mut self.effects);
        } else {
            self.submit(now_us, Request::CloseSession, Slot::Close);
        }
    }

    /// Does what the session wants done.
    fn absorb(&mut self, now_us: u64, shared: &Arc<Shared>) {
        while !self.effects.is_empty() {
            // What follows from an effect comes behind those that are there.
            let spare = std::mem::take(&mut self.spare);
            let mut effects = std::mem::replace(&mut self.effects, spare);
            for effect in effects.drain(..) {
                self.effect(now_us, effect, shared);
            }
            effects.shrink_to(EFFECTS_KEPT_MAX);
            self.spare = effects;
        }
    }

    fn effect(&mut self, now_us: u64, effect: Effect, shared: &Arc<Shared>) {
        match effect {
            Effect::Connect => self.wish = Some(Wish::Connect),
            Effect::Disconnect => self.wish = Some(Wish::Disconnect),
            Effect::Established {
                session,
                timeout_ms,
                renewed,
                read_only,
            } => {
                self.state.session_id = session;
                self.state.session_timeout =
                    Duration::from_millis(timeout_ms.unsigned_abs().into());
                self.state.connection += 1;
                self.stands(match read_only {
                    true => Status::ConnectedReadOnly,
                    false => Status::Connected,
                });
                if renewed {
                    self.registry.reconnected();
                }
            }
            Effect::Answer {
                token,
                zxid,
                outcome,
            } => self.answer(now_us, token, zxid, outcome, shared),
            Effect::Event(event) => self.registry.fire(&event),
            Effect::Suspended => {
                self.stands(Status::Disconnected);
                self.registry.disconnected();
            }
            Effect::Ended(end) => self.ended(end),
        }
    }

    fn stands(&mut self, status: Status) {
        self.state.status = status;
        self.states.tell(self.state);
    }

    fn ended(&mut self, end: End) {
        self.registry.end(end.into());
        self.stands(match end {
            End::Expired => Status::Expired,
            End::Closed => Status::Closed,
            End::AuthFailed => Status::AuthFailed,
        });
        if let Some(closing) = &mut self.closing {
            let unconfirmed = closing.unconfirmed;
            let waiters = closing.waiters.drain(..);
            self.done.extend(waiters.map(|waiter| match unconfirmed {
                true => (waiter, failed(Error::NotSent)),
                false => (waiter, done()),
            }));
        }
    }

    fn answer(
        &mut self,
        now_us: u64,
        token: Token,
        zxid: i64,
        outcome: Result<Reply, Failure>,
        shared: &Arc<Shared>,
    ) {
        match self.slots.take(token) {
            None => {}
            Some(Slot::Call(waiter, None)) => {
                let answer = Answer {
                    outcome: outcome.map_err(Error::from),
                    zxid,
                    watch: None,
                };
                self.done.push((waiter, answer));
            }
            Some(Slot::Call(waiter, Some(watch))) => {
                let Registering {
                    class,
                    path,
                    absent_too,
                } = watch;
                // Not what the session keeps: an event that came in the same piece may have
                // used the watch up already.
                let absent = Err(Failure::Refused(ErrorCode::NoNode));
                let is_set = outcome.is_ok() || absent_too && outcome == absent;
                let subscriber = self.registry.finish(class, &path, is_set);
                if subscriber.is_none() {
                    self.tidy(now_us, class, &path);
                }
                let watch = subscriber.map(|(id, mailbox)| {
                    Box::new(Subscription {
                        shared: Arc::clone(shared),
                        class,
                        path,
                        id,
                        mailbox,
                    })
                });
                let answer = Answer {
                    outcome: outcome.map_err(Error::from),
                    zxid,
                    watch,
                };
                self.done.push((waiter, answer));
            }
            Some(Slot::Removal(waiter, path, kind)) => {
                // Cut off, it is done all the same: the server's watches went with the
                // connection, and the session does not set these again.
                if !matches!(outcome, Err(Failure::Refused(_))) {
                    self.registry.removed(&path, kind);
                }
                let answer = Answer {
                    outcome: outcome.map_err(Error::from),
                    zxid,
                    watch: None,
                };
                self.done.push((waiter, answer));
            }
            Some(Slot::Tidying(path, kind)) => self.tidied(now_us, path, kind, outcome),
            Some(Slot::Close) => self.close_answered(now_us, outcome),
        }
    }

    /// Servers before 3.9 cannot remove a persistent watch alone, only all at its path: they are
    /// asked to if nothing else is watched there. Else they go on sending events that nobody
    /// reads, until the connection ends.
    fn tidied(
        &mut self,
        now_us: u64,
        path: String,
        kind: WatcherType,
        outcome: Result<Reply, Failure>,
    ) {
        let Err(Failure::Refused(code)) = outcome else {
            return;
        };
        if code == ErrorCode::NoWatcher || kind == WatcherType::Any {
            return;
        }
        self.session.forget_watch(&path, kind);
        if Class::ALL
            .iter()
            .all(|class| self.registry.is_idle(*class, &path))
        {
            self.remove_watch(now_us, path, WatcherType::Any);
        }
    }

    fn close_answered(&mut self, now_us: u64, outcome: Result<Reply, Failure>) {
        match outcome {
            // The session's end follows, or went before.
            Ok(_) | Err(Failure::SessionEnded(_)) => {}
            // To close twice is to close: it is asked again on the next connection.
            Err(Failure::ConnectionLoss | Failure::NotSent) => {
                self.submit(now_us, Request::CloseSession, Slot::Close);
            }
            Err(_) => {
                if let Some(closing) = &mut self.closing {
                    closing.unconfirmed = true;
                }
                let input = Input::Abandon;
                self.session.handle(now_us, input, &mut self.effects);
            }
        }
    }
}

fn done() -> Answer {
    Answer {
        outcome: Ok(Reply::Done),
        zxid: 0,
        watch: None,
    }
}

fn failed(error: Error) -> Answer {
    Answer {
        outcome: Err(error),
        zxid: 0,
        watch: None,
    }
}
