//! The settings that ZooKeeper reads from system properties.

use std::time::Duration;

use super::error::ConfigError;
use super::settings::{
    AuthSettings, ConnectionThrottle, DigestAlg, Features, Limits, RequestThrottle,
    SnapshotCompression, StorageSettings,
};
use super::source::Source;

/// `jute.maxbuffer` when not set, in bytes.
const DEFAULT_JUTE_MAX_BUFFER: i32 = 0xf_ffff;

/// No client could even connect below this: a ConnectRequest has 45 bytes.
const MIN_JUTE_MAX_BUFFER: i32 = 64;

/// The slack for records on disk is never smaller, in bytes.
const MIN_JUTE_EXTRA_SIZE: u32 = 1024;

/// The smallest starting size of Java's reply buffers, in bytes.
const MIN_INT_BUFFER: i32 = 32;

const DEFAULT_LARGE_REQUEST_MAX_BYTES: i32 = 100 * 1024 * 1024;

const SASL_PROVIDER: &str = "org.apache.zookeeper.server.auth.SASLAuthenticationProvider";
const X509_PROVIDER: &str = "org.apache.zookeeper.server.auth.X509AuthenticationProvider";
const ENSEMBLE_PROVIDER: &str = "org.apache.zookeeper.server.auth.EnsembleAuthenticationProvider";
const BUILT_IN_PROVIDERS: [&str; 2] = [
    "org.apache.zookeeper.server.auth.IPAuthenticationProvider",
    "org.apache.zookeeper.server.auth.DigestAuthenticationProvider",
];

pub(super) fn storage(source: &mut Source<'_>) -> StorageSettings {
    let snap_count = source.property_i32("zookeeper.snapCount", 100_000);
    if snap_count < 2 {
        source.warn(format!(
            "snapCount should be 2 or more. Now, snapCount={snap_count} is reset to 2"
        ));
    }
    let force_sync = source.system.get("zookeeper.forceSync") != Some("no");
    if !force_sync {
        source.warn("forceSync=no: acknowledged writes can be lost when the machine stops");
    }
    // The name without prefix counts too, where the other is not set.
    let fsync_default = source.property_i64("fsync.warningthresholdms", 1000);
    let flush_delay = source.property_i64("zookeeper.flushDelay", 0);
    StorageSettings {
        pre_alloc_size_kb: source.property_i64("zookeeper.preAllocSize", 65536),
        snap_count: snap_count.max(2).unsigned_abs(),
        snap_size_limit_kb: positive(source.property_i64("zookeeper.snapSizeLimitInKb", 4_194_304)),
        txn_log_size_limit_kb: positive(source.property_i64("zookeeper.txnLogSizeLimitInKb", -1)),
        force_sync,
        fsync_warning_threshold: source
            .property_millis("zookeeper.fsync.warningthresholdms", fsync_default),
        flush_delay: millis(flush_delay),
        max_write_queue_poll_time: source
            .property_millis("zookeeper.maxWriteQueuePollTime", flush_delay / 3),
        max_batch_size: source.property_count("zookeeper.maxBatchSize", 1000, 1),
        snapshot_compression: compression(source),
        snapshot_trust_empty: source.property_bool("zookeeper.snapshot.trust.empty", false),
        datadir_autocreate: source.property_bool("zookeeper.datadir.autocreate", true),
        db_autocreate: source.property_bool("zookeeper.db.autocreate", true),
        digest_enabled: source.property_bool("zookeeper.digest.enabled", true),
        serialize_last_processed_zxid: source
            .property_bool("zookeeper.serializeLastProcessedZxid.enabled", true),
        close_session_txn_enabled: source.property_bool("zookeeper.closeSessionTxn.enabled", true),
    }
}

fn compression(source: &mut Source<'_>) -> SnapshotCompression {
    let name = "zookeeper.snapshot.compression.method";
    match source.system.get(name).unwrap_or_default() {
        "" => SnapshotCompression::None,
        "gz" => SnapshotCompression::Gzip,
        "snappy" => SnapshotCompression::Snappy,
        other => {
            let text = format!("{name}={other} is not gz or snappy; snapshots are not compressed");
            source.warn(text);
            SnapshotCompression::None
        }
    }
}

pub(super) fn limits(source: &mut Source<'_>) -> Result<Limits, ConfigError> {
    let max_buffer = source.property_i32("jute.maxbuffer", DEFAULT_JUTE_MAX_BUFFER);
    if max_buffer < MIN_JUTE_MAX_BUFFER {
        return Err(source.invalid_property(
            "jute.maxbuffer",
            "no request would fit",
            format!("bytes, {MIN_JUTE_MAX_BUFFER} to {}", i32::MAX),
        ));
    }
    let int_buffer = "zookeeper.intBufferStartingSizeBytes";
    if source.property_i32(int_buffer, 1024) < MIN_INT_BUFFER {
        return Err(source.invalid_property(
            int_buffer,
            "buffer size is too small",
            "bytes, 32 or more",
        ));
    }
    let max_bytes = source.property_i32(
        "zookeeper.largeRequestMaxBytes",
        DEFAULT_LARGE_REQUEST_MAX_BYTES,
    );
    let max_bytes = match u32::try_from(max_bytes) {
        Ok(bytes) if bytes > 0 => bytes,
        _ => {
            source.warn(format!(
                "zookeeper.largeRequestMaxBytes={max_bytes} is not above 0; the default is used"
            ));
            DEFAULT_LARGE_REQUEST_MAX_BYTES.unsigned_abs()
        }
    };
    let threshold = source.property_limit("zookeeper.largeRequestThreshold", -1);
    if threshold.is_some_and(|bytes| bytes > max_bytes) {
        return Err(source.invalid_property(
            "zookeeper.largeRequestThreshold",
            "must not be larger than largeRequestMaxBytes",
            format!("bytes, at most {max_bytes}, or -1 for off"),
        ));
    }
    Ok(Limits {
        jute_max_buffer: max_buffer.unsigned_abs(),
        jute_extra_size: source.property_count(
            "zookeeper.jute.maxbuffer.extrasize",
            max_buffer,
            MIN_JUTE_EXTRA_SIZE,
        ),
        max_cnxns: source.property_limit("zookeeper.maxCnxns", 0),
        global_outstanding_limit: source.property_count(
            "zookeeper.globalOutstandingLimit",
            1000,
            0,
        ),
        large_request_max_bytes: max_bytes,
        large_request_threshold: threshold,
        sessionless_cnxn_timeout: source
            .property_millis("zookeeper.nio.sessionlessCnxnTimeout", 10_000),
        client_tcp_keep_alive: source.property_bool("zookeeper.clientTcpKeepAlive", false),
    })
}

pub(super) fn request_throttle(source: &mut Source<'_>) -> RequestThrottle {
    RequestThrottle {
        max_requests: source.property_limit("zookeeper.request_throttle_max_requests", 0),
        stall_time: source.property_millis("zookeeper.request_throttle_stall_time", 100),
        drop_stale: source.property_bool("zookeeper.request_throttle_drop_stale", true),
        stale_latency_check: source.property_bool("zookeeper.request_stale_latency_check", false),
        stale_connection_check: source
            .property_bool("zookeeper.request_stale_connection_check", true),
        throttled_op_wait_time: source
            .property_limit("zookeeper.throttled_op_wait_time", 0)
            .map(|ms| Duration::from_millis(u64::from(ms))),
        shutdown_timeout: source
            .property_millis("zookeeper.request_throttler.shutdownTimeout", 10_000),
    }
}

pub(super) fn connection_throttle(source: &mut Source<'_>) -> ConnectionThrottle {
    let name = |rest: &str| format!("zookeeper.connection_throttle_{rest}");
    ConnectionThrottle {
        tokens: source.property_limit(&name("tokens"), 0),
        fill_time: source.property_millis(&name("fill_time"), 1),
        fill_count: source.property_count(&name("fill_count"), 1, 0),
        freeze_time: positive(source.property_i64(&name("freeze_time"), -1))
            .map(Duration::from_millis),
        drop_increase: source.property_share(&name("drop_increase"), 0.02),
        drop_decrease: source.property_share(&name("drop_decrease"), 0.002),
        decrease_ratio: source.property_share(&name("decrease_ratio"), 0.0),
        weight_enabled: source.property_bool(&name("weight_enabled"), false),
        global_session_weight: source.property_count(&name("global_session_weight"), 3, 1),
        renew_session_weight: source.property_count(&name("renew_session_weight"), 2, 1),
        local_session_weight: source.property_count(&name("local_session_weight"), 1, 1),
    }
}

pub(super) fn features(source: &mut Source<'_>) -> Features {
    let never_used = source.property_i64("znode.container.maxNeverUsedIntervalMs", 0);
    Features {
        extended_types_enabled: source.property_bool("zookeeper.extendedTypesEnabled", false),
        emulate_353_ttl_nodes: source.property_bool("zookeeper.emulate353TTLNodes", false),
        enforce_quota: source.property_bool("zookeeper.enforceQuota", false),
        read_only_mode: source.property_bool("readonlymode.enabled", false),
        container_check_interval: source
            .property_millis("znode.container.checkIntervalMs", 60_000)
            .max(Duration::from_millis(1)),
        container_max_per_minute: source.property_count("znode.container.maxPerMinute", 10_000, 1),
        container_max_never_used: positive(never_used).map(Duration::from_millis),
    }
}

pub(super) fn auth(source: &mut Source<'_>) -> Result<AuthSettings, ConfigError> {
    let alg_name = "zookeeper.DigestAuthenticationProvider.digestAlg";
    let digest_alg = match source.system.get(alg_name) {
        None => DigestAlg::default(),
        Some(text) => DigestAlg::parse(text).ok_or_else(|| {
            source.invalid_property(
                alg_name,
                format!("{text} MessageDigest not available"),
                "SHA1, SHA-224, SHA-256, SHA-384, SHA-512",
            )
        })?,
    };
    let skip_acl = source.system.get("zookeeper.skipACL") == Some("yes");
    if skip_acl {
        source.warn("skipACL=yes: ACL checks will be skipped");
    }
    let mut settings = AuthSettings {
        digest_enabled: source
            .property_bool("zookeeper.DigestAuthenticationProvider.enabled", true),
        super_digest: source
            .system
            .get("zookeeper.DigestAuthenticationProvider.superDigest")
            .map(str::to_owned),
        digest_alg,
        skip_acl,
        eager_acl_check: source.property_bool("zookeeper.enableEagerACLCheck", false),
        enforced_schemes: Vec::new(),
        ensemble_scheme: providers(source),
        ensemble_names: list(source.system.get("zookeeper.ensembleAuthName")),
    };
    settings.enforced_schemes = enforced_schemes(source, &settings)?;
    Ok(settings)
}

/// Goes through the `authProvider` properties; whether one of them is the ensemble provider.
fn providers(source: &mut Source<'_>) -> bool {
    let classes: Vec<(String, String)> = source
        .system
        .iter()
        .filter(|(name, ..)| name.starts_with("zookeeper.authProvider."))
        .map(|(name, class, _)| (name.to_owned(), class.to_owned()))
        .collect();
    let mut ensemble = false;
    for (name, class) in classes {
        match class.as_str() {
            ENSEMBLE_PROVIDER => ensemble = true,
            SASL_PROVIDER | X509_PROVIDER => {
                source.warn(format!("{name}={class}: this scheme is not supported yet"));
            }
            known if BUILT_IN_PROVIDERS.contains(&known) => {}
            _ => source.warn(format!(
                "Problems loading {class} for {name}: the class is not known"
            )),
        }
    }
    ensemble
}

/// A server that was told to demand authentication must not start without doing so.
fn enforced_schemes(
    source: &Source<'_>,
    settings: &AuthSettings,
) -> Result<Vec<String>, ConfigError> {
    let sasl = "zookeeper.sessionRequireClientSASLAuth";
    if source.property_bool(sasl, false) {
        return Err(source.invalid_property(sasl, "SASL is not supported yet", "false"));
    }
    if !source.property_bool("zookeeper.enforce.auth.enabled", false) {
        return Ok(Vec::new());
    }
    let mut known = vec!["ip"];
    known.extend(settings.digest_enabled.then_some("digest"));
    known.extend(settings.ensemble_scheme.then_some("ensemble"));
    let name = "zookeeper.enforce.auth.schemes";
    let schemes = list(source.system.get(name));
    let unknown = schemes
        .iter()
        .find(|scheme| !known.contains(&scheme.as_str()));
    match unknown {
        Some(scheme) => Err(source.invalid_property(
            name,
            format!("Authentication scheme {scheme} is not available."),
            known.join(", "),
        )),
        None if schemes.is_empty() => Err(source.invalid_property(
            name,
            "enforce.auth.enabled is true, but enforce.auth.schemes is not configured.",
            known.join(", "),
        )),
        None => Ok(schemes),
    }
}

fn list(text: Option<&str>) -> Vec<String> {
    let words = text.unwrap_or_default().split(',').map(str::trim);
    words
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

fn positive(number: i64) -> Option<u64> {
    u64::try_from(number).ok().filter(|n| *n > 0)
}

fn millis(number: i64) -> Duration {
    Duration::from_millis(u64::try_from(number).unwrap_or(0))
}
