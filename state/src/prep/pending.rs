//! What was prepared and is not applied yet: the nodes as they will be.

use std::collections::VecDeque;
use std::sync::Arc;

use foldhash::SharedSeed;
use foldhash::fast::SeedableRandomState;
use hashbrown::HashMap;
use hashbrown::hash_map::EntryRef;
use jute::Zxid;
use jute::data::StatPersisted;

use crate::acl::AclList;
use crate::digest;
use crate::state::State;
use crate::tree::NodeId;

/// A node as it will be when everything pending is applied.
#[derive(Clone)]
pub(super) struct NodeView {
    /// As stored: the raw owner, and as cversion the number of children ever created.
    pub(super) stat: StatPersisted,
    /// See [`digest::content_crc`].
    pub(super) content_crc: u32,
    pub(super) data_len: usize,
    pub(super) child_count: u32,
    /// `None` if a fuzzy snapshot left it unknown.
    pub(super) acl: Option<AclList>,
}

impl NodeView {
    fn committed(state: &State, id: NodeId) -> Self {
        let tree = &state.tree;
        Self {
            stat: tree.stat(id),
            content_crc: tree.content_crc(id),
            data_len: tree.data(id).map_or(0, <[u8]>::len),
            child_count: tree.child_count(id),
            acl: state.acl_of(id).cloned(),
        }
    }

    fn digest(&self) -> u64 {
        u64::from(digest::node_digest(self.content_crc, &self.stat))
    }
}

struct Change {
    /// The last transaction that changed it.
    zxid: Zxid,
    /// `None` when it will be gone.
    node: Option<NodeView>,
}

/// The pending changes by path, and the tree's digest after all of them.
pub(super) struct Pending {
    changes: HashMap<Arc<str>, Change, SeedableRandomState>,
    /// Every change in order of its zxid; a path stands here once for each.
    order: VecDeque<(Zxid, Arc<str>)>,
    digest: u64,
    /// The transaction under way, and what it takes to undo it.
    zxid: Zxid,
    undo: Vec<(Arc<str>, Option<Change>)>,
    digest_before: u64,
}

impl Pending {
    pub(super) fn new(digest: u64, seed: u64) -> Self {
        let hasher = SeedableRandomState::with_seed(seed, SharedSeed::global_fixed());
        Self {
            changes: HashMap::with_hasher(hasher),
            order: VecDeque::new(),
            digest,
            zxid: Zxid::ZERO,
            undo: Vec::new(),
            digest_before: digest,
        }
    }

    pub(super) fn digest(&self) -> u64 {
        self.digest
    }

    pub(super) fn len(&self) -> usize {
        self.changes.len()
    }

    /// Starts a transaction: what is changed from here on is its doing.
    pub(super) fn begin(&mut self, zxid: Zxid) {
        assert!(zxid > self.zxid, "zxids only grow");
        self.zxid = zxid;
        self.undo.clear();
        self.digest_before = self.digest;
    }

    /// Takes back what was changed since [`Pending::begin`]: older pending changes of the
    /// same paths, on which sequence numbers depend, are there again.
    pub(super) fn roll_back(&mut self) {
        while let Some((path, before)) = self.undo.pop() {
            self.order.pop_back();
            match before {
                Some(change) => self.changes.insert(path, change),
                None => self.changes.remove(&path),
            };
        }
        self.digest = self.digest_before;
    }

    /// The node at `path` as it will be; "" and "/" are the root.
    pub(super) fn node(&self, state: &State, path: &str) -> Option<NodeView> {
        match self.changes.get(canonical(path)) {
            Some(change) => change.node.clone(),
            None => {
                let id = state.tree.lookup(path)?;
                Some(NodeView::committed(state, id))
            }
        }
    }

    /// Will there be a node at `path`?
    pub(super) fn exists(&self, state: &State, path: &str) -> bool {
        match self.changes.get(canonical(path)) {
            Some(change) => change.node.is_some(),
            None => state.tree.lookup(path).is_some(),
        }
    }

    /// Notes that the transaction under way turns `before` into `after`.
    pub(super) fn change(
        &mut self,
        path: &str,
        before: Option<&NodeView>,
        after: Option<NodeView>,
    ) {
        let path = canonical(path);
        if digest::counts_in_digest(path) {
            let removed = before.map_or(0, NodeView::digest);
            let added = after.as_ref().map_or(0, NodeView::digest);
            self.digest = self.digest.wrapping_sub(removed).wrapping_add(added);
        }
        let change = Change {
            zxid: self.zxid,
            node: after,
        };
        let (path, before) = match self.changes.entry_ref(path) {
            EntryRef::Occupied(mut entry) => {
                let path = Arc::clone(entry.key());
                (path, Some(entry.insert(change)))
            }
            EntryRef::Vacant(entry) => (Arc::clone(entry.insert_entry(change).key()), None),
        };
        self.order.push_back((self.zxid, Arc::clone(&path)));
        self.undo.push((path, before));
    }

    /// Forgets the changes of transactions up to `zxid`.
    pub(super) fn applied(&mut self, zxid: Zxid) {
        // The usual end of a batch: nothing is left, and nothing needs to be looked up.
        if self.order.back().is_none_or(|(last, _)| *last <= zxid) {
            self.order.clear();
            self.changes.clear();
            self.undo.clear();
            return;
        }
        while let Some((changed, path)) = self.order.front()
            && *changed <= zxid
        {
            if self
                .changes
                .get(path)
                .is_some_and(|change| change.zxid <= zxid)
            {
                self.changes.remove(path);
            }
            self.order.pop_front();
        }
    }

    /// Every path with a pending change and the owner it will have, in no order.
    pub(super) fn owners(&self) -> impl Iterator<Item = (&str, Option<i64>)> {
        self.changes.iter().map(|(path, change)| {
            let owner = change.node.as_ref().map(|node| node.stat.ephemeral_owner);
            (&**path, owner)
        })
    }
}

/// The root has two names, but one change.
fn canonical(path: &str) -> &str {
    if path == jute::path::ROOT { "" } else { path }
}
