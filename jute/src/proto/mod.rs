//! Requests, replies and events of the client port.

mod admin;
mod connect;
mod multi;
mod read;
mod watch;
mod write;

pub use admin::{
    AuthPacket, ClientInfo, GetSaslRequest, ReconfigRequest, SetSaslResponse, SyncRequest,
    SyncResponse, WhoAmIResponse,
};
pub use connect::{ConnectRequest, ConnectResponse, ReplyHeader, RequestHeader};
pub use multi::{ErrorResponse, MultiHeader, MultiOp, MultiReadOp, MultiReadRequest, MultiRequest};
pub use read::{
    ExistsRequest, ExistsResponse, GetAclRequest, GetAclResponse, GetAllChildrenNumberRequest,
    GetAllChildrenNumberResponse, GetChildren2Response, GetChildrenRequest, GetChildrenResponse,
    GetDataRequest, GetDataResponse, GetEphemeralsRequest, GetEphemeralsResponse,
};
pub use watch::{
    AddWatchMode, AddWatchRequest, CheckWatchesRequest, EventType, KeeperState, SetWatches,
    SetWatches2, WatcherEvent, WatcherType,
};
pub use write::{
    CheckVersionRequest, Create2Response, CreateRequest, CreateResponse, CreateTtlRequest,
    DeleteContainerRequest, DeleteRequest, SetAclRequest, SetAclResponse, SetDataRequest,
    SetDataResponse,
};
