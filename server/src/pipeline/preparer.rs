use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use journal::FilePreparer;
use storage::log::{Preparation, Prepared};
use tracing::warn;

/// Prepares the next log file in a thread of its own: filling it with zeros takes
/// milliseconds, which no write should wait for.
pub(crate) struct Preparer {
    jobs: Sender<Preparation>,
    done: Receiver<Prepared>,
}

impl Preparer {
    pub(crate) fn start() -> std::io::Result<Self> {
        let (jobs, todo) = channel::<Preparation>();
        let (finished, done) = channel();
        thread::Builder::new()
            .name("zk-prealloc".to_owned())
            .spawn(move || {
                // Ends when the log is gone.
                for preparation in todo {
                    let prepared = preparation.run();
                    if let Some(error) = prepared.failure() {
                        warn!("{error}; it is tried again when it is needed");
                    }
                    if finished.send(prepared).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Self { jobs, done })
    }
}

impl FilePreparer for Preparer {
    fn is_ahead(&self) -> bool {
        true
    }

    fn start(&mut self, preparation: Preparation) {
        self.jobs
            .send(preparation)
            .expect("the thread lives as long as this");
    }

    fn poll(&mut self) -> Option<Prepared> {
        self.done.try_recv().ok()
    }

    fn wait(&mut self) -> Prepared {
        let prepared = self.done.recv();
        prepared.expect("the thread lives as long as this")
    }
}
