//! Transactions that the server asks for itself: sessions come and go, containers are
//! reaped.

use std::borrow::Cow;
use std::collections::BTreeSet;

use jute::txn::{CloseSessionTxn, CreateSessionTxn, DeleteTxn, Txn};
use jute::{ErrorCode, Zxid, path};

use super::draft::Draft;
use super::{Origin, Prep, Prepared, SessionKind, multi};
use crate::state::State;
use crate::tree::Owner;

/// How far the end of a session has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// Some of its ephemerals go with this transaction, a multi of deletes: they are too
    /// many for one that every reader of the log accepts. Ask again.
    Shed(Zxid),
    /// The session and what was left goes with this transaction.
    Closed(Zxid),
}

impl Prep {
    /// Opens a session with a timeout in milliseconds, for a request of this session and number:
    /// 0 for a connection that asks for one. A server of Apache's waits for exactly the number
    /// that it has forwarded, and answers none of its clients until it comes.
    pub fn create_session(
        &mut self,
        state: &State,
        now_ms: i64,
        (session, cxid): (i64, i32),
        timeout_ms: i32,
        out: &mut Vec<u8>,
    ) -> Zxid {
        let origin = Origin {
            session,
            cxid,
            now_ms,
        };
        self.draft(state, origin, SessionKind::Global, &[]);
        let txn = Txn::CreateSession(CreateSessionTxn { timeout_ms });
        logged(self.log(state, origin, Ok(txn), out))
    }

    /// Closes a session, at its client's request (with the request's `cxid`) or because it
    /// expired (0). From the first call on the caller refuses the session's requests, and it
    /// repeats the call until the answer is [`Closing::Closed`]. The ephemerals are those of
    /// the tree and of pending creates, without those of pending deletes, the last path
    /// first.
    pub fn close_session(
        &mut self,
        state: &State,
        now_ms: i64,
        session: i64,
        cxid: i32,
        out: &mut Vec<u8>,
    ) -> Closing {
        let origin = Origin {
            session,
            cxid,
            now_ms,
        };
        let max_len = state.options.limits.max_len / 2;
        let mut draft = self.draft(state, origin, SessionKind::Global, &[]);
        let mut paths = draft.ephemerals();
        let shed = sheds(&paths, max_len);
        if let Some(count) = shed {
            paths.truncate(count);
        }
        for path in &paths {
            draft.remove_ephemeral(path);
        }
        if shed.is_some() {
            let mut bodies = Vec::new();
            let parts = multi::deletes(&paths, &mut bodies);
            let txn = multi::assemble(&parts, &bodies);
            return Closing::Shed(logged(self.log(state, origin, Ok(txn), out)));
        }
        let listed = self.options.close_session_txn.then(|| CloseSessionTxn {
            paths_to_delete: Some(paths.into_iter().map(|path| Some(path.into())).collect()),
        });
        Closing::Closed(logged(self.log(
            state,
            origin,
            Ok(Txn::CloseSession(listed)),
            out,
        )))
    }

    /// Deletes a container or TTL node whose time has come, if that is still so: a pending
    /// write may have given it a child or a new lease. Then nothing happens, and no zxid is
    /// taken.
    pub fn delete_container(
        &mut self,
        state: &State,
        now_ms: i64,
        path: &str,
        out: &mut Vec<u8>,
    ) -> Prepared {
        if let Err(code) = self.check_reapable(state, now_ms, path) {
            return Prepared::Reject(code);
        }
        let origin = Origin {
            session: 0,
            cxid: 0,
            now_ms,
        };
        let mut draft = self.draft(state, origin, SessionKind::Global, &[]);
        draft.remove_ephemeral(path);
        let txn = Txn::DeleteContainer(DeleteTxn {
            path: Some(Cow::Borrowed(path)),
        });
        self.log(state, origin, Ok(txn), out)
    }

    /// 3.11, and what the reaper looked at.
    fn check_reapable(&self, state: &State, now_ms: i64, path: &str) -> Result<(), ErrorCode> {
        if path::is_special(path) {
            return Err(ErrorCode::BadArguments);
        }
        let node = self.pending.node(state, path).ok_or(ErrorCode::NoNode)?;
        if node.child_count > 0 {
            return Err(ErrorCode::NotEmpty);
        }
        let due = match state
            .options
            .owner_rules
            .classify(node.stat.ephemeral_owner)
        {
            Owner::Container => true,
            Owner::Ttl(ttl_ms) => now_ms.saturating_sub(node.stat.mtime) > ttl_ms,
            Owner::None | Owner::Session(_) => false,
        };
        if due {
            Ok(())
        } else {
            Err(ErrorCode::BadVersion)
        }
    }
}

impl Draft<'_> {
    /// The ephemerals of the session, the last path first: should a tree from elsewhere
    /// hold one below the other, it goes before its parent.
    fn ephemerals(&self) -> Vec<String> {
        let session = self.origin.session;
        let state = self.state;
        let mut paths: BTreeSet<String> = state
            .ephemerals_of(session)
            .map(|id| state.tree.path(id))
            .collect();
        let rules = state.options.owner_rules;
        for (path, owner) in self.pending.owners() {
            match owner.map(|raw| rules.classify(raw)) {
                Some(Owner::Session(owner)) if owner == session => {
                    paths.insert(path.to_owned());
                }
                _ => {
                    paths.remove(path);
                }
            }
        }
        paths.into_iter().rev().collect()
    }

    fn remove_ephemeral(&mut self, path: &str) {
        let (parent_path, _) = path::split(path).expect("a node's path has a slash");
        let node = self.node(path).expect("it was found just now");
        let parent = self.node(parent_path).expect("a node has a parent");
        self.remove(path, &node, parent_path, &parent);
    }
}

/// How many of the paths must go ahead, if together they need more than `max_len` bytes;
/// at least one, or it would never end.
fn sheds(paths: &[String], max_len: usize) -> Option<usize> {
    /// Of a part of a multi: type, length of the body, length of the path.
    const OVERHEAD: usize = 12;
    let mut len = 0;
    let fitting = paths.iter().take_while(|path| {
        len += OVERHEAD + path.len();
        len <= max_len
    });
    let count = fitting.count();
    (count < paths.len()).then_some(count.max(1))
}

/// # Panics
/// If it failed: these transactions are bounded, and nothing is left to check.
fn logged(prepared: Prepared) -> Zxid {
    match prepared {
        Prepared::Txn { zxid, error: None } => zxid,
        other => panic!("a transaction of the server's own failed: {other:?}"),
    }
}
