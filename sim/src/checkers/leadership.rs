//! Leadership1: no two servers that lead, or are about to, claim the same epoch. Leadership2: over
//! all time no epoch has two established leaders.
//!
//! Source: section 17 of the Zab facts, `Leadership1`, `Leadership2`.

use std::collections::BTreeMap;

use zab::Epoch;

use crate::violation::{Checked, ensure};

const NAME: &str = "leadership";

/// Who claimed and who led each epoch.
#[derive(Debug, Default)]
pub(crate) struct Leadership {
    claimed: BTreeMap<Epoch, u64>,
    established: BTreeMap<Epoch, u64>,
}

impl Leadership {
    /// A server that was elected makes an epoch its own: it synchronises others.
    pub(crate) fn claims(&mut self, server: u64, epoch: Epoch) -> Checked {
        let other = *self.claimed.entry(epoch).or_insert(server);
        ensure!(
            other == server,
            NAME,
            "servers {other} and {server} both claim epoch {epoch}"
        );
        Ok(())
    }

    /// A server leads.
    pub(crate) fn leads(&mut self, server: u64, epoch: Epoch) -> Checked {
        self.claims(server, epoch)?;
        let first = self.established.insert(epoch, server);
        ensure!(
            first.is_none(),
            NAME,
            "epoch {epoch} of server {server} had a leader before, {first:?}"
        );
        Ok(())
    }
}
