//! The second half of a round: apply, tell watchers, answer.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use jute::txn::LogEntry;
use jute::{ErrorCode, OpCode};
use state::State;
use state::apply::Applied;

use super::round::{Entries, Entry, Round, Step};
use crate::answer::{Asked, Deliver, Touched, error_of, reply_connect, reply_error};
use crate::connection::{Connection, Ending};
use crate::{Now, Replica};

/// The guard is given up after so many steps, so that reads never wait long.
const STEPS_PER_GUARD: usize = 256;

pub(super) fn commit(
    replica: &Replica,
    steps: Vec<Step>,
    touched: Vec<Arc<Connection>>,
    entries: &Entries,
    now: Now,
) -> Vec<Arc<Connection>> {
    let mut committer = Committer {
        replica,
        entries,
        now,
        touched: Touched::new(touched),
        answered: None,
    };
    let mut steps = steps.into_iter().peekable();
    while steps.peek().is_some() {
        let mut state = replica.write();
        for step in steps.by_ref().take(STEPS_PER_GUARD) {
            committer.step(&mut state, step);
        }
    }
    committer.count_answered();
    committer.touched.into_inner()
}

pub(super) fn refuse(replica: &Replica, rounds: Vec<Round>, now: Now) -> Vec<Arc<Connection>> {
    let zxid = replica.read().last_zxid().0;
    let mut refuser = Refuser {
        replica,
        now,
        zxid,
        touched: Touched::default(),
    };
    for round in rounds {
        refuser.touched.add_all(round.touched);
        for step in round.steps {
            refuser.step(step);
        }
    }
    refuser.touched.into_inner()
}

struct Committer<'a> {
    replica: &'a Replica,
    entries: &'a Entries,
    now: Now,
    touched: Touched,
    /// Answers to one connection that are queued and not counted yet.
    answered: Option<Answered>,
}

/// Writes of one connection that took the same time: they came together.
struct Answered {
    connection: Arc<Connection>,
    us: u64,
    count: u32,
}

impl<'a> Committer<'a> {
    fn step(&mut self, state: &mut State, step: Step) {
        match step {
            Step::Written {
                connection,
                xid,
                op,
                entry,
                received_us,
            } => {
                let asked = Asked {
                    xid,
                    op,
                    received_us,
                };
                self.written(state, &connection, asked, entry);
            }
            Step::Rejected {
                connection,
                xid,
                op,
                code,
                received_us,
            } => {
                let zxid = state.last_zxid().0;
                let asked = Asked {
                    xid,
                    op,
                    received_us,
                };
                reply_error(self.replica, &connection, asked, zxid, code, self.now);
                self.touched.add(&connection);
            }
            Step::Dropped { connection } => self.replica.answered(&connection, 1),
            Step::Open {
                connection,
                session,
                entry,
            } => self.open(state, &connection, session, entry),
            Step::Renewed {
                connection,
                session,
            } => {
                reply_connect(self.replica, &connection, session, false);
                self.touched.add(&connection);
            }
            Step::Closed {
                connection,
                session,
                entry,
            } => self.closed(state, connection, session, entry),
            Step::Own { entry } => {
                self.apply(state, entry);
            }
        }
    }

    fn apply(&mut self, state: &mut State, entry: Entry) -> Applied<'a> {
        let mut sink = Deliver {
            replica: self.replica,
            touched: &mut self.touched,
        };
        let entry = LogEntry::from_bytes(self.entries.get(entry), state.options().limits);
        let entry = entry.expect("a transaction of our own can be read back");
        let applied = state.apply(entry, &mut sink);
        let applied = applied.expect("a multi of our own can be read back");
        self.replica.note_digest(state);
        applied
    }

    fn written(
        &mut self,
        state: &mut State,
        connection: &Arc<Connection>,
        asked: Asked,
        entry: Entry,
    ) {
        let now = self.now;
        let applied = self.apply(state, entry);
        let zxid = applied.zxid.0;
        let mut outbox = connection.outbox();
        let _ = outbox.push_reply(asked.xid, zxid, |out, _| {
            applied.encode_reply(out);
            error_of(&applied)
        });
        let us = now.monotonic_us.saturating_sub(asked.received_us);
        outbox.note_answer(asked.op, asked.xid, zxid, now.monotonic_us, us);
        drop(outbox);
        self.answered(connection, us);
        self.touched.add(connection);
    }

    /// Counts an answer; those of one connection in a row are counted at once.
    fn answered(&mut self, connection: &Arc<Connection>, us: u64) {
        match &mut self.answered {
            Some(last) if last.us == us && Arc::ptr_eq(&last.connection, connection) => {
                last.count += 1;
            }
            _ => {
                self.count_answered();
                self.answered = Some(Answered {
                    connection: Arc::clone(connection),
                    us,
                    count: 1,
                });
            }
        }
    }

    fn count_answered(&mut self) {
        if let Some(last) = self.answered.take() {
            self.replica.count_answers(u64::from(last.count), last.us);
            self.replica.answered(&last.connection, last.count);
        }
    }

    fn open(
        &mut self,
        state: &mut State,
        connection: &Arc<Connection>,
        session: i64,
        entry: Entry,
    ) {
        self.apply(state, entry);
        self.replica.sessions.lock().open(
            session,
            connection.timeout_ms(),
            Some(Arc::clone(connection)),
            self.now.monotonic_ms(),
        );
        reply_connect(self.replica, connection, Some(session), false);
        self.touched.add(connection);
    }

    /// The watches of a connection that ends stay until it is gone: to remove very many at
    /// once would hold the guard for long, and an outbox that ends takes no more events.
    fn closed(
        &mut self,
        state: &mut State,
        asked: Option<(Arc<Connection>, i32, u64)>,
        session: i64,
        entry: Entry,
    ) {
        let (replica, now) = (self.replica, self.now);
        let zxid = self.apply(state, entry).zxid.0;
        let owner = replica.sessions.lock().closed(session);
        if let Some((connection, xid, received_us)) = asked {
            let us = now.monotonic_us.saturating_sub(received_us);
            let mut outbox = connection.outbox();
            let _ = outbox.push_reply(xid, zxid, |_, _| Ok(()));
            outbox.note_answer(OpCode::CloseSession, xid, zxid, now.monotonic_us, us);
            outbox.end(Ending::SessionClosed);
            drop(outbox);
            replica.answered(&connection, 1);
            self.touched.add(&connection);
        } else {
            replica.stats.sessions_expired.fetch_add(1, Relaxed);
        }
        if let Some(owner) = owner {
            owner.end(Ending::SessionExpired);
            self.touched.add(&owner);
        }
    }
}

/// Answers a round for which there is no space.
struct Refuser<'a> {
    replica: &'a Replica,
    now: Now,
    zxid: i64,
    touched: Touched,
}

impl Refuser<'_> {
    fn step(&mut self, step: Step) {
        match step {
            Step::Written {
                connection,
                xid,
                op,
                received_us,
                ..
            } => {
                let asked = Asked {
                    xid,
                    op,
                    received_us,
                };
                self.error(&connection, asked, ErrorCode::SystemError);
            }
            Step::Rejected {
                connection,
                xid,
                op,
                code,
                received_us,
            } => self.error(
                &connection,
                Asked {
                    xid,
                    op,
                    received_us,
                },
                code,
            ),
            // That the session is closing may have been decided by what is refused here, so
            // nothing is said of it: the client comes back and is told how it is then.
            Step::Open { connection, .. }
            | Step::Dropped { connection }
            | Step::Renewed {
                connection,
                session: None,
            } => {
                connection.end(Ending::NoSpace);
                self.replica.answered(&connection, 1);
                self.touched.add(&connection);
            }
            Step::Renewed {
                connection,
                session,
            } => {
                reply_connect(self.replica, &connection, session, false);
                self.touched.add(&connection);
            }
            Step::Closed {
                connection,
                session,
                ..
            } => {
                self.replica.sessions.lock().not_closing(session);
                if let Some((connection, xid, received_us)) = connection {
                    let op = OpCode::CloseSession;
                    let asked = Asked {
                        xid,
                        op,
                        received_us,
                    };
                    self.error(&connection, asked, ErrorCode::SystemError);
                    // What came behind it was dropped unanswered: the connection cannot
                    // go on. The session can, on another one.
                    connection.end(Ending::NoSpace);
                }
            }
            Step::Own { .. } => {}
        }
    }

    fn error(&mut self, connection: &Arc<Connection>, asked: Asked, code: ErrorCode) {
        reply_error(self.replica, connection, asked, self.zxid, code, self.now);
        self.touched.add(connection);
    }
}
