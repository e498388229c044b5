//! The core of a client's session with ZooKeeper: encoding, matching, reconnecting; no IO.
//!
//! The shell owns the socket and the clock. It tells [`Session::handle`] what happened (an
//! [`Input`]) and does what comes back (the [`Effect`]s); when nothing happens before
//! [`Session::next_deadline`] it hands in [`Input::Tick`].
//!
//! ```text
//! Tick ──► Connect ──► (shell connects) ──► Connected ──► Send ──► (bytes) ──► Received ──► Answer, Event
//! ```
//!
//! * [`Request`], [`Reply`]: what may be asked and what comes back, owned
//! * [`Options`]: timeouts and bounds
//! * [`Watches`]: what the session watches, and registers again after a reconnect

mod event;
mod machine;
mod options;
mod reply;
mod request;
mod sasl;
mod watches;

pub use event::{Effect, End, Failure, Input, Token, WatchEvent};
pub use machine::Session;
#[cfg(feature = "tokio")]
pub(crate) use machine::split_mix;
pub use options::Options;
pub use reply::{Reply, WriteResult};
pub use request::{NodeKind, ReadPart, Request, WritePart};
pub use sasl::DigestMd5;
pub use watches::Watches;
