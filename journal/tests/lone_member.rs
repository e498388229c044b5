//! A peer of the crate zab on a journal, alone in its ensemble, with a crash at every operation of
//! the disk: what was delivered is there after every start, and every start leads.

mod common;

use std::collections::VecDeque;

use common::{Maker, empty_disk, nodes, open_with, settings, state_options};
use journal::{Journal, Settings, Write};
use jute::Zxid;
use jute::txn::LogEntry;
use state::State;
use storage::SimDisk;
use storage::sim_disk::Rng;
use zab::{
    Effect, Effects, Entry, Input, Io, Options, Peer, RoleStatus, ServerId, Time, parse_config,
};

fn lone() -> Settings {
    let mut settings = settings();
    let text = b"server.1=h1:1:2:participant;0.0.0.0:3\nversion=0";
    settings.config.initial = parse_config(text).expect("a configuration");
    settings
}

/// One life of the member.
struct Life {
    peer: Peer,
    journal: Journal,
    state: State,
    logged: VecDeque<Entry>,
    /// The last transaction that the state was told of.
    delivered: Zxid,
    failed: bool,
}

impl Life {
    fn start(disk: &SimDisk) -> Option<Self> {
        let opened = open_with(disk, lone()).ok()?;
        let last = opened.recovered.last_zxid;
        Some(Self {
            peer: Peer::new(ServerId(1), Options::default(), opened.recovered),
            journal: opened.journal,
            state: opened.state,
            logged: VecDeque::new(),
            delivered: last,
            failed: false,
        })
    }

    /// Gives an input and does what is asked for, until nothing is.
    fn handle(&mut self, input: Input) {
        let (mut inputs, mut effects) = (VecDeque::from([input]), Effects::default());
        while let Some(input) = inputs.pop_front() {
            self.peer.handle(Time(0), input, &mut effects);
            let mut writes = Vec::new();
            for effect in effects.drain() {
                match effect {
                    Effect::Io(Io::Store(ticket, store)) => {
                        if let zab::Store::Append(entry) = &store {
                            self.logged.push_back(entry.clone());
                        }
                        writes.push(Write::new(ticket, store));
                    }
                    Effect::Deliver { through } => self.deliver(through),
                    _ => {}
                }
            }
            let carried = self.journal.carry_out(writes);
            self.failed |= carried.failure.is_some();
            inputs.extend(carried.inputs);
        }
    }

    fn deliver(&mut self, through: Zxid) {
        while self
            .logged
            .front()
            .is_some_and(|entry| entry.zxid <= through)
        {
            let entry = self.logged.pop_front().expect("it is there");
            let entry = LogEntry::from_bytes(&entry.bytes, state_options().limits);
            self.state
                .replay(entry.expect("an entry"))
                .expect("well-formed");
        }
        self.delivered = through;
    }
}

/// Starts, leads, and proposes three transactions; false if the disk went down meanwhile.
fn live(disk: &SimDisk, delivered: &mut Vec<String>, context: &str) -> bool {
    let Some(mut life) = Life::start(disk) else {
        return false;
    };
    let found = nodes(&life.state);
    for node in delivered.iter() {
        assert!(found.contains(node), "{context}: {node} is lost");
    }
    life.handle(Input::Tick);
    if let RoleStatus::Leading { epoch } = life.peer.status()
        && let Ok(state) = life.journal.reload(life.journal.files().durable())
    {
        let (mut maker, mut next) = (Maker { state }, epoch.zxid());
        while !life.failed && next.counter() < 3 {
            next = next.next();
            assert!(life.peer.may_propose(), "{context}");
            life.handle(Input::Propose(maker.create(next, 10)));
        }
    }
    if life.failed {
        assert_eq!(life.peer.status(), RoleStatus::Halted, "{context}");
    }
    *delivered = nodes(&life.state);
    !life.failed && life.delivered.counter() == 3
}

#[test]
fn what_was_delivered_stays() {
    for ops in 0.. {
        let disk = empty_disk();
        let mut rng = Rng::new(ops);
        let mut delivered = Vec::new();
        disk.crash_after(ops);
        let lived = live(&disk, &mut delivered, &format!("{ops} operations"));
        disk.crash(&mut rng);
        disk.crash_after(ops / 2);
        live(
            &disk,
            &mut delivered,
            &format!("{ops} operations, then half"),
        );
        disk.crash(&mut rng);
        let context = format!("{ops} operations, at last");
        assert!(live(&disk, &mut delivered, &context), "{context}");
        if lived {
            assert!(ops > 40, "every operation was one to crash at");
            return;
        }
    }
}
