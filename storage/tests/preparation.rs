//! Log files that are prepared ahead, and followed into when the current one is full.

mod common;

use common::{entry, open, take_snapshot};
use jute::Zxid;
use storage::log::writer::record_len;
use storage::sim_disk::Rng;
use storage::{LogOptions, Options, Preallocation, Recovered, SimDisk, StorageError};

const BODY_LEN: usize = 200;

fn options(force_sync: bool) -> Options {
    Options {
        log: LogOptions {
            preallocation: Preallocation::ZeroFill { step: 600 },
            prepared_len_max: 600,
            force_sync,
            ..LogOptions::default()
        },
        ..Options::default()
    }
}

fn started(options: &Options) -> (SimDisk, Recovered) {
    let disk = SimDisk::new();
    let (recovered, _) = open(&disk, options).expect("an empty disk");
    take_snapshot(&disk, Zxid::ZERO).expect("memory takes it");
    (disk, recovered)
}

/// What a shell does for a write.
fn write(recovered: &mut Recovered) -> Result<(), StorageError> {
    let log = &mut recovered.log;
    let bytes = entry(log.last_zxid().0 + 1, BODY_LEN, &mut Rng::new(3));
    log.ensure_reserved(record_len(bytes.len()))?;
    log.append(&bytes)?;
    log.commit().map(drop)
}

fn prepare(recovered: &mut Recovered) {
    if let Some(preparation) = recovered.log.preparation() {
        recovered.log.prepared(preparation.run());
    }
}

fn logs(disk: &SimDisk) -> usize {
    let names = common::names(disk);
    names.iter().filter(|name| name.starts_with("log.")).count()
}

#[test]
fn a_full_file_is_followed_by_the_prepared_one() {
    let options = options(true);
    let (disk, mut recovered) = started(&options);
    for _ in 0..12 {
        write(&mut recovered).expect("memory takes it");
        prepare(&mut recovered);
    }
    assert!(logs(&disk) > 3, "{} files", logs(&disk));
    let (again, _) = open(&disk, &options).expect("one history in many files");
    assert_eq!(again.last_zxid, Zxid(12));
}

/// Acknowledged writes may be lost then, but the server must start.
#[test]
fn without_syncs_a_power_failure_leaves_no_hole_between_files() {
    let options = options(false);
    for seed in 0..40 {
        let (disk, mut recovered) = started(&options);
        for _ in 0..12 {
            write(&mut recovered).expect("memory takes it");
            prepare(&mut recovered);
        }
        assert!(logs(&disk) > 3, "files follow each other");
        disk.crash(&mut Rng::new(seed));
        open(&disk, &options).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
}

#[test]
fn the_space_of_a_preparation_under_way_is_not_missing() {
    let options = options(true);
    let (disk, mut recovered) = started(&options);
    write(&mut recovered).expect("memory takes it");
    let preparation = recovered.log.preparation().expect("one is due");
    let prepared = preparation.run();
    disk.set_capacity(Some(disk.used()));
    let refused = loop {
        match write(&mut recovered) {
            Ok(()) => {}
            Err(error) => break error,
        }
    };
    assert!(refused.is_storage_full() && recovered.log.is_preparing());
    recovered.log.prepared(prepared);
    write(&mut recovered).expect("there is a whole file");
}

#[test]
fn preparations_go_on_when_there_is_space_again() {
    let options = options(true);
    let (disk, mut recovered) = started(&options);
    write(&mut recovered).expect("memory takes it");
    disk.set_capacity(Some(disk.used()));
    prepare(&mut recovered);
    assert!(recovered.log.preparation().is_none(), "not in vain again");
    disk.set_capacity(None);
    recovered.log.roll().expect("nothing to do");
    write(&mut recovered).expect("memory takes it");
    assert!(recovered.log.preparation().is_some());
}
