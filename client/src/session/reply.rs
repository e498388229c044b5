//! What comes back, owned.

use jute::data::{Acl, Stat};
use jute::proto::{
    Create2Response, CreateResponse, ErrorResponse, ExistsResponse, GetAclResponse,
    GetAllChildrenNumberResponse, GetChildren2Response, GetChildrenResponse, GetDataResponse,
    GetEphemeralsResponse, MultiHeader, SetAclResponse, SetDataResponse, SyncResponse,
    WhoAmIResponse,
};
use jute::wire::{Decode, DecodeError, DecodeErrorKind, Limits, Reader};
use jute::{OpCode, Ustring};

/// The body of a successful reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Nothing but success.
    Done,
    /// A path: of a new node, or the echo of a sync.
    Path(String),
    /// A new node.
    Created(String, Stat),
    /// A node's Stat.
    Stat(Stat),
    /// A node's data and Stat.
    Data(Option<Vec<u8>>, Stat),
    /// Names of children, or paths of ephemerals.
    Names(Vec<String>),
    /// Names of children and the node's Stat.
    NamesAndStat(Vec<String>, Stat),
    /// A node's ACL and Stat.
    Acl(Vec<Acl<'static>>, Stat),
    /// A number of nodes.
    Count(i32),
    /// Scheme and user of each identity.
    Identities(Vec<(String, String)>),
    /// The results of a multi.
    Writes(Vec<WriteResult>),
    /// The results of a multiRead; the error of those that failed.
    Reads(Vec<Result<Self, i32>>),
}

/// The result of one write of a multi.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteResult {
    /// A new node's path, and its Stat if that was asked for.
    Created(String, Option<Stat>),
    /// Deleted.
    Deleted,
    /// The Stat after the change.
    Set(Stat),
    /// The version was as expected.
    Checked,
    /// An error, or 0 for what came before the failing write.
    Failed(i32),
}

impl Reply {
    /// Decodes the body of a successful reply to `op`.
    ///
    /// # Errors
    /// When the bytes are no such reply.
    pub fn decode(op: OpCode, body: &[u8], limits: Limits) -> Result<Self, DecodeError> {
        let reader = &mut Reader::new(body, limits);
        Ok(match op {
            OpCode::Create => Self::Path(text(CreateResponse::decode(reader)?.path)),
            OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => {
                let reply = Create2Response::decode(reader)?;
                Self::Created(text(reply.path), reply.stat)
            }
            OpCode::SetData => Self::Stat(SetDataResponse::decode(reader)?.stat),
            OpCode::SetAcl => Self::Stat(SetAclResponse::decode(reader)?.stat),
            OpCode::Exists => Self::Stat(ExistsResponse::decode(reader)?.stat),
            OpCode::GetData | OpCode::Reconfig => data(reader)?,
            OpCode::GetAcl => {
                let reply = GetAclResponse::decode(reader)?;
                let acl = reply.acl.unwrap_or_default();
                Self::Acl(acl.into_iter().map(Acl::into_owned).collect(), reply.stat)
            }
            OpCode::GetChildren => children(reader)?,
            OpCode::GetChildren2 => {
                let reply = GetChildren2Response::decode(reader)?;
                Self::NamesAndStat(texts(reply.children), reply.stat)
            }
            OpCode::GetEphemerals => {
                Self::Names(texts(GetEphemeralsResponse::decode(reader)?.ephemerals))
            }
            OpCode::GetAllChildrenNumber => {
                Self::Count(GetAllChildrenNumberResponse::decode(reader)?.total_number)
            }
            OpCode::Sync => Self::Path(text(SyncResponse::decode(reader)?.path)),
            OpCode::WhoAmI => identities(reader)?,
            OpCode::Multi => Self::Writes(write_results(reader)?),
            OpCode::MultiRead => Self::Reads(read_results(reader)?),
            _ => Self::Done,
        })
    }
}

fn data(reader: &mut Reader<'_>) -> Result<Reply, DecodeError> {
    let reply = GetDataResponse::decode(reader)?;
    Ok(Reply::Data(reply.data.map(<[u8]>::to_vec), reply.stat))
}

fn children(reader: &mut Reader<'_>) -> Result<Reply, DecodeError> {
    Ok(Reply::Names(texts(
        GetChildrenResponse::decode(reader)?.children,
    )))
}

fn identities(reader: &mut Reader<'_>) -> Result<Reply, DecodeError> {
    let infos = WhoAmIResponse::decode(reader)?.client_info;
    let infos = infos.unwrap_or_default().into_iter();
    let infos = infos.map(|info| (text(info.auth_scheme), text(info.user)));
    Ok(Reply::Identities(infos.collect()))
}

fn write_results(reader: &mut Reader<'_>) -> Result<Vec<WriteResult>, DecodeError> {
    let mut results = Vec::new();
    while let Some(op) = next_result(reader)? {
        results.push(match op {
            OpCode::Create => WriteResult::Created(text(reader.ustring()?), None),
            OpCode::Create2 => {
                let reply = Create2Response::decode(reader)?;
                WriteResult::Created(text(reply.path), Some(reply.stat))
            }
            OpCode::Delete => WriteResult::Deleted,
            OpCode::SetData => WriteResult::Set(SetDataResponse::decode(reader)?.stat),
            OpCode::Check => WriteResult::Checked,
            OpCode::Error => WriteResult::Failed(ErrorResponse::decode(reader)?.err),
            other => return Err(reader.error(DecodeErrorKind::UnknownType(other.as_i32()))),
        });
    }
    Ok(results)
}

fn read_results(reader: &mut Reader<'_>) -> Result<Vec<Result<Reply, i32>>, DecodeError> {
    let mut results = Vec::new();
    while let Some(op) = next_result(reader)? {
        results.push(match op {
            OpCode::GetData => Ok(data(reader)?),
            OpCode::GetChildren => Ok(children(reader)?),
            OpCode::Error => Err(ErrorResponse::decode(reader)?.err),
            other => return Err(reader.error(DecodeErrorKind::UnknownType(other.as_i32()))),
        });
    }
    Ok(results)
}

/// The type of the next result, `None` at the end. Their number is bounded by the frame.
fn next_result(reader: &mut Reader<'_>) -> Result<Option<OpCode>, DecodeError> {
    let header = MultiHeader::decode(reader)?;
    if header.done {
        return Ok(None);
    }
    let unknown = DecodeErrorKind::UnknownType(header.kind);
    let op = OpCode::from_i32(header.kind);
    op.map(Some).ok_or_else(|| reader.error(unknown))
}

fn text(text: Ustring<'_>) -> String {
    text.unwrap_or_default().into_owned()
}

fn texts(list: Option<Vec<Ustring<'_>>>) -> Vec<String> {
    list.unwrap_or_default().into_iter().map(text).collect()
}
