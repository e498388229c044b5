//! Permissions.

use jute::OpCode;
use jute::data::{Acl, perms};
use jute::proto::{CreateRequest, GetAclRequest, GetAclResponse};

use super::Servers;
use crate::common::{Client, create};

/// `bob:pw` as the digest scheme stores it.
const BOB: &str = "bob:ikIaKsbtGweaHnb/jKn7OHqbunM=";

pub(super) fn create_for(client: &mut Client, path: &str, acl: Vec<Acl<'_>>) -> i32 {
    let request = CreateRequest {
        acl: Some(acl),
        ..create(path, b"", 0)
    };
    client.call(OpCode::Create, &request).err
}

fn acl_of(client: &mut Client, path: &str) -> Vec<Acl<'static>> {
    let request = GetAclRequest {
        path: Some(path.into()),
    };
    let reply = client.call(OpCode::GetAcl, &request);
    let response: GetAclResponse<'_> = reply.decode();
    let acl = response.acl.expect("a list").into_iter();
    acl.map(Acl::into_owned).collect()
}

pub(super) fn hidden_hashes(_: &Servers, client: &mut Client, base: &str) {
    let path = format!("{base}/n");
    let acl = vec![
        Acl::new(perms::ALL, "digest", BOB),
        Acl::new(perms::READ, "world", "anyone"),
    ];
    assert_eq!(create_for(client, &path, acl.clone()), 0);
    let shown = acl_of(client, &path);
    assert_eq!(shown[0], Acl::new(perms::ALL, "digest", "bob:x"));
    assert_eq!(shown[1], acl[1]);
    client.auth("digest", Some(b"bob:pw")).expect("an answer");
    assert_eq!(acl_of(client, &path), acl);
}

pub(super) fn unreadable_exists(servers: &Servers, client: &mut Client, base: &str) {
    let path = format!("{base}/n");
    let mut bob = Client::connect(servers.main.address);
    bob.auth("digest", Some(b"bob:pw")).expect("an answer");
    let acl = vec![Acl::new(perms::ALL, "digest", BOB)];
    assert_eq!(create_for(&mut bob, &path, acl), 0);
    assert_eq!(client.exists(&path, true).err, -102);
    assert_eq!(bob.set(&path, b"x").err, 0);
    assert_eq!(bob.delete(&path).err, 0);
    client.ping();
    assert!(client.events.is_empty());
}

pub(super) fn no_credentials(_: &Servers, client: &mut Client, base: &str) {
    let path = format!("{base}/n");
    let acl = || vec![Acl::new(perms::ALL, "auth", "")];
    assert_eq!(create_for(client, &path, acl()), -114);
    client.auth("digest", Some(b"bob:pw")).expect("an answer");
    assert_eq!(create_for(client, &path, acl()), 0);
    assert_eq!(acl_of(client, &path), [Acl::new(perms::ALL, "digest", BOB)]);
}

pub(super) fn duplicates(_: &Servers, client: &mut Client, base: &str) {
    let path = format!("{base}/n");
    let [a, b] = [("world", "anyone"), ("ip", "127.0.0.1")].map(|(scheme, id)| {
        let acl: Acl<'static> = Acl::new(perms::ALL, scheme, id);
        acl
    });
    let given = vec![a.clone(), b.clone(), a.clone(), b.clone()];
    assert_eq!(create_for(client, &path, given), 0);
    assert_eq!(acl_of(client, &path), [a, b]);
}

pub(super) fn bad_ids(_: &Servers, client: &mut Client, base: &str) {
    let path = format!("{base}/n");
    for (scheme, id) in [
        ("digest", "a:b:c"),
        ("digest", "a"),
        ("world", "other"),
        ("ip", "127.0.0.1/33"),
        ("ip", "localhost"),
        ("super", ""),
        ("sasl", "bob"),
        ("none", "bob"),
    ] {
        let acl = vec![Acl::new(perms::ALL, scheme, id)];
        assert_eq!(create_for(client, &path, acl), -114, "{scheme}:{id}");
    }
}

pub(super) fn odd_permissions(_: &Servers, client: &mut Client, base: &str) {
    for bits in [0, 255] {
        let path = format!("{base}/{bits}");
        let acl = vec![
            Acl::new(bits, "ip", "10.0.0.0/8"),
            Acl::new(perms::ALL, "world", "anyone"),
        ];
        assert_eq!(create_for(client, &path, acl.clone()), 0);
        assert_eq!(acl_of(client, &path), acl);
    }
}
