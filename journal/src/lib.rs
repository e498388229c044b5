//! The disk half of a member of an ensemble: carries out what the crate `zab` wants durable, in
//! Apache's files; no IO of its own.
//!
//! Bytes go through [`storage::Disk`], chance comes from a seed, and nothing here knows a clock. So
//! what the simulator crashes between any two operations is what ships.
//!
//! * [`Journal`]: recovery, and the one queue of writes
//! * [`LogEnd`]: the log's end with its reservations, preparations and the count towards the next
//!   snapshot
//! * [`LogReader`]: pieces of the log for learners
//! * [`Inflow`], [`Outflow`]: a tree from a leader, and to a learner
//! * [`LocalSnapshot`]: one of the own state while it is being served
//! * [`config`]: the configuration in `zoo.cfg`, `zoo.cfg.dynamic.<version>` and `.next`
//!
//! # What relies on what
//!
//! [`Journal::carry_out`] does things in the order given, and each is durable before the next
//! begins; only entries that follow each other are made durable together. A completion is reported
//! when it, and all before it, is durable. The table in the crate `zab` says who waits for which.
//!
//! # A full disk
//!
//! A proposal cannot be refused any more: who cannot append it, leader or follower, must stop
//! ([`zab::Input::StoreFailed`]), for it can neither acknowledge what it does not have nor go on
//! without it. The rest of the ensemble goes on, under another leader if need be, whose disk has
//! space: so a leader does not ask for space before it proposes, as a server alone does, whose
//! clients have nobody else to go to. After a failed *write or sync* nothing is known of
//! the disk; the member stops, and its next start finds out. A failed local snapshot, full disk or
//! not, costs nothing but the attempt.

mod carry;
pub mod config;
mod entry;
mod files;
mod log_end;
mod open;
mod preparer;
mod read;
mod settings;
mod sink;
mod tree;

pub use carry::{Carried, Failure, Journal, Write};
pub use entry::{EntryError, entry_of};
pub use files::Files;
pub use log_end::LogEnd;
pub use open::Opened;
pub use preparer::{FilePreparer, NoFilePreparer};
pub use read::LogReader;
pub use settings::{ConfigSettings, Settings, SnapshotSettings};
pub use sink::{Notes, StateSink};
pub use tree::{Inflow, InflowError, LocalSnapshot, Outflow, SnapshotProgress, SnapshotTarget};
