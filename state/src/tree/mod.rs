//! The znode tree: a slab of compact nodes with 32-bit ids.
//!
//! Children are linked through the slab, and one hash index leads from (parent, name) to
//! the node, so a path of n names costs n probes and no path is stored. What only nodes
//! with children need stands in a second slab ([`family`]); most nodes are leaves.
//!
//! Every change keeps the digest, the index and the sibling lists right. Rules of the
//! protocol (versions, owners, watches) are not known here.

mod family;
mod index;
mod node;
mod owner;
mod prefetch;
mod slab;
mod walk;

#[cfg(test)]
mod tests;

use jute::data::{Stat, StatPersisted};

use crate::acl::AclId;
use crate::digest;
use family::{Families, Family};
use index::Index;
use node::Node;
use slab::Slab;

pub use owner::{Owner, OwnerRules};
pub use walk::TreeWalk;

/// A node's place in the slab. Ids of removed nodes are used again, but never while a
/// [`TreeWalk`] is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u32);

impl NodeId {
    /// The root.
    pub const ROOT: Self = Self(0);
    const NONE: Self = Self(u32::MAX);

    fn some(self) -> Option<Self> {
        (self != Self::NONE).then_some(self)
    }
}

/// A node that is to be added below another.
#[derive(Clone, Copy, Debug)]
pub struct NewChild<'a> {
    /// Its path; the last part is its name.
    pub path: &'a str,
    /// Its data.
    pub data: Option<&'a [u8]>,
    /// Who may do what with it.
    pub acl: AclId,
    /// Its Stat.
    pub stat: &'a StatPersisted,
}

impl<'a> NewChild<'a> {
    fn name(&self) -> &'a str {
        let (_, name) = jute::path::split(self.path).expect("a path has a slash");
        name
    }
}

/// All nodes.
pub struct Tree {
    nodes: Slab<Node>,
    families: Families,
    index: Index,
    digest: u64,
    data_size: u64,
    /// Walks under way: while there are any, removed nodes keep their place and their link
    /// to the next sibling, so that a walk that stands on one finds its way on.
    walks: u32,
    limbo: Vec<NodeId>,
}

impl Tree {
    /// A tree of a root alone. `seed` keys the index, since clients choose the names.
    pub fn new(seed: u64) -> Self {
        let mut tree = Self {
            nodes: Slab::default(),
            families: Families::default(),
            index: Index::new(seed),
            digest: 0,
            data_size: 0,
            walks: 0,
            limbo: Vec::new(),
        };
        let root = tree.nodes.insert(Node::root());
        assert_eq!(root, NodeId::ROOT.0, "the root takes the first place");
        tree.add_to_digest(NodeId::ROOT, &StatPersisted::default());
        tree
    }

    /// The node at `path`; "" and "/" are the root.
    pub fn lookup(&self, path: &str) -> Option<NodeId> {
        if path.is_empty() || path == "/" {
            return Some(NodeId::ROOT);
        }
        let mut id = NodeId::ROOT;
        for name in path.strip_prefix('/')?.split('/') {
            id = self.child(id, name)?;
        }
        Some(id)
    }

    /// The child of that name.
    pub fn child(&self, parent: NodeId, name: &str) -> Option<NodeId> {
        self.index.find(&self.nodes, parent, name)
    }

    /// The parent; `None` for the root.
    pub fn parent(&self, id: NodeId) -> Option<NodeId> {
        self.node(id).parent.some()
    }

    /// The last part of the path; empty for the root.
    pub fn name(&self, id: NodeId) -> &str {
        self.node(id).name()
    }

    /// The path; "/" for the root.
    pub fn path(&self, id: NodeId) -> String {
        if id == NodeId::ROOT {
            return "/".to_owned();
        }
        let mut names = Vec::new();
        let mut at = id;
        while let Some(parent) = self.parent(at) {
            names.push(self.name(at));
            at = parent;
        }
        let mut path = String::with_capacity(names.iter().map(|name| name.len() + 1).sum());
        for name in names.iter().rev() {
            path.push('/');
            path.push_str(name);
        }
        path
    }

    /// The Stat as stored: the raw owner, and as cversion the number of children ever created.
    pub fn stat(&self, id: NodeId) -> StatPersisted {
        let node = self.node(id);
        let family = self.families.get(node);
        StatPersisted {
            czxid: node.czxid,
            mzxid: node.mzxid,
            ctime: node.ctime,
            mtime: node.mtime,
            version: node.version,
            cversion: family.map_or(0, |family| family.cversion),
            aversion: node.aversion,
            ephemeral_owner: node.owner,
            pzxid: family.map_or(node.czxid, |family| family.pzxid),
        }
    }

    /// The Stat as a client sees it, given which owners are shown.
    pub fn client_stat(&self, id: NodeId, rules: OwnerRules) -> Stat {
        let data_len = self.data(id).map_or(0, <[u8]>::len);
        rules.client_stat(&self.stat(id), data_len, self.child_count(id))
    }

    /// The data.
    pub fn data(&self, id: NodeId) -> Option<&[u8]> {
        self.node(id).data()
    }

    /// The ACL.
    pub fn acl(&self, id: NodeId) -> AclId {
        self.node(id).acl
    }

    /// The start of the node's digest, see [`digest::content_crc`].
    pub fn content_crc(&self, id: NodeId) -> u32 {
        self.node(id).content_crc
    }

    /// Number of children.
    pub fn child_count(&self, id: NodeId) -> u32 {
        self.families
            .get(self.node(id))
            .map_or(0, |family| family.child_count)
    }

    /// The children, youngest first.
    pub fn children(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let first = self
            .families
            .get(self.node(id))
            .and_then(|family| family.first_child.some());
        std::iter::successors(first, |child| self.node(*child).next_sibling.some())
    }

    /// Number of nodes below this one.
    pub fn descendant_count(&self, id: NodeId) -> u32 {
        if id == NodeId::ROOT {
            return u32::try_from(self.len() - 1).expect("ids have 32 bits");
        }
        self.families
            .get(self.node(id))
            .map_or(0, |family| family.descendants)
    }

    /// Number of nodes, the root included.
    pub fn len(&self) -> usize {
        self.nodes.len() - self.limbo.len()
    }

    /// Never: there is always a root.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The digest of all nodes that count.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// Bytes of all paths and data.
    pub fn approximate_data_size(&self) -> u64 {
        self.data_size
    }

    /// Adds a child. The parent's Stat stays as it is, except for the number of children.
    ///
    /// # Panics
    /// If the parent has a child of that name, or all 2^32 - 1 ids are taken.
    pub fn insert(&mut self, parent: NodeId, new: &NewChild<'_>) -> NodeId {
        debug_assert!(
            self.child(parent, new.name()).is_none(),
            "{} exists",
            new.path
        );
        let id = self.link(parent, new);
        self.index.insert(&self.nodes, id);
        id
    }

    /// As [`Tree::insert`], but the node cannot be found by its name, and a second one of
    /// that name is not noticed, before [`Tree::index_appended`]. For loading many nodes:
    /// the index then grows once.
    pub(crate) fn append(&mut self, parent: NodeId, new: &NewChild<'_>) -> NodeId {
        let id = self.link(parent, new);
        self.index.defer(&self.nodes, id);
        id
    }

    /// Adds a child that is not in the index.
    fn link(&mut self, parent: NodeId, new: &NewChild<'_>) -> NodeId {
        let NewChild {
            path, data, stat, ..
        } = *new;
        let mut node = Node::new(new.name(), data, new.acl, stat);
        node.parent = parent;
        node.content_crc = digest::content_crc(path, data);
        node.set_outside_digest(self.is_outside_digest_below(parent));
        let first = self.families.of(self.nodes.get_mut(parent.0)).first_child;
        node.next_sibling = first;
        let id = NodeId(self.nodes.insert(node));
        if let Some(first) = first.some() {
            self.nodes.get_mut(first.0).prev_sibling = id;
        }
        let family = self.families.of(self.nodes.get_mut(parent.0));
        family.first_child = id;
        family.child_count += 1;
        self.for_ancestors(parent, |family| family.descendants += 1);
        self.families
            .set(self.nodes.get_mut(id.0), stat.cversion, stat.pzxid);
        self.add_to_digest(id, stat);
        self.data_size += (path.len() + data.map_or(0, <[u8]>::len)) as u64;
        id
    }

    /// Enters what was appended into the index.
    ///
    /// # Errors
    /// The second node of a name that stands twice below one parent.
    pub(crate) fn index_appended(&mut self) -> Result<(), NodeId> {
        self.index.insert_deferred(&self.nodes)
    }

    /// Removes a leaf. The parent's Stat stays as it is, except for the number of children.
    ///
    /// # Panics
    /// If it is the root or has children.
    pub fn remove(&mut self, id: NodeId) {
        assert_ne!(id, NodeId::ROOT, "the root stays");
        assert_eq!(self.child_count(id), 0, "only leaves are removed");
        self.subtract_from_digest(id);
        self.data_size -= (self.path_len(id) + self.data(id).map_or(0, <[u8]>::len)) as u64;
        self.index.remove(&self.nodes, id);
        let (parent, previous, next) = {
            let node = self.node(id);
            (node.parent, node.prev_sibling, node.next_sibling)
        };
        if let Some(next) = next.some() {
            self.nodes.get_mut(next.0).prev_sibling = previous;
        }
        if let Some(previous) = previous.some() {
            self.nodes.get_mut(previous.0).next_sibling = next;
        }
        let family = self.families.of(self.nodes.get_mut(parent.0));
        if family.first_child == id {
            family.first_child = next;
        }
        family.child_count -= 1;
        self.for_ancestors(parent, |family| family.descendants -= 1);
        self.families.release(self.nodes.get_mut(id.0));
        if self.walks > 0 {
            self.nodes.get_mut(id.0).bury();
            self.limbo.push(id);
        } else {
            self.nodes.remove(id.0);
        }
    }

    /// Replaces data and Stat.
    pub fn set_data(&mut self, id: NodeId, path: &str, data: Option<&[u8]>, stat: &StatPersisted) {
        self.subtract_from_digest(id);
        let node = self.nodes.get_mut(id.0);
        let old_len = node.data().map_or(0, <[u8]>::len) as u64;
        node.set_data(data);
        node.content_crc = digest::content_crc(path, data);
        self.data_size = self.data_size + data.map_or(0, <[u8]>::len) as u64 - old_len;
        self.write_stat(id, stat);
        self.add_to_digest(id, stat);
    }

    /// Replaces the Stat.
    pub fn set_stat(&mut self, id: NodeId, stat: &StatPersisted) {
        self.subtract_from_digest(id);
        self.write_stat(id, stat);
        self.add_to_digest(id, stat);
    }

    /// Replaces the ACL and returns the old one; the reference counts are the caller's.
    pub fn set_acl(&mut self, id: NodeId, acl: AclId) -> AclId {
        std::mem::replace(&mut self.nodes.get_mut(id.0).acl, acl)
    }

    fn node(&self, id: NodeId) -> &Node {
        self.nodes.get(id.0)
    }

    fn write_stat(&mut self, id: NodeId, stat: &StatPersisted) {
        let node = self.nodes.get_mut(id.0);
        node.czxid = stat.czxid;
        node.mzxid = stat.mzxid;
        node.ctime = stat.ctime;
        node.mtime = stat.mtime;
        node.version = stat.version;
        node.aversion = stat.aversion;
        node.owner = stat.ephemeral_owner;
        self.families.set(node, stat.cversion, stat.pzxid);
    }

    /// Changes the families of this node and of all above it, but for the root's.
    fn for_ancestors(&mut self, id: NodeId, change: impl Fn(&mut Family)) {
        let mut at = id;
        while at != NodeId::ROOT {
            let node = self.nodes.get_mut(at.0);
            at = node.parent;
            change(self.families.of(node));
        }
    }

    fn path_len(&self, id: NodeId) -> usize {
        let mut len = 0;
        let mut at = id;
        while let Some(parent) = self.parent(at) {
            len += 1 + self.name(at).len();
            at = parent;
        }
        len
    }

    /// Children of `/zookeeper`, and everything below them, are outside.
    fn is_outside_digest_below(&self, parent: NodeId) -> bool {
        let node = self.node(parent);
        node.is_outside_digest() || (node.parent == NodeId::ROOT && node.name() == "zookeeper")
    }

    fn digest_of(&self, id: NodeId, stat: &StatPersisted) -> u32 {
        let node = self.node(id);
        if node.is_outside_digest() {
            return 0;
        }
        digest::node_digest(node.content_crc, stat)
    }

    /// Counts a node in whose Stat was just written. It is not read back: the processor would wait
    /// until it has left for the cache, which for new memory takes as long as the rest of the
    /// change.
    fn add_to_digest(&mut self, id: NodeId, stat: &StatPersisted) {
        debug_assert_eq!(self.stat(id), *stat, "it was written");
        let digest = self.digest_of(id, stat);
        self.digest = self.digest.wrapping_add(u64::from(digest));
    }

    fn subtract_from_digest(&mut self, id: NodeId) {
        let digest = self.digest_of(id, &self.stat(id));
        self.digest = self.digest.wrapping_sub(u64::from(digest));
    }
}
