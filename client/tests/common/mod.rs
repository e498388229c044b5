//! A server in this process, and a proxy in front of it whose connections can be cut.

#![allow(dead_code, unused_imports, reason = "each test file uses its part")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests of the shell have clocks and sockets"
)]

mod proxy;

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use client::{Builder, Client};
use server::config::{Config, Env};
use tempfile::TempDir;
use test_support::ReservedPort;

pub(crate) use proxy::Proxy;

/// So long a test waits before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A standalone server on a port of its own. It lives as long as the process; its directory
/// goes with this.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    _directory: TempDir,
    _port: ReservedPort,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with("")
    }

    /// With more lines of `zoo.cfg`.
    pub(crate) fn with(settings: &str) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let port = ReservedPort::reserve().expect("a free port");
        let address = port.address();
        let text = format!(
            "dataDir={}\nclientPort={}\nclientPortAddress=127.0.0.1\ntickTime=200\n\
             maxClientCnxns=0\nextendedTypesEnabled=true\n{settings}\n",
            directory.path().display(),
            address.port(),
        );
        let config = Config::from_text("zoo.cfg", &text, &Env::from_process());
        let config = config.expect("a valid configuration");
        std::thread::spawn(move || server::run(config));
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(start.elapsed() < PATIENCE, "the server does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
        Self {
            address,
            _directory: directory,
            _port: port,
        }
    }

    pub(crate) fn builder(&self) -> Builder {
        Client::builder(self.address.to_string()).session_timeout(Duration::from_secs(4))
    }

    pub(crate) async fn client(&self) -> Client {
        self.builder().connect().await.expect("a session")
    }
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
