use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use storage::LogWriter;
use storage::StorageError;
use storage::log::{Extended, Extension};

/// So much space is kept ready in front of the log's end, bytes, if `preAllocSize` allows.
const AHEAD_MAX: u64 = 16 << 20;

/// Extends the log file ahead of need in a thread of its own: filling space with zeros takes
/// milliseconds, which no write should wait for.
pub(crate) struct Extender {
    ahead: u64,
    jobs: Sender<Extension>,
    done: Receiver<Extended>,
}

impl Extender {
    /// `pre_alloc_bytes` is `preAllocSize`; 0 is off.
    pub(crate) fn start(pre_alloc_bytes: u64) -> std::io::Result<Self> {
        let (jobs, todo) = channel::<Extension>();
        let (finished, done) = channel();
        thread::Builder::new()
            .name("zk-prealloc".to_owned())
            .spawn(move || {
                // Ends when the writer is gone.
                for extension in todo {
                    if finished.send(extension.run()).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Self {
            ahead: pre_alloc_bytes.min(AHEAD_MAX),
            jobs,
            done,
        })
    }

    /// Starts an extension when one is due, and takes those that are finished.
    pub(crate) fn keep_ahead(&self, log: &mut LogWriter) -> Result<(), StorageError> {
        while let Ok(extended) = self.done.try_recv() {
            log.extended(extended)?;
        }
        if let Some(extension) = log.extension(self.ahead) {
            self.jobs
                .send(extension)
                .expect("the thread lives as long as this");
        }
        Ok(())
    }

    /// Makes sure that there is room for `bytes` of records: waits for an extension under
    /// way, and only then has the log extend itself.
    pub(crate) fn ensure_room(&self, log: &mut LogWriter, bytes: u64) -> Result<(), StorageError> {
        if !log.has_room(bytes) && log.is_extending() {
            let extended = self.done.recv().expect("the thread lives as long as this");
            log.extended(extended)?;
        }
        log.ensure_reserved(bytes)
    }
}
