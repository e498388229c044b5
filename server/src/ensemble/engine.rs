//! The engine: brings what comes in through the member and the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use journal::{Files, Inflow};
use jute::wire::Limits;
use parking_lot::Mutex;
use replica::Submission;
use state::State;
use tokio::sync::Notify;
use zab::{LeaderLink, LearnerLink, Overview, RoleStatus};

use super::core::{Core, Shell};
use super::disk::{Disk, DiskError, Done};
use crate::peer::election::Place;
use crate::peer::quorum::{PeerSocket, Port};
use crate::pipeline::PanicEnds;
use crate::queue::Queue;
use crate::snapshots::Claim;

/// Longest wait when nothing is due.
const IDLE_WAIT: Duration = Duration::from_secs(1);

/// Who looks at a member waits for so long for who decides, which may be at the disk.
const SIGHT_PATIENCE: Duration = Duration::from_millis(20);

/// A thread that moves bytes does no more batches than this at a time.
const HELPED_BATCHES: usize = 4;

/// Requests that wait for a proposal, and steps that wait for a state to be loaded, from which on
/// no more is read from other servers.
const BACKLOG_MAX: usize = 10_000;

/// Bytes of entries that are not durable, from which on no more is read from the leader.
const UNDURABLE_MAX: usize = 32 << 20;

/// Something that came in.
pub(crate) enum Arrival {
    /// A client wants something.
    Submission(Submission),
    /// Another server, a link or the disk has something to say.
    Peer(zab::Input),
    /// A message of the election port, with its place among those not handled yet.
    Heard(
        zab::Input,
        #[expect(dead_code, reason = "dropping it is what counts")] Place,
    ),
    /// A state was loaded.
    Loaded(Box<State>),
    /// The leader is connected.
    Connected(LeaderLink, Arc<PeerSocket>),
    /// A learner has connected.
    Accepted(LearnerLink, Arc<PeerSocket>, Port),
    /// The leader's tree is here.
    Tree(LeaderLink, Box<Inflow>),
    /// The log's thread has done so many batches of jobs; what came of them stands before this.
    DiskDone { batches: usize },
    /// The log has a new file: a snapshot may begin.
    SnapshotMayBegin(Claim),
    /// The log has enough for a snapshot.
    SnapshotDue,
}

/// A member as of one moment, for those who look from outside.
#[derive(Clone)]
pub(crate) struct Sight {
    pub(crate) overview: Overview,
    /// Sessions that no other server knows.
    pub(crate) local_sessions: usize,
}

impl Sight {
    fn of(core: &Core) -> Self {
        let member = core.member();
        Self {
            overview: member.peer().overview(),
            local_sessions: member.local_sessions(),
        }
    }
}

/// A member at work.
pub(crate) struct Engine {
    queue: Queue<Arrival>,
    core: Mutex<Core>,
    disk: Arc<Disk>,
    files: Files,
    limits: Limits,
    failure: Mutex<Option<DiskError>>,
    /// As of the last change of status, or of when someone looked last.
    seen: Mutex<Sight>,
    /// Ends without the leave of the others.
    abandoned: AtomicBool,
    /// For requests of learners.
    requests: Brake,
    /// For history of the leader.
    history: Brake,
}

/// Holds up those who bring more than can be taken.
#[derive(Default)]
struct Brake {
    held: AtomicBool,
    released: Notify,
}

impl Brake {
    fn set(&self, held: bool) {
        if self.held.swap(held, Ordering::AcqRel) && !held {
            self.released.notify_waiters();
        }
    }

    async fn pass(&self) {
        while self.held.load(Ordering::Acquire) {
            let released = self.released.notified();
            if self.held.load(Ordering::Acquire) {
                released.await;
            }
        }
    }
}

impl Engine {
    pub(super) fn new(core: Core, disk: Arc<Disk>, files: Files, limits: Limits) -> Self {
        let seen = Mutex::new(Sight::of(&core));
        Self {
            queue: Queue::default(),
            core: Mutex::new(core),
            disk,
            files,
            limits,
            failure: Mutex::new(None),
            seen,
            abandoned: AtomicBool::new(false),
            requests: Brake::default(),
            history: Brake::default(),
        }
    }

    /// Takes what a client wants. May do more before it returns, or wait for room, so no lock of
    /// the replica may be held.
    pub(crate) fn submit(&self, submission: Submission) {
        self.push(Arrival::Submission(submission));
    }

    /// Takes what came in. As [`Engine::submit`].
    pub(crate) fn push(&self, arrival: Arrival) {
        self.push_all([arrival]);
    }

    /// Takes what came in, in order.
    pub(crate) fn push_all(&self, arrivals: impl IntoIterator<Item = Arrival>) {
        if self.queue.push(arrivals, true) {
            self.help();
        }
    }

    /// Leaves what came in to the engine's thread: for those who must not wait for the disk.
    pub(crate) fn post(&self, arrival: Arrival) {
        self.queue.post([arrival]);
    }

    /// Takes part from now on.
    pub(crate) fn begin(&self, shell: Shell) {
        self.core.lock().begin(shell);
        self.queue.interrupt();
    }

    /// Stops in an orderly way: a leader first sees to it that someone can take over.
    pub(crate) fn stop(&self) {
        self.post(Arrival::Peer(zab::Input::HandOver));
    }

    /// Ends at once, as if the process had been killed.
    pub(crate) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Release);
        self.queue.interrupt();
    }

    /// Closes the connections to other servers. To be called when [`Engine::run`] has ended and
    /// nothing more is to be said to them.
    pub(crate) fn retire(&self) {
        self.core.lock().retire();
    }

    /// Bounds for what other servers send.
    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// The member's files.
    pub(crate) fn files(&self) -> &Files {
        &self.files
    }

    /// What this server does at the moment.
    pub(crate) fn status(&self) -> RoleStatus {
        self.seen.lock().overview.status
    }

    /// What it does and with whom. While the disk keeps who decides, what was seen last.
    pub(crate) fn sight(&self) -> Sight {
        let core = self.core.try_lock_for(SIGHT_PATIENCE);
        let mut seen = self.seen.lock();
        if let Some(core) = core {
            *seen = Sight::of(&core);
        }
        seen.clone()
    }

    /// Batches of jobs that the log's thread has not reported on.
    #[cfg(test)]
    pub(crate) fn with_disk(&self) -> usize {
        self.core.lock().with_disk()
    }

    /// Waits until requests of learners are taken again.
    pub(crate) async fn relief(&self) {
        self.requests.pass().await;
    }

    /// Waits until the disk has caught up, and the state with it.
    pub(crate) async fn disk_relief(&self) {
        self.history.pass().await;
    }

    /// Does what came in, and what comes in meanwhile, in place of the engine's thread.
    fn help(&self) {
        let _guard = PanicEnds;
        let mut due_ms = u64::MAX;
        for _batch in 0..HELPED_BATCHES {
            let Some(mut core) = self.core.try_lock() else {
                break;
            };
            self.work(&mut core);
            due_ms = core.due_ms();
            drop(core);
            if self.queue.leave_if_empty(due_ms) {
                return;
            }
        }
        self.queue.leave(due_ms);
    }

    /// The engine's thread: runs until the member has stopped.
    pub(crate) fn run(&self) -> Result<(), DiskError> {
        std::thread::scope(|scope| {
            let log = std::thread::Builder::new().name("zk-log".to_owned());
            let log = log.spawn_scoped(scope, || self.disk.run(|done| self.done(done)));
            let log = log.expect("a thread for the log");
            let ran = self.run_core();
            self.disk.stop();
            log.join().expect("the log's thread reports its errors");
            ran
        })
    }

    fn run_core(&self) -> Result<(), DiskError> {
        let _guard = PanicEnds;
        loop {
            let (due_ms, patience) = {
                let core = self.core.lock();
                (core.due_ms(), core.patience().min(IDLE_WAIT))
            };
            self.queue.wait(due_ms, patience);
            self.work(&mut self.core.lock());
            if let Some(failure) = self.failure.lock().take() {
                return Err(failure);
            }
            if self.status() == RoleStatus::Halted || self.abandoned.load(Ordering::Acquire) {
                return Ok(());
            }
        }
    }

    /// Takes everything that is queued through the member, and the disk if that is soon done.
    fn work(&self, core: &mut Core) {
        if !core.is_up() || self.abandoned.load(Ordering::Acquire) {
            // Nobody is heard before the ports are open; clients find this server closed.
            return;
        }
        let arrivals = self.queue.take();
        if let Some(failure) = core.work(arrivals, &self.disk) {
            self.failure.lock().get_or_insert(failure);
            self.queue.interrupt();
        }
        if core.has_new_status() {
            *self.seen.lock() = Sight::of(core);
            // The engine's thread ends with the member.
            self.queue.interrupt();
        }
        let member = core.member();
        let crowded = member.backlog() > BACKLOG_MAX;
        self.requests.set(crowded);
        self.history
            .set(crowded || member.peer().undurable_bytes() > UNDURABLE_MAX);
    }

    /// The log's thread has done something.
    fn done(&self, done: Done) {
        let Done {
            arrivals,
            snapshot_due,
            snapshot_may_begin,
            failure,
            batches,
        } = done;
        if let Some(failure) = failure {
            self.failure.lock().get_or_insert(failure);
            self.queue.interrupt();
        }
        let begin = snapshot_may_begin.map(Arrival::SnapshotMayBegin);
        let due = snapshot_due.then_some(Arrival::SnapshotDue);
        let arrivals = arrivals.into_iter().chain(begin).chain(due);
        let arrivals = arrivals.chain([Arrival::DiskDone { batches }]);
        if self.queue.offer(arrivals, true) {
            // What is durable is acknowledged, or committed, without another thread waking up for
            // it.
            self.help();
        }
    }
}
