//! Three servers on this machine: writes through all of them, reads from all of them, and what a
//! learner that was away costs the others.
//!
//! How long writes wait when a leader dies, hands over or falls silent is measured by
//! `cargo xtask compat failover`.

mod cluster;
mod load;
mod tree;

use super::rows::Kind;

/// Servers of an ensemble.
pub(super) const SERVERS: usize = 3;

/// Everything there is to measure, in the order of the table.
pub(super) const KINDS: &[Kind] = &[load::KIND, tree::KIND];
