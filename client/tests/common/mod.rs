//! A server to test with, and a proxy in front of it whose connections can be cut.
//!
//! The server runs in this process. With `ZABKEEPER_TEST_SERVER=host:port` it is one that runs
//! already, of any kind (`ZABKEEPER_TEST_VERSION=3.8` says that it is as old): then each test
//! works below a node of its own, and the tests have to run one after the other
//! (`--test-threads=1`). `compat-tests client` does that.

#![allow(dead_code, unused_imports, reason = "each test file uses its part")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests of the shell have clocks and sockets"
)]

mod proxy;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use client::{Builder, Client, CreateOptions};
use server::embedded::{EmbeddedServer, Settings};

pub(crate) use proxy::Proxy;

/// So long a test waits before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Where a server is that runs already.
const SERVER: &str = "ZABKEEPER_TEST_SERVER";
/// Its version, if that matters.
const VERSION: &str = "ZABKEEPER_TEST_VERSION";

/// A server, and the part of its tree that belongs to a test.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    root: String,
    _embedded: Option<EmbeddedServer>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let Ok(address) = std::env::var(SERVER) else {
            let settings = Settings::default()
                .line("extendedTypesEnabled", "true")
                .line("maxSessionTimeout", "600000")
                .line("4lw.commands.whitelist", "*");
            let embedded = EmbeddedServer::start_with(&settings).expect("a server");
            return Self {
                address: embedded.address(),
                root: String::new(),
                _embedded: Some(embedded),
            };
        };
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let root = format!("/test-{}-{number}", std::process::id());
        let whole = Client::connect(&address).await.expect("a session");
        let created = whole.create(&root, "", &CreateOptions::persistent()).await;
        created.expect("a node that is new");
        whole.close().await.expect("closed");
        Self {
            address: address.parse().expect("an address and a port"),
            root,
            _embedded: None,
        }
    }

    /// A connect string for this server, or for a proxy before it.
    pub(crate) fn at(&self, address: SocketAddr) -> String {
        format!("{address}{}", self.root)
    }

    /// Is it one before 3.9?
    pub(crate) fn is_old(&self) -> bool {
        std::env::var(VERSION).is_ok_and(|version| version.starts_with("3.8"))
    }

    pub(crate) fn builder(&self) -> Builder {
        Client::builder(self.at(self.address)).session_timeout(Duration::from_secs(10))
    }

    pub(crate) async fn client(&self) -> Client {
        self.builder().connect().await.expect("a session")
    }
}

/// A server, and a client of it with these options.
pub(crate) async fn connected(options: impl FnOnce(Builder) -> Builder) -> (Server, Client) {
    let server = Server::start().await;
    let client = options(server.builder()).connect().await;
    (server, client.expect("a session"))
}

/// A server, a proxy before it, and a client behind that with these options.
pub(crate) async fn behind_proxy(
    options: impl FnOnce(Builder) -> Builder,
) -> (Server, Proxy, Client) {
    let server = Server::start().await;
    let proxy = Proxy::start(server.address).await;
    let builder = Client::builder(server.at(proxy.address));
    let client = options(builder).connect().await;
    (server, proxy, client.expect("a session"))
}

/// Creates a persistent node that is new.
pub(crate) async fn made(client: &Client, path: &str, data: &str) {
    let created = client.create(path, data, &CreateOptions::persistent());
    created.await.expect("new");
}

/// Waits for something that has to come.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(PATIENCE, future).await;
    done.expect("it does not come")
}

/// Waits until `holds`.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < PATIENCE, "{what} does not come true");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
