//! Trees from one member to another, from Apache's servers, and into own snapshots while the state
//! changes.

mod common;

use std::path::Path;

use common::{
    Maker, Tickets, appends, carry, empty_disk, epochs, names, nodes, open, open_with, receive,
    settings, snapshot, tree_of, zxid,
};
use journal::{InflowError, Journal, Opened, SnapshotProgress};
use jute::Zxid;
use jute::quorum::packet::{self, PacketType};
use jute::txn::LogEntry;
use jute::wire::Limits;
use state::State;
use storage::sim_disk::Rng;
use storage::{Compression, SimDisk, Start};
use zab::{Entry, Epoch, LogRead, Store};

/// Installs a tree; returns what is the state then.
fn install(journal: &mut Journal, snap: Zxid, tree: &[u8], staged: &[Entry]) -> State {
    let mut inflow = receive(journal.files(), snap, tree).expect("a tree");
    for entry in staged {
        inflow.stage(entry).expect("an entry");
    }
    let end = staged.last().map_or(snap, |entry| entry.zxid);
    let mut write = Tickets(1000).write(Store::InstallSnapshot(end));
    write.tree = Some(Box::new(inflow));
    let carried = journal.carry_out([write]);
    assert!(carried.failure.is_none(), "{:?}", carried.failure);
    carried.installed.expect("a state")
}

fn replay(state: &mut State, entries: &[Entry]) {
    for entry in entries {
        let entry = LogEntry::from_bytes(&entry.bytes, Limits::default()).expect("an entry");
        state.replay(entry).expect("well-formed");
    }
}

/// The next transaction of a leader with nodes 2:1 to 2:30: a new node, or new data at either end
/// of the walk.
fn churn(leader: &mut Maker) -> Entry {
    let next = zxid(2, i64::from(leader.state.last_zxid().counter()) + 1);
    let data = format!("as of {next}");
    match next.counter() % 3 {
        1 => leader.create(next, 9),
        0 => leader.set(next, "/n200000001", data.as_bytes()),
        _ => leader.set(next, "/n20000001e", data.as_bytes()),
    }
}

/// A member with a history of its own that ends at 1:9.
fn member() -> (SimDisk, Opened) {
    let disk = empty_disk();
    let mut opened = open(&disk).expect("an empty disk");
    let entries = Maker::new().creates(1, 1..=9);
    let mut stores = epochs(1);
    stores.extend(appends(&entries));
    stores.push(Store::AcceptedEpoch(Epoch(2)));
    carry(&mut opened.journal, &mut Tickets::default(), stores);
    (disk, opened)
}

/// A leader's state changes while it is walked: the staged entries make it exact, whatever the walk
/// saw of them.
#[test]
fn a_tree_that_changes_on_the_way() {
    for (pieces, name) in [(1, "slow"), (4, "medium"), (1000, "at once")] {
        let mut leader = Maker::new();
        leader.creates(2, 1..=30);
        let snap = leader.state.last_zxid();
        let mut behind = Vec::new();
        let tree = tree_of(&mut leader, pieces, |leader| {
            behind.push(churn(leader));
        });
        assert!(!behind.is_empty(), "{name}");
        let (disk, mut opened) = member();
        let state = install(&mut opened.journal, snap, &tree, &behind);
        assert_eq!(nodes(&state), nodes(&leader.state), "{name}");
        assert_eq!(state.tree().digest(), leader.state.tree().digest());
        assert_eq!(state.digest_check().mismatches(), 0, "{name}");
        let last = behind.last().expect("some").zxid;
        for (dir, prefix, file) in [
            ("/data/version-2", "snap", format!("snapshot.{snap}")),
            (
                "/datalog/version-2",
                "log",
                format!("log.{}", behind[0].zxid),
            ),
        ] {
            let mut names = names(&disk, dir);
            names.retain(|name| name.contains(prefix));
            names.retain(|name| name != "next-log.tmp");
            assert_eq!(names, [file], "nothing else is left");
        }
        // What the file says of itself: with the log it is the tree of the last.
        let again = open(&disk).expect("it starts");
        let Start::Snapshot { zxid, trailer } = again.start else {
            panic!("{:?}", again.start);
        };
        assert_eq!((zxid, again.entries), (snap, behind.len() as u64));
        assert_eq!(again.digest_mismatch, None);
        let digest = Some((last, leader.state.tree().digest()));
        assert_eq!(trailer.tree_digest(), digest);
        assert_eq!(again.recovered.last_zxid, last);
    }
}

#[test]
fn installed_trees_are_compressed_as_others_are() {
    for (compression, suffix) in [(Compression::Gz, ".gz"), (Compression::Snappy, ".snappy")] {
        for staged in [0, 2] {
            let mut leader = Maker::new();
            leader.creates(2, 1..=30);
            let snap = leader.state.last_zxid();
            let tree = tree_of(&mut leader, 100, |_| {});
            let behind = leader.creates(2, 31..=30 + staged);
            let disk = empty_disk();
            let mut settings = settings();
            settings.snapshot.file.compression = compression;
            let mut opened = open_with(&disk, settings).expect("an empty disk");
            let accept = vec![Store::AcceptedEpoch(Epoch(2))];
            carry(&mut opened.journal, &mut Tickets::default(), accept);
            install(&mut opened.journal, snap, &tree, &behind);
            let name = format!("snapshot.{snap}{suffix}");
            assert!(names(&disk, "/data/version-2").contains(&name), "{name}");
            let again = open(&disk).expect("it starts");
            assert_eq!(nodes(&again.state), nodes(&leader.state));
        }
    }
}

/// As an Apache leader sends it: what the tree may hold already comes behind NEWLEADER.
#[test]
fn a_fuzzy_tree_is_not_called_wrong() {
    let mut leader = Maker::new();
    leader.creates(2, 1..=30);
    let snap = leader.state.last_zxid();
    let mut behind = Vec::new();
    let tree = tree_of(&mut leader, 2, |leader| {
        behind.push(churn(leader));
    });
    let (disk, mut opened) = member();
    let mut state = install(&mut opened.journal, snap, &tree, &[]);
    assert!(state.digest_check().is_awaiting());
    carry(&mut opened.journal, &mut Tickets(2000), appends(&behind));
    replay(&mut state, &behind);
    assert_eq!(state.end_grace(), None);
    assert_eq!(state.digest_check().mismatches(), 0);
    assert_eq!(nodes(&state), nodes(&leader.state));
    // The log heals it after a start as well.
    let mut again = open(&disk).expect("it starts");
    assert_eq!(again.digest_mismatch, None);
    assert_eq!(again.state.end_grace(), None);
    assert_eq!(again.state.tree().digest(), leader.state.tree().digest());
    // A tree that is wrong is called so in the end.
    let mut other = Maker::new();
    other.creates(2, 1..=28);
    other.create(zxid(2, 29), 41);
    other.creates(2, 30..=30);
    let tree = tree_of(&mut other, 2, |_| {});
    let (_, mut opened) = member();
    let mut state = install(&mut opened.journal, snap, &tree, &[]);
    replay(&mut state, &behind);
    assert!(state.end_grace().is_some());
}

/// Only a part of what the tree may hold is committed at NEWLEADER: the file does not claim to be
/// exact.
#[test]
fn a_tree_that_stays_fuzzy() {
    for staged in [1, 2] {
        let mut leader = Maker::new();
        leader.creates(2, 1..=30);
        let snap = leader.state.last_zxid();
        let mut behind = Vec::new();
        let tree = tree_of(&mut leader, 2, |leader| {
            behind.push(churn(leader));
        });
        let (disk, mut opened) = member();
        let (first, rest) = behind.split_at(staged);
        let mut state = install(&mut opened.journal, snap, &tree, first);
        assert_ne!(state.tree().digest(), {
            let mut exact = Maker::new();
            exact.creates(2, 1..=30);
            replay(&mut exact.state, first);
            exact.state.tree().digest()
        });
        // Found so after a crash, and after the rest has come.
        let again = open(&disk).expect("it starts");
        let Start::Snapshot { trailer, .. } = again.start else {
            panic!("{:?}", again.start);
        };
        assert_eq!(trailer.tree_digest(), Some((Zxid::ZERO, 0)), "unknown");
        assert_eq!(again.digest_mismatch, None);
        carry(&mut opened.journal, &mut Tickets(2000), appends(rest));
        replay(&mut state, rest);
        let mut again = open(&disk).expect("it starts");
        for state in [&mut state, &mut again.state] {
            assert_eq!(state.end_grace(), None);
            assert_eq!(state.digest_check().mismatches(), 0);
            assert_eq!(state.tree().digest(), leader.state.tree().digest());
        }
    }
}

#[test]
fn trees_of_java_leaders() {
    for version in ["3.8.0", "3.9.5"] {
        let path =
            format!("../jute/testdata/{version}/sync-snap/quorum-01-to-server3.acceptor.bin");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        #[allow(clippy::disallowed_methods, reason = "samples are real files")]
        let stream = std::fs::read(path).expect("a capture");
        let limits = Limits::default();
        let mut at = 0;
        let packet = |at: &mut usize| {
            let (packet, len) = packet::first(&stream[*at..], limits)
                .expect("it decodes")
                .expect("it is whole");
            *at += len;
            (packet.kind, Zxid(packet.zxid))
        };
        let snap = loop {
            let (kind, zxid) = packet(&mut at);
            if kind == PacketType::Snap.as_i32() {
                break zxid;
            }
        };
        for seed in 0..5 {
            let (disk, mut opened) = member();
            let mut inflow = opened
                .journal
                .files()
                .receive(snap)
                .expect("memory takes it");
            let (mut from, mut rng) = (at, Rng::new(seed));
            loop {
                let len = (rng.below(700) as usize).min(stream.len() - from);
                match inflow.take(&stream[from..from + len]).expect("a tree") {
                    None => from += len,
                    Some(taken) => {
                        from += taken;
                        break;
                    }
                }
            }
            assert_eq!(packet(&mut from).0, PacketType::NewLeader.as_i32());
            let mut write = Tickets(1000).write(Store::InstallSnapshot(snap));
            write.tree = Some(Box::new(inflow));
            let carried = opened.journal.carry_out([write]);
            let state = carried.installed.expect("a state");
            assert_eq!(state.last_zxid(), snap);
            let again = open(&disk).expect("it starts");
            assert_eq!(again.state.tree().digest(), state.tree().digest());
            assert_eq!(again.state.tree().len(), state.tree().len());
            // What we send of it is a tree as well.
            let mut maker = Maker { state: again.state };
            let tree = tree_of(&mut maker, 7, |_| {});
            let (_, mut other) = member();
            let copy = install(&mut other.journal, snap, &tree, &[]);
            assert_eq!(copy.tree().digest(), state.tree().digest());
        }
    }
}

#[test]
fn what_is_no_tree() {
    let mut leader = Maker::new();
    leader.creates(2, 1..=3);
    let whole = tree_of(&mut leader, 100, |_| {});
    let snap = leader.state.last_zxid();
    for at in 0..whole.len() {
        let (disk, opened) = member();
        let mut broken = whole.clone();
        broken[at] ^= 0x80;
        let mut inflow = opened
            .journal
            .files()
            .receive(snap)
            .expect("memory takes it");
        match inflow.take(&broken) {
            Ok(_) => {}
            Err(InflowError::Tree(_)) => {}
            Err(error) => panic!("{error}"),
        }
        let before = names(&disk, "/data/version-2").len();
        inflow.abandon();
        assert!(names(&disk, "/data/version-2").len() < before + 1);
        let left = names(&disk, "/data/version-2");
        assert!(
            !left.iter().any(|name| name.starts_with("unfinished")),
            "{left:?}"
        );
        assert_eq!(
            open(&disk).expect("it starts").recovered.last_zxid,
            zxid(1, 9)
        );
    }
    // One that is given up late does not take another one along.
    let (disk, opened) = member();
    let mut journal = opened.journal;
    let late = receive(journal.files(), snap, &whole).expect("a tree");
    let inflow = receive(journal.files(), snap, &whole).expect("a tree");
    late.abandon();
    let mut write = Tickets(1000).write(Store::InstallSnapshot(snap));
    write.tree = Some(Box::new(inflow));
    assert!(journal.carry_out([write]).failure.is_none());
    let again = open(&disk).expect("it starts");
    assert_eq!(again.recovered.last_zxid, snap);
    // An entry that is none.
    let (_, opened) = member();
    let mut inflow = receive(opened.journal.files(), snap, &whole).expect("a tree");
    let mut entry = leader.create(zxid(2, 4), 10);
    entry.bytes = entry.bytes.slice(..40);
    assert!(matches!(
        inflow.stage(&entry),
        Err(InflowError::Entry { .. })
    ));
}

/// A snapshot of the own state waits for the own disk, and is thrown away with the history that it
/// is one of.
#[test]
fn local_snapshots() {
    let (disk, mut opened) = member();
    let mut maker = Maker::new();
    maker.creates(1, 1..=9);
    let mut state = opened.state;
    replay(&mut state, &Maker::new().creates(1, 1..=9));
    // Applied, as a quorum has it, and not yet on the own disk.
    let more = maker.creates(1, 10..=12);
    let files = opened.journal.files().clone();
    let mut job = files.begin_snapshot(&mut state);
    assert!(!job.copy(&state, 2));
    assert_eq!(
        job.write().expect("memory takes it"),
        SnapshotProgress::Going
    );
    replay(&mut state, &more);
    while !job.copy(&state, 2) {}
    assert_eq!(
        job.write().expect("memory takes it"),
        SnapshotProgress::Waiting
    );
    carry(&mut opened.journal, &mut Tickets(100), appends(&more));
    let done = job.write().expect("memory takes it");
    assert!(matches!(done, SnapshotProgress::Done(_)), "{done:?}");
    job.end(&mut state);
    assert!(names(&disk, "/data/version-2").contains(&"snapshot.100000009".to_owned()));
    assert_eq!(
        nodes(&open(&disk).expect("it starts").state),
        nodes(&maker.state)
    );

    // The walk is over, the history is cut: it must not become visible.
    let mut opened = open(&disk).expect("it starts");
    let mut state = opened.state;
    let mut job = opened.journal.files().begin_snapshot(&mut state);
    while !job.copy(&state, 100) {}
    carry(
        &mut opened.journal,
        &mut Tickets(200),
        vec![Store::Truncate(zxid(1, 12))],
    );
    assert_eq!(
        job.write().expect("memory takes it"),
        SnapshotProgress::Outdated
    );
    job.end(&mut state);
    // Nor if it is replaced.
    let mut state = opened.journal.reload(zxid(1, 12)).expect("it is there");
    let mut job = opened.journal.files().begin_snapshot(&mut state);
    job.copy(&state, 100);
    maker.creates(2, 1..=2);
    let tree = tree_of(&mut maker, 100, |_| {});
    install(&mut opened.journal, zxid(2, 2), &tree, &[]);
    assert_eq!(
        job.write().expect("memory takes it"),
        SnapshotProgress::Outdated
    );
    job.end(&mut state);
    let left = names(&disk, "/data/version-2");
    assert_eq!(
        left.iter().filter(|name| name.contains("snapshot")).count(),
        1,
        "{left:?}"
    );
}

/// A snapshot is due by `snapCount`, told until one begins.
#[test]
fn snapshots_fall_due() {
    let disk = empty_disk();
    let mut settings = settings();
    settings.roll.snap_count = 10;
    let mut opened = open_with(&disk, settings).expect("an empty disk");
    let (mut maker, mut tickets, mut state) = (Maker::new(), Tickets::default(), opened.state);
    carry(&mut opened.journal, &mut tickets, epochs(1));
    let mut taken = 0;
    for counter in 1..=60 {
        let entry = maker.create(zxid(1, counter), 20);
        let carried = opened
            .journal
            .carry_out([tickets.write(Store::Append(entry.clone()))]);
        replay(&mut state, &[entry]);
        if carried.snapshot_due && counter % 2 == 0 {
            opened.journal.begin_snapshot().expect("memory takes it");
            let done = snapshot(opened.journal.files(), &mut state).expect("memory takes it");
            assert!(matches!(done, SnapshotProgress::Done(_)));
            taken += 1;
        }
    }
    assert!((5..=10).contains(&taken), "{taken}");
    assert_eq!(names(&disk, "/datalog/version-2").len(), taken + 1);
    // The purge leaves what a reader holds.
    let mut reader = opened.journal.files().reader();
    let (LogRead::Entries { .. }, None) = reader.read(zxid(1, 2), zxid(1, 60), 100, false) else {
        panic!("it is there");
    };
    let files = opened.journal.files().clone();
    files.purge(3).expect("memory takes it");
    let held = names(&disk, "/datalog/version-2").len();
    assert_eq!(held, taken + 1, "the first log is held");
    // A place that is not used is given up.
    reader.age();
    reader.age();
    assert!(!files.purge(3).expect("memory takes it").is_empty());
    assert!(names(&disk, "/datalog/version-2").len() < held);
    let (LogRead::Unavailable, None) = reader.read(zxid(1, 2), zxid(1, 60), 100, false) else {
        panic!("it is purged");
    };
    let again = open(&disk).expect("it starts");
    assert_eq!(nodes(&again.state), nodes(&maker.state));
}

#[test]
fn a_reader_forgets_what_was_cut_off() {
    let (_, mut opened) = member();
    let journal = &mut opened.journal;
    let mut reader = journal.files().reader();
    let (LogRead::Entries { entries, .. }, None) = reader.read(zxid(1, 2), zxid(1, 9), 1, false)
    else {
        panic!("it is there");
    };
    assert_eq!(entries.len(), 1);
    let mut tickets = Tickets(500);
    carry(journal, &mut tickets, vec![Store::Truncate(zxid(1, 3))]);
    let mut other = Maker::new();
    other.creates(1, 1..=3);
    carry(journal, &mut tickets, appends(&other.creates(2, 1..=3)));
    let (LogRead::Entries { entries, .. }, None) = reader.read(zxid(1, 3), zxid(2, 3), 1000, false)
    else {
        panic!("it is there");
    };
    assert_eq!(entries.first().map(|entry| entry.zxid), Some(zxid(2, 1)));
    assert_eq!(entries.len(), 3);
}
