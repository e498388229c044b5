//! Everything between a client's bytes and the history that decides something; no IO.
//!
//! The shell owns sockets, threads, files and clocks, and moves bytes between them and
//! the two objects here:
//!
//! * [`Replica`], shared: connections hand it what they received ([`gate`]); reads are
//!   answered at once, writes come back as a [`Submission`] for
//! * [`Sequencer`], owned by one thread: it turns submissions into transactions, waits
//!   until they are durable, applies them and answers;
//! * [`Member`] in its place, where several servers are one ensemble.
//!
//! Time is an argument everywhere ([`Now`]).

mod ahead;
mod answer;
pub mod connection;
pub mod gate;
pub mod member;
mod reaper;
mod replica;
pub mod sequencer;
mod service;
pub mod sessions;
mod stats;
pub mod throttle;
mod time;

#[cfg(test)]
mod tests;

pub use connection::{Connection, Ending, Transport};
pub use gate::{Next, Received, RidingOptions, Submission};
pub use member::{Member, MemberOptions};
pub use reaper::ReaperOptions;
pub use replica::{Replica, ReplicaOptions};
pub use sequencer::{Batch, Entries, Sequencer, Ticket};
pub use service::Service;
pub use stats::{Latency, ServerStats};
pub use time::Now;
