//! The second half of a round: apply, tell watchers, answer.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use jute::ErrorCode;
use jute::txn::LogEntry;
use state::State;
use state::apply::Applied;

use super::round::{Bodies, Entries, Entry, Read, Round, Step};
use crate::answer::{
    ANSWERS_PER_GUARD, Asked, Deliver, Riding, Touched, error_of, reply_closed, reply_connect,
    reply_error,
};
use crate::connection::{Connection, Ending};
use crate::{Now, Replica};

/// The guard is given up after so many steps, so that reads never wait long.
const STEPS_PER_GUARD: usize = 256;

/// What the steps of a round point into.
#[derive(Clone, Copy)]
pub(super) struct Content<'a> {
    pub(super) entries: &'a Entries,
    pub(super) bodies: &'a Bodies,
}

pub(super) fn commit(
    replica: &Replica,
    steps: Vec<Step>,
    touched: Vec<Arc<Connection>>,
    content: Content<'_>,
    now: Now,
) -> Vec<Arc<Connection>> {
    let mut committer = Committer {
        content,
        answers: Answers::new(replica, Touched::new(touched), now),
    };
    let mut steps = steps.into_iter().peekable();
    while steps.peek().is_some() {
        let mut state = replica.write();
        committer.answers.read_bytes = 0;
        for step in steps.by_ref().take(STEPS_PER_GUARD) {
            committer.step(&mut state, step);
            if committer.answers.read_bytes > ANSWERS_PER_GUARD {
                break;
            }
        }
    }
    committer.answers.finish()
}

pub(super) fn refuse(replica: &Replica, rounds: Vec<Round>, now: Now) -> Vec<Arc<Connection>> {
    let zxid = replica.read().last_zxid().0;
    let mut refuser = Refuser {
        zxid,
        answers: Answers::new(replica, Touched::default(), now),
    };
    for round in rounds {
        refuser.answers.touched.add_all(round.touched);
        for step in round.steps {
            refuser.step(step, &round.bodies);
        }
    }
    refuser.answers.finish()
}

/// What clients are told at the end of rounds, whichever way these end.
struct Answers<'a> {
    replica: &'a Replica,
    now: Now,
    touched: Touched,
    /// Answers to one connection that are queued and not counted yet.
    answered: Option<Answered>,
    /// Bytes of answers to reads, under the present guard.
    read_bytes: usize,
}

/// Requests of one connection whose answers took the same time: they came together.
struct Answered {
    connection: Arc<Connection>,
    us: u64,
    count: u32,
}

impl<'a> Answers<'a> {
    fn new(replica: &'a Replica, touched: Touched, now: Now) -> Self {
        Self {
            replica,
            now,
            touched,
            answered: None,
            read_bytes: 0,
        }
    }

    fn read(&mut self, state: &mut State, read: &Read, bodies: &Bodies) {
        let riding = Riding {
            connection: &read.connection,
            asked: read.asked,
            identities: &read.identities,
            body: bodies.get(&read.body),
        };
        let rode = riding.answer(self.replica, state, self.now);
        self.note(&read.connection, rode.us);
        self.read_bytes += rode.bytes;
    }

    fn error(&mut self, connection: &Arc<Connection>, asked: Asked, zxid: i64, code: ErrorCode) {
        reply_error(self.replica, connection, asked, zxid, code, self.now);
        self.touched.add(connection);
    }

    fn connected(&mut self, connection: &Arc<Connection>, session: Option<i64>) {
        reply_connect(self.replica, connection, session, false);
        self.touched.add(connection);
    }

    /// Counts an answer that is queued, and took `us` microseconds; those of one connection in a
    /// row are counted at once.
    fn note(&mut self, connection: &Arc<Connection>, us: u64) {
        match &mut self.answered {
            Some(last) if last.us == us && Arc::ptr_eq(&last.connection, connection) => {
                last.count += 1;
            }
            _ => {
                self.count();
                self.answered = Some(Answered {
                    connection: Arc::clone(connection),
                    us,
                    count: 1,
                });
            }
        }
        self.touched.add(connection);
    }

    fn count(&mut self) {
        if let Some(last) = self.answered.take() {
            self.replica.count_answers(u64::from(last.count), last.us);
            self.replica.answered(&last.connection, last.count);
        }
    }

    /// The connections that have something to send.
    fn finish(mut self) -> Vec<Arc<Connection>> {
        self.count();
        self.touched.into_inner()
    }
}

/// Ends a round whose entries are durable.
struct Committer<'a> {
    content: Content<'a>,
    answers: Answers<'a>,
}

impl<'a> Committer<'a> {
    fn step(&mut self, state: &mut State, step: Step) {
        match step {
            Step::Written {
                connection,
                asked,
                entry,
            } => self.written(state, &connection, asked, entry),
            Step::Rejected {
                connection,
                asked,
                code,
            } => {
                let zxid = state.last_zxid().0;
                self.answers.error(&connection, asked, zxid, code);
            }
            Step::Read(read) => self.answers.read(state, &read, self.content.bodies),
            Step::Dropped { connection } => self.answers.replica.answered(&connection, 1),
            Step::Open {
                connection,
                session,
                entry,
            } => self.open(state, &connection, session, entry),
            Step::Renewed {
                connection,
                session,
            } => self.answers.connected(&connection, session),
            Step::Closed {
                asked,
                session,
                entry,
            } => self.closed(state, asked, session, entry),
            Step::Own { entry } => {
                self.apply(state, entry);
            }
        }
    }

    fn apply(&mut self, state: &mut State, entry: Entry) -> Applied<'a> {
        let Answers {
            replica, touched, ..
        } = &mut self.answers;
        let mut sink = Deliver { replica, touched };
        let entry = LogEntry::from_bytes(self.content.entries.get(entry), state.options().limits);
        let entry = entry.expect("a transaction of our own can be read back");
        let applied = state.apply(entry, &mut sink);
        let applied = applied.expect("a multi of our own can be read back");
        replica.note_digest(state);
        applied
    }

    fn written(
        &mut self,
        state: &mut State,
        connection: &Arc<Connection>,
        asked: Asked,
        entry: Entry,
    ) {
        let now = self.answers.now;
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
        self.answers.note(connection, us);
    }

    fn open(
        &mut self,
        state: &mut State,
        connection: &Arc<Connection>,
        session: i64,
        entry: Entry,
    ) {
        self.apply(state, entry);
        self.answers.replica.sessions.lock().open(
            session,
            connection.timeout_ms(),
            Some(Arc::clone(connection)),
            self.answers.now.monotonic_ms(),
        );
        self.answers.connected(connection, Some(session));
    }

    /// The watches of a connection that ends stay until it is gone: to remove very many at
    /// once would hold the guard for long, and an outbox that ends takes no more events.
    fn closed(
        &mut self,
        state: &mut State,
        asked: Option<(Arc<Connection>, Asked)>,
        session: i64,
        entry: Entry,
    ) {
        let zxid = self.apply(state, entry).zxid.0;
        let Answers {
            replica,
            now,
            touched,
            ..
        } = &mut self.answers;
        let owner = replica.sessions.lock().closed(session);
        if let Some((connection, asked)) = asked {
            reply_closed(replica, &connection, asked, zxid, *now);
            touched.add(&connection);
        } else {
            replica.stats.sessions_expired.fetch_add(1, Relaxed);
        }
        if let Some(owner) = owner {
            owner.end(Ending::SessionExpired);
            touched.add(&owner);
        }
    }
}

/// Ends rounds for which there is no space.
struct Refuser<'a> {
    zxid: i64,
    answers: Answers<'a>,
}

impl Refuser<'_> {
    fn step(&mut self, step: Step, bodies: &Bodies) {
        let replica = self.answers.replica;
        match step {
            Step::Read(read) => self.answers.read(&mut replica.write(), &read, bodies),
            Step::Written {
                connection, asked, ..
            } => self.error(&connection, asked, ErrorCode::SystemError),
            Step::Rejected {
                connection,
                asked,
                code,
            } => self.error(&connection, asked, code),
            // That the session is closing may have been decided by what is refused here, so
            // nothing is said of it: the client comes back and is told how it is then.
            Step::Open { connection, .. }
            | Step::Dropped { connection }
            | Step::Renewed {
                connection,
                session: None,
            } => {
                connection.end(Ending::NoSpace);
                replica.answered(&connection, 1);
                self.answers.touched.add(&connection);
            }
            Step::Renewed {
                connection,
                session,
            } => self.answers.connected(&connection, session),
            Step::Closed { asked, session, .. } => {
                replica.sessions.lock().not_closing(session);
                if let Some((connection, asked)) = asked {
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
        self.answers.error(connection, asked, self.zxid, code);
    }
}
