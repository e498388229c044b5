use std::sync::Arc;

use jute::data::{Acl, Id, perms};
use jute::proto::{CreateRequest, CreateTtlRequest, MultiOp};
use jute::txn::Txn;
use jute::{ErrorCode, OpCode, Zxid, path};

use super::pending::{NodeView, Pending};
use super::{Origin, PrepOptions, SessionKind};
use crate::acl::{AclList, fixup, node_allows};
use crate::quota;
use crate::state::State;

/// A transaction in the making: what its checks look at, and where its effects are noted.
///
/// A check that fails leaves no effect of its operation behind. An error code is also the
/// answer; MARSHALLINGERROR means in a multi that the request as a whole fails.
pub(super) struct Draft<'p> {
    pub(super) state: &'p State,
    pub(super) options: &'p PrepOptions,
    pub(super) pending: &'p mut Pending,
    pub(super) origin: Origin,
    pub(super) kind: SessionKind,
    pub(super) identities: &'p [Id<'static>],
    pub(super) zxid: Zxid,
    /// Is the operation one of several?
    pub(super) in_multi: bool,
}

impl Draft<'_> {
    /// Any single write but setACL and reconfig, which a multi cannot hold.
    pub(super) fn write<'r>(&mut self, op: MultiOp<'r>) -> Result<Txn<'r>, ErrorCode> {
        let kind = op.op();
        match op {
            MultiOp::Create(request)
            | MultiOp::Create2(request)
            | MultiOp::CreateContainer(request) => self.create(kind, without_ttl(request)),
            MultiOp::CreateTtl(request) => self.create(OpCode::CreateTtl, request),
            MultiOp::Delete(request) => self.delete(request),
            MultiOp::SetData(request) => self.set_data(request),
            MultiOp::Check(request) => self.check_version(request),
        }
    }

    /// A standalone server has no ensemble to change (3.10). Errors in this order.
    pub(super) fn reconfig(&self) -> Result<Txn<'static>, ErrorCode> {
        Err(if self.options.reconfig_enabled {
            ErrorCode::Unimplemented
        } else {
            ErrorCode::ReconfigDisabled
        })
    }

    /// Who may write the configuration's node may replace the configuration.
    pub(super) fn reconfigure(&mut self) -> Result<(), ErrorCode> {
        let node = self.node(path::CONFIG)?;
        self.require(&node, perms::WRITE)?;
        let (zxid, now_ms) = (self.zxid.0, self.origin.now_ms);
        self.update(path::CONFIG, &node, |node| {
            node.stat.version = super::ANY_VERSION;
            node.stat.mzxid = zxid;
            node.stat.mtime = now_ms;
        });
        Ok(())
    }

    pub(super) fn node(&self, path: &str) -> Result<NodeView, ErrorCode> {
        let node = self.pending.node(self.state, path);
        node.ok_or(ErrorCode::NoNode)
    }

    pub(super) fn require(&self, node: &NodeView, perms: i32) -> Result<(), ErrorCode> {
        let auth = &self.options.auth;
        if node_allows(node.acl.as_ref(), perms, self.identities, auth) {
            Ok(())
        } else {
            Err(ErrorCode::NoAuth)
        }
    }

    pub(super) fn fixup(&self, acl: Option<&[Acl<'_>]>) -> Result<Vec<Acl<'static>>, ErrorCode> {
        let max_len = self.state.options.limits.max_len;
        fixup(acl, self.identities, &self.options.auth, max_len)
    }

    /// The committed usage decides; what is pending may overshoot (6.3).
    pub(super) fn check_quota(&self, path: &str, count: i64, bytes: i64) -> Result<(), ErrorCode> {
        if !self.options.enforce_quota {
            return Ok(());
        }
        let State { quotas, tree, .. } = self.state;
        quota::check(quotas, tree, path, (count, bytes), |exceeded| {
            if let Some(sink) = &self.options.quota_sink {
                sink.exceeded(exceeded);
            }
        })
    }

    /// Turns the node into what `change` makes of it.
    pub(super) fn update(
        &mut self,
        path: &str,
        before: &NodeView,
        change: impl FnOnce(&mut NodeView),
    ) {
        let mut after = before.clone();
        change(&mut after);
        self.pending.change(path, Some(before), Some(after));
    }

    /// Removes a leaf, which raises its parent's pzxid and leaves its counter.
    pub(super) fn remove(
        &mut self,
        path: &str,
        node: &NodeView,
        parent_path: &str,
        parent: &NodeView,
    ) {
        let zxid = self.zxid.0;
        self.update(parent_path, parent, |parent| {
            let left = parent.child_count.checked_sub(1);
            parent.child_count = left.expect("a parent counts its children");
            parent.stat.pzxid = parent.stat.pzxid.max(zxid);
        });
        self.pending.change(path, Some(node), None);
    }

    pub(super) fn content_crc(&self, path: &str, data: Option<&[u8]>) -> u32 {
        if self.state.options.digest_enabled {
            crate::digest::content_crc(path, data)
        } else {
            0
        }
    }
}

/// Full validation of a path (6.1); the null path is as bad as any.
pub(super) fn validated(path: Option<&str>) -> Result<&str, ErrorCode> {
    match path {
        Some(path) if path::validate(path).is_ok() => Ok(path),
        _ => Err(ErrorCode::BadArguments),
    }
}

/// The parent's path, of a path that has a slash and no NUL: all that create and delete
/// look at first.
pub(super) fn parent_of(path: &str) -> Result<&str, ErrorCode> {
    match path::split(path) {
        Some((parent, _)) if !path.contains('\0') => Ok(parent),
        _ => Err(ErrorCode::BadArguments),
    }
}

/// Compares a version and returns the next one. It wraps, and from -2 goes to -1, which
/// as an expected version means any: so does Apache 3.9.
pub(super) fn next_version(current: i32, expected: i32) -> Result<i32, ErrorCode> {
    const ANY: i32 = -1;
    if expected != ANY && expected != current {
        return Err(ErrorCode::BadVersion);
    }
    Ok(current.wrapping_add(1))
}

pub(super) fn shared(acl: &[Acl<'static>]) -> AclList {
    Arc::from(acl)
}

fn without_ttl(request: CreateRequest<'_>) -> CreateTtlRequest<'_> {
    CreateTtlRequest {
        path: request.path,
        data: request.data,
        acl: request.acl,
        flags: request.flags,
        ttl: super::create::NO_TTL,
    }
}
