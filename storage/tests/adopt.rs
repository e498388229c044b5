//! A tree received from a leader: taken in pieces of any size, stored, and made the only base, with
//! crashes at every operation.

mod common;

use std::path::Path;
use std::sync::Arc;

use common::{
    Kept, commit, copy_of, empty_disk, entry, layout, put, receive, received_trailer,
    take_snapshot, tree,
};
use jute::Zxid;
use jute::quorum::packet::{self, PacketType};
use jute::wire::Limits;
use storage::adopt::adopt;
use storage::layout::{log_name, snapshot_name};
use storage::log::ReceivedLog;
use storage::sim_disk::Rng;
use storage::snap::{ReceiveError, SnapshotReceiver};
use storage::{
    Compression, DigestSeal, Disk, Layout, LogOptions, LogWriter, Options, Preallocation,
    Recovered, SimDisk, SnapshotOptions, Start, StorageError, Trailer,
};

/// What a start finds.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    start: i64,
    last: i64,
    /// The content of the node `/zxid`: which tree it is.
    tree: i64,
    entries: Vec<(Zxid, Vec<u8>)>,
}

/// Snapshots and logs in one directory.
fn together() -> Layout {
    layout()
}

/// Logs in a directory of their own.
fn apart() -> Layout {
    Layout::new(Path::new("data"), Path::new("logs"))
}

/// Files that grow keep the simulated disk fast.
fn options() -> Options {
    Options {
        log: LogOptions {
            preallocation: Preallocation::Off,
            ..LogOptions::default()
        },
        ..Options::default()
    }
}

fn open(disk: &SimDisk, layout: &Layout) -> Result<(Recovered, Kept), StorageError> {
    let mut kept = Kept::default();
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let recovered = storage::open(disk, layout, &options(), &mut kept)?;
    Ok((recovered, kept))
}

/// The names of all log files and of everything in the snapshots' directory.
fn names(disk: &SimDisk, layout: &Layout) -> Vec<String> {
    let list = |dir| disk.list(dir).expect("a directory");
    let mut names = list(layout.snap_dir());
    if layout.log_dir() != layout.snap_dir() {
        names.extend(list(layout.log_dir()));
    }
    names.sort();
    names
}

fn found(disk: &SimDisk, layout: &Layout) -> (Found, LogWriter) {
    let (recovered, kept) = open(disk, layout).expect("it starts");
    let Start::Snapshot { zxid, .. } = recovered.start else {
        panic!("{:?}", recovered.start);
    };
    let node = kept.nodes.iter().find(|node| node.path == "/zxid");
    let content = node.and_then(|node| node.data.clone()).expect("a node");
    let found = Found {
        start: zxid.0,
        last: recovered.last_zxid.0,
        tree: i64::from_be_bytes(content.try_into().expect("8 bytes")),
        entries: kept.entries,
    };
    (found, recovered.log)
}

/// Transactions 1 to 30 over three files, with snapshots 0, 10 and 25.
fn old_history(layout: &Layout) -> SimDisk {
    let disk = SimDisk::new();
    let (recovered, _) = open(&disk, layout).expect("an empty disk");
    take_snapshot(&disk, Zxid::ZERO).expect("memory takes it");
    let (mut log, mut rng) = (recovered.log, Rng::new(1));
    for first in [1, 11, 21] {
        commit(&mut log, first..first + 5, 60, &mut rng).expect("memory takes it");
        let next = first + 5;
        commit(&mut log, next..next + 5, 60, &mut rng).expect("memory takes it");
        if first < 21 {
            log.roll().expect("memory takes it");
        }
    }
    for zxid in [10, 25] {
        take_snapshot(&disk, Zxid(zxid)).expect("memory takes it");
    }
    disk
}

/// What the new tree's node says; no transaction has that number.
const NEW_TREE: i64 = 4242;

/// Transactions that a leader sends behind its tree.
fn entries_behind(zxid: i64, count: i64) -> Vec<(Zxid, Vec<u8>)> {
    let mut rng = Rng::new(7);
    (zxid + 1..=zxid + count)
        .map(|zxid| (Zxid(zxid), entry(zxid, 60, &mut rng)))
        .collect()
}

fn store_behind(
    disk: &SimDisk,
    layout: &Layout,
    entries: &[(Zxid, Vec<u8>)],
) -> Result<Option<ReceivedLog>, StorageError> {
    let Some(((_, first), rest)) = entries.split_first() else {
        return Ok(None);
    };
    let len_max = options().log.entry_len_max;
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let begun = ReceivedLog::begin(shared, layout, len_max, first)?;
    let stored = rest
        .iter()
        .try_fold(begun, |log, (_, entry)| log.append(entry));
    stored.map(Some)
}

fn replace(
    disk: &SimDisk,
    layout: &Layout,
    log: LogWriter,
    zxid: i64,
    behind: &[(Zxid, Vec<u8>)],
) -> Result<LogWriter, StorageError> {
    let received = match receive(disk, Zxid(zxid), &tree(NEW_TREE), Compression::None) {
        Ok(received) => received,
        Err(ReceiveError::Storage(error)) => return Err(error),
        Err(error) => panic!("{error}"),
    };
    let behind = store_behind(disk, layout, behind)?;
    adopt(received, behind, received_trailer(Zxid(zxid)), layout, log)
}

#[test]
fn a_crash_at_every_operation() {
    for layout in [together(), apart()] {
        // Below, between and above the old snapshots, above the old history, and in a new epoch.
        for zxid in [5, 10, 20, 30, 35, (1 << 32) + 3] {
            // With a log behind it, too, whose name may be that of an old one (behind 10 and 20).
            for behind in [0, 3] {
                let behind = entries_behind(zxid, behind);
                let mut taken = (0, 0);
                for seed in 0..8 {
                    for ops in 0.. {
                        if crash(&layout, (zxid, &behind), ops, seed, &mut taken) {
                            break;
                        }
                    }
                }
                let (old, new) = taken;
                assert!(old > 40 && new > 40, "{old} {new}");
            }
        }
    }
}

/// One replacement that ends after `ops` operations; true if it was done before. Counts whether the
/// old or the new history is found.
fn crash(
    layout: &Layout,
    (zxid, behind): (i64, &[(Zxid, Vec<u8>)]),
    ops: u64,
    seed: u64,
    taken: &mut (u32, u32),
) -> bool {
    let mut rng = Rng::new(ops * 1000 + seed);
    let disk = old_history(layout);
    let (old, log) = found(&disk, layout);
    assert_eq!((old.last, old.tree), (30, 25));
    disk.crash_after(ops);
    // Transactions of the leader that follow the tree.
    let following = zxid.max(40) + (1 << 32) - 1;
    let mut entries = behind.to_vec();
    let done = match replace(&disk, layout, log, zxid, behind) {
        Ok(mut log) => {
            disk.crash_after(1000);
            let committed = commit(&mut log, following..following + 3, 60, &mut rng);
            entries.extend(committed.expect("nothing fails"));
            true
        }
        Err(StorageError::Io { .. }) => false,
        Err(error) => panic!("{error}"),
    };
    disk.crash(&mut rng);
    // A second crash, while the start completes what was decided.
    disk.crash_after(rng.below(40));
    if let Err(error) = open(&disk, layout) {
        assert!(error.to_string().contains("machine is down"), "{error}");
    }
    disk.crash(&mut rng);
    let (after, _) = found(&disk, layout);
    if after == old {
        assert!(!done, "{ops}: it was durable");
        taken.0 += 1;
    } else {
        let new = Found {
            start: zxid,
            last: entries.last().map_or(zxid, |(zxid, _)| zxid.0),
            tree: NEW_TREE,
            entries,
        };
        assert_eq!(after, new, "{ops}: all of the old history or nothing");
        let mut names = names(&disk, layout);
        if done {
            names.retain(|name| *name != log_name(Zxid(following)));
        }
        let log = behind.first().map(|(first, _)| log_name(*first));
        let snapshot = snapshot_name(Zxid(zxid), Compression::None);
        assert_eq!(names, Vec::from_iter(log.into_iter().chain([snapshot])));
        taken.1 += 1;
    }
    done
}

/// Every state between the decision and its end is completed, whatever is still there.
#[test]
fn a_start_completes_what_was_decided() {
    let disk = old_history(&together());
    let (_, log) = found(&disk, &together());
    replace(&disk, &together(), log, 20, &[]).expect("nothing fails");
    let dir = layout().snap_dir().to_owned();
    let bytes = disk
        .read_all(&dir.join("snapshot.14"))
        .expect("it is there");
    for removed in [
        &[][..],
        &["snapshot.19"],
        &["snapshot.0", "snapshot.a", "snapshot.19", "log.b"],
        &[
            "snapshot.0",
            "snapshot.a",
            "snapshot.19",
            "log.1",
            "log.b",
            "log.15",
        ],
    ] {
        let disk = old_history(&together());
        put(&disk, &dir.join("received-snapshot.14"), &bytes);
        for name in removed {
            disk.remove(&dir.join(name)).expect("it is there");
        }
        let (recovered, _) = open(&disk, &together()).expect("it starts");
        assert_eq!(recovered.last_zxid, Zxid(20));
        assert!(
            recovered.warnings[0].contains("zxid 0x14"),
            "{:?}",
            recovered.warnings
        );
        assert_eq!(names(&disk, &together()), ["snapshot.14"], "{removed:?}");
        let (recovered, _) = open(&disk, &together()).expect("it starts");
        assert!(recovered.warnings.is_empty());
    }
}

/// The same with a log behind it: it is the received one, whether it has its own name yet or not,
/// and never an old one of that name.
#[test]
fn a_start_completes_what_was_decided_with_its_log() {
    let behind = entries_behind(20, 3);
    let adopted = old_history(&together());
    let (_, log) = found(&adopted, &together());
    replace(&adopted, &together(), log, 20, &behind).expect("nothing fails");
    let dir = layout().snap_dir().to_owned();
    let read = |name: &str| adopted.read_all(&dir.join(name)).expect("it is there");
    let (base, log) = (read("snapshot.14"), read("log.15"));
    let decided = "received-snapshot.14.log-15";
    for (given, started) in [
        // Nothing is removed yet, and an old log has the name.
        (vec![("received-log.15", &log)], true),
        // Named already; everything old is gone.
        (vec![("log.15", &log)], true),
        // Neither is there.
        (vec![], false),
    ] {
        let disk = old_history(&together());
        if !given.contains(&("received-log.15", &log)) {
            for name in names(&disk, &together()) {
                disk.remove(&dir.join(name)).expect("it is there");
            }
        }
        put(&disk, &dir.join(decided), &base);
        for (name, bytes) in &given {
            put(&disk, &dir.join(name), bytes);
        }
        let before = names(&disk, &together());
        if !started {
            assert!(
                open(&disk, &together()).is_err(),
                "transactions are missing"
            );
            assert_eq!(names(&disk, &together()), before);
            continue;
        }
        let (found, _) = found(&disk, &together());
        assert_eq!((found.start, found.tree), (20, NEW_TREE));
        assert_eq!((found.last, &found.entries), (23, &behind));
        assert_eq!(names(&disk, &together()), ["log.15", "snapshot.14"]);
    }
    // One that is not whole changes nothing.
    let disk = old_history(&together());
    put(&disk, &dir.join(decided), &base);
    put(&disk, &dir.join("received-log.15"), &log[..log.len() - 5]);
    let before = names(&disk, &together());
    let refused = open(&disk, &together());
    assert!(matches!(refused, Err(StorageError::DamagedLog { .. })));
    assert_eq!(names(&disk, &together()), before);
    // One that nobody decided for is removed.
    disk.remove(&dir.join(decided)).expect("it is there");
    let (found, _) = found(&disk, &together());
    assert_eq!((found.last, found.tree), (30, 25));
    assert!(!names(&disk, &together()).contains(&"received-log.15".to_owned()));
}

#[test]
fn a_damaged_received_snapshot_changes_nothing() {
    let disk = old_history(&together());
    let before = names(&disk, &together());
    let path = layout().snap_dir().join("received-snapshot.14");
    for bytes in [&b""[..], b"damaged"] {
        let disk = copy_of(&disk);
        put(&disk, &path, bytes);
        let refused = open(&disk, &together());
        assert!(
            matches!(refused, Err(StorageError::BadSnapshot { .. })),
            "an older history must not come back by itself"
        );
        disk.remove(&path).expect("it is there");
        assert_eq!(names(&disk, &together()), before);
    }
}

#[test]
fn what_is_stored_is_what_apache_stores() {
    for compression in [Compression::None, Compression::Gz, Compression::Snappy] {
        for (digest, last_processed) in [(true, true), (true, false), (false, true), (false, false)]
        {
            let disk = empty_disk();
            take_snapshot(&disk, Zxid::ZERO).expect("memory takes it");
            let (_, log) = found(&disk, &together());
            let received = receive(&disk, Zxid(9), &tree(9), compression).expect("a tree");
            let trailer = Trailer {
                digest: digest.then_some(DigestSeal::UNKNOWN),
                last_processed: last_processed.then_some(Zxid(9)),
            };
            adopt(received, None, trailer, &layout(), log).expect("memory takes it");
            let expected = format!("snapshot.9{}", compression.suffix());
            assert_eq!(names(&disk, &together()), [expected]);
            let (recovered, kept) = open(&disk, &together()).expect("it starts");
            assert_eq!(
                recovered.start,
                Start::Snapshot {
                    zxid: Zxid(9),
                    trailer
                }
            );
            assert_eq!((kept.sessions.len(), kept.acls.len()), (1, 1));
            assert_eq!(kept.nodes.len(), 2);
        }
    }
}

/// The trees that real leaders sent, in pieces of any size; packets follow them.
#[test]
#[allow(clippy::disallowed_methods, reason = "samples are real files")]
fn recorded_trees_in_pieces() {
    for (version, seed) in [("3.8.0", 1), ("3.9.5", 2)] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!(
            "../jute/testdata/{version}/sync-snap/quorum-01-to-server3.acceptor.bin"
        ));
        let stream = std::fs::read(path).expect("the recording is there");
        let limits = Limits::default();
        let mut at = 0;
        let zxid = loop {
            let (packet, len) = packet::first(&stream[at..], limits)
                .expect("it decodes")
                .expect("it is whole");
            at += len;
            if packet.kind == PacketType::Snap.as_i32() {
                break Zxid(packet.zxid);
            }
        };
        let disk = empty_disk();
        take_snapshot(&disk, Zxid::ZERO).expect("memory takes it");
        let (_, log) = found(&disk, &together());
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let options = SnapshotOptions::default();
        let receiver = SnapshotReceiver::begin(shared, &layout(), zxid, options, limits);
        let mut receiver = receiver.expect("memory takes it");
        let (mut kept, mut rng) = (Kept::default(), Rng::new(seed));
        loop {
            let len = (rng.below(700) as usize).min(stream.len() - at);
            let taken = receiver.take(&stream[at..at + len], &mut kept);
            match taken.expect("a tree") {
                None => at += len,
                Some(taken) => {
                    at += taken;
                    break;
                }
            }
        }
        let (next, _) = packet::first(&stream[at..], limits)
            .expect("it decodes")
            .expect("it is whole");
        assert_eq!(next.kind, PacketType::NewLeader.as_i32());
        assert_eq!(
            (kept.sessions.len(), kept.acls.len(), kept.nodes.len()),
            (1, 3, 254)
        );
        let trailer = received_trailer(zxid);
        adopt(receiver, None, trailer, &layout(), log).expect("memory takes it");
        let (recovered, stored) = open(&disk, &together()).expect("it starts");
        assert_eq!(recovered.last_zxid, zxid);
        assert_eq!(
            (&stored.sessions, &stored.acls, &stored.nodes),
            (&kept.sessions, &kept.acls, &kept.nodes)
        );
    }
}

#[test]
fn broken_trees() {
    let take = |bytes: &[u8]| {
        let shared: Arc<dyn Disk> = Arc::new(empty_disk());
        let limits = Limits::new(1000, 0);
        let receiver = SnapshotReceiver::begin(
            shared,
            &layout(),
            Zxid(1),
            SnapshotOptions::default(),
            limits,
        );
        let mut receiver = receiver.expect("memory takes it");
        receiver.take(bytes, &mut Kept::default())
    };
    let whole = tree(1);
    assert!(matches!(take(&whole), Ok(Some(len)) if len == whole.len()));
    for end in 0..whole.len() {
        assert!(matches!(take(&whole[..end]), Ok(None)), "cut at {end}");
    }
    let refused = |bytes: &[u8], offset: usize, reason: &str| match take(bytes) {
        Err(ReceiveError::Malformed {
            offset: found,
            reason: text,
        }) => {
            assert_eq!(found, offset as u64, "{text}");
            assert!(text.0.contains(reason), "{text}");
        }
        other => panic!("{other:?}"),
    };
    let mut signature = whole.clone();
    *signature.last_mut().expect("not empty") ^= 1;
    refused(&signature, whole.len() - 14, "signature");
    // No sessions, no ACLs, then a path longer than any.
    let mut long = vec![0; 8];
    long.extend_from_slice(&1001_i32.to_be_bytes());
    refused(&long, 12, "length 1001");
    let mut null = vec![0; 8];
    null.extend_from_slice(&[0xff; 4]);
    refused(&null, 8, "without path");
    // An ACL list that never ends.
    let mut endless = vec![0, 0, 0, 0, 0, 0, 0, 1];
    endless.extend_from_slice(&1_i64.to_be_bytes());
    endless.extend_from_slice(&i32::MAX.to_be_bytes());
    endless.resize(10_000, 0);
    refused(&endless, 8, "longer than any");
}

#[test]
fn one_that_is_given_up_leaves_nothing() {
    let disk = old_history(&together());
    let before = names(&disk, &together());
    let received = receive(&disk, Zxid(20), &tree(NEW_TREE), Compression::None);
    received.expect("a tree").abandon();
    assert_eq!(names(&disk, &together()), before);
    // Neither does one that is forgotten, after the next start.
    drop(receive(&disk, Zxid(20), &tree(NEW_TREE), Compression::None));
    assert_eq!(names(&disk, &together()).len(), before.len() + 1);
    let (after, _) = found(&disk, &together());
    assert_eq!((after.last, names(&disk, &together())), (30, before));
}
