//! Each read's checks in their order, its reply and the watch it sets.

use jute::data::{Acl, perms};
use jute::proto::*;
use jute::txn::Txn;
use jute::wire::{Decode, Encode, Limits, Reader};
use jute::{ErrorCode, Ustring};

use super::*;
use crate::apply::history::{
    History, create, create_session, create_txn, delete, set_acl, with_multi,
};
use crate::watch::recorder::Recorder;
use crate::watch::{WatchKind, WatcherId};

const ME: WatcherId = WatcherId(1);
const SESSION: i64 = 0x10;

/// `/open`, `/open/kid`, `/closed` that only `digest:a:h` may read, and `/admin` that it
/// may administer but not read.
fn history() -> History {
    let mut history = History::new();
    history.run_as(SESSION, create_session(4000));
    history.create("/open", Some(b"data"));
    history.create("/open/kid", None);
    history.create("/closed", Some(b""));
    history.create("/admin", None);
    let digest = |perms| Acl::new(perms, "digest", "a:h");
    history.run(set_acl("/closed", digest(perms::READ), 1));
    history.run(set_acl("/admin", digest(perms::ADMIN), 1));
    history
}

type Answer = Result<Vec<u8>, ErrorCode>;

/// Asks with these identities besides the address.
fn ask_as(
    history: &History,
    ids: &[(&'static str, &'static str)],
    op: OpCode,
    request: &dyn Encode,
) -> (Answer, Vec<String>) {
    let mut identities = vec![Id::new("ip", "10.0.0.1")];
    identities.extend(ids.iter().map(|(scheme, id)| Id::new(*scheme, *id)));
    let auth = AuthConfig::default();
    let context = ReadContext {
        session: SESSION,
        watcher: ME,
        identities: &identities,
        auth: &auth,
    };
    let (mut body, mut out, mut sink) = (Vec::new(), Vec::new(), Recorder::default());
    request.encode(&mut body);
    let result = history.state.read(&context, op, &body, &mut out, &mut sink);
    (result.map(|()| out), sink.take())
}

fn ask(history: &History, op: OpCode, request: &dyn Encode) -> Answer {
    ask_as(history, &[], op, request).0
}

fn text(path: &str) -> Ustring<'_> {
    Some(path.into())
}

/// The request that exists, getData, getChildren and getChildren2 share.
fn watched(path: &str, watch: bool) -> GetDataRequest<'_> {
    GetDataRequest {
        path: text(path),
        watch,
    }
}

fn has(history: &History, path: &str, kind: WatcherType) -> bool {
    history.state.watches().contains(ME, path, kind)
}

fn stat(history: &History, path: &str) -> jute::data::Stat {
    let id = history.state.tree.lookup(path).expect("the node");
    history.state.client_stat(id)
}

fn encoded(fields: &[&dyn Encode]) -> Vec<u8> {
    let mut out = Vec::new();
    fields.iter().for_each(|field| field.encode(&mut out));
    out
}

#[test]
fn errors_come_in_the_order_of_the_checks_and_decide_on_the_watch() {
    use ErrorCode::{BadArguments, MarshallingError, NoAuth, NoNode};
    use OpCode::{Exists, GetChildren, GetChildren2, GetData};
    use WatcherType::{Children, Data};
    let table: &[(OpCode, &str, Option<ErrorCode>, Option<WatcherType>)] = &[
        (Exists, "/open", None, Some(Data)),
        (Exists, "/none", Some(NoNode), Some(Data)),
        (Exists, "/closed", Some(NoAuth), None),
        (Exists, "/a\0", Some(BadArguments), None),
        (Exists, "no slash", Some(NoNode), Some(Data)),
        (GetData, "/open", None, Some(Data)),
        (GetData, "", None, Some(Data)),
        (GetData, "/none", Some(NoNode), None),
        (GetData, "/closed", Some(NoAuth), None),
        (GetData, "/a\0", Some(NoNode), None),
        (GetChildren, "/open", None, Some(Children)),
        (GetChildren, "/none", Some(NoNode), None),
        (GetChildren, "/closed", Some(NoAuth), None),
        (GetChildren2, "/open", None, Some(Children)),
        (GetChildren2, "/none", Some(NoNode), None),
    ];
    for (op, path, error, watch) in table {
        let history = history();
        assert_eq!(
            ask(&history, *op, &watched(path, false)).err(),
            *error,
            "{op:?} {path:?}"
        );
        assert_eq!(history.state.watches().count(), 0, "none was asked for");
        assert_eq!(ask(&history, *op, &watched(path, true)).err(), *error);
        let kinds = [Data, Children].into_iter();
        let set = kinds
            .filter(|kind| has(&history, path, *kind))
            .collect::<Vec<_>>();
        assert_eq!(set, Vec::from_iter(*watch), "{op:?} {path:?}");
        let null = GetDataRequest {
            path: None,
            watch: true,
        };
        assert_eq!(ask(&history, *op, &null), Err(MarshallingError));
        assert_eq!(ask(&history, *op, &0), Err(MarshallingError), "cut short");
    }
}

#[test]
fn nodes_are_read_with_their_stat() {
    let history = history();
    let of = |path| stat(&history, path);
    let data = Some(&b"data"[..]);
    let kids: &[Ustring<'_>] = &[text("kid")];
    let table: Vec<(OpCode, &str, Vec<u8>)> = vec![
        (OpCode::Exists, "/open", encoded(&[&of("/open")])),
        (OpCode::GetData, "/open", encoded(&[&data, &of("/open")])),
        (
            OpCode::GetData,
            "/open/kid",
            encoded(&[&None::<&[u8]>, &of("/open/kid")]),
        ),
        (OpCode::GetData, "", encoded(&[&Some(&b""[..]), &of("/")])),
        (
            OpCode::GetChildren,
            "/open",
            encoded(&[&Some(kids.to_vec())]),
        ),
        (OpCode::GetChildren, "/open/kid", encoded(&[&0])),
        (
            OpCode::GetChildren2,
            "/open",
            encoded(&[&Some(kids.to_vec()), &of("/open")]),
        ),
    ];
    for (op, path, expected) in table {
        assert_eq!(
            ask(&history, op, &watched(path, false)),
            Ok(expected),
            "{op:?} {path:?}"
        );
    }
    let answer = ask(&history, OpCode::GetChildren, &watched("/", false)).expect("names");
    let mut reader = Reader::new(&answer, Limits::default());
    let names = GetChildrenResponse::decode(&mut reader)
        .expect("a list")
        .children;
    let mut names = names.expect("not null");
    names.sort();
    assert_eq!(names, ["admin", "closed", "open", "zookeeper"].map(text));
}

#[test]
fn super_reads_everything_and_the_named_what_they_may() {
    let history = history();
    type Case<'a> = (
        &'a [(&'static str, &'static str)],
        &'a str,
        Option<ErrorCode>,
    );
    let table: &[Case<'_>] = &[
        (&[], "/closed", Some(ErrorCode::NoAuth)),
        (&[("digest", "a:other")], "/closed", Some(ErrorCode::NoAuth)),
        (&[("digest", "a:h")], "/closed", None),
        (&[("digest", "a:h")], "/admin", Some(ErrorCode::NoAuth)),
        (&[("super", "")], "/admin", None),
    ];
    for (ids, path, error) in table {
        let (answer, _) = ask_as(&history, ids, OpCode::GetData, &watched(path, false));
        assert_eq!(answer.err(), *error, "{ids:?} {path}");
    }
}

#[test]
fn digests_are_masked_for_readers_and_shown_to_administrators() {
    let mut history = history();
    let lists = [
        ("/closed", perms::READ, "a:x"),
        ("/admin", perms::ADMIN, "a:h"),
    ];
    for (path, perms, id) in lists {
        let request = GetAclRequest { path: text(path) };
        assert_eq!(
            ask(&history, OpCode::GetAcl, &request),
            Err(ErrorCode::NoAuth)
        );
        let (answer, _) = ask_as(&history, &[("digest", "a:h")], OpCode::GetAcl, &request);
        let list = Some(vec![Acl::new(perms, "digest", id)]);
        assert_eq!(
            answer,
            Ok(encoded(&[&list, &stat(&history, path)])),
            "{path}"
        );
    }
    let request = GetAclRequest {
        path: text("/open"),
    };
    let open = Some(vec![Acl::open()]);
    let expected = encoded(&[&open, &stat(&history, "/open")]);
    assert_eq!(ask(&history, OpCode::GetAcl, &request), Ok(expected));
    history.run(delete("/closed"));
    let request = GetAclRequest {
        path: text("/closed"),
    };
    assert_eq!(
        ask(&history, OpCode::GetAcl, &request),
        Err(ErrorCode::NoNode)
    );
}

#[test]
fn descendants_are_counted_without_the_node() {
    let history = history();
    let count = |path| {
        let request = GetAllChildrenNumberRequest { path: text(path) };
        ask(&history, OpCode::GetAllChildrenNumber, &request)
    };
    assert_eq!(count("/"), Ok(encoded(&[&7])));
    assert_eq!(count("/open"), Ok(encoded(&[&1])));
    assert_eq!(count("/open/kid"), Ok(encoded(&[&0])));
    assert_eq!(count("/closed"), Err(ErrorCode::NoAuth));
    assert_eq!(count("/none"), Err(ErrorCode::NoNode));
}

#[test]
fn ephemerals_are_found_by_a_prefix_of_their_text() {
    let mut history = history();
    for (session, path) in [(SESSION, "/abc"), (SESSION, "/open/e"), (9, "/other")] {
        let cversion = history.next_cversion(path);
        history.run_as(session, Txn::Create(create_txn(path, None, true, cversion)));
    }
    let all = &["/abc", "/open/e"][..];
    let table: &[(Option<&str>, &[&str])] = &[
        (None, all),
        (Some(""), all),
        (Some(" \t"), all),
        (Some("/"), all),
        (Some(" / "), all),
        (Some("/ab"), &["/abc"]),
        (Some("/open"), &["/open/e"]),
        (Some("/other"), &[]),
    ];
    for (prefix, expected) in table {
        let request = GetEphemeralsRequest {
            prefix_path: prefix.map(Into::into),
        };
        let paths: Vec<Ustring<'_>> = expected.iter().map(|path| text(path)).collect();
        let answer = ask(&history, OpCode::GetEphemerals, &request);
        assert_eq!(answer, Ok(encoded(&[&Some(paths)])), "{prefix:?}");
    }
}

#[test]
fn a_multi_read_answers_each_for_itself_and_sets_no_watch() {
    let history = history();
    let request = MultiReadRequest {
        ops: vec![
            MultiReadOp::GetData(watched("/none", true)),
            MultiReadOp::GetData(watched("/open", true)),
            MultiReadOp::GetChildren(GetChildrenRequest {
                path: text("/open"),
                watch: true,
            }),
            MultiReadOp::GetData(watched("/closed", true)),
        ],
    };
    let failure = |err| {
        let header = MultiHeader {
            kind: -1,
            done: false,
            err,
        };
        encoded(&[&header, &ErrorResponse { err }])
    };
    let data = encoded(&[
        &MultiHeader::result(OpCode::GetData),
        &Some(&b"data"[..]),
        &stat(&history, "/open"),
    ]);
    let children = encoded(&[
        &MultiHeader::result(OpCode::GetChildren),
        &Some(vec![text("kid")]),
    ]);
    let end = encoded(&[&MultiHeader::END]);
    let expected = [failure(-101), data, children, failure(-102), end].concat();
    assert_eq!(ask(&history, OpCode::MultiRead, &request), Ok(expected));
    assert_eq!(history.state.watches().count(), 0);
    let none = MultiReadRequest { ops: vec![] };
    let end = encoded(&[&MultiHeader::END]);
    assert_eq!(ask(&history, OpCode::MultiRead, &none), Ok(end));
    let write = MultiRequest {
        ops: vec![MultiOp::Delete(DeleteRequest {
            path: text("/open"),
            version: -1,
        })],
    };
    let answer = ask(&history, OpCode::MultiRead, &write);
    assert_eq!(answer, Err(ErrorCode::MarshallingError));
}

#[test]
fn sync_echoes_and_who_am_i_names_without_secrets() {
    let history = history();
    for path in [text("/none"), text(""), None] {
        let request = SyncRequest { path: path.clone() };
        assert_eq!(ask(&history, OpCode::Sync, &request), Ok(encoded(&[&path])));
    }
    let ids = [("digest", "bob:secret"), ("super", "")];
    let (answer, _) = ask_as(&history, &ids, OpCode::WhoAmI, &NoBody);
    let info = |scheme, user| ClientInfo {
        auth_scheme: text(scheme),
        user: text(user),
    };
    let expected = vec![
        info("ip", "10.0.0.1"),
        info("digest", "bob"),
        info("super", ""),
    ];
    assert_eq!(answer, Ok(encoded(&[&Some(expected)])));
}

/// The request of whoAmI.
struct NoBody;

impl Encode for NoBody {
    fn encode(&self, _: &mut Vec<u8>) {}
}

#[test]
fn add_watch_answers_a_zero_and_knows_two_modes() {
    let history = history();
    let add = |path, mode| {
        let path = text(path);
        ask(&history, OpCode::AddWatch, &AddWatchRequest { path, mode })
    };
    assert_eq!(add("/closed", 0), Ok(vec![0; 4]));
    assert_eq!(add("not even a path", 1), Ok(vec![0; 4]));
    for mode in [-1, 2] {
        assert_eq!(add("/open", mode), Err(ErrorCode::MarshallingError));
    }
    assert!(has(&history, "/closed", WatcherType::Persistent));
    assert!(has(
        &history,
        "not even a path",
        WatcherType::PersistentRecursive
    ));
    assert_eq!(
        history.state.watches().count(),
        3,
        "a persistent one stands in both tables"
    );
}

#[test]
fn watches_are_tested_and_removed_by_type() {
    let history = history();
    let with = |op, path, watcher_type| {
        let path = text(path);
        ask(&history, op, &CheckWatchesRequest { path, watcher_type })
    };
    use OpCode::{CheckWatches, RemoveWatches};
    history.state.watches().add(ME, "/open", WatchKind::Data);
    history
        .state
        .watches()
        .add(WatcherId(2), "/closed", WatchKind::Data);
    assert_eq!(with(CheckWatches, "/open", 2), Ok(vec![]));
    assert_eq!(
        with(CheckWatches, "/open", 2),
        Ok(vec![]),
        "it is still there"
    );
    assert_eq!(with(CheckWatches, "/open", 1), Err(ErrorCode::NoWatcher));
    assert_eq!(
        with(RemoveWatches, "/closed", 2),
        Err(ErrorCode::NoWatcher),
        "not mine"
    );
    assert_eq!(with(RemoveWatches, "/open", 3), Ok(vec![]));
    assert_eq!(with(RemoveWatches, "/open", 3), Err(ErrorCode::NoWatcher));
    for kind in [0, 6, -1] {
        assert_eq!(
            with(RemoveWatches, "/open", kind),
            Err(ErrorCode::MarshallingError)
        );
    }
}

/// `/old` from before the client left, `/new` since, and `/old/kid` since.
fn gap() -> (History, i64) {
    let mut history = History::new();
    history.create("/old", None);
    history.create("/same", None);
    let relative_zxid = history.state.last_zxid.0;
    history.create("/new", None);
    history.create("/old/kid", None);
    (history, relative_zxid)
}

fn paths<'a>(list: &[&'a str]) -> Option<Vec<Ustring<'a>>> {
    Some(list.iter().map(|path| text(path)).collect())
}

#[test]
fn set_watches_sends_what_was_missed_and_arms_the_rest() {
    let (history, relative_zxid) = gap();
    let request = SetWatches2 {
        relative_zxid,
        data_watches: paths(&["/old", "/new", "/gone"]),
        exist_watches: paths(&["/old", "/gone2"]),
        child_watches: paths(&["/old", "/same", "/gone"]),
        persistent_watches: paths(&["/p", "/old"]),
        persistent_recursive_watches: paths(&["/r"]),
    };
    let (answer, events) = ask_as(&history, &[], OpCode::SetWatches2, &request);
    assert_eq!(answer, Ok(vec![]));
    let expected = [
        "1 NodeDataChanged /new @-1",
        "1 NodeDeleted /gone @-1",
        "1 NodeCreated /old @-1",
        "1 NodeChildrenChanged /old @-1",
        "1 NodeDeleted /gone @-1",
    ];
    assert_eq!(events, expected);
    use WatcherType::{Any, Children, Data, Persistent, PersistentRecursive};
    for (path, kind, armed) in [
        ("/old", Data, true),
        ("/new", Any, false),
        ("/gone", Any, false),
        ("/gone2", Data, true),
        ("/old", Children, false),
        ("/same", Children, true),
        ("/p", Persistent, true),
        ("/old", Persistent, true),
        ("/r", PersistentRecursive, true),
    ] {
        assert_eq!(has(&history, path, kind), armed, "{path} {kind:?}");
    }
}

#[test]
fn the_older_set_watches_has_three_lists_and_none_may_be_null() {
    let (history, relative_zxid) = gap();
    let full = SetWatches {
        relative_zxid,
        data_watches: paths(&["/new"]),
        exist_watches: paths(&[]),
        child_watches: paths(&["/same"]),
    };
    let mut null_list = full.clone();
    null_list.child_watches = None;
    let mut null_path = full.clone();
    null_path.child_watches = Some(vec![None]);
    for request in [null_list, null_path] {
        let (answer, events) = ask_as(&history, &[], OpCode::SetWatches, &request);
        assert_eq!(answer, Err(ErrorCode::MarshallingError));
        // The lists before it have been dealt with.
        assert_eq!(events, ["1 NodeDataChanged /new @-1"]);
        assert_eq!(history.state.watches().count(), 0);
    }
    let (answer, events) = ask_as(&history, &[], OpCode::SetWatches, &full);
    assert_eq!(
        (answer, events),
        (Ok(vec![]), vec!["1 NodeDataChanged /new @-1".to_owned()])
    );
    assert!(has(&history, "/same", WatcherType::Children));
}

#[test]
fn a_watch_set_by_a_read_fires_on_the_next_change() {
    let mut history = history();
    ask(&history, OpCode::Exists, &watched("/later", true)).expect_err("not there");
    ask(&history, OpCode::GetChildren, &watched("/", true)).expect("names");
    let cversion = history.next_cversion("/later");
    with_multi(&[create("/later", None, cversion)], |multi| {
        history.run(multi)
    });
    let expected = ["1 NodeCreated /later @8", "1 NodeChildrenChanged / @8"];
    assert_eq!(history.sink.take(), expected);
}

#[test]
fn writes_are_not_reads() {
    let history = history();
    for op in [
        OpCode::Create,
        OpCode::Multi,
        OpCode::CloseSession,
        OpCode::Ping,
    ] {
        assert_eq!(
            ask(&history, op, &watched("/open", false)),
            Err(ErrorCode::Unimplemented)
        );
    }
}
