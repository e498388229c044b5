use std::collections::{BTreeMap, VecDeque};

use client::NodeData;

/// What [`super::Cache::next`] tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A node has come. [`super::Cache::get`] has it.
    Created(String),
    /// The data of a node have changed. [`super::Cache::get`] has them.
    Changed(String),
    /// A node has gone. One that was made again since is told next.
    Deleted(String),
    /// The copy is what the servers had after the transaction with this zxid.
    Settled(i64),
    /// The connection is lost: until the next [`Settled`](Self::Settled) the copy may be old.
    Disconnected,
}

/// What is known, but not applied yet.
#[derive(Debug)]
pub(super) enum Update {
    /// This is what a node is; `None` if it is not there.
    Node(String, Option<NodeData>),
    Settled(i64),
    Disconnected,
}

/// The nodes, and what comes next. There are never more updates than were read at a time, and
/// nodes that vanish.
#[derive(Debug, Default)]
pub(super) struct View {
    nodes: BTreeMap<String, NodeData>,
    updates: VecDeque<Update>,
}

impl View {
    pub(super) fn nodes(&self) -> &BTreeMap<String, NodeData> {
        &self.nodes
    }

    pub(super) fn push(&mut self, update: Update) {
        self.updates.push_back(update);
    }

    pub(super) fn has_updates(&self) -> bool {
        !self.updates.is_empty()
    }

    /// Applies updates up to the first one that changes something.
    pub(super) fn apply(&mut self) -> Option<Change> {
        while let Some(update) = self.updates.pop_front() {
            let change = match update {
                Update::Settled(zxid) => Some(Change::Settled(zxid)),
                Update::Disconnected => Some(Change::Disconnected),
                Update::Node(path, None) => {
                    let gone = self.nodes.remove(&path);
                    gone.map(|_| Change::Deleted(path))
                }
                Update::Node(path, Some(node)) => self.put(path, node),
            };
            if change.is_some() {
                return change;
            }
        }
        None
    }

    fn put(&mut self, path: String, node: NodeData) -> Option<Change> {
        let Some(before) = self.nodes.get_mut(&path) else {
            self.nodes.insert(path.clone(), node);
            return Some(Change::Created(path));
        };
        if before.stat.czxid != node.stat.czxid {
            // Another node of the same name.
            self.nodes.remove(&path);
            let again = Update::Node(path.clone(), Some(node));
            self.updates.push_front(again);
            return Some(Change::Deleted(path));
        }
        let has_changed = before.stat.mzxid != node.stat.mzxid;
        *before = node;
        has_changed.then_some(Change::Changed(path))
    }
}
