use jute::data::{Acl, StatPersisted};
use jute::txn::{CreateContainerTxn, CreateTtlTxn, CreateTxn, TxnHeader};
use jute::{Buffer, ErrorCode, OpCode, Ustring, path};

use super::{Outcome, acl_list, watched_path};
use crate::acl::AclId;
use crate::state::State;
use crate::tree::{NewChild, NodeId, Owner};
use crate::watch::{Changed, EventSink};

/// What the four kinds of create have in common.
pub(super) struct NewNode<'a> {
    op: OpCode,
    path: Ustring<'a>,
    data: Buffer<'a>,
    acl: Option<Vec<Acl<'a>>>,
    owner: i64,
    parent_cversion: i32,
}

impl<'a> NewNode<'a> {
    pub(super) fn from_create(op: OpCode, session: i64, txn: CreateTxn<'a>) -> Self {
        Self {
            op,
            path: txn.path,
            data: txn.data,
            acl: txn.acl,
            owner: if txn.ephemeral { session } else { 0 },
            parent_cversion: txn.parent_cversion,
        }
    }

    pub(super) fn from_container(txn: CreateContainerTxn<'a>) -> Self {
        Self {
            op: OpCode::CreateContainer,
            path: txn.path,
            data: txn.data,
            acl: txn.acl,
            owner: Owner::CONTAINER_RAW,
            parent_cversion: txn.parent_cversion,
        }
    }

    pub(super) fn from_ttl(txn: CreateTtlTxn<'a>) -> Result<Self, ErrorCode> {
        if !(1..=Owner::MAX_TTL_MS).contains(&txn.ttl) {
            return Err(ErrorCode::BadArguments);
        }
        Ok(Self {
            op: OpCode::CreateTtl,
            path: txn.path,
            data: txn.data,
            acl: txn.acl,
            owner: Owner::ttl_raw(txn.ttl),
            parent_cversion: txn.parent_cversion,
        })
    }
}

impl State {
    pub(super) fn create<'a>(
        &mut self,
        header: &TxnHeader,
        node: NewNode<'a>,
        sink: &mut impl EventSink,
    ) -> Result<Outcome<'a>, ErrorCode> {
        let path = node.path.ok_or(ErrorCode::BadArguments)?;
        // No server logs a path that is none; a damaged log may hold one.
        let (parent_path, name) = path::split_child(&path).ok_or(ErrorCode::BadArguments)?;
        let parent = self.tree.lookup(parent_path).ok_or(ErrorCode::NoNode)?;
        let acl = match &node.acl {
            Some(acl) => self.acls.intern(acl),
            None => AclId::OPEN,
        };
        if let Some(id) = self.tree.child(parent, name) {
            self.heal(id, acl);
            // Apache does so for the first of the four kinds only; after the others its
            // replayed parent stays behind the live one and fails the digest.
            self.raise_cversion(parent, node.parent_cversion, header.zxid);
            return Err(ErrorCode::NodeExists);
        }
        self.raise_cversion(parent, node.parent_cversion, header.zxid);
        let stat = new_stat(header, node.owner);
        let data_len = node.data.map_or(0, <[u8]>::len);
        let child = NewChild {
            path: &path,
            data: node.data,
            acl,
            stat: &stat,
        };
        self.insert_child(parent, &child);
        self.count_created(&path, node.data);
        self.watches.get_mut().created(
            Changed {
                path: &path,
                acl: acl_list(&self.acls, acl),
            },
            Changed {
                path: watched_path(parent_path),
                acl: acl_list(&self.acls, self.tree.acl(parent)),
            },
            header.zxid,
            sink,
        );
        Ok(Outcome::Created {
            op: node.op,
            path,
            // Not read back: what was just written to new memory is not in the cache.
            stat: self.options.owner_rules.client_stat(&stat, data_len, 0),
        })
    }

    /// A snapshot that was written while this create was applied may hold the node but not
    /// its list.
    fn heal(&mut self, id: NodeId, acl: AclId) {
        let old = self.tree.set_acl(id, acl);
        self.acls.release(old);
    }

    /// Sets the parent's number of creations and its pzxid, but never back. A number that
    /// overflowed is smaller than any, so from then on both stay as they are.
    fn raise_cversion(&mut self, parent: NodeId, cversion: i32, zxid: i64) {
        let mut stat = self.tree.stat(parent);
        // Transactions from before 3.4 do not know the number.
        let cversion = match cversion {
            -1 => stat.cversion.wrapping_add(1),
            known => known,
        };
        if cversion > stat.cversion {
            stat.cversion = cversion;
            stat.pzxid = zxid;
            self.tree.set_stat(parent, &stat);
        }
    }
}

fn new_stat(header: &TxnHeader, owner: i64) -> StatPersisted {
    StatPersisted {
        czxid: header.zxid,
        mzxid: header.zxid,
        pzxid: header.zxid,
        ctime: header.time,
        mtime: header.time,
        ephemeral_owner: owner,
        ..StatPersisted::default()
    }
}
