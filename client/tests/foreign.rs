//! What only servers of other kinds can do yet. They need such servers, so the feature
//! `foreign-servers` has to be on; `compat-tests client` does that.

use std::path::Path;
use std::time::Duration;

use client::{Builder, Client, CreateOptions, Error, Status, Tls, acl};

/// So long something may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(15);

fn told(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

fn builder(address: &str) -> Builder {
    Client::builder(address).connect_patience(PATIENCE)
}

/// `ZABKEEPER_TEST_SASL=host:port` is a server that knows `bob` with the password `secret`.
#[tokio::test]
async fn sasl_proves_who_the_client_is() {
    let address = told("ZABKEEPER_TEST_SASL");
    let client = builder(&address).sasl("bob", "secret").connect().await;
    let client = client.expect("accepted");
    let users = client.who_am_i().await.expect("a list");
    assert!(
        users
            .iter()
            .any(|one| one.scheme == "sasl" && one.user == "bob"),
        "{users:?}"
    );
    let mine = CreateOptions::ephemeral().acl(acl::creator_all());
    client.create("/sasl", "mine", &mine).await.expect("new");
    let stranger = builder(&address).connect().await.expect("a session");
    assert!(stranger.get_data("/sasl").await.is_err());
    assert_eq!(
        client.get_data("/sasl").await.expect("mine").text(),
        Some("mine")
    );
    client.close().await.expect("closed");

    let liar = builder(&address).sasl("bob", "wrong").connect().await;
    assert_eq!(liar.expect_err("refused"), Error::AuthFailed);
    // Not with bob's password: 3.8.0 takes whom it does not know for whom it has seen last.
    let unknown = builder(&address)
        .sasl("eve", "guessed")
        .open()
        .expect("an address");
    let mut states = unknown.states();
    let ended = states.wait_for(|state| state.status.has_ended());
    let ended = tokio::time::timeout(PATIENCE, ended).await;
    let ended = ended.expect("it is refused");
    assert_eq!(ended.map(|state| state.status), Some(Status::AuthFailed));
}

/// `ZABKEEPER_TEST_TLS=host:port` is a secure port; `ZABKEEPER_TEST_TLS_DIR` holds `ca.pem`,
/// which signed it, and `client.pem` and `client.key` for this side.
#[tokio::test]
async fn tls_carries_a_session() {
    let address = told("ZABKEEPER_TEST_TLS");
    let directory = told("ZABKEEPER_TEST_TLS_DIR");
    let file = |name| Path::new(&directory).join(name);
    let (certificate, key) = (file("client.pem"), file("client.key"));
    let identity = Some((certificate.as_path(), key.as_path()));
    let tls = Tls::from_files(&file("ca.pem"), identity).expect("it fits");
    let client = builder(&address)
        .tls(tls)
        .connect()
        .await
        .expect("a session");
    let large = vec![7; 500_000];
    let ephemeral = CreateOptions::ephemeral();
    client
        .create("/tls", large.clone(), &ephemeral)
        .await
        .expect("new");
    let calls: Vec<_> = (0..20).map(|_| client.get_data("/tls")).collect();
    for call in calls {
        assert_eq!(call.await.expect("data").bytes(), large);
    }
    let users = client.who_am_i().await.expect("a list");
    assert!(users.iter().any(|one| one.scheme == "x509"), "{users:?}");
    client.close().await.expect("closed");

    let nobody = Tls::from_files(&file("ca.pem"), None).expect("it fits");
    let short = builder(&address).connect_patience(Duration::from_secs(3));
    let refused = short
        .tls(nobody)
        .connect()
        .await
        .expect_err("no certificate");
    assert!(matches!(refused, Error::Unreachable(_)), "{refused}");
}
