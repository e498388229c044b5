//! What the answers show, taken from the server at one moment.

use std::net::SocketAddr;

use super::VERSION;

/// The `Mode:` line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One server without peers.
    Standalone,
    /// Leads an ensemble.
    Leader,
    /// Follows a leader.
    Follower,
    /// Follows without a vote.
    Observer,
    /// Cut off from the majority, serving reads only.
    ReadOnly,
}

impl Mode {
    /// As `srvr` and `mntr` spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standalone => "standalone",
            Self::Leader => "leader",
            Self::Follower => "follower",
            Self::Observer => "observer",
            Self::ReadOnly => "read-only",
        }
    }
}

/// `srvr`, and the common part of `stat` and `mntr`.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerView {
    /// Usually [`VERSION`].
    pub version: &'static str,
    /// Milliseconds, since the start or the last reset.
    pub min_latency: i64,
    /// Milliseconds; printed with at most four decimals.
    pub avg_latency: f64,
    /// Milliseconds.
    pub max_latency: i64,
    /// Packets from clients.
    pub received: u64,
    /// Packets to clients.
    pub sent: u64,
    /// Open connections.
    pub connections: u64,
    /// Requests in process.
    pub outstanding: u64,
    /// The last zxid applied.
    pub zxid: i64,
    /// What the server is.
    pub mode: Mode,
    /// Nodes of the tree.
    pub node_count: u64,
    /// Bytes of proposals: last, smallest, largest. Leaders only.
    pub proposal_sizes: Option<[i64; 3]>,
}

impl Default for ServerView {
    fn default() -> Self {
        Self {
            version: VERSION,
            min_latency: 0,
            avg_latency: 0.0,
            max_latency: 0,
            received: 0,
            sent: 0,
            connections: 0,
            outstanding: 0,
            zxid: 0,
            mode: Mode::Standalone,
            node_count: 0,
            proposal_sizes: None,
        }
    }
}

/// One connection in `stat` and `cons`.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnView {
    /// The client.
    pub peer: SocketAddr,
    /// Interest of Java's selector: 1 read, 4 write. 0 for a connection that is being closed.
    pub interest_ops: u32,
    /// Requests in process.
    pub queued: u64,
    /// Packets from the client.
    pub received: u64,
    /// Packets to the client.
    pub sent: u64,
    /// After the handshake.
    pub session: Option<ConnSession>,
}

/// The part of `cons` that needs a session.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnSession {
    /// Session id.
    pub id: i64,
    /// Four letters or so, such as `PING` or `GETD`.
    pub last_operation: &'static str,
    /// When the connection was made, milliseconds since 1970.
    pub established_ms: i64,
    /// Negotiated timeout in milliseconds.
    pub timeout_ms: i32,
    /// The last xid above -1; -1 (nothing yet) is not printed.
    pub last_cxid: i64,
    /// zxid of the last reply, -1 for none.
    pub last_zxid: i64,
    /// Milliseconds of a clock that only runs forward.
    pub last_response_time: i64,
    /// Milliseconds.
    pub last_latency: i64,
    /// Milliseconds.
    pub min_latency: i64,
    /// Milliseconds.
    pub avg_latency: i64,
    /// Milliseconds.
    pub max_latency: i64,
}

/// `conf`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfView {
    /// -1 without a listener.
    pub client_port: i32,
    /// -1 without a listener.
    pub secure_client_port: i32,
    /// `dataDir/version-2`
    pub data_dir: String,
    /// Bytes on disk.
    pub data_dir_size: u64,
    /// `dataLogDir/version-2`
    pub data_log_dir: String,
    /// Bytes on disk.
    pub data_log_size: u64,
    /// Milliseconds.
    pub tick_time: i32,
    /// Connections per address; 0 is no limit.
    pub max_client_cnxns: u32,
    /// Milliseconds.
    pub min_session_timeout: i32,
    /// Milliseconds.
    pub max_session_timeout: i32,
    /// -1 for the default of the system.
    pub client_port_listen_backlog: i32,
    /// Id of the server; Apache's standalone server shows 0.
    pub server_id: i64,
    /// The part that members of ensembles add.
    pub member: Option<MemberConfView>,
}

/// What `conf` shows of a member of an ensemble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberConfView {
    /// Ticks.
    pub init_limit: u32,
    /// Ticks.
    pub sync_limit: u32,
    /// One of each address.
    pub election_ports: Vec<u16>,
    /// One of each address.
    pub quorum_ports: Vec<u16>,
    /// Without a vote.
    pub is_observer: bool,
    /// The configuration in force, as it stands in `/zookeeper/config`.
    pub membership: String,
}

/// Things that expire at the same moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpiryBucket<T> {
    /// Milliseconds since 1970.
    pub expires_ms: i64,
    /// May be empty.
    pub members: Vec<T>,
}

/// The sessions in `dump`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionsView {
    /// Of a leader or a standalone server: ids by expiry, soonest first.
    Tracked(Vec<ExpiryBucket<i64>>),
    /// Of a learner, which lets none expire: ids in their order, and timeouts in milliseconds.
    Known(Vec<(i64, i32)>),
}

/// `dump`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DumpView {
    /// Sessions.
    pub sessions: SessionsView,
    /// Paths by owning session.
    pub ephemerals: Vec<(i64, Vec<String>)>,
    /// Connections, with their session ids, by expiry.
    pub connections: Vec<ExpiryBucket<(SocketAddr, i64)>>,
}

/// `wchs`, `wchc`, `wchp`: data and exist watches only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WatchView {
    /// Watched paths by session.
    pub by_session: Vec<(i64, Vec<String>)>,
}

/// One stored digest of the tree, for `hash`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DigestView {
    /// The transaction after which it was taken.
    pub zxid: i64,
    /// The digest.
    pub digest: i64,
}

/// `envi`: the names are Java's, and so are some of the values it would print.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnviView {
    /// `host.name`
    pub host_name: String,
    /// `java.io.tmpdir`
    pub temp_dir: String,
    /// `java.home`: where the program is.
    pub program_dir: String,
    /// `os.arch`
    pub os_arch: String,
    /// `os.version`
    pub os_version: String,
    /// `user.name`
    pub user_name: String,
    /// `user.home`
    pub user_home: String,
    /// `user.dir`
    pub working_dir: String,
    /// Bytes that are free below the maximum.
    pub memory_free: u64,
    /// Bytes the process may use.
    pub memory_max: u64,
    /// Bytes the process has.
    pub memory_total: u64,
}
