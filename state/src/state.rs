//! Everything that is replicated, and the watches on it.

use std::collections::{BTreeMap, BTreeSet};

use jute::data::{Acl, Stat, StatPersisted, perms};
use jute::wire::Limits;
use jute::{Zxid, path};
use parking_lot::Mutex;

use crate::acl::{AclCache, AclId, AclList};
use crate::quota::Quotas;
use crate::session::SessionTable;
use crate::tree::{NewChild, NodeId, Owner, OwnerRules, Tree};
use crate::watch::Watches;

/// What the application of transactions depends on besides the transactions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Which node types are recognised.
    pub owner_rules: OwnerRules,
    /// `zookeeper.digest.enabled`: compare the tree's digest with the transactions'.
    pub digest_enabled: bool,
    /// Bounds for decoding transactions and requests.
    pub limits: Limits,
}

/// The committed state: it changes by [`State::apply`](crate::apply) alone, in the order
/// of the zxids, and holds nothing that is not durable on a quorum.
///
/// Many may read or one may write: the owner keeps it in one lock. A read registers its
/// watch while it holds that lock, so a watch never misses the change after the read.
pub struct State {
    pub(crate) tree: Tree,
    pub(crate) acls: AclCache,
    pub(crate) sessions: SessionTable,
    /// The ephemerals of each session that has any.
    pub(crate) ephemerals: BTreeMap<i64, BTreeSet<NodeId>>,
    pub(crate) containers: BTreeSet<NodeId>,
    pub(crate) ttl_nodes: BTreeSet<NodeId>,
    pub(crate) quotas: Quotas,
    /// Reads register watches under the lock's shared half, hence a lock of its own;
    /// it is only taken inside the other one.
    pub(crate) watches: Mutex<Watches>,
    pub(crate) last_zxid: Zxid,
    pub(crate) digest_check: crate::apply::DigestCheck,
    pub(crate) options: Options,
}

impl State {
    /// The state of a server without history: the system's own nodes. `seed` keys the
    /// index of the tree.
    pub fn new(options: Options, seed: u64) -> Self {
        let mut state = Self::bare(options, seed);
        let system = StatPersisted::default();
        for path in [path::ZOOKEEPER, path::QUOTA] {
            state.insert_node(&NewChild {
                path,
                data: Some(b""),
                acl: AclId::OPEN,
                stat: &system,
            });
        }
        state.add_config_node();
        state
    }

    /// A root and nothing else: what a snapshot is loaded into.
    pub(crate) fn bare(options: Options, seed: u64) -> Self {
        Self {
            tree: Tree::new(seed),
            acls: AclCache::default(),
            sessions: SessionTable::default(),
            ephemerals: BTreeMap::new(),
            containers: BTreeSet::new(),
            ttl_nodes: BTreeSet::new(),
            quotas: Quotas::default(),
            watches: Mutex::new(Watches::new(seed)),
            last_zxid: Zxid::ZERO,
            digest_check: crate::apply::DigestCheck::default(),
            options,
        }
    }

    /// Adds `/zookeeper/config`, as Apache does: readable by all, with an aversion of -1. Without
    /// its parent, which a damaged log may delete, there is no place for it, and this returns
    /// false.
    pub(crate) fn add_config_node(&mut self) -> bool {
        let Some(parent) = self.tree.lookup(path::ZOOKEEPER) else {
            return false;
        };
        let acl = self
            .acls
            .intern(&[Acl::new(perms::READ, "world", "anyone")]);
        let stat = StatPersisted {
            aversion: -1,
            ..StatPersisted::default()
        };
        let new = NewChild {
            path: path::CONFIG,
            data: Some(b""),
            acl,
            stat: &stat,
        };
        self.insert_child(parent, &new);
        true
    }

    /// The zxid of the last transaction applied.
    pub fn last_zxid(&self) -> Zxid {
        self.last_zxid
    }

    /// The tree.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The sessions.
    pub fn sessions(&self) -> &SessionTable {
        &self.sessions
    }

    /// The options it was made with.
    pub fn options(&self) -> Options {
        self.options
    }

    /// The ACL of a node; `None` if a fuzzy snapshot left it unknown.
    pub fn acl_of(&self, id: NodeId) -> Option<&AclList> {
        self.acls.get(self.tree.acl(id))
    }

    /// The Stat of a node, as clients see it.
    pub fn client_stat(&self, id: NodeId) -> Stat {
        self.tree.client_stat(id, self.options.owner_rules)
    }

    /// Who or what decides how long this node lives.
    pub fn owner(&self, id: NodeId) -> Owner {
        let raw = self.tree.stat(id).ephemeral_owner;
        self.options.owner_rules.classify(raw)
    }

    /// The ephemerals of a session, in a fixed order.
    pub fn ephemerals_of(&self, session: i64) -> impl Iterator<Item = NodeId> + '_ {
        self.ephemerals.get(&session).into_iter().flatten().copied()
    }

    /// All sessions that own ephemerals, by id.
    pub fn sessions_with_ephemerals(&self) -> impl Iterator<Item = i64> + '_ {
        self.ephemerals.keys().copied()
    }

    /// Number of ephemerals.
    pub fn ephemeral_count(&self) -> usize {
        self.ephemerals.values().map(BTreeSet::len).sum()
    }

    /// The container nodes, in a fixed order.
    pub fn containers(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.containers.iter().copied()
    }

    /// The nodes with a time to live, in a fixed order.
    pub fn ttl_nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.ttl_nodes.iter().copied()
    }

    /// Adds a node and notes whose it is. The parent's Stat is the caller's.
    ///
    /// # Panics
    /// If the parent is missing or the node exists.
    pub(crate) fn insert_node(&mut self, new: &NewChild<'_>) -> NodeId {
        let (parent, _) = path::split(new.path).expect("a path has a slash");
        let parent = self.tree.lookup(parent).expect("the parent exists");
        self.insert_child(parent, new)
    }

    /// As [`State::insert_node`], for a caller who knows the parent.
    pub(crate) fn insert_child(&mut self, parent: NodeId, new: &NewChild<'_>) -> NodeId {
        let id = self.tree.insert(parent, new);
        self.note_owner(id, new.stat);
        id
    }

    /// Notes whose a new node is.
    pub(crate) fn note_owner(&mut self, id: NodeId, stat: &StatPersisted) {
        match self.options.owner_rules.classify(stat.ephemeral_owner) {
            Owner::None => {}
            Owner::Session(session) => {
                self.ephemerals.entry(session).or_default().insert(id);
            }
            Owner::Container => {
                self.containers.insert(id);
            }
            Owner::Ttl(_) => {
                self.ttl_nodes.insert(id);
            }
        }
    }

    /// Removes a leaf and forgets whose it was. The parent's Stat is the caller's.
    pub(crate) fn remove_node(&mut self, id: NodeId) {
        match self.owner(id) {
            Owner::None => {}
            Owner::Session(session) => {
                let owned = self.ephemerals.get_mut(&session);
                let owned = owned.expect("an ephemeral is among its session's");
                owned.remove(&id);
                if owned.is_empty() {
                    self.ephemerals.remove(&session);
                }
            }
            Owner::Container => {
                self.containers.remove(&id);
            }
            Owner::Ttl(_) => {
                self.ttl_nodes.remove(&id);
            }
        }
        self.acls.release(self.tree.acl(id));
        self.tree.remove(id);
    }
}
