//! Links between servers.

pub(crate) mod dial;
pub(crate) mod election;
pub(crate) mod quorum;
