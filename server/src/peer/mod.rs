//! The ports between the members of an ensemble.

mod complaints;
#[cfg(test)]
mod dead_ends;
pub mod dial;
pub mod election;
pub mod listen;
pub(crate) mod quorum;

pub(crate) use complaints::Complaints;
