//! A run: servers and processes on one clock, what goes wrong, and what must hold at its end.
//!
//! Everything is one future on tokio's current-thread runtime with its clock paused. When all
//! tasks have nothing to do, tokio moves the clock to the next timer; one of them is this future's,
//! for the next event at the [`Site`]. So the applications' time is the servers' time. After each
//! event the tasks that it woke get their turn.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use client::Client;
use sim::{Outcome, Rng, Site, Violation};
use tokio::time::Instant;

use crate::actor::{self, Start};
use crate::board::{Board, Phase, Standing};
use crate::net::{Ask, Net};
use crate::plan::{Plan, ProcessFault};
use crate::process::{Process, connect_string};
use crate::recipes::{AnyTrial, Holders};

/// The site's clock at the start, microseconds.
const START_US: u64 = 1_000_000;

/// After the faults everybody who waits gets its turn so many times, within this time,
/// microseconds: the longest session of somebody who died, a reconnection, and some rounds of
/// everybody else.
pub(crate) const ROUNDS_IN_CALM: u64 = 3;
const PATIENCE_US: u64 = 60_000_000;

/// Who has nothing under way has cleaned up within this time, microseconds.
const CLEAN_UP_US: u64 = 3_000_000;

/// Sessions that are closed or abandoned are gone, and containers with them, within this time,
/// microseconds.
const END_US: u64 = 60_000_000;

/// How often it is looked how everybody gets on, microseconds.
const LOOK_US: u64 = 100_000;

/// Something that the stage does at some time.
#[derive(Clone, Copy, Debug)]
enum Turn {
    Begin,
    Fault,
    Resume { at: usize },
    EndFaults,
    Look,
}

pub(crate) struct Stage {
    plan: Plan,
    site: Site,
    net: Net,
    board: Board,
    trial: Arc<dyn AnyTrial>,
    base: Instant,
    rng: Rng,
    agenda: BTreeMap<(u64, u64), Turn>,
    agreed: u64,
    /// The site's connections, by the processes' streams, and whose they are.
    links: BTreeMap<u64, (u64, usize)>,
    streams: BTreeMap<u64, u64>,
    /// All that there have been.
    processes: Vec<Arc<Process>>,
    /// When the present phase ends at the latest.
    until_us: u64,
    /// Since when everybody is idle.
    idle_us: Option<u64>,
}

/// Runs a plan to its end.
pub(crate) fn run(plan: &Plan, transcript: bool) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without IO");
    runtime.block_on(async {
        let site = match Site::new(&plan.scenario(), transcript) {
            Ok(site) => site,
            Err(violation) => return Outcome::of(violation),
        };
        let mut stage = Stage::new(plan, site, transcript);
        let checked = stage.play().await;
        stage.into_outcome(checked)
    })
}

impl Stage {
    fn new(plan: &Plan, site: Site, transcript: bool) -> Self {
        Self {
            site,
            net: Net::default(),
            board: Board::new(transcript),
            trial: plan.recipe.trial(),
            base: Instant::now(),
            rng: Rng::new(plan.seed, 10),
            agenda: BTreeMap::new(),
            agreed: 0,
            links: BTreeMap::new(),
            streams: BTreeMap::new(),
            processes: Vec::new(),
            until_us: u64::MAX,
            idle_us: None,
            plan: plan.clone(),
        }
    }

    async fn play(&mut self) -> Result<(), Violation> {
        for _ in 0..self.plan.processes {
            let after = self.rng.between(0..1_500_000);
            self.later(after, Turn::Begin);
        }
        let first = self.rng.between(500_000..3_000_000);
        self.later(first, Turn::Fault);
        self.later(self.plan.faulty_us, Turn::EndFaults);
        loop {
            self.carry_out();
            self.note();
            self.trial.look(&self.site)?;
            if let Some(violation) = self.board.violation() {
                return Err(violation);
            }
            let now_us = self.now_us();
            self.site.advance(now_us);
            let (turn_us, turn) = match self.agenda.first_key_value() {
                Some((key, _)) => (key.0, Some(*key)),
                None => return self.finish(),
            };
            let event_us = self.site.next_us().unwrap_or(u64::MAX);
            if turn_us.min(event_us) > now_us {
                let due = self.base + Duration::from_micros(turn_us.min(event_us) - START_US);
                tokio::select! {
                    biased;
                    () = self.net.asked() => {}
                    () = tokio::time::sleep_until(due) => {}
                }
                continue;
            }
            if event_us <= turn_us {
                self.site.step()?;
                self.deliver();
            } else if let Some(turn) = turn.and_then(|key| self.agenda.remove(&key)) {
                self.turn(turn)?;
            }
            tokio::task::yield_now().await;
        }
    }

    fn each_holders(&self, tell: impl Fn(&Holders)) {
        self.trial.holders().iter().for_each(tell);
    }

    fn now_us(&self) -> u64 {
        START_US + actor::now_us(self.base)
    }

    fn later(&mut self, after_us: u64, turn: Turn) {
        self.agreed += 1;
        let at_us = self.now_us() + after_us;
        self.agenda.insert((at_us, self.agreed), turn);
    }

    /// Does what processes want of the network.
    fn carry_out(&mut self) {
        for ask in self.net.take_asks() {
            match ask {
                Ask::Connect {
                    stream,
                    process,
                    server,
                } => {
                    if self.processes[process].is_dead() {
                        continue;
                    }
                    let link = self.site.dial(process, server);
                    self.links.insert(stream, (link, process));
                    self.streams.insert(link, stream);
                }
                Ask::Send { stream, bytes } => {
                    if let Some((link, _)) = self.links.get(&stream) {
                        self.site.send(*link, &bytes);
                    }
                }
                Ask::Close { stream } => {
                    if let Some((link, _)) = self.links.remove(&stream) {
                        self.streams.remove(&link);
                        self.site.hang_up(link, false);
                    }
                }
            }
        }
    }

    /// Hands over what has arrived.
    fn deliver(&mut self) {
        for arrival in self.site.take_arrivals() {
            if let Some(stream) = self.streams.get(&arrival.link) {
                self.net.arrive(*stream, &arrival.bytes);
            }
        }
    }

    /// Puts down what actors have told.
    fn note(&mut self) {
        for line in self.board.take_lines() {
            self.site.tell(&line);
        }
        for (event, times) in self.board.take_counts() {
            self.site.coverage().add(&event, times);
        }
    }

    fn tell(&mut self, line: impl FnOnce() -> String) {
        if self.site.tells() {
            self.site.tell(&line());
        }
    }

    fn turn(&mut self, turn: Turn) -> Result<(), Violation> {
        match turn {
            Turn::Begin => {
                self.begin();
            }
            Turn::Fault => self.fault(),
            Turn::Resume { at } => self.resume(at),
            Turn::EndFaults => {
                self.tell(|| "the faults stop".to_owned());
                self.site.end_faults()?;
                for at in 0..self.processes.len() {
                    self.site.cut_off(at, 0);
                    self.resume(at);
                }
                self.board.turn(Phase::Calm);
                self.until_us = self.now_us() + PATIENCE_US;
                self.later(LOOK_US, Turn::Look);
            }
            Turn::Look => return self.look(),
        }
        Ok(())
    }

    /// Another process begins.
    fn begin(&mut self) {
        let number = self.processes.len();
        let chance = Rng::new(self.rng.next_u64(), 0);
        let process = Process::new(number, &self.net, &self.board, chance);
        self.processes.push(Arc::clone(&process));
        let timeout = Duration::from_millis(self.rng.between(1500..6000));
        let builder = Client::builder(connect_string(self.plan.servers())).session_timeout(timeout);
        self.board.stands(number, |_| {});
        self.tell(|| format!("p{number}: begins, with sessions of {timeout:?}"));
        actor::run(Start {
            process,
            board: self.board.clone(),
            builder,
            rng: Rng::new(self.rng.next_u64(), 0),
            trial: Arc::clone(&self.trial),
        });
    }

    fn fault(&mut self) {
        if self.board.phase() != Phase::Faulty {
            return;
        }
        let after = self.rng.between(100_000..2_500_000);
        self.later(after, Turn::Fault);
        let living: Vec<usize> = self
            .processes
            .iter()
            .filter(|process| !process.is_dead() && !process.is_paused())
            .map(|process| process.number)
            .collect();
        if living.is_empty() || self.plan.process_faults.is_empty() {
            return;
        }
        let at = *self.rng.pick(&living);
        let kind = *self.rng.pick(&self.plan.process_faults);
        self.site
            .coverage()
            .count(&format!("fault: {}", kind.name()));
        match kind {
            ProcessFault::Pause => {
                let us = self.while_us();
                self.tell(|| format!("p{at}: stands still for {} ms", us / 1000));
                self.processes[at].pause();
                self.each_holders(|holders| holders.paused(at));
                self.later(us, Turn::Resume { at });
            }
            ProcessFault::Cut => {
                let us = self.while_us();
                self.tell(|| format!("p{at}: is cut off for {} ms", us / 1000));
                self.site.cut_off(at, self.site.now_us() + us);
            }
            ProcessFault::Die => self.kill(at),
        }
    }

    /// How long a pause is: about as often short as longer than a session lives.
    fn while_us(&mut self) -> u64 {
        match self.rng.percent(50) {
            true => self.rng.between(10_000..1_500_000),
            false => self.rng.between(1_500_000..12_000_000),
        }
    }

    fn kill(&mut self, at: usize) {
        let silently = self.rng.percent(50);
        self.tell(|| format!("p{at}: dies, its machine with it: {silently}"));
        let links = self.links.iter();
        let own = links.filter(|(_, (_, process))| *process == at);
        let own: Vec<_> = own.map(|(stream, (link, _))| (*stream, *link)).collect();
        for (stream, link) in own {
            self.links.remove(&stream);
            self.streams.remove(&link);
            self.site.hang_up(link, silently);
        }
        self.processes[at].die();
        self.each_holders(|holders| holders.died(at));
        self.board.stands(at, |standing| standing.is_gone = true);
        let after = self.rng.between(100_000..3_000_000);
        self.later(after, Turn::Begin);
    }

    fn resume(&mut self, at: usize) {
        if self.processes[at].is_paused() && !self.processes[at].is_dead() {
            self.tell(|| format!("p{at}: goes on"));
            self.processes[at].resume();
            self.each_holders(|holders| holders.resumed(at));
        }
    }

    /// How does everybody get on?
    fn look(&mut self) -> Result<(), Violation> {
        let standings = self.board.standings();
        let living = || standings.iter().filter(|(_, standing)| !standing.is_gone);
        let late = self.now_us() > self.until_us;
        match self.board.phase() {
            Phase::Faulty => {}
            Phase::Calm => {
                let behind = living().find(|(_, standing)| standing.calm_rounds < ROUNDS_IN_CALM);
                let comes = self.agenda.values().any(|turn| matches!(turn, Turn::Begin));
                match behind {
                    None if !comes => self.begin_phase(Phase::Over, PATIENCE_US),
                    Some(behind) if late => return Err(stuck(behind)),
                    _ => {}
                }
            }
            Phase::Over => match living().find(|(_, standing)| !standing.is_idle) {
                Some(busy) if late => return Err(stuck(busy)),
                Some(_) => self.idle_us = None,
                None => {
                    let now_us = self.now_us();
                    let since_us = *self.idle_us.get_or_insert(now_us);
                    if now_us >= since_us + CLEAN_UP_US {
                        for (_, standing) in living() {
                            self.left_behind(standing)?;
                        }
                        self.begin_phase(Phase::Closing, END_US);
                    }
                }
            },
            Phase::Closing => match self.is_over(living().next()) {
                Ok(()) => return Ok(()),
                Err(violation) if late => return Err(violation),
                Err(_) => {}
            },
        }
        self.later(LOOK_US, Turn::Look);
        Ok(())
    }

    fn begin_phase(&mut self, phase: Phase, patience_us: u64) {
        self.tell(|| format!("phase: {phase:?}"));
        self.until_us = self.now_us() + patience_us;
        self.board.turn(phase);
    }

    /// An actor without anything under way has no nodes left, though its session lives.
    fn left_behind(&self, actor: &Standing) -> Result<(), Violation> {
        let mut nodes = self.site.nodes();
        let left = nodes.find(|(_, node)| node.session != 0 && node.session == actor.session);
        match left {
            Some((path, _)) => Err(Violation::new(
                "leak",
                format!("{path} is left, of session {:x}", actor.session),
            )),
            None => Ok(()),
        }
    }

    /// No session, and no node but those that stay.
    fn is_over(&self, living: Option<(&usize, &Standing)>) -> Result<(), Violation> {
        if let Some(busy) = living {
            return Err(stuck(busy));
        }
        if let Some(session) = self.site.sessions().next() {
            let text = format!("session {session:x} does not end");
            return Err(Violation::new("leak", text));
        }
        // Who dies, or drops a future, between making a directory and a node in it leaves it for
        // ever, with those above it, as far as `maxNeverUsedIntervalMs` is not set.
        let unused = self
            .site
            .nodes()
            .filter(|(_, node)| node.is_unused_container);
        let unused: Vec<String> = unused.map(|(path, _)| format!("{path}/")).collect();
        let kept = |path: &str| {
            let fixed = ["/", "/zookeeper"].contains(&path) || path.starts_with("/zookeeper/");
            let below = format!("{path}/");
            fixed || self.trial.keeps(path) || unused.iter().any(|path| path.starts_with(&below))
        };
        match self.site.nodes().find(|(path, _)| !kept(path)) {
            Some((path, _)) => Err(Violation::new("leak", format!("{path} is left"))),
            // Servers that have just started are behind for a while.
            None => self.site.check_trees(),
        }
    }

    fn finish(&mut self) -> Result<(), Violation> {
        self.trial.last_look(&self.site)
    }

    fn into_outcome(mut self, checked: Result<(), Violation>) -> Outcome {
        self.note();
        self.site.into_outcome(checked)
    }
}

fn stuck((number, standing): (&usize, &Standing)) -> Violation {
    let Standing {
        calm_rounds, doing, ..
    } = standing;
    Violation::new(
        "progress",
        format!("p{number} does not get on, after {calm_rounds} rounds since the faults: {doing}"),
    )
}
