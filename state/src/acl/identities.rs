//! Who a connection is.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use jute::data::Id;
use jute::proto::ClientInfo;
use thiserror::Error;

use super::provider::Provider;
use super::{AuthConfig, SUPER, digest_id};

/// The identities of a connection. A request keeps the ones it was received with, so they
/// are replaced rather than changed.
pub type Identities = Arc<[Id<'static>]>;

/// Why an auth packet is refused. The client is told AUTHFAILED and the connection closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AuthError {
    /// There is no such scheme, or it takes no auth packets.
    #[error("unknown authentication scheme")]
    UnknownScheme,
    /// The credential is missing.
    #[error("no credential given")]
    NoCredential,
    /// The client expects another ensemble.
    #[error("the client expects another ensemble")]
    WrongEnsemble,
}

/// The identities that an auth packet adds. `peer` is the address as [`peer_text`] gives it.
///
/// # Errors
/// See [`AuthError`].
pub fn authenticate(
    config: &AuthConfig,
    scheme: &str,
    credential: Option<&[u8]>,
    peer: &str,
) -> Result<Vec<Id<'static>>, AuthError> {
    match Provider::of(scheme, config).ok_or(AuthError::UnknownScheme)? {
        Provider::Digest => {
            let credential = credential.ok_or(AuthError::NoCredential)?;
            let user_password = String::from_utf8_lossy(credential);
            Ok(digest_identities(config, &user_password))
        }
        Provider::Ip => Ok(vec![Id::new("ip", peer.to_owned())]),
        Provider::Ensemble => check_ensemble(config, credential.unwrap_or_default()),
    }
}

/// The identities of a new connection. `scope` names the interface of a link-local peer.
pub fn peer_identities(address: IpAddr, scope: Option<&str>) -> Identities {
    Arc::new([Id::new("ip", peer_text(address, scope))])
}

/// An address in Java's textual form: IPv6 as eight groups, none left out.
pub fn peer_text(address: IpAddr, scope: Option<&str>) -> String {
    let IpAddr::V6(v6) = address.to_canonical() else {
        return address.to_canonical().to_string();
    };
    let mut text = v6
        .segments()
        .map(|segment| format!("{segment:x}"))
        .join(":");
    if let Some(scope) = scope {
        text.push('%');
        text.push_str(scope);
    }
    text
}

/// Most identities of a connection: they accumulate, and each write may be checked against
/// all of them.
pub const IDENTITIES_MAX: usize = 1024;
/// Most bytes of text in the identities of a connection.
pub const IDENTITIES_BYTES_MAX: usize = 1 << 20;

/// `current` and those of `more` that are new. What would exceed [`IDENTITIES_MAX`] or
/// [`IDENTITIES_BYTES_MAX`] is left out: a client that collects that many lacks a
/// permission, rather than that the server lacks memory.
pub fn with_identities(current: &Identities, more: Vec<Id<'static>>) -> Identities {
    let mut all = current.to_vec();
    let mut bytes: usize = all.iter().map(text_len).sum();
    for identity in more {
        let len = text_len(&identity);
        let fits = all.len() < IDENTITIES_MAX && bytes + len <= IDENTITIES_BYTES_MAX;
        if fits && !all.contains(&identity) {
            bytes += len;
            all.push(identity);
        }
    }
    all.into()
}

fn text_len(identity: &Id<'_>) -> usize {
    let len = |text: Option<&str>| text.map_or(0, str::len);
    len(identity.scheme.as_deref()) + len(identity.id.as_deref())
}

/// What whoAmI answers: the schemes and users, without secrets.
pub fn who_am_i<'i>(identities: &'i [Id<'static>], config: &AuthConfig) -> Vec<ClientInfo<'i>> {
    identities
        .iter()
        .map(|identity| {
            let scheme = identity.scheme.as_deref().unwrap_or_default();
            let id = identity.id.as_deref().unwrap_or_default();
            let user = Provider::of(scheme, config).map_or("", |provider| provider.user_name(id));
            ClientInfo {
                auth_scheme: Some(Cow::Borrowed(scheme)),
                user: Some(Cow::Borrowed(user)),
            }
        })
        .collect()
}

fn digest_identities(config: &AuthConfig, user_password: &str) -> Vec<Id<'static>> {
    let id = digest_id(config.digest_algorithm, user_password);
    let mut added = Vec::with_capacity(2);
    if config.super_digest.as_deref() == Some(&id) {
        added.push(Id::new(SUPER, ""));
    }
    added.push(Id::new("digest", id));
    added
}

/// An empty credential is a client that does not care which ensemble it talks to, and a server
/// without a name takes all.
fn check_ensemble(config: &AuthConfig, expected: &[u8]) -> Result<Vec<Id<'static>>, AuthError> {
    let names = config.ensemble_names.as_deref().unwrap_or_default();
    if expected.is_empty()
        || names.is_empty()
        || names.iter().any(|name| name.as_bytes() == expected)
    {
        Ok(Vec::new())
    } else {
        Err(AuthError::WrongEnsemble)
    }
}
