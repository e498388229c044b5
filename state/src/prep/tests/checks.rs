//! Which error comes first, request by request.

use std::borrow::Cow;

use jute::data::{Acl, perms};
use jute::proto::{
    CheckVersionRequest, CreateRequest, DeleteRequest, ReconfigRequest, SetDataRequest,
};
use jute::txn::Txn;
use jute::{ErrorCode, OpCode};

use super::harness::{SESSION, Server, code, create_request};
use crate::acl::AuthConfig;
use crate::prep::{PrepOptions, Prepared, SessionKind};
use crate::quota::{limits_path, stats_path};
use crate::state::Options;
use crate::tree::Owner;
use jute::wire::Limits;

const BAD: ErrorCode = ErrorCode::BadArguments;

#[test]
fn create_checks_in_the_stated_order() {
    let mut server = Server::new();
    server.create("/p", 0).expect("created");
    server.create("/e", 1).expect("created");
    let closed = vec![Acl::new(perms::READ, "world", "anyone")];
    let request = CreateRequest {
        acl: Some(closed),
        ..create_request("/closed", 0)
    };
    server
        .create_with(OpCode::Create, request)
        .expect("created");
    server.commit();
    let table: &[(&str, i32, Result<&str, ErrorCode>)] = &[
        ("/p/a", 7, Err(BAD)),
        ("/p/a", -1, Err(BAD)),
        ("/p/a", 5, Err(BAD)), // no TTL given, which is an invalid one
        ("a", 0, Err(BAD)),
        ("", 0, Err(BAD)),
        ("/p/a\0", 0, Err(BAD)),
        ("a/b", 0, Err(ErrorCode::NoNode)),
        ("/no/", 0, Err(ErrorCode::NoNode)),
        ("/no/x", 0, Err(ErrorCode::NoNode)),
        ("/.", 0, Err(BAD)),
        ("//a", 0, Err(BAD)),
        ("/p/", 0, Err(BAD)),
        ("/p/\u{1f600}", 0, Err(BAD)),
        ("/closed/a", 0, Err(ErrorCode::NoAuth)),
        ("/closed/.", 0, Err(ErrorCode::NoAuth)),
        ("/", 0, Err(ErrorCode::NodeExists)),
        ("/zookeeper", 0, Err(ErrorCode::NodeExists)),
        ("/p", 0, Err(ErrorCode::NodeExists)),
        ("/e/a", 0, Err(ErrorCode::NoChildrenForEphemerals)),
        ("/e/a", 2, Err(ErrorCode::NoChildrenForEphemerals)),
        ("/zookeeper/a", 0, Ok("/zookeeper/a")),
        ("/p/a", 0, Ok("/p/a")),
        ("/p/", 2, Ok("/p/0000000001")),
        ("/p/s-", 3, Ok("/p/s-0000000002")),
        ("/p/c", 4, Ok("/p/c")),
    ];
    for (path, flags, expected) in table {
        let result = server.create(path, *flags);
        assert_eq!(result, expected.map(str::to_owned), "{path:?} {flags}");
    }
    server.commit();
}

#[test]
fn create_prefers_a_bad_list_to_a_missing_parent_and_null_is_malformed() {
    let mut server = Server::new();
    for acl in [
        None,
        Some(vec![]),
        Some(vec![Acl::new(31, "nonsense", "x")]),
    ] {
        let request = CreateRequest {
            acl,
            ..create_request("/no/x", 0)
        };
        let result = server.create_with(OpCode::Create, request);
        assert_eq!(result, Err(ErrorCode::InvalidAcl));
    }
    let request = CreateRequest {
        path: None,
        ..create_request("", 0)
    };
    let result = server.prepare(OpCode::Create, &request);
    assert!(matches!(
        result,
        Prepared::Txn {
            error: Some(ErrorCode::MarshallingError),
            ..
        }
    ));
    server.commit();
}

#[test]
fn operation_and_flags_decide_the_kind() {
    let table = [
        (OpCode::Create, 0, 0),
        (OpCode::Create2, 1, SESSION),
        (OpCode::Create, 4, 0),
        (OpCode::CreateContainer, 0, Owner::CONTAINER_RAW),
        (OpCode::CreateContainer, 1, Owner::CONTAINER_RAW),
        (OpCode::CreateContainer, 4, Owner::CONTAINER_RAW),
    ];
    for (op, flags, owner) in table {
        let mut server = Server::new();
        server
            .create_with(op, create_request("/a", flags))
            .expect("created");
        assert_eq!(server.last().header.kind, op.as_i32());
        server.commit();
        let id = server.state.tree().lookup("/a").expect("applied");
        assert_eq!(
            server.state.tree().stat(id).ephemeral_owner,
            owner,
            "{op:?} {flags}"
        );
    }
    let mut server = Server::new();
    let sequential = server.create_with(OpCode::CreateContainer, create_request("/c-", 2));
    assert_eq!(sequential.as_deref(), Ok("/c-0000000000"));
    // Children of a container may be anything.
    assert_eq!(
        server.create("/c-0000000000/e", 1).as_deref(),
        Ok("/c-0000000000/e")
    );
    server.commit();
}

#[test]
fn ttls_have_a_range_and_a_switch() {
    let max = Owner::MAX_TTL_MS;
    let table = [
        (5, 1, Ok(())),
        (5, max, Ok(())),
        (6, 1, Ok(())),
        (5, max + 1, Err(BAD)),
        (5, 0, Err(BAD)),
        (5, -1, Err(BAD)),
        (0, 1, Err(BAD)),
        (0, 0, Err(BAD)),
        (0, -1, Err(BAD)), // kills an Apache server
        (9, 1, Err(BAD)),
    ];
    for (flags, ttl, expected) in table {
        let mut server = Server::new();
        assert_eq!(
            server.create_ttl("/t", flags, ttl),
            expected,
            "{flags} {ttl}"
        );
        server.commit();
    }
    let mut off = Server::with_options(PrepOptions::default(), Options::default());
    assert_eq!(off.create_ttl("/t", 5, 1), Err(ErrorCode::Unimplemented));
    assert_eq!(off.create("/t", 5), Err(ErrorCode::Unimplemented));
    assert_eq!(off.create("/t", 0).as_deref(), Ok("/t"));
    off.commit();
}

#[test]
fn ephemerals_need_a_global_session() {
    let (refused, expired) = (
        ErrorCode::EphemeralOnLocalSession,
        ErrorCode::SessionExpired,
    );
    let table = [
        (OpCode::Create, false, refused),
        (OpCode::Create2, false, refused),
        (OpCode::CreateContainer, false, expired),
        (OpCode::Create, true, expired),
    ];
    for (op, upgrade, error) in table {
        let mut server = Server::new();
        server.kind = SessionKind::Local { upgrade };
        // Before the path is looked at.
        assert_eq!(
            server.create_with(op, create_request("no slash", 1)),
            Err(error)
        );
        assert_eq!(
            server.create_with(op, create_request("/a", 0)).as_deref(),
            Ok("/a")
        );
    }
}

#[test]
fn delete_checks_in_the_stated_order() {
    let mut server = Server::new();
    for path in ["/p", "/p/c", "/p/c/d"] {
        server.create(path, 0).expect("created");
    }
    let closed = vec![Acl::new(perms::ALL & !perms::DELETE, "world", "anyone")];
    server.create("/closed", 0).expect("created");
    server.create("/closed/c", 0).expect("created");
    server.set_acl("/closed", closed, -1).expect("set");
    server.commit();
    let table = [
        ("a", -1, Err(BAD)),
        ("", -1, Err(BAD)),
        ("/p\0", -1, Err(BAD)),
        ("/", -1, Err(BAD)),
        ("/zookeeper", -1, Err(BAD)),
        ("/zookeeper/quota", -1, Err(BAD)),
        ("/zookeeper/config", -1, Err(BAD)),
        ("/no/x", -1, Err(ErrorCode::NoNode)),
        ("/closed/no", -1, Err(ErrorCode::NoAuth)),
        ("/closed/c", -1, Err(ErrorCode::NoAuth)),
        ("/no", -1, Err(ErrorCode::NoNode)),
        ("/p/", -1, Err(ErrorCode::NoNode)),
        ("//p", -1, Err(ErrorCode::NoNode)),
        ("/p/c", 5, Err(ErrorCode::BadVersion)),
        ("/p/c", -2, Err(ErrorCode::BadVersion)),
        ("/p/c", 0, Err(ErrorCode::NotEmpty)),
        ("/p/c/d", 0, Ok(())),
        ("/p/c", -1, Ok(())),
        ("/closed", -1, Err(ErrorCode::NotEmpty)),
    ];
    for (path, version, expected) in table {
        assert_eq!(server.delete(path, version), expected, "{path:?} {version}");
    }
    let null = DeleteRequest {
        path: None,
        version: -1,
    };
    assert_eq!(
        code(server.prepare(OpCode::Delete, &null)),
        Err(ErrorCode::MarshallingError)
    );
    server.commit();
}

#[test]
fn set_data_and_set_acl_check_in_the_stated_order() {
    let mut server = Server::new();
    server.create("/p", 0).expect("created");
    server.create("/closed", 0).expect("created");
    server
        .set_acl(
            "/closed",
            vec![Acl::new(perms::READ, "world", "anyone")],
            -1,
        )
        .expect("set");
    server.commit();
    let table = [
        ("", -1, Err(BAD)),
        ("/p/", -1, Err(BAD)),
        ("/no", 5, Err(ErrorCode::NoNode)),
        ("/closed", 5, Err(ErrorCode::NoAuth)),
        ("/zookeeper/config", 5, Err(ErrorCode::NoAuth)),
        ("/p", 5, Err(ErrorCode::BadVersion)),
        ("/p", -2, Err(ErrorCode::BadVersion)),
        ("/p", 0, Ok(1)),
        ("/p", -1, Ok(2)),
        ("/", 0, Ok(1)),
    ];
    for (path, version, expected) in table {
        assert_eq!(
            server.set_data(path, b"x", version),
            expected,
            "{path:?} {version}"
        );
        let open = vec![Acl::open()];
        assert_eq!(
            server.set_acl(path, open, version),
            expected,
            "ACL of {path:?} {version}"
        );
    }
    assert_eq!(
        server.set_acl("/no", vec![], -1),
        Err(ErrorCode::InvalidAcl)
    );
    assert_eq!(server.set_acl("/no/", vec![], -1), Err(BAD));
    let null = SetDataRequest {
        path: None,
        data: None,
        version: -1,
    };
    assert_eq!(code(server.prepare(OpCode::SetData, &null)), Err(BAD));
    server.authenticate("super", "");
    assert_eq!(server.set_data("/zookeeper/config", b"x", -1), Ok(1));
    server.commit();
}

#[test]
fn what_is_no_write_of_a_client_is_rejected_without_a_zxid() {
    let mut server = Server::new();
    let path = Some(Cow::Borrowed("/zookeeper"));
    let check = CheckVersionRequest { path, version: -1 };
    let ops = [
        OpCode::Check,
        OpCode::DeleteContainer,
        OpCode::CreateSession,
        OpCode::CloseSession,
        OpCode::Error,
        OpCode::GetData,
        OpCode::Sync,
    ];
    for op in ops {
        let prepared = server.prepare(op, &check);
        assert_eq!(
            prepared,
            Prepared::Reject(ErrorCode::Unimplemented),
            "{op:?}"
        );
    }
}

#[test]
fn truncated_records_are_rejected_without_a_zxid_but_a_multi_takes_one() {
    let mut server = Server::new();
    let ops = [
        OpCode::Create,
        OpCode::Create2,
        OpCode::CreateContainer,
        OpCode::CreateTtl,
        OpCode::Delete,
        OpCode::SetData,
        OpCode::SetAcl,
        OpCode::Reconfig,
    ];
    for op in ops {
        for body in [&b""[..], &[0, 0, 0, 2, b'/'], &[0xff; 3], &[0x7f; 40]] {
            let prepared = server.prepare_bytes(op, body);
            assert_eq!(
                prepared,
                Prepared::Reject(ErrorCode::MarshallingError),
                "{op:?}"
            );
        }
    }
    let prepared = server.prepare_bytes(OpCode::Multi, b"");
    assert!(matches!(
        prepared,
        Prepared::Txn {
            error: Some(ErrorCode::MarshallingError),
            ..
        }
    ));
    server.commit();
}

#[test]
fn reconfig_fails_on_a_standalone_server() {
    let table = [
        (false, ErrorCode::ReconfigDisabled),
        (true, ErrorCode::Unimplemented),
    ];
    for (reconfig_enabled, expected) in table {
        let mut server = Server::with(PrepOptions {
            reconfig_enabled,
            ..PrepOptions::default()
        });
        let request = ReconfigRequest {
            joining_servers: None,
            leaving_servers: None,
            new_members: None,
            cur_config_id: -1,
        };
        assert_eq!(
            code(server.prepare(OpCode::Reconfig, &request)),
            Err(expected)
        );
        server.commit();
    }
}

#[test]
fn versions_wrap_and_minus_one_means_any() {
    use crate::prep::draft::next_version;
    let table = [
        (0, 0, Ok(1)),
        (7, -1, Ok(8)),
        (7, 6, Err(ErrorCode::BadVersion)),
        (i32::MAX, -1, Ok(i32::MIN)),
        (-2, -2, Ok(-1)),
        (-1, -1, Ok(0)),
        (-2, -3, Err(ErrorCode::BadVersion)),
    ];
    for (current, expected_version, result) in table {
        assert_eq!(next_version(current, expected_version), result, "{current}");
    }
}

#[test]
fn hard_quotas_refuse_by_committed_usage() {
    let mut server = Server::with(PrepOptions {
        enforce_quota: true,
        ..PrepOptions::default()
    });
    server.create("/q", 0).expect("created");
    server.create("/zookeeper/quota/q", 0).expect("created");
    let limits_node = limits_path("/q");
    let limits = CreateRequest {
        data: Some(b"count=-1,bytes=-1=;byteHardLimit=9;countHardLimit=2"),
        ..create_request(&limits_node, 0)
    };
    server.create_with(OpCode::Create, limits).expect("created");
    server.create(&stats_path("/q"), 0).expect("created");
    server.commit();
    // 4 bytes in 1 node. What is pending does not count yet.
    assert_eq!(server.create("/q/a", 0).as_deref(), Ok("/q/a"));
    assert_eq!(server.create("/q/b", 0).as_deref(), Ok("/q/b"));
    server.commit();
    assert_eq!(server.create("/q/c", 0), Err(ErrorCode::QuotaExceeded));
    // Before the version, after the permission and the existence.
    assert_eq!(
        server.set_data("/q/a", b"longer", 99),
        Err(ErrorCode::QuotaExceeded)
    );
    assert_eq!(
        server.set_data("/q/a", b"same", 99),
        Err(ErrorCode::BadVersion)
    );
    assert_eq!(server.create("/q/a", 0), Err(ErrorCode::NodeExists));
    server.delete("/q/b", -1).expect("deleted");
    server.delete("/q/a", -1).expect("deleted");
    server.commit();
    assert_eq!(server.set_data("/q", b"123456789", -1), Ok(1));
    server.commit();
    assert_eq!(
        server.set_data("/q", b"1234567890", -1),
        Err(ErrorCode::QuotaExceeded)
    );
    server
        .set_data(&limits_path("/q"), b"junk", -1)
        .expect("set");
    server.commit();
    assert_eq!(
        server.set_data("/q", b"1", -1),
        Err(ErrorCode::MarshallingError)
    );
    server.delete(&limits_path("/q"), -1).expect("deleted");
    server.commit();
    assert_eq!(server.set_data("/q", b"1234567890", -1), Ok(2));
    server.commit();
}

#[test]
fn auth_entries_are_resolved_and_an_entry_too_long_to_read_is_not_logged() {
    let limits = Limits::new(2000, 0);
    let options = Options {
        limits,
        digest_enabled: true,
        ..Options::default()
    };
    let mut server = Server::with_options(PrepOptions::default(), options);
    server.authenticate("digest", "alice:0123456789abcdef0123456789abcdef");
    server.authenticate("digest", "bob:0123456789abcdef0123456789abcdef");
    let acl = vec![Acl::new(31, "auth", "")];
    let request = CreateRequest {
        acl: Some(acl),
        ..create_request("/a", 0)
    };
    server
        .create_with(OpCode::Create, request)
        .expect("created");
    let Txn::Create(txn) = server.last().txn else {
        panic!("a create")
    };
    let schemes: Vec<_> = txn
        .acl
        .iter()
        .flatten()
        .map(|acl| acl.id.scheme.clone())
        .collect();
    assert_eq!(schemes, [Some("digest".into()), Some("digest".into())]);

    let before = server.prep.tree_digest();
    let acl = (0..50).map(|perms| Acl::new(perms, "auth", "")).collect();
    let request = CreateRequest {
        acl: Some(acl),
        ..create_request("/b", 0)
    };
    let result = server.create_with(OpCode::Create, request);
    assert_eq!(result, Err(ErrorCode::MarshallingError));
    assert_eq!(server.prep.tree_digest(), before);
    assert_eq!(server.create("/b/c", 0), Err(ErrorCode::NoNode));
    server.commit();
}

#[test]
fn skip_acl_skips() {
    let auth = AuthConfig {
        skip_acl: true,
        ..AuthConfig::default()
    };
    let mut server = Server::with(PrepOptions {
        auth,
        ..PrepOptions::default()
    });
    assert_eq!(server.set_data("/zookeeper/config", b"x", -1), Ok(1));
}
