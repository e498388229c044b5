//! Replies come in the order of the requests; what a session sees never goes back, not even
//! across connections and restarts; it sees its own writes, and whatever anyone was told
//! before it asked.
//!
//! Source: DESIGN.md, invariants 6 and 7; section 17 of the Zab facts, (vi).

use crate::violation::{Checked, ensure};

const NAME: &str = "session_order";

/// What a session has seen.
#[derive(Debug, Default)]
pub(crate) struct SessionOrder {
    /// In answers to requests.
    zxid: i64,
    /// In any packet of the present connection. A client does not take what a ping tells to the
    /// next server, so that one may be behind.
    on_connection: i64,
}

impl SessionOrder {
    /// A reply to the request `sent_xid` came, which was made when someone had seen `floor`.
    pub(crate) fn reply(&mut self, sent_xid: i32, xid: i32, zxid: i64, floor: i64) -> Checked {
        ensure!(
            xid == sent_xid,
            NAME,
            "the reply to {xid} came where that to {sent_xid} was due"
        );
        ensure!(
            zxid >= floor,
            NAME,
            "request {xid} was answered as of {zxid:#x}, and {floor:#x} was known before it"
        );
        self.passing(zxid)?;
        self.zxid = zxid;
        Ok(())
    }

    /// Another packet that tells a zxid came.
    pub(crate) fn passing(&mut self, zxid: i64) -> Checked {
        let before = self.zxid.max(self.on_connection);
        ensure!(
            zxid >= before,
            NAME,
            "went back from {before:#x} to {zxid:#x}"
        );
        self.on_connection = zxid;
        Ok(())
    }

    /// A new connection.
    pub(crate) fn reconnected(&mut self) {
        self.on_connection = 0;
    }
}
