//! A member's writes, cut short by a crash at every operation of the disk.
//!
//! The disk is always as if some number of writes had been carried out and none behind: at least
//! those that were reported durable, at most those that were asked for. Only a truncation may be
//! found in the middle, with a longer prefix of the same history.

mod common;

use common::{
    CONFIG_FILE, Maker, Tickets, appends, config, empty_disk, epochs, nodes, open, put, receive,
    snapshot, state_options, text, tree_of, zxid,
};
use journal::{InflowError, Journal, Opened, Write};
use jute::Zxid;
use jute::txn::LogEntry;
use jute::wire::Limits;
use state::State;
use storage::SimDisk;
use storage::sim_disk::Rng;
use storage::snap::ReceiveError;
use zab::{Entry, Epoch, Input, Standing, Store, Ticket};

const STATIC: &str = "# mine\ntickTime=2000\nserver.1=h1:1:2\nserver.2=h2:1:2\nclientPort=3\n";

/// What is on the disk.
#[derive(Clone, Debug)]
struct Image {
    /// From the first transaction on, whether in a snapshot or in the log.
    history: Vec<Entry>,
    last: Zxid,
    accepted: i64,
    current: i64,
    committed: Zxid,
    last_seen: Option<Zxid>,
}

impl Image {
    fn empty() -> Self {
        Self {
            history: Vec::new(),
            last: Zxid::ZERO,
            accepted: 0,
            current: 0,
            committed: Zxid::ZERO,
            last_seen: None,
        }
    }

    fn apply(&mut self, act: &Act) {
        match act {
            Act::Store(Store::Append(entry)) => {
                self.history.push(entry.clone());
                self.last = entry.zxid;
            }
            Act::Store(Store::Truncate(zxid)) => {
                self.history.retain(|entry| entry.zxid <= *zxid);
                self.last = *zxid;
            }
            Act::Store(Store::AcceptedEpoch(epoch)) => self.accepted = epoch.0,
            Act::Store(Store::CurrentEpoch(epoch)) => self.current = epoch.0,
            Act::Store(Store::CommittedConfig(config)) => {
                self.committed = config.version();
                self.last_seen = self.last_seen.filter(|seen| *seen > self.committed);
            }
            Act::Store(Store::LastSeenConfig(config)) => {
                self.last_seen = Some(config.version()).filter(|seen| *seen > self.committed);
            }
            Act::Store(Store::Barrier) | Act::Snapshot => {}
            Act::Store(Store::InstallSnapshot(_)) => unreachable!("an Act of its own"),
            Act::Install { history, .. } => {
                self.history.clone_from(history);
                self.last = history.last().expect("some").zxid;
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Act {
    Store(Store),
    /// A snapshot of everything that is on the disk.
    Snapshot,
    /// A leader's tree, with entries behind it.
    Install {
        snap: Zxid,
        tree: Vec<u8>,
        staged: Vec<Entry>,
        /// All up to the end of what was staged.
        history: Vec<Entry>,
    },
}

fn stores(stores: Vec<Store>) -> impl Iterator<Item = Act> {
    stores.into_iter().map(Act::Store)
}

/// The state that a history leads to.
fn state_of(history: &[Entry], upto: Zxid) -> State {
    let mut state = State::new(state_options(), 7);
    for entry in history.iter().filter(|entry| entry.zxid <= upto) {
        let entry = LogEntry::from_bytes(&entry.bytes, Limits::default()).expect("an entry");
        state.replay(entry).expect("well-formed");
    }
    state
}

/// How far a run came.
struct Run {
    /// Acts that were reported durable.
    done: usize,
    /// Acts that were begun.
    begun: usize,
}

/// Carries out acts, as many stores at once as there are, until a crash.
fn run(journal: &mut Journal, state: &mut State, acts: &[Act]) -> Run {
    let mut tickets = Tickets::default();
    let mut at = 0;
    while at < acts.len() {
        let run = acts[at..]
            .iter()
            .take_while(|act| matches!(act, Act::Store(_)))
            .count();
        let writes: Vec<Write> = if run > 0 {
            let stores = acts[at..at + run].iter().map(|act| match act {
                Act::Store(store) => store.clone(),
                _ => unreachable!("a run of stores"),
            });
            tickets.writes(stores)
        } else if let Act::Install {
            snap, tree, staged, ..
        } = &acts[at]
        {
            let mut inflow = match receive(journal.files(), *snap, tree) {
                Ok(inflow) => inflow,
                Err(InflowError::Tree(ReceiveError::Storage(_))) => {
                    return Run {
                        done: at,
                        begun: at,
                    };
                }
                Err(error) => panic!("{error}"),
            };
            for entry in staged {
                inflow.stage(entry).expect("a good entry");
            }
            let end = staged.last().map_or(*snap, |entry| entry.zxid);
            let mut write = tickets.write(Store::InstallSnapshot(end));
            write.tree = Some(Box::new(inflow));
            vec![write]
        } else {
            if journal.begin_snapshot().is_err() || snapshot(journal.files(), state).is_err() {
                return Run {
                    done: at,
                    begun: at,
                };
            }
            at += 1;
            continue;
        };
        let (count, first) = (writes.len(), tickets.0 - writes.len() as u64);
        let cuts = writes
            .iter()
            .any(|write| matches!(write.store, Store::Truncate(_)));
        let entries: Vec<Entry> = writes
            .iter()
            .filter_map(|write| match &write.store {
                Store::Append(entry) => Some(entry.clone()),
                _ => None,
            })
            .collect();
        let carried = journal.carry_out(writes);
        if carried.failure.is_some() {
            let told = carried.inputs.iter().filter_map(|input| match input {
                Input::Stored(Ticket(ticket)) => Some(ticket - first),
                _ => None,
            });
            return Run {
                done: at + told.max().unwrap_or(0) as usize,
                begun: at + count,
            };
        }
        if let Some(installed) = carried.installed {
            *state = installed;
        }
        if cuts {
            match journal.reload(journal.files().durable()) {
                Ok(reloaded) => *state = reloaded,
                Err(_) => {
                    let (done, begun) = (at + count, at + count);
                    return Run { done, begun };
                }
            }
        } else {
            for entry in entries {
                let entry = LogEntry::from_bytes(&entry.bytes, Limits::default());
                state.replay(entry.expect("an entry")).expect("well-formed");
            }
        }
        at += count;
    }
    Run {
        done: at,
        begun: at,
    }
}

/// Whether a start found this. A truncation under way may leave more of the old history.
fn is(opened: &Opened, image: &Image, longest: Zxid) -> bool {
    let found = &opened.recovered;
    let last = found.last_zxid;
    let known = last == image.last || image.history.iter().any(|entry| entry.zxid == last);
    let seen = found.last_seen_config.as_ref().map(|seen| seen.version());
    if !known
        || last < image.last
        || last > longest
        || found.accepted_epoch != Epoch(image.accepted)
        || found.current_epoch != Epoch(image.current)
        || found.committed_config.version() != image.committed
        || seen != image.last_seen
    {
        return false;
    }
    let expected = state_of(&image.history, last);
    nodes(&expected) == nodes(&opened.state)
        && expected.tree().digest() == opened.state.tree().digest()
        && opened.digest_mismatch.is_none()
}

fn check(disk: &SimDisk, acts: &[Act], run: &Run, context: &str) {
    let opened = open(disk).unwrap_or_else(|error| panic!("{context}: {error}"));
    let found = &opened.recovered;
    assert!(found.accepted_epoch >= found.current_epoch, "{context}");
    let mut image = Image::empty();
    let mut legal = false;
    for (index, act) in acts.iter().enumerate().take(run.begun + 1) {
        if index >= run.done {
            legal |= is(&opened, &image, image.last);
            if let Act::Store(Store::Truncate(zxid)) = act
                && index < run.begun
            {
                // On the way: the old history down to the cut.
                let old = image.last;
                let on_the_way = Image {
                    last: *zxid,
                    ..image.clone()
                };
                legal |= is(&opened, &on_the_way, old);
            }
        }
        if index < run.begun {
            image.apply(act);
        }
    }
    legal |= is(&opened, &image, image.last);
    let seen = found.last_seen_config.as_ref().map(|seen| seen.version());
    assert!(
        legal,
        "{context}: {} {} {} {} {seen:?} after {} of {} acts",
        found.last_zxid,
        found.accepted_epoch,
        found.current_epoch,
        found.committed_config.version(),
        run.done,
        run.begun
    );
    let lines = text(disk, CONFIG_FILE).expect("it is always there");
    assert!(
        lines.starts_with("# mine\ntickTime=2000\n"),
        "{context}: {lines}"
    );
    // What a start finds, the next one finds as well.
    let again = open(disk).unwrap_or_else(|error| panic!("{context}: {error}"));
    assert_eq!(again.recovered.last_zxid, found.last_zxid, "{context}");
    assert_eq!(nodes(&again.state), nodes(&opened.state), "{context}");
    if found.current_epoch.0 > 0 {
        assert_eq!(found.standing, Standing::Sound, "{context}");
    }
}

fn disk() -> SimDisk {
    let disk = empty_disk();
    put(&disk, CONFIG_FILE, STATIC.as_bytes());
    disk
}

/// Crashes after every number of operations, with some seeds each; returns how many crash points
/// there were.
fn crash_everywhere(name: &str, acts: &[Act], seeds: u64) -> u64 {
    for ops in 0.. {
        for seed in 0..seeds {
            let context = format!("{name}, {ops} operations, seed {seed}");
            let disk = disk();
            let opened = open(&disk).expect("an empty disk");
            let (mut journal, mut state) = (opened.journal, opened.state);
            disk.crash_after(ops);
            let run = run(&mut journal, &mut state, acts);
            drop(journal);
            disk.crash(&mut Rng::new(ops * 1000 + seed));
            check(&disk, acts, &run, &context);
            if run.done == acts.len() {
                return ops;
            }
        }
    }
    unreachable!("the acts end")
}

/// Nine transactions of epoch 1, with a snapshot in the middle and one near the end.
fn old_history(maker: &mut Maker) -> Vec<Act> {
    let mut acts: Vec<Act> = stores(epochs(1)).collect();
    acts.extend(stores(appends(&maker.creates(1, 1..=5))));
    acts.push(Act::Snapshot);
    acts.extend(stores(appends(&maker.creates(1, 6..=8))));
    acts.push(Act::Snapshot);
    acts.extend(stores(appends(&maker.creates(1, 9..=9))));
    acts
}

#[test]
fn a_difference() {
    let mut maker = Maker::new();
    let mut acts = old_history(&mut maker);
    acts.push(Act::Store(Store::AcceptedEpoch(Epoch(2))));
    acts.extend(stores(appends(&maker.creates(2, 1..=3))));
    acts.push(Act::Store(Store::CurrentEpoch(Epoch(2))));
    acts.extend(stores(appends(&maker.creates(2, 4..=6))));
    assert!(crash_everywhere("diff", &acts, 4) > 60);
}

#[test]
fn a_truncation() {
    for cut in [0, 4, 6, 9] {
        let mut acts = old_history(&mut Maker::new());
        acts.push(Act::Store(Store::AcceptedEpoch(Epoch(2))));
        acts.push(Act::Store(Store::Truncate(match cut {
            0 => Zxid::ZERO,
            cut => zxid(1, cut),
        })));
        let mut other = Maker::new();
        if cut > 0 {
            other.creates(1, 1..=cut);
        }
        acts.extend(stores(appends(&other.creates(2, 1..=3))));
        acts.push(Act::Store(Store::CurrentEpoch(Epoch(2))));
        acts.push(Act::Snapshot);
        assert!(crash_everywhere(&format!("trunc {cut}"), &acts, 2) > 60);
    }
}

#[test]
fn a_tree_from_a_leader() {
    for staged in [0, 3] {
        let mut acts = old_history(&mut Maker::new());
        acts.push(Act::Store(Store::AcceptedEpoch(Epoch(2))));
        // The leader never had 1:8 and 1:9.
        let mut leader = Maker::new();
        let mut history = leader.creates(1, 1..=7);
        history.extend(leader.creates(2, 1..=2));
        let tree = tree_of(&mut leader, 3, |_| {});
        let behind = match staged {
            0 => Vec::new(),
            staged => leader.creates(2, 3..=2 + staged),
        };
        history.extend(behind.clone());
        let end = history.last().expect("some").zxid;
        acts.push(Act::Install {
            snap: zxid(2, 2),
            tree,
            staged: behind,
            history,
        });
        let next = i64::from(end.counter()) + 1;
        acts.extend(stores(appends(&leader.creates(2, next..=next + 2))));
        acts.push(Act::Store(Store::CurrentEpoch(Epoch(2))));
        assert!(crash_everywhere(&format!("snap, {staged} staged"), &acts, 4) > 60);
    }
}

#[test]
fn reconfigurations() {
    let mut maker = Maker::new();
    let mut acts: Vec<Act> = Vec::new();
    let config = |epoch, counter| config(zxid(epoch, counter).0);
    acts.push(Act::Store(Store::AcceptedEpoch(Epoch(1))));
    acts.push(Act::Store(Store::LastSeenConfig(config(1, 0))));
    acts.push(Act::Store(Store::CurrentEpoch(Epoch(1))));
    acts.push(Act::Store(Store::CommittedConfig(config(1, 0))));
    acts.extend(stores(appends(&maker.creates(1, 1..=2))));
    acts.push(Act::Store(Store::LastSeenConfig(config(1, 3))));
    acts.extend(stores(appends(&maker.creates(1, 3..=3))));
    acts.push(Act::Store(Store::LastSeenConfig(config(1, 4))));
    acts.push(Act::Store(Store::CommittedConfig(config(1, 3))));
    // What was proposed is lost; what is established is told again.
    acts.push(Act::Store(Store::LastSeenConfig(config(1, 3))));
    acts.push(Act::Store(Store::Barrier));
    acts.push(Act::Store(Store::LastSeenConfig(config(2, 1))));
    acts.push(Act::Store(Store::CommittedConfig(config(2, 1))));
    assert!(crash_everywhere("reconfig", &acts, 5) > 60);
}

/// A start is cut short, too.
#[test]
fn crashes_while_starting() {
    for marked in [false, true] {
        for ops in 0.. {
            let disk = disk();
            if marked {
                put(&disk, "/datalog/initialize", b"");
            }
            disk.crash_after(ops);
            let started = open(&disk).is_ok();
            disk.crash(&mut Rng::new(ops));
            let opened = open(&disk).unwrap_or_else(|error| panic!("{ops}: {error}"));
            let standing = opened.recovered.standing;
            // The operator's word is never lost before there is a database; without it there is
            // never any.
            let snapshot_0 = text(&disk, "/datalog/initialize").is_none();
            assert!(snapshot_0, "it is gone at the end");
            assert!(marked || standing == Standing::Empty, "{ops}");
            let mut acts = vec![Act::Store(Store::AcceptedEpoch(Epoch(1)))];
            acts.extend(stores(appends(&Maker::new().creates(1, 1..=2))));
            let (mut journal, mut state) = (opened.journal, opened.state);
            let run = run(&mut journal, &mut state, &acts);
            assert_eq!(run.done, acts.len());
            check(&disk, &acts, &run, &format!("start, {ops} operations"));
            if started {
                break;
            }
        }
    }
}
