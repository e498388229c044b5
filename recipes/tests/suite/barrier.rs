use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use client::{Client, CreateOptions, Expected};
use recipes::{Barrier, DoubleBarrier};

use crate::common::{Proxy, World, connect, dropped_at, names, session_ended, soon, until_count};

#[tokio::test]
async fn who_comes_waits_until_it_is_removed() {
    let world = World::start();
    let (one, other) = (world.client().await, world.client().await);
    let (mine, theirs) = (
        Barrier::new(&one, "/deep/down/barrier"),
        Barrier::new(&other, "/deep/down/barrier"),
    );
    soon("not set", theirs.wait()).await.expect("an answer");
    mine.set().await.expect("set");
    mine.set().await.expect("it is already");
    let waits = tokio::spawn(async move { theirs.wait().await });
    soon("it waits", async {
        while world.watch_count() != 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    assert!(!waits.is_finished());
    let dropped = tokio::time::timeout(Duration::from_millis(20), mine.wait()).await;
    assert!(dropped.is_err(), "it is set");
    mine.remove().await.expect("removed");
    soon("it goes on", waits)
        .await
        .expect("no panic")
        .expect("removed");
    mine.remove().await.expect("it is not there");
    assert_eq!(world.watch_count(), 0, "no watch is left");
}

#[tokio::test]
async fn a_barrier_outlives_the_connection_of_who_waits() {
    let world = World::start();
    let proxy = Proxy::to(world.server.address()).await;
    let (lone, other) = (connect(proxy.address).await, world.client().await);
    let barrier = Barrier::new(&other, "/barrier");
    barrier.set().await.expect("set");
    let waits = Barrier::new(&lone, "/barrier");
    let waits = tokio::spawn(async move { waits.wait().await });
    soon("it waits", async {
        while world.watch_count() != 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    proxy.cut();
    barrier.remove().await.expect("removed");
    proxy.mend();
    soon("it goes on", waits)
        .await
        .expect("no panic")
        .expect("removed");
}

/// Nobody is in before all have come, and nobody out before all are leaving; again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_go_in_and_out_together() {
    const MEMBERS: usize = 4;
    const ROUNDS: usize = 10;
    let world = World::start();
    let came = Arc::new(AtomicUsize::new(0));
    let leaving = Arc::new(AtomicUsize::new(0));
    let mut tasks = Vec::new();
    for _ in 0..MEMBERS {
        let client = world.client().await;
        let (came, leaving) = (Arc::clone(&came), Arc::clone(&leaving));
        tasks.push(tokio::spawn(async move {
            for round in 1..=ROUNDS {
                // One directory a round: the last one out of one may still be on its way out
                // when the first one comes to the next.
                let path = format!("/phases/{round}");
                let barrier = DoubleBarrier::new(&client, &path, MEMBERS).data("me");
                came.fetch_add(1, Ordering::SeqCst);
                let inside = barrier.enter().await.expect("let in");
                assert!(came.load(Ordering::SeqCst) >= MEMBERS * round);
                leaving.fetch_add(1, Ordering::SeqCst);
                inside.leave().await.expect("let out");
                assert!(leaving.load(Ordering::SeqCst) >= MEMBERS * round);
            }
        }));
    }
    for task in tasks {
        soon("all rounds", task).await.expect("no panic");
    }
    let client = world.client().await;
    for round in 1..=ROUNDS {
        until_count(&client, &format!("/phases/{round}"), 0).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_directory_serves_again() {
    const ROUNDS: usize = 20;
    let world = World::start();
    let came = Arc::new(AtomicUsize::new(0));
    let mut tasks = Vec::new();
    for _ in 0..2 {
        let client = world.client().await;
        let came = Arc::clone(&came);
        tasks.push(tokio::spawn(async move {
            let barrier = DoubleBarrier::new(&client, "/phase", 2);
            for round in 1..=ROUNDS {
                came.fetch_add(1, Ordering::SeqCst);
                let inside = barrier.enter().await.expect("let in");
                assert!(came.load(Ordering::SeqCst) >= 2 * round, "round {round}");
                inside.leave().await.expect("let out");
            }
        }));
    }
    for task in tasks {
        soon("all rounds", task).await.expect("no panic");
    }
}

async fn is_shut(barrier: &DoubleBarrier) {
    let patience = Duration::from_millis(50);
    let entered = tokio::time::timeout(patience, barrier.enter()).await;
    assert!(entered.is_err(), "one is not enough");
}

#[tokio::test]
async fn a_ready_that_outlived_its_members_lets_nobody_in() {
    let world = World::start();
    let client = world.client().await;
    client
        .create("/phase", "", &CreateOptions::persistent())
        .await
        .expect("new");
    client
        .create("/phase/ready", "", &CreateOptions::persistent())
        .await
        .expect("new");
    let barrier = DoubleBarrier::new(&client, "/phase", 2);
    is_shut(&barrier).await;
    until_count(&client, "/phase", 0).await;
    let both = async { tokio::try_join!(barrier.enter(), barrier.enter()) };
    let (one, other) = soon("both", both).await.expect("let in");
    // Others may come while somebody is inside.
    let late = soon("it is open", barrier.enter()).await.expect("let in");
    let out = async { tokio::try_join!(one.leave(), other.leave()) };
    soon("late ones are not waited for", out)
        .await
        .expect("let out");
    soon("alone", late.leave()).await.expect("let out");
    until_count(&client, "/phase", 0).await;
}

#[tokio::test]
async fn who_loses_its_session_has_left() {
    let world = World::start();
    let proxy = Proxy::to(world.server.address()).await;
    let (lone, other) = (connect(proxy.address).await, world.client().await);
    let mine = DoubleBarrier::new(&lone, "/phase", 2);
    let theirs = DoubleBarrier::new(&other, "/phase", 2);
    let both = async { tokio::try_join!(mine.enter(), theirs.enter()) };
    let (inside, other_inside) = soon("both", both).await.expect("let in");
    let leaves = tokio::spawn(other_inside.leave());
    // The other one's node is gone and it waits for this one.
    until_count(&other, "/phase", 2).await;
    assert!(!leaves.is_finished());
    proxy.cut();
    soon("the session ends", leaves)
        .await
        .expect("no panic")
        .expect("let out");
    until_count(&other, "/phase", 0).await;
    proxy.mend();
    soon("the loss", session_ended(&inside)).await;
    let left = soon("an end", inside.leave()).await;
    assert!(left.expect_err("no session").is_session_end());
}

#[tokio::test]
async fn who_was_deleted_is_let_in_and_has_lost() {
    let world = World::start();
    let client = world.client().await;
    let barrier = DoubleBarrier::new(&client, "/phase", 2);
    let enters = tokio::spawn(async move { barrier.enter().await });
    until_count(&client, "/phase", 1).await;
    let own = names(&client, "/phase").await.remove(0);
    soon("it waits", async {
        while world.watch_count() != 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    let delete = client.delete(&format!("/phase/{own}"), Expected::Any);
    delete.await.expect("there");
    let ready = client.create("/phase/ready", "", &CreateOptions::persistent());
    ready.await.expect("new");
    let inside = soon("an end", enters).await.expect("no panic");
    let inside = inside.expect("what it waits for has come");
    assert_eq!(soon("a word", inside.lost()).await, recipes::Loss::Deleted);
}

async fn members(client: &Client) -> usize {
    let names = names(client, "/phase").await;
    names.iter().filter(|name| *name != "ready").count()
}

/// Whatever is dropped wherever, no member is left, and the barrier is shut for the next one.
#[tokio::test]
async fn dropped_futures_leave_no_member() {
    let world = World::start();
    let client = world.client().await;
    let alone = DoubleBarrier::new(&client, "/phase", 1);
    let two = DoubleBarrier::new(&client, "/phase", 2);
    let mut ended = false;
    for n in 0..100 {
        let all = async { alone.enter().await?.leave().await };
        let done = soon("an end", dropped_at(n, all)).await;
        soon("no member", async {
            while members(&client).await != 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
        if let Some(done) = done {
            assert!(n >= 6, "in and out takes several answers");
            done.expect("in and out");
            ended = true;
            break;
        }
        is_shut(&two).await;
        until_count(&client, "/phase", 0).await;
    }
    assert!(ended, "it comes to its end");
    assert_eq!(world.watch_count(), 0, "no watch is left");
}
