//! The log of an Apache leader: from requests that fit its transactions the same bytes
//! come out, digests included.

use jute::data::Id;
use jute::proto::{
    CheckVersionRequest, CreateRequest, CreateTtlRequest, DeleteRequest, MultiOp, MultiRequest,
    SetAclRequest, SetDataRequest,
};
use jute::txn::{CreateTxn, LogEntry, SubTxn, Txn};
use jute::wire::{Encode, Limits, Reader};
use jute::{OpCode, Zxid};

use crate::acl::Identities;
use crate::prep::{Prep, PrepOptions, Request, SessionKind};
use crate::state::{Options, State};
use crate::tree::OwnerRules;
use crate::watch::NoEvents;

macro_rules! logs {
    ($($name:literal),*) => {
        [$(include_bytes!(concat!(
            "../../../../storage/testdata/3.9.5/datadir-participant/version-2/log.",
            $name
        )).as_slice()),*]
    };
}

/// How many transactions are pending before they are applied together.
const BATCH: usize = 7;

#[test]
fn makes_the_bytes_that_apache_made() {
    let mut replay = Replay::new();
    let logs = logs!(
        "100000001",
        "10000004d",
        "1000000ab",
        "1000000fe",
        "100000175",
        "1000001cf"
    );
    let mut compared = 0;
    for log in logs {
        for bytes in entries(log) {
            compared += usize::from(replay.step(bytes));
        }
    }
    replay.commit();
    assert_eq!(compared, 500);
}

/// The entries of a log: a header of 16 bytes, then for each a checksum, a length, the
/// entry and an end mark, then zeros.
fn entries(log: &[u8]) -> Vec<&[u8]> {
    let mut reader = Reader::new(&log[16..], Limits::default());
    let mut found = Vec::new();
    loop {
        reader.i64().expect("a checksum");
        let entry = reader.buffer().expect("a length").expect("no null entry");
        if entry.is_empty() {
            return found;
        }
        found.push(entry);
        reader.u8().expect("an end mark");
    }
}

struct Replay {
    state: State,
    prep: Prep,
    identities: Identities,
    pending: Vec<Vec<u8>>,
}

impl Replay {
    fn new() -> Self {
        let owner_rules = OwnerRules {
            extended_types: true,
            emulate_353_ttl: false,
        };
        let options = Options {
            owner_rules,
            digest_enabled: true,
            ..Options::default()
        };
        let state = State::new(options, 3);
        Self {
            prep: Prep::new(PrepOptions::default(), &state, Zxid(1 << 32), 3),
            state,
            identities: [Id::new("super", "")].into(),
            pending: Vec::new(),
        }
    }

    /// True if the entry was made again from a request; a reconfiguration is only applied.
    fn step(&mut self, bytes: &[u8]) -> bool {
        let entry = LogEntry::from_bytes(bytes, Limits::default()).expect("a sound log");
        let is_reconfig = matches!(entry.txn, Txn::Reconfig(_));
        if is_reconfig {
            let zxid = Zxid(entry.header.zxid);
            self.pending.push(bytes.to_vec());
            self.commit();
            self.prep = Prep::new(PrepOptions::default(), &self.state, zxid, 3);
        } else {
            let made = self.make(&entry);
            if matches!(entry.txn, Txn::CloseSession(_)) {
                // Apache lists them in the order of a hash table.
                let made = LogEntry::from_bytes(&made, Limits::default()).expect("readable");
                assert_eq!(sorted(made), sorted(entry));
            } else {
                assert_eq!(made, bytes, "{entry:?}");
            }
            self.pending.push(made);
            if self.pending.len() == BATCH {
                self.commit();
            }
        }
        !is_reconfig
    }

    fn make(&mut self, entry: &LogEntry<'_>) -> Vec<u8> {
        let header = entry.header;
        let (session, now_ms) = (header.client_id, header.time);
        let mut out = Vec::new();
        let (op, body) = match &entry.txn {
            Txn::CreateSession(txn) => {
                let timeout_ms = txn.timeout_ms;
                let request = (session, header.cxid);
                self.prep
                    .create_session(&self.state, now_ms, request, timeout_ms, &mut out);
                return out;
            }
            Txn::CloseSession(_) => {
                self.prep
                    .close_session(&self.state, now_ms, session, header.cxid, &mut out);
                return out;
            }
            txn => request(txn),
        };
        let request = Request {
            session,
            cxid: header.cxid,
            op,
            body: &body,
            identities: &self.identities,
            kind: SessionKind::Global,
        };
        self.prep.prepare(&self.state, now_ms, &request, &mut out);
        out
    }

    fn commit(&mut self) {
        for bytes in std::mem::take(&mut self.pending) {
            let entry = LogEntry::from_bytes(&bytes, Limits::default()).expect("readable");
            let applied = self.state.apply(entry, &mut NoEvents).expect("applicable");
            assert_eq!(applied.digest_mismatch, None);
        }
        self.prep.applied(self.state.last_zxid());
    }
}

fn sorted(mut entry: LogEntry<'_>) -> LogEntry<'_> {
    if let Txn::CloseSession(Some(txn)) = &mut entry.txn
        && let Some(paths) = &mut txn.paths_to_delete
    {
        paths.sort_unstable();
    }
    entry
}

/// A request that becomes this transaction, or fails in the same way.
fn request(txn: &Txn<'_>) -> (OpCode, Vec<u8>) {
    let mut body = Vec::new();
    let op = match txn {
        Txn::SetAcl(txn) => {
            let request = SetAclRequest {
                path: txn.path.clone(),
                acl: txn.acl.clone(),
                version: txn.version - 1,
            };
            request.encode(&mut body);
            OpCode::SetAcl
        }
        Txn::Multi(parts) => {
            let ops = parts.iter().map(part).collect();
            MultiRequest { ops }.encode(&mut body);
            OpCode::Multi
        }
        txn => {
            let op = single(txn.clone());
            match &op {
                MultiOp::Create(r) | MultiOp::Create2(r) | MultiOp::CreateContainer(r) => {
                    r.encode(&mut body);
                }
                MultiOp::CreateTtl(r) => r.encode(&mut body),
                MultiOp::Delete(r) => r.encode(&mut body),
                MultiOp::SetData(r) => r.encode(&mut body),
                MultiOp::Check(r) => r.encode(&mut body),
            }
            op.op()
        }
    };
    (op, body)
}

fn part<'t>(part: &SubTxn<'t>) -> MultiOp<'t> {
    single(part.decode_body(Limits::default()).expect("readable"))
}

fn single(txn: Txn<'_>) -> MultiOp<'_> {
    match txn {
        Txn::Create(txn) => MultiOp::Create(create(txn)),
        Txn::Create2(txn) => MultiOp::Create2(create(txn)),
        Txn::CreateContainer(txn) => MultiOp::CreateContainer(CreateRequest {
            path: txn.path,
            data: txn.data,
            acl: txn.acl,
            flags: 4,
        }),
        Txn::CreateTtl(txn) => MultiOp::CreateTtl(CreateTtlRequest {
            path: txn.path,
            data: txn.data,
            acl: txn.acl,
            flags: 5,
            ttl: txn.ttl,
        }),
        Txn::Delete(txn) => MultiOp::Delete(DeleteRequest {
            path: txn.path,
            version: -1,
        }),
        Txn::SetData(txn) => MultiOp::SetData(SetDataRequest {
            path: txn.path,
            data: txn.data,
            version: txn.version - 1,
        }),
        Txn::Check(txn) => MultiOp::Check(CheckVersionRequest {
            path: txn.path,
            version: txn.version - 1,
        }),
        Txn::Error(txn) => failing(txn.err),
        other => panic!("no request becomes {other:?}"),
    }
}

/// The path is final, so it is no sequential create any more.
fn create(txn: CreateTxn<'_>) -> CreateRequest<'_> {
    CreateRequest {
        path: txn.path,
        data: txn.data,
        acl: txn.acl,
        flags: i32::from(txn.ephemeral),
    }
}

/// Fails with this error in every tree.
fn failing(err: i32) -> MultiOp<'static> {
    match err {
        -110 => MultiOp::Create(super::harness::create_request("/", 0)),
        -101 => MultiOp::Delete(DeleteRequest {
            path: Some("/missing/node".into()),
            version: -1,
        }),
        -103 => MultiOp::Check(CheckVersionRequest {
            path: Some("/".into()),
            version: 99,
        }),
        other => panic!("the sample holds no error {other}"),
    }
}
