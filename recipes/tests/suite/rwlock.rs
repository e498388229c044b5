use recipes::{Naming, RwLock};

use crate::common::{World, names, soon, until_count};

#[tokio::test]
async fn readers_share_and_writers_do_not() {
    let world = World::start();
    for naming in [Naming::Curator, Naming::Kazoo] {
        let path = format!("/{naming:?}");
        let client = world.client().await;
        let lock = RwLock::new(&client, &path).naming(naming);
        let one = lock.read().await.expect("free");
        let two = lock.try_read().await.expect("an answer").expect("shared");
        assert!(lock.try_write().await.expect("an answer").is_none());
        let (writer, reader) = (lock.clone(), lock.clone());
        let writing = tokio::spawn(async move { writer.write().await });
        until_count(&client, &path, 3).await;
        // No reader overtakes a writer that waits.
        assert!(lock.try_read().await.expect("an answer").is_none());
        let reading = tokio::spawn(async move { reader.read().await });
        until_count(&client, &path, 4).await;
        one.release().await.expect("given up");
        assert!(!writing.is_finished(), "one reader is left");
        let token = two.token();
        two.release().await.expect("given up");
        let written = soon("to write", writing)
            .await
            .expect("no panic")
            .expect("a turn");
        assert!(written.token() > token);
        assert!(!reading.is_finished());
        written.release().await.expect("given up");
        soon("to read", reading)
            .await
            .expect("no panic")
            .expect("a turn");
        until_count(&client, &path, 0).await;
    }
}

#[tokio::test]
async fn a_downgrade_lets_readers_in_and_no_writer() {
    let world = World::start();
    for naming in [Naming::Curator, Naming::Kazoo] {
        let path = format!("/{naming:?}");
        let client = world.client().await;
        let lock = RwLock::new(&client, &path).naming(naming);
        let writing = lock.write().await.expect("free");
        let token = writing.token();
        let number = writing.path()[writing.path().len() - 10..].to_owned();
        let reader = lock.clone();
        let reads = tokio::spawn(async move { reader.read().await });
        until_count(&client, &path, 2).await;
        let writer = lock.clone();
        let writes = tokio::spawn(async move { writer.write().await });
        until_count(&client, &path, 3).await;
        let reading = writing.downgrade().await.expect("held");
        assert!(reading.path().ends_with(&number), "the writer's place");
        assert_eq!(reading.token(), token);
        let other = soon("to read", reads)
            .await
            .expect("no panic")
            .expect("a turn");
        assert!(!writes.is_finished());
        reading.release().await.expect("given up");
        assert!(!writes.is_finished());
        assert_eq!(names(&client, &path).await.len(), 2);
        other.release().await.expect("given up");
        soon("to write", writes)
            .await
            .expect("no panic")
            .expect("a turn");
    }
}
