//! Lost connections, expired sessions, and what is promised about order and bounds.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests of the shell have clocks and sockets"
)]

mod common;

use std::time::Duration;

use client::{
    AddWatchMode, Call, Client, CreateOptions, Error, ErrorCode, EventType, Expected, Notice, Stat,
    Status, WatchEnd,
};
use common::{Proxy, Server, behind_proxy, connected, made, soon, until};

const LONG: Duration = Duration::from_secs(4);

async fn wait_for(client: &Client, status: Status) {
    let mut states = client.states();
    let found = soon(states.wait_for(|state| state.status == status)).await;
    assert!(found.is_some(), "{status:?} never comes");
}

#[tokio::test]
async fn session_and_watches_survive_a_lost_connection() {
    let (server, proxy, client) = behind_proxy(|plain| plain.session_timeout(LONG)).await;
    let other = server.client().await;
    made(&client, "/w", "").await;
    client
        .create("/e", "", &CreateOptions::ephemeral())
        .await
        .expect("new");
    let session = client.session_id();
    let (_, changed) = client.get_data_and_watch("/w").await.expect("data");
    let (_, created) = client.exists_and_watch("/later").await.expect("no node");
    let (_, _, child) = client.get_children_and_watch("/w").await.expect("names");
    let mut tree = client
        .add_watch("/", AddWatchMode::PersistentRecursive)
        .await
        .expect("set");

    proxy.close();
    wait_for(&client, Status::Disconnected).await;
    other
        .set_data("/w", "x", Expected::Any)
        .await
        .expect("written");
    made(&other, "/later", "").await;
    proxy.open();
    wait_for(&client, Status::Connected).await;
    assert_eq!(
        (client.session_id(), client.state().connection),
        (session, 2)
    );
    // What was missed is told by the standard watches, and marked by the persistent one.
    assert_eq!(
        soon(changed).await.expect("an event").kind,
        EventType::NodeDataChanged
    );
    let event = soon(created).await.expect("an event");
    assert_eq!((event.kind, event.zxid), (EventType::NodeCreated, None));
    assert_eq!(soon(tree.next()).await, Ok(Notice::Disconnected));
    assert_eq!(soon(tree.next()).await, Ok(Notice::Reconnected));
    // Both are set again.
    made(&other, "/w/c", "").await;
    let event = soon(child).await.expect("an event");
    assert_eq!(event.kind, EventType::NodeChildrenChanged);
    // What the standard watches were told at their return comes here too.
    loop {
        match soon(tree.next()).await {
            Ok(Notice::Event(event)) if event.path == "/w/c" => break,
            Ok(Notice::Event(event)) => assert_eq!(event.zxid, None),
            other => panic!("{other:?}"),
        }
    }
    assert!(other.exists("/e").await.expect("an answer").is_some());
}

#[tokio::test]
async fn a_loss_tells_what_may_have_happened() {
    let (server, proxy, client) = behind_proxy(|plain| plain.outstanding_max(1)).await;
    let other = server.client().await;
    let persistent = CreateOptions::persistent();
    proxy.hold_answers(true);
    let first = client.create("/first", "", &persistent);
    let second = client.create("/second", "", &persistent);
    until("the first is created", async || {
        other.exists("/first").await.expect("an answer").is_some()
    })
    .await;
    proxy.cut();
    let first = soon(first).await.expect_err("no answer");
    let second = soon(second).await.expect_err("not sent");
    assert_eq!((&first, &second), (&Error::ConnectionLoss, &Error::NotSent));
    assert!(first.may_have_happened());
    assert!(!second.may_have_happened());
    proxy.hold_answers(false);
    // The session goes on, and nothing of the old connection comes late.
    let third = soon(client.create("/second", "", &persistent)).await;
    assert!(third.is_ok(), "{third:?}");
}

#[tokio::test]
async fn a_watch_that_fires_with_its_own_answer_is_told() {
    let (server, proxy, client) = behind_proxy(|plain| plain.session_timeout(LONG)).await;
    let other = server.client().await;
    let persistent = CreateOptions::persistent();
    made(&client, "/there", "").await;
    proxy.hold_answers(true);
    let absent = client.exists_and_watch("/absent");
    let there = client.get_data_and_watch("/there");
    // Behind the reads, whose answers are held: so they were served before what follows.
    let marker = client.create("/marker", "", &persistent);
    until("the marker is there", async || {
        other.exists("/marker").await.expect("an answer").is_some()
    })
    .await;
    made(&other, "/absent", "").await;
    other
        .set_data("/there", "x", Expected::Any)
        .await
        .expect("written");
    proxy.hold_answers(false);
    let (none, created) = soon(absent).await.expect("an answer");
    let (node, changed) = soon(there).await.expect("an answer");
    assert_eq!((none, node.stat.version), (None, 0));
    assert_eq!(
        soon(created).await.expect("an event").kind,
        EventType::NodeCreated
    );
    assert_eq!(
        soon(changed).await.expect("an event").kind,
        EventType::NodeDataChanged
    );
    soon(marker).await.expect("new");
}

#[tokio::test]
async fn states_end_with_the_session() {
    let (_server, client) = connected(|plain| plain).await;
    let mut states = client.states();
    let mut never = client.states();
    client.close().await.expect("closed");
    assert_eq!(
        soon(states.changed()).await.map(|state| state.status),
        Some(Status::Closed)
    );
    assert_eq!(soon(states.changed()).await, None);
    assert_eq!(
        soon(never.wait_for(|state| state.connection == 9)).await,
        None
    );
    assert_eq!(client.state().status, Status::Closed);
}

#[tokio::test]
async fn calls_wait_for_a_connection_up_to_their_limit() {
    let (_server, proxy, client) =
        behind_proxy(|plain| plain.unsent_timeout(Duration::from_millis(300))).await;
    proxy.close();
    wait_for(&client, Status::Disconnected).await;
    let late = soon(client.exists("/")).await;
    assert_eq!(late, Err(Error::NotSent));
    proxy.open();
    // The rest before the next attempt may be longer than what this client bears.
    until("a call is sent", async || client.exists("/").await.is_ok()).await;
}

#[tokio::test]
async fn an_expired_session_ends_everything_and_can_be_followed_by_another() {
    let (server, proxy, client) =
        behind_proxy(|plain| plain.session_timeout(Duration::from_millis(600))).await;
    client
        .create("/e", "", &CreateOptions::ephemeral())
        .await
        .expect("new");
    let (_, data) = client.get_data_and_watch("/e").await.expect("data");
    let mut tree = client
        .add_watch("/", AddWatchMode::Persistent)
        .await
        .expect("set");
    proxy.close();
    wait_for(&client, Status::Disconnected).await;
    let other = server.client().await;
    until("the ephemeral goes", async || {
        other.exists("/e").await.expect("an answer").is_none()
    })
    .await;
    let waiting = client.exists("/");
    proxy.open();
    wait_for(&client, Status::Expired).await;
    let failed = soon(waiting).await.expect_err("expired");
    assert_eq!(failed, Error::SessionExpired);
    assert!(failed.is_session_end() && !failed.may_have_happened());
    assert_eq!(client.exists("/").await, Err(Error::SessionExpired));
    assert_eq!(soon(data).await, Err(WatchEnd::SessionExpired));
    assert_eq!(soon(tree.next()).await, Ok(Notice::Disconnected));
    assert_eq!(soon(tree.next()).await, Err(WatchEnd::SessionExpired));
    let old = client.session_id();
    assert!(client.close().await.is_ok(), "it is over already");
    let client = client.renew().await.expect("a session");
    assert_ne!(client.session_id(), old);
    assert!(client.exists("/").await.is_ok());
}

#[tokio::test]
async fn calls_happen_in_the_order_in_which_they_were_made() {
    let (_server, client) = connected(|plain| plain.outstanding_max(3)).await;
    let numbered = CreateOptions::persistent().sequential();
    let calls: Vec<_> = (0..60)
        .map(|_| client.create("/n-", "", &numbered))
        .collect();
    // Polled the other way round, and far more than are sent at once.
    let mut numbers = Vec::new();
    for call in calls.into_iter().rev() {
        numbers.push(soon(call).await.expect("new").path);
    }
    numbers.reverse();
    let expected: Vec<_> = (0..60).map(|number| format!("/n-{number:010}")).collect();
    assert_eq!(numbers, expected);
}

#[tokio::test]
async fn what_waits_is_bounded() {
    let (_server, proxy, client) =
        behind_proxy(|plain| plain.outstanding_max(2).waiting_max(3)).await;
    proxy.hold_requests(true);
    let calls: Vec<_> = (0..5).map(|_| client.exists("/")).collect();
    assert_eq!(client.exists("/").await, Err(Error::TooManyWaiting));
    // One that is dropped makes room.
    let mut calls = calls.into_iter();
    let sent: Vec<_> = calls.by_ref().take(2).collect();
    drop(calls.next());
    let another = client.exists("/");
    assert_eq!(client.exists("/").await, Err(Error::TooManyWaiting));
    proxy.hold_requests(false);
    for call in sent.into_iter().chain(calls).chain([another]) {
        assert!(soon(call).await.is_ok());
    }
}

#[tokio::test]
async fn calls_made_together_make_one_write() {
    let (_server, proxy, client) = behind_proxy(|plain| plain.session_timeout(LONG)).await;
    let before = proxy.pieces();
    let calls: Vec<_> = (0..50).map(|_| client.exists("/")).collect();
    for call in calls {
        assert!(soon(call).await.is_ok());
    }
    // One, unless a ping falls in between.
    let pieces = proxy.pieces() - before;
    assert!(pieces <= 2, "{pieces} writes");
}

/// More than all buffers between two sockets hold, made at once and held by the proxy: each call
/// needs the one before it.
async fn large_calls() -> (Server, Proxy, Client, Vec<Call<Stat>>) {
    let (server, proxy, client) = behind_proxy(|plain| plain.session_timeout(LONG)).await;
    made(&client, "/n", "").await;
    proxy.hold_requests(true);
    let set = |version: u8| client.set_data("/n", vec![version; 200_000], i32::from(version));
    let calls = (0..100).map(set).collect();
    tokio::task::yield_now().await;
    (server, proxy, client, calls)
}

#[tokio::test]
async fn what_the_system_does_not_take_at_once_is_sent_in_order() {
    let (_server, proxy, client, calls) = large_calls().await;
    proxy.hold_requests(false);
    for call in calls {
        assert!(soon(call).await.is_ok());
    }
    let node = soon(client.get_data("/n")).await.expect("there");
    assert_eq!(node.data.as_deref(), Some(&[99; 200_000][..]));
}

/// Callers on several threads and the driver take turns in sending. Each needs its own calls in
/// order, and a byte at the wrong place would end the connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_on_several_threads_do_not_get_between_each_other() {
    const CALLERS: i32 = 6;
    const ROUNDS: i32 = 40;
    const TOGETHER: i32 = 25;
    let (_server, client) = connected(|plain| plain.session_timeout(LONG)).await;
    let caller = |number: i32| {
        let client = client.clone();
        async move {
            let path = format!("/n-{number}");
            made(&client, &path, "").await;
            for round in 0..ROUNDS {
                // From less than what a caller sends by itself up to more than what it keeps.
                let size = 11 << ((round + number) % 14);
                let set = |call: i32| {
                    let version = round * TOGETHER + call;
                    let byte = version.to_le_bytes()[0];
                    client.set_data(&path, vec![byte; size], version)
                };
                let calls: Vec<_> = (0..TOGETHER).map(set).collect();
                for call in calls {
                    assert!(soon(call).await.is_ok());
                }
            }
        }
    };
    let callers: Vec<_> = (0..CALLERS).map(|n| tokio::spawn(caller(n))).collect();
    for caller in callers {
        caller.await.expect("all were set");
    }
    let last = (ROUNDS * TOGETHER - 1).to_le_bytes()[0];
    for number in 0..CALLERS {
        let path = format!("/n-{number}");
        let node = soon(client.get_data(&path)).await.expect("there");
        assert!(
            node.data
                .is_some_and(|data| data.iter().all(|byte| *byte == last))
        );
        assert_eq!(node.stat.version, ROUNDS * TOGETHER);
    }
}

#[tokio::test]
async fn what_was_on_its_way_goes_with_its_connection() {
    let (_server, proxy, client, calls) = large_calls().await;
    proxy.cut();
    proxy.hold_requests(false);
    let mut set = 0;
    for call in calls {
        match soon(call).await {
            Ok(_) => set += 1,
            Err(error) => assert_eq!(error, Error::ConnectionLoss),
        }
    }
    // Half a request in front of it would be no request.
    let node = soon(client.get_data("/n")).await.expect("there");
    assert!(set < 100 && node.stat.version >= set, "{set} were set");
}

#[tokio::test]
async fn a_call_that_is_dropped_before_it_is_sent_does_not_happen() {
    let (_server, client) = connected(|plain| plain.outstanding_max(1)).await;
    let persistent = CreateOptions::persistent();
    let first = client.create("/sent", "", &persistent);
    let second = client.create("/waits", "", &persistent);
    drop((first, second));
    client.sync("/").await.expect("an answer");
    assert!(client.exists("/sent").await.expect("an answer").is_some());
    assert!(client.exists("/waits").await.expect("an answer").is_none());
}

#[tokio::test]
async fn the_last_clone_closes_the_session() {
    let server = Server::start().await;
    let (client, other) = (server.client().await, server.client().await);
    let clone = client.chroot("/x").expect("a path");
    let (_, created) = other.exists_and_watch("/e").await.expect("an answer");
    // Made, and not awaited: the close goes behind it.
    drop(client.create("/e", "", &CreateOptions::ephemeral()));
    drop(client);
    soon(created).await.expect("an event");
    let (_, gone) = other
        .get_data_and_watch("/e")
        .await
        .expect("it lives in the clone");
    drop(clone);
    let event = soon(gone).await.expect("an event");
    assert_eq!(event.kind, EventType::NodeDeleted);
}

#[tokio::test]
async fn closing_goes_on_without_a_connection() {
    let (server, proxy, client) = behind_proxy(|plain| plain.session_timeout(LONG)).await;
    client
        .create("/e", "", &CreateOptions::ephemeral())
        .await
        .expect("new");
    proxy.close();
    wait_for(&client, Status::Disconnected).await;
    let closing = tokio::spawn({
        let client = client.clone();
        async move { client.close().await }
    });
    tokio::task::yield_now().await;
    assert_eq!(client.exists("/").await, Err(Error::Closed));
    proxy.open();
    assert_eq!(soon(closing).await.expect("no panic"), Ok(()));
    assert_eq!(client.state().status, Status::Closed);
    let other = server.client().await;
    assert_eq!(other.exists("/e").await, Ok(None));

    // With nobody there to be told it gives up in the end.
    let (_server, proxy, client) =
        behind_proxy(|plain| plain.session_timeout(Duration::from_millis(500))).await;
    proxy.close();
    wait_for(&client, Status::Disconnected).await;
    assert_eq!(soon(client.close()).await, Err(Error::NotSent));
}

#[tokio::test]
async fn identities_are_given_again() {
    let (_server, proxy, client) = behind_proxy(|plain| plain.session_timeout(LONG)).await;
    client.add_auth("digest", "bob:pw").await.expect("accepted");
    let mine = CreateOptions::persistent().acl(client::acl::creator_all());
    client.create("/mine", "", &mine).await.expect("new");
    for connection in 2..5 {
        proxy.cut();
        let mut states = client.states();
        soon(states.wait_for(|state| state.connection == connection)).await;
        assert!(soon(client.get_data("/mine")).await.is_ok());
    }
}

#[test]
fn a_runtime_that_goes_takes_nobody_along() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (_server, client, mut watcher) = runtime.block_on(async {
        let server = Server::start().await;
        let client = server.client().await;
        let watcher = client.add_watch("/", AddWatchMode::Persistent).await;
        (server, client, watcher.expect("set"))
    });
    drop(runtime);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        assert_eq!(client.exists("/").await, Err(Error::Closed));
        assert_eq!(watcher.next().await, Err(WatchEnd::Closed));
        assert_eq!(client.close().await, Ok(()));
        let refused = client
            .create("nonsense", "", &CreateOptions::persistent())
            .await;
        assert_eq!(refused.expect_err("no path").code(), None::<ErrorCode>);
    });
}

/// A server without a quorum, as far as a client can tell: it grants sessions of its own and
/// says `ro`, or `rw` when `serves` says so.
async fn read_only_server(
    writable: std::sync::Arc<std::sync::atomic::AtomicBool>,
) -> std::net::SocketAddr {
    use jute::proto::ConnectResponse;
    use jute::wire::Encode;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let is_writable = writable.load(std::sync::atomic::Ordering::SeqCst);
            tokio::spawn(async move {
                let mut first = [0; 4];
                stream.read_exact(&mut first).await?;
                if first == *b"isro" {
                    let answer: &[u8] = if is_writable { b"rw" } else { b"ro" };
                    return stream.write_all(answer).await;
                }
                let mut rest = vec![0; u32::from_be_bytes(first) as usize];
                stream.read_exact(&mut rest).await?;
                let mut answer = Vec::new();
                jute::frame::append(&mut answer, |out| {
                    ConnectResponse {
                        protocol_version: 0,
                        timeout_ms: 4000,
                        session_id: if is_writable { 2 } else { 1 },
                        passwd: Some(&[1; 16]),
                        read_only: Some(!is_writable),
                    }
                    .encode(out);
                });
                stream.write_all(&answer).await?;
                // Serves nothing more, but stays.
                while stream.read(&mut [0; 512]).await? > 0 {}
                Ok::<_, std::io::Error>(())
            });
        }
    });
    address
}

#[tokio::test]
async fn a_read_only_server_is_left_for_one_that_takes_writes() {
    let writable = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let address = read_only_server(std::sync::Arc::clone(&writable)).await;
    let client = Client::builder(address.to_string())
        .read_only(true)
        .connect()
        .await;
    let client = client.expect("a session");
    assert_eq!(client.state().status, Status::ConnectedReadOnly);
    writable.store(true, std::sync::atomic::Ordering::SeqCst);
    wait_for(&client, Status::Connected).await;
    assert_eq!(client.session_id(), 2);
}
