use crate::wire::record;

record! {
    /// What a client sees of a node. 68 bytes.
    #[derive(Copy, Default)]
    pub struct Stat {
        /// zxid of the creating transaction.
        pub czxid: i64,
        /// zxid of the last change of the data.
        pub mzxid: i64,
        /// Time of creation, milliseconds since 1970.
        pub ctime: i64,
        /// Time of the last change of the data, milliseconds since 1970.
        pub mtime: i64,
        /// Number of changes of the data.
        pub version: i32,
        /// Number of creations and deletions of children.
        pub cversion: i32,
        /// Number of changes of the ACL.
        pub aversion: i32,
        /// Session that owns an ephemeral, else 0.
        pub ephemeral_owner: i64,
        /// Length of the data in bytes.
        pub data_length: i32,
        /// Number of children.
        pub num_children: i32,
        /// zxid of the last creation or deletion of a child.
        pub pzxid: i64,
    }
}

record! {
    /// What a node keeps, in the order of the snapshot. 60 bytes.
    #[derive(Copy, Default)]
    pub struct StatPersisted {
        /// zxid of the creating transaction.
        pub czxid: i64,
        /// zxid of the last change of the data.
        pub mzxid: i64,
        /// Time of creation, milliseconds since 1970.
        pub ctime: i64,
        /// Time of the last change of the data, milliseconds since 1970.
        pub mtime: i64,
        /// Number of changes of the data.
        pub version: i32,
        /// Number of children ever created; what a client sees is twice this less the children
        /// there are.
        pub cversion: i32,
        /// Number of changes of the ACL.
        pub aversion: i32,
        /// Owner as stored: a session, the container marker, or a TTL.
        pub ephemeral_owner: i64,
        /// zxid of the last creation or deletion of a child.
        pub pzxid: i64,
    }
}

impl StatPersisted {
    /// Length of the encoded form in bytes.
    pub const ENCODED_LEN: usize = 60;
}
