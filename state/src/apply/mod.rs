//! From a transaction to a changed [`State`], watch events and what a reply needs.
//!
//! There is one code for transactions as they are committed and for the log behind a
//! snapshot. Since a snapshot is fuzzy, any effect of a transaction may be there already;
//! so every change here leads to the same state when it is made again, and the rules that
//! look odd for a live server (an existing node gets the ACL of its create, a missing one
//! still moves its parent's pzxid) are what makes the replayed tree equal the live one.

mod applied;
mod create;
mod delete;
mod digest_check;
mod load;
mod multi;
mod quota;
mod session;
mod set;

#[cfg(test)]
pub(crate) mod history;
#[cfg(test)]
mod tests;

use jute::data::{Acl, Id};
use jute::txn::{LogEntry, SetDataTxn, Txn, TxnHeader};
use jute::wire::{DecodeError, Limits};
use jute::{ErrorCode, OpCode, Zxid, path};
use std::borrow::Cow;

pub use applied::{Applied, Outcome};
pub use digest_check::{DigestCheck, DigestMismatch};

use crate::acl::{AclCache, AclId};
use crate::state::State;
use crate::watch::{EventSink, NoEvents};
use create::NewNode;

/// Whether an entry from elsewhere can be applied. One that cannot must not get into a log: no
/// server that has it would start again.
///
/// # Errors
/// Where it is broken.
pub fn check_entry(bytes: &[u8], limits: Limits) -> Result<(), DecodeError> {
    if let Txn::Multi(parts) = LogEntry::from_bytes(bytes, limits)?.txn {
        multi::decode_parts(&parts, limits)?;
    }
    Ok(())
}

impl State {
    /// Applies a committed transaction and fires the watches on what it changes.
    ///
    /// # Errors
    /// If a part of a multi cannot be decoded; then nothing has changed.
    ///
    /// # Panics
    /// If the transaction does not come after the last one.
    pub fn apply<'a>(
        &mut self,
        entry: LogEntry<'a>,
        sink: &mut impl EventSink,
    ) -> Result<Applied<'a>, DecodeError> {
        let (zxid, last) = (Zxid(entry.header.zxid), self.last_zxid);
        assert!(zxid > last, "transaction {zxid} after {last}");
        self.enact(entry, sink)
    }

    /// Applies a transaction of the log behind the snapshot that was loaded, before anyone
    /// is connected. Old logs repeat a zxid in places, so the order is not asserted; what
    /// fails is ignored, for a later transaction accounts for it.
    ///
    /// # Errors
    /// As [`State::apply`].
    pub fn replay<'a>(&mut self, entry: LogEntry<'a>) -> Result<Applied<'a>, DecodeError> {
        self.enact(entry, &mut NoEvents)
    }

    /// Puts the ensemble's configuration into its node, where no transaction did: the first
    /// one of an ensemble, and one that a server was told of while it synchronised. The node
    /// does not count in the digest, and its text is the same on all servers.
    pub fn set_config(
        &mut self,
        text: &[u8],
        version: Zxid,
        now_ms: i64,
        sink: &mut impl EventSink,
    ) {
        let known = self.tree.lookup(path::CONFIG);
        match known {
            Some(id) if self.tree.data(id) == Some(text) => return,
            Some(_) => {}
            None if self.add_config_node() => {}
            None => return,
        }
        let header = TxnHeader {
            client_id: 0,
            cxid: 0,
            zxid: version.0,
            time: now_ms,
            kind: OpCode::Reconfig.as_i32(),
        };
        let txn = SetDataTxn {
            path: Some(Cow::Borrowed(path::CONFIG)),
            data: Some(text),
            version: -1,
        };
        let set = self.set_data(&header, &txn, sink);
        assert!(set.is_ok(), "{set:?} for a node that is there");
    }

    /// How the tree's digest fared against those of the history.
    pub fn digest_check(&self) -> &DigestCheck {
        &self.digest_check
    }

    /// The tree came without a digest and may hold effects of transactions to come: digests that
    /// differ are excused until one fits.
    pub fn begin_grace(&mut self) {
        self.digest_check.begin_grace();
    }

    /// Everything that the tree can hold has been applied: from now on every digest counts. If none
    /// has fitted, and the last one did not, that is a mismatch after all.
    pub fn end_grace(&mut self) -> Option<DigestMismatch> {
        self.digest_check.end_grace()
    }

    fn enact<'a>(
        &mut self,
        entry: LogEntry<'a>,
        sink: &mut impl EventSink,
    ) -> Result<Applied<'a>, DecodeError> {
        let LogEntry {
            header,
            txn,
            digest,
        } = entry;
        let outcome = match txn {
            Txn::Multi(parts) => {
                let parts = multi::decode_parts(&parts, self.options.limits)?;
                self.multi(&header, parts, sink)
            }
            txn => self.change(&header, txn, sink),
        };
        let zxid = Zxid(header.zxid);
        self.last_zxid = self.last_zxid.max(zxid);
        let digest_mismatch = if self.options.digest_enabled {
            self.digest_check.check(zxid, digest, self.tree.digest())
        } else {
            None
        };
        Ok(Applied {
            zxid,
            session: header.client_id,
            cxid: header.cxid,
            outcome,
            digest_mismatch,
        })
    }

    /// Makes one change: a whole transaction, or a part of a multi under its header.
    fn change<'a>(
        &mut self,
        header: &TxnHeader,
        txn: Txn<'a>,
        sink: &mut impl EventSink,
    ) -> Outcome<'a> {
        let outcome = match txn {
            Txn::Create(txn) => {
                let node = NewNode::from_create(OpCode::Create, header.client_id, txn);
                self.create(header, node, sink)
            }
            Txn::Create2(txn) => {
                let node = NewNode::from_create(OpCode::Create2, header.client_id, txn);
                self.create(header, node, sink)
            }
            Txn::CreateContainer(txn) => self.create(header, NewNode::from_container(txn), sink),
            Txn::CreateTtl(txn) => {
                NewNode::from_ttl(txn).and_then(|node| self.create(header, node, sink))
            }
            Txn::Delete(txn) | Txn::DeleteContainer(txn) => given(&txn.path)
                .and_then(|path| self.delete(path, header.zxid, sink))
                .map(|()| Outcome::Deleted),
            Txn::SetData(txn) => self.set_data(header, &txn, sink).map(Outcome::DataSet),
            Txn::Reconfig(txn) => {
                let config = txn.data;
                self.set_data(header, &txn, sink)
                    .map(|stat| Outcome::Reconfigured { config, stat })
            }
            Txn::SetAcl(txn) => self.set_acl(&txn).map(Outcome::AclSet),
            // Compared when the multi was prepared; nothing can have come between.
            Txn::Check(_) => Ok(Outcome::Checked),
            Txn::CreateSession(txn) => Ok(self.create_session(header.client_id, txn.timeout_ms)),
            Txn::CloseSession(txn) => Ok(self.close_session(header, txn, sink)),
            Txn::Error(txn) => return Outcome::Failed(txn.err),
            Txn::Multi(_) => unreachable!("a multi has no multi among its parts"),
        };
        outcome.unwrap_or_else(|error| Outcome::Failed(error.as_i32()))
    }
}

/// The path of a transaction; no server writes one without.
fn given<'p>(path: &'p Option<Cow<'_, str>>) -> Result<&'p str, ErrorCode> {
    path.as_deref().ok_or(ErrorCode::BadArguments)
}

/// A path as watchers know it: the root's is not empty.
fn watched_path(path: &str) -> &str {
    if path.is_empty() { "/" } else { path }
}

/// What stands for a list that a fuzzy snapshot left unknown: it gives nothing to anyone,
/// so only super passes.
const NOBODY: &[Acl<'static>] = &[Acl {
    perms: 0,
    id: Id {
        scheme: Some(Cow::Borrowed("world")),
        id: Some(Cow::Borrowed("anyone")),
    },
}];

/// The list with this number.
pub(crate) fn acl_list(acls: &AclCache, id: AclId) -> &[Acl<'static>] {
    acls.get(id).map_or(NOBODY, |list| &list[..])
}
