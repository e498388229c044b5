use super::{
    CheckVersionTxn, CloseSessionTxn, CreateContainerTxn, CreateSessionTxn, CreateTtlTxn,
    CreateTxn, DeleteTxn, ErrorTxn, SetAclTxn, SetDataTxn, TxnDigest, TxnHeader,
};
use crate::OpCode;
use crate::wire::{Decode, DecodeError, DecodeErrorKind, Encode, Limits, Reader};

/// The body of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Txn<'a> {
    /// Type 1.
    Create(CreateTxn<'a>),
    /// Type 15.
    Create2(CreateTxn<'a>),
    /// Type 19.
    CreateContainer(CreateContainerTxn<'a>),
    /// Type 21.
    CreateTtl(CreateTtlTxn<'a>),
    /// Type 2.
    Delete(DeleteTxn<'a>),
    /// Type 20.
    DeleteContainer(DeleteTxn<'a>),
    /// Type 5.
    SetData(SetDataTxn<'a>),
    /// Type 16.
    Reconfig(SetDataTxn<'a>),
    /// Type 7.
    SetAcl(SetAclTxn<'a>),
    /// Type 13, only inside a multi.
    Check(CheckVersionTxn<'a>),
    /// Type 14: sub-transactions under one zxid.
    Multi(Vec<SubTxn<'a>>),
    /// Type -10.
    CreateSession(CreateSessionTxn),
    /// Type -11; `None` from servers with `closeSessionTxn.enabled=false` or before 3.6.
    CloseSession(Option<CloseSessionTxn<'a>>),
    /// Type -1.
    Error(ErrorTxn),
}

/// One part of a multi, still encoded: `{type, body}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubTxn<'a> {
    /// The type, an [`OpCode`].
    pub kind: i32,
    /// The encoded body, without header or digest.
    pub data: &'a [u8],
}

impl<'a> SubTxn<'a> {
    /// Decodes the part.
    pub fn decode_body(&self, limits: Limits) -> Result<Txn<'a>, DecodeError> {
        let mut reader = Reader::new(self.data, limits);
        if self.kind == OpCode::Multi.as_i32() {
            return Err(reader.error(DecodeErrorKind::TooDeep));
        }
        Txn::decode(self.kind, &mut reader)
    }
}

impl<'a> Txn<'a> {
    /// The type that the header of this body carries.
    pub fn op(&self) -> OpCode {
        match self {
            Self::Create(_) => OpCode::Create,
            Self::Create2(_) => OpCode::Create2,
            Self::CreateContainer(_) => OpCode::CreateContainer,
            Self::CreateTtl(_) => OpCode::CreateTtl,
            Self::Delete(_) => OpCode::Delete,
            Self::DeleteContainer(_) => OpCode::DeleteContainer,
            Self::SetData(_) => OpCode::SetData,
            Self::Reconfig(_) => OpCode::Reconfig,
            Self::SetAcl(_) => OpCode::SetAcl,
            Self::Check(_) => OpCode::Check,
            Self::Multi(_) => OpCode::Multi,
            Self::CreateSession(_) => OpCode::CreateSession,
            Self::CloseSession(_) => OpCode::CloseSession,
            Self::Error(_) => OpCode::Error,
        }
    }

    /// Decodes the body of type `kind`.
    pub fn decode(kind: i32, reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let unknown = DecodeErrorKind::UnknownType(kind);
        let op = OpCode::from_i32(kind).ok_or_else(|| reader.error(unknown))?;
        Ok(match op {
            OpCode::Create => Self::Create(create(reader)?),
            OpCode::Create2 => Self::Create2(create(reader)?),
            OpCode::CreateContainer => Self::CreateContainer(Decode::decode(reader)?),
            OpCode::CreateTtl => Self::CreateTtl(Decode::decode(reader)?),
            OpCode::Delete => Self::Delete(Decode::decode(reader)?),
            OpCode::DeleteContainer => Self::DeleteContainer(Decode::decode(reader)?),
            OpCode::SetData => Self::SetData(Decode::decode(reader)?),
            OpCode::Reconfig => Self::Reconfig(Decode::decode(reader)?),
            OpCode::SetAcl => Self::SetAcl(Decode::decode(reader)?),
            OpCode::Check => Self::Check(Decode::decode(reader)?),
            OpCode::Multi => Self::Multi(sub_txns(reader)?),
            OpCode::CreateSession => Self::CreateSession(Decode::decode(reader)?),
            OpCode::CloseSession => Self::CloseSession(close_session(reader)?),
            OpCode::Error => Self::Error(Decode::decode(reader)?),
            _ => return Err(reader.error(unknown)),
        })
    }
}

impl Encode for Txn<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Create(txn) | Self::Create2(txn) => txn.encode(out),
            Self::CreateContainer(txn) => txn.encode(out),
            Self::CreateTtl(txn) => txn.encode(out),
            Self::Delete(txn) | Self::DeleteContainer(txn) => txn.encode(out),
            Self::SetData(txn) | Self::Reconfig(txn) => txn.encode(out),
            Self::SetAcl(txn) => txn.encode(out),
            Self::Check(txn) => txn.encode(out),
            Self::Multi(parts) => parts.as_slice().encode(out),
            Self::CreateSession(txn) => txn.encode(out),
            Self::CloseSession(txn) => {
                if let Some(txn) = txn {
                    txn.encode(out);
                }
            }
            Self::Error(txn) => txn.encode(out),
        }
    }
}

impl Encode for SubTxn<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.kind.encode(out);
        Some(self.data).encode(out);
    }
}

impl<'a> Decode<'a> for SubTxn<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            kind: reader.i32()?,
            data: reader.buffer()?.unwrap_or_default(),
        })
    }
}

/// Creates from before 3.4 end before the parent's cversion.
fn create<'a>(reader: &mut Reader<'a>) -> Result<CreateTxn<'a>, DecodeError> {
    Ok(CreateTxn {
        path: reader.ustring()?,
        data: reader.buffer()?,
        acl: reader.vector()?,
        ephemeral: reader.bool()?,
        parent_cversion: if reader.remaining() == 0 {
            -1
        } else {
            reader.i32()?
        },
    })
}

fn sub_txns<'a>(reader: &mut Reader<'a>) -> Result<Vec<SubTxn<'a>>, DecodeError> {
    Ok(reader.vector()?.unwrap_or_default())
}

/// Without a body there is at most a digest behind the header: its 12 bytes start with
/// the version, 2, and a list of that many paths needs more than the 8 bytes that follow
/// unless both are null or empty, which no server writes for a session's ephemerals.
fn close_session<'a>(reader: &mut Reader<'a>) -> Result<Option<CloseSessionTxn<'a>>, DecodeError> {
    let bare = match reader.remaining() {
        0 => true,
        12 => reader.rest()[..4] == TxnDigest::VERSION.to_be_bytes(),
        _ => false,
    };
    if bare {
        return Ok(None);
    }
    CloseSessionTxn::decode(reader).map(Some)
}

/// A logged transaction: header, body and, unless digests are off, the tree's digest.
/// The bytes in the log file and in a PROPOSAL are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry<'a> {
    /// The header.
    pub header: TxnHeader,
    /// The body.
    pub txn: Txn<'a>,
    /// The digest of the tree after it; error transactions carry none.
    pub digest: Option<TxnDigest>,
}

impl<'a> LogEntry<'a> {
    /// Decodes a whole entry.
    pub fn from_bytes(bytes: &'a [u8], limits: Limits) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes, limits);
        let header = TxnHeader::decode(&mut reader)?;
        let txn = Txn::decode(header.kind, &mut reader)?;
        let digest = match reader.remaining() {
            0 => None,
            _ => Some(TxnDigest::decode(&mut reader)?),
        };
        Ok(Self {
            header,
            txn,
            digest,
        })
    }

    /// Encodes the entry to bytes of its own.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode(&mut out);
        out
    }
}

impl Encode for LogEntry<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        debug_assert_eq!(self.header.kind, self.txn.op().as_i32());
        self.header.encode(out);
        self.txn.encode(out);
        if let Some(digest) = &self.digest {
            digest.encode(out);
        }
    }
}
