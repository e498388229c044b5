macro_rules! error_codes {
    ($( $(#[$meta:meta])* $name:ident = $code:literal, )*) => {
        /// The error codes of the protocol. Part of the data: clients raise an exception for each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(i32)]
        pub enum ErrorCode { $( $(#[$meta])* $name = $code, )* }

        impl ErrorCode {
            /// The code with this number, if there is one.
            pub fn from_i32(code: i32) -> Option<Self> {
                match code { $( $code => Some(Self::$name), )* _ => None }
            }
        }
    };
}

error_codes! {
    /// Success.
    Ok = 0,
    /// Something failed in the server.
    SystemError = -1,
    /// An operation of a multi that did not run because another one failed.
    RuntimeInconsistency = -2,
    /// The data contradict each other.
    DataInconsistency = -3,
    /// The connection was lost (raised by clients only).
    ConnectionLoss = -4,
    /// The request could not be decoded.
    MarshallingError = -5,
    /// The operation is unknown or switched off.
    Unimplemented = -6,
    /// The operation took too long (raised by clients only).
    OperationTimeout = -7,
    /// An argument is invalid.
    BadArguments = -8,
    /// The session is not known.
    UnknownSession = -12,
    /// No quorum of the new configuration is connected.
    NewConfigNoQuorum = -13,
    /// Another reconfiguration is under way.
    ReconfigInProgress = -14,
    /// The node does not exist.
    NoNode = -101,
    /// Permission denied.
    NoAuth = -102,
    /// The expected version is not the node's.
    BadVersion = -103,
    /// An ephemeral node cannot have children.
    NoChildrenForEphemerals = -108,
    /// The node exists.
    NodeExists = -110,
    /// The node has children.
    NotEmpty = -111,
    /// The session has expired.
    SessionExpired = -112,
    /// The callback is invalid (raised by clients only).
    InvalidCallback = -113,
    /// The ACL is invalid.
    InvalidAcl = -114,
    /// Authentication failed.
    AuthFailed = -115,
    /// The session moved to another server (never sent: the connection is closed).
    SessionMoved = -118,
    /// The server is read-only.
    NotReadOnly = -119,
    /// A local session cannot own ephemerals.
    EphemeralOnLocalSession = -120,
    /// There is no such watch.
    NoWatcher = -121,
    /// The request timed out (raised by clients only).
    RequestTimeout = -122,
    /// Reconfiguration is disabled.
    ReconfigDisabled = -123,
    /// The server wants authentication first.
    SessionClosedRequireSaslAuth = -124,
    /// A hard quota would be exceeded.
    QuotaExceeded = -125,
    /// The request waited too long.
    ThrottledOp = -127,
}

impl ErrorCode {
    /// The number on the wire.
    pub fn as_i32(self) -> i32 {
        self as i32
    }
}
