use std::borrow::Cow;

use jute::data::{Acl, Id};

use super::provider::Provider;
use super::{ANYONE, AclList, AuthConfig, SUPER, WORLD};

/// Does the list give one of the permissions `perms` to one of the identities?
pub fn allowed(
    acl: &[Acl<'_>],
    perms: i32,
    identities: &[Id<'static>],
    config: &AuthConfig,
) -> bool {
    if config.skip_acl || acl.is_empty() || is_super(identities) {
        return true;
    }
    acl.iter()
        .filter(|entry| entry.perms & perms != 0)
        .any(|entry| names_one_of(&entry.id, identities, config))
}

/// As [`allowed`], for the list of a node as [`State::acl_of`](crate::State::acl_of) finds
/// it: a list that a fuzzy snapshot left unknown lets nobody in but `super`.
pub fn node_allows(
    acl: Option<&AclList>,
    perms: i32,
    identities: &[Id<'static>],
    config: &AuthConfig,
) -> bool {
    match acl {
        Some(acl) => allowed(acl, perms, identities, config),
        None => config.skip_acl || is_super(identities),
    }
}

/// The list as a reader without ADMIN sees it: no hashes of passwords.
pub fn mask_digests<'a>(acl: &'a [Acl<'_>]) -> Vec<Acl<'a>> {
    acl.iter()
        .map(|entry| {
            let scheme = entry.id.scheme.as_deref();
            let id = match (scheme, entry.id.id.as_deref()) {
                (Some("digest"), Some(id)) => {
                    let user = id.split(':').next().unwrap_or_default();
                    Some(Cow::Owned(format!("{user}:x")))
                }
                (_, id) => id.map(Cow::Borrowed),
            };
            Acl {
                perms: entry.perms,
                id: Id {
                    scheme: scheme.map(Cow::Borrowed),
                    id,
                },
            }
        })
        .collect()
}

fn is_super(identities: &[Id<'static>]) -> bool {
    identities
        .iter()
        .any(|identity| identity.scheme.as_deref() == Some(SUPER))
}

fn names_one_of(listed: &Id<'_>, identities: &[Id<'static>], config: &AuthConfig) -> bool {
    let (Some(scheme), Some(id)) = (listed.scheme.as_deref(), listed.id.as_deref()) else {
        return false;
    };
    if scheme == WORLD && id == ANYONE {
        return true;
    }
    let Some(provider) = Provider::of(scheme, config) else {
        return false;
    };
    identities
        .iter()
        .filter(|identity| identity.scheme.as_deref() == Some(scheme))
        .filter_map(|identity| identity.id.as_deref())
        .any(|identity| provider.matches(identity, id))
}
