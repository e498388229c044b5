//! What a run is made from.

use std::fmt;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A machine loses power: what was not synced survives by chance.
    PowerLoss,
    /// A process is killed; the disk keeps everything.
    Kill,
    /// Power is lost in the middle of whatever a disk does some operations from now.
    CrashInside,
    /// A client's connection breaks; what is under way is lost from some byte on.
    BreakLink,
    /// A client's connection carries nothing for a while.
    StallLink,
    /// A wall clock jumps.
    WallJump,
    /// A disk is full for a while.
    DiskFull,
    /// A sync fails.
    SyncError,
    /// A disk is slow for a while.
    SlowDisk,
    /// Old snapshots and logs are removed.
    Purge,
    /// A client vanishes without a word.
    ClientDies,
    /// A bit of a file flips while the server is down.
    Rot,
    /// A server dies at the next effect of some kind, just before it, in it or behind it.
    CrashAt,
    /// Power is lost everywhere at once.
    Blackout,
    /// The ensemble is torn apart for a while.
    Partition,
    /// The leader is cut off while clients write to it; then they rest for a while.
    Depose,
    /// Nothing gets from one server to another for a while.
    OneWay,
    /// A connection between two servers breaks, for both or for one of them.
    BreakPeer,
    /// Messages between two servers take long for a while.
    SlowPeer,
    /// Notifications get lost for a while.
    LoseNotifications,
    /// A process stands still for a while.
    Pause,
    /// The leader is stopped in order: it hands over first.
    HandOver,
    /// Every server is restarted in order, one after the other.
    RollingRestart,
    /// A server's disk is lost, where the others have everything.
    Wipe,
    /// Clients change the ensemble.
    Reconfigure,
    /// Not one at a time: the counter of transactions is so small, now and then, that epochs end
    /// after some dozens. Each new leader gives all sessions their whole timeout again.
    Rollover,
}

/// Each kind: its name on the command line, and how often it is drawn on a server alone and in an
/// ensemble, in relation to the others.
const FAULTS_KNOWN: [(Fault, &str, usize, usize); 26] = [
    (Fault::PowerLoss, "power-loss", 1, 1),
    (Fault::Kill, "kill", 1, 1),
    (Fault::CrashInside, "crash-inside", 1, 1),
    (Fault::BreakLink, "break-link", 1, 1),
    (Fault::StallLink, "stall-link", 1, 1),
    (Fault::WallJump, "wall-jump", 1, 1),
    (Fault::DiskFull, "disk-full", 1, 1),
    (Fault::SyncError, "sync-error", 1, 1),
    (Fault::SlowDisk, "slow-disk", 1, 1),
    (Fault::Purge, "purge", 1, 1),
    (Fault::ClientDies, "client-dies", 1, 1),
    (Fault::Rot, "rot", 1, 1),
    (Fault::CrashAt, "crash-at", 0, 1),
    (Fault::Blackout, "blackout", 0, 1),
    (Fault::Partition, "partition", 0, 1),
    (Fault::Depose, "depose", 0, 2),
    (Fault::OneWay, "one-way", 0, 1),
    (Fault::BreakPeer, "break-peer", 0, 1),
    (Fault::SlowPeer, "slow-peer", 0, 1),
    (Fault::LoseNotifications, "lose-notifications", 0, 1),
    (Fault::Pause, "pause", 0, 1),
    (Fault::HandOver, "hand-over", 0, 1),
    (Fault::RollingRestart, "rolling-restart", 0, 1),
    (Fault::Wipe, "wipe", 0, 1),
    (Fault::Reconfigure, "reconfigure", 0, 1),
    (Fault::Rollover, "rollover", 0, 0),
];

impl Fault {
    /// All kinds.
    pub fn all() -> impl Iterator<Item = Self> {
        FAULTS_KNOWN.into_iter().map(|(fault, ..)| fault)
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        let known = FAULTS_KNOWN.iter().find(|(fault, ..)| *fault == self);
        known.expect("every kind is in the table").1
    }

    /// The kind of this name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::all().find(|fault| fault.name() == name)
    }
}

/// Which servers there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Servers {
    /// One, which is no member of anything.
    Standalone,
    /// The members of an ensemble.
    Members(usize),
}

impl Servers {
    /// What a seed stands for, if nothing else is asked for.
    fn of_seed(seed: u64) -> Self {
        match seed % 8 {
            0 => Self::Standalone,
            1 => Self::Members(1),
            2..=4 => Self::Members(3),
            5 => Self::Members(4),
            6 => Self::Members(5),
            _ => Self::Members(7),
        }
    }

    /// From the command line.
    ///
    /// # Errors
    /// What is known instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let members = || match text.parse() {
            Ok(members @ 1..=MEMBERS_MAX) => Some(Self::Members(members)),
            _ => None,
        };
        match text {
            "standalone" => Ok(Self::Standalone),
            _ => members().ok_or_else(|| format!("wanted: standalone, or 1 to {MEMBERS_MAX}")),
        }
    }
}

impl fmt::Display for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standalone => f.write_str("standalone"),
            Self::Members(members) => write!(f, "{members}"),
        }
    }
}

/// Members of an ensemble at the most.
const MEMBERS_MAX: usize = 7;

/// Everything that decides what happens in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Decides all that chance decides.
    pub seed: u64,
    /// The servers.
    pub servers: Servers,
    /// Clients at a time.
    pub clients: u64,
    /// Requests of all clients together, before the faults stop.
    pub requests: u64,
    /// Faults at the most.
    pub faults: u64,
    /// The kinds that may happen.
    pub kinds: Vec<Fault>,
}

/// Defaults of a run.
const CLIENTS: u64 = 4;
const REQUESTS: u64 = 250;
const FAULTS: u64 = 14;

impl Scenario {
    /// The usual run with this seed.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            servers: Servers::of_seed(seed),
            clients: CLIENTS,
            requests: REQUESTS,
            faults: FAULTS,
            kinds: Fault::all().collect(),
        }
    }

    pub(crate) fn is_ensemble(&self) -> bool {
        self.servers != Servers::Standalone
    }

    /// The kinds of faults that happen in it, each as often as its weight.
    pub(crate) fn possible(&self) -> Vec<Fault> {
        let rows = FAULTS_KNOWN.iter();
        let allowed = rows.filter(|(kind, ..)| self.kinds.contains(kind));
        let weighed = allowed.flat_map(|(kind, _, alone, together)| {
            let weight = match self.servers {
                Servers::Standalone => *alone,
                Servers::Members(_) => *together,
            };
            std::iter::repeat_n(*kind, weight)
        });
        weighed.collect()
    }

    /// The arguments that make this run again.
    pub fn arguments(&self) -> String {
        let usual = Self::new(self.seed);
        let mut text = format!("--seed {}", self.seed);
        for (name, value, default) in [
            ("clients", self.clients, usual.clients),
            ("requests", self.requests, usual.requests),
            ("faults", self.faults, usual.faults),
        ] {
            if value != default {
                text.push_str(&format!(" --{name} {value}"));
            }
        }
        if self.servers != usual.servers {
            text.push_str(&format!(" --servers {}", self.servers));
        }
        let off = Fault::all().filter(|kind| !self.kinds.contains(kind));
        let off: Vec<_> = off.map(Fault::name).collect();
        if !off.is_empty() {
            text.push_str(&format!(" --without {}", off.join(",")));
        }
        text
    }
}
