//! Four-letter words as they are on a leader, a follower, an observer, and with no quorum.

use std::collections::{BTreeMap, BTreeSet};

use rustix::process::Signal;

use crate::common::Ensemble;

const OBSERVER: i64 = 4;

/// Three that vote and one that does not, serving, with the leader's view of them complete.
fn four() -> Ensemble {
    let mut ensemble = Ensemble::new(OBSERVER, "");
    let lines = (1..=OBSERVER).map(|id| {
        let role = if id == OBSERVER { ":observer" } else { "" };
        format!("{}{role}\n", ensemble.line(id))
    });
    let lines: String = lines.collect();
    ensemble.set_servers(&lines);
    for id in 1..=OBSERVER {
        ensemble.start(id);
    }
    for id in 1..=OBSERVER {
        ensemble.wait_until_serving(id);
    }
    let leader = ensemble.leader();
    ensemble.wait_for("view of all learners", |ensemble| {
        let gauges = mntr(ensemble, leader);
        let synced = ["zk_synced_followers", "zk_synced_observers"].map(|name| &gauges[name]);
        (synced == ["2", "1"]).then_some(())
    });
    ensemble
}

fn word(ensemble: &Ensemble, id: i64, word: &str) -> String {
    ensemble.word(id, word).expect("it answers")
}

/// All of `mntr`, by name.
fn mntr(ensemble: &Ensemble, id: i64) -> BTreeMap<String, String> {
    let text = word(ensemble, id, "mntr");
    let pairs = text.lines().map(|line| {
        let (name, value) = line.split_once('\t').expect("a name and a value");
        (name.to_owned(), value.to_owned())
    });
    pairs.collect()
}

/// What stands before the colon of each line.
fn keys(text: &str) -> Vec<&str> {
    let keys = text.lines().map(|line| line.split(':').next());
    keys.flatten().collect()
}

const STATISTICS: [&str; 8] = [
    "Latency min/avg/max",
    "Received",
    "Sent",
    "Connections",
    "Outstanding",
    "Zxid",
    "Mode",
    "Node count",
];
const SIZES: &str = "Proposal sizes last/min/max";

#[test]
fn srvr_and_stat_differ_by_mode_and_the_sizes_of_a_leaders_proposals() {
    let ensemble = four();
    let leader = ensemble.leader();
    for id in 1..=OBSERVER {
        let mode = match id {
            OBSERVER => "observer",
            _ if id == leader => "leader",
            _ => "follower",
        };
        let mut expected = STATISTICS.to_vec();
        expected.extend((id == leader).then_some(SIZES));
        let srvr = word(&ensemble, id, "srvr");
        assert_eq!(keys(&srvr)[0], "Zookeeper version");
        assert_eq!(keys(&srvr)[1..], expected, "{srvr}");
        assert!(srvr.contains(&format!("\nMode: {mode}\n")), "{srvr}");
        let stat = word(&ensemble, id, "stat");
        assert_eq!(keys(&stat)[..2], ["Zookeeper version", "Clients"]);
        let (clients, rest) = stat.split_once("\n\n").expect("an empty line");
        assert!(clients.contains("\n /127.0.0.1"), "{stat}");
        assert_eq!(keys(rest), expected, "{stat}");
    }
    // Nothing was proposed so far.
    let sizes = || {
        let srvr = word(&ensemble, leader, "srvr");
        let line = srvr.lines().last().and_then(|line| line.rsplit(' ').next());
        let sizes = line.expect("sizes").split('/');
        sizes
            .map(|size| size.parse().expect("a number"))
            .collect::<Vec<i64>>()
    };
    assert_eq!(sizes(), [-1, -1, -1]);
    let mut client = ensemble.client(ensemble.follower());
    client.created("/n", 0);
    assert_eq!(client.set("/n", &[7; 1000]).err, 0);
    let seen = sizes();
    assert!(
        seen[0] > 1000 && seen[2] == seen[0] && (1..1000).contains(&seen[1]),
        "{seen:?}"
    );
    assert_eq!(word(&ensemble, leader, "srst"), "Server stats reset.\n");
    assert_eq!(sizes(), [-1, -1, -1]);
    client.close();
}

#[test]
fn mntr_has_the_gauges_of_each_role() {
    let ensemble = four();
    let (leader, follower) = (ensemble.leader(), ensemble.follower());
    let [of_leader, of_follower, of_observer] =
        [leader, follower, OBSERVER].map(|id| mntr(&ensemble, id));
    let names = |gauges: &BTreeMap<String, String>| -> BTreeSet<String> {
        gauges.keys().cloned().collect()
    };
    let more = |gauges, than| -> Vec<String> {
        let (gauges, than) = (names(gauges), names(than));
        gauges.difference(&than).cloned().collect()
    };
    assert_eq!(
        more(&of_leader, &of_follower),
        [
            "zk_last_proposal_size",
            "zk_leader_uptime",
            "zk_learners",
            "zk_max_proposal_size",
            "zk_min_proposal_size",
            "zk_pending_syncs",
            "zk_synced_followers",
            "zk_synced_non_voting_followers",
            "zk_synced_observers",
        ]
    );
    assert_eq!(more(&of_observer, &of_follower), ["zk_observer_master_id"]);
    assert_eq!(more(&of_follower, &of_observer), [""; 0]);
    assert_eq!(more(&of_follower, &of_leader), [""; 0]);
    for (gauges, server, peer) in [
        (&of_leader, "leader", "leading - broadcast"),
        (&of_follower, "follower", "following - broadcast"),
        (&of_observer, "observer", "observing - broadcast"),
    ] {
        assert_eq!(gauges["zk_server_state"], server);
        assert_eq!(gauges["zk_peer_state"], peer);
        assert_eq!(gauges["zk_quorum_size"], "3", "{server}");
    }
    assert_eq!(of_observer["zk_observer_master_id"], leader.to_string());
    for (name, value) in [
        ("zk_learners", "3"),
        ("zk_synced_followers", "2"),
        ("zk_synced_non_voting_followers", "0"),
        ("zk_synced_observers", "1"),
        ("zk_pending_syncs", "0"),
        ("zk_last_proposal_size", "-1"),
        ("zk_min_proposal_size", "-1"),
        ("zk_max_proposal_size", "-1"),
    ] {
        assert_eq!(of_leader[name], value, "{name}");
    }
    let uptime = |gauges: &BTreeMap<String, String>, name: &str| -> u64 {
        gauges[name].parse().expect("milliseconds")
    };
    let leads = uptime(&of_leader, "zk_leader_uptime");
    assert!(leads <= uptime(&of_leader, "zk_uptime"), "{leads}");
}

#[test]
fn a_leader_notices_who_is_gone() {
    let mut ensemble = four();
    let (leader, follower) = (ensemble.leader(), ensemble.follower());
    ensemble.stop(follower, Signal::KILL);
    ensemble.stop(OBSERVER, Signal::KILL);
    ensemble.wait_for("view of one learner", |ensemble| {
        let gauges = mntr(ensemble, leader);
        let counts = ["zk_learners", "zk_synced_followers", "zk_synced_observers"];
        (counts.map(|name| &gauges[name]) == ["1", "1", "0"]).then_some(())
    });
    ensemble.start(follower);
    ensemble.wait_for("view of both followers", |ensemble| {
        (mntr(ensemble, leader)["zk_synced_followers"] == "2").then_some(())
    });
}

#[test]
fn conf_and_dump_of_members() {
    let ensemble = four();
    let leader = ensemble.leader();
    let mut client = ensemble.client(ensemble.follower());
    client.created("/mine", 1);
    let session = format!("0x{:x}", client.session);
    for id in 1..=OBSERVER {
        let conf = word(&ensemble, id, "conf");
        let (_, rest) = conf
            .split_once(&format!("serverId={id}\n"))
            .unwrap_or_else(|| panic!("{conf}"));
        let (rest, membership) = rest.split_once("membership: \n").expect("members");
        assert_eq!(
            rest,
            format!(
                "initLimit=20\nsyncLimit=5\nelectionAlg=3\nelectionPort={}\nquorumPort={}\npeerType={}\n",
                ensemble.election_address(id).port(),
                ensemble.quorum_address(id).port(),
                u8::from(id == OBSERVER),
            )
        );
        let mut expected: String = (1..OBSERVER)
            .map(|id| format!("{}:participant\n", ensemble.line(id)))
            .collect();
        expected += &format!("{}:observer\nversion=", ensemble.line(OBSERVER));
        let version = membership.strip_prefix(&expected).expect(membership);
        assert!(!version.is_empty() && !version.contains('\n'), "{version}");
        // A learner that is behind has it soon.
        let owned = format!("Sessions with Ephemerals (1):\n{session}:\n\t/mine\n");
        let dump = ensemble.wait_for("session", |ensemble| {
            Some(word(ensemble, id, "dump")).filter(|dump| dump.contains(&owned))
        });
        let lines: Vec<&str> = dump.lines().collect();
        assert_eq!(lines[0], "SessionTracker dump:");
        if id == leader {
            assert!(lines[1].starts_with("Session Sets ("), "{dump}");
            assert!(lines.contains(&format!("\t{session}").as_str()), "{dump}");
        } else {
            assert_eq!(lines[1], "Global Sessions(1):", "{dump}");
            let timeout = lines[2].strip_prefix(&format!("{session}\t"));
            let timeout = timeout.and_then(|timeout| timeout.strip_suffix("ms"));
            let timeout: Option<i32> = timeout.and_then(|timeout| timeout.parse().ok());
            assert!(timeout.is_some_and(|ms| ms >= 1000), "{dump}");
        }
    }
    client.close();
}

#[test]
fn without_a_quorum_most_words_say_so() {
    let mut ensemble = four();
    let left = ensemble.follower();
    for id in (1..OBSERVER).filter(|id| *id != left) {
        ensemble.stop(id, Signal::KILL);
    }
    for id in [left, OBSERVER] {
        ensemble.wait_for("end of service", |ensemble| {
            ensemble.mode(id).is_none().then_some(())
        });
        let not_serving = "This ZooKeeper instance is not currently serving requests\n";
        for name in [
            "srvr", "stat", "mntr", "conf", "cons", "dump", "wchs", "wchc", "wchp", "dirs", "hash",
            "crst", "srst",
        ] {
            let answer = word(&ensemble, id, name);
            // Apache's answer to this one does not end its line.
            let expected = match name {
                "hash" => not_serving.trim_end(),
                _ => not_serving,
            };
            assert_eq!(answer, expected, "{name} of {id}");
        }
        for (name, expected) in [("isro", "null"), ("ruok", "imok"), ("gtmk", "306")] {
            assert_eq!(word(&ensemble, id, name), expected);
        }
        assert!(word(&ensemble, id, "envi").starts_with("Environment:\nzookeeper.version="));
    }
}
