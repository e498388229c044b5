//! Nothing is applied twice, nothing out of a session's order, and every transaction makes
//! sense where it stands.
//!
//! Source: DESIGN.md, invariants 3 (prefix and primary order) and 6 (FIFO per session);
//! Integrity and LocalPrimaryOrder of the Zab specification.

use std::collections::{BTreeMap, BTreeSet};

use jute::OpCode;
use jute::txn::{LogEntry, TxnHeader};
use jute::wire::{Decode, Limits, Reader};

use crate::model::Model;
use crate::violation::{Checked, Violation, ensure};

const NAME: &str = "history";

/// The one history: what was applied, and what was written behind it and may be lost.
#[derive(Debug)]
pub(crate) struct History {
    pub(crate) model: Model,
    /// By zxid, from 1.
    applied: Vec<Vec<u8>>,
    /// Handed to the disk and not applied.
    pub(crate) tentative: Vec<Vec<u8>>,
    /// The last xid of each session.
    last_xid: BTreeMap<i64, i32>,
    /// Requests that were answered as refused for lack of space.
    refused: BTreeSet<(i64, i32)>,
}

impl History {
    pub(crate) fn new() -> Self {
        Self {
            model: Model::new(),
            applied: Vec::new(),
            tentative: Vec::new(),
            last_xid: BTreeMap::new(),
            refused: BTreeSet::new(),
        }
    }

    /// The last zxid applied.
    pub(crate) fn last_zxid(&self) -> i64 {
        self.applied.len() as i64
    }

    /// The first `count` tentative entries are applied.
    pub(crate) fn apply(&mut self, count: usize) -> Checked {
        for entry in self.tentative.drain(..count) {
            let header = header(&entry)?;
            let (session, xid) = (header.client_id, header.cxid);
            if header.kind == OpCode::CreateSession.as_i32() {
                // The id of a session that is gone may come again after the clock was set
                // back; its requests count anew.
                self.last_xid.remove(&session);
                self.refused.retain(|(refused, _)| *refused != session);
            }
            if session != 0 && xid != 0 {
                let last = self.last_xid.insert(session, xid).unwrap_or(0);
                ensure!(
                    xid > last,
                    NAME,
                    "request {xid} of session {session:#x} applied after {last}"
                );
                ensure!(
                    !self.refused.contains(&(session, xid)),
                    NAME,
                    "request {xid} of session {session:#x} was refused and is applied"
                );
            }
            let applied = self.model.apply(&entry);
            applied.map_err(|error| {
                Violation::new(NAME, format!("transaction {:#x}: {error}", header.zxid))
            })?;
            self.applied.push(entry);
        }
        Ok(())
    }

    /// Whatever is tentative never happened.
    pub(crate) fn forget_tentative(&mut self) {
        self.tentative.clear();
    }

    /// A request was answered as refused for lack of space.
    pub(crate) fn note_refused(&mut self, session: i64, xid: i32) {
        self.refused.insert((session, xid));
    }

    /// The bytes of an applied transaction.
    pub(crate) fn bytes(&self, zxid: i64) -> Option<&[u8]> {
        let at = usize::try_from(zxid).ok()?.checked_sub(1)?;
        self.applied.get(at).map(Vec::as_slice)
    }

    /// An applied transaction.
    pub(crate) fn entry(&self, zxid: i64) -> Option<LogEntry<'_>> {
        LogEntry::from_bytes(self.bytes(zxid)?, Limits::default()).ok()
    }
}

pub(crate) fn header(entry: &[u8]) -> Checked<TxnHeader> {
    TxnHeader::decode(&mut Reader::new(entry, Limits::default()))
        .map_err(|error| Violation::new(NAME, format!("unreadable transaction: {error}")))
}
