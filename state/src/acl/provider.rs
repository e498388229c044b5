use super::{AuthConfig, ip};

/// What decides about the ids of a scheme. `world`, `auth` and `super` have none: the rules
/// for them are part of [`fixup`](super::fixup) and [`allowed`](super::allowed).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Provider {
    Digest,
    Ip,
    /// Says which ensemble the client means; no list can name it.
    Ensemble,
}

impl Provider {
    /// The provider of a scheme, if it is configured.
    pub(super) fn of(scheme: &str, config: &AuthConfig) -> Option<Self> {
        match scheme {
            "digest" if config.digest_enabled => Some(Self::Digest),
            "ip" => Some(Self::Ip),
            "ensemble" if config.ensemble_names.is_some() => Some(Self::Ensemble),
            _ => None,
        }
    }

    /// Does an identity of this scheme stand for a user, so that `auth` resolves to it?
    pub(super) fn is_authenticated(self) -> bool {
        self == Self::Digest
    }

    /// May this id stand in a list?
    pub(super) fn accepts(self, id: &str) -> bool {
        match self {
            // Two parts, where Java does not count empty ones at the end.
            Self::Digest => id.trim_end_matches(':').matches(':').count() == 1,
            Self::Ip => ip::is_pattern(id),
            Self::Ensemble => false,
        }
    }

    /// Is a connection of this identity meant by this id of a list?
    pub(super) fn matches(self, identity: &str, listed: &str) -> bool {
        match self {
            Self::Digest => identity == listed,
            Self::Ip => ip::matches(identity, listed),
            Self::Ensemble => false,
        }
    }

    /// The part of an identity that may be shown.
    pub(super) fn user_name(self, identity: &str) -> &str {
        match self {
            Self::Digest => identity.split(':').next().unwrap_or_default(),
            Self::Ip | Self::Ensemble => identity,
        }
    }
}
