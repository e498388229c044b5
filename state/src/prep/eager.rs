//! The check of permissions before a write is queued.

use jute::data::{Acl, Id, perms};
use jute::path::split_child;
use jute::proto::MultiOp;
use jute::{ErrorCode, OpCode};

use super::Write;
use crate::acl::{AuthConfig, fixup, node_allows};
use crate::state::State;

/// Whether this tree, as it is now, lets these identities do what a request asks for. What is not
/// checked here passes: all but create, create2, delete, setData and setACL, as in Apache, and
/// whatever fails for another reason.
///
/// # Errors
/// INVALIDACL, or NOAUTH.
pub fn check_permissions(
    state: &State,
    op: OpCode,
    body: &[u8],
    identities: &[Id<'static>],
    auth: &AuthConfig,
) -> Result<(), ErrorCode> {
    let limits = state.options.limits;
    let Ok(write) = Write::decode(op, body, limits) else {
        return Ok(());
    };
    let (path, wanted, acl) = match &write {
        Write::One(MultiOp::Create(create) | MultiOp::Create2(create)) => (
            parent(create.path.as_deref()),
            perms::CREATE,
            Some(&create.acl),
        ),
        Write::One(MultiOp::Delete(delete)) => {
            (parent(delete.path.as_deref()), perms::DELETE, None)
        }
        Write::One(MultiOp::SetData(set)) => (set.path.as_deref(), perms::WRITE, None),
        Write::SetAcl(set) => (set.path.as_deref(), perms::ADMIN, Some(&set.acl)),
        _ => return Ok(()),
    };
    if let Some(acl) = acl {
        let acl: Option<&[Acl<'_>]> = acl.as_deref();
        let fixed = fixup(acl, identities, auth, limits.max_len);
        if let Err(ErrorCode::InvalidAcl) = fixed {
            return Err(ErrorCode::InvalidAcl);
        }
    }
    let node = path.and_then(|path| state.tree().lookup(path));
    match node {
        Some(id) if !node_allows(state.acl_of(id), wanted, identities, auth) => {
            Err(ErrorCode::NoAuth)
        }
        _ => Ok(()),
    }
}

fn parent(path: Option<&str>) -> Option<&str> {
    split_child(path?).map(|(parent, _)| parent)
}
