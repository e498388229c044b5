//! Encoded requests.

use jute::data::{Acl, perms};
use jute::proto::*;
use jute::wire::Encode;
use jute::{CreateMode, OpCode, frame};

use super::{Seed, conversations, frames, testdata};

pub(super) fn encoded(record: &impl Encode) -> Vec<u8> {
    let mut out = Vec::new();
    record.encode(&mut out);
    out
}

/// A request's frame.
pub(super) fn request(xid: i32, op: OpCode, record: &impl Encode) -> Vec<u8> {
    let mut out = Vec::new();
    frame::append(&mut out, |out| {
        let op = op.as_i32();
        RequestHeader { xid, op }.encode(out);
        record.encode(out);
    });
    out
}

/// The frame of a request without a record.
pub(super) fn bare_request(xid: i32, op: OpCode) -> Vec<u8> {
    let mut out = Vec::new();
    frame::append(&mut out, |out| {
        let op = op.as_i32();
        RequestHeader { xid, op }.encode(out);
    });
    out
}

fn acl(perms: i32, scheme: &'static str, id: &'static str) -> Acl<'static> {
    Acl::new(perms, scheme, id)
}

pub(super) fn acl_list() -> Vec<u8> {
    encoded(&Some(vec![
        Acl::open(),
        acl(perms::READ, "auth", ""),
        acl(perms::ALL, "digest", "u:p"),
        acl(perms::READ, "ip", "10.0.0.0/8"),
    ]))
}

pub(super) fn create(path: &str, flags: CreateMode) -> CreateRequest<'_> {
    CreateRequest {
        path: Some(path.into()),
        data: Some(b"data"),
        acl: Some(vec![Acl::open()]),
        flags: flags.as_i32(),
    }
}

pub(super) fn create_ttl(path: &str, ttl: i64) -> CreateTtlRequest<'_> {
    CreateTtlRequest {
        path: Some(path.into()),
        data: None,
        acl: Some(vec![Acl::open()]),
        flags: CreateMode::PersistentWithTtl.as_i32(),
        ttl,
    }
}

pub(super) fn set_data<'a>(path: &'a str, data: &'a [u8]) -> SetDataRequest<'a> {
    SetDataRequest {
        path: Some(path.into()),
        data: Some(data),
        version: -1,
    }
}

pub(super) fn delete(path: &str) -> DeleteRequest<'_> {
    DeleteRequest {
        path: Some(path.into()),
        version: -1,
    }
}

pub(super) fn get_data(path: &str) -> GetDataRequest<'_> {
    GetDataRequest {
        path: Some(path.into()),
        watch: true,
    }
}

pub(super) fn get_children(path: &str) -> GetChildrenRequest<'_> {
    GetChildrenRequest {
        path: Some(path.into()),
        watch: true,
    }
}

/// Every kind of write that a multi can hold.
pub(super) fn writes() -> MultiRequest<'static> {
    let check = CheckVersionRequest {
        path: Some("/m".into()),
        version: -1,
    };
    MultiRequest {
        ops: vec![
            MultiOp::Create(create("/m", CreateMode::Persistent)),
            MultiOp::Create2(create("/m/n-", CreateMode::EphemeralSequential)),
            MultiOp::CreateContainer(create("/c", CreateMode::Container)),
            MultiOp::CreateTtl(create_ttl("/t", 1000)),
            MultiOp::Check(check),
            MultiOp::SetData(set_data("/m", b"new")),
            MultiOp::Delete(delete("/t")),
        ],
    }
}

pub(super) fn reads() -> MultiReadRequest<'static> {
    MultiReadRequest {
        ops: vec![
            MultiReadOp::GetData(get_data("/zookeeper/config")),
            MultiReadOp::GetChildren(get_children("/")),
            MultiReadOp::GetData(get_data("/none")),
        ],
    }
}

pub(super) fn auth(credential: &str) -> AuthPacket<'_> {
    AuthPacket {
        kind: 0,
        scheme: Some("digest".into()),
        auth: Some(credential.as_bytes()),
    }
}

fn paths(list: &[&'static str]) -> Option<Vec<jute::Ustring<'static>>> {
    Some(list.iter().map(|path| Some((*path).into())).collect())
}

pub(super) fn set_watches() -> SetWatches2<'static> {
    SetWatches2 {
        relative_zxid: 1,
        data_watches: paths(&["/m", "/none"]),
        exist_watches: paths(&["/x"]),
        child_watches: paths(&["/"]),
        persistent_watches: paths(&["/p"]),
        persistent_recursive_watches: paths(&["/r"]),
    }
}

pub(super) fn add_watch(path: &str, mode: AddWatchMode) -> AddWatchRequest<'_> {
    AddWatchRequest {
        path: Some(path.into()),
        mode: mode as i32,
    }
}

pub(super) fn check_watches(path: &str) -> CheckWatchesRequest<'_> {
    CheckWatchesRequest {
        path: Some(path.into()),
        watcher_type: WatcherType::Any as i32,
    }
}

/// One request of each kind, in an order that makes most of them succeed.
pub(super) fn every_request() -> Vec<Vec<u8>> {
    let path = Some("/m".into());
    let watches = SetWatches {
        relative_zxid: 0,
        data_watches: paths(&["/m"]),
        exist_watches: None,
        child_watches: paths(&[]),
    };
    let set_acl = SetAclRequest {
        path: path.clone(),
        acl: Some(vec![acl(perms::ALL, "auth", ""), Acl::open()]),
        version: 0,
    };
    let exists = ExistsRequest {
        path: Some("/x".into()),
        watch: true,
    };
    let reconfig = ReconfigRequest {
        joining_servers: Some("server.2=h:1:2;3".into()),
        leaving_servers: None,
        new_members: None,
        cur_config_id: -1,
    };
    let ephemerals = GetEphemeralsRequest {
        prefix_path: Some("/".into()),
    };
    let number = GetAllChildrenNumberRequest { path: path.clone() };
    let sync = SyncRequest { path: path.clone() };
    let get_acl = GetAclRequest { path };
    let token = GetSaslRequest { token: Some(b"t") };
    vec![
        request(-4, OpCode::Auth, &auth("u:p")),
        request(1, OpCode::Multi, &writes()),
        request(2, OpCode::MultiRead, &reads()),
        request(3, OpCode::SetAcl, &set_acl),
        request(4, OpCode::GetAcl, &get_acl),
        request(5, OpCode::Exists, &exists),
        request(6, OpCode::GetData, &get_data("/m")),
        request(7, OpCode::GetChildren2, &get_children("/m")),
        request(8, OpCode::GetEphemerals, &ephemerals),
        request(9, OpCode::GetAllChildrenNumber, &number),
        request(10, OpCode::Sync, &sync),
        request(-8, OpCode::SetWatches, &watches),
        request(-8, OpCode::SetWatches2, &set_watches()),
        request(
            11,
            OpCode::AddWatch,
            &add_watch("/r", AddWatchMode::Persistent),
        ),
        request(12, OpCode::CheckWatches, &check_watches("/r")),
        request(13, OpCode::RemoveWatches, &check_watches("/r")),
        bare_request(14, OpCode::WhoAmI),
        bare_request(-2, OpCode::Ping),
        request(15, OpCode::Reconfig, &reconfig),
        request(16, OpCode::CreateTtl, &create_ttl("/ttl", 50)),
        request(17, OpCode::Sasl, &token),
    ]
}

pub(super) fn client_frame() -> Vec<Seed> {
    let mut seeds = conversations();
    seeds.push(("every-request".to_owned(), every_request().concat()));
    seeds
}

pub(super) fn connect_request(session_id: i64, passwd: &[u8]) -> ConnectRequest<'_> {
    ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: 0,
        timeout_ms: 10_000,
        session_id,
        passwd: Some(passwd),
        read_only: Some(false),
    }
}

pub(super) fn connect() -> Vec<Seed> {
    let mut seeds: Vec<_> = conversations()
        .into_iter()
        .map(|(name, stream)| (name, frames(&stream)[0].to_vec()))
        .collect();
    let response = testdata("jute", "3.9.5/conversation.acceptor.bin");
    seeds.push(("response".to_owned(), frames(&response)[0].to_vec()));
    let old = ConnectRequest {
        read_only: None,
        ..connect_request(0, &[0; 16])
    };
    seeds.push(("without-flag".to_owned(), encoded(&old)));
    seeds
}

pub(super) fn multi() -> Vec<Seed> {
    let container_by_flag = MultiRequest {
        ops: vec![MultiOp::Create(create("/c", CreateMode::Container))],
    };
    [
        ("container-by-flag", encoded(&container_by_flag)),
        ("empty", encoded(&MultiHeader::END)),
        ("reads", encoded(&reads())),
        ("writes", encoded(&writes())),
    ]
    .map(|(name, bytes)| (name.to_owned(), bytes))
    .into()
}
