use std::ops::Range;
use std::sync::Arc;

use jute::{ErrorCode, Zxid};
use state::acl::Identities;

use crate::Now;
use crate::answer::Asked;
use crate::connection::Connection;

/// Where an entry stands in the round's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry(usize);

/// Where the body of a read stands in the round's bodies.
#[derive(Clone, Debug)]
pub(super) struct Body(Range<usize>);

/// Bodies of the reads of one round.
#[derive(Default)]
pub(super) struct Bodies(Vec<u8>);

impl Bodies {
    fn push(&mut self, body: &[u8]) -> Body {
        let start = self.0.len();
        self.0.extend_from_slice(body);
        Body(start..self.0.len())
    }

    pub(super) fn get(&self, body: &Body) -> &[u8] {
        &self.0[body.0.clone()]
    }
}

/// What is done, in order, once the round's entries are durable.
pub(super) enum Step {
    /// A client's write, successful or not.
    Written {
        connection: Arc<Connection>,
        asked: Asked,
        entry: Entry,
    },
    /// A client's write that made no transaction.
    Rejected {
        connection: Arc<Connection>,
        asked: Asked,
        code: ErrorCode,
    },
    /// A read behind writes of its connection.
    Read(Read),
    /// A request of a session that is no longer alive.
    Dropped { connection: Arc<Connection> },
    /// A new session.
    Open {
        connection: Arc<Connection>,
        session: i64,
        entry: Entry,
    },
    /// An old session on a new connection; `None` if it cannot go on.
    Renewed {
        connection: Arc<Connection>,
        session: Option<i64>,
    },
    /// A session's end; without a connection if it expired.
    Closed {
        asked: Option<(Arc<Connection>, Asked)>,
        session: i64,
        entry: Entry,
    },
    /// A transaction of the server's own: a container or TTL node whose time has come, or
    /// ephemerals that go before their session.
    Own { entry: Entry },
}

/// A read behind writes of its connection, until its turn comes.
pub(super) struct Read {
    pub(super) connection: Arc<Connection>,
    pub(super) asked: Asked,
    pub(super) identities: Identities,
    pub(super) body: Body,
}

/// The log entries of one round, encoded, in order. Shared: the log writes them while the
/// sequencer keeps them to apply.
#[derive(Debug, Default)]
pub struct Entries {
    bytes: Vec<u8>,
    /// Ends of the entries in `bytes`.
    ends: Vec<usize>,
}

impl Entries {
    /// Number of entries.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The entries, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.ends.len()).map(|at| self.get(Entry(at)))
    }

    pub(super) fn get(&self, entry: Entry) -> &[u8] {
        let start = match entry.0 {
            0 => 0,
            at => self.ends[at - 1],
        };
        &self.bytes[start..self.ends[entry.0]]
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEEP_BUFFER);
        self.ends.clear();
    }
}

/// A round in the making: its steps and the entries they wait for.
#[derive(Default)]
pub(super) struct Draft {
    entries: Entries,
    bodies: Bodies,
    steps: Vec<Step>,
    last_zxid: Option<Zxid>,
    touched: Vec<Arc<Connection>>,
}

/// A round whose entries are with the log.
pub(super) struct Round {
    pub(super) number: u64,
    /// On the monotonic clock.
    pub(super) prepared_us: u64,
    pub(super) entries: Arc<Entries>,
    pub(super) bodies: Bodies,
    pub(super) steps: Vec<Step>,
    pub(super) touched: Vec<Arc<Connection>>,
    pub(super) last_zxid: Option<Zxid>,
}

/// A buffer larger than this is given back after its round.
const KEEP_BUFFER: usize = 1 << 20;

impl Draft {
    /// Starts with the memory of entries that are done with, if nobody else holds them.
    pub(super) fn reuse(entries: Arc<Entries>) -> Self {
        let mut entries = Arc::try_unwrap(entries).unwrap_or_default();
        entries.clear();
        Self {
            entries,
            ..Self::default()
        }
    }

    pub(super) fn begin_entry(&self) -> Entry {
        Entry(self.entries.ends.len())
    }

    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.entries.bytes
    }

    pub(super) fn end_entry(&mut self, entry: Entry, zxid: Zxid) {
        assert_eq!(entry.0, self.entries.ends.len(), "entries end in order");
        assert!(self.last_zxid.is_none_or(|last| last < zxid), "zxids grow");
        self.entries.ends.push(self.entries.bytes.len());
        self.last_zxid = Some(zxid);
    }

    pub(super) fn push(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// Keeps the body of a read until its turn comes.
    pub(super) fn keep(&mut self, body: &[u8]) -> Body {
        self.bodies.push(body)
    }

    pub(super) fn touch(&mut self, connection: &Arc<Connection>) {
        self.touched.push(Arc::clone(connection));
    }

    pub(super) fn finish(self, number: u64, now: Now) -> Round {
        Round {
            number,
            prepared_us: now.monotonic_us,
            entries: Arc::new(self.entries),
            bodies: self.bodies,
            steps: self.steps,
            touched: self.touched,
            last_zxid: self.last_zxid,
        }
    }
}
