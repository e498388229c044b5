//! The ports between the members of an ensemble.

pub mod dial;
pub mod election;
pub(crate) mod quorum;
