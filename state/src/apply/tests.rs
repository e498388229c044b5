//! Each kind of transaction, its effects on Stats, its events and its reply.

mod fuzzy;
mod quotas;

use jute::data::{Acl, Stat, perms};
use jute::proto::{ErrorResponse, MultiHeader, WatcherType};
use jute::txn::{CheckVersionTxn, LogEntry, SubTxn, Txn, TxnDigest, TxnHeader};
use jute::wire::Encode;
use jute::{ErrorCode, OpCode};

use super::history::*;
use super::*;
use crate::watch::recorder::Recorder;
use crate::watch::{WatchKind, WatcherId};

const WATCHER: WatcherId = WatcherId(1);

fn stat(history: &History, path: &str) -> Stat {
    let id = history.state.tree.lookup(path).expect("the node");
    history.state.client_stat(id)
}

fn failed(code: ErrorCode) -> Outcome<'static> {
    Outcome::Failed(code.as_i32())
}

#[test]
fn a_create_starts_a_stat_and_counts_at_the_parent_only() {
    let mut history = History::new();
    let before = stat(&history, "/");
    assert_eq!(
        before.cversion, -1,
        "/zookeeper was never counted as created"
    );
    history.run(create_session(4000));
    let outcome = history.create("/a", Some(b"xyz"));
    let expected = Stat {
        czxid: 2,
        mzxid: 2,
        pzxid: 2,
        ctime: 1002,
        mtime: 1002,
        data_length: 3,
        ..Stat::default()
    };
    let Outcome::Created { op, path, stat: of } = outcome else {
        panic!("not created: {outcome:?}");
    };
    assert_eq!((op, &*path, of), (OpCode::Create, "/a", expected));
    let parent = stat(&history, "/");
    let expected = Stat {
        cversion: 0,
        num_children: 2,
        pzxid: 2,
        ..before
    };
    assert_eq!(parent, expected);
}

#[test]
fn a_delete_moves_the_parents_pzxid_and_visible_cversion() {
    let mut history = History::new();
    history.create("/a", None);
    history.create("/a/b", None);
    assert_eq!(history.run(delete("/a/b")), Outcome::Deleted);
    let a = stat(&history, "/a");
    assert_eq!((a.pzxid, a.cversion, a.num_children), (3, 2, 0));
    assert_eq!((a.mzxid, a.mtime, a.version), (1, 1001, 0));
}

#[test]
fn set_data_and_set_acl_touch_their_own_fields() {
    let mut history = History::new();
    history.create("/a", Some(b"1"));
    let before = stat(&history, "/a");
    let outcome = history.run(set_data("/a", None, 1));
    let expected = Stat {
        mzxid: 2,
        mtime: 1002,
        version: 1,
        data_length: 0,
        ..before
    };
    assert_eq!(outcome, Outcome::DataSet(expected));
    let list = Acl::new(perms::READ, "world", "anyone");
    let outcome = history.run(set_acl("/a", list.clone(), 1));
    let expected = Stat {
        aversion: 1,
        ..expected
    };
    assert_eq!(outcome, Outcome::AclSet(expected));
    let id = history.state.tree.lookup("/a").expect("the node");
    assert_eq!(history.state.acl_of(id).expect("a list")[..], [list]);
    let outcome = history.run(set_data("/", Some(b"r"), 1));
    assert_eq!(outcome, Outcome::DataSet(stat(&history, "/")));
}

#[test]
fn owners_decide_which_set_a_node_is_in() {
    let mut history = History::new();
    history.run_as(7, create_session(4000));
    history.run_as(7, Txn::Create2(create_txn("/e", None, true, 1)));
    history.run(create_container("/c", 2));
    history.run(create_ttl("/t", 3, 500));
    assert_eq!(
        history.run(create_ttl("/bad", 4, 0)),
        failed(ErrorCode::BadArguments)
    );
    let state = &history.state;
    let find = |path| state.tree.lookup(path).expect("the node");
    assert_eq!(state.ephemerals_of(7).collect::<Vec<_>>(), [find("/e")]);
    assert_eq!(state.containers().collect::<Vec<_>>(), [find("/c")]);
    assert_eq!(state.ttl_nodes().collect::<Vec<_>>(), [find("/t")]);
    let owners = ["/e", "/c", "/t"].map(|path| stat(&history, path).ephemeral_owner);
    assert_eq!(owners, [7, 0, 0], "only sessions are shown");
}

#[test]
fn closing_a_session_deletes_the_list_in_order_then_what_is_left() {
    let mut history = History::new();
    history.run_as(7, create_session(4000));
    for (at, path) in ["/a", "/b", "/c", "/d"].into_iter().enumerate() {
        history.run_as(7, Txn::Create(create_txn(path, None, true, at as i32 + 1)));
    }
    for path in ["/a", "/b", "/c", "/d"] {
        history.state.watches().add(WATCHER, path, WatchKind::Data);
    }
    let outcome = history.run_as(7, close_session(&["/c", "/gone", "/a"]));
    assert_eq!(outcome, Outcome::SessionClosed);
    let deleted = ["/c", "/a", "/b", "/d"].map(|path| format!("1 NodeDeleted {path} @6"));
    assert_eq!(history.sink.take(), deleted);
    assert_eq!(history.state.ephemeral_count(), 0);
    assert!(history.state.sessions.is_empty());

    history.run_as(8, create_session(4000));
    history.run_as(8, Txn::Create(create_txn("/x", None, true, 5)));
    assert_eq!(
        history.run_as(8, Txn::CloseSession(None)),
        Outcome::SessionClosed
    );
    assert!(
        history.state.tree.lookup("/x").is_none(),
        "without a list all goes"
    );
}

/// No prep makes such a history, but a damaged or foreign log may hold it.
#[test]
fn an_ephemeral_below_another_one_goes_with_it_when_the_session_is_closed() {
    let mut history = History::new();
    history.run_as(7, create_session(4000));
    for (path, parent_cversion) in [("/a", 1), ("/a/b", 1)] {
        history.run_as(
            7,
            Txn::Create(create_txn(path, None, true, parent_cversion)),
        );
    }
    let closed = history.run_as(7, Txn::CloseSession(None));
    assert_eq!(closed, Outcome::SessionClosed);
    assert_eq!(history.state.ephemeral_count(), 0);
    assert!(history.state.tree.lookup("/a").is_none());
}

#[test]
fn the_configuration_needs_its_parent_only() {
    for (deleted, stands) in [("/zookeeper/config", true), ("/zookeeper", false)] {
        let mut history = History::new();
        history.run(delete(deleted));
        let state = &mut history.state;
        assert_eq!(state.tree.lookup("/zookeeper/config"), None);
        state.set_config(b"version=7", Zxid(7), 0, &mut NoEvents);
        let node = state.tree.lookup("/zookeeper/config");
        let text = node.and_then(|id| state.tree.data(id));
        assert_eq!(text, stands.then_some(&b"version=7"[..]), "{deleted}");
    }
}

#[test]
fn events_come_in_the_order_of_the_protocol_with_the_zxid() {
    let mut history = History::new();
    history.create("/p", None);
    let arm = |history: &History| {
        let mut watches = history.state.watches();
        for (path, kind) in [
            ("/p", WatchKind::Child),
            ("/p/n", WatchKind::Data),
            ("/p/n", WatchKind::Child),
        ] {
            watches.add(WATCHER, path, kind);
        }
    };
    arm(&history);
    history.create("/p/n", None);
    let created = ["1 NodeCreated /p/n @2", "1 NodeChildrenChanged /p @2"];
    assert_eq!(history.sink.take(), created);
    arm(&history);
    history.set("/p/n", None);
    assert_eq!(history.sink.take(), ["1 NodeDataChanged /p/n @3"]);
    arm(&history);
    history.run(set_acl("/p/n", Acl::open(), 1));
    history.run(error(ErrorCode::NoNode));
    assert_eq!(history.sink.take(), [""; 0]);
    history.run(delete("/p/n"));
    let deleted = ["1 NodeDeleted /p/n @6", "1 NodeChildrenChanged /p @6"];
    assert_eq!(history.sink.take(), deleted, "told once, of two watches");
    history.state.watches().add(WATCHER, "/", WatchKind::Child);
    history.create("/q", None);
    assert_eq!(history.sink.take(), ["1 NodeChildrenChanged / @7"]);
}

#[test]
fn events_are_filtered_by_the_list_before_the_deletion() {
    let mut history = History::new();
    history.sink.strangers.push(WATCHER);
    history.create("/a", None);
    let secret = Acl::new(perms::ALL, "digest", "x:y");
    history.run(set_acl("/a", secret, 1));
    let watch = |history: &History, path| {
        history.state.watches().add(WATCHER, path, WatchKind::Data);
    };
    watch(&history, "/a");
    history.set("/a", None);
    assert!(
        !history
            .state
            .watches()
            .contains(WATCHER, "/a", WatcherType::Any)
    );
    watch(&history, "/a");
    history.run(delete("/a"));
    assert_eq!(history.sink.take(), [""; 0]);
    watch(&history, "/a");
    history.create("/a", None);
    assert_eq!(history.sink.take(), ["1 NodeCreated /a @5"]);
}

#[test]
fn a_multi_fires_by_operation_and_answers_each() {
    let mut history = History::new();
    history
        .state
        .watches()
        .add(WATCHER, "/", WatchKind::PersistentRecursive);
    let parts = [
        create("/a", Some(b"1"), 1),
        Txn::Create2(create_txn("/b", None, false, 2)),
        create_container("/c", 3),
        set_data("/a", Some(b"22"), 1),
        Txn::Check(CheckVersionTxn {
            path: Some("/a".into()),
            version: 2,
        }),
        delete("/a"),
    ];
    let outcome = with_multi(&parts, |multi| history.run(multi));
    let events = history.sink.take();
    let expected = [
        "1 NodeCreated /a @1",
        "1 NodeCreated /b @1",
        "1 NodeCreated /c @1",
        "1 NodeDataChanged /a @1",
        "1 NodeDeleted /a @1",
    ];
    assert_eq!(events, expected);
    let (b, c) = (stat(&history, "/b"), stat(&history, "/c"));
    let Outcome::Multi(results) = &outcome else {
        panic!("not a multi: {outcome:?}");
    };
    let Outcome::DataSet(a) = results[3] else {
        panic!("no Stat: {results:?}");
    };
    assert_eq!(
        (a.version, a.data_length),
        (1, 2),
        "as it was in the middle"
    );
    let mut expected = Vec::new();
    let result = |op: OpCode, record: &[&dyn Encode], out: &mut Vec<u8>| {
        MultiHeader::result(op).encode(out);
        record.iter().for_each(|field| field.encode(out));
    };
    let path = |path: &'static str| Cow::<'static, str>::Borrowed(path);
    result(OpCode::Create, &[&path("/a")], &mut expected);
    result(OpCode::Create2, &[&path("/b"), &b], &mut expected);
    result(OpCode::Create2, &[&path("/c"), &c], &mut expected);
    result(OpCode::SetData, &[&a], &mut expected);
    result(OpCode::Check, &[], &mut expected);
    result(OpCode::Delete, &[], &mut expected);
    MultiHeader::END.encode(&mut expected);
    assert_eq!(reply(outcome), (0, expected));
    let root = stat(&history, "/");
    assert_eq!((root.pzxid, root.num_children), (1, 3));
}

#[test]
fn a_failed_multi_changes_nothing_and_says_so_in_its_body() {
    let mut history = History::new();
    let before = dump(&history.state);
    let parts = [
        create("/a", None, 1),
        error(ErrorCode::BadVersion),
        error(ErrorCode::RuntimeInconsistency),
    ];
    let outcome = with_multi(&parts, |multi| history.run(multi));
    let after = dump(&history.state);
    assert_eq!(after[..after.len() - 1], before[..before.len() - 1]);
    let mut expected = Vec::new();
    for err in [0, -103, -2] {
        let header = MultiHeader {
            kind: -1,
            done: false,
            err,
        };
        header.encode(&mut expected);
        ErrorResponse { err }.encode(&mut expected);
    }
    MultiHeader::END.encode(&mut expected);
    assert_eq!(reply(outcome), (0, expected));
}

#[test]
fn a_broken_part_of_a_multi_is_found_before_anything_changes() {
    let mut history = History::new();
    let before = dump(&history.state);
    let mut good = Vec::new();
    create("/a", None, 1).encode(&mut good);
    for (kind, data) in [(1, &b"\0"[..]), (14, b"\0\0\0\0"), (99, b"")] {
        let entry = LogEntry {
            header: TxnHeader {
                client_id: 1,
                cxid: 1,
                zxid: 1,
                time: 1,
                kind: 14,
            },
            txn: Txn::Multi(vec![
                SubTxn {
                    kind: 1,
                    data: &good,
                },
                SubTxn { kind, data },
            ]),
            digest: None,
        };
        assert!(
            history
                .state
                .apply(entry, &mut Recorder::default())
                .is_err()
        );
        assert_eq!(dump(&history.state), before, "type {kind}");
    }
}

#[test]
fn replies_have_the_form_of_their_request() {
    let mut history = History::new();
    let text = Cow::Borrowed("/a");
    let outcome = history.create("/a", None);
    let mut path_only = Vec::new();
    text.encode(&mut path_only);
    assert_eq!(reply(outcome), (0, path_only.clone()));
    history.run(delete("/a"));
    let kinds: [Txn<'_>; 3] = [
        Txn::Create2(create_txn("/a", None, false, 2)),
        create_container("/a", 3),
        create_ttl("/a", 4, 10),
    ];
    for txn in kinds {
        let op = txn.op();
        let outcome = history.run(txn);
        let mut expected = path_only.clone();
        stat(&history, "/a").encode(&mut expected);
        assert_eq!(reply(outcome), (0, expected), "{op:?}");
        assert_eq!(reply(history.run(delete("/a"))), (0, vec![]));
    }
    let outcome = history.run(error(ErrorCode::NoAuth));
    assert_eq!(reply(outcome), (-102, vec![]));
}

fn reply(outcome: Outcome<'_>) -> (i32, Vec<u8>) {
    let applied = Applied {
        zxid: jute::Zxid(1),
        session: 1,
        cxid: 1,
        outcome,
        digest_mismatch: None,
    };
    let mut out = Vec::new();
    applied.encode_reply(&mut out);
    (applied.err(), out)
}

#[test]
fn the_counter_of_creates_stays_where_it_overflowed() {
    let mut history = History::new();
    history.create("/p", None);
    history.run(create("/p/a", None, i32::MAX));
    let before = stat(&history, "/p");
    history.run(create("/p/b", None, i32::MIN));
    let after = stat(&history, "/p");
    assert_eq!(after.pzxid, before.pzxid);
    assert_eq!(after.cversion, before.cversion - 1, "one child more");
    let id = history.state.tree.lookup("/p").expect("the node");
    assert_eq!(history.state.tree.stat(id).cversion, i32::MAX);
}

#[test]
fn what_no_server_writes_fails_without_effect() {
    let mut history = History::new();
    history.create("/a", None);
    let table = [
        (create("/no/parent", None, 1), ErrorCode::NoNode),
        (create("no-slash", None, 1), ErrorCode::BadArguments),
        (create("/a/", None, 1), ErrorCode::BadArguments),
        (create("/", None, 1), ErrorCode::BadArguments),
        (create("//a", None, 1), ErrorCode::BadArguments),
        (create("//a/b", None, 1), ErrorCode::NoNode),
        (delete("/"), ErrorCode::BadArguments),
        (delete("/a/"), ErrorCode::BadArguments),
        (delete("//a"), ErrorCode::BadArguments),
        (delete(""), ErrorCode::BadArguments),
        (delete("/a/b/c"), ErrorCode::NoNode),
        (set_data("/b", None, 1), ErrorCode::NoNode),
        (set_data("//a", None, 1), ErrorCode::NoNode),
        (set_acl("/b", Acl::open(), 1), ErrorCode::NoNode),
        (
            Txn::Delete(jute::txn::DeleteTxn { path: None }),
            ErrorCode::BadArguments,
        ),
    ];
    let (nodes, digest) = (history.state.tree.len(), history.state.tree.digest());
    for (txn, code) in table {
        let shown = format!("{txn:?}");
        assert_eq!(history.run(txn), failed(code), "{shown}");
        if code == ErrorCode::BadArguments {
            // A missing node moves its parent's pzxid all the same.
            assert_eq!(history.state.tree.digest(), digest, "{shown}");
        }
    }
    history.run(close_session(&["//a", "/a/"]));
    assert_eq!(history.state.tree.len(), nodes);
}

#[test]
fn a_wrong_digest_is_reported_and_not_fatal() {
    let mut history = History::new();
    let entry = |zxid, version, tree_digest| LogEntry {
        header: TxnHeader {
            client_id: 1,
            cxid: 1,
            zxid,
            time: 1,
            kind: OpCode::CreateSession.as_i32(),
        },
        txn: create_session(1),
        digest: Some(TxnDigest {
            version,
            tree_digest,
        }),
    };
    let actual = history.state.tree.digest();
    let table = [
        (2, actual as i64, None),
        (2, 5, Some(5)),
        (1, 5, None),
        (2, actual as i64, None),
    ];
    for (zxid, (version, digest, wrong)) in (1..).zip(table) {
        let applied = history
            .state
            .apply(entry(zxid, version, digest), &mut history.sink);
        let mismatch = applied.expect("well-formed").digest_mismatch;
        assert_eq!(mismatch.map(|mismatch| mismatch.expected), wrong);
    }
    assert_eq!(history.state.digest_check().mismatches(), 1);
    let mut unchecked = State::new(crate::Options::default(), 1);
    let applied = unchecked.apply(entry(1, 2, 5), &mut history.sink);
    assert_eq!(applied.expect("well-formed").digest_mismatch, None);
}

#[test]
#[should_panic(expected = "transaction 1 after 1")]
fn a_transaction_out_of_order_is_a_broken_invariant() {
    let mut history = History::new();
    history.create("/a", None);
    let bytes = history.log[0].clone();
    let entry = LogEntry::from_bytes(&bytes, history.state.options.limits).expect("an entry");
    let applied = history.state.apply(entry, &mut history.sink);
    drop(applied);
}
