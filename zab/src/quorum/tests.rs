use std::collections::BTreeMap;

use jute::Zxid;
use jute::quorum::QuorumConfig;
use jute::quorum::config::{Hierarchy, Member};

use super::*;
use crate::ServerId;

fn config(version: i64, voters: &[i64], observers: &[i64], hierarchy: Option<Hierarchy>) -> Config {
    let line = |role| move |id: &i64| (ServerId(*id), member(*id, role));
    let members = voters.iter().map(line("participant"));
    let members = members.chain(observers.iter().map(line("observer")));
    let config = QuorumConfig {
        version,
        members: members.collect(),
        hierarchy,
    };
    Config::try_from(config).expect("a configuration")
}

fn member(id: i64, role: &str) -> Member {
    Member::parse(&format!("s{id}:2888:3888:{role}")).expect("a member")
}

fn majority(version: i64, voters: &[i64]) -> Config {
    config(version, voters, &[], None)
}

/// Groups as lists of (id, weight).
fn hierarchical(groups: &[&[(i64, i64)]]) -> Config {
    let (mut of, mut weights, mut voters) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    for (gid, group) in (1..).zip(groups) {
        for (id, weight) in *group {
            of.insert(ServerId(*id), gid);
            weights.insert(ServerId(*id), *weight);
            voters.push(*id);
        }
    }
    let hierarchy = Hierarchy {
        groups: of,
        weights,
    };
    config(1, &voters, &[], Some(hierarchy))
}

fn holds(config: &Config, set: &[i64]) -> bool {
    config.is_quorum(|id| set.contains(&id.0))
}

#[test]
fn majorities() {
    let observed = config(1, &[1, 2, 3], &[4, 5], None);
    for (config, set, expected) in [
        (majority(1, &[1]), &[1][..], true),
        (majority(1, &[1]), &[], false),
        (majority(1, &[1, 2]), &[1], false),
        (majority(1, &[1, 2]), &[1, 2], true),
        (majority(1, &[1, 2, 3]), &[3], false),
        (majority(1, &[1, 2, 3]), &[1, 3], true),
        (majority(1, &[1, 2, 3, 4]), &[1, 3], false),
        (majority(1, &[1, 2, 3, 4]), &[1, 2, 3], true),
        (majority(1, &[1, 2, 3, 4, 5]), &[2, 4, 5], true),
        (majority(1, &[1, 2, 3]), &[1, 7, 8, 9], false),
        (observed.clone(), &[1, 4, 5], false),
        (observed, &[1, 2], true),
    ] {
        assert_eq!(holds(&config, set), expected, "{config:?} {set:?}");
    }
}

#[test]
fn hierarchies() {
    let three = hierarchical(&[
        &[(1, 1), (2, 1), (3, 1)],
        &[(4, 1), (5, 1), (6, 1)],
        &[(7, 1), (8, 1), (9, 1)],
    ]);
    let weighted = hierarchical(&[&[(1, 3), (2, 1), (3, 1)], &[(4, 0), (5, 0)]]);
    let even = hierarchical(&[&[(1, 1), (2, 1)], &[(3, 1), (4, 1)]]);
    for (config, set, expected) in [
        // Two groups of three, each by two of three: four of nine are enough.
        (&three, &[1, 2, 4, 5][..], true),
        (&three, &[1, 2, 4, 7], false),
        (&three, &[1, 2, 3, 4, 7], false),
        (&three, &[1, 2, 3, 8, 9], true),
        // A group of weight 0 is no group; 3 of 5 is more than half.
        (&weighted, &[1], true),
        (&weighted, &[2, 3, 4, 5], false),
        // Both groups, and in each both.
        (&even, &[1, 2], false),
        (&even, &[1, 2, 3], false),
        (&even, &[1, 2, 3, 4], true),
    ] {
        assert_eq!(holds(config, set), expected, "{config:?} {set:?}");
    }
    assert_eq!(weighted.weight(ServerId(4)), 0);
    assert_eq!(weighted.weight(ServerId(1)), 3);
    assert_eq!(weighted.weight(ServerId(99)), 1);
}

#[test]
fn joint_decisions() {
    let (old, new) = (majority(1, &[1, 2, 3]), majority(9, &[3, 4, 5]));
    let mut configs = Configs::new(old.clone(), None, true);
    let agree = |configs: &Configs, set: &[i64]| configs.is_quorum(|id| set.contains(&id.0));
    let agree_for = |configs: &Configs, zxid, set: &[i64]| {
        configs.is_quorum_for(Zxid(zxid), |id| set.contains(&id.0))
    };
    assert!(agree(&configs, &[1, 2]));
    configs.see(new.clone());
    for (set, expected) in [
        (&[1, 2][..], false),
        (&[4, 5], false),
        (&[1, 3, 4], true),
        (&[1, 2, 4, 5], true),
    ] {
        assert_eq!(agree(&configs, set), expected, "{set:?}");
        assert_eq!(agree_for(&configs, 9, set), expected, "{set:?}");
    }
    // What was proposed before the reconfiguration is not held up by it.
    assert!(agree_for(&configs, 8, &[1, 2]));
    assert_eq!(configs.voters(), [1, 2, 3, 4, 5].map(ServerId));
    assert!(configs.is_voter(ServerId(5)));

    let mut truncated = configs.clone();
    truncated.truncated(Zxid(9));
    assert_eq!(truncated.proposed(), Some(&new));
    truncated.truncated(Zxid(8));
    assert_eq!(truncated, Configs::new(old.clone(), None, true));

    configs.commit(new);
    assert!(agree(&configs, &[4, 5]));
    assert!(!configs.is_voter(ServerId(1)));
    // A configuration that is not newer is not seen.
    configs.see(old);
    assert_eq!(configs.proposed(), None);
}

#[test]
fn a_configuration_of_the_files_alone_is_never_replaced() {
    let (old, new) = (majority(1, &[1, 2, 3]), majority(9, &[3, 4, 5]));
    let mut configs = Configs::new(old.clone(), None, false);
    assert!(!configs.see(new.clone()));
    assert!(!configs.commit(new.clone()));
    assert_eq!(configs, Configs::new(old.clone(), None, false));
    // What was proposed before it was switched off counts: others may have committed it.
    let configs = Configs::new(old, Some(new.clone()), false);
    assert_eq!(configs.proposed(), Some(&new));
}

#[test]
fn equality() {
    let table = [
        (majority(1, &[1, 2]), majority(1, &[1, 2]), true),
        // One version names one configuration, whatever the content says.
        (majority(1, &[1, 2]), majority(1, &[1, 3]), true),
        (majority(1, &[1, 2]), majority(2, &[1, 2]), true),
        (majority(1, &[1, 2]), majority(2, &[1, 3]), false),
        (majority(1, &[1, 2]), config(2, &[1], &[2], None), false),
    ];
    for (a, b, expected) in table {
        assert_eq!(a == b, expected, "{a:?} {b:?}");
    }
}

#[test]
fn configurations_that_are_none() {
    let voter = || (ServerId(1), member(1, "participant"));
    let grouped = |groups: &[(i64, i64)], weight| Hierarchy {
        groups: groups
            .iter()
            .map(|(id, gid)| (ServerId(*id), *gid))
            .collect(),
        weights: [(ServerId(1), weight)].into(),
    };
    for (members, hierarchy, expected) in [
        (vec![], None, ConfigError::NoVoter),
        (
            vec![(ServerId(1), member(1, "observer"))],
            None,
            ConfigError::NoVoter,
        ),
        (
            vec![voter()],
            Some(grouped(&[], 1)),
            ConfigError::NoGroup(ServerId(1)),
        ),
        (
            vec![voter()],
            Some(grouped(&[(1, 1)], 0)),
            ConfigError::NoWeight,
        ),
    ] {
        let config = QuorumConfig {
            version: 1,
            members: members.into_iter().collect(),
            hierarchy,
        };
        assert_eq!(Config::try_from(config).err(), Some(expected));
    }
}

#[test]
fn acknowledgements_only_grow() {
    let mut acks = Acks::default();
    let (one, two) = (ServerId(1), ServerId(2));
    acks.record(one, Zxid(5));
    acks.record(one, Zxid(3));
    assert!(acks.has(one, Zxid(5)) && acks.has(one, Zxid(1)));
    assert!(!acks.has(one, Zxid(6)) && !acks.has(two, Zxid(1)));
    assert_eq!(acks.of(one), Some(Zxid(5)));
    acks.forget(one);
    assert_eq!(acks.of(one), None);
}

#[test]
fn an_oracle_decides_for_two_and_for_who_is_alone() {
    let two = || Configs::new(majority(1, &[1, 2]), None, true);
    let three = || Configs::new(majority(1, &[1, 2, 3]), None, true);
    for (why, mut configs, says, followed, agree, expected) in [
        ("no oracle", two(), None, false, &[1][..], false),
        ("it says no", two(), Some(false), false, &[1], false),
        ("it says yes", two(), Some(true), false, &[1], true),
        ("to no one", two(), Some(true), false, &[], false),
        ("to a stranger", two(), Some(true), false, &[3], false),
        ("the other follows", two(), Some(true), true, &[1], false),
        ("both agree", two(), Some(false), true, &[1, 2], true),
        ("three", three(), Some(true), false, &[1], false),
    ] {
        if let Some(says) = says {
            configs.hear_oracle(says);
        }
        configs.set_followed(followed);
        let agrees = |server: ServerId| agree.contains(&server.0);
        assert_eq!(configs.is_quorum(agrees), expected, "{why}");
        assert_eq!(configs.is_quorum_for(Zxid(9), agrees), expected, "{why}");
    }
}
