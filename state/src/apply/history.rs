//! A live state for tests that keeps the log of what it applies.

use std::borrow::Cow;

use jute::data::Acl;
use jute::txn::{
    CloseSessionTxn, CreateContainerTxn, CreateSessionTxn, CreateTtlTxn, CreateTxn, DeleteTxn,
    ErrorTxn, LogEntry, SetAclTxn, SetDataTxn, SubTxn, Txn, TxnDigest, TxnHeader,
};
use jute::wire::{Encode, Limits};
use jute::{ErrorCode, Ustring};

use super::Outcome;
use crate::state::{Options, State};
use crate::tree::OwnerRules;
use crate::watch::recorder::Recorder;

pub(crate) struct History {
    pub(crate) state: State,
    pub(crate) sink: Recorder,
    /// Entries with the digests of the live tree, from zxid 1 on.
    pub(crate) log: Vec<Vec<u8>>,
}

/// Options with everything on that changes what is applied.
pub(crate) fn options() -> Options {
    Options {
        owner_rules: OwnerRules {
            extended_types: true,
            ..OwnerRules::default()
        },
        digest_enabled: true,
        ..Options::default()
    }
}

impl History {
    pub(crate) fn new() -> Self {
        Self {
            state: State::new(options(), 1),
            sink: Recorder::default(),
            log: Vec::new(),
        }
    }

    /// Applies a transaction of session 0x10, which is logged with the resulting digest.
    pub(crate) fn run(&mut self, txn: Txn<'_>) -> Outcome<'static> {
        self.run_as(0x10, txn)
    }

    pub(crate) fn run_as(&mut self, session: i64, txn: Txn<'_>) -> Outcome<'static> {
        let zxid = self.state.last_zxid.0 + 1;
        let header = TxnHeader {
            client_id: session,
            cxid: 5,
            zxid,
            time: 1000 + zxid,
            kind: txn.op().as_i32(),
        };
        let mut entry = LogEntry {
            header,
            txn,
            digest: None,
        };
        let applied = self.state.apply(entry.clone(), &mut self.sink);
        let outcome = owned(applied.expect("a well-formed transaction").outcome);
        if !matches!(entry.txn, Txn::Error(_)) {
            entry.digest = Some(TxnDigest {
                version: TxnDigest::VERSION,
                tree_digest: self.state.tree.digest() as i64,
            });
        }
        self.log.push(entry.to_bytes());
        outcome
    }

    /// A create with the parent's next cversion, as prep makes it.
    pub(crate) fn create(&mut self, path: &str, data: Option<&[u8]>) -> Outcome<'static> {
        let parent_cversion = self.next_cversion(path);
        self.run(create(path, data, parent_cversion))
    }

    pub(crate) fn next_cversion(&self, path: &str) -> i32 {
        let (parent, _) = jute::path::split(path).expect("a slash");
        let parent = self.state.tree.lookup(parent);
        parent.map_or(1, |id| self.state.tree.stat(id).cversion + 1)
    }

    pub(crate) fn set(&mut self, path: &str, data: Option<&[u8]>) -> Outcome<'static> {
        let id = self.state.tree.lookup(path).expect("the node");
        let version = self.state.tree.stat(id).version + 1;
        self.run(set_data(path, data, version))
    }

    pub(crate) fn text(&self, path: &str) -> String {
        let id = self.state.tree.lookup(path).expect("the node");
        String::from_utf8_lossy(self.state.tree.data(id).unwrap_or_default()).into_owned()
    }
}

pub(crate) fn create<'a>(path: &'a str, data: Option<&'a [u8]>, parent_cversion: i32) -> Txn<'a> {
    Txn::Create(create_txn(path, data, false, parent_cversion))
}

pub(crate) fn create_txn<'a>(
    path: &'a str,
    data: Option<&'a [u8]>,
    ephemeral: bool,
    parent_cversion: i32,
) -> CreateTxn<'a> {
    CreateTxn {
        path: text(path),
        data,
        acl: Some(vec![Acl::open()]),
        ephemeral,
        parent_cversion,
    }
}

pub(crate) fn create_container(path: &str, parent_cversion: i32) -> Txn<'_> {
    Txn::CreateContainer(CreateContainerTxn {
        path: text(path),
        data: Some(b""),
        acl: Some(vec![Acl::open()]),
        parent_cversion,
    })
}

pub(crate) fn create_ttl(path: &str, parent_cversion: i32, ttl: i64) -> Txn<'_> {
    Txn::CreateTtl(CreateTtlTxn {
        path: text(path),
        data: Some(b""),
        acl: Some(vec![Acl::open()]),
        parent_cversion,
        ttl,
    })
}

pub(crate) fn delete(path: &str) -> Txn<'_> {
    Txn::Delete(DeleteTxn { path: text(path) })
}

pub(crate) fn set_data<'a>(path: &'a str, data: Option<&'a [u8]>, version: i32) -> Txn<'a> {
    Txn::SetData(SetDataTxn {
        path: text(path),
        data,
        version,
    })
}

pub(crate) fn set_acl<'a>(path: &'a str, acl: Acl<'a>, version: i32) -> Txn<'a> {
    Txn::SetAcl(SetAclTxn {
        path: text(path),
        acl: Some(vec![acl]),
        version,
    })
}

pub(crate) fn create_session(timeout_ms: i32) -> Txn<'static> {
    Txn::CreateSession(CreateSessionTxn { timeout_ms })
}

pub(crate) fn close_session<'a>(paths: &[&'a str]) -> Txn<'a> {
    Txn::CloseSession(Some(CloseSessionTxn {
        paths_to_delete: Some(paths.iter().map(|path| text(path)).collect()),
    }))
}

pub(crate) fn error(code: ErrorCode) -> Txn<'static> {
    Txn::Error(ErrorTxn { err: code.as_i32() })
}

/// Runs `body` with a multi of these parts.
pub(crate) fn with_multi<R>(parts: &[Txn<'_>], body: impl FnOnce(Txn<'_>) -> R) -> R {
    let encoded: Vec<(i32, Vec<u8>)> = parts
        .iter()
        .map(|part| {
            let mut data = Vec::new();
            part.encode(&mut data);
            (part.op().as_i32(), data)
        })
        .collect();
    body(Txn::Multi(
        encoded
            .iter()
            .map(|(kind, data)| SubTxn { kind: *kind, data })
            .collect(),
    ))
}

/// The state that the log leads to on top of `state`, from a zxid on; also the number of
/// digests that did not fit.
pub(crate) fn replay(state: &mut State, log: &[Vec<u8>]) -> u64 {
    for bytes in log {
        let entry = LogEntry::from_bytes(bytes, Limits::default()).expect("a logged entry");
        if entry.header.zxid > state.last_zxid.0 {
            state.replay(entry).expect("a well-formed transaction");
        }
    }
    state.digest_check.mismatches()
}

/// Everything in a state that is replicated, as comparable lines.
pub(crate) fn dump(state: &State) -> Vec<String> {
    let mut lines = Vec::new();
    let mut open = vec![crate::tree::NodeId::ROOT];
    while let Some(id) = open.pop() {
        let acl = state.acl_of(id);
        let (stat, data) = (state.tree.stat(id), state.tree.data(id));
        lines.push(format!("{} {data:?} {stat:?} {acl:?}", state.tree.path(id)));
        open.extend(state.tree.children(id));
    }
    for session in state.sessions_with_ephemerals() {
        let mut paths: Vec<String> = state
            .ephemerals_of(session)
            .map(|id| state.tree.path(id))
            .collect();
        paths.sort_unstable();
        lines.push(format!("ephemerals of {session}: {paths:?}"));
    }
    for (what, ids) in [
        ("container", state.containers().collect::<Vec<_>>()),
        ("ttl", state.ttl_nodes().collect()),
    ] {
        lines.extend(
            ids.iter()
                .map(|id| format!("{what} {}", state.tree.path(*id))),
        );
    }
    lines.extend(state.sessions.iter().map(|session| format!("{session:?}")));
    lines.sort_unstable();
    lines.push(format!("{} {:x}", state.last_zxid, state.tree.digest()));
    lines
}

fn text(path: &str) -> Ustring<'_> {
    Some(Cow::Borrowed(path))
}

fn owned(outcome: Outcome<'_>) -> Outcome<'static> {
    match outcome {
        Outcome::Created { op, path, stat } => Outcome::Created {
            op,
            path: Cow::Owned(path.into_owned()),
            stat,
        },
        Outcome::Multi(results) => Outcome::Multi(results.into_iter().map(owned).collect()),
        Outcome::Reconfigured { stat, .. } => Outcome::Reconfigured { config: None, stat },
        Outcome::Deleted => Outcome::Deleted,
        Outcome::DataSet(stat) => Outcome::DataSet(stat),
        Outcome::AclSet(stat) => Outcome::AclSet(stat),
        Outcome::Checked => Outcome::Checked,
        Outcome::SessionCreated { timeout_ms } => Outcome::SessionCreated { timeout_ms },
        Outcome::SessionClosed => Outcome::SessionClosed,
        Outcome::Failed(err) => Outcome::Failed(err),
    }
}
