//! On a quiet server the core waits a little for those whom it has just answered.
//!
//! A few clients with one request each otherwise fall into two groups, of which each waits for the
//! sync of the other and then for its own. If the next sync waits until those are back that the
//! last one answered, all share it: they wait for one sync and the way to the client and back.
//! Those whose sessions were closed are not waited for: they come back by new connections, if at
//! all. What the wait may cost is bounded by the length of a sync, and it is given up for a while
//! when they do not come back.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use replica::{Connection, ServerStats};

use super::OVERLAPPED_ENTRIES;
use crate::queue::Queue;

/// So many rounds are not waited for when the clients of one did not come back in time.
const PAUSED_ROUNDS: u32 = 32;

/// With so many other requests for each one that is waited for, reads above all, the server is
/// busy, and the core's thread is needed for more than waiting.
const OTHER_REQUESTS_MAX: u64 = 4;

/// What the core knows of its last round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gathering {
    /// So much work is expected: from those who were answered, and what had come meanwhile.
    expected: usize,
    answered_at: Instant,
    sync: Duration,
    /// Requests that the server had received by then.
    received: u64,
    /// Rounds that are still not waited for.
    paused: u32,
}

impl Gathering {
    pub(crate) fn new() -> Self {
        Self {
            expected: 0,
            answered_at: Instant::now(),
            sync: Duration::ZERO,
            received: 0,
            paused: 0,
        }
    }

    /// A round that the core wrote by itself is answered.
    pub(super) fn answered(&mut self, expected: usize, sync: Duration, stats: &ServerStats) {
        self.expected = expected;
        self.answered_at = Instant::now();
        self.sync = sync;
        self.received = stats.received.load(Relaxed);
    }

    /// A round went to the log's thread: the server is not quiet.
    pub(super) fn overlapped(&mut self) {
        self.expected = 0;
    }

    /// Waits until what is expected is there, for no longer than a sync took. Other threads go
    /// first meanwhile: a sleep would be longer than all of this.
    pub(super) fn wait<W>(&mut self, queue: &Queue<W>, stats: &ServerStats) {
        let expected = std::mem::take(&mut self.expected);
        let mut there = queue.len();
        if there == 0 || there >= expected || expected >= OVERLAPPED_ENTRIES {
            return;
        }
        if self.paused > 0 {
            self.paused -= 1;
            return;
        }
        let received = stats.received.load(Relaxed).wrapping_sub(self.received);
        if received > OTHER_REQUESTS_MAX * expected as u64 {
            return;
        }
        let missing = expected - there;
        while there < expected && self.answered_at.elapsed() < self.sync && !queue.is_stopping() {
            std::thread::yield_now();
            there = queue.len();
        }
        if expected.saturating_sub(there) * 2 > missing {
            self.paused = PAUSED_ROUNDS;
        }
    }
}

/// How many of these connections may want something again. Nobody waits for many, so all of many
/// count: to ask takes each one's lock.
pub(super) fn staying(answered: &[Arc<Connection>]) -> usize {
    if answered.len() >= OVERLAPPED_ENTRIES {
        return answered.len();
    }
    let is_ending = |connection: &Arc<Connection>| connection.outbox().ending().is_some();
    let ending = answered.iter().filter(|connection| is_ending(connection));
    answered.len() - ending.count()
}

#[cfg(test)]
mod tests {
    use replica::{Ending, Now, Replica, Transport};
    use state::State;

    use super::*;
    use crate::config::{Config, Env};

    struct Nowhere;

    impl Transport for Nowhere {
        fn wake(&self) {}

        fn try_send(&self, _bytes: &[u8], _last: bool) -> usize {
            0
        }
    }

    #[test]
    fn whose_session_has_ended_is_not_expected_back() {
        let now = Now {
            monotonic_us: 0,
            wall_ms: 0,
        };
        let state = State::new(state::Options::default(), 1);
        let config = Config::from_text("zoo.cfg", "dataDir=data\nclientPort=2181", &Env::default());
        let options = crate::options::replica(&config.expect("it is one"), 1);
        let replica = Replica::new(state, options, now);
        let peer = "127.0.0.1:1".parse().expect("an address");
        let connect = |_| replica.connect(peer, now, Box::new(Nowhere));
        let connections: Vec<_> = (0..3).map(connect).collect();
        assert_eq!(staying(&connections), 3);
        connections[1].end(Ending::SessionClosed);
        assert_eq!(staying(&connections), 2);
    }
}
