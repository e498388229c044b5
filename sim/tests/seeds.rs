//! Some seeds of every run of the tests; `cargo xtask sim --minutes M` looks further.

use sim::{Coverage, Fault, Scenario, Servers, run};

/// Seeds that every test run goes through.
const SEEDS: std::ops::Range<u64> = 0..60;

fn explore(servers: Servers, seeds: std::ops::Range<u64>) -> Coverage {
    let mut coverage = Coverage::default();
    for seed in seeds {
        let scenario = Scenario {
            servers,
            ..Scenario::new(seed)
        };
        let outcome = run(&scenario, false);
        let again = scenario.arguments();
        assert_eq!(outcome.violation, None, "cargo xtask sim {again}");
        coverage.merge(&outcome.coverage);
    }
    coverage
}

/// A run that meets no trouble proves nothing.
fn assert_seen(coverage: &Coverage, events: &[&str]) {
    for event in events {
        assert!(coverage.of(event) > 0, "no {event:?} in\n{coverage}");
    }
}

#[test]
fn no_seed_of_a_server_alone_violates_an_invariant() {
    let coverage = explore(Servers::Standalone, 0..100);
    assert_seen(
        &coverage,
        &[
            "power lost",
            "process killed",
            "crash inside a disk operation",
            "crash in start",
            "torn tail cut off",
            "snapshot written",
            "snapshot fallback",
            "start refused: damage",
            "round refused for lack of space",
            "reconnect with watches",
            "watch event delivered",
            "session expired with a connection",
            "file purged",
        ],
    );
}

#[test]
fn no_seed_of_a_lone_member_violates_an_invariant() {
    let coverage = explore(Servers::Members(1), SEEDS);
    assert_seen(&coverage, &["leader established", "rollover", "power lost"]);
}

#[test]
fn no_seed_of_three_members_violates_an_invariant() {
    let coverage = explore(Servers::Members(3), SEEDS);
    assert_seen(
        &coverage,
        &[
            "DIFF",
            "DIFF from the log",
            "TRUNC",
            "SNAP",
            "crash at Append",
            "crash at AcceptedEpoch",
            "disk wiped",
            "held request answered from history",
            "held request asked again",
            "leader change with held clients",
            "leader stopped in order",
            "rollover",
            "rolling restart",
            "REVALIDATE",
        ],
    );
}

#[test]
fn no_seed_of_a_larger_ensemble_violates_an_invariant() {
    let mut coverage = explore(Servers::Members(5), SEEDS);
    coverage.merge(&explore(Servers::Members(7), 0..20));
    assert_seen(
        &coverage,
        &[
            "INFORM",
            "reconfiguration committed",
            "observer synchronised",
        ],
    );
}

#[test]
fn a_seed_replays_bit_for_bit() {
    // One server alone, and ensembles of three, four and seven.
    for seed in [8, 3, 13, 79] {
        let (first, second) = (
            run(&Scenario::new(seed), true),
            run(&Scenario::new(seed), true),
        );
        assert!(first.transcript.ends_with("clean\n"), "{seed}");
        assert_eq!(first.transcript, second.transcript, "{seed}");
        assert_eq!(first.coverage, second.coverage, "{seed}");
        let other = run(&Scenario::new(seed + 8), true);
        assert_ne!(first.transcript, other.transcript, "{seed}");
    }
}

#[test]
fn without_faults_nothing_is_refused_or_restarted() {
    // The first start of each server, and the one after the last power loss.
    for (servers, starts) in [(Servers::Standalone, 2), (Servers::Members(3), 6)] {
        let quiet = Scenario {
            servers,
            faults: 0,
            ..Scenario::new(5)
        };
        let outcome = run(&quiet, false);
        assert_eq!(outcome.violation, None);
        assert_eq!(outcome.coverage.of("start"), starts, "{servers}");
        assert_eq!(outcome.coverage.of("write refused for lack of space"), 0);
        assert_eq!(outcome.coverage.of("notification lost"), 0);
    }
}

#[test]
fn arguments_name_what_is_unusual() {
    let mut scenario = Scenario::new(9);
    assert_eq!(scenario.arguments(), "--seed 9");
    scenario.requests = 10;
    scenario.kinds.retain(|kind| *kind != Fault::Rot);
    assert_eq!(scenario.arguments(), "--seed 9 --requests 10 --without rot");
    scenario.servers = Servers::Standalone;
    let arguments = "--seed 9 --requests 10 --servers standalone --without rot";
    assert_eq!(scenario.arguments(), arguments);
    assert_eq!(Fault::of_name("rot"), Some(Fault::Rot));
    assert_eq!(Fault::of_name("no such"), None);
    for (text, servers) in [
        ("standalone", Some(Servers::Standalone)),
        ("1", Some(Servers::Members(1))),
        ("7", Some(Servers::Members(7))),
        ("8", None),
        ("0", None),
    ] {
        assert_eq!(Servers::parse(text).ok(), servers, "{text}");
    }
}
