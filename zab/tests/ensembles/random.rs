//! Seeded random runs of small ensembles: crashes that lose what is not durable, broken
//! connections, partitions, pauses; every invariant after every event; then, with faults off,
//! one leader and equal trees.

use std::collections::BTreeMap;

use crate::ensemble::{Ensemble, config};
use jute::quorum::config::Role;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use zab::{Options, RoleStatus, ServerId};

pub(crate) struct Random(ChaCha8Rng);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        if n == 0 {
            return 0;
        }
        usize::try_from(self.0.next_u64() % n as u64).expect("below n")
    }

    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        (!from.is_empty()).then(|| from[self.below(from.len())])
    }
}

fn options(seed: u64) -> Options {
    // Every third ensemble works at its limits.
    let tight = seed.is_multiple_of(3);
    let defaults = Options::default();
    Options {
        max_concurrent_snap_syncs: if tight {
            1
        } else {
            defaults.max_concurrent_snap_syncs
        },
        max_concurrent_diff_syncs: if tight {
            1
        } else {
            defaults.max_concurrent_diff_syncs
        },
        observer_masters: seed % 4 < 2,
        max_time_to_wait_for_epoch_ms: tight.then_some(400),
        tick_time_ms: 200,
        init_limit: 10,
        sync_limit: 5,
        max_notification_interval_ms: 3000,
        commit_log_count: 4,
        counter_max: 60,
        ..defaults
    }
}

struct Run {
    ensemble: Ensemble,
    random: Random,
    seed: u64,
    reconfigures: bool,
}

/// Says when it failed, whoever noticed: an assertion inside of a server does not know the clock.
impl Drop for Run {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (seed, now) = (self.seed, self.ensemble.now.0);
            eprintln!("seed {seed}, simulated time {now} ms");
        }
    }
}

const STEPS: usize = 3000;
/// Seeds of one test, unless `ZAB_SEEDS` (and `ZAB_SEED`, the first) say otherwise.
const SEEDS: u64 = 200;

impl Run {
    fn new(seed: u64, reconfigures: bool) -> Self {
        let mut random = Random::new(seed);
        let voters = if seed.is_multiple_of(2) { 3 } else { 5 };
        let observers = if reconfigures {
            2
        } else {
            i64::from(random.one_in(3))
        };
        let mut ensemble = Ensemble::new(voters, observers, &options(seed));
        ensemble.log_sync = !random.one_in(3);
        for server in ensemble.servers.values_mut() {
            server.old_habits = random.one_in(4);
        }
        Self {
            ensemble,
            random,
            seed,
            reconfigures,
        }
    }

    /// The end of what happened, `ZAB_TAIL` lines of it, and where it led.
    fn tail(&self) -> String {
        let keep = number("ZAB_TAIL", 60) as usize;
        let trace = &self.ensemble.trace;
        let told = trace.iter().filter(|line| !line.contains(" PING "));
        let told: Vec<_> = told.cloned().chain(self.ensemble.state()).collect();
        told[told.len().saturating_sub(keep)..].join("\n")
    }

    fn check(&self) {
        if let Some(violation) = self.ensemble.checker.violations.first() {
            panic!("seed {}: {violation}\n{}", self.seed, self.tail());
        }
    }

    fn faults(&mut self) {
        let ids = self.ensemble.ids();
        let Some(id) = self.random.pick(&ids) else {
            return;
        };
        match self.random.below(60) {
            0..=5 => {
                let pending = self.ensemble.servers[&id].disk.pending();
                let more = self.random.below(pending + 1);
                if self.ensemble.is_up(id) {
                    self.ensemble.crash(id, more);
                }
            }
            6..=35 if !self.ensemble.is_up(id) => self.ensemble.start(id),
            36..=41 => {
                let numbers: Vec<u64> = self.ensemble.net.connections.keys().copied().collect();
                let Some(number) = self.random.pick(&numbers) else {
                    return;
                };
                match self.random.below(4) {
                    0 => self.ensemble.net.half_break(number, true),
                    1 => self.ensemble.net.half_break(number, false),
                    _ => self.ensemble.net.break_connection(number),
                }
            }
            42..=44 => {
                if let Some(other) = self.random.pick(&ids)
                    && other != id
                {
                    self.ensemble.net.cut(id, other);
                }
            }
            45..=50 => self.ensemble.net.heal(),
            51 => self.ensemble.freeze(id, true),
            57 => self.wipe(id),
            52..=56 => self.ensemble.freeze(id, false),
            _ => {}
        }
    }

    /// Mostly what is possible now; sometimes time passes.
    fn step(&mut self) {
        let events = self.ensemble.events();
        match self.random.pick(&events) {
            Some(event) if !self.random.one_in(12) => self.ensemble.run(event),
            _ => {
                let now = self.ensemble.now;
                let next = self.ensemble.next_deadline().unwrap_or(now);
                let soon = now.after_ms(self.random.below(20) as u64);
                let to = if events.is_empty() {
                    next.max(now)
                } else {
                    soon
                };
                self.ensemble.advance(to);
            }
        }
        if self.reconfigures && self.random.one_in(60) {
            self.reconfigure();
        }
        if self.random.one_in(6)
            && let Some(leader) = self.ensemble.leader()
        {
            self.ensemble.propose(leader);
        }
    }

    /// A disk is lost, where a quorum of disks keeps everything that was delivered. Before the
    /// first transaction nothing tells a wiped server from a new one: its promises are lost, but no
    /// history.
    fn wipe(&mut self, id: ServerId) {
        let last = self
            .ensemble
            .checker
            .delivered
            .last()
            .map(|entry| entry.zxid);
        let has = |other: &ServerId| {
            let image = &self.ensemble.servers[other].disk.durable;
            last.is_some_and(|last| image.has(last))
        };
        let mut ids = self.ensemble.ids();
        ids.retain(|other| *other != id && has(other) && self.ensemble.is_up(*other));
        let voters = ids
            .iter()
            .filter(|id| !self.ensemble.servers[*id].observer)
            .count();
        let wiped = self.ensemble.servers.values().any(|server| server.wiped);
        let mut connections = self.ensemble.net.connections.values();
        // What it acknowledged is no longer counted, or on its way to be.
        let gone = connections.all(|c| c.learner != id && c.leader != id);
        let enough = voters > self.ensemble.voters / 2 && gone;
        if !self.reconfigures && !self.ensemble.is_up(id) && enough && !wiped {
            self.ensemble.wipe(id);
        }
    }

    /// Three to five of the servers vote; the others observe, or are left out.
    fn reconfigure(&mut self) {
        let Some(leader) = self.ensemble.leader() else {
            return;
        };
        let mut ids: Vec<i64> = self.ensemble.ids().iter().map(|id| id.0).collect();
        let mut members = Vec::new();
        for _ in 0..3 + self.random.below(3) {
            if let Some(id) = self.random.pick(&ids) {
                ids.retain(|other| *other != id);
                members.push((id, Role::Participant));
            }
        }
        for id in ids {
            if self.random.one_in(2) {
                members.push((id, Role::Observer));
            }
        }
        members.sort_by_key(|(id, _)| *id);
        let peer = self.ensemble.servers[&leader].peer.as_ref();
        let config = config(0, &members);
        if peer.is_some_and(|peer| peer.may_reconfigure(&config).is_ok()) {
            self.ensemble.propose_entry(leader, Some(&members));
        }
    }

    fn with_faults(&mut self) {
        for id in self.ensemble.ids() {
            self.ensemble.start(id);
        }
        for _ in 0..STEPS {
            if self.random.one_in(12) {
                self.faults();
            }
            self.step();
            self.check();
        }
    }

    /// No more faults: one leader is found, everyone follows it, everything it has is delivered.
    fn without_faults(&mut self) {
        self.ensemble.net.heal();
        for id in self.ensemble.ids() {
            self.ensemble.freeze(id, false);
            if !self.ensemble.is_up(id) {
                self.ensemble.start(id);
            }
        }
        let limit = self.ensemble.now.after_ms(200_000);
        let mut steps = 0;
        while !self.is_quiet() {
            steps += 1;
            if self.ensemble.now >= limit || steps > 2_000_000 {
                panic!("seed {}: no agreement\n{}", self.seed, self.tail());
            }
            let events = self.ensemble.events();
            match self.random.pick(&events) {
                Some(event) if !self.is_due() => {
                    self.ensemble.run(event);
                }
                _ => {
                    let next = self.ensemble.next_deadline().unwrap_or(limit);
                    self.ensemble.advance(next);
                }
            }
            self.check();
        }
        let trees: BTreeMap<_, _> = self
            .ensemble
            .servers
            .values()
            .map(|s| (s.id, &s.tree))
            .collect();
        for (id, tree) in trees {
            let same = tree == &self.ensemble.checker.delivered;
            assert!(same, "seed {}: the tree of {id} differs", self.seed);
        }
    }

    fn is_due(&self) -> bool {
        let next = self.ensemble.next_deadline();
        next.is_some_and(|next| next <= self.ensemble.now)
    }

    fn epoch_of(&self, leader: ServerId) -> Option<zab::Epoch> {
        let peer = self.ensemble.servers[&leader].peer.as_ref()?;
        match peer.status() {
            RoleStatus::Leading { epoch } => Some(epoch),
            _ => None,
        }
    }

    fn is_quiet(&self) -> bool {
        let Some(leader) = self.ensemble.leader() else {
            return false;
        };
        let end = self.ensemble.servers[&leader].disk.durable.last();
        self.ensemble.servers.values().all(|server| {
            let Some(peer) = &server.peer else {
                return false;
            };
            let follows = match peer.status() {
                RoleStatus::Leading { .. } => server.id == leader,
                RoleStatus::Following { leader: of, .. } => of == leader,
                // Behind an observer master it may still name the leader before.
                RoleStatus::Observing { leader: of, epoch } => {
                    of == leader || Some(epoch) == self.epoch_of(leader)
                }
                _ => false,
            };
            let last = server
                .tree
                .last()
                .map_or(jute::Zxid::ZERO, |entry| entry.zxid);
            follows && last == end && peer.last_logged() == end
        })
    }
}

pub(crate) fn number(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok();
    value
        .and_then(|value| value.parse().ok())
        .unwrap_or(default)
}

fn explore(reconfigures: bool, wanted: &[&str]) {
    let (first, count) = (number("ZAB_SEED", 0), number("ZAB_SEEDS", SEEDS));
    let mut coverage: BTreeMap<&'static str, u64> = BTreeMap::new();
    for seed in first..first + count {
        let mut run = Run::new(seed, reconfigures);
        run.with_faults();
        run.without_faults();
        for (what, times) in std::mem::take(&mut run.ensemble.coverage) {
            *coverage.entry(what).or_default() += times;
        }
        *coverage.entry("delivered").or_default() += run.ensemble.checker.delivered.len() as u64;
    }
    println!("{coverage:?}");
    if count >= SEEDS {
        for what in wanted {
            assert!(coverage.contains_key(what), "no {what} in {count} seeds");
        }
    }
}

#[test]
fn every_invariant_holds_under_faults() {
    let wanted = [
        "DIFF",
        "TRUNC",
        "SNAP",
        "INFORM",
        "established",
        "delivered",
        "throttled",
        "observer master",
    ];
    explore(false, &wanted);
}

#[test]
fn every_invariant_holds_while_the_configuration_changes() {
    let wanted = ["COMMITANDACTIVATE", "INFORMANDACTIVATE", "established"];
    explore(true, &wanted);
}
