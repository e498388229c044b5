use std::collections::BTreeMap;
use std::fmt;

use super::{Hierarchy, QuorumConfig, ServerId};

/// The text as Apache writes it: every line but the last, which is the version, ends.
///
/// Members stand in the order of Java's hash table, because the bytes of `/zookeeper/config`
/// should not depend on who wrote them. Ids that share a place in that table stand in
/// ascending order here; Apache's order is that of their insertion, which varies.
impl fmt::Display for QuorumConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for id in in_java_order(self.members.keys().map(|id| id.0)) {
            writeln!(f, "server.{id}={}", self.members[&ServerId(id)])?;
        }
        if let Some(Hierarchy { groups, weights }) = &self.hierarchy {
            let by_group = servers_by_group(groups);
            for group in in_java_order(by_group.keys().copied()) {
                let servers: Vec<_> = by_group[&group].iter().map(i64::to_string).collect();
                writeln!(f, "group.{group}={}", servers.join(":"))?;
            }
            for id in in_java_order(weights.keys().map(|id| id.0)) {
                writeln!(f, "weight.{id}={}", weights[&ServerId(id)])?;
            }
        }
        write!(f, "version={:x}", self.version)
    }
}

/// The servers of each group, in the order of the table that holds them all.
fn servers_by_group(groups: &BTreeMap<ServerId, i64>) -> BTreeMap<i64, Vec<i64>> {
    let mut by_group = BTreeMap::<_, Vec<_>>::new();
    for id in in_java_order(groups.keys().map(|id| id.0)) {
        let group = groups[&ServerId(id)];
        by_group.entry(group).or_default().push(id);
    }
    by_group
}

/// The keys in the order in which a `HashMap<Long, _>` that grew by insertion gives them.
fn in_java_order(keys: impl Iterator<Item = i64>) -> Vec<i64> {
    const FIRST_CAPACITY: usize = 16;
    let mut keys: Vec<_> = keys.collect();
    let mut capacity = FIRST_CAPACITY;
    while keys.len() > capacity / 4 * 3 {
        capacity *= 2;
    }
    keys.sort_by_key(|key| (place(*key, capacity), *key));
    keys
}

fn place(key: i64, capacity: usize) -> usize {
    let hash = (key ^ (key as u64 >> 32) as i64) as u32;
    (hash ^ (hash >> 16)) as usize & (capacity - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_of_a_java_table() {
        for (ids, expected) in [
            (vec![3, 1, 2], vec![1, 2, 3]),
            (vec![1, 2, 15, 16, 17], vec![16, 1, 17, 2, 15]),
            (vec![-1, 1], vec![-1, 1]),
            (vec![0x1_0000, 2], vec![0x1_0000, 2]),
            (
                (1..=12).chain([100]).collect(),
                vec![1, 2, 3, 4, 100, 5, 6, 7, 8, 9, 10, 11, 12],
            ),
        ] {
            assert_eq!(in_java_order(ids.iter().copied()), expected, "{ids:?}");
        }
    }
}
