use jute::{ErrorCode, path};

use super::{acl_list, watched_path};
use crate::state::State;
use crate::tree::NodeId;
use crate::watch::{Changed, EventSink};

impl State {
    pub(super) fn delete(
        &mut self,
        path: &str,
        zxid: i64,
        sink: &mut impl EventSink,
    ) -> Result<(), ErrorCode> {
        let (parent_path, name) = path::split_child(path).ok_or(ErrorCode::BadArguments)?;
        let parent = self.tree.lookup(parent_path).ok_or(ErrorCode::NoNode)?;
        // Even if the node is gone: then the snapshot took the node's absence but not yet
        // the parent's new pzxid, or one from before a later create.
        self.raise_pzxid(parent, zxid);
        let id = self.tree.child(parent, name).ok_or(ErrorCode::NoNode)?;
        self.remove_descendants(id);
        self.watches.get_mut().deleted(
            Changed {
                path,
                acl: acl_list(&self.acls, self.tree.acl(id)),
            },
            Changed {
                path: watched_path(parent_path),
                acl: acl_list(&self.acls, self.tree.acl(parent)),
            },
            zxid,
            sink,
        );
        self.remove_leaf(id, path);
        Ok(())
    }

    fn raise_pzxid(&mut self, id: NodeId, zxid: i64) {
        let mut stat = self.tree.stat(id);
        if zxid > stat.pzxid {
            stat.pzxid = zxid;
            self.tree.set_stat(id, &stat);
        }
    }

    /// When a node is deleted it has no children. If it has some in a replay, the snapshot
    /// took them from a later node of this path, and their creates are still to come.
    fn remove_descendants(&mut self, id: NodeId) {
        if self.tree.child_count(id) == 0 {
            return;
        }
        let mut parents_first = vec![id];
        let mut at = 0;
        while let Some(parent) = parents_first.get(at).copied() {
            parents_first.extend(self.tree.children(parent));
            at += 1;
        }
        for descendant in parents_first.drain(1..).rev() {
            let path = self.tree.path(descendant);
            self.remove_leaf(descendant, &path);
        }
    }

    fn remove_leaf(&mut self, id: NodeId, path: &str) {
        let data_len = self.tree.data(id).map_or(0, <[u8]>::len);
        self.remove_node(id);
        self.count_deleted(path, data_len);
    }
}
