use crate::data::Acl;
use crate::wire::record;
use crate::{Buffer, Ustring};

record! {
    /// In front of every transaction. 32 bytes.
    #[derive(Copy)]
    pub struct TxnHeader {
        /// The session that asked for it; 0 for the server's own.
        pub client_id: i64,
        /// The request's xid.
        pub cxid: i32,
        /// The transaction's place in the history.
        pub zxid: i64,
        /// The leader's wall clock, milliseconds since 1970.
        pub time: i64,
        /// The type, an [`OpCode`](crate::OpCode).
        pub kind: i32,
    }
}

impl TxnHeader {
    /// Length of the encoded form in bytes.
    pub const ENCODED_LEN: usize = 32;
}

record! {
    /// Behind a transaction: the digest of the tree after it. 12 bytes.
    #[derive(Copy)]
    pub struct TxnDigest {
        /// Version of the algorithm, [`TxnDigest::VERSION`].
        pub version: i32,
        /// The digest.
        pub tree_digest: i64,
    }
}

impl TxnDigest {
    /// The algorithm of Apache 3.6 and later.
    pub const VERSION: i32 = 2;
}

record! {
    /// A created node (types create and create2).
    pub struct CreateTxn<'a> {
        /// The final path.
        pub path: Ustring<'a>,
        /// The data.
        pub data: Buffer<'a>,
        /// The resolved ACL.
        pub acl: Option<Vec<Acl<'a>>>,
        /// Does it belong to the session of the header?
        pub ephemeral: bool,
        /// The parent's new stored cversion, -1 when unknown.
        pub parent_cversion: i32,
    }
}

record! {
    /// A created container.
    pub struct CreateContainerTxn<'a> {
        /// The final path.
        pub path: Ustring<'a>,
        /// The data.
        pub data: Buffer<'a>,
        /// The resolved ACL.
        pub acl: Option<Vec<Acl<'a>>>,
        /// The parent's new stored cversion.
        pub parent_cversion: i32,
    }
}

record! {
    /// A created node with a time to live.
    pub struct CreateTtlTxn<'a> {
        /// The final path.
        pub path: Ustring<'a>,
        /// The data.
        pub data: Buffer<'a>,
        /// The resolved ACL.
        pub acl: Option<Vec<Acl<'a>>>,
        /// The parent's new stored cversion.
        pub parent_cversion: i32,
        /// Time to live, milliseconds.
        pub ttl: i64,
    }
}

record! {
    /// A deleted node.
    pub struct DeleteTxn<'a> {
        /// The node.
        pub path: Ustring<'a>,
    }
}

record! {
    /// Changed data; also a reconfiguration, on `/zookeeper/config`.
    pub struct SetDataTxn<'a> {
        /// The node.
        pub path: Ustring<'a>,
        /// The new data.
        pub data: Buffer<'a>,
        /// The new version.
        pub version: i32,
    }
}

record! {
    /// A changed ACL.
    pub struct SetAclTxn<'a> {
        /// The node.
        pub path: Ustring<'a>,
        /// The resolved new ACL.
        pub acl: Option<Vec<Acl<'a>>>,
        /// The new aversion.
        pub version: i32,
    }
}

record! {
    /// A compared version; only inside a multi, and not compared again.
    pub struct CheckVersionTxn<'a> {
        /// The node.
        pub path: Ustring<'a>,
        /// The node's version plus one.
        pub version: i32,
    }
}

record! {
    /// An opened session.
    #[derive(Copy)]
    pub struct CreateSessionTxn {
        /// Its timeout, milliseconds.
        pub timeout_ms: i32,
    }
}

record! {
    /// A closed session.
    pub struct CloseSessionTxn<'a> {
        /// Its ephemerals, in the order of their deletion.
        pub paths_to_delete: Option<Vec<Ustring<'a>>>,
    }
}

record! {
    /// A failed request.
    #[derive(Copy)]
    pub struct ErrorTxn {
        /// The error.
        pub err: i32,
    }
}
