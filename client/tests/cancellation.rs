//! Futures dropped at each of their await points.

mod common;

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use client::{Client, CreateOptions, Error, ErrorCode, Expected, WatcherType};
use common::{Server, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// More polls than any of these futures takes.
const POLLS_MAX: usize = 1000;

/// Polls a future so many times, with time between for others, and drops it; true if it was
/// done before.
async fn dropped_after<T>(polls: usize, future: impl Future<Output = T>) -> bool {
    let mut future = pin!(future);
    for _ in 0..polls {
        let mut context = Context::from_waker(Waker::noop());
        if let Poll::Ready(_) = future.as_mut().poll(&mut context) {
            return true;
        }
        // So that the next poll finds something new, now and then.
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    false
}

/// Numbers of polls at which to drop, until the future is done before it is dropped.
async fn at_each_await<F: Future>(mut future: impl FnMut(usize) -> F) {
    for polls in 0..POLLS_MAX {
        if dropped_after(polls, future(polls)).await {
            assert!(polls > 0);
            return;
        }
    }
    panic!("it is never done");
}

/// A number that the server tells in `mntr`.
async fn told(server: &Server, name: &str) -> u64 {
    let mut stream = TcpStream::connect(server.address)
        .await
        .expect("the server listens");
    stream.write_all(b"mntr").await.expect("a live socket");
    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("text");
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let line = line.unwrap_or_else(|| panic!("no {name} in {text}"));
    line.trim().parse().expect("a number")
}

#[tokio::test]
async fn a_connect_that_is_dropped_leaves_no_session() {
    let server = Server::with("4lw.commands.whitelist=*");
    let before = told(&server, "zk_global_sessions").await;
    at_each_await(|_| async { server.builder().auth("digest", "a:b").connect().await }).await;
    until("all sessions are closed", async || {
        told(&server, "zk_global_sessions").await == before
    })
    .await;
}

#[tokio::test]
async fn a_get_that_is_dropped_disturbs_nobody() {
    let server = Server::start();
    let client = server.client().await;
    client
        .create("/g", "kept", &CreateOptions::persistent())
        .await
        .expect("new");
    at_each_await(|_| client.get_data("/g")).await;
    at_each_await(|_| client.get_data_and_watch("/g")).await;
    assert_eq!(
        client.get_data("/g").await.expect("data").text(),
        Some("kept")
    );
    until("no watch is left", async || {
        client.check_watches("/g", WatcherType::Data).await == Ok(false)
    })
    .await;
}

#[tokio::test]
async fn a_create_that_is_dropped_happened_or_not() {
    let server = Server::start();
    let client = server
        .builder()
        .outstanding_max(1)
        .connect()
        .await
        .expect("a session");
    let persistent = CreateOptions::persistent();
    at_each_await(|polls| {
        let (client, persistent) = (client.clone(), persistent.clone());
        async move {
            // One is sent, and one waits behind it.
            let sent = client.create(&format!("/sent{polls}"), "", &persistent);
            let waits = client.create(&format!("/waits{polls}"), "", &persistent);
            sent.await.expect("new");
            waits.await.expect("new");
        }
    })
    .await;
    // Whatever happened is settled by now, and the client goes on.
    let names = client.get_children("/").await.expect("names");
    for name in names.iter().filter(|name| name.as_str() != "zookeeper") {
        let again = client.create(&format!("/{name}"), "", &persistent).await;
        assert_eq!(again, Err(Error::Refused(ErrorCode::NodeExists)));
        if let Some(number) = name.strip_prefix("waits") {
            assert!(names.contains(&format!("sent{number}")), "out of order");
        }
    }
}

#[tokio::test]
async fn a_multi_that_is_dropped_happened_as_a_whole_or_not() {
    let server = Server::start();
    let client = server.client().await;
    let both = async |client: &Client, polls: usize| {
        let names = [format!("/a{polls}"), format!("/b{polls}")];
        let names = names.each_ref().map(|name| client.exists(name));
        let [a, b] = names;
        let a = a.await.expect("an answer").is_some();
        assert_eq!(b.await.expect("an answer").is_some(), a);
    };
    at_each_await(|polls| {
        let persistent = CreateOptions::persistent();
        let multi = client
            .multi()
            .create(&format!("/a{polls}"), "", &persistent);
        multi
            .create(&format!("/b{polls}"), "", &persistent)
            .commit()
    })
    .await;
    for polls in 0..POLLS_MAX {
        both(&client, polls).await;
    }
    client
        .set_data("/", "", Expected::Any)
        .await
        .expect("it goes on");
}
