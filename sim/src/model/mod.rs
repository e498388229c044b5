//! The tree as a plain map with all its versions: an independent account of what each
//! transaction does, against which the server's answers are checked.
//!
//! Everything is slow and obvious here: no slab, no interning, no incremental anything.

mod apply;
mod view;

pub(crate) use view::owner;

use std::collections::BTreeMap;
use std::rc::Rc;

use jute::data::{Acl, StatPersisted, perms};
use jute::proto::EventType;

/// One version of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) data: Option<Rc<[u8]>>,
    pub(crate) acl: AclList,
    pub(crate) stat: StatPersisted,
}

/// A list shared by the versions that have it.
pub(crate) type AclList = Rc<[Acl<'static>]>;

/// Something that watchers may hear of.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) zxid: i64,
    /// Never `NodeChildrenChanged`: that follows from the others.
    pub(crate) kind: EventType,
    pub(crate) path: String,
    /// The node's ACL, and its parent's.
    pub(crate) acl: AclList,
    pub(crate) parent_acl: AclList,
}

/// All versions of all nodes, and the sessions as they are now.
#[derive(Debug)]
pub(crate) struct Model {
    nodes: BTreeMap<String, Vec<(i64, Option<Node>)>>,
    /// Ids and timeouts in milliseconds.
    pub(crate) sessions: BTreeMap<i64, i32>,
    pub(crate) changes: Vec<Change>,
    pub(crate) last_zxid: i64,
}

impl Model {
    /// The tree of a new server.
    pub(crate) fn new() -> Self {
        let mut model = Self {
            nodes: BTreeMap::new(),
            sessions: BTreeMap::new(),
            changes: Vec::new(),
            last_zxid: 0,
        };
        let open: AclList = Rc::new([Acl::open()]);
        let readable: AclList = Rc::new([Acl::new(perms::READ, "world", "anyone")]);
        for path in ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"] {
            let is_config = path == "/zookeeper/config";
            let node = Node {
                data: Some(Rc::new([])),
                acl: Rc::clone(if is_config { &readable } else { &open }),
                stat: StatPersisted {
                    aversion: if is_config { -1 } else { 0 },
                    ..StatPersisted::default()
                },
            };
            model.put(path, 0, Some(node));
        }
        model
    }

    fn put(&mut self, path: &str, zxid: i64, node: Option<Node>) {
        match self.nodes.get_mut(path) {
            None => {
                self.nodes.insert(path.to_owned(), vec![(zxid, node)]);
            }
            // Within a multi only the last version of a node can be seen.
            Some(versions) => match versions.last_mut() {
                Some(last) if last.0 == zxid => last.1 = node,
                _ => versions.push((zxid, node)),
            },
        }
    }
}

/// The path of the parent; `None` for the root.
pub(crate) fn parent(path: &str) -> Option<&str> {
    if path == "/" {
        return None;
    }
    match path.rfind('/')? {
        0 => Some("/"),
        at => Some(&path[..at]),
    }
}

/// Does the list give these permissions to one of the digest ids?
pub(crate) fn permits(acl: &[Acl<'_>], wanted: i32, digests: &[String]) -> bool {
    acl.iter().any(|entry| {
        let (scheme, id) = (entry.id.scheme.as_deref(), entry.id.id.as_deref());
        let means_us = match scheme {
            Some("world") => id == Some("anyone"),
            Some("digest") => digests.iter().any(|digest| Some(digest.as_str()) == id),
            _ => false,
        };
        means_us && entry.perms & wanted != 0
    })
}
