//! Small records that requests, transactions and snapshots share.

mod acl;
mod stat;

pub use acl::{Acl, Id, perms};
pub use stat::{Stat, StatPersisted};
