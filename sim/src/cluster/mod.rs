//! An ensemble: machines with disks and clocks, the network between them, and clients that go
//! from one to the other.
//!
//! What a process does in threads happens here in steps: its disk does some of its work, and some
//! time later its member hears of it; trees are sent and written some nodes at a time. So anything
//! else can happen in between, a crash before all.
//!
//! * [`step`]: the member is told something, and what it wants is done ([`effects`])
//! * [`disk`]: the queue of writes; [`trees`]: whole trees
//! * [`network`], [`peers`]: connections between servers, as bytes in pieces
//! * [`life`]: starts and deaths; [`crash`]: deaths at chosen moments; [`faults`]: all the rest
//!   that goes wrong
//! * [`observe`]: what the checkers are told

mod clock;
mod crash;
mod disk;
mod effects;
mod faults;
mod life;
mod machine;
mod names;
mod network;
mod observe;
mod peers;
mod preparer;
mod settings;
mod settle;
mod step;
mod trees;

use zab::quorum::Config;
use zab::{LeaderLink, LearnerLink, ServerId};

use crate::checkers::digests::Digests;
use crate::checkers::leadership::Leadership;
use crate::checkers::ledger::Ledger;
use crate::rng::Rng;
use crate::scenario::{Fault, Scenario};
use crate::violation::Checked;
use crate::world::{self, Outcome, Phase, World, tell};
use clock::Clock;
use crash::CrashAt;
use machine::{Machine, Process};
use network::Network;
use settings::Settings;

/// What happens to one machine, or between two. Numbers of lives keep what was meant for a process
/// that is gone from happening to the next one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    /// A server starts.
    Start { at: usize },
    /// Something concerns a process.
    Own { at: usize, life: u64, what: Own },
    /// A learner's connection reaches the leader's machine.
    Dial {
        from: usize,
        life: u64,
        link: LeaderLink,
        to: usize,
        port: Port,
    },
    /// Something arrives at a leader.
    Up { wire: u64 },
    /// Something arrives at a learner.
    Down { wire: u64 },
    /// A notification arrives.
    Letter { from: usize, to: usize },
    /// The network is whole again.
    Heal,
    /// A disk has space again.
    SpaceBack { at: usize },
    /// A disk is fast again.
    FastAgain { at: usize },
    /// The next server of a rolling restart.
    Roll { at: usize },
}

/// Where learners connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Port {
    Quorum,
    ObserverMaster,
}

/// What concerns a process.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Own {
    /// Something is due.
    Timer,
    /// Clients want something.
    Submit,
    /// The disk works.
    Disk,
    /// The disk has done something.
    Complete,
    /// An answer is there.
    Inbox,
    /// A tree to a learner goes on.
    Tree(LearnerLink),
    /// The own snapshot goes on.
    Snapshot,
    /// A log file is prepared.
    File,
    /// A connection to its leader could not be made.
    NoLeader(LeaderLink),
    /// Nobody answers at another machine.
    Unreachable(usize),
    /// The process ends by itself.
    Exit,
}

/// Crashes that wait for their moments from the start on.
const CRASHES_AT_FIRST: u64 = 5;

/// When what cannot get through now is tried again, microseconds.
const CUT_RETRY_US: u64 = 80_000;

/// A world with an ensemble.
pub(crate) struct Cluster {
    world: World,
    settings: Settings,
    machines: Vec<Machine>,
    net: Network,
    ledger: Ledger,
    leadership: Leadership,
    digests: Digests,
    /// The configuration in force.
    config: Config,
    /// Deaths that wait for their moments.
    crashes: Vec<CrashAt>,
    /// Is a learner's synchronisation being planned from the log?
    plans_from_log: bool,
}

impl Cluster {
    pub(crate) fn new(scenario: &Scenario, members: usize, transcript: bool) -> Self {
        let mut rng = Rng::new(scenario.seed, 0);
        let settings = Settings::draw(&mut rng, members, &scenario.kinds);
        let mut clocks = Rng::new(scenario.seed, 3);
        let machines = (1..=members).map(|id| {
            let clock = Clock::draw(&mut clocks);
            Machine::new(ServerId(id as i64), clock)
        });
        let machines = machines.collect();
        let mut world = World::new(scenario, members, rng, transcript);
        world.has_admin = settings.reconfigures;
        Self {
            config: settings.initial.clone(),
            machines,
            world,
            settings,
            net: Network::default(),
            ledger: Ledger::default(),
            leadership: Leadership::default(),
            digests: Digests::default(),
            crashes: Vec::new(),
            plans_from_log: false,
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
        for machine in &self.machines {
            self.world.coverage.count(machine.clock.kind());
        }
        tell!(self.world, "seed {seed} {:?}", self.settings);
        for at in 0..self.machines.len() {
            let after = self.world.rng.below(300_000);
            self.start_later(at, after);
        }
        self.world.populate()?;
        if self.world.scenario.kinds.contains(&Fault::CrashAt) && self.world.faults_go_on() {
            for _ in 0..CRASHES_AT_FIRST {
                self.draw_crash();
            }
        }
        Ok(())
    }

    /// The next event happens; false if there is none.
    pub(crate) fn step(&mut self) -> Checked<bool> {
        let Some(event) = self.world.next()? else {
            return Ok(false);
        };
        self.happen(event)?;
        Ok(true)
    }

    pub(crate) fn world(&self) -> &World {
        &self.world
    }

    pub(crate) fn world_mut(&mut self) -> &mut World {
        &mut self.world
    }

    /// Do all machines measure true time?
    pub(crate) fn clocks_are_true(&self) -> bool {
        self.machines.iter().all(|machine| machine.clock.is_true())
    }

    pub(crate) fn into_outcome(mut self, checked: Checked) -> Outcome {
        let members = self.machines.len();
        self.world.coverage.count(&format!("run of {members}"));
        self.world.into_outcome(checked)
    }

    fn at(&mut self, after_us: u64, event: Event) {
        self.world.at(after_us, world::Event::Cluster(event));
    }

    fn when(&mut self, at_us: u64, event: Event) {
        self.world.when(at_us, world::Event::Cluster(event));
    }

    /// Something concerns the process that runs on a machine now.
    fn own(&mut self, at: usize, after_us: u64, what: Own) {
        let life = self.machines[at].life;
        self.at(after_us, Event::Own { at, life, what });
    }

    fn happen(&mut self, event: world::Event) -> Checked {
        if let Some(at) = self.target(event) {
            let until_us = self.machines[at].paused_until_us;
            if until_us > self.world.now_us && self.machines[at].process.is_some() {
                self.world.when(until_us, event);
                return Ok(());
            }
        }
        match event {
            world::Event::Cluster(event) => self.between(event),
            world::Event::Accept { link } => self.accept(link),
            world::Event::ToServer { link } => self.reach_server(link),
            world::Event::Fault => self.fault(),
            world::Event::Settle => self.settle(),
            event => self.world.client_event(event),
        }
    }

    /// Whose process an event needs to be running.
    fn target(&self, event: world::Event) -> Option<usize> {
        let of_link = |link| Some(self.world.links.get(&link)?.server);
        match event {
            world::Event::Accept { link } | world::Event::ToServer { link } => of_link(link),
            world::Event::Cluster(event) => match event {
                Event::Own { at, .. } => Some(at),
                Event::Dial { to, .. } | Event::Letter { to, .. } => Some(to),
                Event::Up { wire } => Some(self.net.wires.get(&wire)?.leader),
                Event::Down { wire } => Some(self.net.wires.get(&wire)?.learner),
                _ => None,
            },
            _ => None,
        }
    }

    fn between(&mut self, event: Event) -> Checked {
        match event {
            Event::Start { at } => self.start(at),
            Event::Own { at, life, what } if life == self.machines[at].life => {
                self.own_event(at, what)
            }
            Event::Own { .. } => Ok(()),
            Event::Dial {
                from,
                life,
                link,
                to,
                port,
            } => self.dial((from, life, link), to, port),
            Event::Up { wire } => self.up(wire),
            Event::Down { wire } => self.down(wire),
            Event::Letter { from, to } => self.letter(from, to),
            Event::Heal => {
                tell!(self.world, "network: whole again");
                self.net.heal();
                Ok(())
            }
            Event::SpaceBack { at } => {
                self.machines[at].disk.set_capacity(None);
                self.machines[at].disk_is_limited = false;
                Ok(())
            }
            Event::FastAgain { at } => {
                self.speed_up(at);
                Ok(())
            }
            Event::Roll { at } => self.roll(at),
        }
    }

    fn own_event(&mut self, at: usize, what: Own) -> Checked {
        match what {
            Own::Timer => self.timer(at),
            Own::Submit => self.submit(at),
            Own::Disk => self.work_disk(at),
            Own::Complete => self.complete(at),
            Own::Inbox => self.answer(at),
            Own::Tree(link) => self.send_tree(at, link),
            Own::Snapshot => self.write_snapshot(at),
            Own::File => self.prepare_file(at),
            Own::NoLeader(link) => self.peer_input(at, zab::Input::LeaderLost(link)),
            Own::Unreachable(other) => {
                let peer = self.machines[other].id;
                self.peer_input(at, zab::Input::Unreachable { peer })
            }
            Own::Exit => self.die(at, life::Death::Process),
        }
    }

    fn now(&self, at: usize) -> replica::Now {
        let clock = self.machines[at].clock;
        replica::Now {
            monotonic_us: clock.shown_us(self.world.now_us),
            ..self.world.now(clock.wall_offset_ms)
        }
    }

    /// The machine of a server.
    fn machine_of(&self, server: ServerId) -> Option<usize> {
        self.machines
            .iter()
            .position(|machine| machine.id == server)
    }

    fn process(&mut self, at: usize) -> Option<&mut Process> {
        self.machines[at].process.as_mut()
    }

    fn is_alive(&self, at: usize) -> bool {
        self.machines[at].process.is_some()
    }
}
