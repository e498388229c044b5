//! The end of a log, cut or zeroed at every byte, and damage in the middle of it.

mod common;

use std::path::PathBuf;

use common::{empty_disk, entry, layout, open, put, take_snapshot};
use jute::Zxid;
use proptest::prelude::*;
use storage::log::format::{HEADER, frame};
use storage::log::writer::COMMIT_BYTES_MAX;
use storage::sim_disk::Rng;
use storage::{Disk, LogOptions, Options, Preallocation, SimDisk, StorageError};

/// A log with records 1, 2, … of the given body lengths, and where each begins.
fn log_of(body_lens: &[usize]) -> (Vec<u8>, Vec<usize>) {
    let mut rng = Rng::new(1);
    let (mut bytes, mut starts) = (HEADER.to_vec(), Vec::new());
    for (index, len) in body_lens.iter().enumerate() {
        starts.push(bytes.len());
        frame(&entry(index as i64 + 1, *len, &mut rng), &mut bytes);
    }
    (bytes, starts)
}

fn log_path(zxid: i64) -> PathBuf {
    layout()
        .log_dir()
        .join(storage::layout::log_name(Zxid(zxid)))
}

/// A data directory with snapshot 0 and these log files.
fn disk_with(logs: &[(i64, &[u8])]) -> SimDisk {
    let disk = empty_disk();
    take_snapshot(&disk, Zxid::ZERO).expect("memory takes it");
    for (zxid, bytes) in logs {
        put(&disk, &log_path(*zxid), bytes);
    }
    disk
}

/// Growing files keep the simulated disk, and with it the tests, fast.
fn options() -> Options {
    Options {
        log: LogOptions {
            preallocation: Preallocation::Off,
            ..LogOptions::default()
        },
        ..Options::default()
    }
}

fn last_zxid(disk: &SimDisk) -> Result<i64, StorageError> {
    open(disk, &options()).map(|(recovered, _)| recovered.last_zxid.0)
}

/// Opens twice, and appends in between: the tidied tail must stay acceptable when it is no longer
/// the last.
fn survives_with(disk: &SimDisk, expected: i64, what: &str) {
    let (mut recovered, _) =
        open(disk, &options()).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(recovered.last_zxid.0, expected, "{what}");
    recovered
        .log
        .append(&entry(expected + 1, 10, &mut Rng::new(9)))
        .expect("memory takes it");
    recovered.log.commit().expect("memory takes it");
    let again = last_zxid(disk).unwrap_or_else(|error| panic!("{what}, started again: {error}"));
    assert_eq!(again, expected + 1, "{what}");
}

#[test]
fn the_last_record_cut_or_zeroed_at_every_byte() {
    let (bytes, starts) = log_of(&[20, 400, 900]);
    let last_start = starts[2];
    for cut in last_start..bytes.len() {
        survives_with(
            &disk_with(&[(1, &bytes[..cut])]),
            2,
            &format!("cut at {cut}"),
        );
        let mut zeroed = bytes.clone();
        zeroed[cut..].fill(0);
        zeroed.resize(bytes.len() + 4096, 0);
        survives_with(
            &disk_with(&[(1, &zeroed)]),
            2,
            &format!("zeroed from {cut}"),
        );
    }
    survives_with(&disk_with(&[(1, &bytes)]), 3, "whole");
}

#[test]
fn a_header_cut_at_every_byte() {
    let (first, _) = log_of(&[20, 30]);
    for cut in 0..=HEADER.len() {
        survives_with(
            &disk_with(&[(1, &first), (3, &HEADER[..cut])]),
            2,
            &format!("cut at {cut}"),
        );
        let zeros = vec![0; cut * 100];
        survives_with(
            &disk_with(&[(1, &first), (3, &zeros)]),
            2,
            &format!("{cut}00 zeros"),
        );
    }
    let disk = disk_with(&[(1, &first), (3, b"not a log")]);
    assert!(matches!(
        last_zxid(&disk),
        Err(StorageError::DamagedLog { offset: 0, .. })
    ));
}

#[test]
fn every_flipped_bit_in_the_middle_is_refused() {
    let (mut bytes, starts) = log_of(&[20, 90, 200, 30]);
    bytes.resize(bytes.len() + 1000, 0);
    // Behind the header, up to the last record: there, bad checksums and lost end marks have rules
    // of their own.
    for offset in starts[0]..starts[3] {
        for bit in 0..8 {
            let disk = disk_with(&[(1, &bytes)]);
            disk.rot(&log_path(1), offset as u64, bit);
            let record = starts
                .iter()
                .rposition(|start| *start <= offset)
                .expect("behind the first");
            match last_zxid(&disk) {
                Err(StorageError::DamagedLog { offset: found, .. }) => {
                    assert_eq!(found, starts[record] as u64)
                }
                found => panic!("bit {bit} at {offset}: {found:?}"),
            }
        }
    }
}

#[test]
fn lost_sectors_inside_the_last_batch_are_an_unfinished_end() {
    let (bytes, starts) = log_of(&[100, 3000, 200, 200]);
    // Each whole sector behind the start of the second record, lost alone: the first record always
    // survives.
    for sector in starts[1].div_ceil(512)..bytes.len() / 512 {
        let mut torn = bytes.clone();
        torn[sector * 512..(sector + 1) * 512].fill(0);
        torn.resize(bytes.len() + 4096, 0);
        let lost = starts
            .iter()
            .rposition(|start| *start <= sector * 512)
            .expect("behind the first");
        let disk = disk_with(&[(1, &torn)]);
        let found = last_zxid(&disk).unwrap_or_else(|error| panic!("sector {sector}: {error}"));
        // A record that was zero there anyway is still whole.
        assert!(
            found >= lost as i64 && found <= lost as i64 + 1 || torn[..bytes.len()] == bytes,
            "sector {sector}: {found}"
        );
    }
}

#[test]
fn a_lost_sector_with_later_batches_behind_it_is_damage() {
    let entry_len_max = 1 << 16;
    let mut options = options();
    options.log.entry_len_max = entry_len_max;
    let (mut bytes, starts) = log_of(&[5000; 900]);
    assert!(bytes.len() > starts[1] + COMMIT_BYTES_MAX + entry_len_max + 10_000);
    let sector = starts[1].div_ceil(512) + 1;
    bytes[sector * 512..(sector + 1) * 512].fill(0);
    let (disk, before) = (disk_with(&[(1, &bytes)]), bytes);
    match open(&disk, &options).map(|(recovered, _)| recovered.last_zxid) {
        Err(error @ StorageError::DamagedLog { .. }) => {
            let text = error.to_string();
            assert!(
                text.contains("log.1") && text.contains(&format!("offset {}", starts[1])),
                "{text}"
            );
        }
        found => panic!("{found:?}"),
    }
    assert_eq!(disk.read_all(&log_path(1)).expect("still there"), before);
}

/// A length field across two sectors, the first of which was lost, can be one that no writer uses.
#[test]
fn half_a_length() {
    let (bytes, starts) = log_of(&[440, 240]);
    let start = starts[1];
    assert_eq!(
        start % 512,
        501,
        "one byte of the length is in the next sector"
    );
    let mut lost = bytes.clone();
    lost[start..512].fill(0);
    assert_eq!(lost[start + 8..start + 12], [0, 0, 0, 16]);
    survives_with(&disk_with(&[(1, &lost)]), 1, "the first sector is lost");
    // Another byte of the record in the first sector says that it was not lost.
    let mut changed = lost.clone();
    changed[start + 7] = 1;
    // The same length where it does not cross a boundary.
    let (mut shifted, starts) = log_of(&[439, 240]);
    shifted[starts[1]..starts[1] + 11].fill(0);
    shifted[starts[1] + 11] = 16;
    for damaged in [changed, shifted] {
        let found = last_zxid(&disk_with(&[(1, &damaged)]));
        assert!(
            matches!(found, Err(StorageError::DamagedLog { .. })),
            "{found:?}"
        );
    }
}

/// The zxid in the name, and the bytes.
type LogFile = (i64, Vec<u8>);

#[test]
fn histories_over_several_files() {
    let record = |zxid: i64| {
        let mut bytes = Vec::new();
        frame(&entry(zxid, 40, &mut Rng::new(zxid as u64)), &mut bytes);
        bytes
    };
    let file = |zxids: &[i64], tail: &[u8]| {
        let mut bytes = HEADER.to_vec();
        zxids.iter().for_each(|zxid| bytes.extend(record(*zxid)));
        bytes.extend_from_slice(tail);
        bytes
    };
    let torn = &record(99)[..30];
    let mut bad_checksum = record(99);
    bad_checksum[20] ^= 1;
    let epoch = 1_i64 << 32;
    let mut other_two = HEADER.to_vec();
    frame(&entry(2, 41, &mut Rng::new(0)), &mut other_two);
    let table: [(&str, Vec<LogFile>, Result<i64, &str>); 11] = [
        (
            "two files",
            vec![(1, file(&[1, 2], &[])), (3, file(&[3], &[]))],
            Ok(3),
        ),
        (
            "a higher epoch",
            vec![
                (1, file(&[1, 2], &[])),
                (epoch + 1, file(&[epoch + 1], &[])),
            ],
            Ok(epoch + 1),
        ),
        (
            "a gap between files",
            vec![(1, file(&[1, 2], &[])), (4, file(&[4], &[]))],
            Err("Hole"),
        ),
        (
            "a gap in a file",
            vec![(1, file(&[1, 3], &[]))],
            Err("Hole"),
        ),
        (
            "a gap behind the snapshot",
            vec![(2, file(&[2], &[]))],
            Err("Hole"),
        ),
        (
            "torn, then continued",
            vec![(1, file(&[1, 2], torn)), (3, file(&[3], &[]))],
            Ok(3),
        ),
        (
            "torn, then a gap",
            vec![(1, file(&[1, 2], torn)), (4, file(&[4], &[]))],
            Err("Hole"),
        ),
        (
            "torn, then no record",
            vec![(1, file(&[1, 2], torn)), (3, file(&[], &[]))],
            Ok(2),
        ),
        (
            "torn twice",
            vec![(1, file(&[1, 2], torn)), (3, file(&[], torn))],
            Ok(2),
        ),
        (
            "bad checksum, then more",
            vec![(1, file(&[1, 2], &bad_checksum)), (3, file(&[3], &[]))],
            Err("DamagedLog"),
        ),
        ("copies", vec![(1, file(&[1, 2, 1, 2, 3], &[]))], Ok(3)),
    ];
    for (what, logs, expected) in table {
        let logs: Vec<_> = logs
            .iter()
            .map(|(zxid, bytes)| (*zxid, bytes.as_slice()))
            .collect();
        let found = last_zxid(&disk_with(&logs));
        match expected {
            Ok(last) => assert_eq!(
                found.unwrap_or_else(|error| panic!("{what}: {error}")),
                last,
                "{what}"
            ),
            Err(kind) => assert!(format!("{found:?}").contains(kind), "{what}: {found:?}"),
        }
    }
    let found = last_zxid(&disk_with(&[(1, &file(&[1, 2, 3], &[])), (2, &other_two)]));
    assert!(
        matches!(
            found,
            Ok(3)
                | Err(StorageError::OutOfOrder {
                    previous: 3,
                    found: 2,
                    ..
                })
        ),
        "{found:?}"
    );
    assert!(
        found.is_err(),
        "a different record with a zxid that is taken: {found:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_bytes_panic_and_whole_records_are_never_invented(
        body_lens in proptest::collection::vec(0_usize..2000, 1..6),
        changes in proptest::collection::vec((0_usize..12_000, any::<u8>()), 0..4),
        tail in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        let (mut bytes, _) = log_of(&body_lens);
        bytes.extend_from_slice(&tail);
        for (at, byte) in changes {
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
        }
        let disk = disk_with(&[(1, &bytes)]);
        if let Ok((recovered, kept)) = open(&disk, &options()) {
            prop_assert!(recovered.last_zxid.0 <= body_lens.len() as i64);
            let (intact, _) = log_of(&body_lens);
            for (_, entry) in &kept.entries {
                prop_assert!(intact.windows(entry.len()).any(|window| window == entry.as_slice()));
            }
        }
    }
}
