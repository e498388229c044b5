//! Reading the log for learners: from any place, in bounded steps, while it grows and is purged.

mod common;

use std::sync::Arc;

use common::{commit, copy_of, empty_disk, entry, layout, names, open, put, take_snapshot};
use jute::Zxid;
use storage::log::format::{HEADER, frame};
use storage::log::{CursorStep, LogCursor, LogHolds, LogMark, LogMarks};
use storage::purge::purge;
use storage::sim_disk::Rng;
use storage::{Disk, LogOptions, LogWriter, Options, Preallocation, SimDisk, StorageError};

type Entries = Vec<(Zxid, Vec<u8>)>;

const EPOCH: i64 = 1 << 32;

fn options() -> Options {
    Options {
        log: LogOptions {
            preallocation: Preallocation::ZeroFill { step: 3000 },
            ..LogOptions::default()
        },
        ..Options::default()
    }
}

/// Files `log.3` to `log.17` of five transactions each, then one of a new epoch; and snapshot 2.
fn history() -> (SimDisk, LogWriter, Entries) {
    let disk = empty_disk();
    take_snapshot(&disk, Zxid(2)).expect("memory takes it");
    let mut log = open(&disk, &options()).expect("it starts").0.log;
    let (mut entries, mut rng) = (Vec::new(), Rng::new(5));
    for first in [3, 8, 13, 18, EPOCH + 1] {
        entries.extend(commit(&mut log, first..first + 5, 80, &mut rng).expect("memory takes it"));
        log.roll().expect("memory takes it");
    }
    (disk, log, entries)
}

fn cursor_at(disk: &SimDisk, holds: &LogHolds, from: i64) -> Option<LogCursor> {
    cursor_behind(disk, holds, from, None)
}

fn cursor_behind(
    disk: &SimDisk,
    holds: &LogHolds,
    from: i64,
    mark: Option<LogMark>,
) -> Option<LogCursor> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let entry_len_max = options().log.entry_len_max;
    LogCursor::open(disk, &layout(), entry_len_max, holds, Zxid(from), mark).expect("reading works")
}

/// Everything up to `until`, and the number of steps it took.
fn read(
    cursor: &mut LogCursor,
    until: i64,
    bytes_max: u64,
) -> Result<(Entries, usize), StorageError> {
    let (mut entries, mut steps) = (Vec::new(), 0);
    loop {
        steps += 1;
        let before = entries.len();
        let step = cursor.step(Zxid(until), bytes_max, |zxid, entry| {
            entries.push((zxid, entry.to_vec()));
        })?;
        let bytes = entries[before..]
            .iter()
            .map(|(_, entry)| entry.len() as u64 + 13);
        let longest = 80 + 32 + 13;
        assert!(
            bytes.sum::<u64>() < bytes_max.max(1) + longest,
            "a step is bounded"
        );
        if step == CursorStep::CaughtUp {
            return Ok((entries, steps));
        }
    }
}

#[test]
fn from_any_place_to_any_other_in_steps_of_any_size() {
    let (disk, _, entries) = history();
    let last = EPOCH + 5;
    for from in [3, 4, 7, 8, 12, 20, 22, EPOCH + 1, EPOCH + 4, last] {
        for until in [2, from - 1, from, from + 1, 15, EPOCH, EPOCH + 3, last] {
            for bytes_max in [0, 1, 126, 1000, 1 << 20] {
                let until = until.min(last);
                let mut cursor = cursor_at(&disk, &LogHolds::default(), from).expect("it is there");
                let (found, steps) = read(&mut cursor, until, bytes_max).expect("it can be read");
                let expected: Entries = entries
                    .iter()
                    .filter(|(zxid, _)| (from..=until).contains(&zxid.0))
                    .cloned()
                    .collect();
                assert!(found == expected, "{from:#x} {until:#x} {bytes_max}");
                assert!(bytes_max > 1 || steps > expected.len(), "one record a step");
            }
        }
    }
}

/// What stands before a mark is not read, and wherever it is, the same records come behind it.
#[test]
fn a_mark_saves_the_way_and_changes_nothing() {
    let disk = empty_disk();
    take_snapshot(&disk, Zxid(2)).expect("memory takes it");
    let mut log = open(&disk, &options()).expect("it starts").0.log;
    let (mut entries, mut rng, mut marks) = (Vec::new(), Rng::new(5), LogMarks::new(1));
    assert_eq!(log.mark(), None, "there is no file");
    for first in [3, 8, EPOCH + 1] {
        for zxid in first..first + 5 {
            entries.extend(commit(&mut log, zxid..zxid + 1, 80, &mut rng).expect("it fits"));
            marks.note(log.mark().expect("all is committed"));
        }
        log.roll().expect("memory takes it");
        assert_eq!(log.mark(), None, "there is no next file");
    }
    let last = EPOCH + 5;
    // The first record of each file cannot be read any more.
    for name in ["log.3", "log.8", "log.100000001"] {
        let path = layout().log_dir().join(name);
        let mut bytes = disk.read_all(&path).expect("it is there");
        bytes[HEADER.len() + 20] ^= 1;
        put(&disk, &path, &bytes);
    }
    for (at, (from, _)) in entries.iter().enumerate() {
        let holds = LogHolds::default();
        let mark = marks.before(*from);
        let Some(mut cursor) = cursor_behind(&disk, &holds, from.0, mark) else {
            // Its file begins with it, and no mark is in the same file.
            assert_eq!(at % 5, 0, "{from}");
            continue;
        };
        assert_eq!(cursor.floor(), entries[at - 1].0, "{from}");
        let of_file = entries[at - at % 5 + 4].0;
        let (found, _) = read(&mut cursor, of_file.0, 126).expect("it can be read");
        assert_eq!(found, entries[at..at - at % 5 + 5], "{from}");
        assert!(cursor_at(&disk, &holds, from.0).is_none(), "{from}");
    }
    // One that is none of this log's is noticed.
    let mut other = LogMarks::new(1);
    let foreign = empty_disk();
    let mut log = open(&foreign, &options()).expect("it starts").0.log;
    commit(&mut log, 3..5, 30, &mut rng).expect("memory takes it");
    other.note(log.mark().expect("all is committed"));
    let mark = other.before(Zxid(5));
    let mut cursor = cursor_behind(&disk, &LogHolds::default(), 5, mark).expect("a file");
    assert!(read(&mut cursor, last, 100).is_err());
}

/// Where records stood that are gone, whoever needs them must be told.
#[test]
fn a_log_that_does_not_reach_back() {
    let (disk, _, _) = history();
    assert!(cursor_at(&disk, &LogHolds::default(), 2).is_none());
    assert!(cursor_at(&disk, &LogHolds::default(), 0).is_none());
    assert!(cursor_at(&empty_disk(), &LogHolds::default(), 1).is_none());
    // A name that promises more than the file has.
    let lying = copy_of(&disk);
    let mut bytes = HEADER.to_vec();
    frame(&entry(7, 10, &mut Rng::new(1)), &mut bytes);
    put(&lying, &layout().log_dir().join("log.3"), &bytes);
    assert!(cursor_at(&lying, &LogHolds::default(), 5).is_none());
    put(&lying, &layout().log_dir().join("log.3"), &HEADER);
    assert!(cursor_at(&lying, &LogHolds::default(), 5).is_none());
    // Between two epochs there is nothing, which is no gap.
    let mut cursor = cursor_at(&disk, &LogHolds::default(), 23).expect("it reaches back");
    let (found, _) = read(&mut cursor, EPOCH + 1, 100).expect("it can be read");
    assert_eq!(found[0].0, Zxid(EPOCH + 1));
}

/// A tree that came from a leader, and behind it the log of a later epoch.
#[test]
fn behind_a_snapshot_whose_epoch_has_ended() {
    let open_behind = |disk: &SimDisk, base| {
        let (disk, len_max): (Arc<dyn Disk>, _) =
            (Arc::new(disk.clone()), options().log.entry_len_max);
        let holds = LogHolds::default();
        LogCursor::open_behind_snapshot(disk, &layout(), len_max, &holds, Zxid(base))
            .expect("reading works")
    };
    let disk = empty_disk();
    take_snapshot(&disk, Zxid(5)).expect("memory takes it");
    assert!(open_behind(&disk, 5).is_none(), "there is no log");
    let mut log = open(&disk, &options()).expect("it starts").0.log;
    let first = EPOCH + 1;
    let entries = commit(&mut log, first..first + 3, 80, &mut Rng::new(5)).expect("it fits");
    assert!(cursor_at(&disk, &LogHolds::default(), 5).is_none());
    for base in [5, 6, EPOCH] {
        let mut cursor = open_behind(&disk, base).expect("a log");
        assert_eq!(cursor.floor(), Zxid(base));
        let (found, _) = read(&mut cursor, first + 2, 100).expect("it can be read");
        assert_eq!(found, entries, "behind {base:#x}");
    }
    assert!(open_behind(&disk, 4).is_none(), "what led to 5 is nowhere");
    assert!(open_behind(&disk, first).is_none(), "the log reaches back");
}

/// A server of Apache's that gets a tree keeps the log that it had, and only the snapshot tells of
/// what is missing in between.
#[test]
fn an_epoch_does_not_hide_what_a_tree_brought() {
    for missed in [20, EPOCH, EPOCH + 9] {
        let (disk, mut log, _) = history();
        take_snapshot(&disk, Zxid(22)).expect("memory takes it");
        let mut rng = Rng::new(7);
        let first = 2 * EPOCH + 1;
        commit(&mut log, first..first + 3, 80, &mut rng).expect("memory takes it");
        let whole = |disk: &SimDisk| {
            let mut cursor = cursor_at(disk, &LogHolds::default(), 8).expect("it is there");
            read(&mut cursor, first + 2, 100).map(|(found, _)| found.len())
        };
        assert_eq!(whole(&disk).expect("there is no gap"), 15 + 5 + 3);
        take_snapshot(&disk, Zxid(missed)).expect("memory takes it");
        match missed {
            20 => assert_eq!(whole(&disk).expect("it is in the log"), 15 + 5 + 3),
            _ => assert!(
                matches!(whole(&disk), Err(StorageError::Hole { .. })),
                "{missed:#x}"
            ),
        }
    }
}

#[test]
fn it_follows_a_log_that_grows() {
    let (disk, mut log, mut entries) = history();
    let mut cursor = cursor_at(&disk, &LogHolds::default(), 3).expect("it is there");
    let mut rng = Rng::new(6);
    let mut found = Vec::new();
    for round in 0..30 {
        let last = log.last_zxid().0;
        found.extend(read(&mut cursor, last, 300).expect("it can be read").0);
        assert!(found == entries);
        let next = cursor.next_wanted();
        assert_eq!(next.0, last + 1);
        let count = 1 + rng.below(4) as i64;
        entries.extend(
            commit(&mut log, last + 1..last + 1 + count, 80, &mut rng).expect("memory takes it"),
        );
        if round % 7 == 0 {
            log.roll().expect("memory takes it");
        }
    }
}

/// What is behind the bound may be half written; it is not looked at.
#[test]
fn bytes_behind_the_bound_do_not_matter() {
    let (disk, _, entries) = history();
    let path = layout().log_dir().join(format!("log.{:x}", EPOCH + 1));
    let file = disk.open(&path).expect("it is there");
    let len = (HEADER.len() + 3 * (13 + 32 + 80)) as u64;
    file.write_at(len, &[0x42; 300]).expect("memory takes it");
    let mut cursor = cursor_at(&disk, &LogHolds::default(), 3).expect("it is there");
    let (found, _) = read(&mut cursor, EPOCH + 3, 1 << 20).expect("it can be read");
    assert!(found == entries[..found.len()]);
    assert_eq!(found.len(), 23);
    let damaged = read(&mut cursor, EPOCH + 4, 1 << 20);
    assert!(
        matches!(damaged, Err(StorageError::DamagedLog { .. })),
        "{damaged:?}"
    );
}

#[test]
fn gaps_and_missing_ends_are_errors() {
    let (disk, _, _) = history();
    disk.remove(&layout().log_dir().join("log.d"))
        .expect("it is there");
    let mut cursor = cursor_at(&disk, &LogHolds::default(), 3).expect("it is there");
    let (found, _) = read(&mut cursor, 12, 1 << 20).expect("it can be read");
    assert_eq!(found.len(), 10);
    let gap = read(&mut cursor, 20, 1 << 20);
    assert!(
        matches!(
            gap,
            Err(StorageError::Hole {
                previous: 12,
                found: 18,
                ..
            })
        ),
        "{gap:?}"
    );
    let (disk, _, _) = history();
    let mut cursor = cursor_at(&disk, &LogHolds::default(), EPOCH + 1).expect("it is there");
    let ended = read(&mut cursor, EPOCH + 6, 1 << 20);
    assert!(
        matches!(ended, Err(StorageError::DamagedLog { .. })),
        "{ended:?}"
    );
}

#[test]
fn copies_are_handed_out_once() {
    let disk = empty_disk();
    let record = |zxid: i64| entry(zxid, 40, &mut Rng::new(zxid as u64));
    let file = |zxids: &[i64]| {
        let mut bytes = HEADER.to_vec();
        zxids
            .iter()
            .for_each(|zxid| frame(&record(*zxid), &mut bytes));
        bytes
    };
    let dir = layout().log_dir().to_owned();
    put(&disk, &dir.join("log.1"), &file(&[1, 2, 3, 2, 3, 4]));
    put(&disk, &dir.join("log.3"), &file(&[3, 4, 5]));
    let mut cursor = cursor_at(&disk, &LogHolds::default(), 2).expect("it is there");
    let (found, _) = read(&mut cursor, 5, 50).expect("it can be read");
    let expected: Entries = (2..=5).map(|zxid| (Zxid(zxid), record(zxid))).collect();
    assert_eq!(found, expected);
}

#[test]
fn what_a_reader_needs_is_not_purged() {
    let logs = |disk: &SimDisk| {
        let mut names = names(disk);
        names.retain(|name| name.starts_with("log."));
        names.len()
    };
    let (disk, _, _) = history();
    for zxid in [20, 21, EPOCH + 2] {
        take_snapshot(&disk, Zxid(zxid)).expect("memory takes it");
    }
    let holds = LogHolds::default();
    let mut first = cursor_at(&disk, &holds, 9).expect("it is there");
    let second = cursor_at(&disk, &holds, 15).expect("it is there");
    assert_eq!(holds.lowest(), Some(Zxid(9)));
    let purged = |disk: &SimDisk| {
        purge(disk, &layout(), 3, &holds).expect("memory takes it");
        logs(disk)
    };
    assert_eq!(purged(&disk), 4, "all but log.3");
    // It still gets everything, over the file's end.
    read(&mut first, 12, 100).expect("it can be read");
    assert_eq!((holds.lowest(), purged(&disk)), (Some(Zxid(13)), 3));
    let (found, _) = read(&mut first, EPOCH + 5, 100).expect("it can be read");
    assert_eq!(found.len(), 15);
    assert_eq!((holds.lowest(), purged(&disk)), (Some(Zxid(15)), 3));
    drop(second);
    assert_eq!(purged(&disk), 2, "what the snapshots need stays");
    drop(first);
    assert_eq!(holds.lowest(), None);
    // One that cannot start claims nothing.
    assert!(cursor_at(&disk, &holds, 9).is_none());
    assert_eq!(holds.lowest(), None);
}

#[test]
fn the_size_of_what_lies_behind() {
    let (disk, _, _) = history();
    let size = |name: &str| {
        disk.size(&layout().log_dir().join(name))
            .expect("it is there")
    };
    let last = format!("log.{:x}", EPOCH + 1);
    let further = |from| {
        let cursor = cursor_at(&disk, &LogHolds::default(), from).expect("it is there");
        cursor.further_len().expect("it can be listed")
    };
    assert_eq!(further(EPOCH + 1), 0);
    assert_eq!(further(18), size(&last));
    assert_eq!(
        further(3),
        size("log.8") + size("log.d") + size("log.12") + size(&last)
    );
}
