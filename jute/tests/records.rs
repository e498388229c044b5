//! Every record decodes from its encoding to itself, full, null and empty, and from no
//! part of it.

mod common;

use std::fmt::Debug;

use common::encoded;
use jute::Ustring;
use jute::data::{Acl, Id, Stat, StatPersisted};
use jute::proto::*;
use jute::txn::{
    CheckVersionTxn, CloseSessionTxn, CreateContainerTxn, CreateSessionTxn, CreateTtlTxn,
    CreateTxn, DeleteTxn, ErrorTxn, LogEntry, SetAclTxn, SetDataTxn, SubTxn, Txn, TxnDigest,
    TxnHeader,
};
use jute::wire::{Decode, Limits, Reader};

/// Asserts that `bytes`, an encoding of `record`, decodes to it, and no prefix to anything.
#[track_caller]
fn decodes_to<'a, T: Decode<'a> + PartialEq + Debug>(bytes: &'a [u8], record: &T) {
    let mut reader = Reader::new(bytes, Limits::default());
    assert_eq!(T::decode(&mut reader).as_ref(), Ok(record));
    assert_eq!(reader.remaining(), 0, "{record:?}");
    for end in 0..bytes.len() {
        let mut reader = Reader::new(&bytes[..end], Limits::default());
        assert!(T::decode(&mut reader).is_err(), "{record:?} cut at {end}");
    }
}

macro_rules! round_trip {
    ($($record:expr),* $(,)?) => {
        $({
            let record = $record;
            decodes_to(&encoded(&record), &record);
        })*
    };
}

/// The values that a text, a buffer and a list of each record take in turn.
struct Fields {
    path: Ustring<'static>,
    data: Option<&'static [u8]>,
    acl: Option<Vec<Acl<'static>>>,
    paths: Option<Vec<Ustring<'static>>>,
}

fn variants() -> [Fields; 3] {
    let null_id = Acl {
        perms: -1,
        id: Id {
            scheme: None,
            id: Some("".into()),
        },
    };
    [
        Fields {
            path: None,
            data: None,
            acl: None,
            paths: None,
        },
        Fields {
            path: Some("".into()),
            data: Some(b""),
            acl: Some(Vec::new()),
            paths: Some(Vec::new()),
        },
        Fields {
            path: Some("/ä/\u{10ffff}".into()),
            data: Some(b"\0\xff"),
            acl: Some(vec![Acl::open(), null_id]),
            paths: Some(vec![None, Some("".into()), Some("/b".into())]),
        },
    ]
}

const STAT: Stat = Stat {
    czxid: i64::MIN,
    mzxid: i64::MAX,
    ctime: -1,
    mtime: 1,
    version: i32::MIN,
    cversion: i32::MAX,
    aversion: -1,
    ephemeral_owner: 0x0100_0000_0000_0001,
    data_length: 2,
    num_children: 3,
    pzxid: 4,
};

#[test]
fn fixed_records() {
    round_trip!(
        RequestHeader { xid: -8, op: 105 },
        ReplyHeader {
            xid: 1,
            zxid: -1,
            err: -101
        },
        MultiHeader::END,
        ErrorResponse { err: -2 },
        STAT,
        ExistsResponse { stat: STAT },
        SetDataResponse { stat: STAT },
        SetAclResponse { stat: STAT },
        GetAllChildrenNumberResponse { total_number: 7 },
        TxnHeader {
            client_id: 1,
            cxid: 2,
            zxid: 3,
            time: 4,
            kind: -11
        },
        TxnDigest {
            version: 2,
            tree_digest: i64::MIN
        },
        CreateSessionTxn { timeout_ms: 4000 },
        ErrorTxn { err: -110 },
    );
    let persisted = StatPersisted {
        czxid: 1,
        pzxid: 2,
        ..StatPersisted::default()
    };
    assert_eq!(encoded(&persisted).len(), StatPersisted::ENCODED_LEN);
    round_trip!(persisted);
}

#[test]
fn requests() {
    for Fields {
        path,
        data,
        acl,
        paths,
    } in variants()
    {
        let path = || path.clone();
        let acl = || acl.clone();
        let paths = || paths.clone();
        let (version, watch, flags) = (-1, true, 3);
        round_trip!(
            CreateRequest {
                path: path(),
                data,
                acl: acl(),
                flags
            },
            CreateTtlRequest {
                path: path(),
                data,
                acl: acl(),
                flags,
                ttl: 1 << 40
            },
            DeleteRequest {
                path: path(),
                version
            },
            DeleteContainerRequest { path: path() },
            SetDataRequest {
                path: path(),
                data,
                version
            },
            SetAclRequest {
                path: path(),
                acl: acl(),
                version
            },
            CheckVersionRequest {
                path: path(),
                version
            },
            ExistsRequest {
                path: path(),
                watch
            },
            GetDataRequest {
                path: path(),
                watch
            },
            GetChildrenRequest {
                path: path(),
                watch
            },
            GetAclRequest { path: path() },
            GetEphemeralsRequest {
                prefix_path: path()
            },
            GetAllChildrenNumberRequest { path: path() },
            SyncRequest { path: path() },
            SetWatches {
                relative_zxid: 9,
                data_watches: paths(),
                exist_watches: paths(),
                child_watches: paths(),
            },
            SetWatches2 {
                relative_zxid: 9,
                data_watches: paths(),
                exist_watches: None,
                child_watches: paths(),
                persistent_watches: paths(),
                persistent_recursive_watches: paths(),
            },
            AddWatchRequest {
                path: path(),
                mode: 1
            },
            CheckWatchesRequest {
                path: path(),
                watcher_type: 5
            },
            AuthPacket {
                kind: 0,
                scheme: path(),
                auth: data
            },
            GetSaslRequest { token: data },
            ReconfigRequest {
                joining_servers: path(),
                leaving_servers: None,
                new_members: path(),
                cur_config_id: -1,
            },
        );
    }
}

#[test]
fn replies_and_events() {
    for Fields {
        path,
        data,
        acl,
        paths,
    } in variants()
    {
        let path = || path.clone();
        let info = ClientInfo {
            auth_scheme: path(),
            user: path(),
        };
        round_trip!(
            CreateResponse { path: path() },
            Create2Response {
                path: path(),
                stat: STAT
            },
            GetDataResponse { data, stat: STAT },
            GetChildrenResponse {
                children: paths.clone()
            },
            GetChildren2Response {
                children: paths.clone(),
                stat: STAT
            },
            GetAclResponse { acl, stat: STAT },
            GetEphemeralsResponse { ephemerals: paths },
            SyncResponse { path: path() },
            SetSaslResponse { token: data },
            WhoAmIResponse {
                client_info: Some(vec![info.clone(), info])
            },
            WatcherEvent {
                event_type: 4,
                state: 3,
                path: path()
            },
        );
    }
}

/// Clients before 3.4 end before the flag, so a cut one is an old one.
#[test]
fn the_first_packets() {
    for Fields { data, .. } in variants() {
        for read_only in [None, Some(false), Some(true)] {
            let request = ConnectRequest {
                protocol_version: 0,
                last_zxid_seen: 1,
                timeout_ms: 2,
                session_id: 3,
                passwd: data,
                read_only,
            };
            let response = ConnectResponse {
                protocol_version: 0,
                timeout_ms: 2,
                session_id: 3,
                passwd: data,
                read_only,
            };
            let bytes = encoded(&request);
            let mut reader = Reader::new(&bytes, Limits::default());
            assert_eq!(ConnectRequest::decode(&mut reader), Ok(request));
            let bytes = encoded(&response);
            let mut reader = Reader::new(&bytes, Limits::default());
            assert_eq!(ConnectResponse::decode(&mut reader), Ok(response));
        }
    }
}

#[test]
fn multis() {
    for Fields {
        path, data, acl, ..
    } in variants()
    {
        if path.is_none() || acl.is_none() {
            // Neither is a multi that can be read; see limits.rs.
            continue;
        }
        let path = || path.clone();
        let create = |flags| CreateRequest {
            path: path(),
            data,
            acl: acl.clone(),
            flags,
        };
        let version = 5;
        round_trip!(
            MultiRequest { ops: Vec::new() },
            MultiRequest {
                ops: vec![
                    MultiOp::Create(create(0)),
                    MultiOp::Create2(create(1)),
                    MultiOp::CreateContainer(create(4)),
                    MultiOp::CreateTtl(CreateTtlRequest {
                        path: path(),
                        data,
                        acl: acl.clone(),
                        flags: 6,
                        ttl: 1
                    }),
                    MultiOp::Delete(DeleteRequest {
                        path: path(),
                        version
                    }),
                    MultiOp::SetData(SetDataRequest {
                        path: path(),
                        data,
                        version
                    }),
                    MultiOp::Check(CheckVersionRequest {
                        path: path(),
                        version
                    }),
                ]
            },
            MultiReadRequest {
                ops: vec![
                    MultiReadOp::GetData(GetDataRequest {
                        path: path(),
                        watch: false
                    }),
                    MultiReadOp::GetChildren(GetChildrenRequest {
                        path: path(),
                        watch: true
                    }),
                ]
            },
        );
    }
}

/// Every transaction of these fields.
fn txns(fields: Fields, part: &[u8]) -> Vec<Txn<'_>> {
    let Fields {
        path,
        data,
        acl,
        paths,
    } = fields;
    let path = || path.clone();
    let acl = || acl.clone();
    let (version, parent_cversion) = (1, 2);
    let create = CreateTxn {
        path: path(),
        data,
        acl: acl(),
        ephemeral: true,
        parent_cversion,
    };
    let container = CreateContainerTxn {
        path: path(),
        data,
        acl: acl(),
        parent_cversion,
    };
    let ttl = CreateTtlTxn {
        path: path(),
        data,
        acl: acl(),
        parent_cversion,
        ttl: 3,
    };
    let delete = DeleteTxn { path: path() };
    let set_data = SetDataTxn {
        path: path(),
        data,
        version,
    };
    let set_acl = SetAclTxn {
        path: path(),
        acl: acl(),
        version,
    };
    let check = CheckVersionTxn {
        path: path(),
        version,
    };
    let parts = vec![
        SubTxn {
            kind: 2,
            data: part,
        },
        SubTxn {
            kind: -1,
            data: b"",
        },
    ];
    let close = CloseSessionTxn {
        paths_to_delete: paths,
    };
    vec![
        Txn::Create(create.clone()),
        Txn::Create2(create),
        Txn::CreateContainer(container),
        Txn::CreateTtl(ttl),
        Txn::Delete(delete.clone()),
        Txn::DeleteContainer(delete),
        Txn::SetData(set_data.clone()),
        Txn::Reconfig(set_data),
        Txn::SetAcl(set_acl),
        Txn::Check(check),
        Txn::Multi(parts),
        Txn::Multi(Vec::new()),
        Txn::CreateSession(CreateSessionTxn { timeout_ms: 7 }),
        Txn::CloseSession(Some(close)),
        Txn::CloseSession(None),
        Txn::Error(ErrorTxn { err: -101 }),
    ]
}

#[test]
fn log_entries_with_and_without_digest() {
    let digest = TxnDigest {
        version: TxnDigest::VERSION,
        tree_digest: -1,
    };
    for fields in variants() {
        for txn in txns(fields, b"part") {
            for digest in [None, Some(digest)] {
                let header = TxnHeader {
                    client_id: 1,
                    cxid: 2,
                    zxid: 3,
                    time: 4,
                    kind: txn.op().as_i32(),
                };
                let entry = LogEntry {
                    header,
                    txn: txn.clone(),
                    digest,
                };
                let bytes = entry.to_bytes();
                assert_eq!(LogEntry::from_bytes(&bytes, Limits::default()), Ok(entry));
            }
        }
    }
}

#[test]
fn parts_of_a_multi() {
    let limits = Limits::default();
    for fields in variants() {
        let txns = txns(fields, b"");
        let plain = |txn: &&Txn<'_>| !matches!(txn, Txn::Multi(_));
        for txn in txns.iter().filter(plain) {
            let data = encoded(txn);
            let kind = txn.op().as_i32();
            let part = SubTxn { kind, data: &data };
            assert_eq!(part.decode_body(limits).as_ref(), Ok(txn));
        }
    }
}

/// A create of before 3.4 ends before the cversion, which is unknown then.
#[test]
fn a_create_without_cversion() {
    let create = CreateTxn {
        path: Some("/a".into()),
        data: None,
        acl: None,
        ephemeral: false,
        parent_cversion: -1,
    };
    let bytes = encoded(&create);
    let mut reader = Reader::new(&bytes[..bytes.len() - 4], Limits::default());
    assert_eq!(Txn::decode(1, &mut reader), Ok(Txn::Create(create)));
}
