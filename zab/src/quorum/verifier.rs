//! The two rules by which a set of voters is a quorum.

use std::collections::BTreeMap;

use jute::quorum::config::Hierarchy;

use crate::ServerId;

/// More than half of the voters.
pub(super) fn is_majority(
    voters: impl Iterator<Item = ServerId>,
    agrees: impl Fn(ServerId) -> bool,
) -> bool {
    let (mut all, mut agreeing) = (0, 0);
    for voter in voters {
        all += 1;
        agreeing += usize::from(agrees(voter));
    }
    agreeing > all / 2
}

/// More than half of the groups that have any weight, each by more than half of its weight.
pub(super) fn is_hierarchical_quorum(
    hierarchy: &Hierarchy,
    voters: impl Iterator<Item = ServerId>,
    agrees: impl Fn(ServerId) -> bool,
) -> bool {
    let mut tallies: BTreeMap<i64, Tally> = BTreeMap::new();
    for voter in voters {
        let Some(group) = hierarchy.groups.get(&voter) else {
            continue;
        };
        let weight = weight(hierarchy, voter);
        let tally = tallies.entry(*group).or_default();
        tally.all += weight;
        tally.agreeing += if agrees(voter) { weight } else { 0 };
    }
    let weighty = || tallies.values().filter(|tally| tally.all > 0);
    let won = weighty().filter(|tally| tally.agreeing > tally.all / 2);
    won.count() > weighty().count() / 2
}

/// How much a voice counts: 1 unless a `weight.N` line says otherwise.
pub(super) fn weight(hierarchy: &Hierarchy, server: ServerId) -> i64 {
    hierarchy.weights.get(&server).copied().unwrap_or(1)
}

/// The weights of one group.
#[derive(Default)]
struct Tally {
    all: i64,
    agreeing: i64,
}
