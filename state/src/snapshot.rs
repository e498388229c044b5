//! Writing the state to a snapshot while it changes, and loading it again.
//!
//! A snapshot is fuzzy, as Apache's are: it holds every effect of the transactions up to
//! the zxid in its name, and any of those applied while it was written. Replaying the log
//! behind it leads to the exact state (see [`crate::apply`]), and the digest taken at the
//! end of the walk proves it.

use hashbrown::HashMap;
use jute::Zxid;
use jute::data::{Acl, StatPersisted};
use jute::wire::Encode;
use thiserror::Error;

use crate::acl::{AclId, AclList};
use crate::state::{Options, State};
use crate::tree::{NewChild, NodeId, TreeWalk};

/// A snapshot being written: what stands at its front, and the walk over the nodes.
pub struct SnapshotWalk {
    /// The zxid in its name.
    pub zxid: Zxid,
    /// Sessions and their timeouts in milliseconds.
    pub sessions: Vec<(i64, i32)>,
    /// Lists that nodes refer to by number.
    pub acls: Vec<(i64, AclList)>,
    walk: TreeWalk,
}

/// Digest of the tree at the end of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalkEnd {
    /// The last transaction in the tree then.
    pub zxid: Zxid,
    /// The tree's digest after it.
    pub digest: u64,
}

impl State {
    /// Starts writing a snapshot of everything applied so far. Until it is given back with
    /// [`State::end_snapshot`] removed nodes keep their place in memory.
    pub fn begin_snapshot(&mut self) -> SnapshotWalk {
        SnapshotWalk {
            zxid: self.last_zxid,
            sessions: self.sessions.iter().collect(),
            acls: self.acls.pin(),
            walk: self.tree.begin_walk(),
        }
    }

    /// Ends a snapshot, finished or not. What the walk's last step saw is fixed by this.
    pub fn end_snapshot(&mut self, snapshot: SnapshotWalk) {
        self.tree.end_walk(snapshot.walk);
        self.acls.unpin();
    }
}

impl SnapshotWalk {
    /// Appends up to `max_nodes` further nodes in the snapshot's form. At the end of the
    /// walk, says which state the snapshot reaches up to.
    pub fn step(&mut self, state: &State, max_nodes: usize, out: &mut Vec<u8>) -> Option<WalkEnd> {
        let tree = state.tree();
        let done = self.walk.step(tree, max_nodes, |path, id| {
            encode_text(path, out);
            tree.data(id).encode(out);
            tree.acl(id).snapshot_index().encode(out);
            tree.stat(id).encode(out);
        });
        done.then(|| WalkEnd {
            zxid: state.last_zxid(),
            digest: tree.digest(),
        })
    }
}

fn encode_text(text: &str, out: &mut Vec<u8>) {
    Some(text.as_bytes()).encode(out);
}

/// Why a snapshot cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LoadError {
    /// No root: there are no nodes at all, because every other one comes below it.
    #[error("there is no node in it")]
    NoRoot,
    /// A node without a parent before it.
    #[error("node {0:?} comes before its parent")]
    NoParent(String),
    /// A node that was there before.
    #[error("node {0:?} stands twice")]
    Duplicate(String),
    /// A path that is none.
    #[error("node path {0:?} is invalid")]
    BadPath(String),
}

/// Builds a state from the parts of a snapshot, in their order: sessions, ACLs, nodes.
pub struct Loader {
    state: State,
    acls: HashMap<i64, AclId, foldhash::fast::FixedState>,
    /// The ancestors of the last node, with the length of their paths: nodes come in
    /// pre-order, so the next one's parent is among them.
    ancestors: Vec<(NodeId, usize)>,
    last_path: String,
    roots: u32,
}

impl Loader {
    /// Starts with nothing.
    pub fn new(options: Options, seed: u64) -> Self {
        Self {
            state: State::bare(options, seed),
            acls: HashMap::default(),
            ancestors: Vec::new(),
            last_path: String::new(),
            roots: 0,
        }
    }

    /// Adds a session.
    pub fn session(&mut self, session: i64, timeout_ms: i32) {
        self.state.sessions.insert(session, timeout_ms);
    }

    /// Adds a list. It stays while a node refers to it.
    pub fn acl(&mut self, index: i64, acl: &[Acl<'_>]) {
        let id = self.state.acls.intern(acl);
        self.acls.insert(index, id);
    }

    /// Adds a node; the root's path is empty.
    pub fn node(
        &mut self,
        path: &str,
        data: Option<&[u8]>,
        acl_index: i64,
        stat: &StatPersisted,
    ) -> Result<(), LoadError> {
        let acl = self.acl_id(acl_index);
        if path.is_empty() {
            return self.root(data, acl, stat);
        }
        let bad = || LoadError::BadPath(path.to_owned());
        let (parent_path, _) = jute::path::split_child(path).ok_or_else(bad)?;
        let parent = self.parent(parent_path)?;
        let parent = parent.ok_or_else(|| LoadError::NoParent(path.to_owned()))?;
        self.state.acls.retain(acl);
        let new = NewChild {
            path,
            data,
            acl,
            stat,
        };
        let id = self.state.tree.append(parent, &new);
        self.state.note_owner(id, stat);
        self.last_path.truncate(parent_path.len());
        self.last_path.push_str(&path[parent_path.len()..]);
        self.ancestors.push((id, path.len()));
        Ok(())
    }

    /// The loaded state. `zxid` is the one in the snapshot's name; `digest` what its
    /// trailer says: at which zxid the tree must have which digest.
    pub fn finish(mut self, zxid: Zxid, digest: Option<(Zxid, u64)>) -> Result<State, LoadError> {
        if self.roots == 0 {
            return Err(LoadError::NoRoot);
        }
        self.index()?;
        // The loader's own references to the lists go; those without users vanish.
        for id in self.acls.values() {
            self.state.acls.release(*id);
        }
        self.state.last_zxid = zxid;
        self.state.complete_load(zxid, digest);
        Ok(self.state)
    }

    fn acl_id(&self, index: i64) -> AclId {
        if index == AclId::OPEN.snapshot_index() {
            return AclId::OPEN;
        }
        self.acls.get(&index).copied().unwrap_or(AclId::UNKNOWN)
    }

    fn root(
        &mut self,
        data: Option<&[u8]>,
        acl: AclId,
        stat: &StatPersisted,
    ) -> Result<(), LoadError> {
        if self.roots > 0 {
            return Err(LoadError::Duplicate("/".to_owned()));
        }
        self.roots = 1;
        self.state.acls.retain(acl);
        self.state.tree.set_acl(NodeId::ROOT, acl);
        self.state.tree.set_data(NodeId::ROOT, "", data, stat);
        self.ancestors.push((NodeId::ROOT, 0));
        Ok(())
    }

    fn index(&mut self) -> Result<(), LoadError> {
        let tree = &mut self.state.tree;
        let duplicate = tree.index_appended().err();
        duplicate.map_or(Ok(()), |id| Err(LoadError::Duplicate(tree.path(id))))
    }

    fn parent(&mut self, parent_path: &str) -> Result<Option<NodeId>, LoadError> {
        while let Some((id, len)) = self.ancestors.last().copied() {
            if len == parent_path.len() && self.last_path[..len] == *parent_path {
                return Ok(Some(id));
            }
            if len == 0 {
                break;
            }
            self.ancestors.pop();
        }
        // Not in pre-order; siblings of any order still load, if the parent came before.
        self.index()?;
        let Some(id) = self.state.tree.lookup(parent_path) else {
            return Ok(None);
        };
        self.last_path.clear();
        self.last_path.push_str(parent_path);
        self.ancestors.push((id, parent_path.len()));
        Ok(Some(id))
    }
}
