use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jute::quorum::ServerId;

use crate::connection::Connection;

/// What the tracker knows of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionState {
    /// Alive.
    Alive,
    /// Its closing is on its way through the history.
    Closing,
    /// Not known: expired or never opened.
    Unknown,
}

/// Expires sessions in buckets of one tick, as Apache does: a session not heard of for its
/// timeout ends at the next bucket's end, so up to one tick late.
///
/// Hearing of a client costs one store into its connection; the session moves to its true
/// bucket only when the bucket it stands in comes due.
pub struct SessionTracker {
    tick_ms: u64,
    sessions: BTreeMap<i64, Tracked>,
    buckets: BTreeMap<u64, BTreeSet<i64>>,
}

struct Tracked {
    timeout_ms: i32,
    /// The server that its client was heard of through.
    owner: Option<ServerId>,
    heard_ms: u64,
    bucket: u64,
    closing: bool,
    connection: Option<Arc<Connection>>,
}

impl Tracked {
    fn last_heard_ms(&self) -> u64 {
        let connection = self.connection.as_ref();
        let by_connection = connection.map_or(0, |connection| connection.last_heard_us() / 1000);
        self.heard_ms.max(by_connection)
    }
}

impl SessionTracker {
    /// No sessions. `tick_ms` is `tickTime`.
    pub fn new(tick_ms: u32) -> Self {
        Self {
            tick_ms: u64::from(tick_ms.max(1)),
            sessions: BTreeMap::new(),
            buckets: BTreeMap::new(),
        }
    }

    /// Adds a session, heard of just now.
    pub fn open(
        &mut self,
        session: i64,
        timeout_ms: i32,
        connection: Option<Arc<Connection>>,
        now_ms: u64,
    ) {
        let bucket = self.bucket(now_ms, timeout_ms);
        let tracked = Tracked {
            timeout_ms,
            owner: None,
            heard_ms: now_ms,
            bucket,
            closing: false,
            connection,
        };
        if let Some(old) = self.sessions.insert(session, tracked) {
            self.leave_bucket(session, old.bucket);
        }
        self.buckets.entry(bucket).or_default().insert(session);
    }

    /// What is known of a session.
    pub fn state(&self, session: i64) -> SessionState {
        match self.sessions.get(&session) {
            None => SessionState::Unknown,
            Some(tracked) if tracked.closing => SessionState::Closing,
            Some(_) => SessionState::Alive,
        }
    }

    /// The connection that serves a session.
    pub fn connection(&self, session: i64) -> Option<Arc<Connection>> {
        self.sessions.get(&session)?.connection.clone()
    }

    /// Moves a living session to a new connection and timeout. False if it is not alive.
    pub fn renew(
        &mut self,
        session: i64,
        timeout_ms: i32,
        connection: Arc<Connection>,
        now_ms: u64,
    ) -> bool {
        if self.state(session) != SessionState::Alive {
            return false;
        }
        self.open(session, timeout_ms, Some(connection), now_ms);
        true
    }

    /// A new leader begins: these are the sessions that its history knows, each has its whole
    /// timeout, and any server may claim it. What else was on its way through the history of
    /// another leader, openings and closings, is in the state by now or never will be.
    pub fn restart(&mut self, known: impl Iterator<Item = (i64, i32)>, now_ms: u64) {
        let mut before = std::mem::take(&mut self.sessions);
        self.buckets.clear();
        for (session, timeout_ms) in known {
            let connection = before.remove(&session).and_then(|old| old.connection);
            self.open(session, timeout_ms, connection, now_ms);
        }
    }

    /// Serves a session on a connection: its client was heard of. One that is not known yet is
    /// known to the leader, and on its way here.
    pub fn serve(
        &mut self,
        session: i64,
        timeout_ms: i32,
        connection: Option<Arc<Connection>>,
        now_ms: u64,
    ) {
        let known = self.sessions.get(&session);
        let (owner, closing) = known.map_or((None, false), |old| (old.owner, old.closing));
        self.open(session, timeout_ms, connection, now_ms);
        let tracked = self.sessions.get_mut(&session).expect("opened just now");
        tracked.owner = owner;
        tracked.closing = closing;
    }

    /// Notes that a session's client was heard of by another server.
    pub fn touch(&mut self, session: i64, now_ms: u64) {
        if let Some(tracked) = self.sessions.get_mut(&session) {
            tracked.heard_ms = tracked.heard_ms.max(now_ms);
        }
    }

    /// Whether a living session is with this server, which it is from now on if it was with
    /// none: what a client asked for through another server, before it went on, is refused.
    pub fn claim(&mut self, session: i64, server: ServerId) -> bool {
        let tracked = self.sessions.get_mut(&session);
        tracked.is_some_and(|tracked| *tracked.owner.get_or_insert(server) == server)
    }

    /// A living session's client has connected to this server, and was heard of. False if the
    /// session is not alive.
    pub fn move_to(&mut self, session: i64, server: ServerId, now_ms: u64) -> bool {
        match self.sessions.get_mut(&session) {
            Some(tracked) if !tracked.closing => {
                tracked.owner = Some(server);
                tracked.heard_ms = tracked.heard_ms.max(now_ms);
                true
            }
            _ => false,
        }
    }

    /// Notes that the closing of a session is on its way: it can no longer be renewed.
    pub fn closing(&mut self, session: i64) {
        if let Some(tracked) = self.sessions.get_mut(&session) {
            tracked.closing = true;
        }
    }

    /// Takes back what [`SessionTracker::closing`] noted: its transaction was given up.
    pub fn not_closing(&mut self, session: i64) {
        if let Some(tracked) = self.sessions.get_mut(&session) {
            tracked.closing = false;
        }
    }

    /// Removes a session; its connection, if it had one.
    pub fn closed(&mut self, session: i64) -> Option<Arc<Connection>> {
        let tracked = self.sessions.remove(&session)?;
        self.leave_bucket(session, tracked.bucket);
        tracked.connection
    }

    /// The sessions that were not heard of for their timeout, by id. They stay known until
    /// [`SessionTracker::closed`]; while their closing is not yet noted they are due again.
    pub fn expired(&mut self, now_ms: u64) -> Vec<(i64, i32)> {
        let mut expired = Vec::new();
        while let Some((&due, _)) = self.buckets.first_key_value() {
            if due > now_ms {
                break;
            }
            let members = self.buckets.remove(&due).unwrap_or_default();
            for session in members {
                self.move_or_expire(session, now_ms, &mut expired);
            }
        }
        expired.sort_unstable();
        expired
    }

    fn move_or_expire(&mut self, session: i64, now_ms: u64, expired: &mut Vec<(i64, i32)>) {
        let tracked = &self.sessions[&session];
        let mut bucket = self.bucket(tracked.last_heard_ms(), tracked.timeout_ms);
        if bucket <= now_ms {
            if !tracked.closing {
                expired.push((session, tracked.timeout_ms));
            }
            bucket = self.bucket(now_ms, 0);
        }
        self.sessions
            .get_mut(&session)
            .expect("looked up just now")
            .bucket = bucket;
        self.buckets.entry(bucket).or_default().insert(session);
    }

    /// When [`SessionTracker::expired`] should be asked next, milliseconds.
    pub fn next_deadline_ms(&self) -> Option<u64> {
        self.buckets.first_key_value().map(|(due, _)| *due)
    }

    /// Number of sessions.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Is there no session?
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// The sessions by the time they would expire, milliseconds.
    pub fn by_expiry(&self) -> BTreeMap<u64, Vec<i64>> {
        let mut by_expiry: BTreeMap<u64, Vec<i64>> = BTreeMap::new();
        for (session, tracked) in &self.sessions {
            let bucket = self.bucket(tracked.last_heard_ms(), tracked.timeout_ms);
            by_expiry.entry(bucket).or_default().push(*session);
        }
        by_expiry
    }

    fn bucket(&self, heard_ms: u64, timeout_ms: i32) -> u64 {
        bucket(self.tick_ms, heard_ms, timeout_ms)
    }

    fn leave_bucket(&mut self, session: i64, bucket: u64) {
        if let Some(members) = self.buckets.get_mut(&bucket) {
            members.remove(&session);
            if members.is_empty() {
                self.buckets.remove(&bucket);
            }
        }
    }
}

fn bucket(tick_ms: u64, heard_ms: u64, timeout_ms: i32) -> u64 {
    let due = heard_ms + u64::try_from(timeout_ms).unwrap_or(0);
    (due / tick_ms + 1) * tick_ms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expires_at_the_end_of_the_bucket_and_not_before() {
        let mut tracker = SessionTracker::new(500);
        tracker.open(7, 1000, None, 100);
        assert_eq!(tracker.next_deadline_ms(), Some(1500));
        assert_eq!(tracker.expired(1499), []);
        assert_eq!(tracker.expired(1500), [(7, 1000)]);
        assert_eq!(tracker.state(7), SessionState::Alive);
        tracker.closing(7);
        assert_eq!(tracker.expired(10_000), []);
        assert_eq!(tracker.state(7), SessionState::Closing);
        tracker.closed(7);
        assert_eq!(tracker.state(7), SessionState::Unknown);
        assert_eq!(tracker.next_deadline_ms(), None);
    }

    #[test]
    fn a_session_whose_closing_was_given_up_is_due_again() {
        let mut tracker = SessionTracker::new(500);
        tracker.open(7, 1000, None, 0);
        assert_eq!(tracker.expired(1500), [(7, 1000)]);
        tracker.closing(7);
        tracker.not_closing(7);
        assert_eq!(tracker.expired(2000), [(7, 1000)]);
    }

    #[test]
    fn a_new_leader_gives_every_session_its_whole_timeout() {
        let mut tracker = SessionTracker::new(500);
        tracker.open(7, 1000, None, 0);
        tracker.closing(7);
        assert!(tracker.claim(7, ServerId(1)));
        tracker.open(8, 1000, None, 0);
        tracker.restart([(7, 1000), (9, 3000)].into_iter(), 5000);
        assert_eq!(
            tracker.state(8),
            SessionState::Unknown,
            "its opening was lost"
        );
        assert_eq!(tracker.state(9), SessionState::Alive);
        assert_eq!(tracker.state(7), SessionState::Alive);
        assert_eq!(tracker.expired(6000), []);
        assert!(tracker.claim(7, ServerId(2)), "any server may claim it");
        tracker.touch(7, 6400);
        assert_eq!(tracker.expired(6500), []);
        assert_eq!(tracker.expired(7500), [(7, 1000)]);
    }

    #[test]
    fn a_session_is_with_one_server() {
        let mut tracker = SessionTracker::new(500);
        assert!(!tracker.claim(7, ServerId(1)) && !tracker.move_to(7, ServerId(1), 0));
        tracker.open(7, 1000, None, 0);
        assert!(tracker.claim(7, ServerId(1)) && tracker.claim(7, ServerId(1)));
        assert!(!tracker.claim(7, ServerId(2)));
        assert!(tracker.move_to(7, ServerId(2), 0));
        assert!(!tracker.claim(7, ServerId(1)) && tracker.claim(7, ServerId(2)));
        tracker.closing(7);
        assert!(!tracker.move_to(7, ServerId(1), 0));
    }

    #[test]
    fn opening_again_moves_the_session() {
        let mut tracker = SessionTracker::new(1000);
        tracker.open(1, 4000, None, 0);
        tracker.open(1, 4000, None, 3000);
        assert_eq!(tracker.expired(7999), []);
        assert_eq!(tracker.expired(8000), [(1, 4000)]);
        assert_eq!(tracker.len(), 1);
    }
}
