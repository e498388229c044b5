//! The access control lists that everybody uses.

use jute::data::{Acl, perms};

/// Everything to everyone.
pub fn open() -> Vec<Acl<'static>> {
    vec![Acl::open()]
}

/// Everything to the identities of the creator's connection.
pub fn creator_all() -> Vec<Acl<'static>> {
    vec![Acl::new(perms::ALL, "auth", "")]
}

/// Reading to everyone.
pub fn read_open() -> Vec<Acl<'static>> {
    vec![Acl::new(perms::READ, "world", "anyone")]
}
