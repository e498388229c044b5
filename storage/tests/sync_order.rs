//! A learner's synchronisation, cut short by a crash at every operation: acceptedEpoch, then the
//! history, then currentEpoch.
//!
//! Whatever a crash leaves starts again, and currentEpoch never promises a history that is not
//! there.

mod common;

use common::{commit, layout, open, receive, received_trailer, take_snapshot, tree};
use jute::Zxid;
use jute::wire::Limits;
use storage::adopt::adopt;
use storage::epochs::{self, EpochFile, Epochs};
use storage::sim_disk::Rng;
use storage::snap::ReceiveError;
use storage::truncate::{Outcome, truncate};
use storage::{Compression, LogOptions, LogWriter, Options, Preallocation, SimDisk, StorageError};

/// The epoch of the old history, and that of the new leader.
const OLD: i64 = 1;
const NEW: i64 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sync {
    Diff,
    Trunc,
    Snap,
    /// Nothing is missing.
    Empty,
}

/// The zxids of the old history, and those of the new leader's behind it.
fn old(counter: i64) -> i64 {
    (OLD << 32) + counter
}

fn new(counter: i64) -> i64 {
    (NEW << 32) + counter
}

impl Sync {
    /// The last zxid of the history that currentEpoch stands for.
    fn end(self) -> i64 {
        match self {
            Self::Empty => old(9),
            Self::Diff | Self::Trunc | Self::Snap => new(3),
        }
    }
}

fn options() -> Options {
    Options {
        log: LogOptions {
            preallocation: Preallocation::Off,
            ..LogOptions::default()
        },
        ..Options::default()
    }
}

/// A start: the end of the history, the epochs, the log.
fn start(disk: &SimDisk) -> Result<(i64, Epochs, LogWriter), StorageError> {
    let (recovered, _) = open(disk, &options())?;
    let epochs = epochs::start_up(disk, &layout(), recovered.last_zxid)?;
    Ok((recovered.last_zxid.0, epochs, recovered.log))
}

/// A follower of epoch 1 with nine transactions.
fn follower() -> SimDisk {
    let disk = SimDisk::new();
    let mut log = open(&disk, &options()).expect("an empty disk").0.log;
    take_snapshot(&disk, Zxid::ZERO).expect("memory takes it");
    epochs::start_up(&disk, &layout(), Zxid::ZERO).expect("memory takes it");
    epochs::save(&disk, &layout(), EpochFile::Accepted, OLD).expect("memory takes it");
    epochs::save(&disk, &layout(), EpochFile::Current, OLD).expect("memory takes it");
    commit(&mut log, old(1)..=old(9), 50, &mut Rng::new(1)).expect("memory takes it");
    disk
}

/// In the order of the protocol; ends at a crash point.
fn synchronise(disk: &SimDisk, log: LogWriter, sync: Sync) -> Result<(), StorageError> {
    let layout = layout();
    epochs::save(disk, &layout, EpochFile::Accepted, NEW)?;
    let mut log = match sync {
        Sync::Diff | Sync::Empty => log,
        Sync::Trunc => {
            let truncated = truncate(log, &layout, Limits::default(), Zxid(old(6)))?;
            assert_eq!(truncated.outcome, Outcome::Cut);
            truncated.log
        }
        Sync::Snap => {
            let tree = tree(old(7));
            let received = match receive(disk, Zxid(old(7)), &tree, Compression::None) {
                Ok(received) => received,
                Err(ReceiveError::Storage(error)) => return Err(error),
                Err(error) => panic!("{error}"),
            };
            let trailer = received_trailer(Zxid(old(7)));
            adopt(received, None, trailer, &layout, log)?
        }
    };
    if sync != Sync::Empty {
        commit(&mut log, new(1)..=new(3), 50, &mut Rng::new(2))?;
    }
    epochs::save(disk, &layout, EpochFile::Current, NEW)
}

#[test]
fn a_crash_at_every_operation() {
    for sync in [Sync::Diff, Sync::Trunc, Sync::Snap, Sync::Empty] {
        let (mut before, mut between, mut after) = (0, 0, 0);
        for seed in 0..6 {
            for ops in 0.. {
                let disk = follower();
                let (_, _, log) = start(&disk).expect("it starts");
                disk.crash_after(ops);
                let done = match synchronise(&disk, log, sync) {
                    Ok(()) => true,
                    Err(StorageError::Io { .. }) => false,
                    Err(error) => panic!("{error}"),
                };
                let mut rng = Rng::new(ops * 100 + seed);
                disk.crash(&mut rng);
                let (last, epochs, log) =
                    start(&disk).unwrap_or_else(|error| panic!("{sync:?} {ops}: {error}"));
                assert!(epochs.current <= epochs.accepted, "{epochs:?}");
                assert!(last >> 32 <= epochs.accepted, "{last:#x} was promised");
                if epochs.current == NEW {
                    assert_eq!(last, sync.end(), "{sync:?} {ops}: it is complete");
                    after += 1;
                } else {
                    assert!(!done, "{sync:?} {ops}: it was durable");
                    assert_eq!(epochs.current, OLD);
                    match epochs.accepted {
                        OLD => before += 1,
                        _ => between += 1,
                    }
                }
                // Once more, from what is there. A leader would ask for something else; the epochs
                // do not depend on it.
                if last < sync.end() {
                    drop(log);
                    let (_, _, log) = start(&disk).expect("it starts again");
                    synchronise(&disk, log, Sync::Snap).expect("nothing fails");
                    let (last, epochs, _) = start(&disk).expect("it starts");
                    assert_eq!((last, epochs.current, epochs.accepted), (new(3), NEW, NEW));
                }
                if done {
                    break;
                }
            }
        }
        assert!(
            before > 5 && between > 5 && after > 5,
            "{before} {between} {after}"
        );
    }
}

/// A server that has nothing yet, and whose first start itself is cut short.
#[test]
fn a_crash_at_every_operation_of_a_first_start() {
    for seed in 0..6 {
        for ops in 0.. {
            let disk = SimDisk::new();
            disk.crash_after(ops);
            let begin = |disk: &SimDisk| -> Result<LogWriter, StorageError> {
                let recovered = open(disk, &options())?.0;
                if recovered.start == storage::Start::Empty {
                    take_snapshot(disk, Zxid::ZERO)?;
                }
                epochs::start_up(disk, &layout(), recovered.last_zxid)?;
                Ok(recovered.log)
            };
            let done = begin(&disk)
                .and_then(|log| synchronise(&disk, log, Sync::Snap))
                .is_ok();
            disk.crash(&mut Rng::new(ops * 100 + seed));
            begin(&disk).unwrap_or_else(|error| panic!("{ops}: {error}"));
            let (last, epochs, _) = start(&disk).expect("it starts");
            assert!(epochs.current <= epochs.accepted, "{epochs:?}");
            assert!(
                epochs.current != NEW || last == new(3),
                "{epochs:?} {last:#x}"
            );
            assert!(!done || epochs.current == NEW, "it was durable");
            if done {
                break;
            }
        }
    }
}
