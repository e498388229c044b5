//! Changes of a node that exists: its data, its ACL.

use jute::ErrorCode;
use jute::data::Stat;
use jute::txn::{SetAclTxn, SetDataTxn, TxnHeader};

use super::{acl_list, given, watched_path};
use crate::acl::AclId;
use crate::state::State;
use crate::watch::{Changed, EventSink};

impl State {
    /// Overwrites also what is newer: then a later transaction is still to come.
    pub(super) fn set_data(
        &mut self,
        header: &TxnHeader,
        txn: &SetDataTxn<'_>,
        sink: &mut impl EventSink,
    ) -> Result<Stat, ErrorCode> {
        let path = given(&txn.path)?;
        let id = self.tree.lookup(path).ok_or(ErrorCode::NoNode)?;
        let mut stat = self.tree.stat(id);
        stat.version = txn.version;
        stat.mzxid = header.zxid;
        stat.mtime = header.time;
        let old_len = self.tree.data(id).map_or(0, <[u8]>::len);
        self.tree.set_data(id, path, txn.data, &stat);
        self.count_written(path, old_len, txn.data);
        let node = Changed {
            path: watched_path(path),
            acl: acl_list(&self.acls, self.tree.acl(id)),
        };
        let watches = self.watches.get_mut();
        watches.data_changed(node, header.zxid, sink);
        let data_len = txn.data.map_or(0, <[u8]>::len);
        let child_count = self.tree.child_count(id);
        let rules = self.options.owner_rules;
        Ok(rules.client_stat(&stat, data_len, child_count))
    }

    /// No watch fires on a changed ACL.
    pub(super) fn set_acl(&mut self, txn: &SetAclTxn<'_>) -> Result<Stat, ErrorCode> {
        let id = self
            .tree
            .lookup(given(&txn.path)?)
            .ok_or(ErrorCode::NoNode)?;
        let acl = match &txn.acl {
            Some(acl) => self.acls.intern(acl),
            None => AclId::OPEN,
        };
        let old = self.tree.set_acl(id, acl);
        self.acls.release(old);
        let mut stat = self.tree.stat(id);
        stat.aversion = txn.version;
        self.tree.set_stat(id, &stat);
        Ok(self.client_stat(id))
    }
}
