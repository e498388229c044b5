use crate::data::{Acl, Stat};
use crate::wire::record;
use crate::{Buffer, Ustring};

record! {
    /// Create a node (create, create2, createContainer).
    pub struct CreateRequest<'a> {
        /// The path; a sequential mode appends a number.
        pub path: Ustring<'a>,
        /// The data.
        pub data: Buffer<'a>,
        /// The ACL, before `auth` entries are resolved.
        pub acl: Option<Vec<Acl<'a>>>,
        /// A [`CreateMode`](crate::CreateMode).
        pub flags: i32,
    }
}

record! {
    /// Create a node with a time to live.
    pub struct CreateTtlRequest<'a> {
        /// The path; a sequential mode appends a number.
        pub path: Ustring<'a>,
        /// The data.
        pub data: Buffer<'a>,
        /// The ACL, before `auth` entries are resolved.
        pub acl: Option<Vec<Acl<'a>>>,
        /// A [`CreateMode`](crate::CreateMode).
        pub flags: i32,
        /// Time to live, milliseconds.
        pub ttl: i64,
    }
}

record! {
    /// Answer to create.
    pub struct CreateResponse<'a> {
        /// The final path.
        pub path: Ustring<'a>,
    }
}

record! {
    /// Answer to create2, createContainer and createTTL.
    pub struct Create2Response<'a> {
        /// The final path.
        pub path: Ustring<'a>,
        /// The new node's Stat.
        pub stat: Stat,
    }
}

record! {
    /// Delete a node.
    pub struct DeleteRequest<'a> {
        /// The node.
        pub path: Ustring<'a>,
        /// The version it must have, -1 for any.
        pub version: i32,
    }
}

record! {
    /// Delete an empty container; internal.
    pub struct DeleteContainerRequest<'a> {
        /// The node.
        pub path: Ustring<'a>,
    }
}

record! {
    /// Write data.
    pub struct SetDataRequest<'a> {
        /// The node.
        pub path: Ustring<'a>,
        /// The data.
        pub data: Buffer<'a>,
        /// The version it must have, -1 for any.
        pub version: i32,
    }
}

record! {
    /// Answer to [`SetDataRequest`].
    #[derive(Copy)]
    pub struct SetDataResponse {
        /// The node's Stat after the change.
        pub stat: Stat,
    }
}

record! {
    /// Write the ACL.
    pub struct SetAclRequest<'a> {
        /// The node.
        pub path: Ustring<'a>,
        /// The ACL, before `auth` entries are resolved.
        pub acl: Option<Vec<Acl<'a>>>,
        /// The aversion it must have, -1 for any.
        pub version: i32,
    }
}

record! {
    /// Answer to [`SetAclRequest`].
    #[derive(Copy)]
    pub struct SetAclResponse {
        /// The node's Stat after the change.
        pub stat: Stat,
    }
}

record! {
    /// Compare a version; only inside a multi.
    pub struct CheckVersionRequest<'a> {
        /// The node.
        pub path: Ustring<'a>,
        /// The version it must have, -1 for any.
        pub version: i32,
    }
}
