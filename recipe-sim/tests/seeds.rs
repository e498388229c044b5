//! Some seeds of every recipe in every run of the tests; `cargo xtask sim --recipes all` looks
//! further.

use recipe_sim::{Plan, RECIPES, Recipe, run};
use sim::Coverage;

/// Seeds of each recipe: of a server alone, and of ensembles.
const SEEDS: std::ops::Range<u64> = 0..3;

#[test]
fn no_seed_of_any_recipe_violates_an_invariant() {
    let mut coverage = Coverage::default();
    for recipe in RECIPES {
        for seed in SEEDS {
            let outcome = run(&Plan::new(recipe, seed), false);
            let again = format!("cargo xtask sim --recipes {} --seed {seed}", recipe.name());
            assert_eq!(outcome.violation, None, "{again}");
            coverage.merge(&outcome.coverage);
        }
    }
    // A run that meets no trouble proves nothing.
    for event in [
        "acquired",
        "guarded write",
        "guarded write refused",
        "future dropped",
        "session expired",
        "lost: Disconnected",
        "fault: client-pause",
        "fault: client-cut",
        "fault: client-dies",
        "leader established",
        "power lost",
    ] {
        assert!(coverage.of(event) > 0, "no {event:?} in\n{coverage}");
    }
}

#[test]
fn a_seed_replays_bit_for_bit() {
    for (name, seed) in [
        ("mutex", 4),
        ("semaphore", 3),
        ("cache", 5),
        ("persistent-node", 6),
    ] {
        let recipe = Recipe::of_name(name).expect("a recipe");
        let plan = Plan::new(recipe, seed);
        let (first, second) = (run(&plan, true), run(&plan, true));
        assert!(first.transcript.ends_with("clean\n"), "{name} {seed}");
        assert_eq!(first.transcript, second.transcript, "{name} {seed}");
        assert_eq!(first.coverage, second.coverage, "{name} {seed}");
        let other = run(&Plan::new(recipe, seed + 4), true);
        assert_ne!(first.transcript, other.transcript, "{name} {seed}");
    }
}

/// Seeds that have found something, each with what it was.
#[test]
fn what_was_found_stays_mended() {
    for (name, seed) in [
        // A write that may have happened was told as one that had not, when the session ended
        // before it could be looked for.
        ("value", 38),
        ("counter", 38),
        // A leader that was cut off told of a session's end which was never committed: the node of
        // who has closed it stayed for a while, and was not its to delete in the next session.
        ("persistent-node", 1678),
        ("discovery", 126),
        // A process died between making a directory and its node in it: nobody removes that.
        ("partitioner", 221),
        // Who had names no one to lead, in a later round than who could, waited for it for ever.
        ("held-delay-queue", 107),
        // A sync that was answered before the write in front of it was committed was lost.
        ("double-barrier", 538),
        // What a learner said as the election of its leader ended was lost.
        ("membership", 391),
        // A process that stood still for longer than its session held on beside the next holder.
        ("reentrant", 192),
        ("revocation", 95),
        ("semaphore", 172),
        ("selector", 285),
    ] {
        let recipe = Recipe::of_name(name).expect("a recipe");
        let outcome = run(&Plan::new(recipe, seed), false);
        assert_eq!(outcome.violation, None, "{name} {seed}");
    }
}
