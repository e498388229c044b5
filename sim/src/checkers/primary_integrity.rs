//! PrimaryIntegrity: before a primary broadcasts anything it has everything of earlier epochs that
//! anyone has delivered, or ever will.
//!
//! Source: section 17 of the Zab facts, `PrimaryIntegrity`.

use zab::Epoch;

use super::history::History;
use super::ledger::Ledger;
use crate::violation::{Checked, ensure};

const NAME: &str = "primary_integrity";

/// A server leads `epoch`, with a log that ends with `end`.
pub(crate) fn established(
    history: &History,
    ledger: &Ledger,
    server: u64,
    epoch: Epoch,
    end: i64,
) -> Checked {
    // A leader may come to know of its quorum so late that the next one leads already. It will
    // never commit anything.
    let earlier = history.last_below(epoch.zxid().0);
    let last = earlier.unwrap_or(0);
    ensure!(
        ledger.holds(end, last),
        NAME,
        "server {server} leads epoch {epoch} with a log up to {end:#x}, which lacks {last:#x}"
    );
    Ok(())
}
