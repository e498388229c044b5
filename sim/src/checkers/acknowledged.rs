//! No acknowledged write is lost by a restart, and nothing that anyone may have read.
//!
//! Source: DESIGN.md, invariant 2 (durable before acknowledged).

use super::history::History;
use crate::violation::{Checked, ensure};

const NAME: &str = "acknowledged";

/// The highest zxid that any client has seen in a reply.
#[derive(Debug, Default)]
pub(crate) struct Acknowledged {
    zxid: i64,
}

impl Acknowledged {
    /// A client received a reply.
    pub(crate) fn seen(&mut self, zxid: i64) {
        self.zxid = self.zxid.max(zxid);
    }

    /// What a read that starts now must at least show.
    pub(crate) fn zxid(&self) -> i64 {
        self.zxid
    }

    /// A start recovered everything up to `last_zxid`.
    pub(crate) fn recovered(&self, history: &History, last_zxid: i64) -> Checked {
        ensure!(
            last_zxid >= self.zxid,
            NAME,
            "a client has seen {:#x}, the restart recovered {last_zxid:#x}",
            self.zxid
        );
        let applied = history.last_zxid();
        ensure!(
            last_zxid >= applied,
            NAME,
            "{applied:#x} was applied, the restart recovered {last_zxid:#x}"
        );
        Ok(())
    }
}
