//! Creates, deletes, data and versions.

use std::thread::sleep;
use std::time::Duration;

use jute::OpCode;
use jute::data::Acl;
use jute::proto::{
    CreateRequest, CreateTtlRequest, GetDataResponse, GetEphemeralsRequest, GetEphemeralsResponse,
    ReconfigRequest, SetAclRequest, SetDataRequest,
};

use super::Servers;
use crate::common::{Client, create, delete, get, set};

/// Longer than the test server waits between two looks for nodes to reap.
const SEVERAL_REAPS: Duration = Duration::from_millis(500);

pub(super) fn create_ttl(path: &str, flags: i32, ttl: i64) -> CreateTtlRequest<'_> {
    let CreateRequest {
        path,
        data,
        acl,
        flags,
    } = create(path, b"", flags);
    CreateTtlRequest {
        path,
        data,
        acl,
        flags,
        ttl,
    }
}

pub(super) fn failed_write_has_a_zxid(_: &Servers, client: &mut Client, base: &str) {
    let before = client.set(base, b"").zxid;
    let failed = client.create(base, b"", 0);
    assert_eq!((failed.err, failed.zxid), (-110, before + 1));
    assert_eq!(client.set(base, b"").zxid, before + 2);
}

pub(super) fn sequence_source(_: &Servers, client: &mut Client, base: &str) {
    client.created(&format!("{base}/a"), 0);
    let first = client.created(&format!("{base}/n-"), 2);
    assert_eq!(first, format!("{base}/n-0000000001"));
    client.delete(&first);
    let next = client.created(&format!("{base}/n-"), 2);
    assert_eq!(next, format!("{base}/n-0000000002"));
}

pub(super) fn sequence_without_a_name(_: &Servers, client: &mut Client, base: &str) {
    for at in 0..3 {
        client.created(&format!("{base}/{at}"), 0);
    }
    let path = client.created(&format!("{base}/"), 2);
    assert_eq!(path, format!("{base}/0000000003"));
}

pub(super) fn sequence_overflow(servers: &Servers, _: &mut Client, _: &str) {
    let mut client = Client::connect(servers.crafted.address);
    assert_eq!(client.created("/full/n-", 2), "/full/n-2147483647");
    let frozen = client.stat("/full");
    for _ in 0..3 {
        assert_eq!(client.create("/full/n-", b"", 2).err, -110);
    }
    client.created("/full/plain", 0);
    assert_eq!(client.stat("/full").pzxid, frozen.pzxid);
}

pub(super) fn shown_cversion(servers: &Servers, client: &mut Client, base: &str) {
    let mut fresh = Client::connect(servers.plain.address);
    assert_eq!(fresh.stat("/").cversion, -1);
    assert_eq!(fresh.stat("/zookeeper").cversion, -2);
    for at in 0..3 {
        client.created(&format!("{base}/{at}"), 0);
    }
    assert_eq!(client.stat(base).cversion, 3);
    client.delete(&format!("{base}/1"));
    assert_eq!(client.stat(base).cversion, 4);
}

pub(super) fn delete_changes_the_parent(_: &Servers, client: &mut Client, base: &str) {
    let path = client.created(&format!("{base}/n"), 0);
    let before = client.stat(base);
    let deleted = client.delete(&path).zxid;
    let after = client.stat(base);
    let expected = jute::data::Stat {
        pzxid: deleted,
        cversion: before.cversion + 1,
        num_children: 0,
        ..before
    };
    assert_eq!(after, expected);
}

pub(super) fn hidden_owners(_: &Servers, client: &mut Client, base: &str) {
    let container = format!("{base}/c");
    let reply = client.call(OpCode::CreateContainer, &create(&container, b"", 4));
    assert_eq!(reply.err, 0);
    let ttl = format!("{base}/t");
    let reply = client.call(OpCode::CreateTtl, &create_ttl(&ttl, 5, 60_000));
    assert_eq!(reply.err, 0);
    assert_eq!(client.stat(&container).ephemeral_owner, 0);
    assert_eq!(client.stat(&ttl).ephemeral_owner, 0);
}

pub(super) fn ttl_switched_off(servers: &Servers, _: &mut Client, _: &str) {
    let mut client = Client::connect(servers.plain.address);
    let reply = client.call(OpCode::CreateTtl, &create_ttl("/ttl", 5, 1000));
    assert_eq!(reply.err, -6);
    client.ping();
}

pub(super) fn container_flag_on_create(_: &Servers, client: &mut Client, base: &str) {
    let path = client.created(&format!("{base}/p"), 4);
    client.created(&format!("{path}/child"), 0);
    client.delete(&format!("{path}/child"));
    sleep(SEVERAL_REAPS);
    assert_eq!(client.exists(&path, false).err, 0, "not a container");
}

pub(super) fn containers_go_when_used(_: &Servers, client: &mut Client, base: &str) {
    let [unused, used] = ["unused", "used"].map(|name| format!("{base}/{name}"));
    for path in [&unused, &used] {
        client.call(OpCode::CreateContainer, &create(path, b"", 4));
    }
    client.created(&format!("{used}/child"), 0);
    client.exists(&used, true);
    client.delete(&format!("{used}/child"));
    assert_eq!(client.event().kind, 2);
    assert_eq!(client.exists(&unused, false).err, 0);
}

pub(super) fn ttl_clock(_: &Servers, client: &mut Client, base: &str) {
    let path = format!("{base}/t");
    client.call(OpCode::CreateTtl, &create_ttl(&path, 5, 600));
    for _ in 0..4 {
        sleep(Duration::from_millis(250));
        assert_eq!(client.set(&path, b"refreshed").err, 0);
    }
    client.created(&format!("{path}/child"), 0);
    sleep(Duration::from_millis(900));
    assert_eq!(client.exists(&path, true).err, 0, "a child keeps it");
    client.delete(&format!("{path}/child"));
    assert_eq!(client.event().kind, 2);
}

pub(super) fn null_and_empty_data(_: &Servers, client: &mut Client, base: &str) {
    for (name, data) in [("null", None), ("empty", Some(&b""[..]))] {
        let path = format!("{base}/{name}");
        let request = CreateRequest {
            data,
            ..create(&path, b"", 0)
        };
        assert_eq!(client.call(OpCode::Create, &request).err, 0);
        let reply = client.get(&path, false);
        let read: GetDataResponse<'_> = reply.decode();
        assert_eq!((read.data, read.stat.data_length), (data, 0));
    }
    let request = SetDataRequest {
        data: None,
        ..set(base, b"", -1)
    };
    assert_eq!(client.call(OpCode::SetData, &request).err, 0);
    assert_eq!(client.data(base), None);
}

pub(super) fn odd_create_paths(_: &Servers, client: &mut Client, _: &str) {
    for (path, err) in [
        ("a/b", -101),
        ("/absent/", -101),
        ("//a", -8),
        ("a", -8),
        ("", -8),
    ] {
        assert_eq!(client.create(path, b"", 0).err, err, "{path}");
    }
}

pub(super) fn special_paths(_: &Servers, client: &mut Client, _: &str) {
    client.auth("digest", Some(b"super:pw")).expect("an answer");
    for path in ["/", "/zookeeper"] {
        assert_eq!(client.create(path, b"", 0).err, -110, "{path}");
        assert_eq!(client.delete(path).err, -8, "{path}");
    }
    assert_eq!(client.delete("/zookeeper/config").err, -8);
    assert_eq!(client.delete("/zookeeper/quota").err, -8);
}

pub(super) fn invalid_acl_first(_: &Servers, client: &mut Client, base: &str) {
    let path = format!("{base}/absent/n");
    let request = CreateRequest {
        acl: Some(vec![]),
        ..create(&path, b"", 0)
    };
    assert_eq!(client.call(OpCode::Create, &request).err, -114);
}

pub(super) fn last_create_checks(_: &Servers, client: &mut Client, base: &str) {
    super::quota(
        client,
        base,
        "count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=2",
    );
    let ephemeral = client.created(&format!("{base}/e"), 1);
    for (path, err) in [
        (format!("{base}/."), -8),
        (format!("{ephemeral}/."), -8),
        (ephemeral.clone(), -110),
        (format!("{ephemeral}/n"), -108),
        (format!("{base}/n"), -125),
    ] {
        assert_eq!(client.create(&path, b"", 0).err, err, "{path}");
    }
}

pub(super) fn delete_checks_the_parent_first(_: &Servers, client: &mut Client, base: &str) {
    let path = format!("{base}/locked");
    let request = CreateRequest {
        acl: Some(vec![Acl::new(1, "world", "anyone")]),
        ..create(&path, b"", 0)
    };
    assert_eq!(client.call(OpCode::Create, &request).err, 0);
    assert_eq!(client.delete(&format!("{path}/absent")).err, -102);
}

pub(super) fn delete_version_before_children(_: &Servers, client: &mut Client, base: &str) {
    client.created(&format!("{base}/n"), 0);
    assert_eq!(client.call(OpCode::Delete, &delete(base, 7)).err, -103);
    assert_eq!(client.call(OpCode::Delete, &delete(base, 0)).err, -111);
}

pub(super) fn quota_before_version(_: &Servers, client: &mut Client, base: &str) {
    super::quota(
        client,
        base,
        "count=-1,bytes=-1=;byteHardLimit=5;countHardLimit=-1",
    );
    let over = client.call(OpCode::SetData, &set(base, b"123456", 7));
    assert_eq!(over.err, -125);
    let within = client.call(OpCode::SetData, &set(base, b"12345", 7));
    assert_eq!(within.err, -103);
}

pub(super) fn set_acl_counts_apart(_: &Servers, client: &mut Client, base: &str) {
    client.set(base, b"x");
    let before = client.stat(base);
    client.get(base, true);
    let request = |version| SetAclRequest {
        path: Some(base.into()),
        acl: Some(vec![Acl::open()]),
        version,
    };
    assert_eq!(client.call(OpCode::SetAcl, &request(1)).err, -103);
    assert_eq!(client.call(OpCode::SetAcl, &request(0)).err, 0);
    let expected = jute::data::Stat {
        aversion: 1,
        ..before
    };
    assert_eq!(client.stat(base), expected);
    assert!(client.events.is_empty());
}

pub(super) fn version_overflow(servers: &Servers, _: &mut Client, _: &str) {
    let mut client = Client::connect(servers.crafted.address);
    assert_eq!(client.set_stat("/worn", b"", -2).version, -1);
    // Now -1 is its version, and "any" as ever.
    assert_eq!(client.set_stat("/worn", b"", -1).version, 0);
}

pub(super) fn negative_versions(_: &Servers, client: &mut Client, base: &str) {
    assert_eq!(client.call(OpCode::SetData, &set(base, b"", -2)).err, -103);
    assert_eq!(client.set_stat(base, b"", -1).version, 1);
}

pub(super) fn emoji(_: &Servers, client: &mut Client, base: &str) {
    for bad in ["\u{1f600}", "\u{e000}", "\u{7f}", "\u{fff0}"] {
        assert_eq!(client.create(&format!("{base}/{bad}"), b"", 0).err, -8);
    }
    client.created(&format!("{base}/\u{ffef}"), 0);
}

pub(super) fn ephemerals_by_prefix(_: &Servers, client: &mut Client, base: &str) {
    for name in ["ab", "abc", "b"] {
        client.created(&format!("{base}/{name}"), 1);
    }
    let request = GetEphemeralsRequest {
        prefix_path: Some(format!("{base}/ab").into()),
    };
    let reply = client.call(OpCode::GetEphemerals, &request);
    let found: GetEphemeralsResponse<'_> = reply.decode();
    assert_eq!(found.ephemerals.map(|paths| paths.len()), Some(2));
}

/// The order of the checks needs an ensemble; here the switch is off.
pub(super) fn reconfig(_: &Servers, client: &mut Client, _: &str) {
    let request = ReconfigRequest {
        joining_servers: None,
        leaving_servers: None,
        new_members: Some("server.1=h:1:2;3".into()),
        cur_config_id: 99,
    };
    assert_eq!(client.call(OpCode::Reconfig, &request).err, -123);
}

pub(super) fn quota_stats_node(_: &Servers, client: &mut Client, base: &str) {
    super::quota(client, base, "count=-1,bytes=-1");
    let stats = format!("/zookeeper/quota{base}/zookeeper_stats");
    let before = client.stat(&stats);
    client.create(&format!("{base}/n"), b"12345", 0);
    assert_eq!(
        client.data(&stats).as_deref(),
        Some(&b"count=2,bytes=5"[..])
    );
    let after = client.stat(&stats);
    assert_eq!((after.version, after.mzxid), (before.version, before.mzxid));
}

pub(super) fn ttl_with_other_flags(_: &Servers, client: &mut Client, base: &str) {
    let path = format!("{base}/n");
    for flags in [0, 1, 2, 3, 4] {
        for ttl in [-1, 1000] {
            let reply = client.call(OpCode::CreateTtl, &create_ttl(&path, flags, ttl));
            assert_eq!(reply.err, -8, "{flags} {ttl}");
        }
    }
    for ttl in [0, -1, 1 << 40] {
        let reply = client.call(OpCode::CreateTtl, &create_ttl(&path, 5, ttl));
        assert_eq!(reply.err, -8, "{ttl}");
    }
}

pub(super) fn empty_path(_: &Servers, client: &mut Client, _: &str) {
    assert_eq!(client.data("/"), client.data(""));
    assert_eq!(client.get("", true).err, 0);
    assert_eq!(client.set("", b"").err, -8);
    assert_eq!(client.set("/", b"root").err, 0);
    assert!(client.events.is_empty());
    assert_eq!(client.data("").as_deref(), Some(&b"root"[..]));
}

pub(super) fn ephemeral_container(_: &Servers, client: &mut Client, base: &str) {
    let path = format!("{base}/c");
    let reply = client.call(OpCode::CreateContainer, &create(&path, b"", 1));
    assert_eq!(reply.err, 0);
    assert_eq!(client.stat(&path).ephemeral_owner, 0);
    client.created(&format!("{path}/child"), 0);
    assert_eq!(client.call(OpCode::GetData, &get(&path, false)).err, 0);
}
