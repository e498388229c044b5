//! TotalOrder and Agreement: all servers deliver the same transactions in the same order, each of
//! them a beginning of the one history. PrefixConsistency: their logs agree up to there.
//!
//! Source: section 17 of the Zab facts, `TotalOrder`, `Agreement`, `PrefixConsistency`.

use super::history::History;
use super::ledger::Ledger;
use super::primary_order;
use crate::violation::{Checked, Violation, ensure};

const NAME: &str = "total_order";

/// A server has delivered everything up to `through`, and its log ends with `end`. Whoever comes
/// first makes the history longer.
pub(crate) fn delivered(
    history: &mut History,
    ledger: &Ledger,
    server: u64,
    through: i64,
    end: i64,
) -> Checked {
    ensure!(
        ledger.holds(end, through),
        NAME,
        "server {server} delivered {through:#x}, and its log that ends with {end:#x} lacks it"
    );
    let last = history.last_zxid();
    if through <= last {
        ensure!(
            ledger.holds(last, through),
            NAME,
            "server {server} delivered {through:#x}, which is not in the history up to {last:#x}"
        );
        return Ok(());
    }
    let Some(path) = ledger.path(last, through) else {
        let text = format!(
            "server {server} delivered {through:#x}, which does not stand behind {last:#x}"
        );
        return Err(Violation::new(NAME, text));
    };
    let mut before = last;
    for zxid in path {
        primary_order::delivered(before, zxid)?;
        before = zxid;
        let proposal = ledger.get(zxid).expect("it is on the path");
        history.append(proposal.bytes.to_vec())?;
    }
    Ok(())
}
