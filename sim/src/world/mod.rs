//! The event loop: one queue of events in simulated time, and everything that they touch.

mod client_side;
mod faults;
mod life;
mod network;
mod rot;
mod server_side;
mod settle;

use std::collections::BTreeMap;
use std::fmt::Write;

use replica::Now;
use storage::SimDisk;

use crate::checkers::acknowledged::Acknowledged;
use crate::checkers::ephemerals::Ephemerals;
use crate::checkers::history::History;
use crate::clients::{Shared, SimClient};
use crate::coverage::Coverage;
use crate::rng::Rng;
use crate::scenario::Scenario;
use crate::server::{Server, Settings};
use crate::violation::{Checked, Violation};
use network::Link;
use rot::Flip;
use settle::Phase;

/// The wall clock at the start, milliseconds since 1970.
const WALL_START_MS: i64 = 1_700_000_000_000;

/// A run that needs more events than this does not end by itself.
const EVENTS_MAX: u64 = 2_000_000;

/// What happens at some moment. Numbers of lives keep what was meant for a server that is
/// gone from happening to the next one.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// A server starts.
    Start,
    /// A round begins.
    Round { life: u64 },
    /// The log writes what it has.
    Log { life: u64 },
    /// What the log wrote first is to be committed.
    Commit { life: u64 },
    /// Something is due in the server.
    Timer { life: u64 },
    /// The snapshot goes on.
    Snapshot { life: u64 },
    /// A log file is prepared.
    File { life: u64 },
    /// A connection reaches the server.
    Accept { link: u64 },
    /// Something arrives at the server.
    ToServer { link: u64 },
    /// Something arrives at the client.
    ToClient { link: u64 },
    /// Something is due in a client.
    Tick { client: usize },
    /// The application of a client wants something.
    Think { client: usize },
    /// A new client takes the place of one that is gone.
    Replace { client: usize },
    /// A fault.
    Fault,
    /// The disk has space again.
    SpaceBack,
    /// The disk is fast again.
    FastAgain,
    /// Is everything settled?
    Settle,
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The invariant that did not hold.
    pub violation: Option<Violation>,
    /// What happened, counted.
    pub coverage: Coverage,
    /// What happened, told; empty unless asked for.
    pub transcript: String,
}

/// Everything there is.
pub(crate) struct World {
    scenario: Scenario,
    settings: Settings,
    now_us: u64,
    wall_offset_ms: i64,
    queue: BTreeMap<(u64, u64), Event>,
    queued: u64,
    disk: SimDisk,
    server: Option<Server>,
    life: u64,
    round_due: bool,
    log_due: bool,
    timer_us: Option<u64>,
    snapshot_due: bool,
    file_due: bool,
    flip: Option<Flip>,
    /// Is there, or was there lately, a limit on the disk?
    disk_is_limited: bool,
    /// Is an operation of the disk about to fail?
    disk_fails: bool,
    links: BTreeMap<u64, Link>,
    last_link: u64,
    clients: Vec<SimClient>,
    incarnations: u64,
    history: History,
    acknowledged: Acknowledged,
    ephemerals: Ephemerals,
    refused: u64,
    answered: u64,
    requests_left: u64,
    faults_left: u64,
    phase: Phase,
    /// Decides about the network and the machine.
    rng: Rng,
    /// Decides what clients ask for.
    work_rng: Rng,
    /// Decides about faults.
    fault_rng: Rng,
    coverage: Coverage,
    transcript: Option<String>,
}

/// Adds a line to the transcript, if there is one.
macro_rules! tell {
    ($world:expr, $($line:tt)+) => {
        if $world.transcript.is_some() {
            let line = format!($($line)+);
            $world.tell(&line);
        }
    };
}
pub(crate) use tell;

impl World {
    pub(crate) fn new(scenario: &Scenario, transcript: bool) -> Self {
        let seed = scenario.seed;
        let mut rng = Rng::new(seed, 0);
        let settings = Settings::draw(&mut rng);
        Self {
            settings,
            now_us: 1_000_000,
            wall_offset_ms: WALL_START_MS,
            queue: BTreeMap::new(),
            queued: 0,
            disk: SimDisk::new(),
            server: None,
            life: 0,
            round_due: false,
            log_due: false,
            timer_us: None,
            snapshot_due: false,
            file_due: false,
            flip: None,
            disk_is_limited: false,
            disk_fails: false,
            links: BTreeMap::new(),
            last_link: 0,
            clients: Vec::new(),
            incarnations: 0,
            history: History::new(),
            acknowledged: Acknowledged::default(),
            ephemerals: Ephemerals::default(),
            refused: 0,
            answered: 0,
            requests_left: scenario.requests,
            faults_left: scenario.faults,
            phase: Phase::Faulty,
            rng,
            work_rng: Rng::new(seed, 1),
            fault_rng: Rng::new(seed, 2),
            coverage: Coverage::default(),
            transcript: transcript.then(String::new),
            scenario: scenario.clone(),
        }
    }

    /// Runs to the end.
    pub(crate) fn run(&mut self) -> Checked {
        tell!(self, "seed {} {:?}", self.scenario.seed, self.settings);
        self.at(0, Event::Start);
        for client in 0..self.scenario.clients as usize {
            let fresh = self.fresh_client()?;
            self.clients.push(fresh);
            let after = self.rng.between(0..200_000);
            self.schedule_client(client);
            self.at(after, Event::Think { client });
        }
        let first = self.fault_rng.between(100_000..2_000_000);
        self.at(first, Event::Fault);
        for _ in 0..EVENTS_MAX {
            let Some(((at_us, _), event)) = self.queue.pop_first() else {
                break;
            };
            self.now_us = self.now_us.max(at_us);
            self.happen(event)?;
            self.serve_woken()?;
            if self.phase == Phase::Done {
                return Ok(());
            }
        }
        Err(Violation::new(
            "liveness",
            "the run does not come to an end",
        ))
    }

    /// Ends the run: what it came to.
    pub(crate) fn into_outcome(mut self, checked: Checked) -> Outcome {
        self.coverage.add("request answered", self.answered);
        self.coverage
            .add("write refused for lack of space", self.refused);
        self.coverage
            .add("transaction applied", self.history.last_zxid() as u64);
        for at in 0..self.clients.len() {
            self.count_client(at);
        }
        Outcome {
            violation: checked.err(),
            coverage: self.coverage,
            transcript: self.transcript.unwrap_or_default(),
        }
    }

    pub(crate) fn note(&mut self, line: &str) {
        tell!(self, "{line}");
    }

    fn happen(&mut self, event: Event) -> Checked {
        match event {
            Event::Start => self.start(),
            Event::Round { life } if life == self.life => self.begin_round(),
            Event::Log { life } if life == self.life => self.write_log(),
            Event::Commit { life } if life == self.life => self.commit(),
            Event::Timer { life } if life == self.life => self.timer(),
            Event::Snapshot { life } if life == self.life => self.step_snapshot(),
            Event::File { life } if life == self.life => self.prepare_file(),
            Event::Round { .. }
            | Event::Log { .. }
            | Event::Commit { .. }
            | Event::Timer { .. }
            | Event::Snapshot { .. }
            | Event::File { .. } => Ok(()),
            Event::Accept { link } => self.accept(link),
            Event::ToServer { link } => self.reach_server(link),
            Event::ToClient { link } => self.reach_client(link),
            Event::Tick { client } => self.tick(client),
            Event::Think { client } => self.think(client),
            Event::Replace { client } => self.replace(client),
            Event::Fault => self.fault(),
            Event::SpaceBack => {
                tell!(self, "disk: there is space again");
                self.disk.set_capacity(None);
                self.disk_is_limited = false;
                Ok(())
            }
            Event::FastAgain => {
                self.speed_up_disk();
                Ok(())
            }
            Event::Settle => self.settle(),
        }
    }

    /// Puts an event on the queue, `after_us` from now.
    fn at(&mut self, after_us: u64, event: Event) {
        self.when(self.now_us + after_us, event);
    }

    fn when(&mut self, at_us: u64, event: Event) {
        self.queued += 1;
        self.queue.insert((at_us, self.queued), event);
    }

    fn now(&self) -> Now {
        Now {
            monotonic_us: self.now_us,
            wall_ms: self.wall_offset_ms + (self.now_us / 1000) as i64,
        }
    }

    /// What a client's checkers share, and the client.
    fn client_and_shared(&mut self, at: usize) -> (&mut SimClient, Shared<'_>) {
        let shared = Shared {
            history: &mut self.history,
            acknowledged: &mut self.acknowledged,
            refused: &mut self.refused,
            answered: &mut self.answered,
        };
        (&mut self.clients[at], shared)
    }

    fn tell(&mut self, line: &str) {
        let now_us = self.now_us;
        if let Some(transcript) = &mut self.transcript {
            // Writing to a String cannot fail.
            let _ = writeln!(
                transcript,
                "{:>4}.{:06} {line}",
                now_us / 1_000_000,
                now_us % 1_000_000
            );
        }
    }
}
