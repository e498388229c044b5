//! From (parent, name) to the node. Sharded, because a table doubles by moving everything
//! in it: many small moves at different times instead of one that stalls all writes.

use foldhash::SharedSeed;
use foldhash::fast::SeedableRandomState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

use super::NodeId;
use super::node::Node;
use super::slab::Slab;

const SHARDS: usize = 256;

pub(super) struct Index {
    hasher: SeedableRandomState,
    shards: Vec<HashTable<Entry>>,
}

/// A node, and the hash of its parent and name: neither a table that grows nor a probe that meets
/// another node has to look into that node, which costs a wait for memory each.
#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: u32,
    id: NodeId,
}

impl Index {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            hasher: SeedableRandomState::with_seed(seed, SharedSeed::global_fixed()),
            shards: (0..SHARDS).map(|_| HashTable::new()).collect(),
        }
    }

    pub(super) fn find(&self, nodes: &Slab<Node>, parent: NodeId, name: &str) -> Option<NodeId> {
        let hash = self.hash(parent, name.as_bytes());
        self.shards[shard(hash)]
            .find(spread(hash), |entry| {
                entry.hash == hash && {
                    let node = nodes.get(entry.id.0);
                    node.parent == parent && node.name_bytes() == name.as_bytes()
                }
            })
            .map(|entry| entry.id)
    }

    /// The node with this hash: one of a place with another name in rare cases.
    pub(super) fn guess(&self, hash: u32) -> Option<NodeId> {
        let found = self.shards[shard(hash)].find(spread(hash), |entry| entry.hash == hash);
        found.map(|entry| entry.id)
    }

    /// Makes room for about so many more nodes.
    pub(super) fn reserve(&mut self, nodes: usize) {
        for shard in self.shards.iter_mut().filter(|shard| shard.is_empty()) {
            shard.reserve(nodes / SHARDS, |_| {
                unreachable!("there is nothing to hash again")
            });
        }
    }

    /// The parent must have no child of that name.
    pub(super) fn insert(&mut self, nodes: &Slab<Node>, id: NodeId) {
        let node = nodes.get(id.0);
        let hash = self.hash(node.parent, node.name_bytes());
        let spread_of = |entry: &Entry| spread(entry.hash);
        self.shards[shard(hash)].insert_unique(spread(hash), Entry { hash, id }, spread_of);
    }

    /// # Panics
    /// If the node is not in the index.
    pub(super) fn remove(&mut self, nodes: &Slab<Node>, id: NodeId) {
        let node = nodes.get(id.0);
        let hash = self.hash(node.parent, node.name_bytes());
        self.shards[shard(hash)]
            .find_entry(spread(hash), |other| other.id == id)
            .expect("every node is in the index")
            .remove();
    }

    /// Of the place of a child with this name.
    pub(super) fn hash(&self, parent: NodeId, name: &[u8]) -> u32 {
        (self.hasher.hash_one((parent, name)) >> 32) as u32
    }
}

/// The lowest bits choose the shard, all of them the place in its table.
fn shard(hash: u32) -> usize {
    hash as usize % SHARDS
}

/// The tables use the lowest and the highest bits.
fn spread(hash: u32) -> u64 {
    u64::from(hash >> SHARDS.trailing_zeros()).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
