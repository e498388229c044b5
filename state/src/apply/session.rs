use jute::txn::{CloseSessionTxn, TxnHeader};

use super::Outcome;
use crate::state::State;
use crate::watch::EventSink;

impl State {
    pub(super) fn create_session<'a>(&mut self, session: i64, timeout_ms: i32) -> Outcome<'a> {
        self.sessions.insert(session, timeout_ms);
        Outcome::SessionCreated { timeout_ms }
    }

    /// Deletes the listed ephemerals, in the order of the list, which is the same on all
    /// servers; those already gone still move their parents' pzxid. Then what else the
    /// session owns, which is everything if the transaction has no list.
    pub(super) fn close_session<'a>(
        &mut self,
        header: &TxnHeader,
        txn: Option<CloseSessionTxn<'_>>,
        sink: &mut impl EventSink,
    ) -> Outcome<'a> {
        let listed = txn.and_then(|txn| txn.paths_to_delete).unwrap_or_default();
        for path in listed.iter().flatten() {
            // A missing node is no failure of the whole, see above.
            let _gone_already = self.delete(path, header.zxid, sink);
        }
        let owned = self.ephemerals_of(header.client_id);
        let mut left: Vec<String> = owned.map(|id| self.tree.path(id)).collect();
        left.sort_unstable();
        for path in &left {
            // Only a damaged log has an ephemeral below another one: it goes with that.
            let _gone_already = self.delete(path, header.zxid, sink);
        }
        let owns_nothing = self.ephemerals_of(header.client_id).next().is_none();
        assert!(
            owns_nothing,
            "every node that the session owned was deleted"
        );
        self.sessions.remove(header.client_id);
        Outcome::SessionClosed
    }
}
