//! The client port: sockets on one side, the replica's gate on the other.

mod client_port;
mod connection;
mod limits;
mod listener;
pub(crate) mod socket;
mod transport;

pub(crate) use client_port::ClientPort;
pub(crate) use listener::Stop;
