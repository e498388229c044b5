//! Taking back the end of the history: which snapshots and files go, and crashes at every operation
//! on the way.

mod common;

use std::collections::BTreeSet;

use common::{commit, copy_of, empty_disk, layout, names, open, put, snapshot_with, take_snapshot};
use jute::Zxid;
use jute::wire::Limits;
use storage::log::format::{HEADER, frame};
use storage::log::writer::COMMIT_BYTES_MAX;
use storage::sim_disk::Rng;
use storage::truncate::{Outcome, truncate};
use storage::{
    DigestSeal, Disk, LogOptions, LogWriter, Options, Preallocation, SimDisk, StorageError, Trailer,
};

type Entries = Vec<(Zxid, Vec<u8>)>;

fn options(preallocation: Preallocation) -> Options {
    Options {
        log: LogOptions {
            preallocation,
            ..LogOptions::default()
        },
        ..Options::default()
    }
}

fn cut_at(log: LogWriter, cut: i64) -> Result<(LogWriter, Outcome), StorageError> {
    let truncated = truncate(log, &layout(), Limits::default(), Zxid(cut))?;
    Ok((truncated.log, truncated.outcome))
}

/// Transactions 1 to 40 in files of 10 with snapshots 0, 15 and 35; all of them, and the open log.
fn history(preallocation: Preallocation, rng: &mut Rng) -> (SimDisk, LogWriter, Entries) {
    let disk = SimDisk::new();
    let (recovered, _) = open(&disk, &options(preallocation)).expect("an empty disk");
    take_snapshot(&disk, Zxid::ZERO).expect("memory takes it");
    let (mut log, mut entries) = (recovered.log, Vec::new());
    for file in 0..4 {
        for batch in 0..5 {
            let first = file * 10 + batch * 2 + 1;
            let body_len = rng.below(900) as usize;
            let batch = commit(&mut log, first..=first + 1, body_len, rng);
            entries.extend(batch.expect("memory takes it"));
            if [15, 35].contains(&first) {
                take_snapshot(&disk, Zxid(first)).expect("memory takes it");
            }
        }
        if file < 3 {
            log.roll().expect("memory takes it");
        }
    }
    (disk, log, entries)
}

/// What a start finds: the history from the snapshot on, which must be a part of `entries`.
fn found(disk: &SimDisk, entries: &Entries) -> (i64, LogWriter) {
    let (recovered, kept) = open(disk, &options(Preallocation::Off)).expect("it starts");
    let after = match recovered.start {
        storage::Start::Snapshot { zxid, .. } => zxid,
        other => panic!("{other:?}"),
    };
    let expected: Vec<_> = entries
        .iter()
        .filter(|(zxid, _)| *zxid > after && *zxid <= recovered.last_zxid)
        .cloned()
        .collect();
    assert!(kept.entries == expected, "a part of the history");
    assert!(after <= recovered.last_zxid);
    (recovered.last_zxid.0, recovered.log)
}

const POLICIES: [Preallocation; 3] = [
    Preallocation::Off,
    Preallocation::ZeroFill { step: 6000 },
    Preallocation::Reserve { step: 6000 },
];

#[test]
fn what_is_left_of_the_files() {
    for (cut, left) in [
        (
            40,
            "log.1 log.15 log.1f log.b snapshot.0 snapshot.23 snapshot.f",
        ),
        (
            39,
            "log.1 log.15 log.1f log.b snapshot.0 snapshot.23 snapshot.f",
        ),
        (
            35,
            "log.1 log.15 log.1f log.b snapshot.0 snapshot.23 snapshot.f",
        ),
        (34, "log.1 log.15 log.1f log.b snapshot.0 snapshot.f"),
        (31, "log.1 log.15 log.1f log.b snapshot.0 snapshot.f"),
        (30, "log.1 log.15 log.b snapshot.0 snapshot.f"),
        (11, "log.1 log.b snapshot.0"),
        (10, "log.1 snapshot.0"),
        (1, "log.1 snapshot.0"),
        (0, "snapshot.0"),
    ] {
        let (disk, log, entries) = history(Preallocation::Off, &mut Rng::new(1));
        let (_, outcome) = cut_at(log, cut).expect("memory takes it");
        assert_eq!(outcome, Outcome::Cut, "{cut}");
        let names: Vec<_> = names(&disk).into_iter().collect();
        assert_eq!(names.join(" "), left, "{cut}");
        assert_eq!(found(&disk, &entries).0, cut);
    }
}

#[test]
fn what_cannot_be_cut_is_left_alone() {
    let refused = |disk: &SimDisk, log: LogWriter, cut: i64, reason: &str| {
        let (before, used) = (names(disk), disk.used());
        let (log, outcome) = cut_at(log, cut).expect("reading works");
        match outcome {
            Outcome::Impossible(text) => assert!(text.contains(reason), "{text}"),
            Outcome::Cut => panic!("{cut} is cut"),
        }
        assert_eq!((names(disk), disk.used()), (before, used));
        log
    };
    let (disk, log, entries) = history(Preallocation::Off, &mut Rng::new(1));
    let log = refused(&disk, log, 41, "behind the end");
    let log = refused(&disk, log, -1, "no snapshot");
    // The writer goes on where it was.
    let mut log = log;
    commit(&mut log, [41], 10, &mut Rng::new(2)).expect("memory takes it");
    drop(entries);
    // A zxid between two epochs does not exist.
    let mut rng = Rng::new(3);
    commit(&mut log, [(1 << 32) + 1], 10, &mut rng).expect("memory takes it");
    let log = refused(&disk, log, 42, "does not have 2a");
    drop(log);

    // A fuzzy snapshot is the only one, and reaches above the cut.
    let disk = empty_disk();
    fuzzy(&disk, 3, Some(5), None);
    let mut log = open(&disk, &Options::default()).expect("it starts").0.log;
    commit(&mut log, 4..=8, 10, &mut rng).expect("memory takes it");
    let log = refused(&disk, log, 4, "no snapshot");
    let (_, outcome) = cut_at(log, 5).expect("memory takes it");
    assert_eq!(outcome, Outcome::Cut);

    // The log does not go on from the snapshot.
    let disk = empty_disk();
    take_snapshot(&disk, Zxid(1)).expect("memory takes it");
    take_snapshot(&disk, Zxid(5)).expect("memory takes it");
    let mut log = open(&disk, &Options::default()).expect("it starts").0.log;
    commit(&mut log, 6..=8, 10, &mut rng).expect("memory takes it");
    let log = refused(&disk, log, 4, "missing");
    let (_, outcome) = cut_at(log, 5).expect("memory takes it");
    assert_eq!(outcome, Outcome::Cut);
}

/// A snapshot whose trailer says up to where its effects reach.
fn fuzzy(disk: &SimDisk, zxid: i64, digest: Option<i64>, last_processed: Option<i64>) {
    let trailer = Trailer {
        digest: digest.map(|zxid| DigestSeal {
            zxid: Zxid(zxid),
            version: 2,
            tree_digest: 0,
        }),
        last_processed: last_processed.map(Zxid),
    };
    snapshot_with(disk, Zxid(zxid), trailer).expect("memory takes it");
}

/// Apache leaves a snapshot in place that holds what is cut off, and loads it afterwards.
#[test]
fn no_snapshot_above_the_cut_stays() {
    type Snapshot = (i64, Option<i64>, Option<i64>);
    let table: [(Vec<Snapshot>, i64, &str); 10] = [
        // The name is above the cut.
        (
            vec![(4, Some(4), None), (7, Some(7), None)],
            5,
            "snapshot.0 snapshot.4",
        ),
        // The digest, or the transaction processed last, is.
        (vec![(4, Some(6), None)], 5, "snapshot.0"),
        (vec![(4, Some(4), Some(6))], 5, "snapshot.0"),
        (vec![(4, None, Some(6))], 5, "snapshot.0"),
        (vec![(4, Some(5), Some(5))], 5, "snapshot.0 snapshot.4"),
        // It does not say.
        (vec![(4, None, None)], 5, "snapshot.0"),
        (vec![(4, Some(0), None)], 5, "snapshot.0"),
        // It does not say, but ended before another one below the cut began.
        (
            vec![(3, None, None), (5, None, None)],
            5,
            "snapshot.0 snapshot.3",
        ),
        (
            vec![(3, None, None), (5, Some(6), None)],
            5,
            "snapshot.0 snapshot.3",
        ),
        (vec![(3, None, None), (6, Some(6), None)], 5, "snapshot.0"),
    ];
    for (snapshots, cut, left) in table {
        let disk = empty_disk();
        fuzzy(&disk, 0, Some(0), Some(0));
        let mut log = open(&disk, &Options::default()).expect("it starts").0.log;
        let entries = commit(&mut log, 1..=9, 10, &mut Rng::new(4)).expect("memory takes it");
        for (zxid, digest, last_processed) in &snapshots {
            fuzzy(&disk, *zxid, *digest, *last_processed);
        }
        // One that cannot be loaded, too.
        put(&disk, &layout().snap_dir().join("snapshot.8"), b"damaged");
        let (_, outcome) = cut_at(log, cut).expect("memory takes it");
        assert_eq!(outcome, Outcome::Cut, "{snapshots:?}");
        let mut names = names(&disk);
        names.retain(|name| name.starts_with("snapshot"));
        assert_eq!(names.join(" "), left, "{snapshots:?}");
        assert_eq!(found(&disk, &entries).0, cut, "{snapshots:?}");
    }
}

/// A restart may log a part of the history a second time: the first copy must go as well.
#[test]
fn every_copy_above_the_cut_goes() {
    let disk = empty_disk();
    take_snapshot(&disk, Zxid(2)).expect("memory takes it");
    let entries: Entries = (1..=9)
        .map(|zxid| {
            (
                Zxid(zxid),
                common::entry(zxid, 40, &mut Rng::new(zxid as u64)),
            )
        })
        .collect();
    let file = |zxids: std::ops::RangeInclusive<i64>| {
        let mut bytes = HEADER.to_vec();
        for zxid in zxids {
            frame(&entries[zxid as usize - 1].1, &mut bytes);
        }
        bytes
    };
    let dir = layout().log_dir().to_owned();
    put(&disk, &dir.join("log.1"), &file(1..=9));
    put(&disk, &dir.join("log.5"), &file(5..=7));
    put(&disk, &dir.join("log.6"), &file(6..=6));
    let (last, log) = found(&disk, &entries);
    assert_eq!(last, 9);
    let (_, outcome) = cut_at(log, 6).expect("memory takes it");
    assert_eq!(outcome, Outcome::Cut);
    assert_eq!(names(&disk), ["log.1", "log.5", "log.6", "snapshot.2"]);
    assert_eq!(found(&disk, &entries).0, 6);
    for name in ["log.5", "log.6"] {
        disk.remove(&dir.join(name)).expect("it is there");
    }
    assert_eq!(found(&disk, &entries).0, 6);
}

/// What was cut off never comes back, whatever is written and lost afterwards.
fn goes_on_from(disk: &SimDisk, mut log: LogWriter, entries: &Entries, cut: i64, rng: &mut Rng) {
    let mut entries = entries.clone();
    entries.retain(|(zxid, _)| zxid.0 <= cut);
    let first = (1 << 32) + 1;
    entries.extend(commit(&mut log, first..first + 3, 100, rng).expect("nothing fails"));
    disk.crash(rng);
    assert_eq!(found(disk, &entries).0, first + 2);
}

/// A file was open for writing when it was cut, or removed.
#[test]
fn what_is_written_behind_a_cut_is_found() {
    for preallocation in POLICIES {
        for cut in [39, 34, 31, 23, 10, 0, 40] {
            let (disk, log, entries) = history(preallocation, &mut Rng::new(1));
            let (log, outcome) = cut_at(log, cut).expect("memory takes it");
            assert_eq!(outcome, Outcome::Cut, "{cut}");
            goes_on_from(&disk, log, &entries, cut, &mut Rng::new(2));
        }
    }
}

/// Whichever snapshot a start builds on, the log leads to the same end: none reaches above the log.
fn found_from_every_snapshot(disk: &SimDisk, entries: &Entries) -> i64 {
    let disk = copy_of(disk);
    let (last, _) = found(&disk, entries);
    let mut snapshots = names(&disk);
    snapshots.retain(|name| name.starts_with("snapshot."));
    // Hexadecimal numbers below 100 sort by their length, then as text.
    snapshots.sort_by_key(|name| (name.len(), name.clone()));
    for newest in snapshots[1..].iter().rev() {
        disk.remove(&layout().snap_dir().join(newest))
            .expect("it was listed");
        assert_eq!(found(&disk, entries).0, last, "without {newest}");
    }
    last
}

#[test]
fn a_crash_at_every_operation() {
    for (number, preallocation) in POLICIES.into_iter().enumerate() {
        // How space is prepared shows only in the file that is written last.
        let cuts = match preallocation {
            Preallocation::Off => &[0, 10, 23, 34][..],
            _ => &[34],
        };
        for cut in cuts.iter().copied() {
            for ops in 0.. {
                let mut rng = Rng::new(ops * 100 + cut as u64);
                let (disk, log, entries) = history(preallocation, &mut Rng::new(number as u64));
                disk.crash_after(ops);
                let ended = cut_at(log, cut);
                let done = match ended {
                    Ok((log, outcome)) => {
                        assert_eq!(outcome, Outcome::Cut);
                        disk.crash(&mut rng);
                        assert_eq!(found(&disk, &entries).0, cut, "it is durable");
                        drop(log);
                        true
                    }
                    Err(StorageError::Io { .. }) => {
                        disk.crash(&mut rng);
                        false
                    }
                    Err(error) => panic!("{error}"),
                };
                let last = found_from_every_snapshot(&disk, &entries);
                assert!((cut..=40).contains(&last), "{last}");
                let (_, log) = found(&disk, &entries);
                // Asked for again it is done, from whatever a crash left.
                let (log, outcome) = cut_at(log, cut).expect("nothing fails");
                assert_eq!(outcome, Outcome::Cut, "{ops}");
                goes_on_from(&disk, log, &entries, cut, &mut rng);
                if done {
                    assert!(ops > 20, "{ops} operations");
                    break;
                }
            }
        }
    }
}

/// More than one batch is cut off a file, so that it takes several steps.
#[test]
fn a_crash_while_much_is_cut_off() {
    const BODY_LEN: usize = 300 << 10;
    const LAST: i64 = 36;
    const CUT: i64 = 3;
    let disk_with = |bytes: &[u8]| {
        let disk = empty_disk();
        take_snapshot(&disk, Zxid::ZERO).expect("memory takes it");
        put(&disk, &layout().log_dir().join("log.1"), bytes);
        disk
    };
    let mut bytes = HEADER.to_vec();
    let mut entries = Vec::new();
    for zxid in 1..=LAST {
        let entry = common::entry(zxid, BODY_LEN, &mut Rng::new(zxid as u64));
        frame(&entry, &mut bytes);
        entries.push((Zxid(zxid), entry));
    }
    assert!(bytes.len() > 2 * COMMIT_BYTES_MAX);
    // Reading comes first, then there are three cuts with a sync each.
    let disk = disk_with(&bytes);
    let (_, log) = found(&disk, &entries);
    let before = disk.ops_total();
    cut_at(log, CUT).expect("nothing fails");
    let ops = disk.ops_total() - before;
    let mut ends = BTreeSet::new();
    for seed in 0..7 {
        let disk = disk_with(&bytes);
        let (_, log) = found(&disk, &entries);
        disk.crash_after(ops - 1 - seed % 7);
        assert!(cut_at(log, CUT).is_err());
        let mut rng = Rng::new(seed);
        disk.crash(&mut rng);
        let (last, log) = found(&disk, &entries);
        assert!((CUT..=LAST).contains(&last), "{last}");
        ends.insert(last);
        let (log, outcome) = cut_at(log, CUT).expect("nothing fails");
        assert_eq!(outcome, Outcome::Cut);
        goes_on_from(&disk, log, &entries, CUT, &mut rng);
    }
    assert!(ends.len() > 2, "crashes in different steps: {ends:?}");
}
