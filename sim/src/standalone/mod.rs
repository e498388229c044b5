//! One server alone, with its clients.

mod faults;
mod life;
mod rounds;
mod server;
mod settle;

use storage::SimDisk;

use crate::checkers::ephemerals::Ephemerals;
use crate::rng::Rng;
use crate::rot::Flip;
use crate::scenario::Scenario;
use crate::violation::Checked;
use crate::world::{self, Outcome, Phase, World, tell};
pub(crate) use server::Recovery;
use server::{Server, Settings};

/// What happens to the server. Numbers of lives keep what was meant for a server that is gone
/// from happening to the next one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
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
    /// The disk has space again.
    SpaceBack,
    /// The disk is fast again.
    FastAgain,
}

impl Event {
    fn life(self) -> Option<u64> {
        match self {
            Self::Round { life }
            | Self::Log { life }
            | Self::Commit { life }
            | Self::Timer { life }
            | Self::Snapshot { life }
            | Self::File { life } => Some(life),
            Self::Start | Self::SpaceBack | Self::FastAgain => None,
        }
    }
}

/// A world with one server.
pub(crate) struct Standalone {
    world: World,
    settings: Settings,
    wall_offset_ms: i64,
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
    ephemerals: Ephemerals,
}

impl Standalone {
    pub(crate) fn new(scenario: &Scenario, transcript: bool) -> Self {
        let mut rng = Rng::new(scenario.seed, 0);
        let settings = Settings::draw(&mut rng);
        Self {
            world: World::new(scenario, 1, rng, transcript),
            settings,
            wall_offset_ms: 0,
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
            ephemerals: Ephemerals::default(),
        }
    }

    /// Runs to the end.
    pub(crate) fn run(&mut self) -> Checked {
        self.open()?;
        while self.world.phase != Phase::Done && self.step()? {}
        Ok(())
    }

    /// Puts what happens first on the queue.
    pub(crate) fn open(&mut self) -> Checked {
        let seed = self.world.scenario.seed;
        tell!(self.world, "seed {seed} {:?}", self.settings);
        self.at(0, Event::Start);
        self.world.populate()
    }

    /// The next event happens; false if there is none.
    pub(crate) fn step(&mut self) -> Checked<bool> {
        let Some(event) = self.world.next()? else {
            return Ok(false);
        };
        self.happen(event)?;
        self.serve_woken();
        Ok(true)
    }

    pub(crate) fn world(&self) -> &World {
        &self.world
    }

    pub(crate) fn world_mut(&mut self) -> &mut World {
        &mut self.world
    }

    pub(crate) fn into_outcome(self, checked: Checked) -> Outcome {
        self.world.into_outcome(checked)
    }

    fn at(&mut self, after_us: u64, event: Event) {
        self.world.at(after_us, world::Event::Standalone(event));
    }

    fn when(&mut self, at_us: u64, event: Event) {
        self.world.when(at_us, world::Event::Standalone(event));
    }

    fn happen(&mut self, event: world::Event) -> Checked {
        match event {
            world::Event::Standalone(event) => self.own_event(event),
            world::Event::Accept { link } => {
                self.accept(link);
                Ok(())
            }
            world::Event::ToServer { link } => {
                self.reach_server(link);
                Ok(())
            }
            world::Event::Fault => self.fault(),
            world::Event::Settle => self.settle(),
            event => self.world.client_event(event),
        }
    }

    fn own_event(&mut self, event: Event) -> Checked {
        if event.life().is_some_and(|life| life != self.life) {
            return Ok(());
        }
        match event {
            Event::Start => self.start()?,
            Event::Round { .. } => self.begin_round()?,
            Event::Log { .. } => self.write_log()?,
            Event::Commit { .. } => self.commit()?,
            Event::Timer { .. } => self.timer()?,
            Event::Snapshot { .. } => self.step_snapshot()?,
            Event::File { .. } => self.prepare_file()?,
            Event::SpaceBack => {
                tell!(self.world, "disk: there is space again");
                self.disk.set_capacity(None);
                self.disk_is_limited = false;
            }
            Event::FastAgain => self.speed_up_disk(),
        }
        Ok(())
    }

    fn now(&self) -> replica::Now {
        self.world.now(self.wall_offset_ms)
    }
}
