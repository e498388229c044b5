//! What a user reads when a configuration is wrong, or is not what it seems.

use super::{BASE, parse, with};

#[test]
fn warnings_name_the_line_and_what_to_do() {
    for (line, expected) in [
        (
            "ticktime=5",
            "zoo.cfg:3: ticktime is taken as the system property zookeeper.ticktime, which is not known; did you mean tickTime?",
        ),
        (
            "connectionMaxTokens=5",
            "zoo.cfg:3: connectionMaxTokens is documented, but ZooKeeper ignores it; did you mean connection_throttle_tokens?",
        ),
        (
            "commitProcessor.numWorkerThreads=5",
            "zoo.cfg:3: commitProcessor.numWorkerThreads is accepted and has no effect here",
        ),
        (
            "admin.enableServer=true",
            "zoo.cfg:3: admin.enableServer is not supported yet and has no effect",
        ),
        (
            "jute.maxbuffer=5",
            "zoo.cfg:3: jute.maxbuffer has no effect in a file; set -Djute.maxbuffer=5 in SERVER_JVMFLAGS",
        ),
        (
            "dataDir=data",
            "data is relative. Prepend ./ to indicate that you're sure!",
        ),
        (
            "server.1=h:2888:3888",
            "Invalid configuration, only one server specified (ignoring)",
        ),
    ] {
        assert_eq!(with(line).warnings, [expected], "{line}");
    }
}

#[test]
fn errors_name_key_value_and_what_is_allowed() {
    for (line, expected) in [
        (
            "tickTime=abc",
            "zoo.cfg:3: tickTime=abc: For input string: \"abc\" (allowed: milliseconds, at least 1)",
        ),
        (
            "tickTime=0",
            "zoo.cfg:3: tickTime=0: tickTime is not set (allowed: milliseconds, at least 1)",
        ),
        ("tickTime=-5", "tickTime=-5: -5 is negative"),
        (
            "initLimit=x",
            "initLimit=x: For input string: \"x\" (allowed: a whole number)",
        ),
        (
            "dataDir=",
            "dataDir=: dataDir is not set (allowed: a directory)",
        ),
        (
            "clientPort=70000",
            "clientPort=70000: port out of range:70000 (allowed: a port from 1 to 65535, or 0 for none)",
        ),
        (
            "clientPort=0\nclientPortAddress=h",
            "clientPortAddress is set but clientPort is not set",
        ),
        (
            "minSessionTimeout=70000",
            "minSessionTimeout must not be larger than maxSessionTimeout (allowed: at most 60000)",
        ),
        (
            "reconfigEnabled=yes",
            "Invalid option yes for reconfigEnabled. Choose 'true' or 'false.' (allowed: true or false)",
        ),
        (
            "electionAlg=0",
            "Invalid electionAlg value. Only 3 is supported.",
        ),
        ("peerType=leader", "Unrecognised peertype: leader"),
        ("secureClientPort=2281", "TLS is not supported yet"),
        (
            "metricsProvider.className=Foo",
            "metrics provider class was not found",
        ),
        (
            "quorum.auth.serverRequireSasl=true",
            "quorum.auth.enableSasl is disabled, so cannot enable quorum.auth.serverRequireSasl",
        ),
        (
            "server.1=h:2888",
            "h:2888 does not have the form server_config or server_config;client_config",
        ),
        (
            "server.1=h:1:1",
            "Client and election port must be different!",
        ),
        (
            "server.1=a:1:2|b:1:2",
            "Multiple address feature is disabled, but multiple addresses were specified for sid 1",
        ),
        ("server.x=h:1:2", "For input string: \"x\""),
        (
            "server.1=h:1:2\nserver.2=h:3:4",
            "zoo.cfg: initLimit=: initLimit is not set (allowed: ticks, at least 1)",
        ),
        (
            "server.1=h:1:2\nstandaloneEnabled=false\ninitLimit=1\nsyncLimit=1",
            "dataDir: myid=: myid file is missing",
        ),
        (
            "server.1=h:1:2:observer",
            "Observers w/o participants is an invalid configuration",
        ),
        (
            "server.1=h:1:2\nserver.2=h:3:4:observer",
            "Observers w/o quorum is an invalid configuration",
        ),
        (
            "dynamicConfigFile=x\nserver.1=h:1:2",
            "parameter: server.1 must be in a separate dynamic config file",
        ),
        (
            "largeRequestThreshold=200000000",
            "must not be larger than largeRequestMaxBytes",
        ),
        (
            "intBufferStartingSizeBytes=31",
            "zookeeper.intBufferStartingSizeBytes=31",
        ),
        (
            "enforce.auth.enabled=true",
            "enforce.auth.schemes is not configured.",
        ),
        (
            "enforce.auth.enabled=true\nenforce.auth.schemes=sasl",
            "Authentication scheme sasl is not available.",
        ),
        (
            "sessionRequireClientSASLAuth=true",
            "SASL is not supported yet",
        ),
        (
            "DigestAuthenticationProvider.digestAlg=MD9",
            "MD9 MessageDigest not available",
        ),
    ] {
        let error = parse(&format!("{BASE}{line}\n"), "").expect_err(line);
        let text = error.to_string();
        assert!(
            text.contains(expected),
            "{line}\n got {text}\nwant {expected}"
        );
        assert!(!text.contains('\n'), "{line}");
    }
    let error = parse(BASE, "-Djute.maxbuffer=10").expect_err("too small");
    assert!(
        error
            .to_string()
            .starts_with("-D in SERVER_JVMFLAGS: jute.maxbuffer=10: "),
        "{error}"
    );
}

#[test]
fn the_file_overrides_jvm_flags() {
    let flags = "-Dzookeeper.snapCount=5 -Djute.maxbuffer=4194304 -Dfsync.warningthresholdms=7 \
        -Dznode.container.checkIntervalMs=50 -Dcom.sun.x=1 -Dzookeeper.tpyo=1";
    let config = parse(&format!("{BASE}snapCount=9\n"), flags).expect("starts");
    assert_eq!(config.storage.snap_count, 9);
    assert_eq!(config.limits.jute_max_buffer, 4_194_304);
    assert_eq!(config.limits.jute_extra_size, 4_194_304);
    assert_eq!(config.storage.fsync_warning_threshold.as_millis(), 7);
    assert_eq!(config.features.container_check_interval.as_millis(), 50);
    assert_eq!(
        config.warnings,
        ["-D in SERVER_JVMFLAGS: zookeeper.tpyo is a system property that is not known"]
    );
}
