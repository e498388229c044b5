//! Stats nodes keep up with the tree, in place.

use super::*;

const LIMITS: &str = "/zookeeper/quota/q/zookeeper_limits";
const STATS: &str = "/zookeeper/quota/q/zookeeper_stats";

/// `/q` with 5 bytes and a quota on it.
fn with_quota() -> History {
    let mut history = History::new();
    history.create("/q", Some(b"12345"));
    history.create("/zookeeper/quota/q", None);
    history.create(LIMITS, Some(b"count=10,bytes=100"));
    history.create(STATS, Some(b"count=0,bytes=0"));
    history
}

#[test]
fn usage_follows_every_change_below_the_prefix() {
    let mut history = with_quota();
    type Step<'a> = (&'a str, &'a dyn Fn(&mut History), &'a str);
    let steps: [Step<'_>; 7] = [
        ("at the start", &|_| (), "count=1,bytes=5"),
        (
            "create",
            &|h| drop(h.create("/q/a", Some(b"123"))),
            "count=2,bytes=8",
        ),
        (
            "create deeper",
            &|h| drop(h.create("/q/a/b", None)),
            "count=3,bytes=8",
        ),
        (
            "set",
            &|h| drop(h.set("/q/a", Some(b"1"))),
            "count=3,bytes=6",
        ),
        (
            "outside",
            &|h| drop(h.create("/qq", Some(b"1"))),
            "count=3,bytes=6",
        ),
        (
            "delete",
            &|h| drop(h.run(delete("/q/a/b"))),
            "count=2,bytes=6",
        ),
        (
            "set the node itself",
            &|h| drop(h.set("/q", None)),
            "count=2,bytes=1",
        ),
    ];
    let before = stat(&history, STATS);
    history
        .state
        .watches()
        .add(WATCHER, STATS, WatchKind::Persistent);
    for (what, step, expected) in steps {
        step(&mut history);
        assert_eq!(history.text(STATS), expected, "{what}");
    }
    let after = stat(&history, STATS);
    let same = Stat {
        data_length: after.data_length,
        ..before
    };
    assert_eq!(after, same);
    assert_eq!(history.sink.take(), [""; 0]);
}

#[test]
fn without_limits_or_stats_nothing_is_counted() {
    let mut history = with_quota();
    history.run(delete(LIMITS));
    history.create("/q/a", None);
    assert_eq!(history.text(STATS), "count=1,bytes=5");
    history.run(delete(STATS));
    history.create(LIMITS, Some(b"count=1"));
    history.create("/q/b", None);
    history.create(STATS, None);
    assert_eq!(history.text(STATS), "count=3,bytes=5", "counted anew");
}

#[test]
fn a_client_may_overwrite_the_stats() {
    let mut history = with_quota();
    history.set(STATS, Some(b"count=40,bytes=50"));
    history.create("/q/a", Some(b"1"));
    assert_eq!(history.text(STATS), "count=41,bytes=51");
    history.set(STATS, Some(b"rubbish"));
    history.create("/q/b", Some(b"1"));
    assert_eq!(history.text(STATS), "rubbish");
}
