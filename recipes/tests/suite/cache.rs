use std::collections::BTreeMap;
use std::time::Duration;

use client::{Client, CreateOptions, Expected, WatcherType};
use recipes::{Cache, Change, Error};

use crate::common::{Proxy, World, connect, dropped_at, soon};

type Tree = BTreeMap<String, Vec<u8>>;

fn copy(cache: &Cache) -> Tree {
    let nodes = cache.nodes().iter();
    nodes
        .map(|(path, node)| (path.clone(), node.bytes().to_vec()))
        .collect()
}

async fn create(client: &Client, path: &str) -> i64 {
    let call = client.create(path, path, &CreateOptions::persistent());
    call.with_zxid().await.expect("new").1
}

async fn delete(client: &Client, path: &str) -> i64 {
    let call = client.delete(path, Expected::Any).with_zxid();
    call.await.expect("there").1
}

async fn next(cache: &mut Cache) -> Change {
    soon("a change", cache.next()).await.expect("a change")
}

async fn settled(cache: &mut Cache) -> i64 {
    soon("an exact copy", cache.settled()).await.expect("one")
}

/// All changes until the copy is exact, but for that.
async fn changes(cache: &mut Cache) -> Vec<Change> {
    let mut changes = Vec::new();
    loop {
        match next(cache).await {
            Change::Settled(_) => return changes,
            change => changes.push(change),
        }
    }
}

async fn no_watch_is_left(world: &World) {
    soon("no watch", async {
        while world.watch_count() != 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn as_deep_as_it_is_to_be() {
    let world = World::start();
    let client = world.client().await;
    let mut node = Cache::node(&client, "/a").await.expect("watched");
    let mut children = Cache::children(&client, "/a").await.expect("watched");
    let mut tree = Cache::tree(&client, "/a").await.expect("watched");
    for cache in [&mut node, &mut children, &mut tree] {
        settled(cache).await;
        assert!(cache.is_empty());
    }
    let paths = ["/a", "/a/b", "/a/b/c", "/a/d"];
    for path in paths {
        create(&client, path).await;
    }
    let created = |paths: &[&str]| -> Vec<Change> {
        let paths = paths.iter().map(|path| (*path).to_owned());
        paths.map(Change::Created).collect()
    };
    for (cache, seen) in [
        (&mut node, &["/a"][..]),
        (&mut children, &["/a", "/a/b", "/a/d"]),
        (&mut tree, &paths),
    ] {
        // Whether they come at once or one by one.
        let mut told = Vec::new();
        while told.len() < seen.len() {
            told.extend(changes(cache).await);
        }
        assert_eq!(told, created(seen));
        let known: Vec<&String> = cache.nodes().keys().collect();
        assert_eq!(known, seen);
    }
    client.set_data("/a/b", "new", 0).await.expect("there");
    assert_eq!(
        changes(&mut tree).await,
        [Change::Changed("/a/b".to_owned())]
    );
    let data = tree.get("/a/b").and_then(|node| node.text());
    assert_eq!(data, Some("new"));
    assert_eq!(
        changes(&mut children).await,
        [Change::Changed("/a/b".to_owned())]
    );
    // One of the same name is another one.
    delete(&client, "/a/d").await;
    create(&client, "/a/d").await;
    let mut told = Vec::new();
    while told.len() < 2 {
        told.extend(changes(&mut tree).await);
    }
    let again = [
        Change::Deleted("/a/d".to_owned()),
        Change::Created("/a/d".to_owned()),
    ];
    assert_eq!(told, again);
    drop((node, children, tree));
    no_watch_is_left(&world).await;
}

/// Whenever it says that the copy is exact at a zxid, it is what the writer had made by then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_settled_is_the_tree_of_that_zxid() {
    const WRITES: u64 = 1500;
    let world = World::start();
    let (reader, writer) = (world.client().await, world.client().await);
    let first = create(&writer, "/t").await;
    let mut cache = Cache::tree(&reader, "/t").await.expect("watched");
    let writes = tokio::spawn(async move {
        let mut now = Tree::from([("/t".to_owned(), b"/t".to_vec())]);
        let mut history = BTreeMap::from([(first, now.clone())]);
        let mut random = 7u64;
        for write in 0..WRITES {
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1);
            let path = match (random >> 33) % 12 {
                n @ 0..4 => format!("/t/{n}"),
                n => format!("/t/{}/{n}", n % 4),
            };
            let parent = &path[..path.rfind('/').expect("absolute")];
            let has_children = now.keys().any(|at| at.starts_with(&format!("{path}/")));
            let zxid = match now.contains_key(&path) {
                false if !now.contains_key(parent) => continue,
                false => {
                    now.insert(path.clone(), path.clone().into_bytes());
                    create(&writer, &path).await
                }
                true if has_children || write % 3 == 0 => {
                    let data = write.to_string();
                    now.insert(path.clone(), data.clone().into_bytes());
                    let call = writer.set_data(&path, data, Expected::Any).with_zxid();
                    call.await.expect("there").1
                }
                true => {
                    now.remove(&path);
                    delete(&writer, &path).await
                }
            };
            history.insert(zxid, now.clone());
            if write % 8 == 0 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
        history
    });
    let mut copies = Vec::new();
    while !writes.is_finished() {
        copies.push((settled_or_idle(&mut cache).await, copy(&cache)));
    }
    let history = writes.await.expect("no panic");
    let last = *history.keys().next_back().expect("writes");
    create(&reader, "/t/end").await;
    while cache.get("/t/end").is_none() {
        settled(&mut cache).await;
    }
    let mut exact = copy(&cache);
    exact.remove("/t/end");
    assert_eq!(exact, history[&last]);
    let mut checked = 0;
    for (zxid, copy) in copies {
        let Some(zxid) = zxid else { continue };
        let (_, expected) = history.range(..=zxid).next_back().expect("not before");
        assert_eq!(&copy, expected, "at {zxid}");
        checked += 1;
    }
    assert!(checked > 10, "{checked} times exact");
}

async fn settled_or_idle(cache: &mut Cache) -> Option<i64> {
    let patience = Duration::from_millis(100);
    let settled = tokio::time::timeout(patience, cache.settled()).await;
    settled.ok().map(|zxid| zxid.expect("a zxid"))
}

#[tokio::test]
async fn what_happens_without_a_connection_is_caught_up_with() {
    let world = World::start();
    let proxy = Proxy::to(world.server.address()).await;
    let (lone, other) = (connect(proxy.address).await, world.client().await);
    for path in ["/a", "/a/gone", "/a/gone/too", "/a/stays", "/a/changes"] {
        create(&other, path).await;
    }
    let mut cache = Cache::tree(&lone, "/a").await.expect("watched");
    let before = settled(&mut cache).await;
    proxy.cut();
    delete(&other, "/a/gone/too").await;
    delete(&other, "/a/gone").await;
    create(&other, "/a/new").await;
    let set = other.set_data("/a/changes", "x", Expected::Any);
    set.await.expect("there");
    assert_eq!(next(&mut cache).await, Change::Disconnected);
    proxy.mend();
    let mut told = changes(&mut cache).await;
    told.retain(|change| *change != Change::Disconnected);
    let path = |name: &str| format!("/a/{name}");
    for change in [
        Change::Deleted(path("gone/too")),
        Change::Deleted(path("gone")),
        Change::Created(path("new")),
        Change::Changed(path("changes")),
    ] {
        let at = told.iter().position(|told| *told == change);
        told.remove(at.unwrap_or_else(|| panic!("{change:?} not in {told:?}")));
    }
    assert_eq!(told, []);
    create(&other, "/a/later").await;
    assert_eq!(next(&mut cache).await, Change::Created(path("later")));
    assert!(settled(&mut cache).await > before);
}

#[tokio::test]
async fn a_dropped_call_loses_no_change() {
    let world = World::start();
    let client = world.client().await;
    create(&client, "/a").await;
    let mut cache = Cache::tree(&client, "/a").await.expect("watched");
    let mut told = Vec::new();
    for round in 0..30 {
        create(&client, &format!("/a/{round:02}")).await;
        for n in 0..3 {
            let patience = Duration::from_millis(5);
            let next = tokio::time::timeout(patience, dropped_at(n, cache.next())).await;
            if let Ok(Some(change)) = next {
                told.push(change.expect("a change"));
            }
        }
    }
    while cache.len() < 31 {
        told.push(next(&mut cache).await);
    }
    told.retain(|change| !matches!(change, Change::Settled(_)));
    assert_eq!(told.len(), 31, "each is told once: {told:?}");
    for n in 0..3 {
        drop(soon("an end", dropped_at(n, Cache::node(&client, "/b"))).await);
    }
    drop(cache);
    no_watch_is_left(&world).await;
}

#[tokio::test]
async fn it_ends_with_the_session_or_its_watch() {
    let world = World::start();
    let client = world.client().await;
    let mut cache = Cache::tree(&client, "/a").await.expect("watched");
    settled(&mut cache).await;
    let removed = client.remove_watches("/a", WatcherType::Any).await;
    removed.expect("there is one");
    let end = soon("an end", cache.next()).await;
    assert_eq!(end, Err(Error::Unwatched("/a".to_owned())));
    let mut cache = Cache::node(&client, "/a").await.expect("watched");
    settled(&mut cache).await;
    client.close().await.expect("closed");
    let end = soon("an end", cache.next()).await;
    assert!(end.expect_err("no session").is_session_end());
}
