use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use client::Client;
use recipes::{Hold, Loss};
use server::embedded::{EmbeddedServer, Settings};
use tokio::io::copy_bidirectional;
use tokio::net::TcpListener;

/// So long a test waits before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct World {
    pub(crate) server: EmbeddedServer,
}

impl World {
    pub(crate) fn start() -> Self {
        let settings = Settings::default().line("4lw.commands.whitelist", "*");
        let server = EmbeddedServer::start_with(&settings).expect("a server");
        Self { server }
    }

    /// With nodes that have a time to live.
    pub(crate) fn with_ttl() -> Self {
        let settings = Settings::default().line("extendedTypesEnabled", "true");
        let server = EmbeddedServer::start_with(&settings).expect("a server");
        Self { server }
    }

    pub(crate) async fn client(&self) -> Client {
        connect(self.server.address()).await
    }

    fn word(&self, word: &str) -> String {
        let mut stream = TcpStream::connect(self.server.address()).expect("it listens");
        stream.write_all(word.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }

    /// How many watches there are, those of children with them.
    pub(crate) fn watch_count(&self) -> usize {
        let answer = self.word("mntr");
        let line = answer
            .lines()
            .find_map(|line| line.strip_prefix("zk_watch_count\t"));
        line.and_then(|count| count.parse().ok()).expect("a number")
    }

    /// How many watches are on each path, but for those of children.
    pub(crate) fn watches(&self) -> Vec<(String, usize)> {
        let answer = self.word("wchp");
        let mut found: Vec<(String, usize)> = Vec::new();
        for line in answer.lines().filter(|line| !line.is_empty()) {
            match line.strip_prefix('\t') {
                Some(_) => found.last_mut().expect("a path before").1 += 1,
                None => found.push((line.to_owned(), 0)),
            }
        }
        found
    }
}

pub(crate) async fn connect(address: SocketAddr) -> Client {
    let builder = Client::builder(address.to_string());
    let builder = builder.session_timeout(Duration::from_millis(2000));
    builder.connect().await.expect("a session")
}

/// The names in a directory, sorted; none if it is not there.
pub(crate) async fn names(client: &Client, path: &str) -> Vec<String> {
    let mut names = client.get_children(path).await.unwrap_or_default();
    names.sort();
    names
}

/// Waits until a directory has so many nodes.
pub(crate) async fn until_count(client: &Client, path: &str, count: usize) {
    let counted = async {
        while names(client, path).await.len() != count {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, counted).await.is_err() {
        panic!(
            "not {count} nodes in {path}: {:?}",
            names(client, path).await
        );
    }
}

/// Fails the test if it takes too long.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(PATIENCE, future).await;
    done.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"))
}

/// Drops a future at the `await` at which it is pending for the `n`th time, counted from 0.
pub(crate) struct DroppedAt<F> {
    pub(crate) future: Option<Pin<Box<F>>>,
    pub(crate) pending: usize,
}

pub(crate) fn dropped_at<F: Future>(n: usize, future: F) -> DroppedAt<F> {
    DroppedAt {
        future: Some(Box::pin(future)),
        pending: n,
    }
}

impl<F: Future> Future for DroppedAt<F> {
    /// `None` if it was dropped.
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let future = self.future.as_mut().expect("not polled after its end");
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        if self.pending == 0 {
            self.future = None;
            return Poll::Ready(None);
        }
        self.pending -= 1;
        Poll::Pending
    }
}

/// A way to a server that can be cut.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    open: Arc<AtomicBool>,
    cut: tokio::sync::watch::Sender<()>,
}

impl Proxy {
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let open = Arc::new(AtomicBool::new(true));
        let (cut, when_cut) = tokio::sync::watch::channel(());
        let may_pass = Arc::clone(&open);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                if !may_pass.load(Ordering::Acquire) {
                    continue;
                }
                let mut when_cut = when_cut.clone();
                when_cut.mark_unchanged();
                tokio::spawn(async move {
                    let Ok(mut far) = tokio::net::TcpStream::connect(server).await else {
                        return;
                    };
                    tokio::select! {
                        _ = copy_bidirectional(&mut near, &mut far) => {}
                        _ = when_cut.changed() => {}
                    }
                });
            }
        });
        Self { address, open, cut }
    }

    /// Breaks the connections, and lets none through.
    pub(crate) fn cut(&self) {
        self.open.store(false, Ordering::Release);
        self.cut.send_replace(());
    }

    pub(crate) fn mend(&self) {
        self.open.store(true, Ordering::Release);
    }
}

/// Waits until the session of a holder is known to be over. Before that it is lost for want of a
/// connection, which is told at once.
pub(crate) async fn session_ended(held: &Hold) {
    while held.lost().await != Loss::SessionEnded {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
