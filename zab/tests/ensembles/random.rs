//! Seeded random runs of small ensembles: crashes that lose what is not durable, broken
//! connections, partitions, pauses; every invariant after every event; then, with faults off,
//! one leader and equal trees.

use std::collections::BTreeMap;

use crate::ensemble::Ensemble;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use zab::{Options, RoleStatus};

struct Random(ChaCha8Rng);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        if n == 0 {
            return 0;
        }
        usize::try_from(self.0.next_u64() % n as u64).expect("below n")
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        (!from.is_empty()).then(|| from[self.below(from.len())])
    }
}

fn options() -> Options {
    Options {
        tick_time_ms: 200,
        init_limit: 10,
        sync_limit: 5,
        commit_log_count: 4,
        counter_max: 60,
        ..Options::default()
    }
}

struct Run {
    ensemble: Ensemble,
    random: Random,
    seed: u64,
}

const STEPS: usize = 3000;

impl Run {
    fn new(seed: u64) -> Self {
        let mut random = Random(ChaCha8Rng::seed_from_u64(seed));
        let voters = if seed.is_multiple_of(2) { 3 } else { 5 };
        let observers = i64::from(random.one_in(3));
        let mut ensemble = Ensemble::new(voters, observers, &options());
        ensemble.log_sync = !random.one_in(3);
        for server in ensemble.servers.values_mut() {
            server.old_habits = random.one_in(4);
        }
        Self {
            ensemble,
            random,
            seed,
        }
    }

    fn check(&self) {
        if let Some(violation) = self.ensemble.checker.violations.first() {
            let trace = &self.ensemble.trace;
            let tail = trace[trace.len().saturating_sub(60)..].join("\n");
            panic!("seed {}: {violation}\n{tail}", self.seed);
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
            6..=35 => {
                if !self.ensemble.is_up(id) {
                    self.ensemble.start(id);
                }
            }
            36..=41 => {
                let numbers: Vec<u64> = self.ensemble.net.connections.keys().copied().collect();
                if let Some(number) = self.random.pick(&numbers) {
                    self.ensemble.net.break_connection(number);
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
        if self.random.one_in(6)
            && let Some(leader) = self.ensemble.leader()
        {
            self.ensemble.propose(leader);
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
            if self.ensemble.now >= limit || steps > 200_000 {
                let trace = &self.ensemble.trace;
                let tail = trace[trace.len().saturating_sub(60)..].join("\n");
                panic!("seed {}: no agreement\n{tail}", self.seed);
            }
            let events = self.ensemble.events();
            match self.random.pick(&events) {
                Some(event) if self.ensemble.next_deadline() > Some(self.ensemble.now) => {
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
                RoleStatus::Following { leader: of, .. }
                | RoleStatus::Observing { leader: of, .. } => of == leader,
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

fn seeds() -> (u64, u64) {
    let number = |name, default| {
        let value = std::env::var(name).ok();
        value
            .and_then(|value| value.parse().ok())
            .unwrap_or(default)
    };
    (number("ZAB_SEED", 0), number("ZAB_SEEDS", 300))
}

#[test]
fn every_invariant_holds_under_faults() {
    let (first, count) = seeds();
    let mut coverage: BTreeMap<&'static str, u64> = BTreeMap::new();
    for seed in first..first + count {
        if std::env::var_os("ZAB_TELL").is_some() {
            println!("seed {seed}");
        }
        let mut run = Run::new(seed);
        run.with_faults();
        run.without_faults();
        for (what, times) in run.ensemble.coverage {
            *coverage.entry(what).or_default() += times;
        }
        *coverage.entry("delivered").or_default() += run.ensemble.checker.delivered.len() as u64;
    }
    println!("{coverage:?}");
    if count >= 100 {
        for what in [
            "DIFF",
            "TRUNC",
            "SNAP",
            "INFORM",
            "established",
            "delivered",
        ] {
            assert!(coverage.contains_key(what), "no {what} in {count} seeds");
        }
    }
}
