//! Leader election and atomic broadcast (Zab) as state machines; no IO.
//!
//! A [`Peer`] is one server of an ensemble. Whatever happens to it goes in as an [`Input`], with
//! the time; whatever it wants done comes out as [`Effect`]s; [`Peer::next_deadline`] says when to
//! call it if nothing happens. The caller owns sockets, disk and clock, and reports what became of
//! each effect. So the same inputs always lead to the same effects, and everything that the
//! protocol promises can be tried out in memory.
//!
//! Named after the paper and ZooKeeper's own words:
//!
//! * [`quorum`]: who is a member, when enough of them agree
//! * [`election`]: votes, rounds, who leads
//! * `leader`, `learner`: the two sides of discovery, synchronisation and broadcast
//! * [`sync`]: DIFF, TRUNC or SNAP
//!
//! # What must be durable before what
//!
//! The order is kept by waiting for completions, never by hoping for the order of effects alone:
//!
//! | Before | durable | else |
//! | --- | --- | --- |
//! | LEADERINFO | leader's `acceptedEpoch` | two leaders of one epoch |
//! | ACKEPOCH | learner's `acceptedEpoch` | the same |
//! | ACK of NEWLEADER | the history up to it, then `currentEpoch` | a committed history is lost |
//! | the leader's own voice for NEWLEADER | its `currentEpoch` | the same |
//! | ACK of a proposal | it and all before it | a committed transaction is lost |
//! | a vote | the whole history | the same |

mod core;
mod effect;
pub mod election;
mod history;
mod id;
mod input;
mod leader;
mod learner;
mod leave;
mod lobby;
mod message;
mod options;
mod overview;
mod peer;
pub mod quorum;
mod standing;
pub mod sync;
mod text;
mod time;
mod wire;
mod writes;

pub use effect::{Effect, Effects, Io, RoleStatus, Store};
pub use id::Epoch;
pub use input::{Input, LeaderLink, LearnerLink, LogRead, ReadId, SyncId};
pub use jute::quorum::ServerId;
pub use leave::Leave;
pub use message::{Entry, LeaderPacket, LearnerPacket, Request};
pub use options::Options;
pub use overview::{LearnerCounts, Overview};
pub use peer::{Peer, ReconfigRefusal, Recovered};
pub use standing::{RESYNC_RANGE, Standing};
pub use text::Pretty;
pub use time::Time;
pub use wire::{WireError, parse_config};
pub use writes::Ticket;
