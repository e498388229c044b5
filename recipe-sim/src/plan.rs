//! What a run is made from.

use sim::{Fault, Rng, Scenario, Servers};

use crate::recipes::Recipe;

/// Faults at the servers that do not happen here: no space makes the servers refuse what the
/// recipes ask for, which is an error to the application; where epochs end all the time no session
/// expires; the others concern clients that the site itself would have.
const WITHOUT: [Fault; 4] = [
    Fault::DiskFull,
    Fault::Rollover,
    Fault::ClientDies,
    Fault::Reconfigure,
];

/// A kind of fault of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessFault {
    /// It stands still.
    Pause,
    /// Nothing gets through to the servers.
    Cut,
    /// It vanishes.
    Die,
}

/// Each with its name on the command line.
const PROCESS_FAULTS: [(ProcessFault, &str); 3] = [
    (ProcessFault::Pause, "client-pause"),
    (ProcessFault::Cut, "client-cut"),
    (ProcessFault::Die, "client-dies"),
];

impl ProcessFault {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        let known = PROCESS_FAULTS.iter().find(|(kind, _)| *kind == self);
        known.map_or("", |(_, name)| name)
    }
}

/// Everything that decides what happens in a run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Decides all that chance decides.
    pub seed: u64,
    /// What is tried.
    pub recipe: &'static Recipe,
    /// Processes at a time.
    pub processes: usize,
    /// How long faults happen, microseconds.
    pub faulty_us: u64,
    /// The servers.
    pub servers: Servers,
    /// Faults of servers at the most.
    pub faults: u64,
    /// Those that may happen.
    pub kinds: Vec<Fault>,
    /// Those of processes that may happen.
    pub process_faults: Vec<ProcessFault>,
}

impl Plan {
    /// The usual run of a recipe with this seed.
    pub fn new(recipe: &'static Recipe, seed: u64) -> Self {
        let mut rng = Rng::new(seed, 11);
        let servers = match seed % 4 {
            0 => Servers::Standalone,
            _ => Servers::Members(3),
        };
        Self {
            seed,
            recipe,
            processes: rng.between(2..5) as usize,
            faulty_us: rng.between(6_000_000..24_000_000),
            servers,
            faults: 14,
            kinds: Fault::all()
                .filter(|kind| !WITHOUT.contains(kind) && !recipe.without().contains(kind))
                .collect(),
            process_faults: PROCESS_FAULTS.map(|(kind, _)| kind).to_vec(),
        }
    }

    /// Leaves out the faults of this name; false if there are none.
    pub fn leave_out(&mut self, name: &str) -> bool {
        let before = self.kinds.len() + self.process_faults.len();
        self.kinds.retain(|kind| kind.name() != name);
        self.process_faults.retain(|kind| kind.name() != name);
        self.kinds.len() + self.process_faults.len() < before
    }

    pub(crate) fn servers(&self) -> usize {
        match self.servers {
            Servers::Standalone => 1,
            Servers::Members(members) => members,
        }
    }

    pub(crate) fn scenario(&self) -> Scenario {
        Scenario {
            servers: self.servers,
            faults: self.faults,
            kinds: self.kinds.clone(),
            ..Scenario::new(self.seed)
        }
    }
}
