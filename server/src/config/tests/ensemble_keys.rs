//! Every key of an ensemble: what it sets, what it warns of, what is refused.

use std::path::Path;
use std::time::Duration;

use jute::Zxid;
use jute::quorum::config::Role;

use super::ensemble::{THREE, load_with, settings, with_three};
use super::keys::{self, Handling, InEnsemble, Scope};
use super::*;

type Check = fn(&Config, &EnsembleSettings) -> bool;

/// Whether there is one warning, and it says this.
fn warned(config: &Config, text: &str) -> bool {
    matches!(config.warnings.as_slice(), [only] if only.contains(text))
}

/// The keys of the file that the parser reads by name.
const NAMED: &[(&str, Check)] = &[
    ("initLimit=7", |_, e| e.limits.init == 7),
    ("syncLimit=7", |_, e| e.limits.sync == 7),
    ("connectToLearnerMasterLimit=3", |_, e| {
        e.limits.connect_to_learner_master == Some(3)
    }),
    ("observerMasterPort=2190", |c, e| {
        e.learner.observer_master_port == Some(2190) && c.warnings.is_empty()
    }),
    ("observerMasterPort=-1", |c, e| {
        e.learner.observer_master_port.is_none() && c.warnings.is_empty()
    }),
    ("electionAlg=3\npeerType=PARTICIPANT", |c, _| {
        c.warnings.is_empty()
    }),
    ("peerType=observer", |c, e| {
        e.role() == Role::Participant
            && warned(
                c,
                "Peer type from servers list (PARTICIPANT) doesn't match peerType (OBSERVER). \
                 Defaulting to servers list.",
            )
    }),
    ("quorumListenOnAllIPs=true", |_, e| {
        e.links.listen_on_all_ips
    }),
    ("syncEnabled=false", |c, e| {
        !e.learner.observer_sync && warned(c, "keeps a log all the same")
    }),
    ("localSessionsEnabled=true", |_, e| e.local_sessions),
    ("localSessionsUpgradingEnabled=true", |_, e| {
        e.local_sessions_upgrading
    }),
    ("standaloneEnabled=false", |_, e| !e.standalone_enabled),
    ("reconfigEnabled=true", |c, _| c.reconfig_enabled),
    ("multiAddress.enabled=true", |_, e| e.links.multi_address),
    ("multiAddress.reachabilityCheckTimeoutMs=5", |_, e| {
        e.links.reachability_timeout.as_millis() == 5
    }),
    ("multiAddress.reachabilityCheckEnabled=false", |_, e| {
        !e.links.reachability_check
    }),
    ("oraclePath=/o/r", |c, e| {
        e.oracle.as_deref() == Some(Path::new("/o/r"))
            && warned(c, "oraclePath is of no use for 3 participants")
    }),
    ("version=1f", |_, e| e.committed.version() == Zxid(0x1f)),
    // What asks for nothing that is not there.
    (
        "sslQuorum=false\nportUnification=false\nquorum.auth.enableSasl=false\n\
         quorum.auth.serverRequireSasl=false\nquorum.auth.learnerRequireSasl=false",
        |c, _| c.warnings.is_empty(),
    ),
];

/// The keys that become system properties.
const PROPERTIES: &[(&str, Check)] = &[
    ("commitLogCount=600", |_, e| {
        e.history.commit_log_count == 600
    }),
    ("commitLogCount=499", |c, e| {
        e.history.commit_log_count == 500
            && warned(
                c,
                "Configured commitLogCount 499 is less than the recommended value",
            )
    }),
    ("snapshotSizeFactor=-1", |_, e| {
        e.history.snapshot_size_factor == -1.0
    }),
    ("snapshotSizeFactor=1.5", |c, e| {
        e.history.snapshot_size_factor == 0.33 && c.warnings.len() == 1
    }),
    ("snapshotSizeFactor=NaN", |c, e| {
        e.history.snapshot_size_factor == 0.33 && c.warnings.len() == 1
    }),
    ("leaderServes=no", |_, e| !e.leader.serves),
    ("leaderServes=NO", |_, e| e.leader.serves),
    ("cnxTimeout=9", |_, e| {
        e.election.connect_timeout.as_millis() == 9
    }),
    ("quorumCnxnTimeoutMs=9", |_, e| {
        e.election.handshake_timeout == Some(Duration::from_millis(9))
    }),
    ("electionPortBindRetry=0", |_, e| {
        e.election.port_bind_retries.is_none()
    }),
    ("electionPortBindRetry=-2", |c, e| {
        e.election.port_bind_retries == Some(3) && warned(c, "invalid value: -2")
    }),
    ("tcpKeepAlive=true", |_, e| e.links.tcp_keep_alive),
    ("fastleader.minNotificationInterval=0", |_, e| {
        e.election.min_notification_interval.as_millis() == 1
    }),
    ("fastleader.maxNotificationInterval=9", |_, e| {
        e.election.max_notification_interval.as_millis() == 200
    }),
    ("leader.maxTimeToWaitForEpoch=0", |_, e| {
        e.leader.max_time_to_wait_for_epoch == Some(Duration::ZERO)
    }),
    ("leader.maxConcurrentSnapSyncs=1", |_, e| {
        e.leader.max_concurrent_snap_syncs == 1
    }),
    ("leader.maxConcurrentDiffSyncs=1", |_, e| {
        e.leader.max_concurrent_diff_syncs == 1
    }),
    ("leaderConnectDelayDuringRetryMs=9", |_, e| {
        e.learner.leader_connect_delay.as_millis() == 9
    }),
    ("observer.syncEnabled=false", |c, e| {
        !e.learner.observer_sync && c.warnings.len() == 1
    }),
    ("observer.syncEnabled=true\nsyncEnabled=false", |c, e| {
        e.learner.observer_sync && c.warnings.is_empty()
    }),
    ("observer.reconnectDelayMs=9", |_, e| {
        e.learner.observer_reconnect_delay.as_millis() == 9
    }),
    ("observer.election.DelayMs=9", |_, e| {
        e.learner.observer_election_delay.as_millis() == 9
    }),
    ("skipACL=yes", |c, _| c.auth.skip_acl),
    ("readonlymode.enabled=true", |c, _| {
        c.features.read_only_mode
    }),
];

#[test]
fn keys_of_an_ensemble() {
    for (line, check) in NAMED.iter().chain(PROPERTIES) {
        let config = with_three(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert!(check(&config, settings(&config)), "{line}: {config:?}");
    }
}

#[test]
fn properties_without_a_file() {
    let flags =
        "-Dzookeeper.multiAddress.enabled=true -Dzookeeper.cnxTimeout=7 -Dfollower.nodelay=no";
    let files = [("zoo.cfg", THREE), ("myid", "1")];
    let config = load_with(&files, flags).expect("starts");
    assert!(settings(&config).links.multi_address);
    assert_eq!(settings(&config).election.connect_timeout.as_millis(), 7);
    assert!(warned(
        &config,
        "-D in SERVER_JVMFLAGS: follower.nodelay is accepted and has no effect here"
    ));
    // The file has the last word.
    let text = format!("{THREE}multiAddress.enabled=false\ncnxTimeout=8\nserver.1=a:1:2|b:1:2\n");
    let error = load_with(&[("zoo.cfg", &text), ("myid", "1")], flags).expect_err("refused");
    assert!(
        error.contains("Multiple address feature is disabled"),
        "{error}"
    );
}

#[test]
fn every_key_of_an_ensemble_has_a_row() {
    let used = Handling::Ensemble(InEnsemble::Used);
    for (_, name) in keys::names(used) {
        let mut rows = NAMED.iter().chain(PROPERTIES).map(|(lines, _)| lines);
        let mut refused = REFUSED.iter().map(|(line, _)| line);
        // Groups and weights have tables of their own.
        let elsewhere = ["group*", "weight*"].contains(&name);
        assert!(
            elsewhere || rows.any(|l| l.contains(name)) || refused.any(|l| l.contains(name)),
            "{name}"
        );
    }
}

/// What tunes something that is not here is told to a member, and to no one else.
#[test]
fn what_has_no_effect_is_said_once() {
    for (in_ensemble, said) in [
        (InEnsemble::Ignored, "is accepted and has no effect here"),
        (InEnsemble::NotYet, "is not supported yet and has no effect"),
    ] {
        for (scope, key) in keys::names(Handling::Ensemble(in_ensemble)) {
            if scope == Scope::Bare {
                continue; // not from a file
            }
            let key = key.replace('*', "keyStore.location");
            let line = format!("{key}=1");
            let config = with_three(&line).or_else(|_| with_three(&format!("{key}=true")));
            let config = config.unwrap_or_else(|error| panic!("{key}: {error}"));
            assert!(
                warned(&config, &format!("/zoo.cfg:6: {key} {said}")),
                "{key}"
            );
            let alone = parse(&format!("{BASE}{line}\n"), "");
            let alone = alone.unwrap_or_else(|_| with(&format!("{key}=true")));
            assert!(alone.warnings.is_empty(), "{key}: {:?}", alone.warnings);
        }
    }
}

/// Lines that no member starts with, and what it says.
const REFUSED: &[(&str, &str)] = &[
    (
        "initLimit=0",
        "{dir}/zoo.cfg:6: initLimit=0: initLimit is not set (allowed: ticks, at least 1)",
    ),
    (
        "syncLimit=0",
        "{dir}/zoo.cfg:6: syncLimit=0: syncLimit is not set (allowed: ticks, at least 1)",
    ),
    ("syncLimit=-1", "syncLimit=-1: -1 is negative"),
    ("initLimit=ten", "initLimit=ten: For input string: \"ten\""),
    (
        "connectToLearnerMasterLimit=-1",
        "connectToLearnerMasterLimit=-1: -1 is negative (allowed: ticks, 0 for initLimit)",
    ),
    (
        "observerMasterPort=70000",
        "observerMasterPort=70000: port out of range:70000",
    ),
    (
        "electionAlg=1",
        "{dir}/zoo.cfg:6: electionAlg=1: Invalid electionAlg value. Only 3 is supported.",
    ),
    ("peerType=learner", "Unrecognised peertype: learner"),
    (
        "localSessionsEnabled=1",
        "Invalid option 1 for localSessionsEnabled. Choose 'true' or 'false.'",
    ),
    (
        "sslQuorum=true",
        "{dir}/zoo.cfg:6: sslQuorum=true: TLS between servers is not supported yet \
     (allowed: false)",
    ),
    (
        "portUnification=true",
        "portUnification=true: TLS between servers is not supported yet",
    ),
    (
        "quorum.auth.enableSasl=true",
        "quorum.auth.enableSasl=true: SASL between servers is not supported yet",
    ),
    (
        "quorum.auth.learnerRequireSasl=true",
        "quorum.auth.enableSasl is disabled, so cannot enable quorum.auth.learnerRequireSasl",
    ),
    (
        "cnxTimeout=5s",
        "{dir}/zoo.cfg:6: zookeeper.cnxTimeout=5s: For input string: \"5s\"",
    ),
    (
        "leader.maxConcurrentSnapSyncs=0",
        "zookeeper.leader.maxConcurrentSnapSyncs=0: maxConcurrentSyncs must be positive, was 0",
    ),
    (
        "leader.maxConcurrentDiffSyncs=-1",
        "zookeeper.leader.maxConcurrentDiffSyncs=-1: maxConcurrentSyncs must be positive, was -1",
    ),
    (
        "version=xyz",
        "{dir}/zoo.cfg:6: version=xyz: For input string: \"xyz\"",
    ),
];

#[test]
fn refused() {
    for (line, expected) in REFUSED {
        let error = with_three(line).expect_err(line);
        assert!(
            error.contains(expected),
            "{line}\n got {error}\nwant {expected}"
        );
    }
    // What an ensemble does not have, a standalone server need not have either.
    for line in [
        "sslQuorum=true",
        "quorum.auth.enableSasl=true",
        "oraclePath=/o",
    ] {
        assert!(with(line).warnings.is_empty(), "{line}");
    }
}
