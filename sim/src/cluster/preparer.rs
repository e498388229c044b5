//! Prepares a log's next file as a step of its own, some time after it was asked for.

use std::sync::Arc;

use journal::FilePreparer;
use parking_lot::Mutex;
use storage::log::{Preparation, Prepared};

/// Shared by a journal, which asks, and the event loop, which does it.
#[derive(Clone, Default)]
pub(super) struct StepPreparer(Arc<Mutex<Work>>);

#[derive(Default)]
struct Work {
    to_do: Option<Preparation>,
    done: Option<Prepared>,
}

impl StepPreparer {
    /// Is there something to prepare?
    pub(super) fn has_work(&self) -> bool {
        self.0.lock().to_do.is_some()
    }

    /// Prepares it. False if the journal did not wait for that.
    pub(super) fn step(&self) -> bool {
        let mut work = self.0.lock();
        match work.to_do.take() {
            Some(preparation) => {
                work.done = Some(preparation.run());
                true
            }
            None => false,
        }
    }
}

impl FilePreparer for StepPreparer {
    fn is_ahead(&self) -> bool {
        true
    }

    fn start(&mut self, preparation: Preparation) {
        self.0.lock().to_do = Some(preparation);
    }

    fn poll(&mut self) -> Option<Prepared> {
        self.0.lock().done.take()
    }

    fn wait(&mut self) -> Prepared {
        self.step();
        self.poll().expect("one was started")
    }
}
