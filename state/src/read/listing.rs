//! In which order the children of a node are listed.
//!
//! The protocol says none. Apache lists them as its hash table holds them, and there is code that
//! relies on what this comes to for a handful of names, the tests of clients above all. So few
//! names come in that order; where there are many it is not worth a look at each of them.

use smallvec::SmallVec;

use crate::tree::{NodeId, Tree};

/// So many children are listed in Apache's order; more of them youngest first.
pub(super) const ORDERED_MAX: usize = 48;

/// Buckets of Apache's table of children, at the least.
const BUCKETS_MIN: usize = 8;

/// The children of a node that has [`ORDERED_MAX`] at the most, in Apache's order. A table there
/// never shrinks: it is another order where there were more children before.
pub(super) fn ordered(tree: &Tree, parent: NodeId) -> impl Iterator<Item = NodeId> {
    let mut children: SmallVec<[(usize, NodeId); 16]> = tree
        .children(parent)
        .map(|child| (spread(tree.name(child)), child))
        .collect();
    let mut buckets = BUCKETS_MIN;
    while children.len() > buckets / 4 * 3 {
        buckets *= 2;
    }
    // Within a bucket whoever came first to the tree comes first. A snapshot of ours is read in the
    // order of `Tree::children`, so a restart turns that around, here and not in Apache.
    children.reverse();
    children.sort_by_key(|(hash, _)| hash % buckets);
    children.into_iter().map(|(_, child)| child)
}

/// What Java's hash tables choose the bucket of a string by.
fn spread(name: &str) -> usize {
    let hash = name.encode_utf16().fold(0_u32, |hash, unit| {
        hash.wrapping_mul(31).wrapping_add(unit.into())
    });
    (hash ^ (hash >> 16)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl::AclId;
    use crate::tree::NewChild;

    /// As printed by Java for a set of these that was made as Apache makes it.
    #[test]
    fn few_names_come_in_the_order_of_javas_hash_table() {
        for (created, listed) in [
            ("foo bar snafu", "bar snafu foo"),
            ("snafu foo bar", "bar snafu foo"),
            ("b a d c f e", "a b c d e f"),
            ("n6 n0 n1 n2 n3 n4 n5", "n0 n1 n2 n3 n4 n5 n6"),
            (
                "zookeeper brokers controller admin config isr_change_notification cluster feature \
                 log_dir_event_notification latest_producer_id_block controller_epoch consumers \
                 delegation_token",
                "cluster controller brokers zookeeper admin isr_change_notification \
                 delegation_token log_dir_event_notification controller_epoch feature consumers \
                 latest_producer_id_block config",
            ),
            ("Ää 日本 𝄞x q", "Ää 𝄞x q 日本"),
            // One and the same bucket.
            ("Aa BB x", "Aa BB x"),
            ("BB Aa x", "BB Aa x"),
        ] {
            let mut tree = Tree::new(1);
            let stat = jute::data::StatPersisted::default();
            for name in created.split_whitespace() {
                let new = NewChild {
                    path: &format!("/{name}"),
                    data: None,
                    acl: AclId::OPEN,
                    stat: &stat,
                };
                tree.insert(NodeId::ROOT, &new);
            }
            let found = ordered(&tree, NodeId::ROOT);
            let found: Vec<&str> = found.map(|child| tree.name(child)).collect();
            let listed: Vec<&str> = listed.split_whitespace().collect();
            assert_eq!(found, listed);
        }
    }
}
