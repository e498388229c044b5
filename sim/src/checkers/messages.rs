//! No message arrives that no rule can consume: in the wrong phase, out of order, for something
//! that was never sent. Connections deliver everything in order until they break, and all servers
//! follow the protocol; so none may ever give up another for one of these reasons.
//!
//! Source: section 17 of the Zab facts, `ShouldNotBeTriggered` (state, proposal, commit, ack,
//! messageIllegal).

use zab::Leave;

use crate::violation::{Checked, ensure};

const NAME: &str = "messages";

/// A server lets go of its leader, or of a learner.
pub(crate) fn left(server: u64, why: &Leave) -> Checked {
    let illegal = matches!(
        why,
        Leave::Unexpected { .. }
            | Leave::OtherEpoch { .. }
            | Leave::Gap { .. }
            | Leave::FutureEpoch { .. }
            | Leave::CommitOrder { .. }
            | Leave::LostCommitted { .. }
            | Leave::BadTruncation { .. }
            | Leave::SnapshotNeeded
            | Leave::AckNotSent { .. }
            | Leave::PongNotAsked
            | Leave::OwnId(_)
            | Leave::NoNextEpoch(_)
            | Leave::DigestMismatch(_)
    );
    ensure!(!illegal, NAME, "server {server} gives up: {why}");
    Ok(())
}
