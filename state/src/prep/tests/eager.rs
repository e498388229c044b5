//! What is refused before it is queued.

use std::borrow::Cow;

use jute::data::{Acl, Id, perms};
use jute::proto::{CreateRequest, DeleteRequest, SetAclRequest, SetDataRequest};
use jute::wire::Encode;
use jute::{ErrorCode, OpCode};

use super::harness::{Server, create_request};
use crate::acl::AuthConfig;
use crate::prep::check_permissions;

const OWNER: &str = "bob:ikIaKsbtGweaHnb/jKn7OHqbunM=";

/// Nodes on which strangers may do one thing each; below them there is one of all.
fn server() -> Server {
    let mut server = Server::new();
    let all = Acl::new(perms::ALL, "digest", OWNER);
    for (path, granted) in [
        ("/read", perms::READ),
        ("/write", perms::WRITE),
        ("/create", perms::CREATE),
        ("/delete", perms::DELETE),
        ("/admin", perms::ADMIN),
    ] {
        let acl = vec![Acl::new(granted, "world", "anyone"), all.clone()];
        let open = create_request(path, 0);
        let made = server.create_with(
            OpCode::Create,
            CreateRequest {
                acl: Some(acl),
                ..open
            },
        );
        assert_eq!(made.as_deref(), Ok(path));
    }
    server.commit();
    server
}

fn bytes(record: &impl Encode) -> Vec<u8> {
    let mut body = Vec::new();
    record.encode(&mut body);
    body
}

fn create(path: &str, acl: Option<Vec<Acl<'static>>>) -> Vec<u8> {
    bytes(&CreateRequest {
        acl,
        ..create_request(path, 0)
    })
}

fn path(path: &str) -> Option<Cow<'_, str>> {
    Some(Cow::Borrowed(path))
}

#[test]
fn what_the_tree_does_not_permit() {
    let server = server();
    let open = || Some(vec![Acl::open()]);
    let set = |at| {
        bytes(&SetDataRequest {
            path: path(at),
            data: None,
            version: 7,
        })
    };
    let delete = |at| {
        bytes(&DeleteRequest {
            path: path(at),
            version: -1,
        })
    };
    let set_acl = |at, acl| {
        bytes(&SetAclRequest {
            path: path(at),
            acl,
            version: -1,
        })
    };
    let invalid = || Some(vec![Acl::new(perms::ALL, "nobody", "x")]);
    let auth = || Some(vec![Acl::new(perms::ALL, "auth", "")]);
    let no_auth = Err(ErrorCode::NoAuth);
    let invalid_acl = Err(ErrorCode::InvalidAcl);
    let table = [
        (OpCode::Create, create("/create/x", open()), Ok(())),
        (OpCode::Create, create("/write/x", open()), no_auth),
        (OpCode::Create2, create("/read/x", open()), no_auth),
        (OpCode::Create, create("/x", open()), Ok(())),
        // The list first, as in Apache; one without entries, and one for whoever asks, who is
        // nobody.
        (OpCode::Create, create("/read/x", invalid()), invalid_acl),
        (
            OpCode::Create2,
            create("/create/x", Some(vec![])),
            invalid_acl,
        ),
        (OpCode::Create, create("/create/x", auth()), invalid_acl),
        // Not looked at: it is refused by the leader.
        (
            OpCode::CreateContainer,
            create("/read/x", invalid()),
            Ok(()),
        ),
        (OpCode::Create, create("/none/x", open()), Ok(())),
        (OpCode::Create, create("no path", open()), Ok(())),
        (OpCode::Create, b"broken".to_vec(), Ok(())),
        (OpCode::Delete, delete("/delete/x"), Ok(())),
        (OpCode::Delete, delete("/admin/x"), no_auth),
        (OpCode::Delete, delete("/read"), Ok(())),
        // Versions are for the leader.
        (OpCode::SetData, set("/write"), Ok(())),
        (OpCode::SetData, set("/create"), no_auth),
        (OpCode::SetData, set("/none"), Ok(())),
        (OpCode::SetAcl, set_acl("/admin", open()), Ok(())),
        (OpCode::SetAcl, set_acl("/write", open()), no_auth),
        (OpCode::SetAcl, set_acl("/admin", invalid()), invalid_acl),
        (OpCode::CloseSession, Vec::new(), Ok(())),
    ];
    let config = AuthConfig::default();
    for (op, body, expected) in &table {
        let result = check_permissions(&server.state, *op, body, &server.identities, &config);
        assert_eq!(result, *expected, "{op:?} {body:?}");
        let owner = [Id::new("digest", OWNER)];
        let result = check_permissions(&server.state, *op, body, &owner, &config);
        assert_ne!(result, no_auth, "{op:?} {body:?}");
    }
}
