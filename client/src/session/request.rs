//! What may be asked, owned and ready to be sent at any time.

use std::borrow::Cow;

use jute::data::Acl;
use jute::proto::{
    AddWatchMode, AddWatchRequest, AuthPacket, CheckVersionRequest, CheckWatchesRequest,
    CreateRequest, CreateTtlRequest, DeleteRequest, ExistsRequest, GetAclRequest,
    GetAllChildrenNumberRequest, GetChildrenRequest, GetDataRequest, GetEphemeralsRequest, MultiOp,
    MultiReadOp, MultiReadRequest, MultiRequest, ReconfigRequest, SetAclRequest, SetDataRequest,
    SyncRequest, WatcherType,
};
use jute::wire::Encode;
use jute::{CreateMode, OpCode, Ustring};

/// How long a new node lives and how it is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeKind {
    /// The mode.
    pub mode: CreateMode,
    /// Time to live in milliseconds, for the modes that have one.
    pub ttl_ms: i64,
}

impl NodeKind {
    /// A kind without a time to live.
    pub fn of(mode: CreateMode) -> Self {
        Self { mode, ttl_ms: -1 }
    }
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "the fields are those of the protocol's records"
)]
pub enum Request {
    /// One write by itself. A create answers the path, or the path and Stat.
    Write(WritePart),
    /// Write the ACL.
    SetAcl {
        path: String,
        acl: Vec<Acl<'static>>,
        version: i32,
    },
    /// Does a node exist?
    Exists { path: String, watch: bool },
    /// Read data.
    GetData { path: String, watch: bool },
    /// List children.
    GetChildren { path: String, watch: bool },
    /// List children, with the node's Stat.
    GetChildren2 { path: String, watch: bool },
    /// Read the ACL.
    GetAcl { path: String },
    /// List the session's own ephemerals.
    GetEphemerals { prefix: String },
    /// Count all descendants.
    GetAllChildrenNumber { path: String },
    /// Wait until the server has caught up.
    Sync { path: String },
    /// List the connection's identities.
    WhoAmI,
    /// Several writes, atomically.
    Multi(Vec<WritePart>),
    /// Several reads.
    MultiRead(Vec<ReadPart>),
    /// Add a persistent watch.
    AddWatch { path: String, mode: AddWatchMode },
    /// Remove watches.
    RemoveWatches { path: String, kind: WatcherType },
    /// Is there such a watch?
    CheckWatches { path: String, kind: WatcherType },
    /// Change the ensemble: servers that join (`server.N=...` lines) and ids that leave, comma
    /// separated, or the whole new membership. Answers the new configuration and the Stat of its
    /// node.
    Reconfig {
        joining: Option<String>,
        leaving: Option<String>,
        new_members: Option<String>,
        /// Of the present configuration; -1 for any.
        version: i64,
    },
    /// Add an identity; it is sent again on every new connection.
    Auth { scheme: String, auth: Vec<u8> },
    /// Close the session.
    CloseSession,
}

/// One write, by itself or of a multi.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "the fields are those of the protocol's records"
)]
pub enum WritePart {
    /// Create a node.
    Create {
        path: String,
        data: Option<Vec<u8>>,
        acl: Vec<Acl<'static>>,
        kind: NodeKind,
        with_stat: bool,
    },
    /// Delete a node.
    Delete { path: String, version: i32 },
    /// Write data.
    SetData {
        path: String,
        data: Option<Vec<u8>>,
        version: i32,
    },
    /// Compare a version.
    Check { path: String, version: i32 },
}

/// One read of a multiRead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadPart {
    /// Data of the node at this path.
    GetData(String),
    /// Children of the node at this path.
    GetChildren(String),
}

impl Request {
    /// The operation.
    pub fn op(&self) -> OpCode {
        match self {
            Self::Write(part) => part.as_op().op(),
            Self::SetAcl { .. } => OpCode::SetAcl,
            Self::Exists { .. } => OpCode::Exists,
            Self::GetData { .. } => OpCode::GetData,
            Self::GetChildren { .. } => OpCode::GetChildren,
            Self::GetChildren2 { .. } => OpCode::GetChildren2,
            Self::GetAcl { .. } => OpCode::GetAcl,
            Self::GetEphemerals { .. } => OpCode::GetEphemerals,
            Self::GetAllChildrenNumber { .. } => OpCode::GetAllChildrenNumber,
            Self::Sync { .. } => OpCode::Sync,
            Self::WhoAmI => OpCode::WhoAmI,
            Self::Multi(_) => OpCode::Multi,
            Self::MultiRead(_) => OpCode::MultiRead,
            Self::AddWatch { .. } => OpCode::AddWatch,
            Self::RemoveWatches { .. } => OpCode::RemoveWatches,
            Self::CheckWatches { .. } => OpCode::CheckWatches,
            Self::Reconfig { .. } => OpCode::Reconfig,
            Self::Auth { .. } => OpCode::Auth,
            Self::CloseSession => OpCode::CloseSession,
        }
    }
}

impl Encode for Request {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Write(part) => part.as_op().encode_body(out),
            Self::SetAcl { path, acl, version } => SetAclRequest {
                path: text(path),
                acl: Some(acl.clone()),
                version: *version,
            }
            .encode(out),
            Self::Multi(parts) => MultiRequest {
                ops: parts.iter().map(WritePart::as_op).collect(),
            }
            .encode(out),
            Self::Reconfig {
                joining,
                leaving,
                new_members,
                version,
            } => ReconfigRequest {
                joining_servers: joining.as_deref().map(Cow::Borrowed),
                leaving_servers: leaving.as_deref().map(Cow::Borrowed),
                new_members: new_members.as_deref().map(Cow::Borrowed),
                cur_config_id: *version,
            }
            .encode(out),
            Self::Auth { scheme, auth } => AuthPacket {
                kind: 0,
                scheme: text(scheme),
                auth: Some(auth),
            }
            .encode(out),
            Self::CloseSession => {}
            read => read.encode_read(out),
        }
    }
}

impl Request {
    fn encode_read(&self, out: &mut Vec<u8>) {
        match self {
            Self::Exists { path, watch } => ExistsRequest {
                path: text(path),
                watch: *watch,
            }
            .encode(out),
            Self::GetData { path, watch } => GetDataRequest {
                path: text(path),
                watch: *watch,
            }
            .encode(out),
            Self::GetChildren { path, watch } | Self::GetChildren2 { path, watch } => {
                GetChildrenRequest {
                    path: text(path),
                    watch: *watch,
                }
                .encode(out);
            }
            Self::GetAcl { path } => GetAclRequest { path: text(path) }.encode(out),
            Self::GetEphemerals { prefix } => GetEphemeralsRequest {
                prefix_path: text(prefix),
            }
            .encode(out),
            Self::GetAllChildrenNumber { path } => {
                GetAllChildrenNumberRequest { path: text(path) }.encode(out);
            }
            Self::Sync { path } => SyncRequest { path: text(path) }.encode(out),
            Self::MultiRead(parts) => MultiReadRequest {
                ops: parts.iter().map(ReadPart::as_op).collect(),
            }
            .encode(out),
            Self::AddWatch { path, mode } => AddWatchRequest {
                path: text(path),
                mode: *mode as i32,
            }
            .encode(out),
            Self::RemoveWatches { path, kind } | Self::CheckWatches { path, kind } => {
                CheckWatchesRequest {
                    path: text(path),
                    watcher_type: *kind as i32,
                }
                .encode(out);
            }
            Self::WhoAmI => {}
            other => unreachable!("{other:?} is no read"),
        }
    }
}

impl WritePart {
    fn as_op(&self) -> MultiOp<'_> {
        match self {
            Self::Create {
                path,
                data,
                acl,
                kind,
                with_stat,
            } => create_part(path, data.as_deref(), acl, *kind, *with_stat),
            Self::Delete { path, version } => MultiOp::Delete(DeleteRequest {
                path: text(path),
                version: *version,
            }),
            Self::SetData {
                path,
                data,
                version,
            } => MultiOp::SetData(SetDataRequest {
                path: text(path),
                data: data.as_deref(),
                version: *version,
            }),
            Self::Check { path, version } => MultiOp::Check(CheckVersionRequest {
                path: text(path),
                version: *version,
            }),
        }
    }
}

impl ReadPart {
    fn as_op(&self) -> MultiReadOp<'_> {
        match self {
            Self::GetData(path) => MultiReadOp::GetData(GetDataRequest {
                path: text(path),
                watch: false,
            }),
            Self::GetChildren(path) => MultiReadOp::GetChildren(GetChildrenRequest {
                path: text(path),
                watch: false,
            }),
        }
    }
}

fn create_op(kind: NodeKind, with_stat: bool) -> OpCode {
    match kind.mode {
        CreateMode::Container => OpCode::CreateContainer,
        mode if mode.is_ttl() => OpCode::CreateTtl,
        _ if with_stat => OpCode::Create2,
        _ => OpCode::Create,
    }
}

fn create_part<'a>(
    path: &'a str,
    data: Option<&'a [u8]>,
    acl: &[Acl<'static>],
    kind: NodeKind,
    with_stat: bool,
) -> MultiOp<'a> {
    let request = CreateRequest {
        path: text(path),
        data,
        acl: Some(acl.to_vec()),
        flags: kind.mode.as_i32(),
    };
    match create_op(kind, with_stat) {
        OpCode::CreateContainer => MultiOp::CreateContainer(request),
        OpCode::CreateTtl => MultiOp::CreateTtl(CreateTtlRequest {
            path: request.path,
            data: request.data,
            acl: request.acl,
            flags: request.flags,
            ttl: kind.ttl_ms,
        }),
        OpCode::Create2 => MultiOp::Create2(request),
        _ => MultiOp::Create(request),
    }
}

fn text(text: &str) -> Ustring<'_> {
    Some(Cow::Borrowed(text))
}
