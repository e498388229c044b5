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
    shards: Vec<HashTable<NodeId>>,
}

impl Index {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            hasher: SeedableRandomState::with_seed(seed, SharedSeed::global_fixed()),
            shards: (0..SHARDS).map(|_| HashTable::new()).collect(),
        }
    }

    pub(super) fn find(&self, nodes: &Slab<Node>, parent: NodeId, name: &str) -> Option<NodeId> {
        let hash = hash(&self.hasher, parent, name.as_bytes());
        self.shards[shard(hash)]
            .find(hash, |id| {
                let node = nodes.get(id.0);
                node.parent == parent && node.name_bytes() == name.as_bytes()
            })
            .copied()
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
        let hasher = &self.hasher;
        let hash_of = |id: &NodeId| {
            let node = nodes.get(id.0);
            hash(hasher, node.parent, node.name_bytes())
        };
        let hash = hash_of(&id);
        self.shards[shard(hash)].insert_unique(hash, id, hash_of);
    }

    /// # Panics
    /// If the node is not in the index.
    pub(super) fn remove(&mut self, nodes: &Slab<Node>, id: NodeId) {
        let node = nodes.get(id.0);
        let hash = hash(&self.hasher, node.parent, node.name_bytes());
        self.shards[shard(hash)]
            .find_entry(hash, |other| *other == id)
            .expect("every node is in the index")
            .remove();
    }
}

fn hash(hasher: &SeedableRandomState, parent: NodeId, name: &[u8]) -> u64 {
    hasher.hash_one((parent, name))
}

/// Bits that the tables themselves use little: they take the lowest and the highest.
fn shard(hash: u64) -> usize {
    (hash >> 40) as usize % SHARDS
}
