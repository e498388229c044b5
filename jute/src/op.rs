macro_rules! op_codes {
    ($( $(#[$meta:meta])* $name:ident = $code:literal, )*) => {
        /// The operations of the protocol and the types of transactions share one number space.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(i32)]
        pub enum OpCode { $( $(#[$meta])* $name = $code, )* }

        impl OpCode {
            /// Every operation, in the order of declaration.
            pub const ALL: &'static [Self] = &[ $( Self::$name, )* ];

            /// The operation with this number, if there is one.
            pub fn from_i32(code: i32) -> Option<Self> {
                match code { $( $code => Some(Self::$name), )* _ => None }
            }
        }
    };
}

op_codes! {
    /// Watch event, server to client only.
    Notification = 0,
    /// Create a node; answers its path.
    Create = 1,
    /// Delete a node.
    Delete = 2,
    /// Does a node exist?
    Exists = 3,
    /// Read data.
    GetData = 4,
    /// Write data.
    SetData = 5,
    /// Read the ACL.
    GetAcl = 6,
    /// Write the ACL.
    SetAcl = 7,
    /// List children.
    GetChildren = 8,
    /// Wait until this server has caught up.
    Sync = 9,
    /// Keep the session alive.
    Ping = 11,
    /// List children, with the Stat.
    GetChildren2 = 12,
    /// Compare a version; only inside a multi.
    Check = 13,
    /// Several writes, atomically.
    Multi = 14,
    /// Create a node; answers its path and Stat.
    Create2 = 15,
    /// Change the ensemble.
    Reconfig = 16,
    /// Is there such a watch?
    CheckWatches = 17,
    /// Remove a watch.
    RemoveWatches = 18,
    /// Create a container node.
    CreateContainer = 19,
    /// Remove an empty container or an expired TTL node; internal.
    DeleteContainer = 20,
    /// Create a node with a time to live.
    CreateTtl = 21,
    /// Several reads.
    MultiRead = 22,
    /// Add an identity to the connection.
    Auth = 100,
    /// Register watches again after a reconnect.
    SetWatches = 101,
    /// One step of a SASL exchange.
    Sasl = 102,
    /// List the session's own ephemerals.
    GetEphemerals = 103,
    /// Count all descendants.
    GetAllChildrenNumber = 104,
    /// As SetWatches, with persistent watches.
    SetWatches2 = 105,
    /// Add a persistent watch.
    AddWatch = 106,
    /// List the connection's identities.
    WhoAmI = 107,
    /// Open a session; internal.
    CreateSession = -10,
    /// Close the session.
    CloseSession = -11,
    /// A failed operation: in the log and in the results of a multi.
    Error = -1,
}

impl OpCode {
    /// The number on the wire.
    pub fn as_i32(self) -> i32 {
        self as i32
    }
}

/// The flags of a create request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum CreateMode {
    /// A plain node.
    Persistent = 0,
    /// A node that goes with its session.
    Ephemeral = 1,
    /// A plain node with a number appended.
    PersistentSequential = 2,
    /// An ephemeral with a number appended.
    EphemeralSequential = 3,
    /// A node that goes when its last child has gone.
    Container = 4,
    /// A node that goes when it is old and has no children.
    PersistentWithTtl = 5,
    /// The same with a number appended.
    PersistentSequentialWithTtl = 6,
}

impl CreateMode {
    /// The mode of these flags; `None` outside 0..=6.
    pub fn from_i32(flags: i32) -> Option<Self> {
        Some(match flags {
            0 => Self::Persistent,
            1 => Self::Ephemeral,
            2 => Self::PersistentSequential,
            3 => Self::EphemeralSequential,
            4 => Self::Container,
            5 => Self::PersistentWithTtl,
            6 => Self::PersistentSequentialWithTtl,
            _ => return None,
        })
    }

    /// The flags on the wire.
    pub fn as_i32(self) -> i32 {
        self as i32
    }

    /// Is a number appended to the path?
    pub fn is_sequential(self) -> bool {
        matches!(
            self,
            Self::PersistentSequential
                | Self::EphemeralSequential
                | Self::PersistentSequentialWithTtl
        )
    }

    /// Does the node go with its session?
    pub fn is_ephemeral(self) -> bool {
        matches!(self, Self::Ephemeral | Self::EphemeralSequential)
    }

    /// Does the node have a time to live?
    pub fn is_ttl(self) -> bool {
        matches!(
            self,
            Self::PersistentWithTtl | Self::PersistentSequentialWithTtl
        )
    }
}
