//! From the configuration to what each layer is configured with.

use journal::{ConfigSettings, SnapshotSettings};
use jute::wire::Limits;
use replica::member::MemberOptions;
use replica::throttle::ConnectionThrottleOptions;
use replica::{ReaperOptions, ReplicaOptions, RidingOptions};
use state::acl::{AuthConfig, DigestAlgorithm};
use state::prep::PrepOptions;
use state::tree::OwnerRules;
use storage::log::SizeFactor;
use storage::{Compression, Layout, LogOptions, Preallocation, RollLimits, SnapshotOptions};

use crate::config::{Config, DigestAlg, EnsembleSettings, SnapshotCompression};
use crate::peer::election::ElectionOptions;
use crate::quota_log::QuotaLog;

/// The id of a server without an ensemble, in the top byte of its session ids.
const STANDALONE_SERVER_ID: u8 = 1;

/// Largest step by which a log file is extended, bytes. `preAllocSize` bounds it from
/// above: large steps only make the write longer that happens to need one.
const LOG_STEP_MAX: u64 = 4 << 20;

/// A snapshot is synced after so many bytes: the log shares the disk with it, and a write to the
/// log waits for all that the disk was given before.
const SNAPSHOT_SYNC_BYTES: u64 = 256 << 10;

/// A learner's place in the log is found by reading less than so many bytes.
const LOG_MARK_SPACING: u64 = 1 << 20;

fn limits(config: &Config) -> Limits {
    Limits::new(
        config.limits.jute_max_buffer as usize,
        config.limits.jute_extra_size as usize,
    )
}

fn owner_rules(config: &Config) -> OwnerRules {
    OwnerRules {
        extended_types: config.features.extended_types_enabled,
        emulate_353_ttl: config.features.emulate_353_ttl_nodes,
    }
}

pub(crate) fn state(config: &Config) -> state::Options {
    state::Options {
        owner_rules: owner_rules(config),
        digest_enabled: config.storage.digest_enabled,
        limits: limits(config),
    }
}

fn auth(config: &Config) -> AuthConfig {
    let auth = &config.auth;
    AuthConfig {
        skip_acl: auth.skip_acl,
        digest_enabled: auth.digest_enabled,
        digest_algorithm: match auth.digest_alg {
            DigestAlg::Sha1 => DigestAlgorithm::Sha1,
            DigestAlg::Sha224 => DigestAlgorithm::Sha224,
            DigestAlg::Sha256 => DigestAlgorithm::Sha256,
            DigestAlg::Sha384 => DigestAlgorithm::Sha384,
            DigestAlg::Sha512 => DigestAlgorithm::Sha512,
        },
        super_digest: auth.super_digest.clone(),
        ensemble_names: auth.ensemble_scheme.then(|| auth.ensemble_names.clone()),
    }
}

pub(crate) fn prep(config: &Config) -> PrepOptions {
    PrepOptions {
        enforce_quota: config.features.enforce_quota,
        quota_sink: Some(QuotaLog::sink()),
        close_session_txn: config.storage.close_session_txn_enabled,
        reconfig_enabled: config.reconfig_enabled,
        auth: auth(config),
    }
}

pub(crate) fn replica(config: &Config, seed: u64) -> ReplicaOptions {
    let limits_of = &config.limits;
    let enforced = &config.auth.enforced_schemes;
    let throttle = &config.request_throttle;
    ReplicaOptions {
        server_id: server_id(config),
        tick_time_ms: config.tick_time_ms.max(1) as u32,
        min_session_timeout_ms: config.min_session_timeout_ms,
        max_session_timeout_ms: config.max_session_timeout_ms,
        max_frame: limits_of.jute_max_buffer as usize,
        limits: limits(config),
        global_outstanding_limit: outstanding_limit(config),
        riding: RidingOptions::default(),
        throttled_op_wait_ms: throttle
            .throttled_op_wait_time
            .map_or(0, |wait| wait.as_millis() as u64),
        large_request_threshold: limits_of.large_request_threshold.map_or(-1, i64::from),
        large_request_max_bytes: i64::from(limits_of.large_request_max_bytes),
        connection_throttle: connection_throttle(config),
        auth: auth(config),
        eager_acl_check: config.auth.eager_acl_check && config.ensemble.is_some(),
        enforced_schemes: (!enforced.is_empty()).then(|| enforced.clone()),
        reaper: reaper(config),
        seed,
    }
}

/// As in Apache a larger id loses its upper bytes.
fn server_id(config: &Config) -> u8 {
    let ensemble = config.ensemble.as_ref();
    ensemble.map_or(STANDALONE_SERVER_ID, |ensemble| ensemble.me.0 as u8)
}

/// Two options bound the writes in process; where Apache stops its queue for one of them
/// and the sockets for the other, here the sockets stop for both.
fn outstanding_limit(config: &Config) -> i64 {
    let global = config.limits.global_outstanding_limit;
    let throttle = config.request_throttle.max_requests.unwrap_or(u32::MAX);
    i64::from(global.min(throttle))
}

fn connection_throttle(config: &Config) -> ConnectionThrottleOptions {
    let throttle = &config.connection_throttle;
    ConnectionThrottleOptions {
        tokens: throttle.tokens.unwrap_or(0),
        fill_time_ms: throttle.fill_time.as_millis() as u64,
        fill_count: throttle.fill_count,
        freeze_time_ms: throttle
            .freeze_time
            .map_or(-1, |time| time.as_millis() as i64),
        drop_increase: throttle.drop_increase,
        drop_decrease: throttle.drop_decrease,
        decrease_ratio: throttle.decrease_ratio,
        weight_enabled: throttle.weight_enabled,
        global_session_weight: throttle.global_session_weight,
        renew_session_weight: throttle.renew_session_weight,
    }
}

fn reaper(config: &Config) -> ReaperOptions {
    let features = &config.features;
    ReaperOptions {
        check_interval_ms: features.container_check_interval.as_millis() as u64,
        max_per_minute: u64::from(features.container_max_per_minute),
        max_never_used_interval_ms: features
            .container_max_never_used
            .map_or(0, |age| age.as_millis() as i64),
    }
}

pub(crate) fn recovery(config: &Config) -> storage::Options {
    storage::Options {
        datadir_autocreate: config.storage.datadir_autocreate,
        db_autocreate: config.storage.db_autocreate,
        trust_empty_snapshot: config.storage.snapshot_trust_empty,
        limits: limits(config),
        log: log(config),
    }
}

/// `preAllocSize` in bytes; 0 is off.
fn pre_alloc_bytes(config: &Config) -> u64 {
    u64::try_from(config.storage.pre_alloc_size_kb).unwrap_or(0) << 10
}

fn log(config: &Config) -> LogOptions {
    LogOptions {
        preallocation: match pre_alloc_bytes(config).min(LOG_STEP_MAX) {
            0 => Preallocation::Off,
            // Where nothing is synced it does not matter that blocks are only reserved.
            step if !config.storage.force_sync => Preallocation::Reserve { step },
            step => Preallocation::ZeroFill { step },
        },
        prepared_len_max: pre_alloc_bytes(config),
        force_sync: config.storage.force_sync,
        entry_len_max: limits(config).max_len,
    }
}

pub(crate) fn roll(config: &Config) -> RollLimits {
    let storage = &config.storage;
    RollLimits {
        snap_count: u64::from(storage.snap_count),
        snap_size_bytes: storage.snap_size_limit_kb.map(|kb| kb << 10),
        log_size_bytes: storage.txn_log_size_limit_kb.map(|kb| kb << 10),
    }
}

pub(crate) fn snapshots(config: &Config) -> SnapshotSettings {
    SnapshotSettings {
        file: SnapshotOptions {
            compression: match config.storage.snapshot_compression {
                SnapshotCompression::None => Compression::None,
                SnapshotCompression::Gzip => Compression::Gz,
                SnapshotCompression::Snappy => Compression::Snappy,
            },
            sync_every_bytes: SNAPSHOT_SYNC_BYTES,
        },
        digest: config.storage.digest_enabled,
        last_processed: config.storage.serialize_last_processed_zxid,
    }
}

/// What the replicated half of a member is configured with.
pub(crate) fn member(config: &Config, ensemble: &EnsembleSettings) -> MemberOptions {
    MemberOptions {
        peer: peer(config, ensemble),
        prep: prep(config),
        local_sessions: ensemble.local_sessions,
        local_sessions_upgrading: ensemble.local_sessions_upgrading,
        leader_serves: ensemble.leader.serves,
        read_only_mode: config.features.read_only_mode,
        standalone_enabled: ensemble.standalone_enabled,
    }
}

/// How the ports between servers behave.
pub(crate) fn links(ensemble: &EnsembleSettings) -> ElectionOptions {
    let (links, election) = (ensemble.links, ensemble.election);
    ElectionOptions {
        cnx_timeout: election.connect_timeout,
        election_port_bind_retry: election.port_bind_retries.unwrap_or(0),
        quorum_listen_on_all_ips: links.listen_on_all_ips,
        tcp_keep_alive: links.tcp_keep_alive,
        multi_address: links.multi_address,
    }
}

/// What consensus is configured with.
fn peer(config: &Config, ensemble: &EnsembleSettings) -> zab::Options {
    let limits = ensemble.limits;
    let ms = |time: std::time::Duration| time.as_millis() as u64;
    zab::Options {
        tick_time_ms: u64::from(config.tick_time_ms.max(1).unsigned_abs()),
        init_limit: u64::from(limits.init),
        sync_limit: u64::from(limits.sync),
        connect_to_learner_master_limit: limits.connect_to_learner_master.map_or(0, u64::from),
        leader_connect_delay_ms: ms(ensemble.learner.leader_connect_delay),
        min_notification_interval_ms: ms(ensemble.election.min_notification_interval),
        max_notification_interval_ms: ms(ensemble.election.max_notification_interval),
        commit_log_count: ensemble.history.commit_log_count as usize,
        reconfig_enabled: config.reconfig_enabled,
        observer_election_delay_ms: ms(ensemble.learner.observer_election_delay),
        max_concurrent_snap_syncs: ensemble.leader.max_concurrent_snap_syncs as usize,
        max_concurrent_diff_syncs: ensemble.leader.max_concurrent_diff_syncs as usize,
        observer_masters: ensemble.learner.observer_master_port.is_some(),
        max_time_to_wait_for_epoch_ms: ensemble.leader.max_time_to_wait_for_epoch.map(ms),
        // The last wait of an election and the last counter of an epoch are no options.
        ..zab::Options::default()
    }
}

/// What the disk half of a member is configured with.
pub(crate) fn journal(config: &Config, ensemble: &EnsembleSettings) -> journal::Settings {
    journal::Settings {
        me: ensemble.me,
        layout: Layout::new(&config.data_dir, &config.data_log_dir),
        recovery: recovery(config),
        state: state(config),
        roll: roll(config),
        snapshot: snapshots(config),
        commit_log_count: ensemble.history.commit_log_count as usize,
        log_mark_spacing: LOG_MARK_SPACING,
        size_factor: SizeFactor::from_setting(ensemble.history.snapshot_size_factor),
        config: ConfigSettings {
            file: ensemble.files.file.clone(),
            initial: ensemble.committed.clone(),
            reconfig_enabled: config.reconfig_enabled,
        },
    }
}
