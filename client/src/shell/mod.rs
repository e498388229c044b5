//! The tokio shell: sockets, clocks, and what applications see.
//!
//! Everything that decides is in [`crate::session`]. One task for each client, the
//! [`driver`], moves bytes; calls encode their request under one lock into the buffer that the
//! task sends next, or they themselves if it is much ([`outlet`]), and are woken by the task that
//! decoded their answer.
//!
//! Lock order: [`shared`], then the mailbox of a watcher. Answers are handed out when the lock
//! is given up: what is dropped with one may take it again.

// The one place of this crate with IO and a clock.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the shell is where sockets and clocks are"
)]

pub mod acl;
mod builder;
mod call;
mod chroot;
mod client;
mod driver;
mod environment;
mod error;
mod hosts;
mod ops;
mod outlet;
mod probe;
mod shared;
mod slots;
mod state;
#[cfg(feature = "tls")]
mod tls;
mod transport;
mod watch;

pub use builder::Builder;
pub use call::Call;
pub use client::Client;
pub use environment::{Environment, Later, Stream};
pub use error::Error;
pub use hosts::ConnectStringError;
pub use ops::{
    ClientInfo, CreateOptions, Created, Expected, Multi, MultiRead, NodeData, Payload, ReadResult,
    Reconfig, WriteResult,
};
pub use state::{State, States, Status};
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsError};
pub use watch::{Notice, OneshotWatcher, WatchEnd, WatchEvent, Watcher};
