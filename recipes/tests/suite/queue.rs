//! Queues.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use client::{Client, CreateOptions, Expected};
use recipes::{
    DistributedDelayQueue, DistributedIdQueue, DistributedPriorityQueue, DistributedQueue, Error,
    LockingQueue, Loss, Queue, QueueOptions, SimpleQueue,
};

use crate::common::{Proxy, World, connect, names, soon, until_count};

fn texts(items: &[Vec<u8>]) -> Vec<&str> {
    let texts = items.iter().map(|item| std::str::from_utf8(item));
    texts.collect::<Result<_, _>>().expect("texts")
}

/// What is put in one by one, and comes out so.
async fn drained(queue: &recipes::ItemQueue) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(items) = queue.try_take().await.expect("an answer") {
        all.push(texts(&items).join("+"));
    }
    all
}

#[tokio::test]
async fn a_simple_queue_is_first_in_first_out() {
    let world = World::start();
    let client = world.client().await;
    let queue = SimpleQueue::new(&client, "/a/queue");
    assert_eq!(queue.try_take().await, Ok(None));
    assert_eq!(queue.peek().await, Ok(None));
    for data in ["one", "two", "", "four"] {
        queue.put(data).await.expect("put");
    }
    assert_eq!(names(&client, "/a/queue").await[0], "qn-0000000000");
    let other = CreateOptions::persistent();
    client
        .create("/a/queue/a", "no entry", &other)
        .await
        .expect("new");
    assert_eq!(queue.count().await, Ok(4));
    assert_eq!(queue.peek().await, Ok(Some(b"one".to_vec())));
    for data in ["one", "two", "", "four"] {
        assert_eq!(queue.take().await, Ok(data.as_bytes().to_vec()));
    }
    assert_eq!(queue.try_take().await, Ok(None));
    assert_eq!(names(&client, "/a/queue").await, ["a"]);
}

#[tokio::test]
async fn a_queue_of_kazoo_goes_by_priority() {
    let world = World::start();
    let client = world.client().await;
    let queue = Queue::new(&client, "/queue");
    queue.put("hundred").await.expect("put");
    for (data, priority) in [("late", 999), ("a", 5), ("b", 5), ("first", 0)] {
        queue.put_with_priority(data, priority).await.expect("put");
    }
    let refused = queue.put_with_priority("x", 1000).await;
    assert_eq!(refused, Err(Error::NoPriority(1000)));
    assert_eq!(names(&client, "/queue").await[0], "entry-000-0000000004");
    assert_eq!(queue.count().await, Ok(5));
    for data in ["first", "a", "b", "hundred", "late"] {
        assert_eq!(queue.take().await, Ok(data.as_bytes().to_vec()));
    }
}

/// Those who wait are woken, whatever comes first: the directory or the entry.
#[tokio::test]
async fn who_waits_is_woken() {
    let world = World::start();
    let (one, two) = (world.client().await, world.client().await);
    let options = QueueOptions::default().lock_path("/locks");
    let simple = (SimpleQueue::new(&one, "/s"), SimpleQueue::new(&two, "/s"));
    let locking = (LockingQueue::new(&one, "/l"), LockingQueue::new(&two, "/l"));
    let items = ["/i"; 2].map(|path| DistributedQueue::new(&one, path, &options));
    for round in 0..10 {
        let text = round.to_string();
        let simply = async {
            let (taken, put) = tokio::join!(simple.0.take(), simple.1.put(text.clone()));
            put.expect("put");
            assert_eq!(taken.expect("an entry"), text.as_bytes());
        };
        let held = async {
            let (held, put) = tokio::join!(locking.0.hold(), locking.1.put(text.clone()));
            put.expect("put");
            let held = held.expect("an entry");
            assert_eq!(held.data(), text.as_bytes());
            held.consume().await.expect("it is held");
        };
        let with_items = async {
            let (held, put) = tokio::join!(items[0].hold(), items[1].put(text.clone()));
            put.expect("put");
            let held = held.expect("an entry");
            assert_eq!(texts(held.items()), [&text]);
            held.consume().await.expect("it is held");
        };
        soon("woken", async {
            tokio::join!(simply, held, with_items);
        })
        .await;
    }
    assert_eq!(one.get_children("/l/taken").await, Ok(Vec::new()));
    assert_eq!(one.get_children("/locks").await, Ok(Vec::new()));
}

#[tokio::test]
async fn a_held_entry_is_nobody_elses_until_it_is_left() {
    let world = World::start();
    let (one, two) = (world.client().await, world.client().await);
    let (mine, theirs) = (LockingQueue::new(&one, "/q"), LockingQueue::new(&two, "/q"));
    mine.put_all(["a", "b", "c"], 7).await.expect("put");
    mine.put_all([""; 0], 7).await.expect("nothing to put");
    let refused = mine.put_all(["x"], 1000).await;
    assert_eq!(refused, Err(Error::NoPriority(1000)));
    let (a, b) = (
        mine.hold().await.expect("a"),
        theirs.hold().await.expect("b"),
    );
    assert_eq!((a.data(), b.data()), (&b"a"[..], &b"b"[..]));
    assert_eq!(a.path(), "/q/taken/entry-007-0000000000");
    assert_eq!(a.entry_path(), "/q/entries/entry-007-0000000000");
    // The same session is another one, too.
    let c = mine.hold().await.expect("c");
    assert_eq!(c.data(), b"c");
    assert!(theirs.try_hold().await.expect("an answer").is_none());
    assert_eq!(theirs.count().await, Ok(3));

    // One that is left goes to who waits, and comes first again.
    let (waits, left) = tokio::join!(soon("left", theirs.hold()), a.release());
    left.expect("left");
    let again = waits.expect("a");
    assert_eq!(again.data(), b"a");
    drop(again);
    let again = soon("left", mine.hold()).await.expect("a");
    assert_eq!(again.data(), b"a");
    for entry in [again, b, c] {
        assert!(entry.is_held().await.expect("an answer"));
        entry.consume().await.expect("it is held");
    }
    assert_eq!(mine.count().await, Ok(0));
    assert_eq!(names(&one, "/q/taken").await, [""; 0]);
}

#[tokio::test]
async fn what_is_not_held_any_more_is_not_consumed() {
    let world = World::start();
    let (one, two) = (world.client().await, world.client().await);
    let queue = LockingQueue::new(&one, "/q");
    queue.put("a").await.expect("put");
    let held = queue.hold().await.expect("a");
    let (path, entry) = (held.path().to_owned(), held.entry_path());
    two.delete(&path, Expected::Any).await.expect("there");
    assert_eq!(soon("told", held.lost()).await, Loss::Deleted);
    assert_eq!(held.consume().await, Err(Error::Deleted(path.clone())));
    assert_eq!(queue.count().await, Ok(1), "it comes out again");
    let held = queue.hold().await.expect("a");
    two.delete(&entry, Expected::Any).await.expect("there");
    assert_eq!(held.consume().await, Err(Error::Deleted(entry)));
    until_count(&one, "/q/taken", 0).await;

    // With the session the entry goes to others.
    let proxy = Proxy::to(world.server.address()).await;
    let lone = connect(proxy.address).await;
    queue.put("b").await.expect("put");
    let held = LockingQueue::new(&lone, "/q").hold().await.expect("b");
    let next = async {
        proxy.cut();
        queue.hold().await
    };
    let next = soon("its session ends", next).await.expect("b");
    assert_eq!(next.data(), b"b");
    assert!(next.token() > held.token());
    proxy.mend();
    let late = soon("an end", held.consume()).await;
    assert!(late.expect_err("the session is over").is_session_end());
    assert!(next.is_held().await.expect("an answer"));
    next.consume().await.expect("it is held");
}

#[tokio::test]
async fn items_have_the_names_and_bytes_of_curator() {
    let world = World::start();
    let client = world.client().await;
    let none = QueueOptions::default();
    let fifo = DistributedQueue::new(&client, "/fifo", &none);
    fifo.put("ab").await.expect("put");
    fifo.put_all(["", "c"]).await.expect("put");
    let first = client.get_data("/fifo/queue-0000000000").await;
    let bytes = [0, 1, 0, 1, 1, 0, 0, 0, 2, b'a', b'b', 2];
    assert_eq!(first.expect("there").bytes(), bytes);
    assert_eq!(drained(&fifo).await, ["ab", "+c"]);
    assert_eq!(fifo.hold().await.map(drop), Err(Error::NoLockPath));

    let priority = DistributedPriorityQueue::new(&client, "/priority", &none);
    for (item, at) in [("c", 258), ("b", 1), ("a", -2), ("b2", 1)] {
        priority.put(item, at).await.expect("put");
    }
    let found = names(&client, "/priority").await;
    assert_eq!(found[0], "queue-0FFFFFFFE0000000002");
    assert_eq!(found[3], "queue-1000001020000000000");
    assert_eq!(drained(&priority).await, ["a", "b", "b2", "c"]);

    let ids = DistributedIdQueue::new(&client, "/ids", &none);
    for (item, id) in [("1", "z"), ("2", "a/b"), ("3", "z"), ("4", "y")] {
        ids.put(item, id).await.expect("put");
    }
    assert_eq!(names(&client, "/ids").await[0], "queue-|a_b|0000000001");
    assert_eq!(ids.put("x", "").await, Err(Error::EmptyId));
    assert_eq!(ids.remove("a/b").await, Ok(1));
    assert_eq!(ids.remove("none").await, Ok(0));
    assert_eq!(drained(&ids).await, ["1", "3", "4"]);
}

#[tokio::test]
async fn what_is_no_item_is_removed_and_told() {
    let world = World::start();
    let client = world.client().await;
    let options = QueueOptions::default().lock_path("/locks");
    for options in [QueueOptions::default(), options.clone()] {
        let queue = DistributedQueue::new(&client, "/queue", &options);
        queue.put("a").await.expect("put");
        let path = &names(&client, "/queue").await[0];
        let path = format!("/queue/{path}");
        client
            .set_data(&path, "text", Expected::Any)
            .await
            .expect("there");
        let data = b"text".to_vec();
        assert_eq!(queue.try_take().await, Err(Error::NoItems { path, data }));
        assert_eq!(queue.count().await, Ok(0));
    }
    let queue = DistributedQueue::new(&client, "/queue", &options);
    let sequential = CreateOptions::persistent().sequential();
    let bad = client
        .create("/queue/queue-", "", &sequential)
        .await
        .expect("new");
    let (path, data) = (bad.path, Vec::new());
    let told = queue.hold().await.map(drop);
    assert_eq!(told, Err(Error::NoItems { path, data }));
    assert_eq!(queue.count().await, Ok(0));
    assert_eq!(names(&client, "/locks").await, [""; 0]);
}

#[tokio::test]
async fn requeued_entries_keep_what_they_are_sorted_by() {
    let world = World::start();
    let client = world.client().await;
    let options = QueueOptions::default().lock_path("/locks");
    let queue = DistributedPriorityQueue::new(&client, "/queue", &options);
    for (item, at) in [("a", 1), ("b", 1), ("c", 2)] {
        queue.put(item, at).await.expect("put");
    }
    let first = queue.hold().await.expect("a");
    assert_eq!(texts(first.items()), ["a"]);
    first.requeue().await.expect("it is held");
    assert_eq!(drained(&queue).await, ["b", "a", "c"]);
    let ids = DistributedIdQueue::new(&client, "/ids", &options);
    ids.put("a", "x").await.expect("put");
    ids.put("b", "y").await.expect("put");
    let held = ids.hold().await.expect("a");
    assert_eq!(ids.remove("x").await, Ok(0), "it is held");
    held.requeue().await.expect("it is held");
    let held = ids.hold().await.expect("b");
    assert_eq!(ids.remove("x").await, Ok(1));
    held.release().await.expect("left");
    assert_eq!(drained(&ids).await, ["b"]);
    assert_eq!(names(&client, "/locks").await, [""; 0]);
}

#[tokio::test]
async fn an_entry_that_is_due_later_waits() {
    let world = World::start();
    let client = world.client().await;
    let options = QueueOptions::default().lock_path("/locks");
    for options in [QueueOptions::default(), options] {
        let time = Arc::new(AtomicI64::new(1_000));
        let now = Arc::clone(&time);
        let now_ms = move || now.load(Ordering::Relaxed);
        let queue = DistributedDelayQueue::with_clock(&client, "/queue", &options, now_ms);
        let at = |ms| SystemTime::UNIX_EPOCH + Duration::from_millis(ms);
        queue.put("third", at(3_000)).await.expect("put");
        queue.put("first", at(900)).await.expect("put");
        queue.put("second", at(1_000)).await.expect("put");
        let early = SystemTime::UNIX_EPOCH - Duration::from_millis(1);
        queue.put("zeroth", early).await.expect("put");
        let third = &names(&client, "/queue").await;
        assert!(
            third
                .iter()
                .any(|name| name.starts_with("queue-|00000BB8|"))
        );
        assert_eq!(drained(&queue).await, ["zeroth", "first", "second"]);
        assert_eq!(queue.count().await, Ok(1));
        time.store(2_999, Ordering::Relaxed);
        assert_eq!(queue.try_take().await, Ok(None));
        // It is looked for when it should be due, and is not yet; and then again.
        let took = tokio::time::timeout(Duration::from_millis(20), queue.take()).await;
        assert!(took.is_err());
        time.store(3_000, Ordering::Relaxed);
        let taken = soon("due", queue.take()).await.expect("third");
        assert_eq!(texts(&taken), ["third"]);
    }
}

#[tokio::test]
async fn a_bounded_queue_lets_in_no_more() {
    let world = World::start();
    let (one, two) = (world.client().await, world.client().await);
    let options = QueueOptions::default().max_items(2);
    let (queue, theirs) = (
        DistributedQueue::new(&one, "/queue", &options),
        DistributedQueue::new(&two, "/queue", &options),
    );
    queue.put("a").await.expect("put");
    queue.put("b").await.expect("put");
    let full = tokio::time::timeout(Duration::from_millis(30), theirs.put("c")).await;
    assert!(full.is_err());
    assert_eq!(names(&one, "/queue").await.len(), 2);
    let (put, taken) = tokio::join!(soon("room", theirs.put("c")), queue.take());
    put.expect("put");
    taken.expect("a");
    assert_eq!(drained(&queue).await, ["b", "c"]);
}

/// Many take, with connections that break: nothing comes out twice, and only what is told to be
/// uncertain may be missing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_comes_out_twice() {
    const ENTRIES: usize = 60;
    let world = World::start();
    let proxy = Proxy::to(world.server.address()).await;
    let feeder = world.client().await;
    let queue = SimpleQueue::new(&feeder, "/queue");
    for n in 0..ENTRIES {
        queue.put(n.to_string()).await.expect("put");
    }
    let work = async |client: Client| {
        let queue = SimpleQueue::new(&client, "/queue");
        let (mut taken, mut unsure) = (Vec::new(), Vec::new());
        loop {
            match queue.try_take().await {
                Ok(Some(data)) => taken.push(data),
                Ok(None) => return (taken, unsure),
                Err(Error::TakenPerhaps { data, .. }) => unsure.push(data),
                Err(error) => panic!("{error}"),
            }
        }
    };
    let cuts = async {
        for _ in 0..6 {
            tokio::time::sleep(Duration::from_millis(3)).await;
            proxy.cut();
            proxy.mend();
        }
    };
    let (one, two) = (connect(proxy.address).await, world.client().await);
    let work = async { tokio::join!(work(one), work(two), cuts) };
    let ((mut all, unsure), (more, none), ()) = soon("all", work).await;
    assert!(none.is_empty(), "its connection did not break");
    all.extend(more);
    let distinct: BTreeSet<_> = all.iter().cloned().collect();
    assert_eq!(distinct.len(), all.len(), "twice");
    let known: BTreeSet<_> = distinct.into_iter().chain(unsure).collect();
    assert_eq!(known.len(), ENTRIES, "lost without a word");
}

/// The same with entries that are held, and put back now and then: nobody holds what another one
/// holds, each is consumed once, and none is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_held_is_consumed_once() {
    const ENTRIES: usize = 40;
    let world = World::start();
    let proxy = Proxy::to(world.server.address()).await;
    let feeder = world.client().await;
    let queue = LockingQueue::new(&feeder, "/queue");
    let entries = (0..ENTRIES).map(|n| n.to_string());
    queue.put_all(entries, 0).await.expect("put");
    let holders = std::sync::Mutex::new(BTreeSet::new());
    let holders = || holders.lock().expect("no panic");
    let work = async |client: Client| {
        let queue = LockingQueue::new(&client, "/queue");
        let mut consumed = Vec::new();
        for turn in 0.. {
            let Some(held) = queue.try_hold().await.expect("the session lives") else {
                break;
            };
            let data = held.data().to_vec();
            assert!(holders().insert(data.clone()), "held by two");
            tokio::task::yield_now().await;
            assert!(holders().remove(&data));
            match turn % 3 {
                0 => held.release().await.expect("left"),
                1 => drop(held),
                _ => {
                    held.consume().await.expect("it is held");
                    consumed.push(data);
                }
            }
        }
        consumed
    };
    let cuts = async {
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(5)).await;
            proxy.cut();
            proxy.mend();
        }
    };
    let (one, two) = (connect(proxy.address).await, connect(proxy.address).await);
    let also = one.clone();
    let work = async { tokio::join!(work(one), work(also), work(two), cuts) };
    let (mut all, second, third, ()) = soon("all", work).await;
    all.extend(second);
    all.extend(third);
    let distinct: BTreeSet<_> = all.iter().cloned().collect();
    assert_eq!(distinct.len(), all.len(), "twice");
    until_count(&feeder, "/queue/entries", 0).await;
    until_count(&feeder, "/queue/taken", 0).await;
    assert_eq!(distinct.len(), ENTRIES);
}
