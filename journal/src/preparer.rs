//! Who prepares the log's next file.

use storage::log::{Preparation, Prepared};

/// Runs a [`Preparation`] while the log is being written: in a thread of its own in the server, as
/// a step of its own in the simulator. One at a time.
pub trait FilePreparer: Send {
    /// Whether preparing ahead is worth it here.
    fn is_ahead(&self) -> bool;

    /// Takes one on. Only if [`FilePreparer::is_ahead`], and only when the last one has come back.
    fn start(&mut self, preparation: Preparation);

    /// What became of it, if it is done.
    fn poll(&mut self) -> Option<Prepared>;

    /// What became of it; waits, or does it now.
    ///
    /// # Panics
    /// If none was started.
    fn wait(&mut self) -> Prepared;
}

/// Prepares nothing ahead: each file is made when it is needed.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFilePreparer;

impl FilePreparer for NoFilePreparer {
    fn is_ahead(&self) -> bool {
        false
    }

    fn start(&mut self, _: Preparation) {
        unreachable!("nothing is prepared ahead")
    }

    fn poll(&mut self) -> Option<Prepared> {
        None
    }

    fn wait(&mut self) -> Prepared {
        unreachable!("nothing was started")
    }
}
