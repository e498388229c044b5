use std::borrow::Cow;

use jute::data::{Acl, Id};
use jute::proto::{
    CreateRequest, CreateTtlRequest, DeleteRequest, MultiRequest, SetAclRequest, SetDataRequest,
};
use jute::txn::{LogEntry, Txn};
use jute::wire::Encode;
use jute::{ErrorCode, OpCode, Zxid};

use crate::acl::{Identities, with_identities};
use crate::prep::{Closing, Prep, PrepOptions, Prepared, Request, SessionKind};
use crate::state::{Options, State};
use crate::tree::OwnerRules;
use crate::watch::NoEvents;

pub(super) const SESSION: i64 = 0x100_0000_0000_0001;
pub(super) const NOW_MS: i64 = 1_000_000;

/// A state, what prepares its transactions, and those that are not applied yet.
pub(super) struct Server {
    pub(super) state: State,
    pub(super) prep: Prep,
    pub(super) identities: Identities,
    pub(super) kind: SessionKind,
    pub(super) session: i64,
    pub(super) now_ms: i64,
    log: Vec<Vec<u8>>,
    applied: usize,
}

impl Server {
    pub(super) fn new() -> Self {
        Self::with(PrepOptions::default())
    }

    pub(super) fn with(options: PrepOptions) -> Self {
        let rules = OwnerRules {
            extended_types: true,
            emulate_353_ttl: false,
        };
        Self::with_options(
            options,
            Options {
                owner_rules: rules,
                digest_enabled: true,
                ..Options::default()
            },
        )
    }

    pub(super) fn with_options(prep: PrepOptions, options: Options) -> Self {
        let state = State::new(options, 7);
        let prep = Prep::new(prep, &state, Zxid::ZERO, 7);
        Self {
            state,
            prep,
            identities: [Id::new("ip", "127.0.0.1")].into(),
            kind: SessionKind::Global,
            session: SESSION,
            now_ms: NOW_MS,
            log: Vec::new(),
            applied: 0,
        }
    }

    pub(super) fn authenticate(&mut self, scheme: &'static str, id: &'static str) {
        self.identities = with_identities(&self.identities, vec![Id::new(scheme, id)]);
    }

    /// Prepares a request and leaves its transaction pending.
    pub(super) fn prepare_bytes(&mut self, op: OpCode, body: &[u8]) -> Prepared {
        let request = Request {
            session: self.session,
            cxid: 9,
            op,
            body,
            identities: &self.identities,
            kind: self.kind,
        };
        let mut out = Vec::new();
        let before = self.prep.last_zxid();
        let prepared = self
            .prep
            .prepare(&self.state, self.now_ms, &request, &mut out);
        match prepared {
            Prepared::Txn { zxid, .. } => {
                assert_eq!(zxid, before.next());
                self.push(out);
            }
            Prepared::Reject(_) => {
                assert!(out.is_empty(), "nothing is logged for what is rejected");
                assert_eq!(self.prep.last_zxid(), before);
            }
        }
        prepared
    }

    pub(super) fn prepare(&mut self, op: OpCode, record: &impl Encode) -> Prepared {
        let mut body = Vec::new();
        record.encode(&mut body);
        self.prepare_bytes(op, &body)
    }

    fn push(&mut self, entry: Vec<u8>) {
        let decoded = LogEntry::from_bytes(&entry, self.state.options.limits);
        let decoded = decoded.expect("what is logged can be read");
        assert_eq!(decoded.header.zxid, self.prep.last_zxid().0);
        assert_eq!(decoded.header.time, self.now_ms);
        let is_error = matches!(decoded.txn, Txn::Error(_));
        let has_digest = self.state.options.digest_enabled && !is_error;
        assert_eq!(decoded.digest.is_some(), has_digest);
        self.log.push(entry);
    }

    /// Applies what is pending; the digests in it must be those of the tree.
    pub(super) fn commit(&mut self) {
        self.commit_some(usize::MAX);
        assert_eq!(self.prep.pending_len(), 0);
        if self.state.options.digest_enabled {
            assert_eq!(self.prep.tree_digest(), self.state.tree().digest());
        }
    }

    /// As [`Server::commit`], for up to `count` transactions.
    pub(super) fn commit_some(&mut self, count: usize) {
        let until = self.log.len().min(self.applied.saturating_add(count));
        for entry in &self.log[self.applied..until] {
            let entry = LogEntry::from_bytes(entry, self.state.options.limits).expect("readable");
            let is_error = matches!(entry.txn, Txn::Error(_));
            let zxid = Zxid(entry.header.zxid);
            let digest = entry.digest;
            let applied = self.state.apply(entry, &mut NoEvents).expect("applicable");
            assert_eq!(applied.digest_mismatch, None);
            if let Some(digest) = digest.filter(|_| !is_error) {
                assert_eq!(
                    digest.tree_digest as u64,
                    self.state.tree().digest(),
                    "at {zxid}"
                );
            }
            self.prep.applied(zxid);
        }
        self.applied = until;
    }

    /// The last transaction made.
    pub(super) fn last(&self) -> LogEntry<'_> {
        let entry = self.log.last().expect("a transaction");
        LogEntry::from_bytes(entry, self.state.options.limits).expect("readable")
    }

    pub(super) fn create(&mut self, path: &str, flags: i32) -> Result<String, ErrorCode> {
        self.create_with(OpCode::Create, create_request(path, flags))
    }

    /// The path it came to.
    pub(super) fn create_with(
        &mut self,
        op: OpCode,
        request: CreateRequest<'_>,
    ) -> Result<String, ErrorCode> {
        code(self.prepare(op, &request))?;
        Ok(created_path(&self.last().txn))
    }

    pub(super) fn create_ttl(&mut self, path: &str, flags: i32, ttl: i64) -> Result<(), ErrorCode> {
        let CreateRequest {
            path,
            data,
            acl,
            flags,
        } = create_request(path, flags);
        let request = CreateTtlRequest {
            path,
            data,
            acl,
            flags,
            ttl,
        };
        code(self.prepare(OpCode::CreateTtl, &request))
    }

    pub(super) fn delete(&mut self, path: &str, version: i32) -> Result<(), ErrorCode> {
        let path = Some(Cow::Borrowed(path));
        code(self.prepare(OpCode::Delete, &DeleteRequest { path, version }))
    }

    /// The new version.
    pub(super) fn set_data(
        &mut self,
        path: &str,
        data: &[u8],
        version: i32,
    ) -> Result<i32, ErrorCode> {
        let (path, data) = (Some(Cow::Borrowed(path)), Some(data));
        code(self.prepare(
            OpCode::SetData,
            &SetDataRequest {
                path,
                data,
                version,
            },
        ))?;
        match self.last().txn {
            Txn::SetData(txn) => Ok(txn.version),
            other => panic!("{other:?}"),
        }
    }

    /// The new aversion.
    pub(super) fn set_acl(
        &mut self,
        path: &str,
        acl: Vec<Acl<'_>>,
        version: i32,
    ) -> Result<i32, ErrorCode> {
        let (path, acl) = (Some(Cow::Borrowed(path)), Some(acl));
        code(self.prepare(OpCode::SetAcl, &SetAclRequest { path, acl, version }))?;
        match self.last().txn {
            Txn::SetAcl(txn) => Ok(txn.version),
            other => panic!("{other:?}"),
        }
    }

    /// The codes of a multi's parts, 0 for those that are no errors.
    pub(super) fn multi(&mut self, request: &MultiRequest<'_>) -> Result<Vec<i32>, ErrorCode> {
        code(self.prepare(OpCode::Multi, request))?;
        let Txn::Multi(parts) = self.last().txn else {
            panic!("a multi");
        };
        let limits = self.state.options.limits;
        let codes = parts.iter().map(|part| match part.decode_body(limits) {
            Ok(Txn::Error(txn)) => txn.err,
            Ok(_) => 0,
            Err(error) => panic!("{error}"),
        });
        Ok(codes.collect())
    }

    pub(super) fn create_session(&mut self, session: i64, cxid: i32) {
        let (mut out, request) = (Vec::new(), (session, cxid));
        let zxid = self
            .prep
            .create_session(&self.state, self.now_ms, request, 4000, &mut out);
        assert_eq!(zxid, self.prep.last_zxid());
        self.push(out);
    }

    pub(super) fn close_session(&mut self, session: i64) -> Closing {
        let mut out = Vec::new();
        let closing = self
            .prep
            .close_session(&self.state, self.now_ms, session, 0, &mut out);
        self.push(out);
        closing
    }

    pub(super) fn reap(&mut self, path: &str) -> Result<(), ErrorCode> {
        let mut out = Vec::new();
        let prepared = self
            .prep
            .delete_container(&self.state, self.now_ms, path, &mut out);
        if !out.is_empty() {
            self.push(out);
        }
        code(prepared)
    }
}

pub(super) fn create_request(path: &str, flags: i32) -> CreateRequest<'_> {
    CreateRequest {
        path: Some(path.into()),
        data: Some(b"data"),
        acl: Some(vec![Acl::open()]),
        flags,
    }
}

/// Success, or the error of either kind.
pub(super) fn code(prepared: Prepared) -> Result<(), ErrorCode> {
    match prepared {
        Prepared::Txn { error: None, .. } => Ok(()),
        Prepared::Txn {
            error: Some(code), ..
        }
        | Prepared::Reject(code) => Err(code),
    }
}

pub(super) fn created_path(txn: &Txn<'_>) -> String {
    let path = match txn {
        Txn::Create(txn) | Txn::Create2(txn) => &txn.path,
        Txn::CreateContainer(txn) => &txn.path,
        Txn::CreateTtl(txn) => &txn.path,
        other => panic!("no create: {other:?}"),
    };
    path.as_deref().expect("a path").to_owned()
}
