//! Futures dropped at each of their await points.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests of the shell have clocks and sockets"
)]

mod common;

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Mutex;
use std::task::Poll;

use client::{CreateOptions, Error, ErrorCode, Expected, WatcherType};
use common::{PATIENCE, Server, connected, made, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// More polls than any of these futures takes.
const POLLS_MAX: usize = 64;

/// When a future is dropped that has been polled often enough.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// At once: what it waits for is on its way.
    Early,
    /// When it is woken: what it waited for is there, and it never learns.
    Late,
}

/// Polls a future so many times, each time when it is woken, and drops it; true if it was done
/// before.
async fn dropped_after<T>(polls: usize, moment: Moment, future: impl Future<Output = T>) -> bool {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        match (future.as_mut().poll(context), moment) {
            (Poll::Ready(_), _) => Poll::Ready(true),
            (Poll::Pending, Moment::Early) if left == 0 => Poll::Ready(false),
            (Poll::Pending, _) => Poll::Pending,
        }
    })
    .await
}

/// Drops a future at each of its await points, until it is done before.
async fn at_each_await<F: Future>(mut future: impl FnMut(String) -> F) {
    for moment in [Moment::Early, Moment::Late] {
        let mut done = false;
        for polls in 0..POLLS_MAX {
            done = dropped_after(polls, moment, future(format!("{moment:?}{polls}"))).await;
            if done {
                assert!(polls > 0);
                break;
            }
        }
        assert!(done, "it is never done");
    }
}

/// The sessions that a server knows of, by its word `dump`.
async fn sessions(server: &Server) -> BTreeSet<String> {
    let mut stream = TcpStream::connect(server.address)
        .await
        .expect("the server listens");
    stream.write_all(b"dump").await.expect("a live socket");
    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("text");
    let (tracked, _) = text
        .split_once("ephemeral nodes dump:")
        .unwrap_or_else(|| panic!("no sessions in {text}"));
    let ids = tracked.lines().filter(|line| line.starts_with("\t0x"));
    ids.map(|id| id.trim().to_owned()).collect()
}

#[tokio::test]
async fn a_connect_that_is_dropped_leaves_no_session() {
    let server = Server::start().await;
    // One that is left behind is closed by nobody for as long as this test waits.
    let builder = server.builder().session_timeout(PATIENCE + PATIENCE / 3);
    let builder = builder.auth("digest", "a:b");
    // Those of other tests may expire meanwhile.
    let before = sessions(&server).await;
    let one = builder.connect().await.expect("a session");
    assert!(!sessions(&server).await.is_subset(&before), "one is open");
    one.close().await.expect("closed");
    at_each_await(|_| builder.connect()).await;
    until("all sessions are closed", async || {
        sessions(&server).await.is_subset(&before)
    })
    .await;
}

#[tokio::test]
async fn a_get_that_is_dropped_disturbs_nobody() {
    let (_server, client) = connected(|plain| plain).await;
    made(&client, "/g", "kept").await;
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
    let (_server, client) = connected(|plain| plain.outstanding_max(1)).await;
    let persistent = CreateOptions::persistent();
    at_each_await(|name| {
        let (client, persistent) = (client.clone(), persistent.clone());
        async move {
            // One is sent, and one waits behind it.
            let sent = client.create(&format!("/sent{name}"), "", &persistent);
            let waits = client.create(&format!("/waits{name}"), "", &persistent);
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
    let (_server, client) = connected(|plain| plain).await;
    let names = Mutex::new(Vec::new());
    at_each_await(|name| {
        let persistent = CreateOptions::persistent();
        let multi = client.multi().create(&format!("/a{name}"), "", &persistent);
        let multi = multi.create(&format!("/b{name}"), "", &persistent).commit();
        names.lock().expect("no panic").push(name);
        multi
    })
    .await;
    for name in names.into_inner().expect("no panic") {
        let a = client.exists(&format!("/a{name}"));
        let b = client.exists(&format!("/b{name}"));
        let a = a.await.expect("an answer").is_some();
        assert_eq!(b.await.expect("an answer").is_some(), a, "{name}");
    }
    client
        .set_data("/", "", Expected::Any)
        .await
        .expect("it goes on");
}
