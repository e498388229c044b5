//! The tree at one moment.

use std::collections::BTreeSet;

use jute::data::Stat;
use state::tree::{Owner, OwnerRules};

use super::{Model, Node};

const RULES: OwnerRules = OwnerRules {
    extended_types: true,
    emulate_353_ttl: false,
};

impl Model {
    /// The node at `path` after transaction `zxid`.
    pub(crate) fn at(&self, path: &str, zxid: i64) -> Option<&Node> {
        let versions = self.nodes.get(path)?;
        let after = versions.partition_point(|(version, _)| *version <= zxid);
        versions[..after].last()?.1.as_ref()
    }

    /// The node as it is now.
    pub(crate) fn now(&self, path: &str) -> Option<&Node> {
        self.nodes.get(path)?.last()?.1.as_ref()
    }

    /// What became of a node with each transaction that changed it: `None` if it went.
    pub(crate) fn versions(&self, path: &str) -> impl Iterator<Item = (i64, Option<&Node>)> {
        let versions = self.nodes.get(path).into_iter().flatten();
        versions.map(|(zxid, node)| (*zxid, node.as_ref()))
    }

    /// The transactions that changed something below a node, in order.
    pub(crate) fn changes_below(&self, path: &str) -> Vec<i64> {
        let zxids = self.below(path).flat_map(|path| self.versions(path));
        let zxids: BTreeSet<i64> = zxids.map(|(zxid, _)| zxid).collect();
        zxids.into_iter().collect()
    }

    /// All nodes as they are now.
    pub(crate) fn all_now(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.nodes.iter().filter_map(|(path, versions)| {
            let node = versions.last()?.1.as_ref()?;
            Some((path.as_str(), node))
        })
    }

    /// Names of the children after transaction `zxid`, sorted.
    pub(crate) fn children(&self, path: &str, zxid: i64) -> Vec<String> {
        let prefix = if path == "/" { "" } else { path };
        let below = self.below(path);
        let children = below.filter_map(|found| {
            let name = &found[prefix.len() + 1..];
            let is_child = !name.contains('/') && self.at(found, zxid).is_some();
            is_child.then(|| name.to_owned())
        });
        children.collect()
    }

    /// Number of nodes below after transaction `zxid`.
    pub(crate) fn descendants(&self, path: &str, zxid: i64) -> usize {
        let below = self.below(path);
        below.filter(|path| self.at(path, zxid).is_some()).count()
    }

    /// Ephemerals of a session after transaction `zxid`.
    pub(crate) fn ephemerals(&self, session: i64, zxid: i64) -> Vec<String> {
        let paths = self.nodes.keys().filter(|path| {
            let node = self.at(path, zxid);
            node.is_some_and(|node| owner(node) == Owner::Session(session))
        });
        paths.cloned().collect()
    }

    /// The Stat of a node as clients see it after transaction `zxid`.
    pub(crate) fn client_stat(&self, path: &str, node: &Node, zxid: i64) -> Stat {
        let stat = node.stat;
        let num_children = self.children(path, zxid).len() as i32;
        Stat {
            czxid: stat.czxid,
            mzxid: stat.mzxid,
            ctime: stat.ctime,
            mtime: stat.mtime,
            version: stat.version,
            cversion: stat.cversion * 2 - num_children,
            aversion: stat.aversion,
            ephemeral_owner: match owner(node) {
                Owner::Session(session) => session,
                _ => 0,
            },
            data_length: node.data.as_ref().map_or(0, |data| data.len()) as i32,
            num_children,
            pzxid: stat.pzxid,
        }
    }

    /// The paths below, whether there is a node now or was one once.
    fn below<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a str> {
        let first = if path == "/" {
            "/".to_owned()
        } else {
            format!("{path}/")
        };
        let nodes = self.nodes.range(first.clone()..);
        nodes
            .map(|(found, _)| found.as_str())
            .take_while(move |found| found.starts_with(&first))
            .filter(move |found| *found != path)
    }
}

/// What decides how long a node lives.
pub(crate) fn owner(node: &Node) -> Owner {
    RULES.classify(node.stat.ephemeral_owner)
}
