use jute::data::Acl;
use jute::proto::{
    CheckVersionRequest, CreateRequest, DeleteRequest, MultiOp, MultiRequest, SetDataRequest,
};
use jute::txn::Txn;
use jute::{ErrorCode, OpCode};

use super::harness::{Server, create_request, created_path};
use crate::prep::SessionKind;

fn create(path: &str, flags: i32) -> MultiOp<'_> {
    MultiOp::Create(create_request(path, flags))
}

fn delete(path: &str, version: i32) -> MultiOp<'_> {
    let path = Some(path.into());
    MultiOp::Delete(DeleteRequest { path, version })
}

fn set(path: &str, version: i32) -> MultiOp<'_> {
    let (path, data) = (Some(path.into()), Some(&b"new"[..]));
    MultiOp::SetData(SetDataRequest {
        path,
        data,
        version,
    })
}

fn check(path: &str, version: i32) -> MultiOp<'_> {
    let path = Some(path.into());
    MultiOp::Check(CheckVersionRequest { path, version })
}

#[test]
fn all_or_nothing_and_each_sees_the_ones_before() {
    let (no_node, exists, version, not_tried) = (-101, -110, -103, -2);
    let table: Vec<(Vec<MultiOp<'_>>, Vec<i32>)> = vec![
        (vec![], vec![]),
        (
            vec![
                create("/a", 0),
                set("/a", 0),
                check("/a", 1),
                delete("/a", 1),
            ],
            vec![0, 0, 0, 0],
        ),
        (
            vec![create("/a", 0), delete("/a", 0), create("/a", 0)],
            vec![0, 0, 0],
        ),
        (
            vec![create("/b", 0), create("/a", 0), create("/c", 0)],
            vec![0, exists, not_tried],
        ),
        (
            vec![create("/b", 0), check("/b", 1), delete("/no", -1)],
            vec![0, version, not_tried],
        ),
        (vec![check("/no", -1)], vec![no_node]),
        (vec![check("/", -1), check("/a", 0)], vec![0, 0]),
        (
            vec![create("/p", 0), create("/p/s", 2), create("/p/s", 2)],
            vec![0, 0, 0],
        ),
        (vec![create("/p/s", 2), create("/p/", 0)], vec![0, -8]),
    ];
    let mut server = Server::new();
    for (ops, expected) in table {
        let request = MultiRequest { ops };
        assert_eq!(server.multi(&request), Ok(expected), "{request:?}");
        assert_eq!(server.last().header.kind, OpCode::Multi.as_i32());
    }
    // The failed create of the last one burnt no number.
    assert_eq!(server.create("/p/s", 2).as_deref(), Ok("/p/s0000000002"));
    assert_eq!(server.create("/b/c", 0), Err(ErrorCode::NoNode));
    server.commit();
    assert_eq!(server.state.tree().lookup("/b"), None);
    assert!(server.state.tree().lookup("/p/s0000000002").is_some());
}

#[test]
fn a_failed_multi_restores_what_was_pending_before() {
    let mut server = Server::new();
    server.create("/p", 0).expect("created");
    server.create("/p/s", 2).expect("created");
    server.set_data("/p", b"x", 0).expect("set");
    let before = (server.prep.tree_digest(), server.prep.pending_len());
    let ops = vec![
        create("/p/s", 2),
        create("/p/s", 2),
        set("/p", 1),
        delete("/p/s0000000000", 0),
        create("/fresh", 0),
        check("/p", 99),
    ];
    assert_eq!(
        server.multi(&MultiRequest { ops }),
        Ok(vec![0, 0, 0, 0, 0, -103])
    );
    assert_eq!(
        (server.prep.tree_digest(), server.prep.pending_len()),
        before
    );
    assert_eq!(server.create("/p/s", 2).as_deref(), Ok("/p/s0000000001"));
    assert_eq!(server.set_data("/p", b"y", 1), Ok(2));
    assert_eq!(server.delete("/p/s0000000000", 0), Ok(()));
    server.commit();
}

#[test]
fn parts_are_unchanged_before_the_failure() {
    let mut server = Server::new();
    let ops = vec![create("/s", 2), delete("/no", -1), create("/t", 0)];
    server.multi(&MultiRequest { ops }).expect("a multi");
    let entry = server.last();
    let Txn::Multi(parts) = entry.txn else {
        panic!("a multi")
    };
    let kinds: Vec<_> = parts.iter().map(|part| part.kind).collect();
    assert_eq!(kinds, [1, -1, -1]);
    let first = parts[0]
        .decode_body(server.state.options.limits)
        .expect("readable");
    assert_eq!(created_path(&first), "/s0000000000");
}

#[test]
fn the_kinds_of_create_keep_their_types() {
    let mut server = Server::new();
    let ops = vec![
        MultiOp::Create2(create_request("/a", 0)),
        MultiOp::CreateContainer(create_request("/c", 4)),
        // With the flags of a container it is one, whatever its type.
        MultiOp::Create(create_request("/d", 4)),
    ];
    server.multi(&MultiRequest { ops }).expect("a multi");
    let Txn::Multi(parts) = server.last().txn else {
        panic!("a multi")
    };
    let kinds: Vec<_> = parts.iter().map(|part| part.kind).collect();
    assert_eq!(kinds, [15, 19, 19]);
    server.commit();
    assert_eq!(server.state.containers().count(), 2);
}

#[test]
fn what_no_operation_is_to_blame_for_fails_the_whole() {
    let mut server = Server::new();
    let null = CreateRequest {
        path: None,
        ..create_request("", 0)
    };
    let ops = vec![create("/a", 0), MultiOp::Create(null)];
    let before = server.prep.tree_digest();
    assert_eq!(
        server.multi(&MultiRequest { ops }),
        Err(ErrorCode::MarshallingError)
    );
    assert!(matches!(server.last().txn, Txn::Error(_)));
    assert_eq!(server.prep.tree_digest(), before);
    let ops = vec![create("/b", 5)];
    assert_eq!(
        server.multi(&MultiRequest { ops }),
        Err(ErrorCode::MarshallingError)
    );
    assert_eq!(server.create("/a/b", 0), Err(ErrorCode::NoNode));
    server.commit();
}

#[test]
fn errors_of_operations_stand_in_their_parts() {
    let mut server = Server::new();
    let bad_acl = CreateRequest {
        acl: Some(vec![Acl::new(31, "auth", "")]),
        ..create_request("/x", 0)
    };
    let ops = vec![MultiOp::Create(bad_acl)];
    assert_eq!(server.multi(&MultiRequest { ops }), Ok(vec![-114]));
    server.kind = SessionKind::Local { upgrade: false };
    let ops = vec![create("/a", 0), create("/e", 1)];
    assert_eq!(server.multi(&MultiRequest { ops }), Ok(vec![0, -112]));
    server.commit();
}
