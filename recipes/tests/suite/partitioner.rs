use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use client::{Client, Expected};
use recipes::{Error, Loss, PartitionChange, SetPartitioner};

use crate::common::{World, names, soon, until_count};

const ITEMS: [&str; 5] = ["a", "b", "c", "d", "e"];
/// Members come one after the other well within it.
const BOUNDARY: Duration = Duration::from_millis(150);

fn partitioner(client: &Client, identifier: &str) -> SetPartitioner {
    SetPartitioner::new(client, "/set", identifier, ITEMS).time_boundary(BOUNDARY)
}

#[tokio::test]
async fn a_set_is_divided_anew_when_members_come_and_go() {
    let world = World::start();
    let client = world.client().await;
    let mut one = partitioner(&client, "1").join().await.expect("a member");
    let all = soon("the set", one.acquire()).await.expect("all of it");
    assert_eq!(all.items(), ITEMS);

    let mut two = partitioner(&client, "2").join().await.expect("a member");
    let change = soon("a change", all.changed()).await;
    assert_eq!(change, PartitionChange::Members);
    assert_eq!(all.changed().await, change, "it is told again");
    {
        // The other one waits for items that are not released.
        let mut waits = std::pin::pin!(two.acquire());
        let early = tokio::time::timeout(3 * BOUNDARY, &mut waits).await;
        assert!(early.is_err(), "the first one has it still");
        all.release().await.expect("given up");
        let (half, other) = tokio::join!(one.acquire(), waits);
        let (half, other) = (half.expect("half"), other.expect("half"));
        assert_eq!(half.items(), ["a", "c", "e"]);
        assert_eq!(other.items(), ["b", "d"]);
        half.release().await.expect("given up");
        other.release().await.expect("given up");
    }
    two.leave().await.expect("it leaves");
    let all = soon("the set", one.acquire()).await.expect("all of it");
    assert_eq!(all.items(), ITEMS);
    all.release().await.expect("given up");
    one.leave().await.expect("it leaves");
    assert!(names(&client, "/set/party").await.is_empty());
    for item in ITEMS {
        assert!(
            names(&client, &format!("/set/locks/{item}"))
                .await
                .is_empty()
        );
    }
}

#[tokio::test]
async fn a_group_that_starts_together_divides_once() {
    let world = World::start();
    let client = world.client().await;
    let mut tasks = tokio::task::JoinSet::new();
    let all_have_theirs = Arc::new(tokio::sync::Barrier::new(3));
    for identifier in ["1", "2", "3"] {
        let partitioner = partitioner(&client, identifier);
        let all_have_theirs = Arc::clone(&all_have_theirs);
        tasks.spawn(async move {
            let mut member = partitioner.join().await.expect("a member");
            let partition = member.acquire().await.expect("a part");
            all_have_theirs.wait().await;
            (identifier, partition.items().to_vec())
        });
    }
    let mut parts = BTreeMap::new();
    while let Some(part) = soon("a part", tasks.join_next()).await {
        let (identifier, items) = part.expect("no panic");
        parts.insert(identifier, items);
    }
    let expected = [
        ("1", vec!["a", "d"]),
        ("2", vec!["b", "e"]),
        ("3", vec!["c"]),
    ];
    let parts: Vec<_> = parts.into_iter().collect();
    let expected =
        expected.map(|(who, items)| (who, items.into_iter().map(str::to_owned).collect()));
    assert_eq!(parts, expected);
}

#[tokio::test]
async fn items_are_locked_with_tokens() {
    let world = World::start();
    let client = world.client().await;
    let whole = partitioner(&client, "1").divide_by(|own, members, items| {
        assert_eq!((own, members), ("1", &["1".to_owned()][..]));
        vec![items[1].clone()]
    });
    let mut member = whole.join().await.expect("a member");
    assert_eq!(whole.members().await.expect("an answer"), ["1"]);
    let partition = soon("the set", member.acquire()).await.expect("a part");
    assert_eq!(partition.items(), ["b"]);
    let hold = partition.hold("b").expect("it is locked");
    assert!(hold.path().starts_with("/set/locks/b/"));
    assert!(hold.is_held().await.expect("an answer"));
    assert!(partition.hold("a").is_none());
}

#[tokio::test]
async fn who_is_thrown_out_hears_of_it() {
    let world = World::start();
    let (client, other) = (world.client().await, world.client().await);
    let mut member = partitioner(&client, "1").join().await.expect("a member");
    let partition = soon("the set", member.acquire()).await.expect("all of it");
    let party = names(&other, "/set/party").await;
    let node = format!("/set/party/{}", party[0]);
    other.delete(&node, Expected::Any).await.expect("deleted");
    let change = soon("a change", partition.changed()).await;
    let lost = PartitionChange::Lost(Loss::Deleted);
    assert!(
        [PartitionChange::Members, lost].contains(&change),
        "{change:?}"
    );
    drop(partition);
    let again = soon("an answer", member.acquire()).await.map(drop);
    assert_eq!(again, Err(Error::Deleted(node)));
    for item in ITEMS {
        until_count(&other, &format!("/set/locks/{item}"), 0).await;
    }

    let mut member = partitioner(&client, "1").join().await.expect("a member");
    let partition = soon("the set", member.acquire()).await.expect("all of it");
    client.close().await.expect("closed");
    let change = soon("a change", partition.changed()).await;
    let lost = PartitionChange::Lost(Loss::SessionEnded);
    assert!(
        [PartitionChange::Members, lost].contains(&change),
        "{change:?}"
    );
    drop(partition);
    let again = soon("an answer", member.acquire()).await.map(drop);
    assert!(again.is_err_and(|error| error.is_session_end()));
    until_count(&other, "/set/party", 0).await;
}
