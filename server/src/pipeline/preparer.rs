use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use storage::LogWriter;
use storage::StorageError;
use storage::log::{Preparation, Prepared};

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
                    if finished.send(preparation.run()).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Self { jobs, done })
    }

    /// Starts a preparation when one is due, and takes one that is finished.
    pub(super) fn keep_ahead(&self, log: &mut LogWriter) {
        while let Ok(prepared) = self.done.try_recv() {
            log.prepared(prepared);
        }
        if let Some(preparation) = log.preparation() {
            self.jobs
                .send(preparation)
                .expect("the thread lives as long as this");
        }
    }

    /// Makes sure that there is room for `bytes` of records; waits for a preparation only
    /// if there is no other file, or the preparation has the last space of the disk.
    pub(super) fn ensure_room(&self, log: &mut LogWriter, bytes: u64) -> Result<(), StorageError> {
        if log.awaits_preparation() {
            self.wait(log);
        }
        match log.ensure_reserved(bytes) {
            Err(full) if full.is_storage_full() && log.is_preparing() => {
                self.wait(log);
                log.ensure_reserved(bytes)
            }
            reserved => reserved,
        }
    }

    fn wait(&self, log: &mut LogWriter) {
        let prepared = self.done.recv();
        log.prepared(prepared.expect("the thread lives as long as this"));
    }
}
