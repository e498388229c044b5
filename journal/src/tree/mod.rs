//! Whole trees: from a leader, to a learner, and into the own snapshots.

mod inflow;
mod local;
mod outflow;

pub use inflow::{Inflow, InflowError};
pub use local::{LocalSnapshot, SnapshotProgress, SnapshotTarget};
pub use outflow::Outflow;

use jute::Zxid;
use jute::txn::TxnDigest;
use storage::{DigestSeal, Trailer};

use crate::settings::SnapshotSettings;

/// What stands at the end of a snapshot's file that is one of the tree at `zxid`, if not of an
/// earlier one. `None` for a digest that is not known.
fn trailer(settings: &SnapshotSettings, zxid: Zxid, digest: Option<u64>) -> Trailer {
    let seal = digest.map_or(DigestSeal::UNKNOWN, |digest| DigestSeal {
        zxid,
        version: TxnDigest::VERSION,
        tree_digest: digest as i64,
    });
    Trailer {
        digest: settings.digest.then_some(seal),
        last_processed: settings.last_processed.then_some(zxid),
    }
}
