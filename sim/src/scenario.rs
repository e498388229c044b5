//! What a run is made from.

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The machine loses power: what was not synced survives by chance.
    PowerLoss,
    /// The process is killed; the disk keeps everything.
    Kill,
    /// Power is lost in the middle of whatever the disk does some operations from now.
    CrashInside,
    /// A connection breaks; what is under way is lost from some byte on.
    BreakLink,
    /// A connection carries nothing for a while.
    StallLink,
    /// The wall clock jumps.
    WallJump,
    /// The disk is full for a while.
    DiskFull,
    /// A sync fails.
    SyncError,
    /// The disk is slow for a while.
    SlowDisk,
    /// Old snapshots and logs are removed.
    Purge,
    /// A client vanishes without a word.
    ClientDies,
    /// A bit of a file flips while the server is down.
    Rot,
}

impl Fault {
    /// All kinds.
    pub const ALL: [Self; 12] = [
        Self::PowerLoss,
        Self::Kill,
        Self::CrashInside,
        Self::BreakLink,
        Self::StallLink,
        Self::WallJump,
        Self::DiskFull,
        Self::SyncError,
        Self::SlowDisk,
        Self::Purge,
        Self::ClientDies,
        Self::Rot,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::PowerLoss => "power-loss",
            Self::Kill => "kill",
            Self::CrashInside => "crash-inside",
            Self::BreakLink => "break-link",
            Self::StallLink => "stall-link",
            Self::WallJump => "wall-jump",
            Self::DiskFull => "disk-full",
            Self::SyncError => "sync-error",
            Self::SlowDisk => "slow-disk",
            Self::Purge => "purge",
            Self::ClientDies => "client-dies",
            Self::Rot => "rot",
        }
    }

    /// The kind of this name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.name() == name)
    }
}

/// Everything that decides what happens in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Decides all that chance decides.
    pub seed: u64,
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
            clients: CLIENTS,
            requests: REQUESTS,
            faults: FAULTS,
            kinds: Fault::ALL.to_vec(),
        }
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
        let off = Fault::ALL
            .into_iter()
            .filter(|kind| !self.kinds.contains(kind));
        let off: Vec<_> = off.map(Fault::name).collect();
        if !off.is_empty() {
            text.push_str(&format!(" --without {}", off.join(",")));
        }
        text
    }
}
