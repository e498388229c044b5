//! Some seeds of every run of the tests; `cargo xtask sim --minutes M` looks further.

use sim::{Coverage, Fault, Scenario, run};

/// Seeds that every test run goes through.
const SEEDS: std::ops::Range<u64> = 0..100;

#[test]
fn no_seed_violates_an_invariant() {
    let mut coverage = Coverage::default();
    for seed in SEEDS {
        let outcome = run(&Scenario::new(seed), false);
        assert_eq!(outcome.violation, None, "cargo xtask sim --seed {seed}");
        coverage.merge(&outcome.coverage);
    }
    // A run that meets no trouble proves nothing.
    for event in [
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
    ] {
        assert!(coverage.of(event) > 0, "no {event:?} in\n{coverage}");
    }
}

#[test]
fn a_seed_replays_bit_for_bit() {
    for seed in [3, 14, 77] {
        let (first, second) = (
            run(&Scenario::new(seed), true),
            run(&Scenario::new(seed), true),
        );
        assert!(first.transcript.ends_with("clean\n"), "{seed}");
        assert_eq!(first.transcript, second.transcript, "{seed}");
        assert_eq!(first.coverage, second.coverage, "{seed}");
        let other = run(&Scenario::new(seed + 1), true);
        assert_ne!(first.transcript, other.transcript, "{seed}");
    }
}

#[test]
fn without_faults_nothing_is_refused_or_restarted() {
    let quiet = Scenario {
        faults: 0,
        ..Scenario::new(5)
    };
    let outcome = run(&quiet, false);
    assert_eq!(outcome.violation, None);
    // The first start, and the one after the last power loss.
    assert_eq!(outcome.coverage.of("start"), 2);
    assert_eq!(outcome.coverage.of("write refused for lack of space"), 0);
}

#[test]
fn arguments_name_what_is_unusual() {
    let mut scenario = Scenario::new(9);
    assert_eq!(scenario.arguments(), "--seed 9");
    scenario.requests = 10;
    scenario.kinds.retain(|kind| *kind != Fault::Rot);
    assert_eq!(scenario.arguments(), "--seed 9 --requests 10 --without rot");
    assert_eq!(Fault::of_name("rot"), Some(Fault::Rot));
    assert_eq!(Fault::of_name("no such"), None);
}
