//! The standalone sequencer: one history, made by one server alone.
//!
//! Works in rounds: [`Sequencer::prepare`] turns what came in into transactions and hands
//! out their entries as a [`Batch`]; when the entries are durable, [`Sequencer::commit`]
//! takes the batch's ticket back, applies them and queues the answers. Nothing is applied,
//! and no client hears of it, before its entry is on stable storage: the ticket is the
//! proof, and it is good once.
//!
//! Several rounds may be with the log at a time. They become durable in the order in which
//! they were prepared, because the log is one, and they are committed in that order: a
//! round was validated on top of the rounds before it.

mod answer;
mod round;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use jute::Zxid;
use state::prep::{Closing, Prep, PrepOptions, Prepared};
use state::{State, prep};

use crate::ahead;
use crate::answer::Asked;
use crate::connection::{Connection, Ending};
use crate::gate::{Ask, Submission};
use crate::reaper::Reaper;
use crate::sessions::{SessionIds, SessionState};
use crate::{Now, Replica};
use answer::Content;
pub use round::Entries;
use round::{Draft, Read, Round, Step};

/// Submissions whose nodes are prefetched together.
const GROUP: usize = 32;

/// Stands for the entries of one round until they are durable. No two are the same.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a round ends by commit or refuse"]
pub struct Ticket(u64);

/// What a round needs of the log.
#[derive(Debug)]
pub struct Batch {
    /// To be given back when all entries are durable, those of earlier batches included.
    pub ticket: Ticket,
    /// In order; there may be none.
    pub entries: Arc<Entries>,
}

/// Orders writes, validates them, and applies them when they are durable.
pub struct Sequencer {
    replica: Arc<Replica>,
    options: PrepOptions,
    prep: Prep,
    session_ids: SessionIds,
    reaper: Reaper,
    /// The round in the making; between rounds, memory for the next.
    draft: Draft,
    /// Rounds whose entries are with the log, oldest first.
    outstanding: VecDeque<Round>,
    /// Number of the last ticket.
    tickets: u64,
    /// Sessions that own ephemerals and are not known: a snapshot of Apache's can hold
    /// such. They are closed in the first round.
    orphans: Vec<i64>,
}

impl Sequencer {
    /// Goes on behind the last transaction of the replica's state.
    pub fn new(replica: Arc<Replica>, options: PrepOptions, now: Now) -> Self {
        let prep = new_prep(&options, &replica);
        let orphans = orphans(&replica);
        let server_id = replica.options().server_id;
        let reaper = Reaper::new(replica.options().reaper, now);
        let mut session_ids = SessionIds::new(server_id, now.wall_ms, prep.last_zxid());
        for (session, _timeout_ms) in replica.read().sessions().iter() {
            session_ids.skip_past(session);
        }
        Self {
            options,
            prep,
            session_ids,
            reaper,
            draft: Draft::default(),
            outstanding: VecDeque::new(),
            tickets: 0,
            orphans,
            replica,
        }
    }

    /// When [`Sequencer::prepare`] should be called even if nothing comes in, milliseconds
    /// on the monotonic clock: sessions expire and nodes are reaped.
    pub fn next_deadline_ms(&self) -> u64 {
        let expiry = self.replica.sessions.lock().next_deadline_ms();
        let reaper = self.reaper.next_deadline_ms();
        expiry.map_or(reaper, |expiry| expiry.min(reaper))
    }

    /// Starts a round with what came in, in this order, and with what is due. Its entries
    /// are to be appended behind those of the rounds before it.
    pub fn prepare(&mut self, now: Now, submissions: Vec<Submission>) -> Batch {
        let replica = Arc::clone(&self.replica);
        let state = replica.read();
        let mut left = submissions.into_iter();
        while !left.as_slice().is_empty() {
            let writes = left.as_slice().iter().take(GROUP);
            let writes = writes.filter_map(|submission| match &submission.ask {
                Ask::Writes(writes) => Some(writes.iter().map(|(_, body)| body)),
                Ask::Open | Ask::Renew { .. } => None,
            });
            ahead::of_requests(&state, writes.flatten());
            for submission in left.by_ref().take(GROUP) {
                self.take(&state, now, submission);
            }
        }
        self.take_due(&state, now);
        self.tickets += 1;
        let round = std::mem::take(&mut self.draft).finish(self.tickets, now);
        let batch = Batch {
            ticket: Ticket(round.number),
            entries: Arc::clone(&round.entries),
        };
        self.outstanding.push_back(round);
        batch
    }

    /// Number of rounds that are neither committed nor refused.
    pub fn outstanding(&self) -> usize {
        self.outstanding.len()
    }

    /// Ends the oldest round: its entries are durable. Applies them under one guard, and
    /// queues events and answers under it, so that an event always precedes an answer that
    /// shows the change. Returns the connections that have something to send.
    ///
    /// # Panics
    /// If the ticket is not that of the oldest round.
    pub fn commit(&mut self, ticket: Ticket, now: Now) -> Vec<Arc<Connection>> {
        let round = self.oldest(&ticket);
        let took_us = now.monotonic_us.saturating_sub(round.prepared_us);
        self.replica.round_us.store(took_us, Relaxed);
        let content = Content {
            entries: &round.entries,
            bodies: &round.bodies,
        };
        let touched = answer::commit(&self.replica, round.steps, round.touched, content, now);
        if let Some(last) = round.last_zxid {
            self.prep.applied(last);
        }
        self.draft = Draft::reuse(round.entries);
        touched
    }

    /// Ends the oldest round without its entries, and every round behind it: there is no
    /// space for them, and none was written. Writes are answered with an error; their zxids
    /// are used again. The tickets of the later rounds are void: the log must take nothing
    /// of them.
    ///
    /// # Panics
    /// If the ticket is not that of the oldest round.
    pub fn refuse(&mut self, ticket: Ticket, now: Now) -> Vec<Arc<Connection>> {
        let oldest = self.oldest(&ticket);
        self.prep = new_prep(&self.options, &self.replica);
        self.orphans = orphans(&self.replica);
        let mut refused = vec![oldest];
        refused.extend(self.outstanding.drain(..));
        answer::refuse(&self.replica, refused, now)
    }

    fn oldest(&mut self, ticket: &Ticket) -> Round {
        let round = self.outstanding.pop_front();
        let round = round.expect("a ticket stands for a round");
        assert_eq!(round.number, ticket.0, "rounds end in order, each once");
        round
    }

    fn take(&mut self, state: &State, now: Now, submission: Submission) {
        let Submission {
            connection,
            identities,
            received_us,
            ask,
        } = submission;
        match ask {
            Ask::Open => self.open(state, now, connection),
            Ask::Renew {
                session,
                password_matches,
            } => self.renew(now, connection, session, password_matches),
            Ask::Writes(writes) => {
                let session = connection.session();
                let sessions = self.replica.sessions.lock();
                // Within a round only its own closeSession ends a session.
                let mut alive = sessions.state(session) == SessionState::Alive;
                drop(sessions);
                for (write, body) in writes.iter() {
                    self.replica.large_requests.release(body.len());
                    if !alive {
                        // Dropped without an answer; the connection ends when the session does.
                        let connection = Arc::clone(&connection);
                        self.draft.push(Step::Dropped { connection });
                        continue;
                    }
                    let asked = Asked {
                        xid: write.xid,
                        op: write.op,
                        received_us,
                    };
                    if write.rides() {
                        let read = Read {
                            connection: Arc::clone(&connection),
                            asked,
                            identities: Arc::clone(&identities),
                            body: self.draft.keep(body),
                        };
                        self.draft.push(Step::Read(read));
                        continue;
                    }
                    alive = write.op != jute::OpCode::CloseSession;
                    let request = prep::Request {
                        session,
                        cxid: write.xid,
                        op: write.op,
                        body,
                        identities: &identities,
                        kind: prep::SessionKind::Global,
                    };
                    self.write(state, now, Arc::clone(&connection), asked, &request);
                }
            }
        }
    }

    fn open(&mut self, state: &State, now: Now, connection: Arc<Connection>) {
        let session = self.session_ids.allocate();
        let timeout_ms = connection.timeout_ms();
        let entry = self.draft.begin_entry();
        let (buffer, request) = (self.draft.buffer(), (session, 0));
        let zxid = self
            .prep
            .create_session(state, now.wall_ms, request, timeout_ms, buffer);
        self.draft.end_entry(entry, zxid);
        self.draft.push(Step::Open {
            connection,
            session,
            entry,
        });
    }

    /// The connection that had the session so far is closed even if the password is
    /// wrong, as in Apache.
    fn renew(
        &mut self,
        now: Now,
        connection: Arc<Connection>,
        session: i64,
        password_matches: bool,
    ) {
        let mut sessions = self.replica.sessions.lock();
        if let Some(old) = sessions.connection(session) {
            old.end(Ending::Replaced);
            self.draft.touch(&old);
        }
        let timeout_ms = connection.timeout_ms();
        let valid = password_matches
            && sessions.renew(
                session,
                timeout_ms,
                Arc::clone(&connection),
                now.monotonic_ms(),
            );
        drop(sessions);
        self.draft.push(Step::Renewed {
            connection,
            session: valid.then_some(session),
        });
    }

    fn write(
        &mut self,
        state: &State,
        now: Now,
        connection: Arc<Connection>,
        asked: Asked,
        request: &prep::Request<'_>,
    ) {
        let closes = asked.op == jute::OpCode::CloseSession;
        let waited_ms = now.monotonic_us.saturating_sub(asked.received_us) / 1000;
        let throttle_ms = self.replica.options().throttled_op_wait_ms;
        if throttle_ms > 0 && waited_ms > throttle_ms && !closes {
            self.draft.push(Step::Rejected {
                connection,
                asked,
                code: jute::ErrorCode::ThrottledOp,
            });
            return;
        }
        if closes {
            let entry = self.close(state, now, request.session, asked.xid);
            self.draft.push(Step::Closed {
                asked: Some((connection, asked)),
                session: request.session,
                entry,
            });
            return;
        }
        let entry = self.draft.begin_entry();
        let outcome = self
            .prep
            .prepare(state, now.wall_ms, request, self.draft.buffer());
        let step = match outcome {
            Prepared::Txn { zxid, .. } => {
                self.draft.end_entry(entry, zxid);
                Step::Written {
                    connection,
                    asked,
                    entry,
                }
            }
            Prepared::Reject(code) => Step::Rejected {
                connection,
                asked,
                code,
            },
        };
        self.draft.push(step);
    }

    /// Prepares the end of a session; too many ephemerals go in transactions of their own
    /// before it.
    fn close(&mut self, state: &State, now: Now, session: i64, cxid: i32) -> round::Entry {
        self.replica.sessions.lock().closing(session);
        loop {
            let entry = self.draft.begin_entry();
            let buffer = self.draft.buffer();
            let closing = self
                .prep
                .close_session(state, now.wall_ms, session, cxid, buffer);
            match closing {
                Closing::Closed(zxid) => {
                    self.draft.end_entry(entry, zxid);
                    return entry;
                }
                Closing::Shed(zxid) => {
                    self.draft.end_entry(entry, zxid);
                    self.draft.push(Step::Own { entry });
                }
            }
        }
    }

    /// Sessions to expire and nodes to reap. They ride in the same rounds as writes.
    fn take_due(&mut self, state: &State, now: Now) {
        let expired = self.replica.sessions.lock().expired(now.monotonic_ms());
        let expired = expired.into_iter().map(|(session, _timeout_ms)| session);
        for session in self.orphans.split_off(0).into_iter().chain(expired) {
            let entry = self.close(state, now, session, 0);
            self.draft.push(Step::Closed {
                asked: None,
                session,
                entry,
            });
        }
        while let Some(path) = self.reaper.due(state, now) {
            let entry = self.draft.begin_entry();
            let buffer = self.draft.buffer();
            let prepared = self
                .prep
                .delete_container(state, now.wall_ms, &path, buffer);
            if let Prepared::Txn { zxid, .. } = prepared {
                self.draft.end_entry(entry, zxid);
                self.draft.push(Step::Own { entry });
            }
        }
    }

    /// The last zxid handed out.
    pub fn last_prepared(&self) -> Zxid {
        self.prep.last_zxid()
    }
}

fn new_prep(options: &PrepOptions, replica: &Replica) -> Prep {
    let state = replica.read();
    let seed = replica.options().seed;
    Prep::new(options.clone(), &state, state.last_zxid(), seed)
}

fn orphans(replica: &Replica) -> Vec<i64> {
    let state = replica.read();
    let unknown = |session: &i64| state.sessions().timeout_ms(*session).is_none();
    state.sessions_with_ephemerals().filter(unknown).collect()
}
