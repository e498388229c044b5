//! Three servers of one kind are replaced, one by one and under load, by those of another kind on
//! the same directories; and back. `docs/migrating.md` tells operators to do what is done here.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::ensemble::cluster;
use crate::ensemble::config::Plan;
use crate::ensemble::load::Load;
use crate::server::{Launcher, Which};

use super::settled;

/// Load between two replacements.
const CALM: Duration = Duration::from_millis(1000);

/// There and back.
pub(super) fn replacement(launcher: &Launcher, a: Which, b: Which) -> Result<String> {
    let plan = Plan::voters(&[a; 3]).cfg("snapCount", 500);
    cluster::with(launcher, &plan, |ensemble| {
        let load = Load::start(&ensemble.addresses())?;
        for kind in [b, a] {
            let mut left = vec![1, 2, 3];
            while !left.is_empty() {
                std::thread::sleep(CALM);
                // The leader last: each change of the leader costs a gap.
                let leader = ensemble.await_leader()?;
                let follower = left.iter().position(|id| *id != leader);
                let next = left.remove(follower.unwrap_or(0));
                ensemble.replace(next, kind)?;
                ensemble.await_synced()?;
            }
        }
        std::thread::sleep(CALM);
        let outcomes = load.finish();
        let settled = settled(ensemble)?;
        ensemble.equal_digests()?;
        let tree = ensemble.equal_trees()?;
        outcomes.verify(&tree)?;
        ensure!(
            outcomes.sessions_lost() == 0,
            "{} sessions lost",
            outcomes.sessions_lost()
        );
        Ok(format!(
            "6 replacements, {} acknowledged writes, 0 of them lost, {} unknown, 0 sessions and {} connections lost, \
             longest write gap {} ms, {settled}",
            outcomes.acknowledged(),
            outcomes.unknown(),
            outcomes.connections_lost(),
            outcomes.longest_gap().as_millis()
        ))
    })
}
