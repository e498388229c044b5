//! The write path's threads: one that orders, logs, applies and answers; one that writes
//! snapshots; one that purges.

mod extender;
mod purge;
mod queue;
mod snapshots;
mod writer;

pub(crate) use extender::Extender;
pub(crate) use purge::Purge;
pub(crate) use queue::Queue;
pub(crate) use snapshots::{SnapshotSettings, Snapshots};
pub(crate) use writer::{FatalError, Writer};
