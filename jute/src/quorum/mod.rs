//! What servers of an ensemble say to each other.
//!
//! * [`packet`]: the quorum port. A learner and its leader (or observer master) exchange
//!   [`QuorumPacket`]s without a length prefix; [`LearnerMessage`] and [`LeaderMessage`] say
//!   what they mean, one type for each direction
//! * [`election`]: the election port
//! * [`auth`]: the SASL exchange at the start of either
//! * [`config`]: the text of a configuration, and the `server.N` lines of `zoo.cfg`
//! * [`snap`]: what ends a tree sent over the wire

pub mod auth;
pub mod config;
pub mod election;
mod endpoint;
mod leader;
mod learner;
pub mod packet;
mod payload;
mod server_id;
pub mod snap;

pub use config::QuorumConfig;
pub use endpoint::{Endpoint, EndpointFault};
pub use leader::LeaderMessage;
pub use learner::LearnerMessage;
pub use packet::{PacketType, QuorumPacket};
pub use payload::{
    ForwardedRequest, LearnerInfo, RevalidateRequest, RevalidateResponse, SessionTouch,
};
pub use server_id::ServerId;

/// The protocol version that learners and leaders announce; below it a peer speaks the
/// protocol of releases before 3.4, without LEADERINFO and ACKEPOCH.
pub const PROTOCOL_VERSION: i32 = 0x10000;
