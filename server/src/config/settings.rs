//! The typed configuration. Units are in the field names or their types.

use std::path::PathBuf;
use std::time::Duration;

use super::ensemble::settings::EnsembleSettings;

/// All that a server needs to know, with Java's defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// `dataDir`: snapshots, epochs and `myid`; files live in its `version-2`.
    pub data_dir: PathBuf,
    /// `dataLogDir`: transaction logs; the same as [`Self::data_dir`] unless set.
    pub data_log_dir: PathBuf,
    /// `clientPort`; `None` opens no listener, as in Apache.
    pub client_port: Option<u16>,
    /// `clientPortAddress`, a name or an address; `None` listens on all.
    pub client_port_address: Option<String>,
    /// `clientPortListenBacklog`; `None` leaves it to the system.
    pub listen_backlog: Option<u32>,
    /// `tickTime` in milliseconds, at least 1.
    pub tick_time_ms: i32,
    /// `minSessionTimeout` in milliseconds; default 2 ticks.
    pub min_session_timeout_ms: i32,
    /// `maxSessionTimeout` in milliseconds; default 20 ticks, never below the minimum.
    pub max_session_timeout_ms: i32,
    /// `maxClientCnxns`, connections per address; 0 is no limit.
    pub max_client_cnxns: u32,
    /// `autopurge.*`.
    pub autopurge: Autopurge,
    /// Files and syncs.
    pub storage: StorageSettings,
    /// Limits of one server.
    pub limits: Limits,
    /// Queueing of requests.
    pub request_throttle: RequestThrottle,
    /// Token bucket for connects.
    pub connection_throttle: ConnectionThrottle,
    /// Who may do what.
    pub auth: AuthSettings,
    /// Switches of the API.
    pub features: Features,
    /// `reconfigEnabled`: the ensemble may be reconfigured, and then keeps its configuration in
    /// dynamic files. Decides also which error a reconfiguration of a standalone server gets.
    pub reconfig_enabled: bool,
    /// What makes this server a member of an ensemble; `None` for a standalone server.
    pub ensemble: Option<EnsembleSettings>,
    /// `4lw.commands.whitelist` as written; `None` when not set.
    pub four_letter_words: Option<String>,
    /// One line each, for the log.
    pub warnings: Vec<String>,
    /// The text of the file; empty when there is none. It may contain passwords.
    pub raw_text: String,
}

/// Removal of old snapshots and logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Autopurge {
    /// Snapshots to keep, at least 3.
    pub snap_retain_count: u32,
    /// Hours between purges; `None` is off.
    pub purge_interval_hours: Option<u32>,
}

/// How snapshots are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SnapshotCompression {
    /// Plain.
    #[default]
    None,
    /// `gz`
    Gzip,
    /// `snappy`
    Snappy,
}

/// Files and syncs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageSettings {
    /// `preAllocSize`: a log grows by this many KiB at a time; 0 or less is off.
    pub pre_alloc_size_kb: i64,
    /// `snapCount`: transactions between snapshots, at least 2.
    pub snap_count: u32,
    /// `snapSizeLimitInKb`: log volume between snapshots; `None` is off.
    pub snap_size_limit_kb: Option<u64>,
    /// `txnLogSizeLimitInKb`: a longer log is rolled; `None` is off.
    pub txn_log_size_limit_kb: Option<u64>,
    /// `forceSync`: false acknowledges writes that are not on stable storage.
    pub force_sync: bool,
    /// `fsync.warningthresholdms`: a slower sync is logged.
    pub fsync_warning_threshold: Duration,
    /// `flushDelay`: how long a batch may wait for more writes.
    pub flush_delay: Duration,
    /// `maxWriteQueuePollTime`: how long the writer waits for the next write of a batch.
    pub max_write_queue_poll_time: Duration,
    /// `maxBatchSize`: transactions of one sync.
    pub max_batch_size: u32,
    /// `snapshot.compression.method`
    pub snapshot_compression: SnapshotCompression,
    /// `snapshot.trust.empty`: logs without a snapshot are replayed from an empty tree.
    pub snapshot_trust_empty: bool,
    /// `datadir.autocreate`: missing data directories are created.
    pub datadir_autocreate: bool,
    /// `db.autocreate`: an empty data directory becomes an empty database.
    pub db_autocreate: bool,
    /// `digest.enabled`: the tree digest is kept, logged and compared.
    pub digest_enabled: bool,
    /// `serializeLastProcessedZxid.enabled`: snapshots end with the last zxid.
    pub serialize_last_processed_zxid: bool,
    /// `closeSessionTxn.enabled`: closeSession transactions list the ephemerals.
    pub close_session_txn_enabled: bool,
}

/// Limits of one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// `jute.maxbuffer`: bytes of a request.
    pub jute_max_buffer: u32,
    /// `jute.maxbuffer.extrasize`: bytes that a record on disk may be longer.
    pub jute_extra_size: u32,
    /// `maxCnxns`: connections in all; `None` is no limit.
    pub max_cnxns: Option<u32>,
    /// `globalOutstandingLimit`: requests in process before connections are no longer read.
    pub global_outstanding_limit: u32,
    /// `largeRequestMaxBytes`: bytes of large requests in process.
    pub large_request_max_bytes: u32,
    /// `largeRequestThreshold`: bytes from which a request is large; `None` is off.
    pub large_request_threshold: Option<u32>,
    /// `nio.sessionlessCnxnTimeout`: a connection without a handshake is closed after this.
    pub sessionless_cnxn_timeout: Duration,
    /// `clientTcpKeepAlive`
    pub client_tcp_keep_alive: bool,
}

/// Queueing of requests before they are prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestThrottle {
    /// `request_throttle_max_requests`: requests in process; `None` is off.
    pub max_requests: Option<u32>,
    /// `request_throttle_stall_time`: how long to wait for one to leave.
    pub stall_time: Duration,
    /// `request_throttle_drop_stale`: stale requests are dropped.
    pub drop_stale: bool,
    /// `request_stale_latency_check`: older than the session timeout is stale.
    pub stale_latency_check: bool,
    /// `request_stale_connection_check`: of a closed connection is stale.
    pub stale_connection_check: bool,
    /// `throttled_op_wait_time`: a request that waited longer is refused; `None` is off.
    pub throttled_op_wait_time: Option<Duration>,
    /// `request_throttler.shutdownTimeout`: how long a stop waits for requests in process.
    pub shutdown_timeout: Duration,
}

/// Token bucket in front of session creation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConnectionThrottle {
    /// `connection_throttle_tokens`: size of the bucket; `None` is off.
    pub tokens: Option<u32>,
    /// `connection_throttle_fill_time`
    pub fill_time: Duration,
    /// `connection_throttle_fill_count`: tokens per fill time.
    pub fill_count: u32,
    /// `connection_throttle_freeze_time`: between changes of the drop probability; `None` is off.
    pub freeze_time: Option<Duration>,
    /// `connection_throttle_drop_increase`: 0 to 1.
    pub drop_increase: f64,
    /// `connection_throttle_drop_decrease`: 0 to 1.
    pub drop_decrease: f64,
    /// `connection_throttle_decrease_ratio`: 0 to 1.
    pub decrease_ratio: f64,
    /// `connection_throttle_weight_enabled`
    pub weight_enabled: bool,
    /// `connection_throttle_global_session_weight`: tokens of a new global session.
    pub global_session_weight: u32,
    /// `connection_throttle_renew_session_weight`: tokens of a renewal.
    pub renew_session_weight: u32,
    /// `connection_throttle_local_session_weight`: tokens of a local session.
    pub local_session_weight: u32,
}

/// Hash of the digest scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DigestAlg {
    /// `SHA1`, the default.
    #[default]
    Sha1,
    /// `SHA-224`
    Sha224,
    /// `SHA-256`
    Sha256,
    /// `SHA-384`
    Sha384,
    /// `SHA-512`
    Sha512,
}

impl DigestAlg {
    /// The names by which Java finds these algorithms, in any case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name.to_ascii_uppercase().as_str() {
            "SHA1" | "SHA-1" | "SHA" => Self::Sha1,
            "SHA224" | "SHA-224" => Self::Sha224,
            "SHA256" | "SHA-256" => Self::Sha256,
            "SHA384" | "SHA-384" => Self::Sha384,
            "SHA512" | "SHA-512" => Self::Sha512,
            _ => return None,
        })
    }
}

/// Who may do what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthSettings {
    /// `DigestAuthenticationProvider.enabled`: false removes the scheme.
    pub digest_enabled: bool,
    /// `DigestAuthenticationProvider.superDigest`: `super:base64`.
    pub super_digest: Option<String>,
    /// `DigestAuthenticationProvider.digestAlg`
    pub digest_alg: DigestAlg,
    /// `skipACL`: no ACL is checked.
    pub skip_acl: bool,
    /// `enableEagerACLCheck`: writes are checked before they are queued.
    pub eager_acl_check: bool,
    /// `enforce.auth.enabled` with `enforce.auth.schemes`: one of these must have succeeded before
    /// any request; empty is off.
    pub enforced_schemes: Vec<String>,
    /// An `authProvider` line names the scheme `ensemble`.
    pub ensemble_scheme: bool,
    /// `ensembleAuthName`: the names that the scheme `ensemble` accepts; empty accepts all.
    pub ensemble_names: Vec<String>,
}

/// Switches of the API, and the reaper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Features {
    /// `extendedTypesEnabled`: TTL nodes.
    pub extended_types_enabled: bool,
    /// `emulate353TTLNodes`: TTL nodes as 3.5.3 wrote them are read.
    pub emulate_353_ttl_nodes: bool,
    /// `enforceQuota`: hard quotas refuse writes.
    pub enforce_quota: bool,
    /// `readonlymode.enabled`
    pub read_only_mode: bool,
    /// `znode.container.checkIntervalMs`: between runs of the container and TTL reaper.
    pub container_check_interval: Duration,
    /// `znode.container.maxPerMinute`: nodes that it deletes, at least 1.
    pub container_max_per_minute: u32,
    /// `znode.container.maxNeverUsedIntervalMs`: containers that never had a child; `None` keeps
    /// them.
    pub container_max_never_used: Option<Duration>,
}

impl Config {
    /// `ip:port` as the start-up line shows it.
    #[must_use]
    pub fn client_address_text(&self) -> Option<String> {
        let port = self.client_port?;
        let host = self.client_port_address.as_deref().unwrap_or("0.0.0.0");
        Some(if host.contains(':') && !host.starts_with('[') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        })
    }
}
