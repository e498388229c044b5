use std::time::Duration;

use recipes::{Loss, Mutex};

use crate::common::{Proxy, World, connect, session_ended, soon, until_count};

#[tokio::test]
async fn a_session_that_ends_frees_what_it_held() {
    let world = World::start();
    let proxy = Proxy::to(world.server.address()).await;
    let (lone, other) = (connect(proxy.address).await, world.client().await);
    let mine = Mutex::new(&lone, "/lock");
    let guard = mine.acquire().await.expect("free");
    let waits = tokio::spawn(async move { mine.acquire().await.map(|guard| guard.token()) });
    until_count(&other, "/lock", 2).await;
    let theirs = Mutex::new(&other, "/lock");
    let next = theirs.acquire();
    let told = async {
        proxy.cut();
        guard.lost().await
    };
    let (next, told) = tokio::join!(soon("its turn", next), soon("a word", told));
    let next = next.expect("a turn");
    assert_eq!(told, Loss::Disconnected, "told before anybody else had it");
    assert!(next.token() > guard.token());
    proxy.mend();
    soon("a word", session_ended(&guard)).await;
    let waited = soon("an end", waits).await.expect("no panic");
    assert!(waited.expect_err("the session has ended").is_session_end());
    // Neither does harm any more.
    guard.release().await.expect("nothing is left to give up");
    assert!(next.is_held().await.expect("an answer"));
    until_count(&other, "/lock", 1).await;
}

#[tokio::test]
async fn a_short_loss_of_the_connection_loses_nothing() {
    let world = World::start();
    let proxy = Proxy::to(world.server.address()).await;
    let (lone, other) = (connect(proxy.address).await, world.client().await);
    let guard = Mutex::new(&lone, "/lock").acquire().await.expect("free");
    let theirs = Mutex::new(&other, "/lock");
    let waits = tokio::spawn(async move { theirs.acquire().await });
    until_count(&other, "/lock", 2).await;
    for _ in 0..3 {
        proxy.cut();
        let mut states = lone.states();
        let gone = states.wait_for(|state| !state.status.is_connected());
        soon("it notices", gone).await.expect("a state");
        proxy.mend();
        let back = states.wait_for(|state| state.status.is_connected());
        soon("it is back", back).await.expect("a state");
    }
    assert!(guard.is_held().await.expect("an answer"));
    assert!(!waits.is_finished());
    guard.release().await.expect("given up");
    soon("its turn", waits)
        .await
        .expect("no panic")
        .expect("a turn");
}

#[tokio::test]
async fn who_waits_goes_on_after_a_restart_of_the_server() {
    let mut world = World::start();
    let (one, other) = (world.client().await, world.client().await);
    let guard = Mutex::new(&one, "/lock").acquire().await.expect("free");
    let theirs = Mutex::new(&other, "/lock");
    let waits = tokio::spawn(async move { theirs.acquire().await });
    until_count(&one, "/lock", 2).await;
    world.server.kill().expect("up");
    world.server.restart().expect("it starts");
    let connected = |client: &client::Client| {
        let mut states = client.states();
        async move { states.wait_for(|state| state.status.is_connected()).await }
    };
    soon("back", connected(&one)).await.expect("a state");
    soon("back", connected(&other)).await.expect("a state");
    guard.release().await.expect("given up");
    soon("its turn", waits)
        .await
        .expect("no panic")
        .expect("a turn");
}

/// Nodes are made once, whenever the connection breaks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_makes_no_second_node() {
    let world = World::start();
    let proxy = Proxy::to(world.server.address()).await;
    let (lone, other) = (connect(proxy.address).await, world.client().await);
    let mutex = Mutex::new(&lone, "/lock");
    for round in 0..20 {
        let cuts = async {
            tokio::time::sleep(Duration::from_micros(round * 60)).await;
            proxy.cut();
            proxy.mend();
        };
        let (guard, ()) = tokio::join!(soon("acquired", mutex.acquire()), cuts);
        let guard = guard.expect("free");
        until_count(&other, "/lock", 1).await;
        soon("given up", guard.release()).await.expect("given up");
        until_count(&other, "/lock", 0).await;
    }
}
