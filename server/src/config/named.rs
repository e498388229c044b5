//! The keys that Apache's parser reads by name; each fault is fatal.

use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::property;
use super::settings::{Autopurge, Config};
use super::source::Source;

/// `tickTime` of Java when a file does not set it, in milliseconds.
const DEFAULT_TICK_TIME_MS: i32 = 3000;

/// `maxClientCnxns` when not set.
const DEFAULT_MAX_CLIENT_CNXNS: i32 = 60;

/// Fewer snapshots than this are never kept.
const MIN_SNAP_RETAIN_COUNT: i32 = 3;

/// Session timeouts in ticks when not set.
const DEFAULT_MIN_SESSION_TICKS: i32 = 2;
const DEFAULT_MAX_SESSION_TICKS: i32 = 20;

const METRICS_PROVIDERS: [&str; 3] = [
    "org.apache.zookeeper.metrics.impl.DefaultMetricsProvider",
    "org.apache.zookeeper.metrics.impl.NullMetricsProvider",
    "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider",
];

/// Integers that an ensemble needs; a standalone server only checks that they are numbers.
const ENSEMBLE_INTEGERS: [&str; 6] = [
    "initLimit",
    "syncLimit",
    "connectToLearnerMasterLimit",
    "observerMasterPort",
    "quorum.cnxn.threads.size",
    "multiAddress.reachabilityCheckTimeoutMs",
];

/// The same for booleans.
const ENSEMBLE_BOOLEANS: [&str; 14] = [
    "quorumListenOnAllIPs",
    "syncEnabled",
    "standaloneEnabled",
    "localSessionsEnabled",
    "localSessionsUpgradingEnabled",
    "sslQuorum",
    "portUnification",
    "sslQuorumReloadCertFiles",
    "quorum.auth.enableSasl",
    "quorum.auth.serverRequireSasl",
    "quorum.auth.learnerRequireSasl",
    "jvm.pause.monitor",
    "multiAddress.enabled",
    "multiAddress.reachabilityCheckEnabled",
];

pub(super) fn build(source: &mut Source<'_>) -> Result<Config, ConfigError> {
    check_ensemble_keys(source)?;
    check_tls(source)?;
    check_metrics_provider(source)?;
    let data_dir = source
        .text("dataDir")
        .filter(|text| !text.is_empty())
        .ok_or_else(|| source.invalid("dataDir", "dataDir is not set", "a directory"))?;
    let data_dir = directory(source, data_dir);
    let data_log_dir = match source.text("dataLogDir") {
        Some(text) if !text.is_empty() => directory(source, text),
        _ => data_dir.clone(),
    };
    let client_port = source.port("clientPort")?;
    let client_port_address = source.text("clientPortAddress").map(str::to_owned);
    if client_port.is_none() && client_port_address.is_some() {
        return Err(source.invalid(
            "clientPortAddress",
            "clientPortAddress is set but clientPort is not set",
            "a host or address, together with clientPort",
        ));
    }
    let backlog = source.int(
        "clientPortListenBacklog",
        -1,
        "a number of connections, or -1",
    )?;
    let tick_time_ms = tick_time(source)?;
    let (min_session_timeout_ms, max_session_timeout_ms) = session_timeouts(source, tick_time_ms)?;
    let max_client_cnxns = source.int(
        "maxClientCnxns",
        DEFAULT_MAX_CLIENT_CNXNS,
        "a number of connections per address, 0 for no limit",
    )?;
    Ok(Config {
        data_dir,
        data_log_dir,
        client_port,
        client_port_address,
        listen_backlog: u32::try_from(backlog).ok().filter(|n| *n > 0),
        tick_time_ms,
        min_session_timeout_ms,
        max_session_timeout_ms,
        max_client_cnxns: u32::try_from(max_client_cnxns).unwrap_or(0),
        autopurge: autopurge(source)?,
        storage: property::storage(source),
        limits: property::limits(source)?,
        request_throttle: property::request_throttle(source),
        connection_throttle: property::connection_throttle(source),
        auth: property::auth(source)?,
        features: property::features(source),
        reconfig_enabled: source.bool("reconfigEnabled", false)?,
        ensemble: None,
        four_letter_words: source
            .system
            .get("zookeeper.4lw.commands.whitelist")
            .map(str::to_owned),
        warnings: Vec::new(),
        raw_text: String::new(),
    })
}

fn directory(source: &mut Source<'_>, text: &str) -> PathBuf {
    let path = Path::new(text);
    if path.is_relative() && !text.starts_with("./") {
        source.warn(format!(
            "{text} is relative. Prepend ./ to indicate that you're sure!"
        ));
    }
    path.to_owned()
}

fn tick_time(source: &Source<'_>) -> Result<i32, ConfigError> {
    const ALLOWED: &str = "milliseconds, at least 1";
    match source.int("tickTime", DEFAULT_TICK_TIME_MS, ALLOWED)? {
        0 => Err(source.invalid("tickTime", "tickTime is not set", ALLOWED)),
        negative @ ..0 => {
            Err(source.invalid("tickTime", format!("{negative} is negative"), ALLOWED))
        }
        tick => Ok(tick),
    }
}

fn session_timeouts(source: &Source<'_>, tick_time_ms: i32) -> Result<(i32, i32), ConfigError> {
    const ALLOWED: &str = "milliseconds, or -1 for the default";
    let read = |key, ticks: i32| match source.int(key, -1, ALLOWED)? {
        -1 => Ok(tick_time_ms.saturating_mul(ticks)),
        negative @ ..0 => Err(source.invalid(key, format!("{negative} is negative"), ALLOWED)),
        timeout => Ok(timeout),
    };
    let min = read("minSessionTimeout", DEFAULT_MIN_SESSION_TICKS)?;
    let max = read("maxSessionTimeout", DEFAULT_MAX_SESSION_TICKS)?;
    if min > max {
        return Err(source.invalid(
            "minSessionTimeout",
            "minSessionTimeout must not be larger than maxSessionTimeout",
            format!("at most {max}"),
        ));
    }
    Ok((min, max))
}

fn autopurge(source: &mut Source<'_>) -> Result<Autopurge, ConfigError> {
    let retain = source.int(
        "autopurge.snapRetainCount",
        MIN_SNAP_RETAIN_COUNT,
        "a number of snapshots, at least 3",
    )?;
    if retain < MIN_SNAP_RETAIN_COUNT {
        source.warn(format!(
            "Invalid autopurge.snapRetainCount: {retain}. Defaulting to {MIN_SNAP_RETAIN_COUNT}"
        ));
    }
    let interval = source.int("autopurge.purgeInterval", 0, "hours, 0 for never")?;
    Ok(Autopurge {
        snap_retain_count: retain.max(MIN_SNAP_RETAIN_COUNT).unsigned_abs(),
        purge_interval_hours: u32::try_from(interval).ok().filter(|hours| *hours > 0),
    })
}

/// A standalone server ignores these, but Apache's parser reads them first, and stops at a bad one.
fn check_ensemble_keys(source: &Source<'_>) -> Result<(), ConfigError> {
    for key in ENSEMBLE_INTEGERS {
        source.int(key, 0, "a whole number")?;
    }
    for key in ENSEMBLE_BOOLEANS {
        source.bool(key, false)?;
    }
    for key in ["sleep.time.ms", "warn-threshold.ms", "info-threshold.ms"] {
        let key = format!("jvm.pause.{key}");
        if let Some(text) = source
            .text(&key)
            .filter(|text| text.parse::<i64>().is_err())
        {
            return Err(source.invalid(
                &key,
                format!("For input string: \"{text}\""),
                "milliseconds",
            ));
        }
    }
    if source.int("electionAlg", 3, "3")? != 3 {
        return Err(source.invalid(
            "electionAlg",
            "Invalid electionAlg value. Only 3 is supported.",
            "3",
        ));
    }
    if let Some(text) = source.text("peerType")
        && !["observer", "participant"]
            .iter()
            .any(|role| text.eq_ignore_ascii_case(role))
    {
        let reason = format!("Unrecognised peertype: {text}");
        return Err(source.invalid("peerType", reason, "participant or observer"));
    }
    check_quorum_sasl(source)
}

fn check_quorum_sasl(source: &Source<'_>) -> Result<(), ConfigError> {
    let enabled = source.bool("quorum.auth.enableSasl", false)?;
    let server = source.bool("quorum.auth.serverRequireSasl", false)?;
    let learner = source.bool("quorum.auth.learnerRequireSasl", false)?;
    for (wanted, key, present, needed) in [
        (
            server,
            "quorum.auth.serverRequireSasl",
            enabled,
            "quorum.auth.enableSasl",
        ),
        (
            learner,
            "quorum.auth.learnerRequireSasl",
            enabled,
            "quorum.auth.enableSasl",
        ),
        (
            server,
            "quorum.auth.serverRequireSasl",
            learner,
            "quorum.auth.learnerRequireSasl",
        ),
    ] {
        if wanted && !present {
            let reason = format!("{needed} is disabled, so cannot enable {key}");
            return Err(source.invalid(key, reason, format!("false, or {needed}=true")));
        }
    }
    Ok(())
}

/// Clients that were promised TLS must not find a port that does not answer.
fn check_tls(source: &Source<'_>) -> Result<(), ConfigError> {
    let port = source.port("secureClientPort")?;
    if port.is_some() {
        return Err(source.invalid(
            "secureClientPort",
            "TLS is not supported yet",
            "no such line, or 0",
        ));
    }
    if source.text("secureClientPortAddress").is_some() {
        return Err(source.invalid(
            "secureClientPortAddress",
            "secureClientPortAddress is set but secureClientPort is not set",
            "no such line",
        ));
    }
    Ok(())
}

fn check_metrics_provider(source: &mut Source<'_>) -> Result<(), ConfigError> {
    let Some(class) = source.text("metricsProvider.className") else {
        return Ok(());
    };
    if !METRICS_PROVIDERS.contains(&class) {
        return Err(source.invalid(
            "metricsProvider.className",
            "metrics provider class was not found",
            METRICS_PROVIDERS.join(", "),
        ));
    }
    if class == METRICS_PROVIDERS[2] {
        source.warn(
            "metricsProvider.className: the Prometheus endpoint is not supported yet; use mntr",
        );
    }
    Ok(())
}
