//! Crashes at every operation, several in a row, with every kind of preallocation: what was
//! acknowledged is there, what is there was written, and every start succeeds.

mod common;

use std::collections::BTreeMap;

use common::{entry, layout, open, take_snapshot};
use jute::Zxid;
use storage::log::LogHolds;
use storage::purge::purge;
use storage::sim_disk::Rng;
use storage::{LogOptions, Options, Preallocation, SimDisk, Start, StorageError};

const POLICIES: [Preallocation; 3] = [
    Preallocation::Off,
    Preallocation::ZeroFill { step: 6000 },
    Preallocation::Reserve { step: 6000 },
];

/// What the outside world knows.
#[derive(Default)]
struct Model {
    /// Appended entries that may be on disk.
    appended: BTreeMap<i64, Vec<u8>>,
    acknowledged: i64,
}

fn options(preallocation: Preallocation) -> Options {
    Options {
        log: LogOptions {
            preallocation,
            ..LogOptions::default()
        },
        ..Options::default()
    }
}

/// Opens, checks the state against the model, then writes `commits` batches; ends early at a crash
/// point.
fn run(
    disk: &SimDisk,
    model: &mut Model,
    preallocation: Preallocation,
    commits: u64,
    rng: &mut Rng,
) -> Result<(), StorageError> {
    let (mut recovered, kept) = open(disk, &options(preallocation))?;
    let snapshot = match recovered.start {
        Start::Snapshot { zxid, .. } => zxid,
        Start::Empty => {
            take_snapshot(disk, Zxid::ZERO)?;
            Zxid::ZERO
        }
        other => panic!("{other:?} cannot follow from our own writes"),
    };
    let last = recovered.last_zxid;
    assert!(
        last.0 >= model.acknowledged,
        "acknowledged {:#x}, found {:#x}",
        model.acknowledged,
        last.0
    );
    let replayed: Vec<i64> = kept.entries.iter().map(|(zxid, _)| zxid.0).collect();
    assert_eq!(
        replayed,
        (snapshot.0 + 1..=last.0).collect::<Vec<_>>(),
        "the history has no gap"
    );
    for (zxid, bytes) in &kept.entries {
        assert_eq!(
            model.appended.get(&zxid.0),
            Some(bytes),
            "{zxid} is what was appended"
        );
    }
    model.appended.retain(|zxid, _| *zxid <= last.0);
    model.acknowledged = last.0;
    for _ in 0..commits {
        commit_batch(&mut recovered.log, model, rng)?;
        match rng.below(8) {
            0 => {
                recovered.log.roll()?;
                take_snapshot(disk, recovered.log.last_zxid())?;
            }
            1 => recovered.log.roll()?,
            2 => {
                if let Some(preparation) = recovered.log.preparation() {
                    recovered.log.prepared(preparation.run());
                }
            }
            3 => recovered.log.prepare_next()?,
            4 => drop(purge(disk, &layout(), 3, &LogHolds::default())?),
            _ => {}
        }
    }
    Ok(())
}

fn commit_batch(
    log: &mut storage::LogWriter,
    model: &mut Model,
    rng: &mut Rng,
) -> Result<(), StorageError> {
    for _ in 0..=rng.below(5) {
        let zxid = log.last_zxid().0 + 1;
        let magnitude = 2 + rng.below(10);
        let body_len = rng.below(1 << magnitude) as usize;
        let bytes = entry(zxid, body_len, rng);
        model.appended.insert(zxid, bytes.clone());
        log.append(&bytes)?;
    }
    log.commit()?;
    model.acknowledged = log.last_zxid().0;
    Ok(())
}

#[test]
fn a_crash_at_every_operation_of_a_small_workload() {
    for preallocation in POLICIES {
        let ops_total = {
            let disk = SimDisk::new();
            run(
                &disk,
                &mut Model::default(),
                preallocation,
                12,
                &mut Rng::new(7),
            )
            .expect("nothing fails");
            disk.ops_total()
        };
        assert!(ops_total > 50, "{ops_total} operations");
        for ops in 0..ops_total {
            let disk = SimDisk::new();
            let mut model = Model::default();
            disk.crash_after(ops);
            let ended = run(&disk, &mut model, preallocation, 12, &mut Rng::new(7));
            assert!(ended.is_err(), "{preallocation:?} {ops}");
            disk.crash(&mut Rng::new(ops));
            run(&disk, &mut model, preallocation, 1, &mut Rng::new(8))
                .unwrap_or_else(|error| panic!("{preallocation:?} {ops}: {error}"));
        }
    }
}

#[test]
fn many_crashes_in_a_row() {
    for seed in 0..150 {
        let mut rng = Rng::new(seed);
        let disk = SimDisk::new();
        let mut model = Model::default();
        for round in 0..8 {
            let preallocation = POLICIES[rng.below(3) as usize];
            disk.crash_after(rng.below(250));
            // It ends at the crash point, or without one; a refusal would show as an error of
            // another kind.
            match run(&disk, &mut model, preallocation, 20, &mut rng) {
                Ok(()) | Err(StorageError::Io { .. } | StorageError::Poisoned { .. }) => {}
                Err(error) => assert!(
                    error.to_string().contains("machine is down"),
                    "seed {seed} round {round}: {error}"
                ),
            }
            if rng.below(4) == 0 {
                disk.kill()
            } else {
                disk.crash(&mut rng)
            }
        }
        run(&disk, &mut model, POLICIES[0], 1, &mut rng)
            .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
}

#[test]
fn without_force_sync_a_killed_process_loses_nothing_and_a_power_failure_invents_nothing() {
    let mut starts = 0;
    for seed in 0..100 {
        let mut rng = Rng::new(seed);
        let disk = SimDisk::new();
        let mut options = options(POLICIES[1]);
        options.log.force_sync = false;
        let (mut recovered, _) = open(&disk, &options).expect("an empty disk");
        take_snapshot(&disk, Zxid::ZERO).expect("memory takes it");
        let mut model = Model::default();
        for _ in 0..6 {
            commit_batch(&mut recovered.log, &mut model, &mut rng).expect("nothing fails");
        }
        let power_failure = seed % 2 == 0;
        if power_failure {
            disk.crash(&mut rng)
        } else {
            disk.kill()
        }
        let kept = match open(&disk, &options) {
            Ok((_, kept)) => kept,
            // Sectors of several commits mix; what that leaves may look like damage, and the
            // operator was warned.
            Err(StorageError::DamagedLog { .. }) if power_failure => continue,
            Err(error) => panic!("seed {seed}: {error}"),
        };
        starts += 1;
        assert!(
            power_failure || kept.entries.len() == model.appended.len(),
            "seed {seed}"
        );
        for (index, (zxid, bytes)) in kept.entries.iter().enumerate() {
            assert_eq!(zxid.0, index as i64 + 1);
            assert_eq!(Some(bytes), model.appended.get(&zxid.0));
        }
    }
    assert!(starts > 50, "{starts} starts");
}
