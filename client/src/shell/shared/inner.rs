//! What happens under the lock: the session's effects, and who is told.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use jute::ErrorCode;
use jute::proto::WatcherType;
use tokio::sync::oneshot;

use super::{Answer, Done, EFFECTS_KEPT_MAX, Registering, Shared, Wish};
use crate::session::{Effect, End, Failure, Input, Reply, Request, Session, Token};
use crate::shell::error::Error;
use crate::shell::outlet::Outlet;
use crate::shell::slots::Slots;
use crate::shell::state::{Board, State, Status};
use crate::shell::watch::{Class, Registry, Subscription};

/// What an unanswered request is for.
#[derive(Debug)]
pub(super) enum Slot {
    Call(oneshot::Sender<Answer>, Option<Registering>),
    /// The application removes watches at a full path.
    Removal(oneshot::Sender<Answer>, String, WatcherType),
    /// Nobody is interested in a watch any more.
    Tidying(String, WatcherType),
    Close,
}

/// The session is being closed.
#[derive(Debug)]
pub(super) struct Closing {
    waiters: Vec<oneshot::Sender<Answer>>,
    /// The servers expire the session at about this time if they cannot be told.
    deadline_us: u64,
    /// It was given up.
    unconfirmed: bool,
}

pub(super) struct Inner {
    pub(super) session: Session,
    pub(super) outlet: Outlet,
    pub(super) slots: Slots<Slot>,
    pub(super) registry: Registry,
    pub(super) effects: Vec<Effect>,
    /// An empty list that takes its turn.
    spare: Vec<Effect>,
    pub(super) wish: Option<Wish>,
    /// When somebody looked at the clock last.
    pub(super) now_us: u64,
    /// Of the driver, when it sleeps.
    pub(super) driver: Option<Waker>,
    state: State,
    states: Arc<Board>,
    pub(super) closing: Option<Closing>,
    pub(super) last_error: Option<String>,
    /// Answers to be handed out once the lock is given up.
    pub(super) done: Vec<Done>,
    /// Answers handed out less calls made, since something was sent last: so many callers have
    /// not said yet what they want next.
    pub(super) undecided: usize,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Inner {
    pub(super) fn new(
        session: Session,
        state: State,
        states: Arc<Board>,
        watch_buffer: usize,
    ) -> Self {
        Self {
            session,
            outlet: Outlet::default(),
            slots: Slots::default(),
            registry: Registry::new(watch_buffer),
            effects: Vec::new(),
            spare: Vec::new(),
            wish: None,
            now_us: 0,
            driver: None,
            state,
            states,
            closing: None,
            last_error: None,
            done: Vec::new(),
            undecided: 0,
        }
    }

    pub(super) fn submit(&mut self, now_us: u64, request: Request, slot: Slot) -> Token {
        let token = self.slots.insert(slot);
        let input = Input::Submit(token, request);
        self.session.handle(now_us, input, &mut self.effects);
        token
    }

    pub(super) fn deadline_us(&self) -> Option<u64> {
        let closing = self.closing.as_ref().map(|closing| closing.deadline_us);
        let session = self.session.next_deadline()?;
        Some(session.min(closing.unwrap_or(u64::MAX)))
    }

    pub(super) fn tick(&mut self, now_us: u64) {
        let closing = self.closing.as_mut();
        if let Some(closing) = closing.filter(|closing| closing.deadline_us <= now_us) {
            closing.unconfirmed = true;
            let input = Input::Abandon;
            self.session.handle(now_us, input, &mut self.effects);
        }
        self.session.handle(now_us, Input::Tick, &mut self.effects);
    }

    /// Removes the server's watch if nobody is interested in it.
    pub(super) fn tidy(&mut self, now_us: u64, class: Class, path: &str) {
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

    pub(super) fn close(&mut self, now_us: u64, waiter: Option<oneshot::Sender<Answer>>) {
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
    pub(super) fn absorb(&mut self, now_us: u64, shared: &Arc<Shared>) {
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
            Effect::Disconnect => {
                self.outlet.connect(None);
                self.wish = Some(Wish::Disconnect);
            }
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
