use std::mem::{Discriminant, discriminant};
use std::net::SocketAddr;
use std::time::Duration;

use jute::frame::BadFrameLength;
use jute::quorum::ServerId;
use jute::wire::DecodeError;
use thiserror::Error;
use tracing::{debug, warn};
use zab::WireError;

/// What is wrong with a peer. Its connection ends, unless said otherwise.
#[derive(Debug, Error)]
pub(super) enum Fault {
    #[error("it closed the connection before it said who it is")]
    Gone,
    #[error("it did not say who it is within {0:?}")]
    Silent(Duration),
    #[error("its first bytes are not those of a server: {0}")]
    Foreign(DecodeError),
    #[error("its first bytes are not those of a server: {0:#x} is no server id")]
    NoServerId(i64),
    #[error("server ids are not negative: {0}")]
    NegativeId(ServerId),
    #[error("it says that it is server {0}, which is this one: is its myid right?")]
    OwnId(ServerId),
    #[error("too many servers outside the configuration are connected; this one is {0}")]
    TooManyStrangers(ServerId),
    #[error("server {0} sent a message that is too long or empty: {1}")]
    Frame(ServerId, BadFrameLength),
    #[error("server {0} sent what is no notification; it is ignored: {1}")]
    Notification(ServerId, WireError),
    #[error(
        "server {0} has another configuration, though of the same version: are its server lines \
         right? It is heard all the same"
    )]
    OtherConfig(ServerId),
    #[error("server {0} is connected already, from elsewhere: are there two with this id?")]
    Duplicate(ServerId),
}

/// Logs what is wrong with peers, once for each machine and kind, and then ever more rarely.
#[derive(Debug, Default)]
pub(super) struct Complaints(crate::peer::Complaints<Discriminant<Fault>>);

impl Complaints {
    pub(super) fn log(&self, from: SocketAddr, fault: &Fault) {
        // A look whether the port is open, as monitors take it.
        if matches!(fault, Fault::Gone) {
            debug!("connection from {from} to the election port: {fault}");
            return;
        }
        if let Some(behind) = self.0.told(from.ip(), discriminant(fault)) {
            warn!("connection from {from} to the election port{behind}: {fault}");
        }
    }
}
