//! When the faults stop, every client gets its answers, and sessions without a client go.
//!
//! Source: DESIGN.md, tests, ring 3 (a liveness phase with faults off).

use std::collections::BTreeSet;

use state::State;

use crate::violation::{Checked, ensure};

const NAME: &str = "liveness";

/// Longest time until everything is answered and every abandoned session has expired,
/// microseconds: the longest session timeout, a tick, and time to reconnect.
pub(crate) const PATIENCE_US: u64 = 60_000_000;

/// Judges the end of a run. `unanswered` are the clients that wait.
pub(crate) fn settled(unanswered: &[String], living: &BTreeSet<i64>, state: &State) -> Checked {
    ensure!(
        unanswered.is_empty(),
        NAME,
        "still waiting: {}",
        unanswered.join(", ")
    );
    for (session, _) in state.sessions().iter() {
        ensure!(
            living.contains(&session),
            NAME,
            "session {session:#x} has no client and does not expire"
        );
    }
    Ok(())
}
