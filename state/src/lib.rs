//! The replicated state: znode tree, transactions, sessions and watches.
//!
//! Deterministic: the same transactions lead to the same state on every server, and time
//! and randomness are arguments. No IO, no clock, no threads.
//!
//! * [`prep`]: from a request to a transaction, validated against what is pending
//! * [`apply`]: from a transaction to a changed [`State`], watch events and a reply
//! * [`read`]: requests that change nothing
//! * [`snapshot`]: the state to a file's parts and back
//! * [`rebuild`]: a state from a snapshot and the log behind it

pub mod acl;
pub mod apply;
pub mod digest;
pub mod prep;
pub mod quota;
pub mod read;
pub mod rebuild;
pub mod session;
pub mod snapshot;
mod state;
pub mod tree;
pub mod watch;

pub use state::{Options, State};
