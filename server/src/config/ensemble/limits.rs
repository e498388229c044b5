//! The limits and switches of an ensemble.

use std::path::PathBuf;
use std::time::Duration;

use jute::quorum::QuorumConfig;

use super::super::error::ConfigError;
use super::super::source::Source;
use super::super::sysprops::parse_i32;
use super::settings::{
    ElectionSettings, HistorySettings, LeaderSettings, LearnerSettings, LinkSettings, TickLimits,
};

/// `cnxTimeout` when not set, in milliseconds.
const DEFAULT_CNX_TIMEOUT_MS: i32 = 5000;

/// `electionPortBindRetry` when not set.
const DEFAULT_PORT_BIND_RETRIES: u32 = 3;

/// `commitLogCount` when not set, and at least.
const MIN_COMMIT_LOG_COUNT: i32 = 500;

/// `snapshotSizeFactor` when not set.
const DEFAULT_SNAPSHOT_SIZE_FACTOR: f64 = 0.33;

/// Keys that ask for what is not there, and must not be passed over: who reads them believes that
/// servers prove who they are.
const UNSUPPORTED: [(&str, &str); 3] = [
    ("sslQuorum", "TLS between servers is not supported yet"),
    (
        "portUnification",
        "TLS between servers is not supported yet",
    ),
    (
        "quorum.auth.enableSasl",
        "SASL between servers is not supported yet",
    ),
];

pub(super) fn check_unsupported(source: &Source<'_>) -> Result<(), ConfigError> {
    for (key, reason) in UNSUPPORTED {
        if source.bool(key, false)? {
            return Err(source.invalid(key, reason, "false"));
        }
    }
    Ok(())
}

/// Groups have no oracle: Apache passes over the key in silence.
pub(super) fn oracle(source: &mut Source<'_>, members: &QuorumConfig) -> Option<PathBuf> {
    let path = source.text("oraclePath").map(PathBuf::from)?;
    let voters = members.voters().count();
    if members.hierarchy.is_some() {
        source.warn("oraclePath is of no use for an ensemble with groups");
        return None;
    }
    if voters > 2 {
        source.warn(format!("oraclePath is of no use for {voters} participants"));
    }
    Some(path)
}

pub(super) fn ticks(source: &Source<'_>) -> Result<TickLimits, ConfigError> {
    const ALLOWED: &str = "ticks, at least 1";
    let required = |key| match ticks_of(source, key, ALLOWED)? {
        0 => Err(source.invalid(key, format!("{key} is not set"), ALLOWED)),
        ticks => Ok(ticks),
    };
    let connect = "connectToLearnerMasterLimit";
    Ok(TickLimits {
        init: required("initLimit")?,
        sync: required("syncLimit")?,
        connect_to_learner_master: Some(ticks_of(source, connect, "ticks, 0 for initLimit")?)
            .filter(|ticks| *ticks > 0),
    })
}

fn ticks_of(source: &Source<'_>, key: &str, allowed: &str) -> Result<u32, ConfigError> {
    let ticks = source.int(key, 0, allowed)?;
    u32::try_from(ticks).map_err(|_| source.invalid(key, format!("{ticks} is negative"), allowed))
}

/// The file has the last word, as for every key that is also a property.
pub(super) fn multi_address(source: &Source<'_>) -> Result<bool, ConfigError> {
    let property = source.property_bool("zookeeper.multiAddress.enabled", false);
    source.bool("multiAddress.enabled", property)
}

pub(super) fn links(
    source: &mut Source<'_>,
    multi_address: bool,
) -> Result<LinkSettings, ConfigError> {
    let check = source.property_bool("zookeeper.multiAddress.reachabilityCheckEnabled", true);
    let key = "multiAddress.reachabilityCheckTimeoutMs";
    let timeout = source.property_i32(&format!("zookeeper.{key}"), 1000);
    let timeout = source.int(key, timeout, "milliseconds")?;
    Ok(LinkSettings {
        listen_on_all_ips: source.bool("quorumListenOnAllIPs", false)?,
        tcp_keep_alive: source.property_bool("zookeeper.tcpKeepAlive", false),
        multi_address,
        reachability_check: source.bool("multiAddress.reachabilityCheckEnabled", check)?,
        reachability_timeout: millis(timeout),
    })
}

pub(super) fn election(source: &mut Source<'_>) -> Result<ElectionSettings, ConfigError> {
    let handshake = source.property_i32("zookeeper.quorumCnxnTimeoutMs", -1);
    let default = DEFAULT_PORT_BIND_RETRIES;
    let retries = source.property_i32("zookeeper.electionPortBindRetry", default.cast_signed());
    let retries = u32::try_from(retries).unwrap_or_else(|_| {
        source.warn(format!(
            "'zookeeper.electionPortBindRetry' contains invalid value: {retries}(must be >= 0). \
             Use default value of {default} instead."
        ));
        default
    });
    let min = source.property_i32("zookeeper.fastleader.minNotificationInterval", 200);
    let max = source.property_i32("zookeeper.fastleader.maxNotificationInterval", 60_000);
    // Without a pause in between a server would do nothing but repeat itself.
    let min = millis(min).max(Duration::from_millis(1));
    Ok(ElectionSettings {
        connect_timeout: connect_timeout(source)?,
        handshake_timeout: Some(millis(handshake)).filter(|timeout| !timeout.is_zero()),
        port_bind_retries: Some(retries).filter(|retries| *retries > 0),
        min_notification_interval: min,
        max_notification_interval: millis(max).max(min),
    })
}

/// `Integer.parseInt` where the other properties are forgiving.
fn connect_timeout(source: &Source<'_>) -> Result<Duration, ConfigError> {
    let name = "zookeeper.cnxTimeout";
    let Some(text) = source.system.get(name) else {
        return Ok(millis(DEFAULT_CNX_TIMEOUT_MS));
    };
    let allowed = "milliseconds, at least 1";
    match parse_i32(text) {
        None => {
            let reason = format!("For input string: \"{text}\"");
            Err(source.invalid_property(name, reason, allowed))
        }
        Some(..=0) => Err(source.invalid_property(name, "no server could be reached", allowed)),
        Some(timeout) => Ok(millis(timeout)),
    }
}

pub(super) fn leader(source: &mut Source<'_>) -> Result<LeaderSettings, ConfigError> {
    let wait = source.property_i32("zookeeper.leader.maxTimeToWaitForEpoch", -1);
    Ok(LeaderSettings {
        serves: source.system.get("zookeeper.leaderServes") != Some("no"),
        max_time_to_wait_for_epoch: (wait >= 0).then(|| millis(wait)),
        max_concurrent_snap_syncs: syncs(source, "zookeeper.leader.maxConcurrentSnapSyncs", 10)?,
        max_concurrent_diff_syncs: syncs(source, "zookeeper.leader.maxConcurrentDiffSyncs", 100)?,
    })
}

fn syncs(source: &mut Source<'_>, name: &str, default: i32) -> Result<u32, ConfigError> {
    let syncs = source.property_i32(name, default);
    match u32::try_from(syncs) {
        Ok(syncs) if syncs > 0 => Ok(syncs),
        _ => Err(source.invalid_property(
            name,
            format!("maxConcurrentSyncs must be positive, was {syncs}"),
            "a number of learners, at least 1",
        )),
    }
}

pub(super) fn learner(source: &mut Source<'_>) -> Result<LearnerSettings, ConfigError> {
    // Here the property has the last word.
    let sync = source.bool("syncEnabled", true)?;
    let sync = source.property_bool("zookeeper.observer.syncEnabled", sync);
    if !sync {
        source.warn("syncEnabled=false: an observer here keeps a log all the same");
    }
    let port = source.int("observerMasterPort", 0, "a port, 0 for none")?;
    let port = u16::try_from(port.max(0)).map_err(|_| {
        let reason = format!("port out of range:{port}");
        source.invalid("observerMasterPort", reason, "a port, 0 for none")
    })?;
    Ok(LearnerSettings {
        leader_connect_delay: source
            .property_millis("zookeeper.leaderConnectDelayDuringRetryMs", 100),
        observer_reconnect_delay: source.property_millis("zookeeper.observer.reconnectDelayMs", 0),
        observer_election_delay: source.property_millis("zookeeper.observer.election.DelayMs", 200),
        observer_sync: sync,
        observer_master_port: Some(port).filter(|port| *port > 0),
    })
}

pub(super) fn history(source: &mut Source<'_>) -> HistorySettings {
    let count = source.property_i32("zookeeper.commitLogCount", MIN_COMMIT_LOG_COUNT);
    if count < MIN_COMMIT_LOG_COUNT {
        source.warn(format!(
            "Configured commitLogCount {count} is less than the recommended value \
             {MIN_COMMIT_LOG_COUNT}, going to use the recommended one"
        ));
    }
    HistorySettings {
        commit_log_count: count.max(MIN_COMMIT_LOG_COUNT).unsigned_abs(),
        snapshot_size_factor: snapshot_size_factor(source),
    }
}

fn snapshot_size_factor(source: &mut Source<'_>) -> f64 {
    let name = "zookeeper.snapshotSizeFactor";
    let Some(text) = source.system.get(name) else {
        return DEFAULT_SNAPSHOT_SIZE_FACTOR;
    };
    match text.parse::<f64>() {
        Ok(factor) if factor <= 1.0 => factor,
        _ => {
            let text = format!(
                "{name}={text} is not a number up to 1; the default \
                 {DEFAULT_SNAPSHOT_SIZE_FACTOR} is used"
            );
            source.warn(text);
            DEFAULT_SNAPSHOT_SIZE_FACTOR
        }
    }
}

/// Less than 0 is 0.
fn millis(number: i32) -> Duration {
    Duration::from_millis(u64::try_from(number).unwrap_or(0))
}
