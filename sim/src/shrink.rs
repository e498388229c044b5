//! From a run that fails to a smaller one that fails, too.

use crate::scenario::{Scenario, Servers};
use crate::{Outcome, run};

/// Runs spent on making a failure smaller.
const ATTEMPTS_MAX: u32 = 300;

/// Looks for fewer kinds of faults, fewer faults, requests and clients with which some
/// invariant is still violated; returns the smallest found and what it came to.
pub fn shrink(scenario: &Scenario) -> (Scenario, Outcome) {
    let mut smallest = scenario.clone();
    let mut outcome = run(scenario, false);
    let mut attempts = 0;
    loop {
        let mut smaller = None;
        for candidate in candidates(&smallest) {
            attempts += 1;
            if attempts > ATTEMPTS_MAX {
                break;
            }
            let found = run(&candidate, false);
            if found.violation.is_some() {
                smaller = Some((candidate, found));
                break;
            }
        }
        let Some((candidate, found)) = smaller else {
            return (smallest, outcome);
        };
        (smallest, outcome) = (candidate, found);
    }
}

/// Smaller scenarios, the boldest first.
fn candidates(from: &Scenario) -> Vec<Scenario> {
    let mut candidates = Vec::new();
    let mut with = |change: &dyn Fn(&mut Scenario)| {
        let mut candidate = from.clone();
        change(&mut candidate);
        if candidate != *from {
            candidates.push(candidate);
        }
    };
    for members in [3, 4, 5] {
        with(&|scenario| match scenario.servers {
            Servers::Members(more) if more > members => {
                scenario.servers = Servers::Members(members);
            }
            _ => {}
        });
    }
    with(&|scenario| scenario.requests /= 2);
    with(&|scenario| scenario.faults /= 2);
    with(&|scenario| scenario.clients = (scenario.clients / 2).max(1));
    for kind in &from.possible() {
        with(&|scenario| scenario.kinds.retain(|kept| kept != kind));
    }
    with(&|scenario| scenario.requests -= scenario.requests / 8);
    with(&|scenario| scenario.faults = scenario.faults.saturating_sub(1));
    with(&|scenario| scenario.clients = (scenario.clients - 1).max(1));
    candidates
}
