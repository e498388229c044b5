//! The quorum port: packets between a leader and its learners.

mod learner;
mod listener;
mod outflow;
mod reading;
mod socket;
mod uplink;

pub(crate) use listener::{Learners, Port, QuorumListener};
pub(crate) use outflow::Outflows;
pub(crate) use socket::{Flush, PeerSocket};
pub(crate) use uplink::Uplinks;
