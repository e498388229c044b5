use std::time::Duration;

use client::{Client, CreateOptions};
use recipes::{Counter, Error, SharedValue};

use crate::common::{Proxy, World, connect, dropped_at, names, soon};

const COUNTERS: [fn(&Client, &str) -> Counter; 3] =
    [Counter::shared_count, Counter::atomic_long, Counter::kazoo];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_is_added_is_lost() {
    const EACH: i64 = 15;
    let world = World::start();
    for (at, counter) in COUNTERS.into_iter().enumerate() {
        let mut tasks = Vec::new();
        for summand in [1, 10, -100] {
            let client = world.client().await;
            tasks.push(tokio::spawn(async move {
                let counter = counter(&client, &format!("/counters/{at}"));
                for _ in 0..EACH {
                    let sum = counter.add(summand).await.expect("added");
                    assert_eq!(sum.after - sum.before, summand);
                }
            }));
        }
        for task in tasks {
            soon("all added", task).await.expect("no panic");
        }
        let client = world.client().await;
        let sum = counter(&client, &format!("/counters/{at}")).get().await;
        assert_eq!(sum, Ok(EACH * (1 + 10 - 100)));
    }
    let client = world.client().await;
    for (at, data) in [
        (0, (EACH as i32 * -89).to_be_bytes().to_vec()),
        (1, (EACH * -89).to_be_bytes().to_vec()),
        (2, b"-1335".to_vec()),
    ] {
        let node = client.get_data(&format!("/counters/{at}")).await;
        assert_eq!(node.expect("there").data, Some(data));
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_not_written() {
    let world = World::start();
    let client = world.client().await;
    let small = Counter::shared_count(&client, "/small");
    small.set(i64::from(i32::MAX)).await.expect("it fits");
    let overflow = Err(Error::Overflow("/small".to_owned()));
    assert_eq!(small.add(1).await.map(|sum| sum.after), overflow);
    assert_eq!(small.get().await, Ok(i64::from(i32::MAX)));
    let large = Counter::atomic_long(&client, "/small");
    let foreign = Err(Error::NotANumber("/small".to_owned()));
    assert_eq!(large.get().await, foreign);
    assert_eq!(large.add(1).await.map(|sum| sum.after), foreign);
    assert!(small.compare_and_set(2_147_483_647, 7).await.expect("set"));
    assert!(!small.compare_and_set(2_147_483_647, 8).await.expect("read"));
    assert_eq!(small.get().await, Ok(7));
    let top = Counter::atomic_long(&client, "/top");
    top.set(i64::MAX).await.expect("it fits");
    let overflow = Err(Error::Overflow("/top".to_owned()));
    assert_eq!(top.add(1).await.map(|sum| sum.after), overflow);
}

#[tokio::test]
async fn a_value_is_written_by_who_has_seen_the_latest() {
    let world = World::start();
    let (one, other) = (world.client().await, world.client().await);
    let mine = SharedValue::new(&one, "/deep/down/value");
    let theirs = SharedValue::new(&other, "/deep/down/value");
    let none = mine.get().await.expect("an answer");
    assert_eq!((none.value(), none.zxid()), (None, 0));
    let waits = tokio::spawn({
        let (theirs, none) = (theirs.clone(), none.clone());
        async move { theirs.changed(&none).await }
    });
    let first = mine.compare_and_set(&none, "first").await;
    let first = first.expect("an answer").expect("written");
    let told = soon("a change", waits).await.expect("no panic");
    assert_eq!(told.expect("an answer"), first);
    assert_eq!(mine.compare_and_set(&none, "late").await, Ok(None));
    let second = theirs.set("second").await.expect("written");
    assert!(second.zxid() > first.zxid());
    assert_eq!(mine.compare_and_set(&first, "late").await, Ok(None));
    let seen = soon("a change", mine.changed(&first)).await;
    assert_eq!(seen.expect("an answer").value(), Some(&b"second"[..]));
    let deleted = one.delete("/deep/down/value", 1).await;
    deleted.expect("of this version");
    let gone = soon("a change", theirs.changed(&second)).await;
    assert_eq!(gone.expect("an answer").value(), None);
    assert_eq!(theirs.compare_and_set(&second, "late").await, Ok(None));
}

/// Each answer of "added" is counted once, however often the connection breaks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_adds_nothing_twice() {
    let world = World::start();
    let proxy = Proxy::to(world.server.address()).await;
    let (lone, other) = (connect(proxy.address).await, world.client().await);
    let mine = Counter::atomic_long(&lone, "/counter");
    let theirs = Counter::atomic_long(&other, "/counter");
    theirs.set(0).await.expect("set");
    let (mut sure, mut unsure) = (0, 0);
    for round in 0..40 {
        let cuts = async {
            tokio::time::sleep(Duration::from_micros(round * 30)).await;
            proxy.cut();
            proxy.mend();
        };
        // So somebody else's write is told from the own one.
        let (added, others, ()) = tokio::join!(
            soon("an answer", mine.add(1)),
            soon("an answer", theirs.add(1000)),
            cuts
        );
        others.expect("added");
        match added {
            Ok(_) => sure += 1,
            Err(Error::Client(client::Error::ConnectionLoss)) => unsure += 1,
            Err(error) => panic!("{error}"),
        }
    }
    let sum = theirs.get().await.expect("a number");
    assert_eq!(sum / 1000, 40);
    let own = sum % 1000;
    assert!(
        (sure..=sure + unsure).contains(&own),
        "{own} of {sure} and {unsure}"
    );
}

#[tokio::test]
async fn the_end_of_the_session_ends_a_wait() {
    let world = World::start();
    let client = world.client().await;
    let value = SharedValue::new(&client, "/value");
    let seen = value.set("x").await.expect("written");
    let waits = tokio::spawn({
        let value = value.clone();
        async move { value.changed(&seen).await }
    });
    soon("it waits", async {
        while world.watch_count() != 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    client.close().await.expect("closed");
    let ended = soon("an end", waits).await.expect("no panic");
    assert!(ended.expect_err("no session").is_session_end());
    assert!(value.get().await.expect_err("no session").is_session_end());
}

#[tokio::test]
async fn a_dropped_change_is_made_once_or_not_at_all() {
    let world = World::start();
    let client = world.client().await;
    let options = CreateOptions::persistent();
    client.create("/c", "", &options).await.expect("new");
    let mut ended = 0;
    for n in 0..20 {
        let counter = Counter::kazoo(&client, &format!("/c/{n}"));
        let added = soon("an end", dropped_at(n, counter.add(5))).await;
        ended += usize::from(added.is_some());
        let now = counter.get().await.expect("a number");
        assert!(now == 5 || (now == 0 && added.is_none()), "{now}");
    }
    assert!((1..20).contains(&ended), "some are dropped, some are not");
    let nodes = names(&client, "/c").await;
    assert!(nodes.iter().all(|name| name.len() <= 2), "{nodes:?}");
    let value = SharedValue::new(&client, "/c/0");
    let seen = value.get().await.expect("an answer");
    for n in 0..4 {
        let patience = Duration::from_millis(20);
        let waits = tokio::time::timeout(patience, dropped_at(n, value.changed(&seen))).await;
        assert!(!matches!(waits, Ok(Some(_))), "it does not change");
    }
    soon("no watch is left", async {
        while world.watch_count() != 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}
