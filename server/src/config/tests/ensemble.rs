//! Tables over whole ensemble configurations, in files as a member finds them.

use std::time::Duration;

use jute::Zxid;
use jute::quorum::ServerId;
use jute::quorum::config::Role;
use tempfile::TempDir;

use super::*;

/// Three members, and what they must have.
pub(super) const THREE: &str = "initLimit=10\nsyncLimit=5\nserver.1=h1:2888:3888\n\
    server.2=h2:2888:3888\nserver.3=h3:2888:3888\n";

/// Writes files and loads `zoo.cfg`. `{dir}` in a text is where they are; `zoo.cfg` need not name
/// `dataDir`. Gives back what messages say too, with `{dir}` again.
pub(super) fn load(files: &[(&str, &str)]) -> Result<Config, String> {
    load_with(files, "")
}

pub(super) fn load_with(files: &[(&str, &str)], flags: &str) -> Result<Config, String> {
    let home = TempDir::new().expect("a directory");
    load_in(&home, files, flags)
}

/// The files are there afterwards.
pub(super) fn load_in(
    home: &TempDir,
    files: &[(&str, &str)],
    flags: &str,
) -> Result<Config, String> {
    let dir = home.path().to_str().expect("text");
    for (name, text) in files {
        let mut text = text.replace("{dir}", dir);
        if *name == "zoo.cfg" && !text.contains("dataDir") {
            text.push_str(&format!("\ndataDir={dir}\n"));
        }
        std::fs::write(home.path().join(name), text).expect("a file");
    }
    let env = Env {
        server_jvmflags: flags.to_owned(),
        ..Env::default()
    };
    Config::load(&home.path().join("zoo.cfg"), &env).map_err(|error| {
        let text = error.to_string();
        assert!(!text.contains('\n'), "{text}");
        text.replace(dir, "{dir}")
    })
}

/// Server 1 of three with more lines.
pub(super) fn with_three(lines: &str) -> Result<Config, String> {
    load(&[("zoo.cfg", &format!("{THREE}{lines}")), ("myid", "1\n")])
}

pub(super) fn settings(config: &Config) -> &EnsembleSettings {
    config.ensemble.as_ref().expect("an ensemble")
}

#[test]
fn defaults_of_a_member() {
    let config = with_three("").expect("starts");
    let ensemble = settings(&config);
    let ms = Duration::from_millis;
    assert_eq!(
        (ensemble.me, ensemble.role()),
        (ServerId(1), Role::Participant)
    );
    assert_eq!(
        ensemble.committed.to_string(),
        "server.1=h1:2888:3888:participant\nserver.2=h2:2888:3888:participant\n\
         server.3=h3:2888:3888:participant\nversion=0"
    );
    assert_eq!(ensemble.last_seen, None);
    assert!(ensemble.files.file.is_absolute() && ensemble.files.file.ends_with("zoo.cfg"));
    assert_eq!(ensemble.files.dynamic, None);
    assert_eq!(
        ensemble.limits,
        TickLimits {
            init: 10,
            sync: 5,
            connect_to_learner_master: None
        }
    );
    assert_eq!(
        ensemble.links,
        LinkSettings {
            listen_on_all_ips: false,
            tcp_keep_alive: false,
            multi_address: false,
            reachability_check: true,
            reachability_timeout: ms(1000),
        }
    );
    assert_eq!(
        ensemble.election,
        ElectionSettings {
            connect_timeout: ms(5000),
            handshake_timeout: None,
            port_bind_retries: Some(3),
            min_notification_interval: ms(200),
            max_notification_interval: ms(60_000),
        }
    );
    assert_eq!(
        ensemble.leader,
        LeaderSettings {
            serves: true,
            max_time_to_wait_for_epoch: None,
            max_concurrent_snap_syncs: 10,
            max_concurrent_diff_syncs: 100,
        }
    );
    assert_eq!(
        ensemble.learner,
        LearnerSettings {
            leader_connect_delay: ms(100),
            observer_reconnect_delay: ms(0),
            observer_election_delay: ms(200),
            observer_sync: true,
            observer_master_port: None,
        }
    );
    assert_eq!(
        ensemble.history,
        HistorySettings {
            commit_log_count: 500,
            snapshot_size_factor: 0.33
        }
    );
    assert_eq!(
        (ensemble.local_sessions, ensemble.local_sessions_upgrading),
        (false, false)
    );
    assert!(ensemble.standalone_enabled && !config.reconfig_enabled);
    assert_eq!((config.client_port, config.warnings), (None, Vec::new()));
}

#[test]
fn ids() {
    let extended = format!("{THREE}extendedTypesEnabled=true\nserver.255=h:1:2\n");
    let wide = format!("{THREE}server.300=h:1:2\n");
    for (text, my_id, expected) in [
        (THREE, Some("2"), Ok(2)),
        (THREE, Some("+2\r\nthis is not read"), Ok(2)),
        (THREE, Some("2\r"), Ok(2)),
        (wide.as_str(), Some("300"), Ok(300)),
        (
            THREE,
            None,
            Err("{dir}/myid: myid=: myid file is missing (allowed: a file with"),
        ),
        (THREE, Some("-1"), Err("myid file is missing")),
        (
            THREE,
            Some("two"),
            Err("{dir}/myid: myid=two: serverid two is not a number (allowed: a number"),
        ),
        (THREE, Some(" 2"), Err("serverid  2 is not a number")),
        (THREE, Some("2 "), Err("serverid 2  is not a number")),
        (THREE, Some(""), Err("serverid null is not a number")),
        (THREE, Some("\n2"), Err("serverid  is not a number")),
        (
            THREE,
            Some("9223372036854775808"),
            Err("serverid 9223372036854775808 is not a number"),
        ),
        (
            THREE,
            Some("7"),
            Err("{dir}/myid: myid=7: My id 7 not in the peer list"),
        ),
        (
            &extended,
            Some("255"),
            Err(
                "extendedTypesEnabled is true but Server ID is too large. Cannot be larger than 254",
            ),
        ),
    ] {
        let mut files = vec![("zoo.cfg", text)];
        files.extend(my_id.map(|text| ("myid", text)));
        match (load(&files), expected) {
            (Ok(config), Ok(id)) => {
                assert_eq!(settings(&config).me, ServerId(id));
                let odd = config.warnings.iter().any(|w| w.contains("lowest byte"));
                assert_eq!(odd, id > 255, "{:?}", config.warnings);
            }
            (Err(error), Err(part)) => assert!(error.contains(part), "{my_id:?}: {error}"),
            (got, _) => panic!("{my_id:?}: {got:?}"),
        }
    }
    // A standalone server needs none, but Apache reads what is there.
    let error = load(&[("zoo.cfg", "clientPort=1"), ("myid", "x")]).expect_err("refused");
    assert!(error.contains("serverid x is not a number"), "{error}");
    assert!(load(&[("zoo.cfg", "clientPort=1"), ("myid", "9")]).is_ok());
}

#[test]
fn dynamic_files() {
    let pointer = "initLimit=1\nsyncLimit=1\ndynamicConfigFile={dir}/zoo.cfg.dynamic.1f\n";
    let members = "server.1=h1:1:2:observer;h1:3\nserver.2=h2:1:2\nserver.3=h3:1:2";
    let next = "server.2=h2:1:2\nserver.3=h3:1:2\nversion=20";
    let files = [
        ("zoo.cfg", pointer),
        ("zoo.cfg.dynamic.1f", members),
        ("zoo.cfg.dynamic.next", next),
        ("myid", "1"),
    ];
    let config = load(&files).expect("starts");
    let ensemble = settings(&config);
    assert_eq!(ensemble.committed.version(), Zxid(0x1f));
    assert_eq!(ensemble.role(), Role::Observer);
    assert_eq!(config.client_address_text().as_deref(), Some("h1:3"));
    let seen = ensemble.last_seen.as_ref().expect("a newer one");
    assert_eq!((seen.version(), seen.members.len()), (Zxid(0x20), 2));
    let path = ensemble.files.dynamic.as_ref().expect("it points there");
    assert!(path.ends_with("zoo.cfg.dynamic.1f"));

    for (at, name, text, expected) in [
        (2, "zoo.cfg.dynamic.next", "version=1f", "no member votes"),
        (
            2,
            "zoo.cfg.dynamic.next",
            "server.2=h2:1",
            "{dir}/zoo.cfg.dynamic.next:1: server.2=h2:1: h2:1 does not have the form",
        ),
        (
            2,
            "zoo.cfg.dynamic.next",
            "server.2=h:1:2\\u1",
            "Error processing {dir}/zoo.cfg.dynamic.next:1: Malformed \\uxxxx encoding.",
        ),
        (
            1,
            "zoo.cfg.dynamic.1f",
            "server.1=h1:1:2\nversion=1f",
            "{dir}/zoo.cfg.dynamic.1f:2: version=1f: dynamic file shouldn't have version inside",
        ),
        (
            1,
            "zoo.cfg.dynamic.1f",
            "server.1=h1:1:2\n\ntickTime=5",
            "{dir}/zoo.cfg.dynamic.1f:3: tickTime=5: Unrecognised parameter: tickTime \
             (allowed: server.N, group.N and weight.N)",
        ),
        (
            1,
            "zoo.cfg.dynamic",
            members,
            "{dir}/zoo.cfg.dynamic.1f file is missing",
        ),
        (
            0,
            "zoo.cfg",
            "server.1=h:1:2\ndynamicConfigFile=x",
            "{dir}/zoo.cfg:1: server.1=h:1:2: parameter: server.1 must be in a separate dynamic \
             config file",
        ),
        (
            1,
            "zoo.cfg.dynamic.1f",
            "server.1=h1:1:2\nserver.2=h2:1:2\ngroup.1=1",
            "{dir}/zoo.cfg.dynamic.1f:2: server.2=h2:1:2: Server 2 is not in a group",
        ),
    ] {
        let mut files = files;
        files[at] = (name, text);
        let error = load(&files).expect_err(text);
        assert!(
            error.contains(expected),
            "{text}\n got {error}\nwant {expected}"
        );
    }
    // What is not newer is forgotten; and only a member of an ensemble looks for it.
    let mut files = files;
    files[2].1 = "server.1=h1:1:2\nserver.2=h2:1:2\nversion=1f";
    assert_eq!(settings(&load(&files).expect("starts")).last_seen, None);
    let alone = [
        ("zoo.cfg", "clientPort=1"),
        ("zoo.cfg.dynamic.next", "nonsense"),
    ];
    assert_eq!(load(&alone).expect("starts").ensemble, None);
    // A static file that was not rewritten yet.
    let text = format!("{THREE}version=5");
    let files = [
        ("zoo.cfg", text.as_str()),
        ("zoo.cfg.dynamic.next", next),
        ("myid", "1"),
    ];
    let config = load(&files).expect("starts");
    assert_eq!(settings(&config).committed.version(), Zxid(5));
    assert!(settings(&config).last_seen.is_some());
}

/// Files that Java servers wrote.
#[test]
fn dynamic_files_of_java_servers() {
    let zoo = "tickTime=1000\ninitLimit=10\nsyncLimit=5\nreconfigEnabled=true\n\
        standaloneEnabled=false\nsnapCount=120\npreAllocSize=64\nextendedTypesEnabled=true\n";
    for (version, ports) in [("3.8.0", 43100), ("3.9.5", 42100)] {
        for (name, members) in [("100000000", 4), ("1000001df", 3), ("1000001e2", 4)] {
            let source = format!(
                "{}/../journal/testdata/{version}/zoo.cfg.dynamic.{name}",
                env!("CARGO_MANIFEST_DIR")
            );
            let text = std::fs::read_to_string(&source).expect(&source);
            let dynamic = format!("zoo.cfg.dynamic.{name}");
            let zoo = format!("{zoo}dynamicConfigFile={{dir}}/{dynamic}\n");
            let files = [("zoo.cfg", zoo.as_str()), (&dynamic, &text), ("myid", "2")];
            let config = load(&files).expect("starts");
            assert!(config.warnings.is_empty(), "{:?}", config.warnings);
            let ensemble = settings(&config);
            assert_eq!(ensemble.committed.members.len(), members);
            assert_eq!(ensemble.committed.voters().count(), 3);
            let version = i64::from_str_radix(name, 16).expect("hexadecimal");
            assert_eq!(ensemble.committed.version(), Zxid(version));
            assert_eq!(
                config.client_address_text(),
                Some(format!("127.0.0.1:{}", ports + 2))
            );
            // One of the reconfigurations had removed the fourth member.
            let files = [("zoo.cfg", zoo.as_str()), (&dynamic, &text), ("myid", "4")];
            match load(&files) {
                Ok(config) => assert_eq!((settings(&config).role(), members), (Role::Observer, 4)),
                Err(error) => assert!(
                    members == 3 && error.contains("My id 4 not in the peer list"),
                    "{error}"
                ),
            }
        }
    }
}

#[test]
fn the_shipped_samples_are_one_ensemble() {
    let samples = [
        include_str!("../../../../conf/ensemble/zoo1.cfg"),
        include_str!("../../../../conf/ensemble/zoo2.cfg"),
        include_str!("../../../../conf/ensemble/zoo3.cfg"),
    ];
    let mut addresses = Vec::new();
    let mut configs = Vec::new();
    for (n, text) in (1..).zip(samples) {
        let data = format!("dataDir=./data/{n}");
        assert!(text.contains(&data), "{text}");
        let (text, id) = (text.replace(&data, "dataDir={dir}"), n.to_string());
        let config = load(&[("zoo.cfg", &text), ("myid", &id)]).expect("starts");
        assert!(config.warnings.is_empty(), "{:?}", config.warnings);
        addresses.push(config.client_address_text().expect("an address"));
        configs.push(settings(&config).committed.to_string());
    }
    assert_eq!(
        addresses,
        ["127.0.0.1:2181", "127.0.0.1:2182", "127.0.0.1:2183"]
    );
    assert!(
        configs.iter().all(|config| *config == configs[0]),
        "{configs:?}"
    );
}
