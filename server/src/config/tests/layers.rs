//! What the configuration makes of the layers below.

use std::sync::Arc;

use journal::{Journal, NoFilePreparer};
use jute::Zxid;
use storage::log::SizeFactor;
use tempfile::TempDir;
use zab::ServerId;

use super::ensemble::{THREE, load, load_in, settings, with_three};
use super::*;
use crate::{RealDisk, options};

#[test]
fn a_member_is_configured_like_its_file() {
    let config = with_three(
        "tickTime=1500\nconnectToLearnerMasterLimit=4\nleaderConnectDelayDuringRetryMs=11\n\
         fastleader.minNotificationInterval=12\nfastleader.maxNotificationInterval=13\n\
         commitLogCount=700\nlocalSessionsEnabled=true\nlocalSessionsUpgradingEnabled=true\n\
         readonlymode.enabled=true\nstandaloneEnabled=false\nreconfigEnabled=true\nskipACL=yes\n\
         snapshotSizeFactor=0.5\nsnapCount=9\ndataLogDir=/log",
    )
    .expect("starts");
    let member = options::member(&config, settings(&config));
    let expected = zab::Options {
        tick_time_ms: 1500,
        init_limit: 10,
        sync_limit: 5,
        connect_to_learner_master_limit: 4,
        leader_connect_delay_ms: 11,
        min_notification_interval_ms: 12,
        max_notification_interval_ms: 13,
        commit_log_count: 700,
        ..zab::Options::default()
    };
    assert_eq!(member.peer, expected);
    assert!(member.local_sessions && member.local_sessions_upgrading);
    assert!(member.read_only_mode && !member.standalone_enabled);
    assert!(member.prep.reconfig_enabled && member.prep.auth.skip_acl);

    let journal = options::journal(&config, settings(&config));
    assert_eq!((journal.me, journal.commit_log_count), (ServerId(1), 700));
    assert_eq!(journal.size_factor, SizeFactor::from_setting(0.5));
    assert_eq!(journal.roll.snap_count, 9);
    assert_eq!(journal.layout.log_dir(), Path::new("/log/version-2"));
    assert_eq!(journal.config.file, settings(&config).files.file);
    assert_eq!(journal.config.initial.version(), Zxid::ZERO);
    assert!(journal.config.reconfig_enabled);
}

#[test]
fn defaults_of_the_layers_are_those_of_the_file() {
    let config = with_three("").expect("starts");
    let member = options::member(&config, settings(&config));
    let expected = zab::Options {
        // Off unless it is asked for, as in Apache.
        reconfig_enabled: false,
        ..zab::Options::default()
    };
    assert_eq!(member.peer, expected);
    assert!(member.standalone_enabled && !member.local_sessions && !member.read_only_mode);
    let journal = options::journal(&config, settings(&config));
    assert_eq!(journal.size_factor, SizeFactor::DEFAULT);
}

/// The top byte of session ids.
#[test]
fn session_ids_carry_the_lowest_byte_of_the_own_id() {
    assert_eq!(options::replica(&with(""), 0).server_id, 1);
    for (id, byte) in [("2", 2), ("255", 255), ("256", 0), ("-2", 254)] {
        let text = format!("{THREE}server.{id}=h:1:2\n");
        let config = load(&[("zoo.cfg", &text), ("myid", id)]).expect(id);
        assert_eq!(options::replica(&config, 0).server_id, byte, "{id}");
    }
}

/// The journal reads the same files again, after a crash as at a start.
#[test]
fn the_journal_finds_the_same_configurations() {
    let pointer = "initLimit=1\nsyncLimit=1\ndynamicConfigFile={dir}/zoo.cfg.dynamic.1f\n";
    let members = "server.1=h1:1:2:observer;3\nserver.2=h2:1:2\nserver.3=h3:1:2";
    let next = "server.1=h1:1:2\nserver.2=h2:1:2\nversion=20";
    let old = next.replace("20", "1f");
    for (zoo, next) in [
        (pointer, Some(next)),
        (pointer, Some(old.as_str())),
        (pointer, None),
        (THREE, Some(next)),
        (THREE, None),
    ] {
        let home = TempDir::new().expect("a directory");
        let mut files = vec![
            ("zoo.cfg", zoo),
            ("zoo.cfg.dynamic.1f", members),
            ("myid", "1"),
        ];
        files.extend(next.map(|text| ("zoo.cfg.dynamic.next", text)));
        let config = load_in(&home, &files, "-Dzookeeper.preAllocSize=1").expect("starts");
        let ensemble = settings(&config);
        let settings = options::journal(&config, ensemble);
        let opened = Journal::open(Arc::new(RealDisk), settings, Box::new(NoFilePreparer), 1);
        let found = opened.expect("an empty directory").recovered;
        let text = |config: &zab::quorum::Config| config.to_string();
        assert_eq!(text(&found.committed_config), text(&ensemble.committed));
        assert_eq!(
            found.last_seen_config.as_ref().map(text),
            ensemble.last_seen.as_ref().map(text)
        );
    }
}
