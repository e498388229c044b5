//! Groups and parties.

use recipes::{Error, Group, Party, ShallowParty};

use crate::common::{Proxy, World, connect, names, soon, until_count};

#[tokio::test]
async fn members_and_their_payloads() {
    let world = World::start();
    let (one, two) = (world.client().await, world.client().await);
    let (group, theirs) = (Group::new(&one, "/group"), Group::new(&two, "/group"));
    assert!(group.members().await.expect("none").is_empty());
    let mut cache = group.cache().await.expect("a copy");
    cache.settled().await.expect("none");

    let me = group.join("a", "1").await.expect("it joins");
    let them = theirs.join("b", "2").await.expect("it joins");
    assert_eq!(names(&one, "/group").await, ["a", "b"]);
    for members in [
        me.members().await,
        group.members().await,
        them.members().await,
    ] {
        let members = members.expect("two");
        let expected = [("a", "1"), ("b", "2")].map(|(id, data)| (id.to_owned(), data.into()));
        assert_eq!(members, expected.into());
    }
    them.set_payload("3").await.expect("written");
    assert_eq!(me.members().await.expect("two")["b"], b"3");
    soon("a change", async {
        let payload = |cache: &recipes::Cache| cache.get("/group/b")?.data.clone();
        while payload(&cache).as_deref() != Some(b"3") {
            cache.next().await.expect("a change");
        }
    })
    .await;
    them.leave().await.expect("it leaves");
    assert_eq!(names(&one, "/group").await, ["a"]);
    drop(me);
    until_count(&one, "/group", 0).await;
    let error = group.join("a/b", "").await.expect_err("no name");
    assert!(matches!(
        error,
        Error::Client(client::Error::InvalidPath { .. })
    ));
}

#[tokio::test]
async fn a_member_comes_back_with_another_session() {
    let world = World::start();
    let proxy = Proxy::to(world.server.address()).await;
    let (mine, other) = (connect(proxy.address).await, world.client().await);
    let group = Group::new(&mine, "/group");
    let me = group.join("a", "1").await.expect("it joins");
    let before = me.token();
    proxy.cut();
    until_count(&other, "/group", 0).await;
    proxy.mend();
    let after = soon("it is back", me.joined_after(before)).await;
    assert!(after.expect("it is kept") > before);
    assert_eq!(names(&other, "/group").await, ["a"]);
    assert_eq!(me.members().await.expect("one")["a"], b"1");
    assert_ne!(me.client().session_id(), mine.session_id());
    let ended = group.members().await.expect_err("the old session");
    assert!(ended.is_session_end());
}

#[tokio::test]
async fn parties_have_the_names_of_kazoo() {
    let world = World::start();
    let (one, two) = (world.client().await, world.client().await);
    let (party, shallow) = (
        Party::new(&one, "/party"),
        ShallowParty::new(&one, "/shallow"),
    );
    assert_eq!(party.count().await, Ok(0));
    assert_eq!(shallow.members().await, Ok(Vec::new()));
    // The same identifier twice.
    let guests = Party::new(&two, "/party");
    let (a, b) = (party.join("host-1").await, guests.join("host-1").await);
    let (a, b) = (a.expect("it joins"), b.expect("it joins"));
    assert_eq!(party.members().await.expect("two"), ["host-1", "host-1"]);
    let node = one.get_data(a.path()).await.expect("there");
    assert_eq!(node.text(), Some("host-1"));
    let (_, name) = a.path().rsplit_once('/').expect("a path");
    assert_eq!(name.find("__party__"), Some(32), "{name}");
    assert_eq!(name.len(), 32 + "__party__".len());
    // What is no member's is passed over.
    let persistent = client::CreateOptions::persistent();
    one.create("/party/other", "", &persistent)
        .await
        .expect("new");
    assert_eq!(guests.count().await, Ok(2));
    b.leave().await.expect("it leaves");
    assert_eq!(guests.members().await.expect("one"), ["host-1"]);
    assert!(a.is_held().await.expect("an answer"));
    drop(a);
    until_count(&one, "/party", 1).await;
    // kazoo's directory stays.
    let stat = one
        .exists("/party")
        .await
        .expect("an answer")
        .expect("there");
    assert_eq!(stat.ephemeral_owner, 0);

    let guest = ShallowParty::new(&two, "/shallow");
    let guest = guest.join("host-2").await.expect("it joins");
    let (_, name) = guest.path().rsplit_once('/').expect("a path");
    assert_eq!(&name[32..], "-host-2");
    assert_eq!(shallow.members().await.expect("one"), ["host-2"]);
    assert_eq!(shallow.count().await, Ok(1));
    shallow.join("a/b").await.expect_err("no name");
    two.close().await.expect("closed");
    until_count(&one, "/shallow", 0).await;
}
