//! A machine with its disk, and the process that runs on it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use journal::{Inflow, Journal, LocalSnapshot, LogReader, Outflow, Write};
use jute::Zxid;
use replica::{Member, Now, Replica, Submission};
use state::State;
use storage::{Disk, SimDisk};
use zab::{LeaderLink, LearnerLink, ServerId};

use super::clock::Clock;
use super::preparer::StepPreparer;
use super::settings::layout;
use crate::checkers::disks::Record;
use crate::checkers::ephemerals::Ephemerals;
use crate::rot::Flip;
use crate::world::{Door, Woken};

/// Something with a disk, a clock, and at most one process.
pub(crate) struct Machine {
    pub(crate) id: ServerId,
    pub(crate) disk: SimDisk,
    /// What the disk is known to hold.
    pub(crate) record: Record,
    pub(crate) process: Option<Process>,
    /// Numbers the processes: what was meant for one does not happen to the next.
    pub(crate) life: u64,
    pub(crate) clock: Clock,
    /// Until then the process stands still.
    pub(crate) paused_until_us: u64,
    /// Is there, or was there lately, a limit on the disk?
    pub(crate) disk_is_limited: bool,
    /// Is an operation of the disk about to fail?
    pub(crate) disk_fails: bool,
    /// The disk is to be lost before the next start, if the others have everything.
    pub(crate) to_be_wiped: bool,
    /// It was lost, and no leader's history was taken over since.
    pub(crate) is_wiped: bool,
    /// A bit is to flip before the next start, if the others have everything.
    pub(crate) is_to_rot: bool,
    /// One has just flipped, and nothing was written since.
    pub(crate) flip: Option<Flip>,
    /// Some of its files may be damaged: what it has does not count as kept.
    pub(crate) is_rotten: bool,
    /// A start is on its way.
    pub(crate) starts: bool,
}

/// One life of a member.
pub(crate) struct Process {
    pub(crate) member: Member,
    pub(crate) replica: Arc<Replica>,
    pub(crate) journal: Journal,
    pub(crate) reader: LogReader,
    pub(crate) woken: Woken,
    pub(crate) submissions: Vec<Submission>,
    pub(crate) submit_due: bool,
    /// What the disk is to do, in order.
    pub(crate) jobs: VecDeque<Job>,
    pub(crate) disk_due: bool,
    /// What the disk has done, and the member has not been told of.
    pub(crate) completions: VecDeque<Completion>,
    /// Answers that take a moment.
    pub(crate) inbox: VecDeque<zab::Input>,
    /// The tree that comes from a leader.
    pub(crate) inflow: Option<Incoming>,
    /// Trees that go to learners.
    pub(crate) outflows: BTreeMap<LearnerLink, Outflow>,
    pub(crate) snapshot: Option<LocalSnapshot>,
    pub(crate) snapshot_due: bool,
    /// Prepares log files, where that is done ahead.
    pub(super) preparer: StepPreparer,
    pub(crate) file_due: bool,
    pub(crate) timer_us: Option<u64>,
    /// The last entry of the log, durable or not.
    pub(crate) log_end: i64,
    /// Does it serve clients?
    pub(crate) serves: bool,
    /// When each session was heard of, as far as this server, as a leader, knows.
    pub(crate) ephemerals: Ephemerals,
    /// Clients' connections when the leader was lost, and what they waited for.
    pub(crate) held: BTreeMap<u64, u32>,
}

/// A tree on its way from a leader.
pub(crate) struct Incoming {
    pub(crate) link: LeaderLink,
    pub(crate) inflow: Inflow,
    pub(crate) complete: bool,
}

/// Work for the disk.
pub(crate) enum Job {
    Write(Write),
    Reload(Zxid),
}

/// Work that the disk has done.
#[derive(Default)]
pub(crate) struct Completion {
    /// A state that takes the place of the one in use.
    pub(crate) loaded: Option<Box<State>>,
    pub(crate) inputs: Vec<zab::Input>,
}

impl Machine {
    pub(crate) fn new(id: ServerId, clock: Clock) -> Self {
        Self {
            id,
            disk: new_disk(),
            record: Record::new(),
            process: None,
            life: 0,
            clock,
            paused_until_us: 0,
            disk_is_limited: false,
            disk_fails: false,
            to_be_wiped: false,
            is_wiped: false,
            is_to_rot: false,
            flip: None,
            is_rotten: false,
            starts: false,
        }
    }

    /// Has a crash point been reached?
    pub(crate) fn is_down(&self) -> bool {
        is_down(&self.disk)
    }

    /// All data are lost.
    pub(crate) fn wipe(&mut self) {
        self.disk = new_disk();
        self.record = Record::new();
        self.is_wiped = true;
        self.flip = None;
        self.is_rotten = false;
    }
}

/// Has the disk's machine lost power?
pub(super) fn is_down(disk: &SimDisk) -> bool {
    disk.exists(layout().snap_dir()).is_err()
}

fn new_disk() -> SimDisk {
    let disk = SimDisk::new();
    for dir in ["/conf", "/data", "/datalog"] {
        let made = disk.create_dir_all(std::path::Path::new(dir));
        made.expect("memory takes it");
    }
    disk
}

impl Process {
    /// For its connections.
    pub(crate) fn door(&mut self, now: Now) -> Door<'_> {
        Door {
            replica: &self.replica,
            woken: &self.woken,
            submissions: &mut self.submissions,
            now,
        }
    }

    /// Another state takes the place of the present one: nobody looks at that any longer.
    pub(crate) fn end_walks(&mut self) {
        let mut state = self.replica.write();
        if let Some(snapshot) = self.snapshot.take() {
            snapshot.end(&mut state);
        }
        for (_, outflow) in std::mem::take(&mut self.outflows) {
            outflow.end(&mut state);
        }
    }
}
