//! Who is connected here, and what each of them still waits for.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashMap;
use jute::{ErrorCode, OpCode, Zxid};
use state::acl::Identities;

use crate::Replica;
use crate::answer::Asked;
use crate::connection::{Connection, Ending};

/// A write, a sync, or a read behind such, that has no answer yet. Kept until then: should the
/// leader be lost before it is decided, it is found in the history, or asked for again.
#[derive(Clone, Debug)]
pub(super) struct Unanswered {
    pub(super) asked: Asked,
    pub(super) body: Bytes,
    pub(super) identities: Identities,
    pub(super) fate: Fate,
}

/// How far a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// No leader has it.
    Held,
    /// A leader has it: a transaction, or the answer of a sync, will come.
    Sent,
    /// Refused; the answer waits for those before it.
    Refused(ErrorCode),
    /// A read: it waits for those before it alone.
    Riding,
    /// A sync that the leader has answered before a write that was asked for earlier. No leader
    /// should; dropping the answer would leave the client waiting for ever.
    Synced,
    /// The end of a local session: it concerns nobody else, and waits for those before it.
    Closing,
}

impl Fate {
    /// Whether it waits for nothing but those before it.
    pub(super) fn needs_no_transaction(self) -> bool {
        matches!(
            self,
            Self::Refused(_) | Self::Riding | Self::Synced | Self::Closing
        )
    }
}

/// Known to whom?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// To the whole ensemble.
    Global,
    /// To this server alone.
    Local,
    /// To this server alone, and it asked to become global.
    Upgrading,
}

/// A session on the connection that serves it here.
pub(super) struct Client {
    pub(super) connection: Arc<Connection>,
    pub(super) kind: Kind,
    /// In the order of the session. Transactions of a session come in this order, so the first
    /// one here is the next one in the history: this tells requests apart even if their client
    /// uses an xid twice.
    pub(super) queue: VecDeque<Unanswered>,
    /// What the session asked for on other connections stands up to here in the history.
    pub(super) since: Zxid,
}

/// What a transaction of a session is to the connection that serves the session here.
pub(super) enum Match {
    /// The answer of its oldest request.
    Answer(Unanswered),
    /// Nothing: it was asked for before this connection was there.
    Earlier,
    /// It was asked for elsewhere: the client goes on there.
    Foreign,
}

impl Client {
    pub(super) fn new(connection: Arc<Connection>, kind: Kind, since: Zxid) -> Self {
        Self {
            connection,
            kind,
            queue: VecDeque::new(),
            since,
        }
    }

    /// What a transaction is to this connection. `op` is its type.
    pub(super) fn matching(&mut self, zxid: Zxid, cxid: i32, op: OpCode) -> Match {
        if zxid <= self.since {
            return Match::Earlier;
        }
        let answers = |head: &Unanswered| {
            let waits = head.fate == Fate::Sent && head.asked.xid == cxid;
            waits && (op == OpCode::Error || op == head.asked.op)
        };
        match self.pop_if(answers) {
            Some(head) => Match::Answer(head),
            None => Match::Foreign,
        }
    }

    /// Takes the oldest request, if it is such a one.
    pub(super) fn pop_if(&mut self, wanted: impl Fn(&Unanswered) -> bool) -> Option<Unanswered> {
        self.queue.front().filter(|head| wanted(head))?;
        self.queue.pop_front()
    }

    /// The leader has answered the sync that waits here, if one does: there is one at the most, and
    /// nothing behind it.
    pub(super) fn note_synced(&mut self) {
        if let Some(last) = self.queue.back_mut()
            && last.asked.op == OpCode::Sync
            && last.fate == Fate::Sent
        {
            last.fate = Fate::Synced;
        }
    }

    /// Gives up all that waits.
    pub(super) fn drop_queue(&mut self, replica: &Replica) {
        let dropped = self.queue.drain(..).count() as u32;
        self.connection.set_syncing(false);
        if dropped > 0 {
            replica.answered(&self.connection, dropped);
        }
    }

    /// Ends the connection, and gives up all that waits.
    pub(super) fn end(&mut self, replica: &Replica, ending: Ending) {
        self.connection.end(ending);
        self.drop_queue(replica);
    }
}

/// Sessions by id.
#[derive(Default)]
pub(super) struct Clients(HashMap<i64, Client, foldhash::fast::FixedState>);

impl Clients {
    pub(super) fn get_mut(&mut self, session: i64) -> Option<&mut Client> {
        self.0.get_mut(&session)
    }

    pub(super) fn get(&self, session: i64) -> Option<&Client> {
        self.0.get(&session)
    }

    /// The client of a session, if it is this connection that serves it.
    pub(super) fn on(&mut self, session: i64, connection: &Arc<Connection>) -> Option<&mut Client> {
        let client = self.0.get_mut(&session)?;
        Arc::ptr_eq(&client.connection, connection).then_some(client)
    }

    /// Serves a session on a connection from now on; the one that served it before.
    pub(super) fn insert(&mut self, session: i64, client: Client) -> Option<Client> {
        self.0.insert(session, client)
    }

    pub(super) fn remove(&mut self, session: i64) -> Option<Client> {
        self.0.remove(&session)
    }

    /// Removes all, in the order of their sessions.
    pub(super) fn take_all(&mut self) -> Vec<Client> {
        let mut all: Vec<_> = self.0.drain().collect();
        all.sort_unstable_by_key(|(session, _)| *session);
        all.into_iter().map(|(_, client)| client).collect()
    }

    /// All sessions, in order.
    pub(super) fn sessions(&self) -> Vec<i64> {
        let mut all: Vec<i64> = self.0.keys().copied().collect();
        all.sort_unstable();
        all
    }

    /// Forgets those that nobody is connected to and that wait for nothing.
    pub(super) fn forget_gone(&mut self) {
        self.0
            .retain(|_, client| !client.connection.is_gone() || !client.queue.is_empty());
    }

    /// The sessions that were heard of since, with their timeouts, in order.
    pub(super) fn heard_since(&self, since_us: u64) -> Vec<(i64, i32)> {
        let heard = self.0.iter().filter(|(_, client)| {
            client.kind == Kind::Global && client.connection.last_heard_us() >= since_us
        });
        let mut heard: Vec<_> = heard
            .map(|(session, client)| (*session, client.connection.timeout_ms()))
            .collect();
        heard.sort_unstable();
        heard
    }
}

/// A connection without a session yet, and how far its request has come.
pub(super) struct Newcomer {
    pub(super) connection: Arc<Connection>,
    /// Does a leader have its request? Nothing else tells those that came before the leader was
    /// lost, of which a transaction may yet come, from those that came since.
    pub(super) sent: bool,
}

/// A connection whose session asks to go on.
pub(super) struct Renewal {
    pub(super) session: i64,
    pub(super) connection: Arc<Connection>,
    pub(super) password_matches: bool,
    /// Was the leader asked?
    pub(super) sent: bool,
}
