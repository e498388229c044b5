use crate::Buffer;
use crate::wire::{Decode, DecodeError, Encode, Reader, record};

record! {
    /// In front of every request. 8 bytes.
    #[derive(Copy)]
    pub struct RequestHeader {
        /// Chosen by the client and echoed in the reply.
        pub xid: i32,
        /// The operation, an [`OpCode`](crate::OpCode).
        pub op: i32,
    }
}

record! {
    /// In front of every reply and event. 16 bytes.
    #[derive(Copy)]
    pub struct ReplyHeader {
        /// The request's xid, or one of the constants here.
        pub xid: i32,
        /// The transaction's zxid, or the last one applied.
        pub zxid: i64,
        /// 0 or an [`ErrorCode`](crate::ErrorCode); then the body is empty.
        pub err: i32,
    }
}

impl ReplyHeader {
    /// xid of a watch event.
    pub const NOTIFICATION_XID: i32 = -1;
    /// xid of every reply to a ping.
    pub const PING_XID: i32 = -2;
    /// xid that clients use for auth packets.
    pub const AUTH_XID: i32 = -4;
    /// xid that clients use for setWatches.
    pub const SET_WATCHES_XID: i32 = -8;
}

/// The first packet of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectRequest<'a> {
    /// Ignored by servers.
    pub protocol_version: i32,
    /// The highest zxid that the client has seen.
    pub last_zxid_seen: i64,
    /// Session timeout wanted, milliseconds.
    pub timeout_ms: i32,
    /// 0 for a new session.
    pub session_id: i64,
    /// Password of the session to renew.
    pub passwd: Buffer<'a>,
    /// Is a read-only server good enough? `None` from clients older than 3.4, which also
    /// must not get the flag in the response.
    pub read_only: Option<bool>,
}

impl Encode for ConnectRequest<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.protocol_version.encode(out);
        self.last_zxid_seen.encode(out);
        self.timeout_ms.encode(out);
        self.session_id.encode(out);
        self.passwd.encode(out);
        if let Some(read_only) = self.read_only {
            read_only.encode(out);
        }
    }
}

impl<'a> Decode<'a> for ConnectRequest<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            protocol_version: reader.i32()?,
            last_zxid_seen: reader.i64()?,
            timeout_ms: reader.i32()?,
            session_id: reader.i64()?,
            passwd: reader.buffer()?,
            read_only: optional_flag(reader)?,
        })
    }
}

/// The answer to the first packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectResponse<'a> {
    /// Always 0.
    pub protocol_version: i32,
    /// Negotiated timeout, milliseconds; 0 when the session could not be renewed.
    pub timeout_ms: i32,
    /// The session, 0 when it could not be renewed.
    pub session_id: i64,
    /// 16 bytes.
    pub passwd: Buffer<'a>,
    /// Is the server read-only? Absent for old clients.
    pub read_only: Option<bool>,
}

impl Encode for ConnectResponse<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.protocol_version.encode(out);
        self.timeout_ms.encode(out);
        self.session_id.encode(out);
        self.passwd.encode(out);
        if let Some(read_only) = self.read_only {
            read_only.encode(out);
        }
    }
}

impl<'a> Decode<'a> for ConnectResponse<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            protocol_version: reader.i32()?,
            timeout_ms: reader.i32()?,
            session_id: reader.i64()?,
            passwd: reader.buffer()?,
            read_only: optional_flag(reader)?,
        })
    }
}

fn optional_flag(reader: &mut Reader<'_>) -> Result<Option<bool>, DecodeError> {
    if reader.remaining() == 0 {
        Ok(None)
    } else {
        reader.bool().map(Some)
    }
}
