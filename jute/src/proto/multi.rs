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
    /// The path it is about.
    pub fn path(&self) -> Option<&str> {
        let path = match self {
            Self::Create(request) | Self::Create2(request) | Self::CreateContainer(request) => {
                &request.path
            }
            Self::CreateTtl(request) => &request.path,
            Self::Delete(request) => &request.path,
            Self::SetData(request) => &request.path,
            Self::Check(request) => &request.path,
        };
        path.as_deref()
    }

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

    /// Encodes the request without saying of which type it is: as the body of a request of its own.
    pub fn encode_body(&self, out: &mut Vec<u8>) {
        match self {
            Self::Create(request) | Self::Create2(request) | Self::CreateContainer(request) => {
                request.encode(out);
            }
            Self::CreateTtl(request) => request.encode(out),
            Self::Delete(request) => request.encode(out),
            Self::SetData(request) => request.encode(out),
            Self::Check(request) => request.encode(out),
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
            op.encode_body(out);
        }
        MultiHeader::END.encode(out);
    }
}

impl<'a> Decode<'a> for MultiRequest<'a> {
    /// Decodes as Java's `MultiOperationRecord` and `Op` do: a read among the writes, an
    /// unknown type, a bad flag and a null path are errors of the whole request; the flags
    /// decide over the type for containers and TTL nodes. A create whose list of ACLs is
    /// null fails with [`DecodeErrorKind::InvalidField`] and [`MultiRequest::NULL_ACL`].
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let mut ops = Vec::new();
        // A read is only found out of place when the next operation has been looked at.
        let mut read = None;
        while let Some(op) = next_op(reader)? {
            if let Some(kind) = read_kind(reader, op)? {
                read = Some(kind);
                if ops.is_empty() {
                    continue;
                }
                break;
            }
            let op = match op {
                OpCode::Create | OpCode::Create2 | OpCode::CreateContainer => create(reader, op)?,
                OpCode::CreateTtl => create_ttl(reader)?,
                OpCode::Delete => MultiOp::Delete(Decode::decode(reader)?),
                OpCode::SetData => MultiOp::SetData(Decode::decode(reader)?),
                OpCode::Check => MultiOp::Check(Decode::decode(reader)?),
                other => {
                    return Err(reader.error(DecodeErrorKind::UnknownType(other.as_i32())));
                }
            };
            if read.is_some() {
                break;
            }
            if op.path().is_none() {
                return Err(reader.error(DecodeErrorKind::InvalidField("path")));
            }
            ops.push(op);
        }
        match read {
            None => Ok(Self { ops }),
            Some(kind) => Err(reader.error(DecodeErrorKind::UnknownType(kind))),
        }
    }
}

/// Decodes a read, which is none of a multi's; its type.
fn read_kind(reader: &mut Reader<'_>, op: OpCode) -> Result<Option<i32>, DecodeError> {
    match op {
        OpCode::GetData | OpCode::GetChildren => {
            GetDataRequest::decode(reader)?;
            Ok(Some(op.as_i32()))
        }
        _ => Ok(None),
    }
}

impl MultiRequest<'_> {
    /// The field at fault when a create's list of ACLs is null. Servers of Apache fail on
    /// it in another way than on what they cannot read.
    pub const NULL_ACL: DecodeErrorKind = DecodeErrorKind::InvalidField("acl");
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

fn create<'a>(reader: &mut Reader<'a>, op: OpCode) -> Result<MultiOp<'a>, DecodeError> {
    let request = CreateRequest::decode(reader)?;
    let bad_flags = reader.error(DecodeErrorKind::InvalidField("flags"));
    let mode = CreateMode::from_i32(request.flags).ok_or(bad_flags)?;
    if request.acl.is_none() {
        return Err(reader.error(MultiRequest::NULL_ACL));
    }
    Ok(match op {
        _ if mode.is_ttl() => return Err(bad_flags),
        _ if mode == CreateMode::Container => MultiOp::CreateContainer(request),
        OpCode::CreateContainer => MultiOp::CreateContainer(request),
        OpCode::Create2 => MultiOp::Create2(request),
        _ => MultiOp::Create(request),
    })
}

/// Flags that are none stay with the operation: it fails by itself.
fn create_ttl<'a>(reader: &mut Reader<'a>) -> Result<MultiOp<'a>, DecodeError> {
    let request = CreateTtlRequest::decode(reader)?;
    let mode = CreateMode::from_i32(request.flags);
    if mode.is_none_or(CreateMode::is_ttl) {
        return Ok(MultiOp::CreateTtl(request));
    }
    if request.acl.is_none() {
        return Err(reader.error(MultiRequest::NULL_ACL));
    }
    let plain = CreateRequest {
        path: request.path,
        data: request.data,
        acl: request.acl,
        flags: request.flags,
    };
    Ok(match mode {
        Some(CreateMode::Container) => MultiOp::CreateContainer(plain),
        _ => MultiOp::Create(plain),
    })
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
