use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use jute::Zxid;
use jute::wire::Limits;
use parking_lot::{Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};
use state::State;
use state::acl::{AuthConfig, peer_identities};

use crate::connection::{Connection, Connections, Transport};
use crate::service::{Service, ServiceCell};
use crate::sessions::SessionTracker;
use crate::stats::ServerStats;
use crate::throttle::{ConnectionThrottle, ConnectionThrottleOptions, LargeRequests};
use crate::{Now, ReaperOptions, RidingOptions};

/// What a replica is configured with; nearly every field is a ZooKeeper option.
#[derive(Clone, Debug)]
pub struct ReplicaOptions {
    /// The id in the top byte of session ids: `myid`, 1 for a standalone server.
    pub server_id: u8,
    /// `tickTime`, milliseconds.
    pub tick_time_ms: u32,
    /// `minSessionTimeout`, milliseconds.
    pub min_session_timeout_ms: i32,
    /// `maxSessionTimeout`, milliseconds.
    pub max_session_timeout_ms: i32,
    /// `jute.maxbuffer`: the longest request, bytes.
    pub max_frame: usize,
    /// Bounds inside a request: `jute.maxbuffer` and `zookeeper.jute.maxbuffer.extrasize`.
    pub limits: Limits,
    /// `zookeeper.globalOutstandingLimit`: above so many writes in flight a connection
    /// that has one of them is not read.
    pub global_outstanding_limit: i64,
    /// When reads go with a write behind them.
    pub riding: RidingOptions,
    /// `zookeeper.throttled_op_wait_time`, milliseconds; 0 is off.
    pub throttled_op_wait_ms: u64,
    /// `zookeeper.largeRequestThreshold` in bytes, off below 1.
    pub large_request_threshold: i64,
    /// `zookeeper.largeRequestMaxBytes`.
    pub large_request_max_bytes: i64,
    /// `zookeeper.connection_throttle_*`.
    pub connection_throttle: ConnectionThrottleOptions,
    /// Schemes and their switches.
    pub auth: AuthConfig,
    /// `zookeeper.enforce.auth.schemes`, when enforcement is on.
    pub enforced_schemes: Option<Vec<String>>,
    /// `zookeeper.enableEagerACLCheck`: a write that the tree here does not permit is refused
    /// without a transaction. Of use to a member of an ensemble, whose leader would have to be
    /// asked.
    pub eager_acl_check: bool,
    /// Reaping of containers and TTL nodes.
    pub reaper: ReaperOptions,
    /// Seeds what is decided by chance (the connection throttle).
    pub seed: u64,
}

/// A connection that goes may leave a hundred thousand watches; the guard is given up after
/// so many of them, some tens of microseconds, so that nobody waits for all.
const WATCHES_PER_GUARD: usize = 256;

/// Digests of the tree are kept for every so many transactions, for the word `hash`.
const DIGEST_INTERVAL: i64 = 128;
/// So many of them are kept.
const DIGESTS_MAX: usize = 1024;

/// The shared half of a server: the state, and the connections that read it.
pub struct Replica {
    /// Many read or one writes. Lock order: this, then a connection's outbox.
    state: RwLock<State>,
    pub(crate) connections: Connections,
    pub(crate) options: ReplicaOptions,
    pub(crate) stats: ServerStats,
    /// Changed by the sequencer alone; others look.
    pub(crate) sessions: Mutex<SessionTracker>,
    pub(crate) connection_throttle: Mutex<ConnectionThrottle>,
    pub(crate) large_requests: LargeRequests,
    pub(crate) service: ServiceCell,
    /// Does an ensemble order the writes? Then a sync is no read.
    pub(crate) in_ensemble: bool,
    /// How long the last round took that was committed, from its making, microseconds: the disk's
    /// time, and that of the threads on the way there and back. Only a server alone sets it, in the
    /// sequencer; one that is refused is no measure, since nothing was written.
    pub(crate) round_us: AtomicU64,
    digests: Mutex<VecDeque<(Zxid, u64)>>,
    generation: AtomicU64,
}

impl Replica {
    /// Serves `state` alone. Its sessions all count as heard of just now.
    pub fn new(state: State, options: ReplicaOptions, now: Now) -> Self {
        Self::build(state, options, false, now)
    }

    /// The replica of a [`Member`](crate::Member): it serves nobody before there is a leader.
    pub fn of_member(state: State, options: ReplicaOptions, now: Now) -> Self {
        Self::build(state, options, true, now)
    }

    fn build(state: State, options: ReplicaOptions, in_ensemble: bool, now: Now) -> Self {
        let service = match in_ensemble {
            true => Service::Closed,
            false => Service::Serving,
        };
        let mut sessions = SessionTracker::new(options.tick_time_ms);
        for (session, timeout_ms) in state.sessions().iter() {
            sessions.open(session, timeout_ms, None, now.monotonic_ms());
        }
        let throttle = ConnectionThrottle::new(options.connection_throttle, options.seed, now);
        Self {
            state: RwLock::new(state),
            connections: Connections::default(),
            large_requests: LargeRequests::new(
                options.large_request_threshold,
                options.large_request_max_bytes,
            ),
            options,
            service: ServiceCell::new(service),
            in_ensemble,
            round_us: AtomicU64::new(0),
            digests: Mutex::default(),
            generation: AtomicU64::new(0),
            stats: ServerStats::default(),
            sessions: Mutex::new(sessions),
            connection_throttle: Mutex::new(throttle),
        }
    }

    /// The state, to read. Hold it for less than a millisecond: writes wait.
    pub fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read()
    }

    /// The state, to change: for the sequencer, and for the start and end of a snapshot.
    pub fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write()
    }

    /// What it does for clients at the moment.
    pub fn service(&self) -> Service {
        self.service.get()
    }

    /// Changes what it does for clients, between two reads.
    pub(crate) fn set_service(&self, service: Service) {
        let _guard = self.write();
        self.service.set(service);
    }

    /// Serves another state from here on; the old one.
    pub(crate) fn replace(&self, state: State) -> State {
        let mut current = self.write();
        self.generation.fetch_add(1, Relaxed);
        std::mem::replace(&mut *current, state)
    }

    /// How often the state was replaced by another: who walks it in steps gives up when this has
    /// changed. Looked at under a guard.
    pub fn generation(&self) -> u64 {
        self.generation.load(Relaxed)
    }

    /// How far the history is known here: everything up to this zxid is applied. The zxid of
    /// an epoch, which no transaction has, counts: a client may have seen it in the answer of
    /// a stock leader.
    pub(crate) fn position(&self) -> Zxid {
        self.position_of(&self.read())
    }

    /// The same, for who has the guard.
    pub fn position_of(&self, state: &State) -> Zxid {
        state.last_zxid().max(self.service.epoch())
    }

    /// The options it was made with.
    pub fn options(&self) -> &ReplicaOptions {
        &self.options
    }

    /// All connections.
    pub fn connections(&self) -> &Connections {
        &self.connections
    }

    /// Counters.
    pub fn stats(&self) -> &ServerStats {
        &self.stats
    }

    /// Which sessions are alive.
    pub fn sessions(&self) -> &Mutex<SessionTracker> {
        &self.sessions
    }

    /// Takes up a new connection.
    pub fn connect(
        &self,
        peer: SocketAddr,
        now: Now,
        transport: Box<dyn Transport>,
    ) -> Arc<Connection> {
        let connection = Arc::new(Connection::new(
            self.connections.next_id(),
            peer,
            peer_identities(peer.ip(), None),
            now,
            transport,
        ));
        self.connections.insert(Arc::clone(&connection));
        connection
    }

    /// Forgets a connection that is gone, and its watches. Its session lives on until it
    /// expires. What fires between two steps goes to a connection that is listed no more,
    /// and so to nobody.
    pub fn disconnect(&self, connection: &Connection) {
        connection.leave();
        self.connections.remove(connection.id());
        while self
            .read()
            .watches()
            .remove_some(connection.id(), WATCHES_PER_GUARD)
        {}
    }

    /// The share of new connections dropped at random by the connection throttle.
    pub fn connection_drop_probability(&self) -> f64 {
        self.connection_throttle.lock().drop_probability()
    }

    /// Digests of the tree after some of the last transactions, oldest first.
    pub fn digests(&self) -> Vec<(Zxid, u64)> {
        self.digests.lock().iter().copied().collect()
    }

    pub(crate) fn note_digest(&self, state: &State) {
        let zxid = state.last_zxid();
        if zxid.0 % DIGEST_INTERVAL == 0 {
            let mut digests = self.digests.lock();
            if digests.len() == DIGESTS_MAX {
                digests.pop_front();
            }
            digests.push_back((zxid, state.tree().digest()));
        }
    }
}
