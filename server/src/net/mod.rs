//! The client port: sockets on one side, the replica's gate on the other.

mod connection;
mod limits;
mod listener;
pub(crate) mod socket;
mod transport;

pub(crate) use limits::ConnectionLimits;
pub(crate) use listener::{Listener, Stop};
