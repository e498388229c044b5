//! Nodes that are kept.

use std::time::Duration;

use client::{Client, CreateOptions, ErrorCode, Expected};
use recipes::{Error, NodeKind, PersistentNode, PersistentTtlNode, TtlOptions};

use crate::common::{Proxy, World, connect, names, soon, until_count};

async fn text(client: &Client, path: &str) -> Option<String> {
    let node = client.get_data(path).await.ok()?;
    node.text().map(str::to_owned)
}

#[tokio::test]
async fn a_node_of_each_kind_is_made_anew_when_it_is_deleted() {
    let world = World::with_ttl();
    let (mine, other) = (world.client().await, world.client().await);
    let hour = Duration::from_secs(3600);
    for (kind, is_ephemeral, is_numbered) in [
        (NodeKind::Ephemeral, true, false),
        (NodeKind::EphemeralSequential, true, true),
        (NodeKind::Persistent, false, false),
        (NodeKind::PersistentSequential, false, true),
        (NodeKind::Ttl(hour), false, false),
        (NodeKind::TtlSequential(hour), false, true),
    ] {
        let node = PersistentNode::create(&mine, "/dir/node-", kind, "one").await;
        let node = node.expect("it is made");
        let path = node.path();
        if is_numbered {
            // As Curator's, with protection.
            let name = path.strip_prefix("/dir/_c_").expect("a UUID");
            let number = name[36..].strip_prefix("-node-").expect("its name");
            assert_eq!(number.len(), 10, "{path}");
        } else {
            assert_eq!(path, "/dir/node-");
        }
        node.set_data("two").await.expect("written");
        assert_eq!(text(&other, &path).await.as_deref(), Some("two"));
        for _ in 0..3 {
            let before = node.token();
            other.delete(&path, Expected::Any).await.expect("there");
            let after = soon("it is back", node.made_after(before)).await;
            assert!(after.expect("it is kept") > before, "{kind:?}");
            assert_eq!(node.path(), path, "the same name");
            let stat = other
                .exists(&path)
                .await
                .expect("an answer")
                .expect("there");
            assert_eq!(stat.czxid, node.token().0);
            let owner = if is_ephemeral { mine.session_id() } else { 0 };
            assert_eq!(stat.ephemeral_owner.max(0), owner.max(0), "{kind:?}");
            assert_eq!(text(&other, &path).await.as_deref(), Some("two"));
        }
        node.close().await.expect("deleted");
        assert_eq!(names(&other, "/dir").await, [""; 0], "{kind:?}");
    }
}

#[tokio::test]
async fn what_others_write_stays_until_the_next_data() {
    let world = World::start();
    let (mine, other) = (world.client().await, world.client().await);
    let node = PersistentNode::create(&mine, "/node", NodeKind::Persistent, "one").await;
    let node = node.expect("it is made");
    other
        .set_data("/node", "theirs", Expected::Any)
        .await
        .expect("there");
    node.set_data("two").await.expect("written");
    assert_eq!(text(&other, "/node").await.as_deref(), Some("two"));
    other
        .set_data("/node", "theirs", Expected::Any)
        .await
        .expect("there");
    drop(node);
    soon("deleted", async {
        while text(&other, "/node").await.is_some() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_lost_session_is_followed_by_another_one_with_the_node() {
    let world = World::start();
    let proxy = Proxy::to(world.server.address()).await;
    let (mine, other) = (connect(proxy.address).await, world.client().await);
    for kind in [NodeKind::Ephemeral, NodeKind::EphemeralSequential] {
        let node = PersistentNode::create(&mine, "/dir/node-", kind, "one").await;
        let node = node.expect("it is made");
        let (path, session, token) = (node.path(), node.client().session_id(), node.token());
        proxy.cut();
        until_count(&other, "/dir", 0).await;
        // Wanted meanwhile.
        let wanted = node.set_data("two");
        let back = async {
            proxy.mend();
            node.made_after(token).await
        };
        let (wanted, back) = tokio::join!(soon("written", wanted), soon("it is back", back));
        wanted.expect("written");
        back.expect("it is kept");
        assert_eq!(node.path(), path);
        assert_ne!(node.client().session_id(), session);
        assert_eq!(text(&other, &path).await.as_deref(), Some("two"));
        node.close().await.expect("deleted");
        until_count(&other, "/dir", 0).await;
        if kind == NodeKind::EphemeralSequential {
            return;
        }
        // The given client's session is over: another node begins with another session.
        let ended = PersistentNode::create(&mine, "/dir/node-", kind, "one").await;
        assert!(ended.is_ok_and(|node| node.client().session_id() != session));
        until_count(&other, "/dir", 0).await;
    }
}

#[tokio::test]
async fn an_ephemeral_of_another_session_is_taken_over_when_it_goes() {
    let world = World::start();
    let (mine, other) = (world.client().await, world.client().await);
    let theirs = PersistentNode::create(&other, "/node", NodeKind::Ephemeral, "theirs").await;
    let theirs = theirs.expect("it is made");
    let dropped = PersistentNode::create(&mine, "/node", NodeKind::Ephemeral, "x").await;
    dropped
        .expect("it is there")
        .close()
        .await
        .expect("it leaves theirs");
    let node = PersistentNode::create(&mine, "/node", NodeKind::Ephemeral, "mine").await;
    let node = node.expect("it is there");
    assert_eq!(node.token(), theirs.token());
    assert_eq!(text(&other, "/node").await.as_deref(), Some("mine"));
    let before = theirs.token();
    theirs.close().await.expect("deleted");
    soon("its own", node.made_after(before))
        .await
        .expect("it is kept");
    let stat = other
        .exists("/node")
        .await
        .expect("an answer")
        .expect("there");
    assert_eq!(stat.ephemeral_owner, mine.session_id());
}

#[tokio::test]
async fn what_the_server_refuses_is_told() {
    let world = World::start();
    let client = world.client().await;
    let refused = |path| PersistentNode::create(&client, path, NodeKind::Ephemeral, "");
    let error = refused("/zookeeper/x/")
        .await
        .expect_err("a path that is none");
    assert!(matches!(
        error,
        Error::Client(client::Error::InvalidPath { .. })
    ));
    let error = refused("relative").await.expect_err("a path that is none");
    assert!(matches!(
        error,
        Error::Client(client::Error::InvalidPath { .. })
    ));
    let ttl = NodeKind::Ttl(Duration::from_secs(1));
    let error = PersistentNode::create(&client, "/ttl", ttl, "").await;
    let error = error.expect_err("without extended types");
    let refusal = client::Error::Refused(ErrorCode::Unimplemented);
    assert_eq!(error, Error::Client(refusal));
    let node = PersistentNode::create(&client, "/node", NodeKind::Ephemeral, "").await;
    let node = node.expect("it is made");
    client.close().await.expect("closed");
    let end = soon("an end", node.made_after(node.token())).await;
    assert_eq!(end, Err(Error::Client(client::Error::Closed)));
    assert_eq!(
        node.set_data("x").await,
        Err(Error::Client(client::Error::Closed))
    );
    node.close().await.expect("nothing is left to delete");
}

/// Nodes are made once, whenever the connection breaks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_makes_no_second_node() {
    let world = World::start();
    let proxy = Proxy::to(world.server.address()).await;
    let (mine, other) = (connect(proxy.address).await, world.client().await);
    let persistent = CreateOptions::persistent();
    other.create("/dir", "", &persistent).await.expect("new");
    for round in 0..20 {
        let cuts = async {
            tokio::time::sleep(Duration::from_micros(round * 60)).await;
            proxy.cut();
            proxy.mend();
        };
        let kind = NodeKind::PersistentSequential;
        let create = PersistentNode::create(&mine, "/dir/n-", kind, "one");
        let (node, ()) = tokio::join!(soon("it is made", create), cuts);
        let node = node.expect("it is made");
        assert_eq!(names(&other, "/dir").await.len(), 1, "round {round}");
        let (written, ()) = tokio::join!(soon("written", node.set_data("two")), async {
            proxy.cut();
            proxy.mend();
        });
        written.expect("written");
        assert_eq!(text(&other, &node.path()).await.as_deref(), Some("two"));
        soon("deleted", node.close()).await.expect("deleted");
        assert_eq!(names(&other, "/dir").await, [""; 0]);
    }
}

/// A server looks for what has outlived its time once in a minute, and has no key in its file to do
/// so sooner: that both nodes do go is seen in the suite `recipes` of compat-tests.
#[tokio::test]
async fn a_ttl_node_has_a_child_that_is_written_as_long_as_it_is_kept() {
    const TTL_MS: i64 = 100;
    let world = World::with_ttl();
    let (mine, other) = (world.client().await, world.client().await);
    let stat = async |path: &str| other.exists(path).await.expect("an answer");
    let touched = async |path: &str| stat(path).await.map_or(-1, |stat| stat.version);
    let until_touched = async |path: &str| {
        let before = touched(path).await;
        while touched(path).await < before + 3 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let options = TtlOptions::new(Duration::from_millis(TTL_MS as u64));
    let node = PersistentTtlNode::create(&mine, "/shards/7", &options, "one").await;
    let node = node.expect("it is made");
    soon("touched", until_touched("/shards/7/touch")).await;
    let parent = stat("/shards/7").await.expect("there");
    assert_eq!(parent.version, 0, "nobody is told of it");
    node.set_data("two").await.expect("written");
    assert_eq!(text(&other, "/shards/7").await.as_deref(), Some("two"));

    // Deleted with its child, both come again.
    let made = node.token();
    let all = other.multi().delete("/shards/7/touch", Expected::Any);
    let all = all.delete("/shards/7", Expected::Any).commit().await;
    all.expect("both are there");
    let back = soon("it is back", node.made_after(made)).await;
    back.expect("it is kept");
    soon("touched", until_touched("/shards/7/touch")).await;
    assert_eq!(text(&other, "/shards/7").await.as_deref(), Some("two"));

    // Then only the time to live keeps them.
    drop(node);
    mine.close().await.expect("closed");
    let last = stat("/shards/7/touch").await.expect("there").mzxid;
    tokio::time::sleep(Duration::from_millis(3 * TTL_MS as u64)).await;
    assert_eq!(stat("/shards/7/touch").await.expect("there").mzxid, last);
    assert_eq!(text(&other, "/shards/7").await.as_deref(), Some("two"));
}

#[tokio::test]
async fn a_ttl_node_has_the_child_that_is_asked_for() {
    let world = World::with_ttl();
    let (mine, other) = (world.client().await, world.client().await);
    let options = TtlOptions::new(Duration::from_millis(200));
    let options = options.child("alive").touches(0);
    let node = PersistentTtlNode::create(&mine, "/shard", &options, "").await;
    let node = node.expect("it is made");
    until_count(&other, "/shard", 1).await;
    assert_eq!(names(&other, "/shard").await, ["alive"]);
    mine.close().await.expect("closed");
    let end = soon("an end", node.made_after(node.token())).await;
    assert_eq!(end, Err(Error::Client(client::Error::Closed)));
}
