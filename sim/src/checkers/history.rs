//! Nothing is applied twice, nothing out of a session's order, nothing that no client asked for,
//! and every transaction makes sense where it stands.
//!
//! Source: DESIGN.md, invariants 3 (prefix and primary order) and 6 (FIFO per session);
//! Integrity and LocalPrimaryOrder of the Zab specification.

use std::collections::{BTreeMap, BTreeSet};

use client::session::{NodeKind, Request, WritePart};
use jute::ErrorCode;
use jute::txn::{LogEntry, Txn, TxnHeader};
use jute::wire::{Decode, Limits, Reader};

use crate::model::Model;
use crate::violation::{Checked, Violation, ensure};

const NAME: &str = "history";

/// The one history: what was applied, and what was written behind it and may be lost.
#[derive(Debug)]
pub(crate) struct History {
    pub(crate) model: Model,
    /// By zxid.
    applied: Vec<(i64, Vec<u8>)>,
    /// Handed to the disk and not applied.
    pub(crate) tentative: Vec<Vec<u8>>,
    /// What each session asked for.
    asked: BTreeMap<i64, Asked>,
    /// Requests that were answered as refused for lack of space.
    refused: BTreeSet<(i64, i32)>,
    /// Sessions that are closed.
    closed: BTreeSet<i64>,
    /// Are there clients whose requests nobody notes here?
    pub(crate) has_others: bool,
}

/// Writes that a session has sent, in order. Their xids may repeat: some clients count anew on
/// each connection.
#[derive(Debug, Default)]
struct Asked {
    sent: Vec<(i32, Request)>,
    /// Those before are applied, or never will be.
    next: usize,
}

impl History {
    pub(crate) fn new() -> Self {
        Self {
            model: Model::new(),
            applied: Vec::new(),
            tentative: Vec::new(),
            asked: BTreeMap::new(),
            refused: BTreeSet::new(),
            closed: BTreeSet::new(),
            has_others: false,
        }
    }

    /// How many transactions were applied.
    pub(crate) fn len(&self) -> usize {
        self.applied.len()
    }

    /// The last zxid applied.
    pub(crate) fn last_zxid(&self) -> i64 {
        self.applied.last().map_or(0, |(zxid, _)| *zxid)
    }

    /// The last zxid applied that is below `zxid`.
    pub(crate) fn last_below(&self, zxid: i64) -> Option<i64> {
        let end = self.applied.partition_point(|(known, _)| *known < zxid);
        Some(self.applied[..end].last()?.0)
    }

    /// A client sends a write.
    pub(crate) fn note_sent(&mut self, session: i64, xid: i32, request: &Request) {
        let asked = self.asked.entry(session).or_default();
        asked.sent.push((xid, request.clone()));
    }

    /// Whether a session was open once and is not any more.
    pub(crate) fn is_closed(&self, session: i64) -> bool {
        self.closed.contains(&session)
    }

    /// The first `count` tentative entries are applied.
    pub(crate) fn apply(&mut self, count: usize) -> Checked {
        let entries: Vec<_> = self.tentative.drain(..count).collect();
        entries.into_iter().try_for_each(|entry| self.append(entry))
    }

    /// The next entry is applied.
    pub(crate) fn append(&mut self, bytes: Vec<u8>) -> Checked {
        let entry = LogEntry::from_bytes(&bytes, Limits::default())
            .map_err(|error| Violation::new(NAME, format!("unreadable transaction: {error}")))?;
        let header = entry.header;
        self.check_asked(&header, &entry.txn)?;
        match entry.txn {
            // The id of a session that is gone may come again after the clock was set back; its
            // requests count anew.
            Txn::CreateSession(_) => {
                self.asked.remove(&header.client_id);
                self.closed.remove(&header.client_id);
                self.refused
                    .retain(|(refused, _)| *refused != header.client_id);
            }
            Txn::CloseSession(_) => {
                self.closed.insert(header.client_id);
            }
            _ => {}
        }
        self.model.apply(&bytes).map_err(|error| {
            Violation::new(NAME, format!("transaction {:#x}: {error}", header.zxid))
        })?;
        self.applied.push((header.zxid, bytes));
        Ok(())
    }

    /// Every transaction of a client is one that it has asked for, once and in order. What is
    /// refused because the session moved on, or is over, may come late.
    fn check_asked(&mut self, header: &TxnHeader, txn: &Txn<'_>) -> Checked {
        let (session, xid) = (header.client_id, header.cxid);
        let late = [ErrorCode::SessionMoved, ErrorCode::SessionExpired].map(ErrorCode::as_i32);
        let is_late = matches!(txn, Txn::Error(error) if late.contains(&error.err));
        if session == 0 || xid == 0 || is_late || self.has_others {
            return Ok(());
        }
        ensure!(
            !self.refused.contains(&(session, xid)),
            NAME,
            "request {xid} of session {session:#x} was refused and is applied"
        );
        let asked = self.asked.entry(session).or_default();
        let mut open = asked.sent[asked.next..].iter();
        let found = open.position(|(sent, request)| *sent == xid && fits(request, txn));
        ensure!(
            found.is_some(),
            NAME,
            "request {xid} of session {session:#x} is applied twice, out of order, or was never \
             made: {txn:?}"
        );
        asked.next += found.unwrap_or_default() + 1;
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
        let at = self.applied.binary_search_by_key(&zxid, |(zxid, _)| *zxid);
        Some(&self.applied[at.ok()?].1)
    }

    /// An applied transaction.
    pub(crate) fn entry(&self, zxid: i64) -> Option<LogEntry<'_>> {
        LogEntry::from_bytes(self.bytes(zxid)?, Limits::default()).ok()
    }

    /// Applied transactions up to `zxid`, the last one first.
    pub(crate) fn before(&self, zxid: i64) -> impl Iterator<Item = LogEntry<'_>> {
        let end = self.applied.partition_point(|(known, _)| *known <= zxid);
        let entries = self.applied[..end].iter().rev();
        entries.filter_map(|(_, bytes)| LogEntry::from_bytes(bytes, Limits::default()).ok())
    }

    /// Zxids of the transactions applied behind `zxid`.
    pub(crate) fn behind(&self, zxid: i64) -> impl Iterator<Item = i64> + '_ {
        let start = self.applied.partition_point(|(known, _)| *known <= zxid);
        self.applied[start..].iter().map(|(zxid, _)| *zxid)
    }
}

/// Whether a transaction can be what a request came to.
fn fits(request: &Request, txn: &Txn<'_>) -> bool {
    let creates = |path: &jute::Ustring<'_>, bytes: &Option<&[u8]>| match request {
        Request::Write(WritePart::Create {
            path: wanted, data, ..
        }) => {
            path.as_deref()
                .is_some_and(|path| path.starts_with(wanted.as_str()))
                && *bytes == data.as_deref()
        }
        _ => false,
    };
    match (txn, request) {
        (Txn::Error(_), _)
        | (Txn::Multi(_), Request::Multi(_))
        | (Txn::CloseSession(_), Request::CloseSession)
        | (Txn::Reconfig(_), Request::Reconfig { .. }) => true,
        (Txn::Create(txn) | Txn::Create2(txn), _) => creates(&txn.path, &txn.data),
        (Txn::CreateContainer(txn), _) => creates(&txn.path, &txn.data),
        (Txn::CreateTtl(txn), Request::Write(WritePart::Create { kind, .. })) => {
            creates(&txn.path, &txn.data) && same_ttl(*kind, txn.ttl)
        }
        (Txn::Delete(txn), Request::Write(WritePart::Delete { path, .. })) => {
            txn.path.as_deref() == Some(path)
        }
        (Txn::SetData(txn), Request::Write(WritePart::SetData { path, data, .. })) => {
            txn.path.as_deref() == Some(path) && txn.data == data.as_deref()
        }
        (Txn::SetAcl(txn), Request::SetAcl { path, .. }) => txn.path.as_deref() == Some(path),
        _ => false,
    }
}

fn same_ttl(kind: NodeKind, ttl_ms: i64) -> bool {
    kind.ttl_ms == ttl_ms
}

pub(crate) fn header(entry: &[u8]) -> Checked<TxnHeader> {
    TxnHeader::decode(&mut Reader::new(entry, Limits::default()))
        .map_err(|error| Violation::new(NAME, format!("unreadable transaction: {error}")))
}
