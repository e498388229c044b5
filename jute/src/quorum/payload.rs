//! Payloads of quorum packets. A reader of a fixed payload ignores what follows it, as
//! Apache's does.

use super::{PROTOCOL_VERSION, ServerId};
use crate::wire::{Decode, DecodeError, Encode, Reader, record};

/// How a learner introduces itself. Each release added to the ones before: 8, 12 or 20 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LearnerInfo {
    /// Its id.
    pub server: ServerId,
    /// The newest protocol that it speaks, [`PROTOCOL_VERSION`]; `None` in the oldest form.
    pub protocol_version: Option<i32>,
    /// Version of the last committed configuration that it knows; `None` in the older forms.
    pub config_version: Option<i64>,
}

impl LearnerInfo {
    /// As a current server writes it.
    pub fn new(server: ServerId, config_version: i64) -> Self {
        Self {
            server,
            protocol_version: Some(PROTOCOL_VERSION),
            config_version: Some(config_version),
        }
    }
}

impl Encode for LearnerInfo {
    fn encode(&self, out: &mut Vec<u8>) {
        self.server.0.encode(out);
        if let Some(version) = self.protocol_version {
            version.encode(out);
            if let Some(version) = self.config_version {
                version.encode(out);
            }
        }
    }
}

impl Decode<'_> for LearnerInfo {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let server = ServerId(reader.i64()?);
        let protocol_version = match reader.remaining() {
            0..4 => None,
            _ => Some(reader.i32()?),
        };
        let config_version = match reader.remaining() {
            0..8 => None,
            _ => Some(reader.i64()?),
        };
        // Four to seven bytes behind the id are a version and a remainder, so the order holds.
        assert!(protocol_version.is_some() || config_version.is_none());
        Ok(Self {
            server,
            protocol_version,
            config_version,
        })
    }
}

/// A client's request on its way to the leader. The identities of the client stand in the
/// packet's authinfo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForwardedRequest<'a> {
    /// The client's session.
    pub session: i64,
    /// The client's xid.
    pub cxid: i32,
    /// An [`OpCode`](crate::OpCode).
    pub op: i32,
    /// The request's body as the client sent it.
    pub body: &'a [u8],
}

impl Encode for ForwardedRequest<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.session.encode(out);
        self.cxid.encode(out);
        self.op.encode(out);
        out.extend_from_slice(self.body);
    }
}

impl<'a> Decode<'a> for ForwardedRequest<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            session: reader.i64()?,
            cxid: reader.i32()?,
            op: reader.i32()?,
            body: reader.bytes(reader.remaining())?,
        })
    }
}

record! {
    /// One row of a learner's PING: a session that was heard of since the last one. 12 bytes.
    #[derive(Copy)]
    pub struct SessionTouch {
        /// The session.
        pub session: i64,
        /// Its timeout, milliseconds.
        pub timeout_ms: i32,
    }
}

record! {
    /// A learner asks whether a session may continue with it. 12 bytes.
    #[derive(Copy)]
    pub struct RevalidateRequest {
        /// The session.
        pub session: i64,
        /// The timeout that the client asked for, milliseconds.
        pub timeout_ms: i32,
    }
}

record! {
    /// The answer. 9 bytes.
    #[derive(Copy)]
    pub struct RevalidateResponse {
        /// The session.
        pub session: i64,
        /// May it continue?
        pub valid: bool,
    }
}
