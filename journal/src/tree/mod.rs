//! Whole trees: from a leader, to a learner, and into the own snapshots.

mod inflow;
mod local;
mod outflow;

pub use inflow::{Inflow, InflowError};
pub use local::{LocalSnapshot, SnapshotProgress, SnapshotTarget};
pub use outflow::Outflow;

use jute::txn::TxnDigest;
use state::snapshot::WalkEnd;
use storage::{DigestSeal, Trailer};

use crate::settings::SnapshotSettings;

/// What stands at the end of a snapshot's file, if the tree is known to be that of a zxid.
fn trailer(settings: &SnapshotSettings, end: WalkEnd) -> Trailer {
    let digest = settings.digest.then_some(DigestSeal {
        zxid: end.zxid,
        version: TxnDigest::VERSION,
        tree_digest: end.digest as i64,
    });
    Trailer {
        digest,
        last_processed: settings.last_processed.then_some(end.zxid),
    }
}
