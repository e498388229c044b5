//! From (parent, name) to the node. Sharded, because a table doubles by moving everything
//! in it: many small moves at different times instead of one that stalls all writes.

use foldhash::SharedSeed;
use foldhash::fast::SeedableRandomState;
use hashbrown::hash_table::{self, HashTable};
use std::hash::BuildHasher;

use super::NodeId;
use super::node::Node;
use super::slab::Slab;

const SHARDS: usize = 256;

pub(super) struct Index {
    hasher: SeedableRandomState,
    shards: Vec<HashTable<Entry>>,
    /// Not in the tables yet: while a tree is loaded they would grow again and again, with memory
    /// for both sizes each time.
    deferred: Vec<Entry>,
}

/// A node, and the hash of its parent and name: neither a table that grows nor a probe that meets
/// another node has to look into that node, which costs a wait for memory each.
#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: u32,
    id: NodeId,
}

impl Entry {
    fn is(&self, nodes: &Slab<Node>, hash: u32, parent: NodeId, name: &[u8]) -> bool {
        self.hash == hash && {
            let node = nodes.get(self.id.0);
            node.parent == parent && node.name_bytes() == name
        }
    }

    fn spread(&self) -> u64 {
        spread(self.hash)
    }
}

impl Index {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            hasher: SeedableRandomState::with_seed(seed, SharedSeed::global_fixed()),
            shards: (0..SHARDS).map(|_| HashTable::new()).collect(),
            deferred: Vec::new(),
        }
    }

    pub(super) fn find(&self, nodes: &Slab<Node>, parent: NodeId, name: &str) -> Option<NodeId> {
        let name = name.as_bytes();
        let hash = self.hash(parent, name);
        self.shards[shard(hash)]
            .find(spread(hash), |entry| entry.is(nodes, hash, parent, name))
            .map(|entry| entry.id)
    }

    /// The node with this hash: one of a place with another name in rare cases.
    pub(super) fn guess(&self, hash: u32) -> Option<NodeId> {
        let found = self.shards[shard(hash)].find(spread(hash), |entry| entry.hash == hash);
        found.map(|entry| entry.id)
    }

    /// The parent must have no child of that name, and nothing may be deferred.
    pub(super) fn insert(&mut self, nodes: &Slab<Node>, id: NodeId) {
        assert!(self.deferred.is_empty(), "load first, then insert");
        let new = self.entry(nodes, id);
        self.shards[shard(new.hash)].insert_unique(new.spread(), new, Entry::spread);
    }

    /// As [`Index::insert`], but the node is not found before [`Index::insert_deferred`]. Its name
    /// is looked at now, while it is in the processor's caches: for the name alone a later look
    /// would wait for memory at each node.
    pub(super) fn defer(&mut self, nodes: &Slab<Node>, id: NodeId) {
        self.deferred.push(self.entry(nodes, id));
    }

    /// # Errors
    /// The second node of a name that stands twice below one parent.
    pub(super) fn insert_deferred(&mut self, nodes: &Slab<Node>) -> Result<(), NodeId> {
        let deferred = std::mem::take(&mut self.deferred);
        for shard in self.shards.iter_mut().filter(|shard| shard.is_empty()) {
            shard.reserve(deferred.len() / SHARDS, Entry::spread);
        }
        for new in deferred {
            let is_same = |old: &Entry| {
                old.hash == new.hash && {
                    let node = nodes.get(new.id.0);
                    old.is(nodes, new.hash, node.parent, node.name_bytes())
                }
            };
            let table = &mut self.shards[shard(new.hash)];
            match table.entry(new.spread(), is_same, Entry::spread) {
                hash_table::Entry::Occupied(_) => return Err(new.id),
                hash_table::Entry::Vacant(place) => place.insert(new),
            };
        }
        Ok(())
    }

    fn entry(&self, nodes: &Slab<Node>, id: NodeId) -> Entry {
        let node = nodes.get(id.0);
        let hash = self.hash(node.parent, node.name_bytes());
        Entry { hash, id }
    }

    /// # Panics
    /// If the node is not in the index.
    pub(super) fn remove(&mut self, nodes: &Slab<Node>, id: NodeId) {
        let old = self.entry(nodes, id);
        self.shards[shard(old.hash)]
            .find_entry(old.spread(), |other| other.id == id)
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
