//! create, create2, createContainer, createTTL (3.2). Operation and flags together decide
//! which kind of node it is.

use std::borrow::Cow;

use jute::data::{Acl, StatPersisted, perms};
use jute::proto::{CreateTtlRequest, MultiOp};
use jute::txn::{CreateContainerTxn, CreateTtlTxn, CreateTxn, Txn};
use jute::{CreateMode, ErrorCode, OpCode, path};

use super::SessionKind;
use super::draft::{Draft, parent_of, shared};
use super::pending::NodeView;
use crate::tree::Owner;

/// The time to live of requests without one.
pub(super) const NO_TTL: i64 = -1;

/// A createTTL whose flags want none: Apache makes a transaction of it that kills whoever applies
/// it.
pub(super) fn lacks_ttl(op: &MultiOp<'_>) -> bool {
    let MultiOp::CreateTtl(request) = op else {
        return false;
    };
    CreateMode::from_i32(request.flags).is_some_and(|mode| !mode.is_ttl())
}

impl Draft<'_> {
    /// The numbers are those of the order of checks in 3.2.
    pub(super) fn create<'r>(
        &mut self,
        op: OpCode,
        request: CreateTtlRequest<'r>,
    ) -> Result<Txn<'r>, ErrorCode> {
        // 1
        let mode = CreateMode::from_i32(request.flags).ok_or(ErrorCode::BadArguments)?;
        // 2, 3
        self.check_ttl(op, mode, request.ttl)?;
        // 4
        self.check_session(op, mode)?;
        // 5: null fails in another way than a text that is no path.
        let path = request.path.ok_or(ErrorCode::MarshallingError)?;
        let parent_path = parent_of(&path)?;
        // 6
        let acl = self.fixup(request.acl.as_deref())?;
        // 7, 8
        let parent = self.node(parent_path)?;
        self.require(&parent, perms::CREATE)?;
        // 9
        let path = match mode.is_sequential() {
            true => Cow::Owned(format!("{path}{:010}", parent.stat.cversion)),
            false => path,
        };
        path::validate(&path).map_err(|_| ErrorCode::BadArguments)?;
        // 10
        if self.pending.exists(self.state, &path) {
            return Err(ErrorCode::NodeExists);
        }
        // 11
        let rules = self.state.options.owner_rules;
        if let Owner::Session(_) = rules.classify(parent.stat.ephemeral_owner) {
            return Err(ErrorCode::NoChildrenForEphemerals);
        }
        // 12
        let data_len = request.data.map_or(0, <[u8]>::len);
        self.check_quota(&path, 1, data_len as i64)?;

        let node = self.new_node(op, mode, &path, request.data, request.ttl, &acl);
        let parent_cversion = self.add_child(&path, &parent, node);
        let new = NewNode {
            path,
            data: request.data,
            acl,
            parent_cversion,
        };
        Ok(new.txn(op, mode, request.ttl))
    }

    fn check_ttl(&self, op: OpCode, mode: CreateMode, ttl_ms: i64) -> Result<(), ErrorCode> {
        if mode.is_ttl() && !self.state.options.owner_rules.extended_types {
            return Err(ErrorCode::Unimplemented);
        }
        let valid = match mode.is_ttl() {
            true => (1..=Owner::MAX_TTL_MS).contains(&ttl_ms),
            // See `lacks_ttl`.
            false => ttl_ms < 0 && op != OpCode::CreateTtl,
        };
        if valid {
            Ok(())
        } else {
            Err(ErrorCode::BadArguments)
        }
    }

    /// Ephemerals need a session that all servers know.
    fn check_session(&self, op: OpCode, mode: CreateMode) -> Result<(), ErrorCode> {
        match self.kind {
            SessionKind::Local { upgrade } if mode.is_ephemeral() => {
                let upgradable = matches!(op, OpCode::Create | OpCode::Create2);
                Err(if upgradable && !upgrade && !self.in_multi {
                    ErrorCode::EphemeralOnLocalSession
                } else {
                    ErrorCode::SessionExpired
                })
            }
            _ => Ok(()),
        }
    }

    fn new_node(
        &self,
        op: OpCode,
        mode: CreateMode,
        path: &str,
        data: Option<&[u8]>,
        ttl_ms: i64,
        acl: &[Acl<'static>],
    ) -> NodeView {
        let (zxid, time) = (self.zxid.0, self.origin.now_ms);
        let ephemeral_owner = match op {
            OpCode::CreateContainer => Owner::CONTAINER_RAW,
            OpCode::CreateTtl => Owner::ttl_raw(ttl_ms),
            _ if mode.is_ephemeral() => self.origin.session,
            _ => 0,
        };
        NodeView {
            stat: StatPersisted {
                czxid: zxid,
                mzxid: zxid,
                pzxid: zxid,
                ctime: time,
                mtime: time,
                ephemeral_owner,
                ..StatPersisted::default()
            },
            content_crc: self.content_crc(path, data),
            data_len: data.map_or(0, <[u8]>::len),
            child_count: 0,
            acl: Some(shared(acl)),
        }
    }

    /// Notes the node and returns the parent's new counter, as the transaction carries it.
    /// A counter that wraps is not taken over, and neither is the pzxid then.
    fn add_child(&mut self, path: &str, parent: &NodeView, node: NodeView) -> i32 {
        let (parent_path, _) = path::split(path).expect("a valid path has a slash");
        let counter = parent.stat.cversion.wrapping_add(1);
        let zxid = self.zxid.0;
        self.update(parent_path, parent, |parent| {
            parent.child_count += 1;
            if counter > parent.stat.cversion {
                parent.stat.cversion = counter;
                parent.stat.pzxid = zxid;
            }
        });
        self.pending.change(path, None, Some(node));
        counter
    }
}

struct NewNode<'r> {
    path: Cow<'r, str>,
    data: Option<&'r [u8]>,
    acl: Vec<Acl<'static>>,
    parent_cversion: i32,
}

impl<'r> NewNode<'r> {
    fn txn(self, op: OpCode, mode: CreateMode, ttl: i64) -> Txn<'r> {
        let (path, data, acl) = (Some(self.path), self.data, Some(self.acl));
        let parent_cversion = self.parent_cversion;
        match op {
            OpCode::CreateContainer => Txn::CreateContainer(CreateContainerTxn {
                path,
                data,
                acl,
                parent_cversion,
            }),
            OpCode::CreateTtl => Txn::CreateTtl(CreateTtlTxn {
                path,
                data,
                acl,
                parent_cversion,
                ttl,
            }),
            _ => {
                let txn = CreateTxn {
                    path,
                    data,
                    acl,
                    ephemeral: mode.is_ephemeral(),
                    parent_cversion,
                };
                match op {
                    OpCode::Create2 => Txn::Create2(txn),
                    _ => Txn::Create(txn),
                }
            }
        }
    }
}
