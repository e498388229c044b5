//! The ports between the members of an ensemble.

pub mod dial;
pub mod election;
pub mod listen;
pub(crate) mod quorum;
