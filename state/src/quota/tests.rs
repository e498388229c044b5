use jute::ErrorCode;

use super::*;
use crate::state::{Options, State};
use crate::tree::{NewChild, Tree};

#[test]
fn the_deepest_prefix_counts() {
    let mut quotas = Quotas::default();
    assert_eq!(quotas.find("/a/b"), None);
    quotas.on_limits_created("/a");
    quotas.on_limits_created("/a/b/c");
    quotas.set_usage("/a/b", Some(Usage::default()));
    let table = [
        ("/a", Some("/a")),
        ("/a/b", Some("/a")),
        ("/a/b/c", Some("/a/b/c")),
        ("/a/b/c/d/e", Some("/a/b/c")),
        ("/ab", None),
        ("/", None),
        ("", None),
        ("a", None),
    ];
    for (path, expected) in table {
        assert_eq!(quotas.find(path), expected, "{path}");
    }
    assert_eq!(quotas.prefixes().collect::<Vec<_>>(), ["/a", "/a/b/c"]);
    quotas.on_limits_deleted("/a/b/c");
    assert_eq!(quotas.find("/a/b/c/d"), Some("/a"));
}

#[test]
fn usage_outlives_the_limits_and_follows_changes() {
    let mut quotas = Quotas::default();
    quotas.on_limits_created("/a");
    assert_eq!(quotas.add("/a", 1, 1), None);
    quotas.set_usage(
        "/a",
        Some(Usage {
            count: 2,
            bytes: 10,
        }),
    );
    assert_eq!(
        quotas.add("/a", -1, 5),
        Some(Usage {
            count: 1,
            bytes: 15
        })
    );
    quotas.on_limits_deleted("/a");
    assert_eq!(
        quotas.usage("/a"),
        Some(Usage {
            count: 1,
            bytes: 15
        })
    );
    quotas.set_usage("/a", None);
    assert_eq!(quotas.usage("/a"), None);
    assert_eq!(quotas.find("/a"), None);
}

#[test]
fn quota_nodes_are_recognised_by_their_paths() {
    let table = [
        (
            "/zookeeper/quota/a/zookeeper_limits",
            Some(QuotaNode::Limits("/a")),
        ),
        (
            "/zookeeper/quota/a/b/zookeeper_stats",
            Some(QuotaNode::Stats("/a/b")),
        ),
        ("/zookeeper/quota/a/b", None),
        ("/zookeeper/quota/zookeeper_limits", None),
        ("/a/zookeeper_limits", None),
        ("/zookeeper/quota", None),
    ];
    for (path, expected) in table {
        assert_eq!(QuotaNode::of(path), expected, "{path}");
    }
    assert_eq!(
        QuotaNode::of(&limits_path("/a/b")),
        Some(QuotaNode::Limits("/a/b"))
    );
    assert_eq!(
        QuotaNode::of(&stats_path("/a/b")),
        Some(QuotaNode::Stats("/a/b"))
    );
}

/// A tree with limits on /a, and usage 2 nodes of 10 bytes.
fn limited(limits: &str) -> (Quotas, Tree) {
    let mut state = State::new(Options::default(), 1);
    let stat = Default::default();
    let nodes = [("/zookeeper/quota/a", ""), (&limits_path("/a"), limits)];
    for (path, data) in nodes {
        state.insert_node(&NewChild {
            path,
            data: Some(data.as_bytes()),
            acl: crate::acl::AclId::OPEN,
            stat: &stat,
        });
    }
    let mut quotas = Quotas::default();
    quotas.on_limits_created("/a");
    quotas.set_usage(
        "/a",
        Some(Usage {
            count: 2,
            bytes: 10,
        }),
    );
    (quotas, state.tree)
}

/// What a write at `path` would exceed, and whether it may be.
fn reports(
    quotas: &Quotas,
    tree: &Tree,
    path: &str,
    growth: (i64, i64),
) -> (Vec<String>, Result<(), ErrorCode>) {
    let mut reports = Vec::new();
    let checked = check(quotas, tree, path, growth, |exceeded| {
        reports.push(exceeded.to_string());
    });
    (reports, checked)
}

#[test]
fn only_hard_limits_refuse() {
    let exceeded = Err(ErrorCode::QuotaExceeded);
    let table = [
        ("count=1,bytes=1", 1, 100, Ok(())),
        ("count=1,bytes=1=;countHardLimit=3", 1, 100, Ok(())),
        ("count=1,bytes=1=;countHardLimit=2", 1, 0, exceeded),
        ("count=1,bytes=1=;countHardLimit=2", 0, 100, Ok(())),
        ("count=9,bytes=9=;byteHardLimit=20", 1, 10, Ok(())),
        ("count=9,bytes=9=;byteHardLimit=20", 1, 11, exceeded),
        ("count=9,bytes=9=;byteHardLimit=5", 1, 0, Ok(())),
        ("count=9,bytes=9=;byteHardLimit=5", 0, -1, exceeded),
        ("count=9,bytes=9=;byteHardLimit=-1", 0, 1000, Ok(())),
        ("count=9,bytes=9=;byteHardLimit=0", 0, 1, exceeded),
        ("junk", 0, 0, Err(ErrorCode::MarshallingError)),
    ];
    for (limits, count, bytes, expected) in table {
        let (quotas, tree) = limited(limits);
        let growth = (count, bytes);
        assert_eq!(
            reports(&quotas, &tree, "/a/x", growth).1,
            expected,
            "{limits}"
        );
        assert_eq!(reports(&quotas, &tree, "/b", growth), (vec![], Ok(())));
    }
}

#[test]
fn what_is_exceeded_is_reported_whether_it_is_refused_or_not() {
    let soft_count = "Quota exceeded: /a [current count=3, softCountLimit=2]";
    let soft_bytes = "Quota exceeded: /a [current bytes=15, softByteLimit=12]";
    let hard_count = "Quota exceeded: /a [current count=3, hardCountLimit=2]";
    let hard_bytes = "Quota exceeded: /a [current bytes=15, hardByteLimit=12]";
    let table = [
        ("count=3,bytes=15", vec![]),
        ("count=-1,bytes=-1", vec![]),
        ("count=2,bytes=12", vec![soft_count, soft_bytes]),
        ("count=2,bytes=12=;byteHardLimit=20", vec![soft_count]),
        (
            "count=2,bytes=-1=;byteHardLimit=12",
            vec![soft_count, hard_bytes],
        ),
        // What is refused is not looked at any further.
        ("count=-1,bytes=12=;countHardLimit=2", vec![hard_count]),
    ];
    for (limits, expected) in table {
        let (quotas, tree) = limited(limits);
        assert_eq!(
            reports(&quotas, &tree, "/a/x", (1, 5)).0,
            expected,
            "{limits}"
        );
    }
}

#[test]
fn without_stats_or_limits_nothing_is_refused() {
    let (mut quotas, tree) = limited("count=1,bytes=1=;countHardLimit=0");
    assert_eq!(
        reports(&quotas, &tree, "/a", (1, 0)).1,
        Err(ErrorCode::QuotaExceeded)
    );
    quotas.set_usage("/a", None);
    let nothing = (vec![], Ok(()));
    assert_eq!(reports(&quotas, &tree, "/a", (1, 0)), nothing);
    assert_eq!(reports(&quotas, &Tree::new(1), "/a", (1, 0)), nothing);
}
