//! The write path's threads: one that decides, one that writes the log, one that writes
//! snapshots, one that prepares log files, one that purges.

mod core;
mod gathering;
mod log;
mod preparer;
mod purge;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use replica::{Batch, Connection, Replica, Submission};
use storage::StorageError;
use thiserror::Error;
use tokio::runtime::Handle;

use crate::answering::answer;
use crate::queue::Queue;

pub(crate) use self::core::Core;
pub(crate) use gathering::Gathering;
pub(crate) use log::LogEnd;
use log::{Log, Written};
pub(crate) use preparer::Preparer;
pub(crate) use purge::Purge;

/// Longest wait when nothing is due.
const IDLE_WAIT: Duration = Duration::from_secs(1);

/// A server that received no more than this between two writes is quiet.
const QUIET_REQUESTS: u64 = 3;

/// A round of so many entries is left to the log's thread: preparing the next one while it
/// syncs is worth the two wake-ups.
const OVERLAPPED_ENTRIES: usize = 32;

/// What comes in at once is split into at most so many rounds. Otherwise all clients move in step,
/// and the processor rests while the disk works, and the other way round.
const PARTS_MAX: usize = 2;

/// A thread that moves bytes runs no more rounds than this at a time.
const HELPED_ROUNDS: usize = 4;

/// What waits for the core.
#[derive(Debug)]
enum Work {
    /// A connection wants something.
    Submission(Submission),
    /// What the log has written.
    Written(Written),
}

/// The log can no longer be trusted to be written: what reached the disk is unknown until
/// the next start.
#[derive(Debug, Error)]
#[error("{0}; the server stops, nothing acknowledged is lost")]
pub(crate) struct FatalError(#[from] StorageError);

/// Brings submissions through the core and the log, in rounds.
///
/// Under load the write thread runs the core and the log's thread the log, each on what the
/// other left in the meantime. A small round goes through both in one thread: the write
/// thread, or, if the server is quiet, the one that received a lone write: to wake another
/// one would cost its client more than half of what the sync does. Lock order: core, log's
/// end; the core is one, and so the rounds keep their order.
pub(crate) struct Pipeline {
    replica: Arc<Replica>,
    queue: Queue<Work>,
    core: Mutex<Core>,
    log: Log,
    failure: Mutex<Option<FatalError>>,
    /// Its threads send the answers.
    runtime: Handle,
    /// Connections that the last round answered, and that go on.
    answered: AtomicUsize,
    /// Requests received when the last write was submitted.
    received: AtomicU64,
}

impl Pipeline {
    pub(crate) fn new(replica: Arc<Replica>, core: Core, log: LogEnd, runtime: Handle) -> Self {
        Self {
            replica,
            queue: Queue::default(),
            core: Mutex::new(core),
            log: Log::new(log),
            failure: Mutex::new(None),
            runtime,
            answered: AtomicUsize::new(0),
            received: AtomicU64::new(0),
        }
    }

    /// Takes a submission. May run a round before it returns, or wait for room, so no lock of
    /// the replica may be held. Once the server stops the submission is dropped: its client gets
    /// no answer, and nothing has happened.
    pub(crate) fn submit(&self, submission: Submission) {
        let quiet = self.is_quiet(&submission);
        if self.queue.push([Work::Submission(submission)], quiet) {
            self.help();
        }
    }

    /// Runs the round that a lone write makes, and those of writes that come in meanwhile:
    /// their clients wait for no other thread to wake up.
    fn help(&self) {
        let _guard = PanicEnds;
        let mut due_ms = u64::MAX;
        for _round in 0..HELPED_ROUNDS {
            let Some(mut core) = self.core.try_lock() else {
                break;
            };
            if core.sequencer.outstanding() > 0 {
                break;
            }
            let work = self.queue.take();
            self.work(&mut core, work);
            due_ms = core.sequencer.next_deadline_ms();
            drop(core);
            if self.queue.leave_if_empty(due_ms) {
                return;
            }
        }
        self.queue.leave(due_ms);
    }

    /// The write thread: runs until it is told to stop and nothing is under way.
    pub(crate) fn run(&self) -> Result<(), FatalError> {
        self.log.end().prepare()?;
        std::thread::scope(|scope| {
            let log = std::thread::Builder::new().name("zk-log".to_owned());
            let log = log.spawn_scoped(scope, || {
                self.log
                    .run(|written| self.queue.post([Work::Written(written)]))
            });
            let log = log.map_err(|source| StorageError::Io {
                action: "start the thread for",
                path: "the transaction log".into(),
                source,
            })?;
            let ran = self.run_core();
            self.log.stop();
            log.join().expect("the log's thread reports its errors");
            ran
        })?;
        self.log.end().finish()?;
        self.core.lock().snapshots.wait();
        Ok(())
    }

    fn run_core(&self) -> Result<(), FatalError> {
        let _guard = PanicEnds;
        loop {
            let core = self.core.lock();
            let stopping = self.queue.is_stopping();
            // The last thing to wait for is the log.
            let patience = match stopping && core.sequencer.outstanding() == 0 {
                true => Duration::ZERO,
                false => core.patience().min(IDLE_WAIT),
            };
            let due_ms = core.sequencer.next_deadline_ms();
            drop(core);
            self.queue.wait(due_ms, patience);
            // The lock is held meanwhile: on a server on which this waits nobody helps.
            let mut core = self.core.lock();
            core.gathering.wait(&self.queue, self.replica.stats());
            let work = self.queue.take();
            let idle = work.is_empty();
            self.work(&mut core, work);
            let at_rest = core.sequencer.outstanding() == 0;
            drop(core);
            if let Some(failure) = self.failure.lock().take() {
                return Err(failure);
            }
            if stopping && idle && at_rest {
                return Ok(());
            }
        }
    }

    /// Lets the write thread finish what is queued; nothing more is taken.
    pub(crate) fn stop(&self) {
        self.queue.stop();
    }

    /// Is this write, as far as one can see, all there is to do? A thread that runs a round
    /// moves no bytes meanwhile, so on a busy server the write thread does it; and where others
    /// were answered together they will want to be again.
    fn is_quiet(&self, submission: &Submission) -> bool {
        if self.answered.load(Relaxed) > 1 {
            return false;
        }
        let stats = self.replica.stats();
        let own = i64::from(submission.connection.in_flight());
        let received = stats.received.load(Relaxed);
        let before = self.received.swap(received, Relaxed);
        stats.outstanding.load(Relaxed) <= own && received.wrapping_sub(before) <= QUIET_REQUESTS
    }

    /// Prepares what came in, so that the log has something to do, and then commits what it
    /// has written.
    fn work(&self, core: &mut Core, work: Vec<Work>) {
        // After a failure the log takes nothing more; the server is about to stop.
        if self.failure.lock().is_some() {
            return;
        }
        let (mut submissions, mut reports) = (Vec::with_capacity(work.len()), Vec::new());
        for work in work {
            match work {
                Work::Submission(submission) => submissions.push(submission),
                Work::Written(written) => reports.push(written),
            }
        }
        let mut parts = in_parts(submissions);
        let last = parts.pop().unwrap_or_default();
        for part in parts {
            if let Some(batch) = core.prepare(part) {
                self.overlap(core, batch);
            }
        }
        let batch = core.prepare(last);
        let mut alone = None;
        if let Some(batch) = batch {
            if core.sequencer.outstanding() == 1 && batch.entries.len() < OVERLAPPED_ENTRIES {
                alone = Some(batch);
            } else {
                self.overlap(core, batch);
            }
        }
        for written in reports {
            self.finish(core, written);
        }
        if let Some(batch) = alone {
            self.write_alone(core, batch);
        }
    }

    /// Leaves a round to the log's thread.
    fn overlap(&self, core: &mut Core, batch: Batch) {
        core.gathering.overlapped();
        self.log.push(batch);
    }

    /// Nothing else is under way, so this thread writes the log.
    fn write_alone(&self, core: &mut Core, batch: Batch) {
        let start = Instant::now();
        let written = self.log.end().write(vec![batch]);
        let sync = start.elapsed();
        self.finish(core, written);
        let expected = self.answered.load(Relaxed) + self.queue.len();
        let stats = self.replica.stats();
        core.gathering.answered(expected, sync, stats);
    }

    fn finish(&self, core: &mut Core, written: Written) {
        if let Some(error) = written.failed {
            // The first one says what happened; the log takes nothing after it.
            self.failure.lock().get_or_insert(error.into());
            self.queue.interrupt();
            return;
        }
        for ticket in written.durable {
            self.answer(core.commit(ticket));
        }
        if let Some(ticket) = written.refused {
            self.answer(core.refuse(ticket));
            self.log.refusal_taken();
        }
        if let Some(claim) = written.snapshot {
            core.snapshots.start(claim);
        }
    }

    fn answer(&self, touched: Vec<Arc<Connection>>) {
        self.answered.store(gathering::staying(&touched), Relaxed);
        answer(touched, self.queue.len() == 0, &self.runtime);
    }
}

/// Splits what came in into rounds of which each is worth a sync of its own, in order.
fn in_parts(submissions: Vec<Submission>) -> Vec<Vec<Submission>> {
    let changes: usize = submissions.iter().map(Submission::changes).sum();
    let count = (changes / OVERLAPPED_ENTRIES).clamp(1, PARTS_MAX);
    if count == 1 {
        return vec![submissions];
    }
    let mut parts = Vec::with_capacity(count);
    let (mut part, mut size) = (Vec::new(), 0);
    for submission in submissions {
        size += submission.changes();
        part.push(submission);
        if size >= changes.div_ceil(count) {
            parts.push(std::mem::take(&mut part));
            size = 0;
        }
    }
    parts.push(part);
    parts
}

/// Ends the process when a thread that has one panics. A broken invariant of the write path
/// must stop the server: with one of its threads gone, or a round half committed, it would
/// go on answering reads and never write again.
pub(crate) struct PanicEnds;

impl Drop for PanicEnds {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", crate::exit::BROKEN.closing_line);
            std::process::exit(i32::from(crate::exit::BROKEN.code));
        }
    }
}
