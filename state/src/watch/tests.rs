use jute::data::Acl;
use jute::proto::WatcherType;

use super::recorder::Recorder;
use super::*;

const A: WatcherId = WatcherId(1);
const B: WatcherId = WatcherId(2);

fn node<'a>(path: &'a str, acl: &'a [Acl<'a>]) -> Changed<'a> {
    Changed { path, acl }
}

fn parent_path(path: &str) -> &str {
    match jute::path::split(path).expect("a slash").0 {
        "" => "/",
        parent => parent,
    }
}

/// Makes one change of a node with open ACLs, and says what was fired.
fn change(watches: &mut Watches, change: &str, path: &str) -> Vec<String> {
    let mut sink = Recorder::default();
    let open = [Acl::open()];
    let (changed, parent) = (node(path, &open), node(parent_path(path), &open));
    match change {
        "create" => watches.created(changed, parent, 7, &mut sink),
        "set" => watches.data_changed(changed, 7, &mut sink),
        "delete" => watches.deleted(changed, parent, 7, &mut sink),
        other => unreachable!("no change {other}"),
    }
    sink.take()
}

#[test]
fn what_each_change_fires_for_each_kind_of_watch() {
    use WatchKind::{Child, Data, Persistent, PersistentRecursive as Recursive};
    let none: &[&str] = &[];
    let table: &[(WatchKind, &str, &str, &str, &[&str])] = &[
        (Data, "/p/n", "create", "/p/n", &["1 NodeCreated /p/n @7"]),
        (Data, "/p/n", "set", "/p/n", &["1 NodeDataChanged /p/n @7"]),
        (Data, "/p/n", "delete", "/p/n", &["1 NodeDeleted /p/n @7"]),
        (Data, "/p", "create", "/p/n", none),
        (Data, "/p", "delete", "/p/n", none),
        (
            Child,
            "/p",
            "create",
            "/p/n",
            &["1 NodeChildrenChanged /p @7"],
        ),
        (
            Child,
            "/p",
            "delete",
            "/p/n",
            &["1 NodeChildrenChanged /p @7"],
        ),
        (Child, "/p", "set", "/p", none),
        (Child, "/p", "create", "/p/n/m", none),
        (Child, "/p", "delete", "/p", &["1 NodeDeleted /p @7"]),
        (Child, "/", "create", "/p", &["1 NodeChildrenChanged / @7"]),
        (
            Persistent,
            "/p",
            "create",
            "/p/n",
            &["1 NodeChildrenChanged /p @7"],
        ),
        (Persistent, "/p", "set", "/p", &["1 NodeDataChanged /p @7"]),
        (Persistent, "/p", "delete", "/p", &["1 NodeDeleted /p @7"]),
        (Persistent, "/p", "set", "/p/n", none),
        (Recursive, "/p", "create", "/p", &["1 NodeCreated /p @7"]),
        (
            Recursive,
            "/p",
            "create",
            "/p/n/m",
            &["1 NodeCreated /p/n/m @7"],
        ),
        (
            Recursive,
            "/p",
            "set",
            "/p/n",
            &["1 NodeDataChanged /p/n @7"],
        ),
        (
            Recursive,
            "/p",
            "delete",
            "/p/n",
            &["1 NodeDeleted /p/n @7"],
        ),
        (Recursive, "/p", "create", "/pp", none),
        (Recursive, "/", "create", "/p/n", &["1 NodeCreated /p/n @7"]),
        (Recursive, "/", "set", "/", &["1 NodeDataChanged / @7"]),
        (Recursive, "", "set", "/", none),
        (Data, "", "set", "/", none),
    ];
    for (kind, watched, verb, path, expected) in table {
        let mut watches = Watches::default();
        watches.add(A, watched, *kind);
        let fired = change(&mut watches, verb, path);
        assert_eq!(fired, *expected, "{kind:?} on {watched:?}: {verb} {path}");
        let standard = matches!(kind, Data | Child);
        let left = !standard || expected.is_empty();
        assert_eq!(watches.contains(A, watched, WatcherType::Any), left);
        assert_eq!(watches.count() > 0, left);
        assert_eq!(
            watches.paths.iter().count() > 0,
            left,
            "nothing stays behind"
        );
    }
}

#[test]
fn a_deletion_tells_data_watchers_then_child_watchers_then_the_parents() {
    let mut watches = Watches::default();
    watches.add(A, "/p/n", WatchKind::Child);
    watches.add(B, "/p/n", WatchKind::Data);
    watches.add(B, "/p/n", WatchKind::Child);
    watches.add(A, "/p", WatchKind::Child);
    let fired = change(&mut watches, "delete", "/p/n");
    let expected = [
        "2 NodeDeleted /p/n @7",
        "1 NodeDeleted /p/n @7",
        "1 NodeChildrenChanged /p @7",
    ];
    assert_eq!(fired, expected);
    assert_eq!(
        watches.count(),
        0,
        "all were used up, the second one of 2 too"
    );
}

#[test]
fn one_connection_is_told_once_however_many_of_its_watches_match() {
    let mut watches = Watches::default();
    watches.add(A, "/base/n", WatchKind::Data);
    watches.add(A, "/base/n", WatchKind::Persistent);
    watches.add(A, "/base", WatchKind::PersistentRecursive);
    watches.add(A, "/", WatchKind::PersistentRecursive);
    watches.add(B, "/", WatchKind::PersistentRecursive);
    let told = [
        "1 NodeDataChanged /base/n @7",
        "2 NodeDataChanged /base/n @7",
    ];
    for _ in 0..2 {
        assert_eq!(change(&mut watches, "set", "/base/n"), told);
        assert!(
            !watches.contains(A, "/base/n", WatcherType::Data),
            "used up"
        );
        assert!(watches.contains(A, "/base/n", WatcherType::Persistent));
    }
}

#[test]
fn a_recursive_and_a_child_watch_are_told_two_different_things() {
    let mut watches = Watches::default();
    watches.add(A, "/p", WatchKind::PersistentRecursive);
    watches.add(A, "/p", WatchKind::Child);
    let expected = ["1 NodeCreated /p/n @7", "1 NodeChildrenChanged /p @7"];
    assert_eq!(change(&mut watches, "create", "/p/n"), expected);
    assert_eq!(
        change(&mut watches, "create", "/p/m"),
        ["1 NodeCreated /p/m @7"]
    );
}

#[test]
fn an_event_is_withheld_without_read_but_the_watch_is_used_up() {
    let mut watches = Watches::default();
    let mut sink = Recorder::default();
    sink.strangers.push(A);
    let (open, closed) = ([Acl::open()], [Acl::new(31, "digest", "x:y")]);
    for watcher in [A, B] {
        watches.add(watcher, "/p/n", WatchKind::Data);
        watches.add(watcher, "/p", WatchKind::Child);
        watches.add(watcher, "/", WatchKind::PersistentRecursive);
    }
    watches.created(node("/p/n", &closed), node("/p", &open), 7, &mut sink);
    let expected = [
        "2 NodeCreated /p/n @7",
        "1 NodeChildrenChanged /p @7",
        "2 NodeChildrenChanged /p @7",
    ];
    assert_eq!(sink.take(), expected, "each by the list of its own node");
    assert!(!watches.contains(A, "/p/n", WatcherType::Any), "used up");
    assert!(watches.contains(A, "/", WatcherType::PersistentRecursive));
}

#[test]
fn removal_takes_what_its_type_says_and_nothing_else() {
    use WatcherType as T;
    let every = [T::Children, T::Data, T::Persistent, T::PersistentRecursive];
    let table: &[(T, &[T])] = &[
        (
            T::Children,
            &[T::Data, T::Persistent, T::PersistentRecursive],
        ),
        (
            T::Data,
            &[T::Children, T::Persistent, T::PersistentRecursive],
        ),
        (
            T::Persistent,
            &[T::Children, T::Data, T::PersistentRecursive],
        ),
        (
            T::PersistentRecursive,
            &[T::Children, T::Data, T::Persistent],
        ),
        (T::Any, &[]),
    ];
    for (kind, left) in table {
        let mut watches = Watches::default();
        for watcher in [A, B] {
            watches.add(watcher, "/a", WatchKind::Data);
            watches.add(watcher, "/a", WatchKind::Child);
            watches.add(watcher, "/a", WatchKind::Persistent);
            watches.add(watcher, "/a", WatchKind::PersistentRecursive);
        }
        assert!(!watches.remove(A, "/b", *kind), "nothing at that path");
        assert!(watches.remove(A, "/a", *kind));
        assert!(!watches.remove(A, "/a", *kind), "{kind:?} is gone");
        for other in every {
            assert_eq!(
                watches.contains(A, "/a", other),
                left.contains(&other),
                "{kind:?}"
            );
            assert!(watches.contains(B, "/a", other), "not the other one's");
        }
    }
}

#[test]
fn all_watches_of_a_connection_go_with_it() {
    let mut watches = Watches::default();
    for number in 0..1000 {
        watches.add(A, &format!("/a{number}"), WatchKind::Persistent);
        watches.add(A, "/shared", WatchKind::Data);
    }
    watches.add(A, "/", WatchKind::PersistentRecursive);
    watches.add(B, "/shared", WatchKind::Child);
    assert_eq!(watches.count(), 2003);
    // 1002 paths, the first of which is gone before the others.
    assert!(watches.remove_some(A, 1));
    for left in [701, 401, 101] {
        assert!(watches.remove_some(A, 300));
        let listed = watches.of_watcher.get(&A).map(PathSet::len);
        assert_eq!(listed, Some(left));
    }
    // A step between two others meets changes, and what they leave.
    change(&mut watches, "set", "/shared");
    assert!(!watches.remove_some(A, 300));
    watches.remove_watcher(A);
    assert_eq!(watches.count(), 1);
    assert_eq!(
        watches.counts,
        Counts {
            data: 0,
            child: 1,
            recursive: 0
        }
    );
    assert_eq!(watches.paths.iter().count(), 1);
    watches.remove_watcher(B);
    assert_eq!(
        (watches.paths.iter().count(), watches.of_watcher.len()),
        (0, 0)
    );
}

#[test]
fn listings_show_data_watches_sorted() {
    let mut watches = Watches::default();
    for path in ["/c", "/a", "/b"] {
        watches.add(B, path, WatchKind::Data);
    }
    watches.add(A, "/b", WatchKind::PersistentRecursive);
    watches.add(A, "/child-only", WatchKind::Child);
    watches.add(WatcherId(3), "/child-only", WatchKind::Child);
    assert_eq!(
        watches.by_watcher(),
        [(A, vec!["/b"]), (B, vec!["/a", "/b", "/c"])]
    );
    let by_path = [("/a", vec![B]), ("/b", vec![A, B]), ("/c", vec![B])];
    assert_eq!(watches.by_path(), by_path);
    let summary = WatchSummary {
        connections: 2,
        paths: 3,
        watches: 4,
    };
    assert_eq!(watches.summary(), summary);
    assert_eq!(watches.count(), 6);
}

/// Against a plain list of (watcher, path, kind).
#[test]
fn agrees_with_a_plain_list_under_random_changes() {
    use WatchKind::{Child, Data, Persistent, PersistentRecursive};
    let paths = ["/", "/a", "/a/b", "/a/b/c", "/d"];
    let mut state = 1_u64;
    let mut below = |bound: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % bound
    };
    let mut watches = Watches::default();
    let mut model: Vec<(WatcherId, &str, WatchKind)> = Vec::new();
    for _ in 0..5000 {
        let (watcher, path) = (WatcherId(below(5)), paths[below(5) as usize]);
        match below(8) {
            0..=3 => {
                let kind = [Data, Child, Persistent, PersistentRecursive][below(4) as usize];
                watches.add(watcher, path, kind);
                if !model.contains(&(watcher, path, kind)) {
                    model.push((watcher, path, kind));
                }
            }
            4..=6 => {
                let at = |other: &str| other == path;
                let above = |other: &str| {
                    other == "/" || path.strip_prefix(other).is_some_and(|r| r.starts_with('/'))
                };
                let matches = |(_, other, kind): &&(WatcherId, &str, WatchKind)| match kind {
                    Data | Persistent => at(other),
                    PersistentRecursive => at(other) || above(other),
                    Child => false,
                };
                let mut told: Vec<u64> = model.iter().filter(matches).map(|w| w.0.0).collect();
                told.sort_unstable();
                told.dedup();
                let told = told
                    .iter()
                    .map(|w| format!("{w} NodeDataChanged {path} @7"));
                let fired = change(&mut watches, "set", path);
                assert_eq!(fired, told.collect::<Vec<_>>());
                model.retain(|(_, other, kind)| !(at(other) && *kind == Data));
            }
            _ => {
                while watches.remove_some(watcher, 2) {}
                model.retain(|(other, _, _)| *other != watcher);
            }
        }
    }
}
