use jute::ErrorCode;
use jute::data::{Acl, Id};

use super::provider::Provider;
use super::{ANYONE, AUTH, AuthConfig, WORLD};

/// The list that is stored for the list of a request: without duplicates, `auth` replaced
/// by the connection's own identities.
///
/// # Errors
/// [`ErrorCode::InvalidAcl`] for a null or empty list and for an id that its scheme does
/// not accept; [`ErrorCode::MarshallingError`] for a null id in a scheme that is known.
pub fn fixup(
    acl: Option<&[Acl<'_>]>,
    identities: &[Id<'static>],
    config: &AuthConfig,
    max_len: usize,
) -> Result<Vec<Acl<'static>>, ErrorCode> {
    let acl = acl.unwrap_or_default();
    if acl.is_empty() {
        return Err(ErrorCode::InvalidAcl);
    }
    let mut fixed = Vec::with_capacity(acl.len());
    let mut len = 0;
    for entry in without_duplicates(acl) {
        let before = fixed.len();
        add(entry, identities, config, &mut fixed)?;
        // A few entries times a few identities may be many: stop before there are.
        len += fixed[before..].iter().map(encoded_len).sum::<usize>();
        if len > max_len {
            return Err(ErrorCode::MarshallingError);
        }
    }
    Ok(fixed)
}

fn encoded_len(entry: &Acl<'_>) -> usize {
    /// Permissions and two lengths.
    const FIXED: usize = 12;
    let len = |text: Option<&str>| text.map_or(0, str::len);
    FIXED + len(entry.id.scheme.as_deref()) + len(entry.id.id.as_deref())
}

/// Lists that are long enough for a set to beat comparing each with each.
const LONG_LIST: usize = 16;

fn without_duplicates<'l, 'a>(acl: &'l [Acl<'a>]) -> Vec<&'l Acl<'a>> {
    if acl.len() < LONG_LIST {
        let is_first = |at: usize| !acl[..at].contains(&acl[at]);
        return (0..acl.len())
            .filter(|at| is_first(*at))
            .map(|at| &acl[at])
            .collect();
    }
    // A client chooses the entries, but sorting bounds what it can make this cost.
    let mut order: Vec<usize> = (0..acl.len()).collect();
    order.sort_by(|one, other| key(&acl[*one]).cmp(&key(&acl[*other])));
    order.dedup_by(|later, first| acl[*later] == acl[*first]);
    order.sort_unstable();
    order.into_iter().map(|at| &acl[at]).collect()
}

fn key<'l>(entry: &'l Acl<'_>) -> (Option<&'l str>, Option<&'l str>, i32) {
    let Id { scheme, id } = &entry.id;
    (scheme.as_deref(), id.as_deref(), entry.perms)
}

fn add(
    entry: &Acl<'_>,
    identities: &[Id<'static>],
    config: &AuthConfig,
    fixed: &mut Vec<Acl<'static>>,
) -> Result<(), ErrorCode> {
    let id = entry.id.id.as_deref();
    match entry.id.scheme.as_deref() {
        // Borrowed from the program: the most common entry costs no allocation.
        Some(WORLD) if id == Some(ANYONE) => fixed.push(Acl::new(entry.perms, WORLD, ANYONE)),
        Some(AUTH) => {
            let before = fixed.len();
            fixed.extend(
                identities
                    .iter()
                    .filter(|identity| stands_for_user(identity, config))
                    .map(|identity| Acl {
                        perms: entry.perms,
                        id: identity.clone(),
                    }),
            );
            if fixed.len() == before {
                return Err(ErrorCode::InvalidAcl);
            }
        }
        Some(WORLD) if id.is_none() => return Err(ErrorCode::MarshallingError),
        Some(scheme) => {
            let provider = Provider::of(scheme, config).ok_or(ErrorCode::InvalidAcl)?;
            if !provider.accepts(id.ok_or(ErrorCode::MarshallingError)?) {
                return Err(ErrorCode::InvalidAcl);
            }
            fixed.push(entry.clone().into_owned());
        }
        None => return Err(ErrorCode::InvalidAcl),
    }
    Ok(())
}

fn stands_for_user(identity: &Id<'static>, config: &AuthConfig) -> bool {
    identity
        .scheme
        .as_deref()
        .and_then(|scheme| Provider::of(scheme, config))
        .is_some_and(Provider::is_authenticated)
}
