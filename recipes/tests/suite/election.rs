use recipes::{LeaderLatch, LeaderSelector, Led, Loss, Naming};

use crate::common::{World, names, soon, until_count};

#[tokio::test]
async fn the_next_candidate_is_elected() {
    let world = World::start();
    let client = world.client().await;
    let latches = ["one", "two", "three"].map(|id| LeaderLatch::new(&client, "/election", id));
    let mut candidates = Vec::new();
    for latch in &latches {
        candidates.push(latch.stand().await.expect("it stands"));
    }
    let name = names(&client, "/election").await.remove(0);
    assert!(
        name.starts_with("_c_") && name.contains("-latch-000000000"),
        "{name}"
    );
    let participants = || latches[0].participants();
    assert_eq!(
        participants().await.expect("an answer"),
        ["one", "two", "three"]
    );
    let third = candidates.pop().expect("three");
    let second = candidates.pop().expect("three");
    let first = candidates.pop().expect("three");
    assert!(first.is_first().await.expect("an answer"));
    assert!(!second.is_first().await.expect("an answer"));
    let leads = soon("elected", first.elected()).await.expect("elected");
    let token = leads.token();
    second.withdraw().await.expect("it stands");
    let next = tokio::spawn(third.elected());
    assert_eq!(
        latches[2].leader().await.expect("an answer").as_deref(),
        Some("one")
    );
    leads.resign().await.expect("it leads");
    let leads = soon("elected", next)
        .await
        .expect("no panic")
        .expect("elected");
    assert!(leads.token() > token);
    assert_eq!(participants().await.expect("an answer"), ["three"]);
    drop(leads);
    until_count(&client, "/election", 0).await;
    assert_eq!(latches[0].leader().await.expect("an answer"), None);
}

#[tokio::test]
async fn a_task_leads_until_it_ends_or_the_leadership_does() {
    let world = World::start();
    let client = world.client().await;
    for naming in [Naming::Curator, Naming::Kazoo] {
        let selector = LeaderSelector::new(&client, "/selector", "me").naming(naming);
        let led = selector.lead(async |_| selector.participants().await).await;
        let Led::Done(participants) = led.expect("elected") else {
            panic!("not lost");
        };
        assert_eq!(participants.expect("an answer"), ["me"]);
        let lost = selector.lead(async |leadership| {
            let deleted = client
                .delete(leadership.path(), client::Expected::Any)
                .await;
            deleted.expect("there");
            std::future::pending::<()>().await;
        });
        let lost = soon("the loss", lost).await.expect("elected");
        assert_eq!(lost, Led::Lost(Loss::Deleted));
        until_count(&client, "/selector", 0).await;
    }
}
