//! The configuration in files: Apache's bytes, and what is no configuration.

mod common;

use std::path::Path;

use common::{
    CONFIG_FILE, Tickets, carry, config, empty_disk, names, open, open_with, put, settings, text,
    zxid,
};
use jute::Zxid;
use storage::{Disk, SimDisk, StorageError};
use zab::quorum::Config;
use zab::{Store, parse_config};

const DYNAMIC: &str = "/conf/zoo.cfg.dynamic.100000003";
const NEXT: &str = "/conf/zoo.cfg.dynamic.next";

#[allow(clippy::disallowed_methods, reason = "samples are real files")]
fn sample(path: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[allow(clippy::disallowed_methods, reason = "samples are real files")]
fn sample_names(dir: &str) -> Vec<String> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join(dir);
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .expect("the folder exists")
        .map(|found| found.expect("it can be read").file_name())
        .map(|name| name.into_string().expect("sample names are text"))
        .collect();
    names.sort();
    names
}

/// What the files say at a start.
fn found(disk: &SimDisk) -> Result<(Config, Option<Config>), StorageError> {
    let recovered = open(disk)?.recovered;
    Ok((recovered.committed_config, recovered.last_seen_config))
}

/// The reconfigurations in a Java server's log make the files that it wrote.
#[test]
fn files_of_java_servers() {
    for version in ["3.8.0", "3.9.5"] {
        let disk = empty_disk();
        let mut settings = settings();
        settings.layout = storage::Layout::new(Path::new("/data"), Path::new("/data"));
        settings.commit_log_count = 10_000;
        let dir = format!("../storage/testdata/{version}/datadir-participant/version-2");
        disk.create_dir_all(Path::new("/data/version-2"))
            .expect("memory takes it");
        for name in sample_names(&dir) {
            // From the first snapshot on all of the log is replayed.
            if !name.starts_with("snapshot") || name == "snapshot.0" {
                let bytes = sample(&format!("{dir}/{name}"));
                put(&disk, &format!("/data/version-2/{name}"), &bytes);
            }
        }
        let mut opened = open_with(&disk, settings.clone()).expect("a Java directory");
        assert_eq!(opened.digest_mismatch, None);
        let entries = std::mem::take(&mut opened.recovered.recent);
        let configs: Vec<Config> = entries
            .into_iter()
            .filter_map(|entry| entry.config)
            .collect();
        let versions: Vec<Zxid> = configs.iter().map(Config::version).collect();
        assert_eq!(
            versions,
            [Zxid(0x1_0000_01df), Zxid(0x1_0000_01e2)],
            "{version}"
        );
        let mut tickets = Tickets::default();
        for config in configs {
            let name = format!("zoo.cfg.dynamic.{}", config.version());
            let stores = vec![
                Store::LastSeenConfig(config.clone()),
                Store::CommittedConfig(config.clone()),
            ];
            carry(&mut opened.journal, &mut tickets, stores);
            let written = text(&disk, &format!("/conf/{name}")).expect("it is there");
            let theirs = sample(&format!("testdata/{version}/{name}"));
            assert_eq!(written.as_bytes(), theirs, "{name}");
            let pointer = format!("dynamicConfigFile=/conf/{name}\n");
            assert_eq!(text(&disk, CONFIG_FILE), Some(pointer));
            let recovered = open_with(&disk, settings.clone())
                .expect("it starts")
                .recovered;
            assert_eq!(recovered.committed_config.version(), config.version());
            assert_eq!(recovered.committed_config.members, config.members);
        }
        // What Java wrote is read, and written back as it was.
        let name = "zoo.cfg.dynamic.100000000";
        let theirs = sample(&format!("testdata/{version}/{name}"));
        let config = parse_config(&theirs)
            .expect("a configuration")
            .under(Zxid(0x1_0000_0000));
        assert_eq!(config.members.len(), 4);
        let disk = empty_disk();
        put(&disk, &format!("/conf/{name}"), &theirs);
        let pointer = format!("tickTime=1000\ndynamicConfigFile=/conf/{name}\n");
        put(&disk, CONFIG_FILE, pointer.as_bytes());
        assert_eq!(found(&disk).expect("it starts").0, config);
        assert!(!names(&disk, "/conf").contains(&"zoo.cfg.bak".to_owned()));
    }
}

#[test]
fn the_members_move_out_of_the_static_file() {
    let disk = empty_disk();
    let before = "# ours\nserver.1=h1:1:2\nserver.2=h2:1:2\nclientPort=2181\npeerType=participant\nfoo=\\u00e9";
    put(&disk, CONFIG_FILE, before.as_bytes());
    let mut journal = open(&disk).expect("it starts").journal;
    assert_eq!(text(&disk, "/conf/zoo.cfg.bak").as_deref(), Some(before));
    let mut tickets = Tickets::default();
    let established = config(zxid(1, 3).0);
    carry(
        &mut journal,
        &mut tickets,
        vec![Store::LastSeenConfig(established.clone())],
    );
    let lines = "server.1=h1:1:2:participant;0.0.0.0:3\nserver.2=h2:1:2:participant;0.0.0.0:3\n\
                 server.3=h3:1:2:participant;0.0.0.0:3";
    assert_eq!(
        text(&disk, NEXT),
        Some(format!("{lines}\nversion=100000003"))
    );
    assert_eq!(text(&disk, CONFIG_FILE).as_deref(), Some(before));
    let (committed, seen) = found(&disk).expect("it starts");
    assert_eq!(
        (committed.version(), seen),
        (Zxid::ZERO, Some(established.clone()))
    );

    carry(
        &mut journal,
        &mut tickets,
        vec![Store::CommittedConfig(established.clone())],
    );
    // This member's line says where it serves clients.
    let after = format!("# ours\nfoo=\\u00e9\ndynamicConfigFile={DYNAMIC}\n");
    assert_eq!(text(&disk, CONFIG_FILE), Some(after));
    assert_eq!(text(&disk, DYNAMIC).as_deref(), Some(lines));
    assert_eq!(text(&disk, NEXT), None);
    assert_eq!(
        names(&disk, "/conf"),
        ["zoo.cfg", "zoo.cfg.bak", "zoo.cfg.dynamic.100000003"]
    );
    assert_eq!(found(&disk).expect("it starts"), (established, None));
}

#[test]
fn one_without_a_client_address_leaves_the_static_one() {
    let disk = empty_disk();
    put(&disk, CONFIG_FILE, b"clientPort=2181\n");
    let mut journal = open(&disk).expect("it starts").journal;
    let config = parse_config(b"server.1=h1:1:2\nserver.2=h2:1:2\nversion=5").expect("one");
    carry(
        &mut journal,
        &mut Tickets::default(),
        vec![Store::CommittedConfig(config)],
    );
    let after = "clientPort=2181\ndynamicConfigFile=/conf/zoo.cfg.dynamic.5\n";
    assert_eq!(text(&disk, CONFIG_FILE).as_deref(), Some(after));
}

#[test]
fn without_reconfiguration_nothing_is_written() {
    let disk = empty_disk();
    put(&disk, CONFIG_FILE, b"server.1=h1:1:2\n");
    let mut settings = settings();
    settings.config.reconfig_enabled = false;
    let mut journal = open_with(&disk, settings).expect("it starts").journal;
    let stores = vec![
        Store::LastSeenConfig(config(zxid(1, 0).0)),
        Store::CommittedConfig(config(zxid(1, 0).0)),
    ];
    carry(&mut journal, &mut Tickets::default(), stores);
    assert_eq!(names(&disk, "/conf"), ["zoo.cfg"]);
    assert_eq!(
        text(&disk, CONFIG_FILE).as_deref(),
        Some("server.1=h1:1:2\n")
    );
}

#[test]
fn groups_and_weights() {
    let disk = empty_disk();
    let mut journal = open(&disk).expect("it starts").journal;
    let text_of = "server.1=h1:1:2\nserver.10=h10:1:2\nserver.2=h2:1:2:observer\ngroup.1=1:10\nweight.1=2\nweight.10=1\nversion=7";
    let config = parse_config(text_of.as_bytes()).expect("one");
    let mut tickets = Tickets::default();
    carry(
        &mut journal,
        &mut tickets,
        vec![Store::LastSeenConfig(config.clone())],
    );
    assert_eq!(
        text(&disk, NEXT).as_deref(),
        Some(
            "group.1=1:10\nserver.10=h10:1:2:participant\nserver.1=h1:1:2:participant\n\
             server.2=h2:1:2:observer\nversion=7\nweight.10=1\nweight.1=2"
        )
    );
    carry(
        &mut journal,
        &mut tickets,
        vec![Store::CommittedConfig(config.clone())],
    );
    let (committed, _) = found(&disk).expect("it starts");
    assert_eq!(committed.hierarchy, config.hierarchy);
    assert_eq!(committed.members, config.members);
}

#[test]
fn damaged_files_are_refused_by_name() {
    let member = "server.1=h1:1:2:participant";
    let pointing = format!("dynamicConfigFile={DYNAMIC}\n");
    // (static, dynamic, next) -> (the file that is named, what is said of it)
    for (fixed, dynamic, next, expected) in [
        (pointing.as_str(), None, None, Some((DYNAMIC, "not there"))),
        (
            pointing.as_str(),
            Some(""),
            None,
            Some((DYNAMIC, "no member votes")),
        ),
        (
            pointing.as_str(),
            Some("server.1=h1:1:2\nversion=3"),
            None,
            Some((DYNAMIC, "shouldn't have version inside")),
        ),
        (
            pointing.as_str(),
            Some("tickTime=3"),
            None,
            Some((DYNAMIC, "Unrecognised parameter: tickTime")),
        ),
        (
            pointing.as_str(),
            Some("server.1=h1"),
            None,
            Some((DYNAMIC, "does not have the form")),
        ),
        (pointing.as_str(), Some(member), None, None),
        (
            pointing.as_str(),
            Some(member),
            Some("server.1=h1"),
            Some((NEXT, "does not have the form")),
        ),
        (
            pointing.as_str(),
            Some(member),
            Some("server.1=h1:1:2\nversion=x"),
            Some((NEXT, "x")),
        ),
        // An older one is of no interest.
        (
            pointing.as_str(),
            Some(member),
            Some("server.1=h1:1:2\nversion=3"),
            None,
        ),
        ("a=\\u1", None, None, Some((CONFIG_FILE, "uxxxx"))),
    ] {
        let disk = empty_disk();
        put(&disk, CONFIG_FILE, fixed.as_bytes());
        for (path, content) in [(DYNAMIC, dynamic), (NEXT, next)] {
            if let Some(content) = content {
                put(&disk, path, content.as_bytes());
            }
        }
        let result = found(&disk);
        match (result, expected) {
            (Ok((committed, seen)), None) => {
                assert_eq!((committed.version(), seen), (zxid(1, 3), None));
            }
            (Err(StorageError::Config { path, found }), Some((file, what))) => {
                assert_eq!(path, Path::new(file), "{found}");
                assert!(found.contains(what), "{found}");
            }
            (result, expected) => panic!("{result:?}, not {expected:?}"),
        }
    }
    let disk = empty_disk();
    put(
        &disk,
        CONFIG_FILE,
        &vec![b'#'; (journal::config::FILE_BYTES_MAX + 1) as usize],
    );
    let Err(StorageError::Config { path, .. }) = found(&disk) else {
        panic!("it is too long");
    };
    assert_eq!(path, Path::new(CONFIG_FILE));
}
