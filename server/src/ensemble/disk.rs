//! The log's end: what consensus wants durable becomes so here, in order.

use std::time::{Duration, Instant};

use journal::{Carried, Failure, Journal, Write};
use jute::Zxid;
use parking_lot::{Condvar, Mutex, MutexGuard};
use state::State;
use storage::StorageError;
use zab::{Store, Ticket};

use super::engine::Arrival;
use crate::pipeline::PanicEnds;
use crate::snapshots::Claim;

/// Something for the disk.
pub(super) enum Job {
    /// A write.
    Write(Write),
    /// The state of snapshot and log, up to here.
    Reload(Zxid),
    /// A snapshot of the own state may begin: the log starts a new file.
    BeginSnapshot(Claim),
}

impl Job {
    /// Bytes of the log that it adds; `None` for what is done alone, and may take long.
    fn log_bytes(&self) -> Option<usize> {
        match self {
            Self::Write(Write {
                store: Store::Append(entry),
                ..
            }) => Some(entry.bytes.len()),
            _ => None,
        }
    }
}

/// What became of some jobs.
#[derive(Default)]
pub(super) struct Done {
    pub(super) arrivals: Vec<Arrival>,
    pub(super) snapshot_due: bool,
    /// The log has a new file: the snapshot may be walked.
    pub(super) snapshot_may_begin: Option<Claim>,
    pub(super) failure: Option<DiskError>,
    /// So many calls of [`Disk::push`] brought what was done: the thread takes all that is there.
    pub(super) batches: usize,
}

/// The disk can no longer be trusted, or has no room for what cannot be refused.
#[derive(Debug, thiserror::Error)]
#[error("{0}; the server stops, nothing acknowledged is lost")]
pub(crate) struct DiskError(#[source] pub(super) StorageError);

/// The way to the disk.
pub(super) struct Disk {
    journal: Mutex<Journal>,
    inbox: Mutex<Inbox>,
    filled: Condvar,
}

#[derive(Default)]
struct Inbox {
    jobs: Vec<Job>,
    /// What they add to the log; one that is done alone counts as [`ENOUGH_BYTES`].
    log_bytes: usize,
    /// How often [`Disk::push`] has added to them.
    batches: usize,
    /// The thread is at what it took.
    busy: bool,
    waiting: bool,
    stopping: bool,
}

impl Disk {
    pub(super) fn new(journal: Journal) -> Self {
        Self {
            journal: Mutex::new(journal),
            inbox: Mutex::default(),
            filled: Condvar::new(),
        }
    }

    /// Does jobs at once, in place of the thread, which has none.
    ///
    /// # Panics
    /// If it has some: these would overtake them.
    pub(super) fn carry_out_alone(&self, jobs: Vec<Job>) -> Done {
        let inbox = self.inbox.lock();
        let idle = inbox.jobs.is_empty() && !inbox.busy;
        assert!(idle, "writes stay in their order");
        // Who pushes from here on waits in the inbox for the thread, and that for this guard.
        let mut journal = self.journal.lock();
        drop(inbox);
        carry_out(&mut journal, jobs)
    }

    /// Leaves jobs to the thread, which counts this call in its report.
    pub(super) fn push(&self, jobs: Vec<Job>) {
        let log_bytes = |job: &Job| job.log_bytes().unwrap_or(ENOUGH_BYTES);
        let log_bytes: usize = jobs.iter().map(log_bytes).sum();
        let mut inbox = self.inbox.lock();
        inbox.log_bytes += log_bytes;
        inbox.jobs.extend(jobs);
        inbox.batches += 1;
        if std::mem::take(&mut inbox.waiting) {
            drop(inbox);
            self.filled.notify_one();
        }
    }

    /// Lets the thread do what it has and end.
    pub(super) fn stop(&self) {
        self.inbox.lock().stopping = true;
        self.filled.notify_one();
    }

    /// The thread: hands what it has done to `report`, until it is told to stop.
    pub(super) fn run(&self, report: impl Fn(Done)) {
        let _guard = PanicEnds;
        let mut last = Duration::ZERO;
        while let Some((jobs, batches)) = self.next(last) {
            let start = Instant::now();
            let mut done = carry_out(&mut self.journal.lock(), jobs);
            last = start.elapsed();
            done.batches = batches;
            self.inbox.lock().busy = false;
            report(done);
        }
    }

    /// What is to be done next; `last` is how long the last took.
    fn next(&self, last: Duration) -> Option<(Vec<Job>, usize)> {
        let mut inbox = self.inbox.lock();
        while inbox.jobs.is_empty() {
            if inbox.stopping {
                return None;
            }
            inbox.waiting = true;
            self.filled.wait(&mut inbox);
        }
        inbox.waiting = false;
        let start = Instant::now();
        for _turn in 0..TURNS_LEFT {
            if inbox.log_bytes >= ENOUGH_BYTES || start.elapsed() >= last {
                break;
            }
            MutexGuard::unlocked(&mut inbox, std::thread::yield_now);
        }
        inbox.busy = true;
        inbox.log_bytes = 0;
        let batches = std::mem::take(&mut inbox.batches);
        Some((std::mem::take(&mut inbox.jobs), batches))
    }
}

/// So often the thread lets others run before it takes what is there, for no longer than it was
/// busy last. On a busy machine they add to it, and a sync, its wake-ups included, costs the
/// processor as much as a few dozen entries; where nobody else wants to run it goes on at once.
const TURNS_LEFT: usize = 8;

/// So many bytes are worth a sync.
const ENOUGH_BYTES: usize = 32 << 10;

/// Does jobs in order; appends that follow each other become durable together.
fn carry_out(journal: &mut Journal, jobs: Vec<Job>) -> Done {
    let mut done = Done::default();
    let mut writes = Vec::new();
    for job in jobs {
        match job {
            Job::Write(write) => {
                let loads = matches!(write.store, Store::InstallSnapshot(_));
                writes.push(write);
                if !loads {
                    continue;
                }
                done.write(journal, std::mem::take(&mut writes));
            }
            Job::Reload(zxid) => {
                done.write(journal, std::mem::take(&mut writes));
                done.reload(journal, zxid);
            }
            Job::BeginSnapshot(claim) => {
                done.write(journal, std::mem::take(&mut writes));
                done.begin_snapshot(journal, claim);
            }
        }
        if done.failure.is_some() {
            return done;
        }
    }
    done.write(journal, writes);
    done
}

impl Done {
    fn write(&mut self, journal: &mut Journal, writes: Vec<Write>) {
        if writes.is_empty() || self.failure.is_some() {
            return;
        }
        let Carried {
            inputs,
            installed,
            snapshot_due,
            failure,
        } = journal.carry_out(writes);
        // The state that a snapshot holds comes before the word that it is stored.
        self.arrivals.extend(installed.map(loaded));
        self.arrivals.extend(inputs.into_iter().map(Arrival::Peer));
        self.snapshot_due |= snapshot_due;
        if let Some(Failure { error, .. }) = failure {
            self.failure = Some(DiskError(error));
        }
    }

    fn reload(&mut self, journal: &Journal, zxid: Zxid) {
        match journal.reload(zxid) {
            Ok(state) => self.arrivals.push(loaded(state)),
            Err(error) => self.failure = Some(DiskError(error)),
        }
    }

    fn begin_snapshot(&mut self, journal: &mut Journal, claim: Claim) {
        match journal.begin_snapshot() {
            Ok(()) => self.snapshot_may_begin = Some(claim),
            Err(error) => self.failure = Some(DiskError(error)),
        }
    }
}

fn loaded(state: State) -> Arrival {
    Arrival::Loaded(Box::new(state))
}

/// A batch of so many bytes is left to the thread: the engine does other things meanwhile.
const ALONE_BYTES_MAX: usize = 8 << 10;

/// So are more jobs than these. While a thread writes, nobody decides: with other servers there is
/// more to do meanwhile than on a server alone, acknowledgements for instance.
const ALONE_JOBS_MAX: usize = 2;

/// Whether jobs are few and small enough for who decides to do them, which saves a lone write two
/// wake-ups.
pub(super) fn are_small(jobs: &[Job]) -> bool {
    if jobs.len() > ALONE_JOBS_MAX {
        return false;
    }
    let mut bytes = 0;
    jobs.iter().all(|job| {
        let added = match job {
            Job::Write(Write {
                store: Store::Barrier | Store::AcceptedEpoch(_) | Store::CurrentEpoch(_),
                ..
            }) => Some(0),
            job => job.log_bytes(),
        };
        bytes += added.unwrap_or(0);
        added.is_some() && bytes <= ALONE_BYTES_MAX
    })
}

/// The write that installs a received tree.
pub(super) fn installation(ticket: Ticket, store: Store, tree: Box<journal::Inflow>) -> Job {
    Job::Write(Write {
        ticket,
        store,
        tree: Some(tree),
    })
}
