//! What a test logged.

use std::io::{self, Write};
use std::sync::Arc;

use parking_lot::Mutex;
use tracing::subscriber::DefaultGuard;

/// Collects the lines that are logged on this thread, as a test's runtime has no other.
pub(super) struct Logged {
    text: Sink,
    _guard: DefaultGuard,
}

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Logged {
    pub(super) fn start() -> Self {
        let text = Sink::default();
        let writer = text.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .without_time()
            .with_max_level(tracing::Level::DEBUG)
            .with_writer(move || writer.clone())
            .finish();
        Self {
            text,
            _guard: tracing::subscriber::set_default(subscriber),
        }
    }

    /// The lines of a warning or an error that contain `part`.
    pub(super) fn complaints(&self, part: &str) -> Vec<String> {
        let lines = self.lines(part).into_iter();
        let loud = |line: &String| line.contains(" WARN ") || line.contains("ERROR ");
        lines.filter(loud).collect()
    }

    pub(super) fn lines(&self, part: &str) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.text.0.lock()).into_owned();
        let lines = text.lines().filter(|line| line.contains(part));
        lines.map(str::to_owned).collect()
    }

    /// Waits for a line that contains `part`.
    pub(super) async fn wait(&self, part: &str) {
        super::node::within(async {
            while self.lines(part).is_empty() {
                tokio::task::yield_now().await;
                tokio::time::sleep(super::node::POLL).await;
            }
        })
        .await;
    }
}
