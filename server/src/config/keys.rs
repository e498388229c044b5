//! Every key that ZooKeeper 3.9 knows, and what this server does with it.

/// How a key reaches ZooKeeper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Read from the file by its own name.
    File,
    /// Read as the system property `zookeeper.KEY`, which the file or `-D` sets.
    Property,
    /// Read as a system property without prefix: a line in the file has no effect.
    Bare,
}

/// What this server does with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handling {
    /// It has its effect.
    Used,
    /// It has an effect in an ensemble only; a standalone server passes over it in silence, as
    /// Apache's does.
    Ensemble(InEnsemble),
    /// It tunes something that does not exist here: one warning.
    Ignored,
    /// Its feature is not built yet: one warning.
    NotYet,
    /// The documents name it, and no ZooKeeper reads it; the name that is read stands here.
    NeverRead(&'static str),
}

/// What a member of an ensemble does with a key that means nothing to a standalone server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InEnsemble {
    /// It has its effect, if only that of an error where it asks for what is not there.
    Used,
    /// It tunes something that does not exist here: one warning.
    Ignored,
    /// Its feature is not built yet: one warning.
    NotYet,
}

use Handling::{Ensemble, Ignored, NeverRead, NotYet, Used};
use Scope::{Bare, File, Property};

/// One row: keys of the same scope and handling. A name that ends in `*` is a prefix.
type Row = (Scope, Handling, &'static [&'static str]);

const TABLE: &[Row] = &[
    (
        File,
        Used,
        &[
            "dataDir",
            "dataLogDir",
            "clientPort",
            "clientPortAddress",
            "clientPortListenBacklog",
            "tickTime",
            "maxClientCnxns",
            "minSessionTimeout",
            "maxSessionTimeout",
            "autopurge.snapRetainCount",
            "autopurge.purgeInterval",
            "standaloneEnabled",
            "dynamicConfigFile",
            "reconfigEnabled",
            "secureClientPort",
            "secureClientPortAddress",
            "metricsProvider.className",
            "electionAlg",
            "peerType",
            "server.*",
        ],
    ),
    (
        File,
        Ensemble(InEnsemble::Used),
        &[
            "initLimit",
            "syncLimit",
            "connectToLearnerMasterLimit",
            "observerMasterPort",
            "quorumListenOnAllIPs",
            "syncEnabled",
            "localSessionsEnabled",
            "localSessionsUpgradingEnabled",
            "sslQuorum",
            "portUnification",
            "quorum.auth.enableSasl",
            "quorum.auth.serverRequireSasl",
            "quorum.auth.learnerRequireSasl",
            "multiAddress.enabled",
            "multiAddress.reachabilityCheckTimeoutMs",
            "multiAddress.reachabilityCheckEnabled",
            "oraclePath",
            "group*",
            "weight*",
            "version",
        ],
    ),
    (
        File,
        Ensemble(InEnsemble::Ignored),
        &["quorum.cnxn.threads.size"],
    ),
    (
        File,
        Ensemble(InEnsemble::NotYet),
        &[
            "sslQuorumReloadCertFiles",
            "quorum.auth.learner.saslLoginContext",
            "quorum.auth.server.saslLoginContext",
            "quorum.auth.kerberos.servicePrincipal",
        ],
    ),
    (
        File,
        Ignored,
        &[
            "jvm.pause.monitor",
            "jvm.pause.sleep.time.ms",
            "jvm.pause.warn-threshold.ms",
            "jvm.pause.info-threshold.ms",
        ],
    ),
    (File, NotYet, &["metricsProvider.*"]),
    (
        Property,
        Used,
        &[
            "preAllocSize",
            "snapCount",
            "snapSizeLimitInKb",
            "txnLogSizeLimitInKb",
            "forceSync",
            "fsync.warningthresholdms",
            "snapshot.compression.method",
            "snapshot.trust.empty",
            "datadir.autocreate",
            "db.autocreate",
            "digest.enabled",
            "serializeLastProcessedZxid.enabled",
            "closeSessionTxn.enabled",
            "flushDelay",
            "maxWriteQueuePollTime",
            "maxBatchSize",
            "globalOutstandingLimit",
            "maxCnxns",
            "jute.maxbuffer.extrasize",
            "intBufferStartingSizeBytes",
            "largeRequestMaxBytes",
            "largeRequestThreshold",
            "request_throttle_max_requests",
            "request_throttle_stall_time",
            "request_throttle_drop_stale",
            "request_stale_latency_check",
            "request_stale_connection_check",
            "throttled_op_wait_time",
            "request_throttler.shutdownTimeout",
            "connection_throttle_tokens",
            "connection_throttle_fill_time",
            "connection_throttle_fill_count",
            "connection_throttle_freeze_time",
            "connection_throttle_drop_increase",
            "connection_throttle_drop_decrease",
            "connection_throttle_decrease_ratio",
            "connection_throttle_weight_enabled",
            "connection_throttle_global_session_weight",
            "connection_throttle_renew_session_weight",
            "connection_throttle_local_session_weight",
            "enforceQuota",
            "enableEagerACLCheck",
            "skipACL",
            "clientTcpKeepAlive",
            "extendedTypesEnabled",
            "emulate353TTLNodes",
            "nio.sessionlessCnxnTimeout",
            "4lw.commands.whitelist",
            "authProvider.*",
            "DigestAuthenticationProvider.enabled",
            "DigestAuthenticationProvider.superDigest",
            "DigestAuthenticationProvider.digestAlg",
            "sessionRequireClientSASLAuth",
            "enforce.auth.enabled",
            "enforce.auth.schemes",
            "ensembleAuthName",
        ],
    ),
    (
        Property,
        Ensemble(InEnsemble::Used),
        &[
            "commitLogCount",
            "snapshotSizeFactor",
            "leaderServes",
            "cnxTimeout",
            "quorumCnxnTimeoutMs",
            "electionPortBindRetry",
            "tcpKeepAlive",
            "fastleader.minNotificationInterval",
            "fastleader.maxNotificationInterval",
            "leader.maxTimeToWaitForEpoch",
            "leader.maxConcurrentSnapSyncs",
            "leader.maxConcurrentDiffSyncs",
            "leaderConnectDelayDuringRetryMs",
            "observer.syncEnabled",
            "observer.reconnectDelayMs",
            "observer.election.DelayMs",
        ],
    ),
    (
        Property,
        Ensemble(InEnsemble::Ignored),
        &[
            "leader.ackLoggingFrequency",
            "leader.closeSocketAsync",
            "learner.closeSocketAsync",
            "learner.asyncSending",
            "forceSnapshotSync",
            "follower.skipLearnerRequestToNextProcessor",
            "forward_learner_requests_to_commit_processor_disabled",
            "testingonly.initialZxid",
            "test.allowDiscontinuousProposals",
        ],
    ),
    (
        Property,
        Ensemble(InEnsemble::NotYet),
        &["observerMaster.sizeLimit", "ssl.quorum.*"],
    ),
    (
        Property,
        Ignored,
        &[
            "maxResponseCacheSize",
            "maxGetChildrenResponseCacheSize",
            "watchManagerName",
            "watcherCleanThreadsNum",
            "watcherCleanThreshold",
            "watcherCleanIntervalInSeconds",
            "maxInProcessingDeadWatchers",
            "bitHashCacheSize",
            "serverCnxnFactory",
            "nio.numSelectorThreads",
            "nio.numWorkerThreads",
            "nio.directBufferBytes",
            "nio.shutdownTimeout",
            "netty.advancedFlowControl.enabled",
            "commitProcessor.numWorkerThreads",
            "commitProcessor.maxReadBatchSize",
            "commitProcessor.maxCommitBatchSize",
            "commitProcessor.shutdownTimeout",
            "pathStats.*",
            "messageTracker.*",
            "jmx.log4j.*",
            "ssl.sslProvider",
            "ssl.context.supplier.class",
            "admin.httpVersion",
            "audit.impl.class",
            "letAnySaslUserDoX",
            "requireClientAuthScheme",
            "log.*",
            "console.threshold",
            "root.logger",
        ],
    ),
    (
        Property,
        NotYet,
        &[
            "admin.*",
            "IPAuthenticationProvider.usexforwardedfor",
            "audit.*",
            "X509AuthenticationProvider.superUser",
            "superUser",
            "superUser.*",
            "SASLAuthenticationProvider.superPassword",
            "allowSaslFailedClients",
            "sasl.serverconfig",
            "kerberos.*",
            "security.auth_to_local",
            "requireKerberosConfig",
            "kinit",
            "server.realm",
            "ssl.*",
            "fips-mode",
            "client.portUnification",
            "client.certReload",
            "netty.server.*",
        ],
    ),
    (
        Bare,
        Used,
        &[
            "jute.maxbuffer",
            "readonlymode.enabled",
            "znode.container.checkIntervalMs",
            "znode.container.maxPerMinute",
            "znode.container.maxNeverUsedIntervalMs",
        ],
    ),
    (
        Bare,
        Ensemble(InEnsemble::Ignored),
        &["leader.nodelay", "follower.nodelay"],
    ),
    (
        Property,
        NeverRead("request_throttle_max_requests"),
        &["requestThrottleLimit"],
    ),
    (
        Property,
        NeverRead("request_throttle_stall_time"),
        &["requestThrottleStallTime"],
    ),
    (
        Property,
        NeverRead("request_throttle_drop_stale"),
        &["requestThrottleDropStale"],
    ),
    (
        Property,
        NeverRead("request_stale_latency_check"),
        &["requestStaleLatencyCheck"],
    ),
    (
        Property,
        NeverRead("request_stale_connection_check"),
        &["requestStaleConnectionCheck"],
    ),
    (
        Property,
        NeverRead("throttled_op_wait_time"),
        &["throttledOpWaitTime"],
    ),
    (
        Property,
        NeverRead("connection_throttle_tokens"),
        &["connectionMaxTokens"],
    ),
    (
        Property,
        NeverRead("connection_throttle_fill_time"),
        &["connectionTokenFillTime"],
    ),
    (
        Property,
        NeverRead("connection_throttle_fill_count"),
        &["connectionTokenFillCount"],
    ),
    (
        Property,
        NeverRead("connection_throttle_freeze_time"),
        &["connectionFreezeTime"],
    ),
    (
        Property,
        NeverRead("connection_throttle_drop_increase"),
        &["connectionDropIncrease"],
    ),
    (
        Property,
        NeverRead("connection_throttle_drop_decrease"),
        &["connectionDropDecrease"],
    ),
    (
        Property,
        NeverRead("connection_throttle_decrease_ratio"),
        &["connectionDecreaseRatio"],
    ),
    (
        Property,
        NeverRead("leader.maxConcurrentSnapSyncs"),
        &["maxConcurrentSnapSyncs"],
    ),
    (
        Property,
        NeverRead("leader.maxConcurrentDiffSyncs"),
        &["maxConcurrentDiffSyncs"],
    ),
    (
        Property,
        NeverRead("leader.maxTimeToWaitForEpoch"),
        &["maxTimeToWaitForEpoch"],
    ),
    (
        Property,
        NeverRead("netty.advancedFlowControl.enabled"),
        &["advancedFlowControlEnabled"],
    ),
    (
        Property,
        NeverRead("netty.server.outstandingHandshake.limit"),
        &["outstandingHandshake.limit"],
    ),
];

/// Finds a key of the file. An exact name wins over a prefix, and a longer prefix over a shorter.
#[must_use]
pub fn find(key: &str) -> Option<(Scope, Handling)> {
    let mut best: Option<(usize, Scope, Handling)> = None;
    for &(scope, handling, names) in TABLE {
        for name in names {
            let length = match name.strip_suffix('*') {
                None if *name == key => usize::MAX,
                Some(prefix) if key.starts_with(prefix) => prefix.len(),
                _ => continue,
            };
            if best.is_none_or(|(longest, ..)| length > longest) {
                best = Some((length, scope, handling));
            }
        }
    }
    best.map(|(_, scope, handling)| (scope, handling))
}

/// The handling of a system property as `-D` spells it. `None`: not known. Names that belong to the
/// JVM itself are not ours to judge; the caller asks only about `zookeeper.*`.
#[must_use]
pub fn find_property(name: &str) -> Option<Handling> {
    match name.strip_prefix("zookeeper.") {
        // The documents promise these two; their keys of the file are read, the properties are not.
        Some("connectToLearnerMasterLimit") => {
            Some(NeverRead("connectToLearnerMasterLimit in zoo.cfg"))
        }
        Some("sslQuorum") => Some(NeverRead("sslQuorum in zoo.cfg")),
        // Keys of the file that are properties too.
        Some(key) if key.starts_with("multiAddress.") => find(key).map(|(_, handling)| handling),
        Some(key) => find(key)
            .filter(|(scope, _)| *scope == Property)
            .map(|(_, handling)| handling),
        None => find(name)
            .filter(|(scope, _)| *scope == Bare)
            .map(|(_, handling)| handling),
    }
}

/// The names of all keys that are handled like this, with their scope.
#[cfg(test)]
pub(super) fn names(wanted: Handling) -> impl Iterator<Item = (Scope, &'static str)> {
    let rows = TABLE
        .iter()
        .filter(move |(_, handling, _)| *handling == wanted);
    rows.flat_map(|(scope, _, names)| names.iter().map(|name| (*scope, *name)))
}

/// How many edits a suggestion may be away from what was typed.
const MAX_EDITS: usize = 2;

/// Keys longer than this are not compared; the comparison is quadratic.
const MAX_SUGGEST_LENGTH: usize = 80;

/// The known key that an unknown one was probably meant to be.
#[must_use]
pub fn suggest(key: &str) -> Option<&'static str> {
    if key.len() > MAX_SUGGEST_LENGTH {
        return None;
    }
    let bare = key
        .strip_prefix("zookeeper.")
        .unwrap_or(key)
        .to_ascii_lowercase();
    TABLE
        .iter()
        .filter(|(_, handling, _)| !matches!(handling, NeverRead(_)))
        .flat_map(|(_, _, names)| names.iter())
        .filter(|name| !name.ends_with('*'))
        .map(|name| (edits(&bare, &name.to_ascii_lowercase()), *name))
        .filter(|(distance, name)| *distance <= MAX_EDITS && *distance * 3 < name.len())
        .min()
        .map(|(_, name)| name)
}

/// Levenshtein distance.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_once() {
        let mut names: Vec<&str> = TABLE
            .iter()
            .flat_map(|(_, _, names)| names.iter().copied())
            .collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(count > 150);
    }

    #[test]
    fn every_replacement_is_a_known_key() {
        for (_, handling, names) in TABLE {
            if let NeverRead(instead) = handling {
                assert!(
                    matches!(find(instead), Some((_, h)) if !matches!(h, NeverRead(_))),
                    "{names:?}"
                );
            }
        }
    }

    #[test]
    fn lookups() {
        for (key, expected) in [
            ("tickTime", Some((File, Used))),
            ("server.1", Some((File, Used))),
            ("server.realm", Some((Property, NotYet))),
            ("group.1", Some((File, Ensemble(InEnsemble::Used)))),
            ("metricsProvider.httpPort", Some((File, NotYet))),
            ("metricsProvider.className", Some((File, Used))),
            (
                "ssl.quorum.keyStore.location",
                Some((Property, Ensemble(InEnsemble::NotYet))),
            ),
            ("ssl.keyStore.location", Some((Property, NotYet))),
            ("jute.maxbuffer", Some((Bare, Used))),
            (
                "connectionMaxTokens",
                Some((Property, NeverRead("connection_throttle_tokens"))),
            ),
            ("ticktime", None),
            ("", None),
        ] {
            assert_eq!(find(key), expected, "{key}");
        }
        for (name, expected) in [
            ("zookeeper.snapCount", Some(Used)),
            ("zookeeper.tickTime", None),
            ("zookeeper.jute.maxbuffer", None),
            (
                "zookeeper.multiAddress.enabled",
                Some(Ensemble(InEnsemble::Used)),
            ),
            ("zookeeper.multiAddress.disabled", None),
            ("follower.nodelay", Some(Ensemble(InEnsemble::Ignored))),
            ("jute.maxbuffer", Some(Used)),
            (
                "zookeeper.sslQuorum",
                Some(NeverRead("sslQuorum in zoo.cfg")),
            ),
        ] {
            assert_eq!(find_property(name), expected, "{name}");
        }
    }

    #[test]
    fn suggestions() {
        for (key, expected) in [
            ("ticktime", Some("tickTime")),
            ("tickTme", Some("tickTime")),
            ("zookeeper.snapCount", Some("snapCount")),
            ("4lw.commands.whitelst", Some("4lw.commands.whitelist")),
            (
                "autopurge.snapRetaincount",
                Some("autopurge.snapRetainCount"),
            ),
            ("somethingElse", None),
            ("", None),
        ] {
            assert_eq!(suggest(key), expected, "{key}");
        }
    }
}
