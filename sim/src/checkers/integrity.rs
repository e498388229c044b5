//! Integrity: every transaction in a log was broadcast by some primary, as it is; a zxid names
//! one transaction, and what stands before it is the same in every log.
//!
//! Source: section 17 of the Zab facts, `Integrity`; the last part is what PrefixConsistency
//! follows from.

use zab::{Entry, Epoch, RoleStatus};

use super::ledger::{Ledger, Proposal};
use crate::violation::{Checked, ensure};

const NAME: &str = "integrity";

/// A leader sends an entry to a learner, perhaps before it logs it itself. Its own log ends with
/// `end`.
pub(crate) fn sent(
    ledger: &mut Ledger,
    server: u64,
    status: RoleStatus,
    end: i64,
    entry: &Entry,
) -> Checked {
    let before = match ledger.get(entry.zxid.0) {
        Some(known) => known.before,
        None => end,
    };
    logged(ledger, server, status, before, entry)
}

/// A server logs an entry behind `before`.
pub(crate) fn logged(
    ledger: &mut Ledger,
    server: u64,
    status: RoleStatus,
    before: i64,
    entry: &Entry,
) -> Checked {
    let zxid = entry.zxid.0;
    let Some(known) = ledger.get(zxid) else {
        let epoch = Epoch::of(entry.zxid);
        ensure!(
            status == RoleStatus::Leading { epoch },
            NAME,
            "server {server} logs {zxid:#x}, which no primary of epoch {epoch} has broadcast"
        );
        let proposal = Proposal {
            bytes: entry.bytes.clone(),
            before,
            config: entry.config.clone(),
        };
        ledger.insert(zxid, proposal);
        return Ok(());
    };
    ensure!(
        known.bytes == entry.bytes,
        NAME,
        "server {server} logs another transaction {zxid:#x} than others"
    );
    ensure!(
        known.before == before,
        NAME,
        "server {server} logs {zxid:#x} behind {before:#x}, others behind {:#x}",
        known.before
    );
    Ok(())
}
