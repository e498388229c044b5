//! What the stage and its actors tell each other.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use sim::Violation;
use tokio::sync::Notify;

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Faults happen.
    Faulty,
    /// No more faults: everybody must get on.
    Calm,
    /// Nobody begins anything.
    Over,
    /// Sessions are closed.
    Closing,
}

#[derive(Clone, Debug)]
pub(crate) struct Board {
    inner: Arc<Mutex<Inner>>,
    turned: Arc<Notify>,
}

#[derive(Debug)]
struct Inner {
    phase: Phase,
    /// Is there a transcript?
    tells: bool,
    lines: Vec<String>,
    counts: BTreeMap<String, u64>,
    violation: Option<Violation>,
    actors: BTreeMap<usize, Standing>,
}

/// How an actor gets on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing {
    /// Rounds since the faults stopped.
    pub(crate) calm_rounds: u64,
    /// It has nothing under way.
    pub(crate) is_idle: bool,
    /// It has closed its session, or died.
    pub(crate) is_gone: bool,
    /// Its session.
    pub(crate) session: i64,
    /// What it does.
    pub(crate) doing: String,
}

impl Board {
    pub(crate) fn new(tells: bool) -> Self {
        let inner = Inner {
            phase: Phase::Faulty,
            tells,
            lines: Vec::new(),
            counts: BTreeMap::new(),
            violation: None,
            actors: BTreeMap::new(),
        };
        Self {
            inner: Arc::new(Mutex::new(inner)),
            turned: Arc::default(),
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.inner.lock().phase
    }

    pub(crate) fn turn(&self, phase: Phase) {
        self.inner.lock().phase = phase;
        self.turned.notify_waiters();
    }

    /// Waits for a phase.
    pub(crate) async fn until(&self, phase: Phase) {
        loop {
            let turned = self.turned.notified();
            if self.phase() >= phase {
                return;
            }
            turned.await;
        }
    }

    pub(crate) fn tell(&self, line: impl FnOnce() -> String) {
        let mut inner = self.inner.lock();
        if inner.tells {
            inner.lines.push(line());
        }
    }

    pub(crate) fn take_lines(&self) -> Vec<String> {
        std::mem::take(&mut self.inner.lock().lines)
    }

    pub(crate) fn count(&self, event: &str) {
        let mut inner = self.inner.lock();
        *inner.counts.entry(event.to_owned()).or_default() += 1;
    }

    pub(crate) fn take_counts(&self) -> BTreeMap<String, u64> {
        std::mem::take(&mut self.inner.lock().counts)
    }

    /// Ends the run with this; the first one counts.
    pub(crate) fn violate(&self, checker: &'static str, detail: String) {
        let violation = Violation::new(checker, detail);
        self.inner.lock().violation.get_or_insert(violation);
    }

    pub(crate) fn violation(&self) -> Option<Violation> {
        self.inner.lock().violation.clone()
    }

    pub(crate) fn stands(&self, actor: usize, change: impl FnOnce(&mut Standing)) {
        change(self.inner.lock().actors.entry(actor).or_default());
    }

    /// Rounds of an actor since the faults stopped.
    pub(crate) fn calm_rounds(&self, actor: usize) -> u64 {
        let inner = self.inner.lock();
        inner
            .actors
            .get(&actor)
            .map_or(0, |standing| standing.calm_rounds)
    }

    pub(crate) fn standings(&self) -> BTreeMap<usize, Standing> {
        self.inner.lock().actors.clone()
    }
}
