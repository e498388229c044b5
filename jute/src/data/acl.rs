use std::borrow::Cow;

use crate::Ustring;
use crate::wire::record;

record! {
    /// Who: a scheme and an id in it.
    #[derive(Hash)]
    pub struct Id<'a> {
        /// The scheme: `world`, `auth`, `digest`, `ip`, `x509`, `sasl`, `super`.
        pub scheme: Ustring<'a>,
        /// The id; its form depends on the scheme.
        pub id: Ustring<'a>,
    }
}

record! {
    /// One entry of an access control list.
    #[derive(Hash)]
    pub struct Acl<'a> {
        /// Bits of [`perms`]; other bits are kept and returned as given.
        pub perms: i32,
        /// Whom the permissions are given to.
        pub id: Id<'a>,
    }
}

/// Permission bits of an [`Acl`].
pub mod perms {
    /// Read data and children.
    pub const READ: i32 = 1;
    /// Change data.
    pub const WRITE: i32 = 2;
    /// Create children.
    pub const CREATE: i32 = 4;
    /// Delete children.
    pub const DELETE: i32 = 8;
    /// Change the ACL.
    pub const ADMIN: i32 = 16;
    /// All of them.
    pub const ALL: i32 = 31;
}

impl<'a> Id<'a> {
    /// An id with both parts given.
    pub fn new(scheme: impl Into<Cow<'a, str>>, id: impl Into<Cow<'a, str>>) -> Self {
        Self {
            scheme: Some(scheme.into()),
            id: Some(id.into()),
        }
    }

    /// A copy that borrows nothing.
    pub fn into_owned(self) -> Id<'static> {
        Id {
            scheme: self.scheme.map(|text| Cow::Owned(text.into_owned())),
            id: self.id.map(|text| Cow::Owned(text.into_owned())),
        }
    }
}

impl<'a> Acl<'a> {
    /// An entry that gives `perms` to `scheme:id`.
    pub fn new(perms: i32, scheme: impl Into<Cow<'a, str>>, id: impl Into<Cow<'a, str>>) -> Self {
        Self {
            perms,
            id: Id::new(scheme, id),
        }
    }

    /// The open ACL: everything to everyone.
    pub fn open() -> Self {
        Self::new(perms::ALL, "world", "anyone")
    }

    /// A copy that borrows nothing.
    pub fn into_owned(self) -> Acl<'static> {
        Acl {
            perms: self.perms,
            id: self.id.into_owned(),
        }
    }
}
