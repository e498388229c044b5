//! A member of an ensemble: its threads and queues around `replica::Member` and `journal`.
//!
//! The engine's thread decides: it hands what came in to the member and does what the member
//! wants. A thread of its own writes the log. What they share are two queues. On a quiet server
//! the thread that received something does the work of both: each wake-up saved is one that a
//! client would wait for.

mod core;
mod disk;
mod engine;
mod oracle;
mod ports;
mod start;

pub(crate) use engine::{Arrival, Engine, Sight};
pub(crate) use start::{OwnPorts, assemble, open_ports};
