//! What a member of an ensemble is told. Units are in the field names or their types.

use std::path::PathBuf;
use std::time::Duration;

use jute::quorum::ServerId;
use jute::quorum::config::{Member, Role};
use zab::quorum::Config as QuorumConfig;

/// All that a member needs to know besides what every server does.
#[derive(Debug, Clone, PartialEq)]
pub struct EnsembleSettings {
    /// `myid`: this server, which is a member of [`Self::committed`].
    pub me: ServerId,
    /// The established configuration, of the dynamic file if the static one points to it, else of
    /// its own lines.
    pub committed: QuorumConfig,
    /// A newer configuration that was proposed and not established when the server stopped.
    pub last_seen: Option<QuorumConfig>,
    /// Where both stand.
    pub files: ConfigPaths,
    /// `initLimit` and its like.
    pub limits: TickLimits,
    /// Connections between servers.
    pub links: LinkSettings,
    /// The election of a leader.
    pub election: ElectionSettings,
    /// What this server does as a leader.
    pub leader: LeaderSettings,
    /// What this server does as a follower or observer.
    pub learner: LearnerSettings,
    /// History that is kept for learners.
    pub history: HistorySettings,
    /// `oraclePath`: the file that says whether one of two servers may go on alone.
    pub oracle: Option<PathBuf>,
    /// `localSessionsEnabled`: sessions that only their server knows.
    pub local_sessions: bool,
    /// `localSessionsUpgradingEnabled`: they become global for an ephemeral.
    pub local_sessions_upgrading: bool,
    /// `standaloneEnabled`: a reconfiguration must leave two voters.
    pub standalone_enabled: bool,
}

/// The configuration files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigPaths {
    /// The static file, absolute.
    pub file: PathBuf,
    /// The dynamic file, as `dynamicConfigFile` has it.
    pub dynamic: Option<PathBuf>,
}

/// How long the phases may take, in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TickLimits {
    /// `initLimit`: until a learner is synchronised; at least 1.
    pub init: u32,
    /// `syncLimit`: silence between servers that are; at least 1.
    pub sync: u32,
    /// `connectToLearnerMasterLimit`: tries to reach the leader; `None` is `initLimit`.
    pub connect_to_learner_master: Option<u32>,
}

/// Connections between servers, on both ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkSettings {
    /// `quorumListenOnAllIPs`: listens on all addresses of the machine, not on those of the own
    /// line.
    pub listen_on_all_ips: bool,
    /// `tcpKeepAlive`
    pub tcp_keep_alive: bool,
    /// `multiAddress.enabled`: a `server.N` line may have several addresses, and the first message
    /// on the election port names them.
    pub multi_address: bool,
    /// `multiAddress.reachabilityCheckEnabled`: of several addresses those that answer are taken.
    pub reachability_check: bool,
    /// `multiAddress.reachabilityCheckTimeoutMs`
    pub reachability_timeout: Duration,
}

/// The election of a leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ElectionSettings {
    /// `cnxTimeout`: until a connection to an election port stands.
    pub connect_timeout: Duration,
    /// `quorumCnxnTimeoutMs`: until the other side has said who it is; `None` is `syncLimit`.
    pub handshake_timeout: Option<Duration>,
    /// `electionPortBindRetry`: how often the port is tried again; `None` is for ever.
    pub port_bind_retries: Option<u32>,
    /// `fastleader.minNotificationInterval`: votes are repeated after this, then less and less
    /// often.
    pub min_notification_interval: Duration,
    /// `fastleader.maxNotificationInterval`: but at least this often.
    pub max_notification_interval: Duration,
}

/// What a server does as a leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaderSettings {
    /// `leaderServes`: it takes clients.
    pub serves: bool,
    /// `leader.maxTimeToWaitForEpoch`: after it a leader no longer waits for a quorum to tell its
    /// epochs when one who elected it is in an election again; `None` is -1, never.
    pub max_time_to_wait_for_epoch: Option<Duration>,
    /// `leader.maxConcurrentSnapSyncs`: learners that are sent a tree at the same time.
    pub max_concurrent_snap_syncs: u32,
    /// `leader.maxConcurrentDiffSyncs`: learners that are sent history at the same time.
    pub max_concurrent_diff_syncs: u32,
}

/// What a server does as a follower or observer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LearnerSettings {
    /// `leaderConnectDelayDuringRetryMs`: between two tries to reach the leader.
    pub leader_connect_delay: Duration,
    /// `observer.reconnectDelayMs`: before an observer looks for its leader again.
    pub observer_reconnect_delay: Duration,
    /// `observer.election.DelayMs`: before an observer takes part in looking for a leader.
    pub observer_election_delay: Duration,
    /// `syncEnabled`: false allows an observer to keep no log.
    pub observer_sync: bool,
    /// `observerMasterPort`: where a follower serves observers.
    pub observer_master_port: Option<u16>,
}

/// History that is kept for learners.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HistorySettings {
    /// `commitLogCount`: committed transactions in memory, at least 500.
    pub commit_log_count: u32,
    /// `snapshotSizeFactor`: the part of a snapshot's size up to which the log is sent instead;
    /// above 1 is the default, below 0 is never.
    pub snapshot_size_factor: f64,
}

impl EnsembleSettings {
    /// The own line.
    ///
    /// # Panics
    /// Never for settings that came from a configuration: there this server is a member.
    #[must_use]
    pub fn own(&self) -> &Member {
        let own = self.committed.members.get(&self.me);
        own.expect("a server that is no member is not configured")
    }

    /// What the own line makes of this server. `peerType` does not count against it.
    #[must_use]
    pub fn role(&self) -> Role {
        self.own().role
    }
}
