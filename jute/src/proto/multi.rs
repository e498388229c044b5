use super::{
    CheckVersionRequest, CreateRequest, CreateTtlRequest, DeleteRequest, GetChildrenRequest,
    GetDataRequest, SetDataRequest,
};
use crate::wire::{Decode, DecodeError, DecodeErrorKind, Encode, Reader, record};
use crate::{CreateMode, OpCode};

record! {
    /// In front of every operation and result of a multi. 9 bytes.
    #[derive(Copy)]
    pub struct MultiHeader {
        /// An [`OpCode`](crate::OpCode), -1 for an error or the end.
        pub kind: i32,
        /// Is this the end?
        pub done: bool,
        /// Error of a result; -1 in requests and at the end.
        pub err: i32,
    }
}

impl MultiHeader {
    /// The end of a multi.
    pub const END: Self = Self {
        kind: -1,
        done: true,
        err: -1,
    };

    /// The header of an operation in a request.
    pub fn request(op: OpCode) -> Self {
        Self {
            kind: op.as_i32(),
            done: false,
            err: -1,
        }
    }

    /// The header of a result that succeeded.
    pub fn result(op: OpCode) -> Self {
        Self {
            kind: op.as_i32(),
            done: false,
            err: 0,
        }
    }
}

record! {
    /// The record of a failed operation in a multi's results, and the answer to addWatch.
    #[derive(Copy)]
    pub struct ErrorResponse {
        /// The error.
        pub err: i32,
    }
}

/// One write of a multi.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MultiOp<'a> {
    /// create
    Create(CreateRequest<'a>),
    /// create2
    Create2(CreateRequest<'a>),
    /// createContainer
    CreateContainer(CreateRequest<'a>),
    /// createTTL
    CreateTtl(CreateTtlRequest<'a>),
    /// delete
    Delete(DeleteRequest<'a>),
    /// setData
    SetData(SetDataRequest<'a>),
    /// check
    Check(CheckVersionRequest<'a>),
}

impl MultiOp<'_> {
    /// The operation's number.
    pub fn op(&self) -> OpCode {
        match self {
            Self::Create(_) => OpCode::Create,
            Self::Create2(_) => OpCode::Create2,
            Self::CreateContainer(_) => OpCode::CreateContainer,
            Self::CreateTtl(_) => OpCode::CreateTtl,
            Self::Delete(_) => OpCode::Delete,
            Self::SetData(_) => OpCode::SetData,
            Self::Check(_) => OpCode::Check,
        }
    }
}

/// Several writes, atomically.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MultiRequest<'a> {
    /// The operations, in order.
    pub ops: Vec<MultiOp<'a>>,
}

impl Encode for MultiRequest<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        for op in &self.ops {
            MultiHeader::request(op.op()).encode(out);
            match op {
                MultiOp::Create(r) | MultiOp::Create2(r) | MultiOp::CreateContainer(r) => {
                    r.encode(out);
                }
                MultiOp::CreateTtl(r) => r.encode(out),
                MultiOp::Delete(r) => r.encode(out),
                MultiOp::SetData(r) => r.encode(out),
                MultiOp::Check(r) => r.encode(out),
            }
        }
        MultiHeader::END.encode(out);
    }
}

impl<'a> Decode<'a> for MultiRequest<'a> {
    /// Decodes as Java's `MultiOperationRecord` and `Op` do: a read among the writes, an
    /// unknown type and a bad flag are errors of the whole request; the flags decide over
    /// the type for containers and TTL nodes.
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let mut ops = Vec::new();
        while let Some(op) = next_op(reader)? {
            ops.push(match op {
                OpCode::Create | OpCode::Create2 | OpCode::CreateContainer => create(reader, op)?,
                OpCode::CreateTtl => create_ttl(reader)?,
                OpCode::Delete => MultiOp::Delete(Decode::decode(reader)?),
                OpCode::SetData => MultiOp::SetData(Decode::decode(reader)?),
                OpCode::Check => MultiOp::Check(Decode::decode(reader)?),
                other => {
                    return Err(reader.error(DecodeErrorKind::UnknownType(other.as_i32())));
                }
            });
        }
        Ok(Self { ops })
    }
}

/// The next operation's type, or `None` at the end.
fn next_op(reader: &mut Reader<'_>) -> Result<Option<OpCode>, DecodeError> {
    let header = MultiHeader::decode(reader)?;
    if header.done {
        return Ok(None);
    }
    match OpCode::from_i32(header.kind) {
        Some(op) => Ok(Some(op)),
        None => Err(reader.error(DecodeErrorKind::UnknownType(header.kind))),
    }
}

fn mode(reader: &Reader<'_>, flags: i32) -> Result<CreateMode, DecodeError> {
    CreateMode::from_i32(flags).ok_or_else(|| reader.error(DecodeErrorKind::InvalidField("flags")))
}

fn create<'a>(reader: &mut Reader<'a>, op: OpCode) -> Result<MultiOp<'a>, DecodeError> {
    let request = CreateRequest::decode(reader)?;
    let mode = mode(reader, request.flags)?;
    if mode.is_ttl() {
        return Err(reader.error(DecodeErrorKind::InvalidField("flags")));
    }
    Ok(match op {
        _ if mode == CreateMode::Container => MultiOp::CreateContainer(request),
        OpCode::CreateContainer => MultiOp::CreateContainer(request),
        OpCode::Create2 => MultiOp::Create2(request),
        _ => MultiOp::Create(request),
    })
}

fn create_ttl<'a>(reader: &mut Reader<'a>) -> Result<MultiOp<'a>, DecodeError> {
    let request = CreateTtlRequest::decode(reader)?;
    if mode(reader, request.flags)?.is_ttl() {
        return Ok(MultiOp::CreateTtl(request));
    }
    Ok(MultiOp::Create(CreateRequest {
        path: request.path,
        data: request.data,
        acl: request.acl,
        flags: request.flags,
    }))
}

/// One read of a multiRead. Its watch flag is ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MultiReadOp<'a> {
    /// getData
    GetData(GetDataRequest<'a>),
    /// getChildren
    GetChildren(GetChildrenRequest<'a>),
}

/// Several reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MultiReadRequest<'a> {
    /// The operations, in order.
    pub ops: Vec<MultiReadOp<'a>>,
}

impl Encode for MultiReadRequest<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        for op in &self.ops {
            match op {
                MultiReadOp::GetData(r) => {
                    MultiHeader::request(OpCode::GetData).encode(out);
                    r.encode(out);
                }
                MultiReadOp::GetChildren(r) => {
                    MultiHeader::request(OpCode::GetChildren).encode(out);
                    r.encode(out);
                }
            }
        }
        MultiHeader::END.encode(out);
    }
}

impl<'a> Decode<'a> for MultiReadRequest<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let mut ops = Vec::new();
        while let Some(op) = next_op(reader)? {
            ops.push(match op {
                OpCode::GetData => MultiReadOp::GetData(Decode::decode(reader)?),
                OpCode::GetChildren => MultiReadOp::GetChildren(Decode::decode(reader)?),
                other => {
                    return Err(reader.error(DecodeErrorKind::UnknownType(other.as_i32())));
                }
            });
        }
        Ok(Self { ops })
    }
}
