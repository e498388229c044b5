//! A client for ZooKeeper 3.4 to 3.9, and for zabkeeper.
//!
//! ```
//! use client::{Client, CreateOptions, Error, ErrorCode, Expected};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! # let server = server::embedded::EmbeddedServer::start().expect("a server");
//! # let servers = server.connect_string();
//! let client = Client::connect(&servers).await?;
//! client.create("/config", "one", &CreateOptions::persistent()).await?;
//! let node = client.get_data("/config").await?;
//! assert_eq!(node.text(), Some("one"));
//!
//! // Only if nobody has written since.
//! client.set_data("/config", "two", &node.stat).await?;
//! let late = client.set_data("/config", "three", &node.stat).await;
//! assert_eq!(late, Err(Error::Refused(ErrorCode::BadVersion)));
//!
//! client.delete("/config", Expected::Any).await?;
//! client.close().await
//! # }
//! ```
//!
//! # Order, pipelines, bounds
//!
//! A method that returns a [`Call`] takes its place when it is called, not when the future is
//! polled. So calls that are made one after the other are sent and executed in that order,
//! without waiting for each other's answers, and those that are made together leave in one
//! write:
//!
//! ```
//! # use client::{Client, CreateOptions, Error};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! # let server = server::embedded::EmbeddedServer::start().expect("a server");
//! # let client = Client::connect(&server.connect_string()).await?;
//! let created = client.create("/a", "", &CreateOptions::persistent());
//! let calls: Vec<_> = (0..100).map(|_| client.get_data("/a")).collect();
//! created.await?;
//! for call in calls {
//!     call.await?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Up to [`outstanding_max`](Builder::outstanding_max) calls are sent and unanswered. More wait
//! in the client, in order; who awaits each result before the next call is so slowed to the
//! server's pace. Dropping a call takes it back if it waits, so what waits is bounded by what
//! the application keeps, and by [`waiting_max`](Builder::waiting_max).
//!
//! # What a failure means
//!
//! When the connection is lost, calls that were sent fail with [`Error::ConnectionLoss`]: they
//! may have happened. Those that waited behind them fail with [`Error::NotSent`]: they did not,
//! and they are not sent later, because they may rely on the lost ones. Calls that are made
//! without a connection wait for the next one. [`Error::may_have_happened`] tells the two kinds
//! apart for every error.
//!
//! The session survives the loss of a connection for as long as its timeout; [`Client::states`]
//! tells how it stands. An expired session never comes back: [`Client::renew`] opens another.
//!
//! # Watches
//!
//! Standard watches come with a read, tell one change, and miss none:
//!
//! ```
//! # use client::{Client, CreateOptions, Error, EventType, Expected};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! # let server = server::embedded::EmbeddedServer::start().expect("a server");
//! # let client = Client::connect(&server.connect_string()).await?;
//! # client.create("/a", "", &CreateOptions::persistent()).await?;
//! let (node, changed) = client.get_data_and_watch("/a").await?;
//! client.set_data("/a", "new", &node.stat).await?;
//! let event = changed.await.expect("the session lives");
//! assert_eq!(event.kind, EventType::NodeDataChanged);
//! # Ok(())
//! # }
//! ```
//!
//! Persistent ones are streams, and say where they have gaps ([`Notice`]):
//!
//! ```
//! # use client::{AddWatchMode, Client, CreateOptions, Error, Notice};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! # let server = server::embedded::EmbeddedServer::start().expect("a server");
//! # let client = Client::connect(&server.connect_string()).await?;
//! # client.create("/a", "", &CreateOptions::persistent()).await?;
//! let mut tree = client.add_watch("/a", AddWatchMode::PersistentRecursive).await?;
//! client.create("/a/b", "", &CreateOptions::persistent()).await?;
//! match tree.next().await {
//!     Ok(Notice::Event(event)) => assert_eq!(event.path, "/a/b"),
//!     other => panic!("{other:?}"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Several writes at once
//!
//! ```
//! # use client::{Client, CreateOptions, Error, ErrorCode, WriteResult};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! # let server = server::embedded::EmbeddedServer::start().expect("a server");
//! # let client = Client::connect(&server.connect_string()).await?;
//! let persistent = CreateOptions::persistent();
//! let both = client.multi().create("/a", "", &persistent).create("/a/b", "", &persistent);
//! let results = both.commit().await?;
//! assert!(matches!(&results[1], WriteResult::Created(node) if node.path == "/a/b"));
//!
//! let none = client.multi().set_data("/a", "x", 0).check("/a/b", 7).commit().await;
//! assert_eq!(none, Err(Error::MultiFailed { index: 1, code: ErrorCode::BadVersion }));
//! # Ok(())
//! # }
//! ```
//!
//! # The parts
//!
//! * [`Client`] (feature `tokio`, on by default): all of the above. TLS needs the feature `tls`,
//!   which is on too
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
    Builder, Call, Client, ClientInfo, ConnectStringError, CreateOptions, Created, Environment,
    Error, Expected, Later, Multi, MultiRead, NodeData, Notice, OneshotWatcher, Payload,
    ReadResult, Reconfig, State, States, Status, Stream, WatchEnd, WatchEvent, Watcher,
    WriteResult, acl,
};
#[cfg(feature = "tls")]
pub use shell::{Tls, TlsError};
