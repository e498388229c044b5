//! What only nodes with children need.

use super::NodeId;
use super::node::Node;
use super::slab::Slab;

/// Marks a node that never had a child: its stored cversion is 0, its pzxid its czxid.
pub(super) const NO_FAMILY: u32 = u32::MAX;

pub(super) struct Family {
    pub(super) pzxid: i64,
    pub(super) first_child: NodeId,
    pub(super) child_count: u32,
    /// Nodes below: the children and everything below them. Not kept for the root, whose
    /// number is that of the tree.
    pub(super) descendants: u32,
    pub(super) cversion: i32,
}

const _: () = assert!(
    size_of::<Family>() == 24,
    "the memory target counts on this"
);

#[derive(Default)]
pub(super) struct Families {
    slab: Slab<Family>,
}

impl Families {
    pub(super) fn get(&self, node: &Node) -> Option<&Family> {
        (node.family != NO_FAMILY).then(|| self.slab.get(node.family))
    }

    /// The family of a node that is about to have a child.
    pub(super) fn of(&mut self, node: &mut Node) -> &mut Family {
        if node.family == NO_FAMILY {
            node.family = self.slab.insert(Family {
                pzxid: node.czxid,
                first_child: NodeId::NONE,
                child_count: 0,
                descendants: 0,
                cversion: 0,
            });
        }
        self.slab.get_mut(node.family)
    }

    /// Stores cversion and pzxid, in a family only if they are not those of a node that
    /// never had a child.
    pub(super) fn set(&mut self, node: &mut Node, cversion: i32, pzxid: i64) {
        if node.family == NO_FAMILY && cversion == 0 && pzxid == node.czxid {
            return;
        }
        let family = self.of(node);
        family.cversion = cversion;
        family.pzxid = pzxid;
    }

    pub(super) fn release(&mut self, node: &mut Node) {
        if node.family != NO_FAMILY {
            self.slab.remove(node.family);
            node.family = NO_FAMILY;
        }
    }
}
