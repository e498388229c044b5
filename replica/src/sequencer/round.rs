use std::sync::Arc;

use jute::{ErrorCode, OpCode, Zxid};

use crate::connection::Connection;

/// Where an entry stands in the round's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry(usize);

/// What is done, in order, once the round's entries are durable.
pub(super) enum Step {
    /// A client's write, successful or not.
    Written {
        connection: Arc<Connection>,
        xid: i32,
        op: OpCode,
        entry: Entry,
        received_us: u64,
    },
    /// A client's write that made no transaction.
    Rejected {
        connection: Arc<Connection>,
        xid: i32,
        op: OpCode,
        code: ErrorCode,
        received_us: u64,
    },
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
        connection: Option<(Arc<Connection>, i32, u64)>,
        session: i64,
        entry: Entry,
    },
    /// A transaction of the server's own: a container or TTL node whose time has come, or
    /// ephemerals that go before their session.
    Own { entry: Entry },
}

/// The steps of a round and the entries they wait for.
#[derive(Default)]
pub(super) struct Round {
    buffer: Vec<u8>,
    /// Ends of the entries in the buffer.
    ends: Vec<usize>,
    steps: Vec<Step>,
    last_zxid: Option<Zxid>,
    touched: Vec<Arc<Connection>>,
}

/// A buffer larger than this is given back after its round.
const KEEP_BUFFER: usize = 1 << 20;

impl Round {
    pub(super) fn clear(&mut self) {
        self.buffer.clear();
        self.buffer.shrink_to(KEEP_BUFFER);
        self.ends.clear();
        self.steps.clear();
        self.touched.clear();
        self.last_zxid = None;
    }

    pub(super) fn begin_entry(&self) -> Entry {
        Entry(self.ends.len())
    }

    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    pub(super) fn end_entry(&mut self, entry: Entry, zxid: Zxid) {
        assert_eq!(entry.0, self.ends.len(), "entries end in order");
        assert!(self.last_zxid.is_none_or(|last| last < zxid), "zxids grow");
        self.ends.push(self.buffer.len());
        self.last_zxid = Some(zxid);
    }

    pub(super) fn push(&mut self, step: Step) {
        self.steps.push(step);
    }

    pub(super) fn touch(&mut self, connection: &Arc<Connection>) {
        self.touched.push(Arc::clone(connection));
    }

    pub(super) fn take_steps(&mut self) -> (Vec<Step>, Vec<Arc<Connection>>) {
        (
            std::mem::take(&mut self.steps),
            std::mem::take(&mut self.touched),
        )
    }

    pub(super) fn entry(&self, entry: Entry) -> &[u8] {
        let start = match entry.0 {
            0 => 0,
            at => self.ends[at - 1],
        };
        &self.buffer[start..self.ends[entry.0]]
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.ends.len()).map(|at| self.entry(Entry(at)))
    }

    pub(super) fn entries_len(&self) -> usize {
        self.buffer.len()
    }

    pub(super) fn last_zxid(&self) -> Option<Zxid> {
        self.last_zxid
    }
}
