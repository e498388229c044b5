//! Each operation against a real server.

mod common;

use std::time::Duration;

use client::EventType::{NodeChildrenChanged, NodeCreated, NodeDataChanged, NodeDeleted};
use client::{
    Acl, AddWatchMode, Client, CreateOptions, Error, ErrorCode, Expected, Notice, Payload,
    ReadResult, WatchEnd, WatcherType, WriteResult, acl, perms,
};
use common::{Server, connected, made, soon};

#[tokio::test]
async fn nodes_come_change_and_go() {
    let (_server, client) = connected(|plain| plain).await;
    let persistent = CreateOptions::persistent();
    let created = client.create("/a", "one", &persistent).await.expect("new");
    assert_eq!(created.path, "/a");
    let stat = created.stat.expect("asked for");
    assert_eq!((stat.version, stat.data_length), (0, 3));
    let again = client.create("/a", "", &persistent).await;
    assert_eq!(again, Err(Error::Refused(ErrorCode::NodeExists)));

    let set = client.set_data("/a", b"two!", 0).await.expect("version 0");
    assert_eq!(set.version, 1);
    let stale = client.set_data("/a", "", 0).await.expect_err("version 1");
    assert_eq!(stale.code(), Some(ErrorCode::BadVersion));
    assert!(!stale.may_have_happened());
    let data = client.get_data("/a").await.expect("data");
    assert_eq!((data.text(), data.stat), (Some("two!"), set));

    client
        .set_data("/a", Payload::null(), Expected::Any)
        .await
        .expect("any version");
    assert_eq!(client.get_data("/a").await.expect("data").data, None);
    client
        .set_data("/a", "", Expected::Any)
        .await
        .expect("any version");
    assert_eq!(
        client.get_data("/a").await.expect("data").data,
        Some(Vec::new())
    );

    made(&client, "/a/b", "").await;
    assert_eq!(client.get_children("/a").await, Ok(vec!["b".to_owned()]));
    let (names, stat) = client.get_children_and_stat("/a").await.expect("names");
    assert_eq!((names.len(), stat.num_children), (1, 1));
    assert_eq!(client.get_all_children_number("/a").await, Ok(1));
    let full = client.delete("/a", Expected::Any).await;
    assert_eq!(full, Err(Error::Refused(ErrorCode::NotEmpty)));
    client.delete("/a/b", 0).await.expect("deleted");
    client.delete("/a", Expected::Any).await.expect("deleted");
    assert_eq!(client.exists("/a").await, Ok(None));
    client.sync("/").await.expect("synced");
    client.close().await.expect("closed");
    assert_eq!(client.exists("/a").await, Err(Error::Closed));
}

#[tokio::test]
async fn kinds_of_nodes() {
    let (server, client) = connected(|plain| plain).await;
    let create = async |path: &str, options: CreateOptions| {
        client.create(path, "", &options).await.expect("new")
    };
    let ephemeral = create("/e", CreateOptions::ephemeral()).await;
    let owner = ephemeral.stat.expect("asked for").ephemeral_owner;
    assert_eq!(owner, client.session_id());
    let numbered = CreateOptions::ephemeral().sequential();
    assert_eq!(create("/n-", numbered.clone()).await.path, "/n-0000000001");
    assert_eq!(create("/", numbered).await.path, "/0000000002");
    create("/c", CreateOptions::container()).await;
    create("/t", CreateOptions::ttl(Duration::from_secs(60))).await;
    let plain = create("/p", CreateOptions::persistent().without_stat()).await;
    assert_eq!(plain.stat, None);
    let mut mine = client.get_ephemerals("/").await.expect("paths");
    mine.sort();
    assert_eq!(mine, ["/0000000002", "/e", "/n-0000000001"]);
    let forever = CreateOptions::ttl(Duration::ZERO);
    assert_eq!(
        client.create("/z", "", &forever).await,
        Err(Error::InvalidTtl)
    );
    client.close().await.expect("closed");
    let other = server.client().await;
    assert_eq!(other.exists("/e").await, Ok(None));
}

#[tokio::test]
async fn lists_and_identities() {
    let (server, client) = connected(|plain| plain).await;
    client.add_auth("digest", "bob:pw").await.expect("accepted");
    let mine = CreateOptions::persistent().acl(acl::creator_all());
    client.create("/mine", "secret", &mine).await.expect("new");
    let (list, stat) = client.get_acl("/mine").await.expect("a list");
    assert_eq!(
        list,
        [Acl::new(
            perms::ALL,
            "digest",
            "bob:ikIaKsbtGweaHnb/jKn7OHqbunM="
        )]
    );
    let users = client.who_am_i().await.expect("a list");
    assert!(
        users
            .iter()
            .any(|one| one.scheme == "digest" && one.user == "bob")
    );

    let stranger = server.client().await;
    let refused = stranger.get_data("/mine").await;
    assert_eq!(refused, Err(Error::Refused(ErrorCode::NoAuth)));
    let set = client
        .set_acl("/mine", acl::read_open(), stat.aversion)
        .await;
    assert_eq!(set.expect("version 0").aversion, 1);
    assert_eq!(
        stranger.get_data("/mine").await.expect("open").text(),
        Some("secret")
    );

    let bob = server.builder().auth("digest", "bob:pw").connect().await;
    assert!(bob.is_ok());
    let nobody = server.builder().auth("nonsense", "x").connect().await;
    assert_eq!(
        nobody.expect_err("refused").code(),
        Some(ErrorCode::AuthFailed)
    );
}

#[tokio::test]
async fn multi_happens_as_a_whole() {
    let (_server, client) = connected(|plain| plain).await;
    let persistent = CreateOptions::persistent();
    let all = client
        .multi()
        .create("/m", "1", &persistent)
        .set_data("/m", "2", 0)
        .check("/m", 1)
        .create("/m/n-", "", &CreateOptions::persistent().sequential())
        .delete("/m/n-0000000000", 0)
        .commit();
    let results = all.await.expect("all of it");
    assert!(matches!(&results[0], WriteResult::Created(node) if node.path == "/m"));
    assert!(matches!(results[1], WriteResult::Set(stat) if stat.version == 1));
    assert_eq!(results[2], WriteResult::Checked);
    assert!(matches!(&results[3], WriteResult::Created(node) if node.path == "/m/n-0000000000"));
    assert_eq!(results[4], WriteResult::Deleted);

    let none = client
        .multi()
        .set_data("/m", "3", Expected::Any)
        .check("/m", 7)
        .delete("/gone", Expected::Any)
        .commit();
    let failed = none.await.expect_err("version 1");
    let (index, code) = (1, ErrorCode::BadVersion);
    assert_eq!(failed, Error::MultiFailed { index, code });
    assert!(!failed.may_have_happened());
    assert_eq!(client.get_data("/m").await.expect("data").text(), Some("2"));

    let bad = client.multi().check("/m", 1).delete("nonsense", 1).commit();
    assert!(matches!(bad.await, Err(Error::InvalidPath { .. })));
    assert_eq!(client.multi().commit().await, Ok(Vec::new()));

    let read = client
        .multi_read()
        .get_data("/m")
        .get_children("/gone")
        .get_children("/m");
    let read = read.commit().await.expect("an answer");
    assert!(matches!(&read[0], Ok(ReadResult::Data(data)) if data.text() == Some("2")));
    assert_eq!(read[1], Err(Error::Refused(ErrorCode::NoNode)));
    assert_eq!(read[2], Ok(ReadResult::Children(Vec::new())));
}

#[tokio::test]
async fn a_part_of_the_tree_is_seen_as_the_whole() {
    let server = Server::start().await;
    let whole = server.client().await;
    let persistent = CreateOptions::persistent();
    made(&whole, "/app", "root").await;
    let address = format!("{}/app", server.at(server.address));
    let app = Client::builder(address).connect().await.expect("a session");
    assert_eq!(app.get_data("/").await.expect("data").text(), Some("root"));
    let mut watcher = app
        .add_watch("/", AddWatchMode::PersistentRecursive)
        .await
        .expect("set");
    let (_, created) = app.exists_and_watch("/x").await.expect("no node");
    let numbered = CreateOptions::ephemeral().sequential();
    let node = app.create("/", "", &numbered).await.expect("new");
    assert_eq!(node.path, "/0000000000");
    assert!(
        whole
            .exists("/app/0000000000")
            .await
            .expect("an answer")
            .is_some()
    );
    let results = app
        .multi()
        .create("/x", "", &persistent)
        .commit()
        .await
        .expect("new");
    assert!(matches!(&results[0], WriteResult::Created(node) if node.path == "/x"));
    let event = soon(created).await.expect("an event");
    assert_eq!((event.kind, event.path.as_str()), (NodeCreated, "/x"));
    assert_eq!(event.zxid.is_none(), server.is_old());
    for path in ["/0000000000", "/x"] {
        let Ok(Notice::Event(event)) = soon(watcher.next()).await else {
            panic!("no event");
        };
        assert_eq!((event.kind, event.path.as_str()), (NodeCreated, path));
    }
    // A neighbour whose name begins alike is not ours.
    assert_eq!(
        app.get_ephemerals("/").await,
        Ok(vec!["/0000000000".to_owned()])
    );
    let deeper = app.chroot("/x").expect("a path");
    made(&deeper, "/y", "").await;
    assert!(whole.exists("/app/x/y").await.expect("an answer").is_some());
    assert_eq!(deeper.session_id(), app.session_id());
}

#[tokio::test]
async fn standard_watches_tell_once() {
    let (server, client) = connected(|plain| plain).await;
    let other = server.client().await;
    let persistent = CreateOptions::persistent();
    let (none, created) = client.exists_and_watch("/w").await.expect("an answer");
    assert_eq!(none, None);
    let node = other.create("/w", "", &persistent).await.expect("new");
    let event = soon(created).await.expect("an event");
    assert_eq!((event.kind, event.path.as_str()), (NodeCreated, "/w"));
    let czxid = node.stat.map(|stat| stat.czxid);
    assert_eq!(event.zxid, czxid.filter(|_| !server.is_old()));

    let (_, changed) = client.get_data_and_watch("/w").await.expect("data");
    let (_, changed_too) = client.get_data_and_watch("/w").await.expect("data");
    let (_, _, child) = client.get_children_and_watch("/w").await.expect("names");
    other
        .set_data("/w", "x", Expected::Any)
        .await
        .expect("written");
    assert_eq!(soon(changed).await.expect("an event").kind, NodeDataChanged);
    assert_eq!(
        soon(changed_too).await.expect("an event").kind,
        NodeDataChanged
    );
    made(&other, "/w/c", "").await;
    assert_eq!(
        soon(child).await.expect("an event").kind,
        NodeChildrenChanged
    );
    // A read that fails sets none.
    let failed = client.get_data_and_watch("/none").await.map(|_| ());
    assert_eq!(failed, Err(Error::Refused(ErrorCode::NoNode)));
    assert_eq!(
        client.check_watches("/none", WatcherType::Data).await,
        Ok(false)
    );
}

#[tokio::test]
async fn dropping_the_last_watcher_removes_the_watch() {
    let (server, client) = connected(|plain| plain).await;
    made(&client, "/d", "").await;
    let known = async |kind| client.check_watches("/d", kind).await.expect("an answer");
    let (_, first) = client.get_data_and_watch("/d").await.expect("data");
    let (_, second) = client.exists_and_watch("/d").await.expect("a node");
    drop(first);
    assert!(known(WatcherType::Data).await);
    drop(second);
    assert!(!known(WatcherType::Data).await);

    let modes = [
        (AddWatchMode::Persistent, WatcherType::Persistent),
        (
            AddWatchMode::PersistentRecursive,
            WatcherType::PersistentRecursive,
        ),
    ];
    for (mode, kind) in modes {
        // Older servers cannot tell the kinds apart.
        let kind = if server.is_old() {
            WatcherType::Any
        } else {
            kind
        };
        let first = client.add_watch("/d", mode).await.expect("set");
        let second = client.add_watch("/d", mode).await.expect("set");
        drop(first);
        assert!(known(kind).await);
        // One that is on its way counts as well, and so does one whose call is dropped.
        let third = client.add_watch("/d", mode);
        drop(second);
        drop(third.await.expect("set"));
        // Older servers are asked a second time, to remove all that is at the path.
        common::until("the watch is gone", || async { !known(kind).await }).await;
        drop(client.add_watch("/d", mode));
        common::until("the watch is gone", || async { !known(kind).await }).await;
    }
}

#[tokio::test]
async fn watches_end_with_a_reason() {
    let (_server, client) = connected(|plain| plain).await;
    made(&client, "/r", "").await;
    let mut persistent = client
        .add_watch("/r", AddWatchMode::Persistent)
        .await
        .expect("set");
    let (_, data) = client.get_data_and_watch("/r").await.expect("data");
    let (_, _, children) = client.get_children_and_watch("/r").await.expect("names");
    client
        .remove_watches("/r", WatcherType::Data)
        .await
        .expect("removed");
    assert_eq!(soon(data).await, Err(WatchEnd::Removed));
    let none = client.remove_watches("/r", WatcherType::Data).await;
    assert_eq!(none, Err(Error::Refused(ErrorCode::NoWatcher)));
    client.delete("/r", Expected::Any).await.expect("deleted");
    assert_eq!(soon(children).await.expect("an event").kind, NodeDeleted);
    assert!(matches!(
        soon(persistent.next()).await,
        Ok(Notice::Event(_))
    ));
    client.close().await.expect("closed");
    for _ in 0..2 {
        assert_eq!(soon(persistent.next()).await, Err(WatchEnd::Closed));
    }
}

#[tokio::test]
async fn a_slow_reader_is_told_what_it_missed() {
    let (_server, client) = connected(|plain| plain.watch_buffer(3)).await;
    made(&client, "/s", "").await;
    let mut watcher = client
        .add_watch("/s", AddWatchMode::Persistent)
        .await
        .expect("set");
    for _ in 0..10 {
        client
            .set_data("/s", "", Expected::Any)
            .await
            .expect("written");
    }
    for _ in 0..3 {
        assert!(matches!(watcher.next().await, Ok(Notice::Event(_))));
    }
    assert_eq!(watcher.next().await, Ok(Notice::Lost(7)));
    client
        .set_data("/s", "", Expected::Any)
        .await
        .expect("written");
    assert!(matches!(soon(watcher.next()).await, Ok(Notice::Event(_))));
}

#[tokio::test]
async fn the_configuration_of_a_server_alone_is_empty() {
    let server = Server::start().await;
    let client = server.client().await.chroot("/anywhere").expect("a path");
    assert_eq!(client.get_config().await.expect("a node").bytes(), b"");
    let change = client::Reconfig {
        leaving: Some("1".to_owned()),
        ..client::Reconfig::default()
    };
    let refused = client.reconfig(&change).await;
    assert_eq!(refused, Err(Error::Refused(ErrorCode::ReconfigDisabled)));
}

#[tokio::test]
async fn nobody_is_there() {
    let started = Client::builder("127.0.0.1:1")
        .session_timeout(Duration::from_secs(1))
        .connect()
        .await;
    let failed = started.expect_err("nobody listens");
    assert!(
        matches!(&failed, Error::Unreachable(why) if why.contains("127.0.0.1:1")),
        "{failed}"
    );
    assert!(!failed.may_have_happened());
    let nonsense = Client::connect("host:port").await;
    assert!(matches!(nonsense, Err(Error::ConnectString(_))));
}
