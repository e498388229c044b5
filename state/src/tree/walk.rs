//! A walk over all nodes in steps, while the tree changes between the steps.
//!
//! Parents come before their children. A node that exists from the start of the walk to
//! its end is visited exactly once; a younger one may or may not be. This holds because,
//! while a walk is under way, a removed node keeps its place and its link to the next
//! sibling, new nodes enter at the front of their parent's list, and no id is used twice.

use super::{NodeId, Tree};

/// Where a walk stands.
pub struct TreeWalk {
    /// For each open level, the node to visit next.
    levels: Vec<NodeId>,
    /// Path of the node whose children the deepest level lists.
    path: String,
    /// Lengths to cut `path` back to when a level ends.
    parent_lens: Vec<usize>,
    started: bool,
    done: bool,
}

impl Tree {
    /// Starts a walk. It must be given back with [`Tree::end_walk`].
    pub fn begin_walk(&mut self) -> TreeWalk {
        self.walks += 1;
        TreeWalk {
            levels: Vec::new(),
            path: String::new(),
            parent_lens: Vec::new(),
            started: false,
            done: false,
        }
    }

    /// Ends a walk, finished or not.
    pub fn end_walk(&mut self, walk: TreeWalk) {
        drop(walk);
        self.walks -= 1;
        if self.walks == 0 {
            for id in std::mem::take(&mut self.limbo) {
                self.nodes.remove(id.0);
            }
        }
    }
}

impl TreeWalk {
    /// Visits up to `max_nodes` further nodes; the path of the root is empty. True when
    /// the walk is at its end.
    pub fn step(
        &mut self,
        tree: &Tree,
        max_nodes: usize,
        mut visit: impl FnMut(&str, NodeId),
    ) -> bool {
        let mut budget = max_nodes;
        if !self.started {
            self.started = true;
            visit("", NodeId::ROOT);
            self.open(tree, NodeId::ROOT, 0);
        }
        while budget > 0 && !self.done {
            budget -= 1;
            self.advance(tree, &mut visit);
        }
        self.done
    }

    fn advance(&mut self, tree: &Tree, visit: &mut impl FnMut(&str, NodeId)) {
        let Some(level) = self.levels.last_mut() else {
            self.done = true;
            return;
        };
        let id = *level;
        if id == NodeId::NONE {
            self.levels.pop();
            let len = self.parent_lens.pop().expect("one length for each level");
            self.path.truncate(len);
            return;
        }
        let node = tree.node(id);
        *level = node.next_sibling;
        if node.is_buried() {
            return;
        }
        let parent_len = self.path.len();
        self.path.push('/');
        self.path.push_str(node.name());
        visit(&self.path, id);
        if tree.child_count(id) > 0 {
            self.open(tree, id, parent_len);
        } else {
            self.path.truncate(parent_len);
        }
    }

    fn open(&mut self, tree: &Tree, id: NodeId, parent_len: usize) {
        let first = tree.children(id).next().unwrap_or(NodeId::NONE);
        self.levels.push(first);
        self.parent_lens.push(parent_len);
    }
}
