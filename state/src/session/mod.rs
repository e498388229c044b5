//! Sessions as the history knows them.

mod password;

use std::collections::BTreeMap;

pub use password::password;

/// The global sessions and their timeouts in milliseconds, as createSession and
/// closeSession transactions leave them. When a session was last heard of is not
/// replicated and not known here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionTable {
    timeouts: BTreeMap<i64, i32>,
}

impl SessionTable {
    /// Adds a session, or sets its timeout.
    pub fn insert(&mut self, session: i64, timeout_ms: i32) {
        self.timeouts.insert(session, timeout_ms);
    }

    /// Removes a session.
    pub fn remove(&mut self, session: i64) -> Option<i32> {
        self.timeouts.remove(&session)
    }

    /// The timeout of a session in milliseconds.
    pub fn timeout_ms(&self, session: i64) -> Option<i32> {
        self.timeouts.get(&session).copied()
    }

    /// All sessions with their timeouts, by id.
    pub fn iter(&self) -> impl Iterator<Item = (i64, i32)> + '_ {
        self.timeouts.iter().map(|(id, timeout)| (*id, *timeout))
    }

    /// Number of sessions.
    pub fn len(&self) -> usize {
        self.timeouts.len()
    }

    /// Is there no session?
    pub fn is_empty(&self) -> bool {
        self.timeouts.is_empty()
    }
}
