use crate::data::{Acl, Stat};
use crate::wire::record;
use crate::{Buffer, Ustring};

record! {
    /// Does a node exist?
    pub struct ExistsRequest<'a> {
        /// The node.
        pub path: Ustring<'a>,
        /// Set a data watch, also if there is no node?
        pub watch: bool,
    }
}

record! {
    /// Answer to [`ExistsRequest`].
    #[derive(Copy)]
    pub struct ExistsResponse {
        /// The node's Stat.
        pub stat: Stat,
    }
}

record! {
    /// Read data.
    pub struct GetDataRequest<'a> {
        /// The node.
        pub path: Ustring<'a>,
        /// Set a data watch?
        pub watch: bool,
    }
}

record! {
    /// Answer to [`GetDataRequest`].
    pub struct GetDataResponse<'a> {
        /// The data.
        pub data: Buffer<'a>,
        /// The node's Stat.
        pub stat: Stat,
    }
}

record! {
    /// List children; also the request of getChildren2.
    pub struct GetChildrenRequest<'a> {
        /// The node.
        pub path: Ustring<'a>,
        /// Set a child watch?
        pub watch: bool,
    }
}

record! {
    /// Answer to getChildren: names, in no order.
    pub struct GetChildrenResponse<'a> {
        /// The names.
        pub children: Option<Vec<Ustring<'a>>>,
    }
}

record! {
    /// Answer to getChildren2.
    pub struct GetChildren2Response<'a> {
        /// The names.
        pub children: Option<Vec<Ustring<'a>>>,
        /// The node's Stat.
        pub stat: Stat,
    }
}

record! {
    /// Read the ACL.
    pub struct GetAclRequest<'a> {
        /// The node.
        pub path: Ustring<'a>,
    }
}

record! {
    /// Answer to [`GetAclRequest`].
    pub struct GetAclResponse<'a> {
        /// The list; digests are masked for those without ADMIN.
        pub acl: Option<Vec<Acl<'a>>>,
        /// The node's Stat.
        pub stat: Stat,
    }
}

record! {
    /// List the session's own ephemerals.
    pub struct GetEphemeralsRequest<'a> {
        /// String prefix of their paths; null, blank and `/` mean all.
        pub prefix_path: Ustring<'a>,
    }
}

record! {
    /// Answer to [`GetEphemeralsRequest`].
    pub struct GetEphemeralsResponse<'a> {
        /// Paths, in no order.
        pub ephemerals: Option<Vec<Ustring<'a>>>,
    }
}

record! {
    /// Count all descendants.
    pub struct GetAllChildrenNumberRequest<'a> {
        /// The node.
        pub path: Ustring<'a>,
    }
}

record! {
    /// Answer to [`GetAllChildrenNumberRequest`].
    #[derive(Copy)]
    pub struct GetAllChildrenNumberResponse {
        /// Descendants, without the node itself.
        pub total_number: i32,
    }
}
