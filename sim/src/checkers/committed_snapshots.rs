//! A server's own snapshots hold committed transactions only.
//!
//! Source: DESIGN.md, invariant 4.

use super::history::History;
use super::ledger::Ledger;
use crate::violation::{Checked, ensure};

const NAME: &str = "committed_snapshots";

/// A snapshot that holds everything up to `zxid`, and perhaps some of what the server applied
/// since, became visible; the server has applied everything up to `applied`.
pub(crate) fn visible(
    history: &History,
    ledger: &Ledger,
    server: u64,
    zxid: i64,
    applied: i64,
) -> Checked {
    let last = history.last_zxid();
    ensure!(
        ledger.holds(last, zxid) && ledger.holds(last, applied),
        NAME,
        "server {server} has a snapshot of {zxid:#x} to {applied:#x}, committed is {last:#x}"
    );
    Ok(())
}
