use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use client::{CreateOptions, ErrorCode, Expected};
use recipes::{Error, MultiMutex, Mutex, Naming, ReentrantMutex};

use crate::common::{World, names, soon, until_count};

/// What holders find out about each other.
#[derive(Default)]
struct Witness {
    inside: AtomicUsize,
    last_token: AtomicI64,
    turns: AtomicUsize,
}

impl Witness {
    async fn hold(&self, token: recipes::Token) {
        assert_eq!(self.inside.fetch_add(1, Ordering::SeqCst), 0, "two holders");
        let before = self.last_token.swap(token.0, Ordering::SeqCst);
        assert!(before < token.0, "tokens grow: {before} before {}", token.0);
        tokio::task::yield_now().await;
        self.turns.fetch_add(1, Ordering::SeqCst);
        self.inside.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contenders_of_both_namings_take_turns() {
    const TURNS: usize = 20;
    let world = World::start();
    let witness = Arc::new(Witness::default());
    let mut tasks = Vec::new();
    for naming in [Naming::Curator, Naming::Kazoo, Naming::Curator] {
        let client = world.client().await;
        let witness = Arc::clone(&witness);
        tasks.push(tokio::spawn(async move {
            let mutex = Mutex::new(&client, "/deep/down/lock").naming(naming);
            for turn in 0..TURNS {
                let guard = mutex.acquire().await.expect("a turn");
                witness.hold(guard.token()).await;
                // Some give it up, some just drop it.
                if turn % 2 == 0 {
                    guard.release().await.expect("given up");
                }
            }
        }));
    }
    for task in tasks {
        soon("all turns", task).await.expect("no panic");
    }
    assert_eq!(witness.turns.load(Ordering::SeqCst), 3 * TURNS);
    let client = world.client().await;
    until_count(&client, "/deep/down/lock", 0).await;
}

#[tokio::test]
async fn a_release_wakes_one() {
    const WAITING: usize = 20;
    let world = World::start();
    let first = world.client().await;
    let guard = Mutex::new(&first, "/lock").acquire().await.expect("free");
    let mut waiting = Vec::new();
    for count in 0..WAITING {
        let client = world.client().await;
        until_count(&first, "/lock", count + 1).await;
        waiting.push(tokio::spawn(async move {
            let guard = Mutex::new(&client, "/lock")
                .acquire()
                .await
                .expect("a turn");
            (client, guard)
        }));
    }
    until_count(&first, "/lock", WAITING + 1).await;
    let mut guard = guard;
    for (at, waiter) in waiting.into_iter().enumerate() {
        let left = WAITING - at;
        // Each has one watch, on a node of its own: that before it.
        soon("all wait", async {
            while world.watches().len() != left {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
        let watches = world.watches();
        assert!(watches.iter().all(|(_, count)| *count == 1), "{watches:?}");
        guard.release().await.expect("given up");
        let (_client, next) = soon("its turn", waiter).await.expect("no panic");
        guard = next;
    }
}

#[tokio::test]
async fn try_and_wait_for_a_while() {
    let world = World::start();
    let (one, other) = (world.client().await, world.client().await);
    let (mine, theirs) = (Mutex::new(&one, "/lock"), Mutex::new(&other, "/lock"));
    let guard = mine.try_acquire().await.expect("an answer").expect("free");
    assert!(theirs.try_acquire().await.expect("an answer").is_none());
    assert_eq!(names(&one, "/lock").await.len(), 1, "it went at once");
    let short = Duration::from_millis(50);
    assert!(
        theirs
            .acquire_within(short)
            .await
            .expect("an answer")
            .is_none()
    );
    until_count(&one, "/lock", 1).await;
    assert_eq!(mine.contenders().await.expect("an answer"), [guard.path()]);
    guard.release().await.expect("given up");
    let long = Duration::from_secs(30);
    assert!(
        theirs
            .acquire_within(long)
            .await
            .expect("an answer")
            .is_some()
    );
}

#[tokio::test]
async fn a_node_has_the_name_and_data_it_is_to_have() {
    let world = World::start();
    let client = world.client().await;
    let curator = Mutex::new(&client, "/c").data("me");
    let guard = curator.acquire().await.expect("free");
    let name = names(&client, "/c").await.pop().expect("a node");
    assert!(
        name.starts_with("_c_") && name.ends_with("-lock-0000000000"),
        "{name}"
    );
    assert_eq!(guard.path(), format!("/c/{name}"));
    let node = client.get_data(guard.path()).await.expect("there");
    assert_eq!(node.data.as_deref(), Some(&b"me"[..]));
    assert_eq!(guard.token().0, node.stat.czxid);
    assert_eq!(node.stat.ephemeral_owner, client.session_id());
    let kazoo = Mutex::new(&client, "/k").naming(Naming::Kazoo);
    let _guard = kazoo.acquire().await.expect("free");
    let name = names(&client, "/k").await.pop().expect("a node");
    assert!(
        name.ends_with("__lock__0000000000") && name.len() == 32 + 18,
        "{name}"
    );
}

#[tokio::test]
async fn guarded_writes_fail_once_it_is_lost() {
    let world = World::start();
    let client = world.client().await;
    let made = client
        .create("/data", "0", &CreateOptions::persistent())
        .await;
    made.expect("made");
    let guard = Mutex::new(&client, "/lock").acquire().await.expect("free");
    guard
        .set_data("/data", "1", Expected::Any)
        .await
        .expect("held");
    assert!(guard.is_held().await.expect("an answer"));
    client
        .delete(guard.path(), Expected::Any)
        .await
        .expect("there");
    assert!(!guard.is_held().await.expect("an answer"));
    let refused = guard.set_data("/data", "2", Expected::Any).await;
    let expected = client::Error::MultiFailed {
        index: 0,
        code: ErrorCode::NoNode,
    };
    assert_eq!(refused, Err(Error::Client(expected)));
    let data = client.get_data("/data").await.expect("there").data;
    assert_eq!(data.as_deref(), Some(&b"1"[..]));
}

#[tokio::test]
async fn re_entrance_counts() {
    let world = World::start();
    let client = world.client().await;
    let mutex = ReentrantMutex::new(&client, "/lock");
    let other = ReentrantMutex::new(&client, "/lock");
    let outer = mutex.acquire().await.expect("free");
    let inner = mutex.clone().acquire().await.expect("held already");
    assert_eq!(names(&client, "/lock").await.len(), 1);
    outer.release().await.expect("once");
    let waiting = tokio::spawn(async move { other.acquire().await.map(|guard| guard.token()) });
    until_count(&client, "/lock", 2).await;
    let token = inner.token();
    assert!(inner.is_held().await.expect("an answer"));
    inner.release().await.expect("the last time");
    let next = soon("its turn", waiting).await.expect("no panic");
    assert!(next.expect("a turn") > token);
    // It is acquired anew.
    soon("free again", mutex.acquire()).await.expect("free");
}

#[tokio::test]
async fn several_mutexes_are_had_together_or_not_at_all() {
    let world = World::start();
    let client = world.client().await;
    let all = || ["/a", "/b", "/c"].map(|path| Mutex::new(&client, path));
    let both = MultiMutex::new(all());
    let last = all()[2].acquire().await.expect("free");
    assert!(both.try_acquire().await.expect("an answer").is_none());
    for path in ["/a", "/b"] {
        assert_eq!(names(&client, path).await, [""; 0], "given up");
    }
    last.release().await.expect("given up");
    let guards = both.acquire().await.expect("free");
    assert_eq!(guards.iter().count(), 3);
    drop(guards);
    for path in ["/a", "/b", "/c"] {
        until_count(&client, path, 0).await;
    }
}

#[tokio::test]
async fn a_holder_hears_that_it_is_to_let_go() {
    let world = World::start();
    let (one, other) = (world.client().await, world.client().await);
    let mutex = Mutex::new(&one, "/lock");
    let guard = mutex.acquire().await.expect("free");
    let asks = async {
        let contenders = Mutex::new(&other, "/lock").contenders().await;
        recipes::revoke(&other, &contenders.expect("an answer")[0]).await
    };
    let (heard, asked) = soon("a word", async { tokio::join!(guard.revocation(), asks) }).await;
    heard.expect("it was asked");
    asked.expect("it is held");
    assert!(
        guard.is_held().await.expect("an answer"),
        "the choice is the holder's"
    );
}
