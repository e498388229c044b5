//! No transaction that anyone has delivered is missing from the durable logs of a quorum.
//!
//! Source: section 17 of the Zab facts, (ii).

use zab::ServerId;
use zab::quorum::Config;

use super::ledger::Ledger;
use crate::violation::{Checked, ensure};

const NAME: &str = "durability";

/// `ends` are the ends of all durable logs, `last` is the last transaction delivered, `config`
/// the configuration in force.
pub(crate) fn on_a_quorum(
    ledger: &Ledger,
    config: &Config,
    ends: &[(ServerId, i64)],
    last: i64,
) -> Checked {
    let holds = |server| {
        let mut ends = ends.iter();
        let end = ends.find(|(id, _)| *id == server);
        end.is_some_and(|(_, end)| ledger.holds(*end, last))
    };
    ensure!(
        config.is_quorum(holds),
        NAME,
        "{last:#x} is delivered, and durable on no quorum: the logs end with {ends:x?}"
    );
    Ok(())
}
