//! Futures that are dropped wherever they wait.

use client::Client;
use recipes::{
    Discovery, DistributedQueue, DownPolicy, Group, LeaderLatch, LeaderSelector, LockingQueue,
    MultiMutex, Mutex, NodeKind, Party, PersistentNode, PersistentTtlNode, QueueOptions,
    ReentrantMutex, RwLock, Semaphore, ServiceInstance, SetPartitioner, ShallowParty, SimpleQueue,
    Strategy, TtlOptions,
};

use crate::common::{World, dropped_at, names, soon, until_count};

/// A recipe's future may not wait more often than this.
const AWAITS_MAX: usize = 200;

/// Drops what `make` makes at its first await, its second, and so on, until one comes to its
/// end. Afterwards, each time, so many nodes are left in the directories.
async fn drop_everywhere<T>(
    client: &Client,
    left: &[(&str, usize)],
    mut make: impl AsyncFnMut() -> T,
) {
    for n in 0..AWAITS_MAX {
        let ended = soon("an end", dropped_at(n, make())).await;
        let is_over = ended.is_some();
        drop(ended);
        for (path, count) in left {
            until_count(client, path, *count).await;
        }
        if is_over {
            assert!(n >= 2, "it waits for a node and a look at least");
            return;
        }
    }
    panic!("it waits more than {AWAITS_MAX} times");
}

/// The same of something that is held, and so never comes to its end.
async fn drop_while_held<T>(
    client: &Client,
    left: &[(&str, usize)],
    mut make: impl AsyncFnMut() -> T,
) {
    for n in 0..8 {
        let patience = std::time::Duration::from_millis(30);
        let waits = tokio::time::timeout(patience, dropped_at(n, make())).await;
        assert!(!matches!(waits, Ok(Some(_))), "it is held");
        for (path, count) in left {
            until_count(client, path, *count).await;
        }
    }
}

#[tokio::test]
async fn mutex() {
    let world = World::start();
    let client = world.client().await;
    let mutex = Mutex::new(&client, "/lock");
    drop_everywhere(&client, &[("/lock", 0)], async || mutex.acquire().await).await;
    drop_everywhere(&client, &[("/lock", 0)], async || mutex.try_acquire().await).await;
    drop_everywhere(&client, &[("/lock", 0)], async || {
        mutex.acquire().await?.release().await
    })
    .await;
    let reentrant = ReentrantMutex::new(&client, "/lock");
    drop_everywhere(&client, &[("/lock", 0)], async || {
        let _outer = reentrant.acquire().await?;
        reentrant.acquire().await
    })
    .await;
    let all = ["/lock", "/other"].map(|path| Mutex::new(&client, path));
    let all = MultiMutex::new(all);
    drop_everywhere(&client, &[("/lock", 0), ("/other", 0)], async || {
        all.acquire().await
    })
    .await;
    let guard = mutex.acquire().await.expect("free");
    drop_while_held(&client, &[("/lock", 1)], async || mutex.acquire().await).await;
    drop_while_held(&client, &[("/lock", 1)], async || guard.lost().await).await;
    assert!(guard.is_held().await.expect("an answer"));
}

#[tokio::test]
async fn rwlock() {
    let world = World::start();
    let client = world.client().await;
    let lock = RwLock::new(&client, "/lock");
    drop_everywhere(&client, &[("/lock", 0)], async || lock.read().await).await;
    drop_everywhere(&client, &[("/lock", 0)], async || {
        lock.write().await?.downgrade().await?.release().await
    })
    .await;
    let reading = lock.read().await.expect("free");
    drop_while_held(&client, &[("/lock", 1)], async || lock.write().await).await;
    reading.release().await.expect("given up");
    soon("free", lock.write()).await.expect("free");
}

#[tokio::test]
async fn semaphore() {
    let world = World::start();
    let client = world.client().await;
    let layouts = [
        (
            Semaphore::new(&client, "/pool", 1),
            ["/pool/locks", "/pool/leases"],
        ),
        (
            Semaphore::kazoo(&client, "/kazoo", 1),
            ["/kazoo-__lock__", "/kazoo"],
        ),
    ];
    for (semaphore, [locks, leases]) in layouts {
        let none = [(locks, 0), (leases, 0)];
        drop_everywhere(&client, &none, async || semaphore.acquire().await).await;
        drop_everywhere(&client, &none, async || semaphore.try_acquire().await).await;
        let lease = semaphore.acquire().await.expect("a lease");
        let one = [(locks, 0), (leases, 1)];
        drop_while_held(&client, &one, async || semaphore.acquire().await).await;
        lease.release().await.expect("given back");
        soon("a lease", semaphore.acquire()).await.expect("a lease");
    }
}

#[tokio::test]
async fn elections() {
    let world = World::start();
    let client = world.client().await;
    let latch = LeaderLatch::new(&client, "/latch", "me");
    drop_everywhere(&client, &[("/latch", 0)], async || {
        latch.stand().await?.elected().await
    })
    .await;
    let selector = LeaderSelector::new(&client, "/selector", "me");
    drop_everywhere(&client, &[("/selector", 0)], async || {
        selector
            .lead(async |_| tokio::task::yield_now().await)
            .await
    })
    .await;
    let leads = latch.stand().await.expect("it stands").elected().await;
    drop_while_held(&client, &[("/latch", 1)], async || {
        latch.stand().await?.elected().await
    })
    .await;
    leads.expect("it leads").resign().await.expect("it leads");
}

#[tokio::test]
async fn persistent_nodes() {
    let world = World::with_ttl();
    let client = world.client().await;
    for kind in [
        NodeKind::Ephemeral,
        NodeKind::EphemeralSequential,
        NodeKind::Persistent,
        NodeKind::PersistentSequential,
        NodeKind::TtlSequential(std::time::Duration::from_secs(3600)),
    ] {
        drop_everywhere(&client, &[("/dir", 0)], async || {
            let node = PersistentNode::create(&client, "/dir/n-", kind, "one").await?;
            node.set_data("two").await?;
            node.close().await
        })
        .await;
    }
    let node = PersistentNode::create(&client, "/dir/n", NodeKind::Ephemeral, "one").await;
    let node = node.expect("it is made");
    drop_while_held(&client, &[("/dir", 1)], async || {
        node.made_after(node.token()).await
    })
    .await;
    // The task itself is dropped wherever it waits: between any two steps of the making.
    for steps in 0..40 {
        let create = PersistentNode::create(&client, "/dir/m", NodeKind::Persistent, "one");
        let made = tokio::time::timeout(std::time::Duration::from_micros(steps * 50), create);
        drop(made.await);
        until_count(&client, "/dir", 1).await;
    }
    // This one stays, for as long as its time to live, with its child: nothing else does.
    let options = TtlOptions::new(std::time::Duration::from_secs(3600));
    for n in 0..AWAITS_MAX {
        let create = PersistentTtlNode::create(&client, "/ttl/n", &options, "one");
        let made = soon("an end", dropped_at(n, create)).await;
        let left = names(&client, "/ttl").await;
        assert!(left.iter().all(|name| name == "n"), "{left:?}");
        if made.is_some() {
            return;
        }
    }
    panic!("it waits more than {AWAITS_MAX} times");
}

#[tokio::test]
async fn groups_and_parties() {
    let world = World::start();
    let client = world.client().await;
    let group = Group::new(&client, "/group");
    drop_everywhere(&client, &[("/group", 0)], async || {
        let member = group.join("a", "1").await?;
        member.set_payload("2").await?;
        member.members().await?;
        member.leave().await
    })
    .await;
    let party = Party::new(&client, "/party");
    drop_everywhere(&client, &[("/party", 0)], async || {
        party.join("a").await?.leave().await
    })
    .await;
    drop_everywhere(&client, &[("/party", 0)], async || party.join("a").await).await;
    let shallow = ShallowParty::new(&client, "/shallow");
    drop_everywhere(&client, &[("/shallow", 0)], async || {
        let _membership = shallow.join("a").await?;
        shallow.members().await
    })
    .await;
}

#[tokio::test]
async fn queues() {
    let world = World::start();
    let client = world.client().await;
    // An entry is put in, and stays, or goes if it is consumed; who holds it goes in any case.
    let locking = LockingQueue::new(&client, "/locking");
    drop_everywhere(&client, &[("/locking/taken", 0)], async || {
        locking.put("a").await?;
        locking.hold().await?.consume().await
    })
    .await;
    while let Some(entry) = locking.try_hold().await.expect("an answer") {
        entry.consume().await.expect("it is held");
    }
    locking.put("a").await.expect("put");
    let (entries, taken) = ("/locking/entries", "/locking/taken");
    let none_held = [(entries, 1), (taken, 0)];
    drop_everywhere(&client, &none_held, async || locking.hold().await).await;
    drop_everywhere(&client, &none_held, async || locking.try_hold().await).await;
    drop_everywhere(&client, &none_held, async || {
        locking.hold().await?.release().await
    })
    .await;
    let held = locking.hold().await.expect("a");
    drop_while_held(&client, &[(entries, 1), (taken, 1)], async || {
        locking.hold().await
    })
    .await;
    held.consume().await.expect("it is held");
    drop_while_held(&client, &[(entries, 0), (taken, 0)], async || {
        locking.hold().await
    })
    .await;

    let options = QueueOptions::default().lock_path("/locks");
    let items = DistributedQueue::new(&client, "/items", &options);
    items.put("a").await.expect("put");
    let one = [("/items", 1), ("/locks", 0)];
    drop_everywhere(&client, &one, async || items.hold().await).await;
    drop_everywhere(&client, &one, async || items.hold().await?.requeue().await).await;

    let simple = SimpleQueue::new(&client, "/simple");
    drop_while_held(&client, &[("/simple", 0)], async || simple.take().await).await;
    // An entry may stay, and it may be lost, but never is there more than was put in.
    for n in 0.. {
        let both = async {
            simple.put("a").await?;
            simple.take().await
        };
        let ended = soon("an end", dropped_at(n, both)).await;
        assert!(simple.count().await.expect("an answer") <= 1);
        while simple.try_take().await.expect("an answer").is_some() {}
        if let Some(taken) = ended {
            assert_eq!(taken.expect("an entry"), b"a");
            return;
        }
    }
}

#[tokio::test]
async fn partitioner() {
    let world = World::start();
    let client = world.client().await;
    let boundary = std::time::Duration::from_millis(5);
    let set = |identifier| {
        let set = SetPartitioner::new(&client, "/set", identifier, ["a", "b"]);
        set.time_boundary(boundary)
    };
    let none = [("/set/party", 0), ("/set/locks/a", 0), ("/set/locks/b", 0)];
    let alone = set("1");
    drop_everywhere(&client, &none, async || {
        let mut member = alone.join().await?;
        member.acquire().await?.release().await?;
        member.leave().await
    })
    .await;
    // One that stays a member can go on.
    let mut member = alone.join().await.expect("a member");
    let one = [("/set/party", 1), ("/set/locks/a", 0), ("/set/locks/b", 0)];
    drop_everywhere(&client, &one, async || {
        member.acquire().await?.release().await
    })
    .await;
    let all = member.acquire().await.expect("all of it");
    // The other one wants `b`, which is not released.
    let one = [("/set/party", 1), ("/set/locks/a", 1), ("/set/locks/b", 1)];
    let other = set("2");
    drop_while_held(&client, &one, async || {
        let mut other = other.join().await?;
        other.acquire().await.map(drop)
    })
    .await;
    soon("a change", all.changed()).await;
}

#[tokio::test]
async fn discovery() {
    let world = World::start();
    let client = world.client().await;
    let services = Discovery::<String>::new(&client, "/services");
    let epoch = std::time::SystemTime::UNIX_EPOCH;
    let instance = ServiceInstance::new("web", "1", epoch).payload("one".to_owned());
    drop_everywhere(&client, &[("/services/web", 0)], async || {
        let registration = services.register(&instance).await?;
        registration.update(&instance).await?;
        registration.unregister().await
    })
    .await;
    let registration = services.register(&instance).await.expect("new");
    drop_everywhere(&client, &[("/services/web", 1)], async || {
        services.instance("web", "1").await?;
        services.instances("web").await
    })
    .await;
    drop_everywhere(&client, &[("/services/web", 1)], async || {
        let policy = DownPolicy::default();
        services.provider("web", Strategy::RoundRobin, policy).await
    })
    .await;
    soon("no watch is left but that of the keeper", async {
        while world.watch_count() > 1 {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    })
    .await;
    registration.unregister().await.expect("removed");
}
