//! Seeded random steps. The same seed and length give the same bytes on every machine.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};

use super::requests;
use super::step::{Connect, Probe, Request, SLOTS, Step};
use crate::wire::{auth_body, op};

/// Longest burst; larger ones add nothing but harder reports.
const BURST_LIMIT: u64 = 60;
/// Timeout of sessions that must not expire during a run, in milliseconds.
const LONG_TIMEOUT: i32 = 600_000;

/// The random source with the few shapes of choice that generation needs.
#[derive(Debug)]
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    /// Dice for `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Uniform in `0..limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        assert!(limit > 0, "nothing to choose from");
        self.0.next_u64() % limit
    }

    /// True in `percent` of 100 cases.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of `options`.
    pub(crate) fn pick<'a, T>(&mut self, options: &'a [T]) -> &'a T {
        let index = self.below(options.len() as u64);
        &options[usize::try_from(index).expect("an index of a slice")]
    }

    /// One of `options`, each as often as its weight says.
    pub(crate) fn weighted<T: Copy>(&mut self, options: &[(u64, T)]) -> T {
        let total: u64 = options.iter().map(|(weight, _)| weight).sum();
        let mut left = self.below(total);
        for &(weight, option) in options {
            if left < weight {
                return option;
            }
            left -= weight;
        }
        unreachable!("the weights add up to their sum")
    }
}

/// Auth packets; the last word says whether the server closes.
const AUTHS: &[(&str, Option<&[u8]>, bool)] = &[
    ("digest", Some(b"bob:pw"), false),
    ("digest", Some(b"al:x"), false),
    ("digest", Some(b"nocolon"), false),
    ("digest", Some(b""), false),
    ("ip", Some(b""), false),
    ("digest", Some(crate::server::SUPER_AUTH), false),
    ("digest", None, true),
    ("world", Some(b"anyone"), true),
    ("sasl", Some(b"x"), true),
    ("nope", Some(b"x"), true),
];

const PROBES: &[Probe] = &[
    Probe::Pipelined(0),
    Probe::Pipelined(-5),
    Probe::Pipelined(i32::MAX),
    Probe::Pipelined(10_000),
    Probe::NullPassword,
    Probe::UnknownSession,
    Probe::ZxidAhead,
    Probe::FirstLength(-1),
    Probe::FirstLength(0x10_0000),
    Probe::LaterLength(-1),
    Probe::LaterLength(0),
    Probe::LaterLength(4),
    Probe::LaterLength(0x10_0000),
    Probe::LaterLength(i32::from_be_bytes(*b"ruok")),
];

#[derive(Debug, Clone, Copy)]
enum Kind {
    Burst,
    QuotaWrite,
    Auth,
    Unknown,
    Close,
    Drop,
    Renew,
    Probe,
    Expire,
}

const KINDS: &[(u64, Kind)] = &[
    (900, Kind::Burst),
    (90, Kind::QuotaWrite),
    (25, Kind::Auth),
    (8, Kind::Unknown),
    (12, Kind::Close),
    (12, Kind::Drop),
    (12, Kind::Renew),
    (20, Kind::Probe),
    (2, Kind::Expire),
];

/// Makes steps until `wanted` requests are reached.
#[derive(Debug)]
pub(crate) struct Generator {
    dice: Dice,
    connected: [bool; SLOTS],
    has_session: [bool; SLOTS],
    /// A guess at the newest zxid, for setWatches.
    zxid: u64,
}

/// All steps of one run.
pub(crate) fn steps(seed: u64, wanted: usize) -> Vec<Step> {
    let mut generator = Generator {
        dice: Dice::new(seed),
        connected: [false; SLOTS],
        has_session: [false; SLOTS],
        zxid: 0,
    };
    let mut steps: Vec<Step> = (0..SLOTS).map(|slot| generator.connect(slot)).collect();
    steps.push(Step::Burst(0, requests::scaffold()));
    let mut made = 0;
    while made < wanted {
        let step = generator.step();
        made += step.requests();
        generator.zxid += step.requests() as u64 / 2;
        steps.push(step);
    }
    steps
}

impl Generator {
    fn connect(&mut self, slot: usize) -> Step {
        let how = if self.has_session[slot] && self.dice.chance(70) {
            let wrong_password = self.dice.chance(20);
            self.connected[slot] = !wrong_password;
            Connect::Renew { wrong_password }
        } else {
            (self.connected[slot], self.has_session[slot]) = (true, true);
            Connect::Fresh {
                timeout: *self.dice.pick(&[LONG_TIMEOUT, LONG_TIMEOUT + 1, i32::MAX]),
                read_only: *self.dice.pick(&[Some(false), Some(true), None]),
            }
        };
        Step::Connect(slot, how)
    }

    fn step(&mut self) -> Step {
        let slot = usize::try_from(self.dice.below(SLOTS as u64)).expect("a slot");
        let kind = self.dice.weighted(KINDS);
        match kind {
            Kind::Probe => return Step::Probe(*self.dice.pick(PROBES)),
            Kind::Expire => return self.expire(),
            _ if !self.connected[slot] => return self.connect(slot),
            _ => {}
        }
        match kind {
            Kind::QuotaWrite => Step::Burst(slot, vec![requests::quota_write(&mut self.dice)]),
            Kind::Auth => self.auth(slot),
            Kind::Unknown => {
                self.connected[slot] = false;
                Step::Burst(slot, vec![requests::unknown(&mut self.dice)])
            }
            Kind::Close => {
                (self.connected[slot], self.has_session[slot]) = (false, self.dice.chance(50));
                let close = Request::new(op::CLOSE_SESSION, Vec::new(), "closeSession");
                Step::Burst(slot, vec![close])
            }
            Kind::Drop => {
                self.connected[slot] = false;
                Step::Drop(slot)
            }
            Kind::Renew => self.connect(slot),
            Kind::Burst | Kind::Probe | Kind::Expire => self.burst(slot),
        }
    }

    fn burst(&mut self, slot: usize) -> Step {
        let count = 1 + self.dice.below(BURST_LIMIT);
        let mut requests = Vec::new();
        for _ in 0..count {
            let request = requests::any(&mut self.dice, self.zxid);
            let ends = request.races_with_next;
            requests.push(request);
            // Writes right behind it race in the reference server.
            if ends {
                break;
            }
        }
        Step::Burst(slot, requests)
    }

    fn auth(&mut self, slot: usize) -> Step {
        if self.dice.chance(10) {
            let token = crate::wire::Writer::default().buffer(Some(b"token")).0;
            return Step::Burst(slot, vec![Request::new(op::SASL, token, "sasl")]);
        }
        let &(scheme, data, closes) = self.dice.pick(AUTHS);
        let body = match data {
            Some(data) => auth_body(scheme, data),
            None => {
                crate::wire::Writer::default()
                    .int(0)
                    .string(Some(scheme))
                    .buffer(None)
                    .0
            }
        };
        let shown = data.map(String::from_utf8_lossy);
        let mut request = Request::new(op::AUTH, body, format!("auth {scheme} {shown:?}"));
        request.xid = Some(-4);
        request.closes = closes;
        self.connected[slot] &= !closes;
        Step::Burst(slot, vec![request])
    }

    fn expire(&mut self) -> Step {
        let witness = format!("/gone-{}", self.dice.below(1_000_000));
        Step::Expire(requests::ephemerals(&mut self.dice, &witness), witness)
    }
}

#[cfg(test)]
mod tests {
    use super::steps;

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        let text = |seed| format!("{:?}", steps(seed, 500));
        assert_eq!(text(7), text(7));
        assert_ne!(text(7), text(8));
    }

    #[test]
    fn what_must_be_alone_is_alone() {
        for seed in 0..20 {
            for step in steps(seed, 2000) {
                if let super::Step::Burst(_, requests) = step {
                    let newest = requests.len() - 1;
                    let racing = requests.iter().position(|request| request.races_with_next);
                    assert!(racing.is_none_or(|index| index == newest));
                    let alone = requests
                        .iter()
                        .any(|request| request.closes || request.code == 100);
                    assert!(!alone || requests.len() == 1);
                }
            }
        }
    }
}
