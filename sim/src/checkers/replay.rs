//! A recovered tree is the tree that the history makes: every node with data, ACL and Stat,
//! the sessions, and the digest at that zxid. The live tree is, too.
//!
//! Source: DESIGN.md, invariant 4; section 17 of the Zab facts, (v).

use std::collections::BTreeMap;

use jute::data::{Acl, StatPersisted};
use state::State;
use state::tree::NodeId;

use super::history::History;
use crate::standalone::Recovery;
use crate::violation::{Checked, ensure};

const NAME: &str = "replay";

/// The node of the ensemble's configuration.
const CONFIG: &str = "/zookeeper/config";

/// Compares what a start replayed with what was written. What was written last and not
/// applied counts as applied if it was recovered, and as lost otherwise.
pub(crate) fn recovered(history: &mut History, recovery: &Recovery, state: &State) -> Checked {
    let last = recovery.last_zxid;
    let kept = usize::try_from(last - history.last_zxid()).unwrap_or(usize::MAX);
    let written = history.tentative.len();
    ensure!(
        kept <= written,
        NAME,
        "{last:#x} was recovered, {written} entries were written behind {:#x}",
        history.last_zxid()
    );
    history.apply(kept)?;
    history.forget_tentative();
    let first = last - recovery.replayed.len() as i64 + 1;
    for (zxid, bytes) in (first..).zip(&recovery.replayed) {
        ensure!(
            history.bytes(zxid) == Some(bytes),
            NAME,
            "entry {zxid:#x} differs from what was written"
        );
    }
    if let Some(mismatch) = &recovery.digest_mismatch {
        ensure!(
            false,
            NAME,
            "the digest differs while replaying: {mismatch}"
        );
    }
    same_tree(history, state)
}

/// Compares the whole state with the history's.
pub(crate) fn same_tree(history: &History, state: &State) -> Checked {
    let (zxid, expected) = (state.last_zxid().0, history.last_zxid());
    ensure!(
        zxid == expected,
        NAME,
        "at {zxid:#x} instead of {expected:#x}"
    );
    let sessions: BTreeMap<i64, i32> = state.sessions().iter().collect();
    let expected = &history.model.sessions;
    ensure!(
        sessions == *expected,
        NAME,
        "sessions {sessions:x?} instead of {expected:x?}"
    );
    let mut count = 0;
    for (path, node) in history.model.all_now() {
        count += 1;
        let Some(id) = state.tree().lookup(path) else {
            ensure!(false, NAME, "{path} is missing");
            continue;
        };
        let expected = (node.data.as_deref(), &node.acl[..], node.stat);
        let found = dump(state, id);
        // Each server of an ensemble also writes its node by itself.
        ensure!(
            found == expected || path == CONFIG,
            NAME,
            "{path} is {found:?} instead of {expected:?}"
        );
    }
    let len = state.tree().len();
    ensure!(len == count, NAME, "{len} nodes instead of {count}");
    same_digest(history, state)
}

fn dump(state: &State, id: NodeId) -> (Option<&[u8]>, &[Acl<'static>], StatPersisted) {
    let tree = state.tree();
    let acl = state.acl_of(id).map_or(&[][..], |acl| &acl[..]);
    (tree.data(id), acl, tree.stat(id))
}

/// The digest that the last transaction with one promised.
fn same_digest(history: &History, state: &State) -> Checked {
    let promised = history
        .before(history.last_zxid())
        .find_map(|entry| entry.digest);
    if let Some(promised) = promised {
        let (promised, found) = (promised.tree_digest as u64, state.tree().digest());
        ensure!(
            promised == found,
            NAME,
            "digest {found:x} instead of {promised:x}"
        );
    }
    Ok(())
}
