use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use recipes::Semaphore;
use tokio::sync::Barrier;

use crate::common::{World, names, soon, until_count};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_than_there_are_leases() {
    const LEASES: usize = 2;
    const TURNS: usize = 8;
    let world = World::start();
    for layout in ["curator", "kazoo"] {
        let inside = Arc::new(AtomicUsize::new(0));
        // As many as there are leases meet in their first turns: all leases are used.
        let meeting = Arc::new(Barrier::new(LEASES));
        let mut tasks = Vec::new();
        for _ in 0..2 * LEASES {
            let client = world.client().await;
            let (inside, meeting) = (Arc::clone(&inside), Arc::clone(&meeting));
            tasks.push(tokio::spawn(async move {
                let semaphore = match layout {
                    "curator" => Semaphore::new(&client, "/curator", LEASES),
                    _ => Semaphore::kazoo(&client, "/kazoo", LEASES),
                };
                for turn in 0..TURNS {
                    let lease = semaphore.acquire().await.expect("a lease");
                    let now = inside.fetch_add(1, Ordering::SeqCst) + 1;
                    assert!(now <= LEASES, "{now} have a lease");
                    if turn == 0 {
                        meeting.wait().await;
                    } else {
                        tokio::task::yield_now().await;
                    }
                    inside.fetch_sub(1, Ordering::SeqCst);
                    lease.release().await.expect("given back");
                }
            }));
        }
        for task in tasks {
            soon("all turns", task).await.expect("no panic");
        }
    }
    let client = world.client().await;
    for path in [
        "/curator/leases",
        "/curator/locks",
        "/kazoo",
        "/kazoo-__lock__",
    ] {
        until_count(&client, path, 0).await;
    }
}

#[tokio::test]
async fn only_the_first_of_those_who_wait_watches_the_leases() {
    let world = World::start();
    let client = world.client().await;
    let semaphore = Semaphore::new(&client, "/pool", 1).data("me");
    let lease = semaphore.acquire().await.expect("a lease");
    let name = names(&client, "/pool/leases").await.pop().expect("a lease");
    assert!(
        name.starts_with("_c_") && name.ends_with("-lease-0000000000"),
        "{name}"
    );
    let data = client.get_data(lease.path()).await.expect("there").data;
    assert_eq!(data.as_deref(), Some(&b"me"[..]));
    assert!(semaphore.try_acquire().await.expect("an answer").is_none());
    assert_eq!(names(&client, "/pool/leases").await.len(), 1);
    let mut waiting = Vec::new();
    for count in 1..=3 {
        let other = world.client().await;
        waiting.push(tokio::spawn(async move {
            let lease = Semaphore::new(&other, "/pool", 1).acquire().await;
            lease.expect("a lease").release().await
        }));
        until_count(&client, "/pool/locks", count).await;
    }
    soon("all wait", async {
        while world.watch_count() != 3 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    })
    .await;
    // Two watch the nodes of those before them; so one, and no more, watches the leases.
    let watches = world.watches();
    assert_eq!(watches.len(), 2, "{watches:?}");
    assert!(
        watches
            .iter()
            .all(|(path, count)| path.starts_with("/pool/locks/") && *count == 1)
    );
    lease.release().await.expect("given back");
    for waiter in waiting {
        let done = soon("its turn", waiter).await.expect("no panic");
        done.expect("given back");
    }
}
