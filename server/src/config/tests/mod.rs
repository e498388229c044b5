//! Tables over whole configurations: one for defaults, one for accepted values, one for errors.

use std::path::Path;
use std::time::Duration;

use super::*;

mod ensemble;
mod ensemble_keys;
mod layers;
mod members;
mod messages;

/// The least that starts.
const BASE: &str = "dataDir=/data/zk\nclientPort=2181\n";

fn parse(text: &str, flags: &str) -> Result<Config, ConfigError> {
    let env = Env {
        server_jvmflags: flags.to_owned(),
        ..Env::default()
    };
    Config::from_text("zoo.cfg", text, &env)
}

fn with(line: &str) -> Config {
    parse(&format!("{BASE}{line}\n"), "").unwrap_or_else(|error| panic!("{line}: {error}"))
}

#[test]
fn defaults_are_those_of_java() {
    let config = with("");
    assert_eq!(config.data_dir, Path::new("/data/zk"));
    assert_eq!(config.data_log_dir, config.data_dir);
    assert_eq!(
        (config.client_port, config.client_port_address.as_deref()),
        (Some(2181), None)
    );
    assert_eq!(config.listen_backlog, None);
    assert_eq!(
        (config.tick_time_ms, config.min_session_timeout_ms),
        (3000, 6000)
    );
    assert_eq!(
        (config.max_session_timeout_ms, config.max_client_cnxns),
        (60_000, 60)
    );
    assert_eq!(
        config.autopurge,
        Autopurge {
            snap_retain_count: 3,
            purge_interval_hours: None
        }
    );
    let ms = Duration::from_millis;
    assert_eq!(
        config.storage,
        StorageSettings {
            pre_alloc_size_kb: 65536,
            snap_count: 100_000,
            snap_size_limit_kb: Some(4_194_304),
            txn_log_size_limit_kb: None,
            force_sync: true,
            fsync_warning_threshold: ms(1000),
            flush_delay: ms(0),
            max_write_queue_poll_time: ms(0),
            max_batch_size: 1000,
            snapshot_compression: SnapshotCompression::None,
            snapshot_trust_empty: false,
            datadir_autocreate: true,
            db_autocreate: true,
            digest_enabled: true,
            serialize_last_processed_zxid: true,
            close_session_txn_enabled: true,
        }
    );
    assert_eq!(
        config.limits,
        Limits {
            jute_max_buffer: 1_048_575,
            jute_extra_size: 1_048_575,
            max_cnxns: None,
            global_outstanding_limit: 1000,
            large_request_max_bytes: 104_857_600,
            large_request_threshold: None,
            sessionless_cnxn_timeout: ms(10_000),
            client_tcp_keep_alive: false,
        }
    );
    assert_eq!(
        config.features,
        Features {
            extended_types_enabled: false,
            emulate_353_ttl_nodes: false,
            enforce_quota: false,
            read_only_mode: false,
            container_check_interval: ms(60_000),
            container_max_per_minute: 10_000,
            container_max_never_used: None,
        }
    );
    assert_eq!(
        (config.four_letter_words, config.warnings),
        (None, Vec::new())
    );
}

#[test]
fn defaults_of_throttles_and_auth() {
    let config = with("");
    let ms = Duration::from_millis;
    assert_eq!(
        config.request_throttle,
        RequestThrottle {
            max_requests: None,
            stall_time: ms(100),
            drop_stale: true,
            stale_latency_check: false,
            stale_connection_check: true,
            throttled_op_wait_time: None,
            shutdown_timeout: ms(10_000),
        }
    );
    assert_eq!(
        config.connection_throttle,
        ConnectionThrottle {
            tokens: None,
            fill_time: ms(1),
            fill_count: 1,
            freeze_time: None,
            drop_increase: 0.02,
            drop_decrease: 0.002,
            decrease_ratio: 0.0,
            weight_enabled: false,
            global_session_weight: 3,
            renew_session_weight: 2,
            local_session_weight: 1,
        }
    );
    assert_eq!(
        config.auth,
        AuthSettings {
            digest_enabled: true,
            super_digest: None,
            digest_alg: DigestAlg::Sha1,
            skip_acl: false,
            eager_acl_check: false,
            enforced_schemes: Vec::new(),
            ensemble_scheme: false,
            ensemble_names: Vec::new(),
        }
    );
}

/// A directory of this process alone that goes away with the test.
struct TestDir(std::path::PathBuf);

impl TestDir {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("zabkeeper-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("create");
        Self(dir)
    }
}

impl Drop for TestDir {
    fn drop(&mut self) {
        let _best_effort = std::fs::remove_dir_all(&self.0);
    }
}

type Check = fn(&Config) -> bool;

#[test]
fn named_keys() {
    let table: &[(&str, Check)] = &[
        ("dataLogDir=/log", |c| c.data_log_dir == Path::new("/log")),
        ("clientPort=0", |c| c.client_port.is_none()),
        ("clientPortAddress = ::1 ", |c| {
            c.client_address_text().as_deref() == Some("[::1]:2181")
        }),
        ("clientPortListenBacklog=7", |c| c.listen_backlog == Some(7)),
        ("tickTime=2000", |c| {
            (c.min_session_timeout_ms, c.max_session_timeout_ms) == (4000, 40_000)
        }),
        ("tickTime=2000000000", |c| {
            c.max_session_timeout_ms == i32::MAX
        }),
        ("minSessionTimeout=1\nmaxSessionTimeout=1", |c| {
            c.max_session_timeout_ms == 1
        }),
        ("maxClientCnxns=0", |c| c.max_client_cnxns == 0),
        ("maxClientCnxns=-1", |c| c.max_client_cnxns == 0),
        ("autopurge.snapRetainCount=5", |c| {
            c.autopurge.snap_retain_count == 5
        }),
        ("autopurge.snapRetainCount=2", |c| {
            c.autopurge.snap_retain_count == 3 && c.warnings.len() == 1
        }),
        ("autopurge.purgeInterval=24", |c| {
            c.autopurge.purge_interval_hours == Some(24)
        }),
        ("initLimit=10\nsyncLimit=5\nreconfigEnabled=TRUE", |c| {
            c.warnings.is_empty()
        }),
    ];
    for (line, check) in table {
        let config = with(line);
        assert!(check(&config), "{line}: {config:?}");
    }
}

#[test]
fn properties_from_the_file() {
    let table: &[(&str, Check)] = &[
        ("preAllocSize=64", |c| c.storage.pre_alloc_size_kb == 64),
        ("preAllocSize=64M", |c| {
            c.storage.pre_alloc_size_kb == 65536 && c.warnings.len() == 1
        }),
        ("snapCount=0x10", |c| c.storage.snap_count == 16),
        ("snapCount=010", |c| c.storage.snap_count == 8),
        ("snapCount=1", |c| {
            c.storage.snap_count == 2 && c.warnings.len() == 1
        }),
        ("snapCount=many", |c| {
            c.storage.snap_count == 100_000 && c.warnings.len() == 1
        }),
        ("snapSizeLimitInKb=0", |c| {
            c.storage.snap_size_limit_kb.is_none()
        }),
        ("txnLogSizeLimitInKb=9", |c| {
            c.storage.txn_log_size_limit_kb == Some(9)
        }),
        ("forceSync=no", |c| {
            !c.storage.force_sync && c.warnings.len() == 1
        }),
        ("forceSync=NO", |c| c.storage.force_sync),
        ("fsync.warningthresholdms=5", |c| {
            c.storage.fsync_warning_threshold.as_millis() == 5
        }),
        ("flushDelay=9", |c| {
            c.storage.max_write_queue_poll_time.as_millis() == 3
        }),
        ("maxBatchSize=0", |c| c.storage.max_batch_size == 1),
        ("snapshot.compression.method=gz", |c| {
            c.storage.snapshot_compression == SnapshotCompression::Gzip
        }),
        ("snapshot.compression.method=zip", |c| c.warnings.len() == 1),
        ("snapshot.trust.empty=TRUE", |c| {
            c.storage.snapshot_trust_empty
        }),
        ("digest.enabled=no", |c| !c.storage.digest_enabled),
        ("maxCnxns=10", |c| c.limits.max_cnxns == Some(10)),
        ("largeRequestThreshold=100", |c| {
            c.limits.large_request_threshold == Some(100)
        }),
        ("jute.maxbuffer.extrasize=1", |c| {
            c.limits.jute_extra_size == 1024
        }),
        ("jute.maxbuffer=9999", |c| {
            c.limits.jute_max_buffer == 1_048_575 && c.warnings.len() == 1
        }),
        ("readonlymode.enabled=true", |c| c.features.read_only_mode),
        ("extendedTypesEnabled=true", |c| {
            c.features.extended_types_enabled
        }),
        ("enforceQuota=true", |c| c.features.enforce_quota),
        ("skipACL=yes", |c| c.auth.skip_acl),
        ("skipACL=true", |c| !c.auth.skip_acl),
        ("DigestAuthenticationProvider.digestAlg=sha-256", |c| {
            c.auth.digest_alg == DigestAlg::Sha256
        }),
        ("DigestAuthenticationProvider.superDigest=super:x", |c| {
            c.auth.super_digest.as_deref() == Some("super:x") && c.warnings.is_empty()
        }),
        (
            "enforce.auth.enabled=true\nenforce.auth.schemes=ip, digest",
            |c| c.auth.enforced_schemes == ["ip", "digest"],
        ),
        ("ensembleAuthName=a, b", |c| {
            c.auth.ensemble_names == ["a", "b"]
        }),
        ("throttled_op_wait_time=5", |c| {
            c.request_throttle.throttled_op_wait_time.is_some()
        }),
        ("connection_throttle_drop_increase=2", |c| {
            c.connection_throttle.drop_increase == 0.02 && c.warnings.len() == 1
        }),
        ("4lw.commands.whitelist=*", |c| {
            c.four_letter_words.as_deref() == Some("*")
        }),
    ];
    for (line, check) in table {
        let config = with(line);
        assert!(check(&config), "{line}: {config:?}");
    }
}

#[test]
fn configurations_of_real_systems() {
    let debian = "# http://hadoop.apache.org/zookeeper/docs/current/zookeeperAdmin.html\n\ntickTime=2000\n\
        initLimit=10\nsyncLimit=5\ndataDir=/var/lib/zookeeper\n\n# dataLogDir=/disk2/zookeeper\n\
        clientPort=2181\n\n#server.1=zookeeper1:2888:3888\n\n#leaderServes=yes\n";
    let kafka = "dataDir=/var/lib/kafka/zookeeper\nclientPort=2181\nmaxClientCnxns=0\nadmin.enableServer=false\n# admin.serverPort=8080\n";
    let docker = "dataDir=/data\ndataLogDir=/datalog\ntickTime=2000\ninitLimit=5\nsyncLimit=2\n\
        autopurge.snapRetainCount=3\nautopurge.purgeInterval=0\nmaxClientCnxns=60\nstandaloneEnabled=true\n\
        admin.enableServer=false\nserver.1=localhost:2888:3888;2181\n";
    let hbase = "tickTime=6000\ninitLimit=10\nsyncLimit=5\ndataDir=/var/hbase/zookeeper\nclientPort=2181\n\
        maxClientCnxns=300\nserver.0=master.example.org:2888:3888\n";
    for (name, text, tick, cnxns, warnings) in [
        ("debian", debian, 2000, 60, 0),
        ("kafka", kafka, 3000, 0, 0),
        ("docker", docker, 2000, 60, 1),
        ("hbase", hbase, 6000, 300, 1),
    ] {
        let config = parse(text, "").unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(
            (config.client_port, config.tick_time_ms),
            (Some(2181), tick),
            "{name}"
        );
        assert_eq!(
            (config.max_client_cnxns, config.warnings.len()),
            (cnxns, warnings),
            "{name}"
        );
    }
}

#[test]
fn the_shipped_sample_starts_without_a_warning() {
    let sample = include_str!("../../../../conf/standalone.cfg");
    let config = parse(sample, "").expect("starts");
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    let active: String = sample
        .lines()
        .map(|line| {
            line.strip_prefix('#')
                .filter(|rest| !rest.starts_with(' '))
                .unwrap_or(line)
        })
        .map(|line| format!("{line}\n"))
        .collect();
    let config = parse(&active, "").expect("starts with every line active");
    assert!(
        config
            .warnings
            .iter()
            .all(|warning| warning.contains("relative")),
        "{:?}",
        config.warnings
    );
}

#[test]
fn forms_of_the_command_line() {
    let run = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        Config::from_arguments(&words, &Env::default())
    };
    let config = run(&[]).expect("defaults");
    assert_eq!(
        config.client_address_text().as_deref(),
        Some("127.0.0.1:2181")
    );
    assert_eq!(
        (config.data_dir.to_str(), config.tick_time_ms),
        (Some("./data"), 2000)
    );
    assert!(config.warnings.is_empty());
    let config = run(&["2182", "/d d\\é", "1500", "5"]).expect("legacy form");
    assert_eq!(
        (config.client_port, config.data_dir.to_str()),
        (Some(2182), Some("/d d\\é"))
    );
    assert_eq!((config.tick_time_ms, config.max_client_cnxns), (1500, 5));
    assert_eq!(
        run(&["2182", "/d"]).expect("legacy form").tick_time_ms,
        3000
    );
    for (words, expected) in [
        (
            &["x", "/d"][..],
            "Invalid arguments: For input string: \"x\"",
        ),
        (
            &["1", "/d", "2", "3", "4"][..],
            "Invalid arguments: Invalid number of arguments: 5",
        ),
        (
            &["no-such-file.cfg"][..],
            "no-such-file.cfg file is missing",
        ),
    ] {
        let error = run(words).expect_err("refused");
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}

#[test]
fn files_and_directories() {
    let home = TestDir::new("config-files");
    let at = |name: &str| home.0.join(name);
    let dynamic = at("zoo.cfg.dynamic.1");
    let text = format!(
        "dataDir={}\ndynamicConfigFile={}\n",
        at("d").display(),
        dynamic.display()
    );
    std::fs::write(at("zoo.cfg"), &text).expect("write");
    for (members, expected) in [
        ("server.1=h:1:2:participant;0.0.0.0:2181", Ok(Some(2181))),
        (
            "version=1",
            Err("dynamic file shouldn't have version inside"),
        ),
        ("tickTime=1", Err("Unrecognised parameter: tickTime")),
    ] {
        std::fs::write(&dynamic, members).expect("write");
        match (Config::load(&at("zoo.cfg"), &Env::default()), expected) {
            (Ok(config), Ok(port)) => {
                assert_eq!(
                    (config.client_port, config.raw_text.as_str()),
                    (port, text.as_str())
                );
            }
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (got, _) => panic!("{members}: {got:?}"),
        }
    }
}
