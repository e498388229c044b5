//! What every simulated world has: one queue of events in simulated time, clients, their
//! connections, what is known of the one history, and the account of what happened. The
//! servers are elsewhere: one alone in `standalone`, an ensemble in `cluster`.

mod client_side;
mod faults;
mod network;
mod outside;
mod server_end;
mod settle;

use std::collections::BTreeMap;
use std::fmt::Write;

use jute::txn::Txn;
use replica::Now;

use crate::checkers::acknowledged::Acknowledged;
use crate::checkers::history::History;
use crate::clients::{Shared, SimClient};
use crate::coverage::{Coverage, SIMULATED_MS};
use crate::rng::Rng;
use crate::scenario::Scenario;
use crate::violation::{Checked, Violation};
use crate::{cluster, standalone};
pub(crate) use faults::Due;
pub(crate) use network::{Link, Pipe};
pub use outside::Arrival;
pub(crate) use outside::Outside;
pub(crate) use server_end::{Door, Woken};
pub(crate) use settle::Phase;

/// The wall clock at the start, milliseconds since 1970.
pub(crate) const WALL_START_MS: i64 = 1_700_000_000_000;

/// A run that needs more events than this does not end by itself.
const EVENTS_MAX: u64 = 2_000_000;

/// What happens at some moment.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    /// A connection reaches its server.
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
    /// Is everything settled?
    Settle,
    /// It concerns the one server.
    Standalone(standalone::Event),
    /// It concerns the ensemble.
    Cluster(cluster::Event),
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

/// The node that a transaction is about.
fn subject<'a>(txn: &'a Txn<'_>) -> &'a str {
    let path = match txn {
        Txn::Create(txn) | Txn::Create2(txn) => &txn.path,
        Txn::CreateContainer(txn) => &txn.path,
        Txn::CreateTtl(txn) => &txn.path,
        Txn::Delete(txn) | Txn::DeleteContainer(txn) => &txn.path,
        Txn::SetData(txn) | Txn::Reconfig(txn) => &txn.path,
        Txn::SetAcl(txn) => &txn.path,
        _ => return "",
    };
    path.as_deref().unwrap_or_default()
}

impl Outcome {
    /// Of a run that did not even begin.
    pub fn of(violation: Violation) -> Self {
        Self {
            violation: Some(violation),
            coverage: Coverage::default(),
            transcript: String::new(),
        }
    }
}

/// Everything but the servers.
pub(crate) struct World {
    pub(crate) scenario: Scenario,
    /// How many servers clients connect to.
    pub(crate) servers: usize,
    pub(crate) now_us: u64,
    queue: BTreeMap<(u64, u64), Event>,
    queued: u64,
    events: u64,
    pub(crate) links: BTreeMap<u64, Link>,
    last_link: u64,
    pub(crate) clients: Vec<SimClient>,
    /// Clients that are not simulated here.
    pub(crate) outside: Option<Outside>,
    incarnations: u64,
    /// Is the last client one who may do everything, and does nothing but reconfigure?
    pub(crate) has_admin: bool,
    pub(crate) history: History,
    pub(crate) acknowledged: Acknowledged,
    refused: u64,
    answered: u64,
    /// Until then clients ask for nothing.
    pub(crate) rest_until_us: u64,
    pub(crate) requests_left: u64,
    pub(crate) faults_left: u64,
    pub(crate) phase: Phase,
    /// Decides about the network and the machine.
    pub(crate) rng: Rng,
    /// Decides what clients ask for.
    pub(crate) work_rng: Rng,
    /// Decides about faults.
    pub(crate) fault_rng: Rng,
    pub(crate) coverage: Coverage,
    pub(crate) transcript: Option<String>,
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
    pub(crate) fn new(scenario: &Scenario, servers: usize, rng: Rng, transcript: bool) -> Self {
        let seed = scenario.seed;
        Self {
            servers,
            now_us: 1_000_000,
            queue: BTreeMap::new(),
            queued: 0,
            events: 0,
            links: BTreeMap::new(),
            last_link: 0,
            clients: Vec::new(),
            outside: None,
            incarnations: 0,
            has_admin: false,
            history: History::new(),
            acknowledged: Acknowledged::default(),
            refused: 0,
            answered: 0,
            rest_until_us: 0,
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

    /// Puts clients and the first fault on the queue.
    pub(crate) fn populate(&mut self) -> Checked {
        let clients = self.scenario.clients as usize;
        for client in 0..clients + usize::from(self.has_admin) {
            let fresh = self.fresh_client(client)?;
            self.clients.push(fresh);
            let after = self.rng.between(0..200_000);
            self.schedule_client(client);
            self.at(after, Event::Think { client });
        }
        let first = self.fault_rng.between(100_000..2_000_000);
        self.at(first, Event::Fault);
        Ok(())
    }

    /// The next event; time moves on to it. `None` at the end of everything.
    ///
    /// # Errors
    /// The run has gone on for too long.
    pub(crate) fn next(&mut self) -> Checked<Option<Event>> {
        self.events += 1;
        if self.events > EVENTS_MAX {
            let text = "the run does not come to an end";
            return Err(Violation::new("liveness", text));
        }
        let Some(((at_us, _), event)) = self.queue.pop_first() else {
            return Ok(None);
        };
        self.now_us = self.now_us.max(at_us);
        Ok(Some(event))
    }

    /// When the next event happens, microseconds.
    pub(crate) fn next_us(&self) -> Option<u64> {
        let ((at_us, _), _) = self.queue.first_key_value()?;
        Some(*at_us)
    }

    /// What happens to clients.
    pub(crate) fn client_event(&mut self, event: Event) -> Checked {
        match event {
            Event::ToClient { link } => self.reach_client(link),
            Event::Tick { client } => self.tick(client),
            Event::Think { client } => self.think(client),
            Event::Replace { client } => self.replace(client),
            other => unreachable!("{other:?} does not happen to a client"),
        }
    }

    /// Ends the run: what it came to.
    pub(crate) fn into_outcome(mut self, checked: Checked) -> Outcome {
        match &checked {
            Err(violation) => tell!(self, "VIOLATION of {violation}"),
            Ok(()) => tell!(self, "clean"),
        }
        self.coverage.add("request answered", self.answered);
        self.coverage
            .add("write refused for lack of space", self.refused);
        self.coverage
            .add("transaction applied", self.history.len() as u64);
        self.coverage.add(SIMULATED_MS, self.now_us / 1000);
        for at in 0..self.clients.len() {
            self.count_client(at);
        }
        Outcome {
            violation: checked.err(),
            coverage: self.coverage,
            transcript: self.transcript.unwrap_or_default(),
        }
    }

    /// Puts an event on the queue, `after_us` from now.
    pub(crate) fn at(&mut self, after_us: u64, event: Event) {
        self.when(self.now_us + after_us, event);
    }

    pub(crate) fn when(&mut self, at_us: u64, event: Event) {
        self.queued += 1;
        self.queue.insert((at_us, self.queued), event);
    }

    /// Now, on a machine whose wall clock is off by so much.
    pub(crate) fn now(&self, wall_offset_ms: i64) -> Now {
        Now {
            monotonic_us: self.now_us,
            wall_ms: WALL_START_MS + wall_offset_ms + (self.now_us / 1000) as i64,
        }
    }

    /// What a client's checkers share, and the client.
    fn client_and_shared(&mut self, at: usize) -> (&mut SimClient, Shared<'_>) {
        let shared = Shared {
            history: &mut self.history,
            acknowledged: &mut self.acknowledged,
            refused: &mut self.refused,
            answered: &mut self.answered,
            coverage: &mut self.coverage,
            ensemble: self.scenario.is_ensemble(),
        };
        (&mut self.clients[at], shared)
    }

    /// Tells which transactions were applied behind `zxid`.
    pub(crate) fn tell_history(&mut self, zxid: i64) {
        if self.transcript.is_none() {
            return;
        }
        let new: Vec<i64> = self.history.behind(zxid).collect();
        for zxid in new {
            let Some(entry) = self.history.entry(zxid) else {
                continue;
            };
            let (header, op) = (entry.header, entry.txn.op());
            let path = subject(&entry.txn);
            let line = format!(
                "history: {zxid:x} {op:?} {path} session {:x} xid {}",
                header.client_id, header.cxid
            );
            self.tell(&line);
        }
    }

    pub(crate) fn tell(&mut self, line: &str) {
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
