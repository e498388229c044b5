//! Who offers which service.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use client::{Client, CreateOptions, Expected};
use recipes::{
    Discovery, DownPolicy, Error, InstanceChange, ServiceInstance, ServiceType, Strategy,
};
use serde::{Deserialize, Serialize};

use crate::common::{Proxy, World, connect, names, soon, until_count};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Details {
    zone: String,
}

fn web(id: &str, zone: &str) -> ServiceInstance<Details> {
    let zone = zone.to_owned();
    let instance = ServiceInstance::new("web", id, SystemTime::UNIX_EPOCH);
    instance
        .address("10.0.0.1")
        .port(80)
        .payload(Details { zone })
}

fn discovery(client: &Client) -> Discovery<Details> {
    Discovery::new(client, "/services")
}

/// The next change that is not of the connection.
async fn change(cache: &mut recipes::ServiceCache<Details>) -> InstanceChange<Details> {
    loop {
        match soon("a change", cache.next()).await.expect("it goes on") {
            InstanceChange::Settled(_) => {}
            change => return change,
        }
    }
}

#[tokio::test]
async fn instances_are_found_by_others() {
    let world = World::start();
    let (mine, other) = (world.client().await, world.client().await);
    let (mine, other) = (discovery(&mine), discovery(&other));
    assert!(other.names().await.expect("an answer").is_empty());
    assert!(other.instances("web").await.expect("an answer").is_empty());

    let one = mine.register(&web("1", "north")).await.expect("it is new");
    let two = web("2", "south").service_type(ServiceType::Static);
    let two = mine.register(&two).await.expect("it is new");
    assert_eq!(other.names().await.expect("an answer"), ["web"]);
    let found = other.instances("web").await.expect("both");
    let static_two = web("2", "south").service_type(ServiceType::Static);
    assert_eq!(found, [web("1", "north"), static_two]);
    let found = other.instance("web", "1").await.expect("an answer");
    assert_eq!(found, Some(web("1", "north")));
    assert_eq!(other.instance("web", "3").await.expect("an answer"), None);

    one.update(&web("1", "west")).await.expect("written");
    let found = other.instance("web", "1").await.expect("an answer");
    assert_eq!(found, Some(web("1", "west")));
    let refused = one.update(&web("3", "west")).await;
    assert!(matches!(refused, Err(Error::NotAnInstance { .. })));

    one.unregister().await.expect("removed");
    two.unregister().await.expect("removed");
    assert!(other.instances("web").await.expect("an answer").is_empty());
}

#[tokio::test]
async fn a_node_that_is_no_instance_is_told() {
    let world = World::start();
    let client = world.client().await;
    let services = discovery(&client);
    let _one = services.register(&web("1", "north")).await.expect("new");
    let mut cache = services.cache("web").await.expect("a watch");
    let added = InstanceChange::Added(Arc::new(web("1", "north")));
    assert_eq!(change(&mut cache).await, added);
    let persistent = CreateOptions::persistent();
    let broken = client.create("/services/web/2", "nonsense", &persistent);
    broken.await.expect("new");
    let error = services.instances("web").await.expect_err("one is none");
    let Error::NotAnInstance { path, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(path, "/services/web/2");
    assert_eq!(change(&mut cache).await, InstanceChange::Unreadable(error));
    assert_eq!(cache.instances().len(), 1);
}

#[tokio::test]
async fn a_cache_tells_what_changes() {
    let world = World::start();
    let (mine, other) = (world.client().await, world.client().await);
    let services = discovery(&mine);
    let mut cache = discovery(&other).cache("web").await.expect("a watch");
    soon("settled", cache.settled()).await.expect("nothing yet");
    assert_eq!(cache.instances().len(), 0);

    let one = services.register(&web("1", "north")).await.expect("new");
    let added = InstanceChange::Added(Arc::new(web("1", "north")));
    assert_eq!(change(&mut cache).await, added);
    one.update(&web("1", "west")).await.expect("written");
    let changed = InstanceChange::Changed(Arc::new(web("1", "west")));
    assert_eq!(change(&mut cache).await, changed);
    assert_eq!(cache.get("1").map(|one| &**one), Some(&web("1", "west")));
    // Another service is none of its business.
    let mut api = web("9", "north");
    api.name = "api".to_owned();
    let _api = services.register(&api).await.expect("new");
    one.unregister().await.expect("removed");
    let removed = InstanceChange::Removed(Arc::new(web("1", "west")));
    assert_eq!(change(&mut cache).await, removed);
    assert!(cache.get("1").is_none());
}

#[tokio::test]
async fn a_provider_passes_over_who_is_disabled_or_down() {
    let world = World::start();
    let (mine, other) = (world.client().await, world.client().await);
    let services = discovery(&mine);
    let mut off = web("0", "north");
    off.enabled = false;
    let mut registrations = Vec::new();
    for instance in [off, web("1", "north"), web("2", "north")] {
        registrations.push(services.register(&instance).await.expect("new"));
    }
    let policy = DownPolicy {
        errors_min: 2,
        lasts: Duration::from_secs(3600),
    };
    let other = discovery(&other);
    let provider = other.provider("web", Strategy::RoundRobin, policy).await;
    let provider = provider.expect("read");
    let pick = || provider.pick().expect("read").expect("one of them");
    let picked = [pick(), pick(), pick()].map(|picked| picked.id.clone());
    assert_eq!(picked, ["1", "2", "1"]);

    let one = web("1", "north");
    provider.report_error(&one);
    assert_eq!(provider.instances().expect("read").len(), 2, "one is none");
    provider.report_error(&one);
    let up = provider.instances().expect("read");
    assert_eq!(
        up.iter().map(|up| up.id.as_str()).collect::<Vec<_>>(),
        ["2"]
    );

    // It follows what happens.
    for registration in registrations.drain(..) {
        registration.unregister().await.expect("removed");
    }
    soon("nobody", async {
        while provider.pick().expect("read").is_some() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
    mine.close().await.expect("closed");
}

#[tokio::test]
async fn errors_are_forgotten_after_a_while() {
    let world = World::start();
    let client = world.client().await;
    let services = discovery(&client);
    let _one = services.register(&web("1", "north")).await.expect("new");
    let policy = DownPolicy {
        errors_min: 1,
        lasts: Duration::from_millis(200),
    };
    let random = Strategy::Random { seed: 1 };
    let provider = services.provider("web", Strategy::Sticky(Box::new(random)), policy);
    let provider = provider.await.expect("read");
    provider.report_error(&web("1", "north"));
    assert!(provider.pick().expect("read").is_none());
    soon("it is up again", async {
        while provider.pick().expect("read").is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    client.close().await.expect("closed");
    soon("the end is told", async {
        while provider.pick().is_ok() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_registration_outlives_its_session() {
    let world = World::start();
    let proxy = Proxy::to(world.server.address()).await;
    let (mine, other) = (connect(proxy.address).await, world.client().await);
    let one = discovery(&mine).register(&web("1", "north")).await;
    let one = one.expect("new");
    let token = one.token();
    proxy.cut();
    until_count(&other, "/services/web", 0).await;
    proxy.mend();
    soon("it is back", one.made_after(token))
        .await
        .expect("kept");
    let found = discovery(&other).instance("web", "1").await;
    assert_eq!(found.expect("an answer"), Some(web("1", "north")));
    let before = one.token();
    let deleted = other.delete(&one.path(), Expected::Any).await;
    deleted.expect("there");
    soon("it is back", one.made_after(before))
        .await
        .expect("kept");
    one.unregister().await.expect("removed");
    assert!(names(&other, "/services/web").await.is_empty());
}

/// Two may have the same id: each has a node of its own, with a number, as with Curator.
#[tokio::test]
async fn sequential_registrations_share_an_id() {
    let world = World::start();
    let proxy = Proxy::to(world.server.address()).await;
    let (mine, other) = (connect(proxy.address).await, world.client().await);
    let (mine, others) = (discovery(&mine), discovery(&other));
    let sequential = |zone| web("1", zone).service_type(ServiceType::DynamicSequential);
    let one = mine.register(&sequential("north")).await.expect("new");
    let two = others.register(&sequential("south")).await.expect("new");
    assert_ne!(one.path(), two.path());
    for path in [one.path(), two.path()] {
        let name = path.strip_prefix("/services/web/_c_").expect("protected");
        let number = name
            .rsplit('-')
            .next()
            .and_then(|end| end.strip_prefix('1'));
        assert_eq!(number.map(str::len), Some(10), "{path}");
        let stat = other.exists(&path).await.expect("an answer");
        assert_ne!(stat.expect("there").ephemeral_owner, 0, "{path}");
    }
    let zones = async || {
        let found = others.instances("web").await.expect("both");
        let zones = found.into_iter().map(|found| {
            assert_eq!(
                (&*found.id, found.service_type),
                ("1", ServiceType::DynamicSequential)
            );
            found.payload.expect("one").zone
        });
        let mut zones: Vec<String> = zones.collect();
        zones.sort();
        zones
    };
    assert_eq!(zones().await, ["north", "south"]);
    one.update(&sequential("west")).await.expect("written");
    assert_eq!(zones().await, ["south", "west"]);

    // The name of the first one stays, in another session too.
    let (path, token) = (one.path(), one.token());
    proxy.cut();
    until_count(&other, "/services/web", 1).await;
    proxy.mend();
    let again = soon("it is back", one.made_after(token)).await;
    again.expect("kept");
    assert_eq!(one.path(), path);
    assert_eq!(zones().await, ["south", "west"]);

    one.unregister().await.expect("removed");
    assert_eq!(zones().await, ["south"]);
    drop(two);
    until_count(&other, "/services/web", 0).await;
}
