//! Access control: who a connection is, and what a list of a node lets it do.
//!
//! * [`authenticate`]: from an auth packet to identities
//! * [`fixup`]: from the list in a request to the list that is stored
//! * [`allowed`]: the decision
//! * [`AclCache`]: many nodes, few lists

mod cache;
mod check;
mod digest;
mod fixup;
mod identities;
mod ip;
mod provider;

#[cfg(test)]
mod tests;

pub use cache::{AclCache, AclId, AclList};
pub use check::{allowed, mask_digests, node_allows};
pub use digest::{DigestAlgorithm, digest_id};
pub use fixup::fixup;
pub use identities::{
    AuthError, IDENTITIES_BYTES_MAX, IDENTITIES_MAX, Identities, authenticate, peer_identities,
    peer_text, who_am_i, with_identities,
};

/// Scheme of the one id that means everybody.
pub(crate) const WORLD: &str = "world";
/// The only id of the scheme `world`.
pub(crate) const ANYONE: &str = "anyone";
/// Scheme of identities that every list lets in.
pub(crate) const SUPER: &str = "super";
/// Stands in a request for the connection's own identities.
pub(crate) const AUTH: &str = "auth";

/// The part of the configuration that decides about access.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthConfig {
    /// `zookeeper.skipACL`: everything is allowed to everybody.
    pub skip_acl: bool,
    /// `zookeeper.DigestAuthenticationProvider.enabled`.
    pub digest_enabled: bool,
    /// `zookeeper.DigestAuthenticationProvider.digestAlg`; the same on all servers.
    pub digest_algorithm: DigestAlgorithm,
    /// `zookeeper.DigestAuthenticationProvider.superDigest`: the digest id whose owner
    /// may do everything.
    pub super_digest: Option<String>,
    /// `zookeeper.ensembleAuthName`, split at commas, where the scheme `ensemble` is
    /// configured: names that a client may expect of this ensemble.
    pub ensemble_names: Option<Vec<String>>,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            skip_acl: false,
            digest_enabled: true,
            digest_algorithm: DigestAlgorithm::Sha1,
            super_digest: None,
            ensemble_names: None,
        }
    }
}
