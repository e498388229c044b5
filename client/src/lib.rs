//! A client for ZooKeeper 3.4 to 3.9, and for zabkeeper.
//!
//! * `Client` (feature `tokio`, on by default): sessions over tokio, with typed operations,
//!   watches and errors
//! * [`session`]: the core that decides, without IO; the simulator drives it alone

pub mod session;
#[cfg(feature = "tokio")]
mod shell;

pub use jute::ErrorCode;
pub use jute::data::{Acl, Id, Stat, perms};
pub use jute::path::PathError;
pub use jute::proto::{AddWatchMode, EventType, WatcherType};
#[cfg(feature = "tokio")]
pub use shell::{
    Builder, Call, Client, ClientInfo, ConnectStringError, CreateOptions, Created, Error, Expected,
    Multi, MultiRead, NodeData, Notice, OneshotWatcher, Payload, ReadResult, Reconfig, State,
    States, Status, WatchEnd, WatchEvent, Watcher, WriteResult, acl,
};
