//! Full disks, failed syncs, purging, and directories in unusual states.

mod common;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{Kept, empty_disk, entry, layout, open, put, take_snapshot};
use jute::Zxid;
use jute::data::StatPersisted;
use storage::log::LogHolds;
use storage::log::writer::record_len;
use storage::purge::purge;
use storage::sim_disk::{Op, Rng};
use storage::snap::body::encode_node;
use storage::{
    Compression, Disk, Layout, LogOptions, Options, Preallocation, SimDisk, SnapshotOptions,
    SnapshotWriter, Start, StorageError, Trailer,
};

fn options(preallocation: Preallocation) -> Options {
    Options {
        log: LogOptions {
            preallocation,
            ..LogOptions::default()
        },
        ..Options::default()
    }
}

/// A started server on an empty disk, with its snapshot 0.
fn started(options: &Options) -> (SimDisk, storage::Recovered) {
    let disk = SimDisk::new();
    let (recovered, _) = open(&disk, options).expect("an empty disk");
    take_snapshot(&disk, Zxid::ZERO).expect("memory takes it");
    (disk, recovered)
}

fn append(recovered: &mut storage::Recovered, body_len: usize) -> Result<usize, StorageError> {
    let bytes = entry(recovered.log.last_zxid().0 + 1, body_len, &mut Rng::new(3));
    recovered.log.append(&bytes)?;
    recovered.log.commit()
}

#[test]
fn a_full_disk_refuses_writes_before_they_are_accepted() {
    for preallocation in [
        Preallocation::ZeroFill { step: 4096 },
        Preallocation::Reserve { step: 4096 },
    ] {
        let options = options(preallocation);
        let (disk, mut recovered) = started(&options);
        disk.set_capacity(Some(60_000));
        let body_len = 700;
        let mut written = 0;
        let error = loop {
            match recovered.log.ensure_reserved(record_len(32 + body_len)) {
                Ok(()) => append(&mut recovered, body_len).expect("space was reserved"),
                Err(error) => break error,
            };
            written += 1;
            if written % 20 == 0 {
                recovered.log.roll().expect("nothing is pending");
            }
        };
        assert!(
            error.is_storage_full() && written > 20,
            "{written}: {error}"
        );
        assert!(error.to_string().contains("free some space"), "{error}");
        // Asking again is allowed, and space makes it go on.
        assert!(
            recovered
                .log
                .ensure_reserved(10_000)
                .is_err_and(|error| error.is_storage_full())
        );
        disk.set_capacity(None);
        recovered
            .log
            .ensure_reserved(record_len(32 + body_len))
            .expect("there is space");
        append(&mut recovered, body_len).expect("there is space");
        disk.crash(&mut Rng::new(1));
        let (again, _) = open(&disk, &options).expect("the log is intact");
        assert_eq!(again.last_zxid.0, written + 1);
    }
}

#[test]
fn a_start_on_a_full_disk_loses_nothing() {
    let options = options(Preallocation::ZeroFill { step: 4096 });
    let (disk, mut recovered) = started(&options);
    for _ in 0..10 {
        append(&mut recovered, 100).expect("there is space");
    }
    disk.set_capacity(Some(disk.used()));
    disk.crash(&mut Rng::new(2));
    let (mut again, kept) = open(&disk, &options).expect("reading needs no space");
    assert_eq!((again.last_zxid.0, kept.entries.len()), (10, 10));
    assert!(
        again
            .log
            .ensure_reserved(100)
            .is_err_and(|error| error.is_storage_full())
    );
    assert!(take_snapshot(&disk, Zxid(10)).is_err_and(|error| error.is_storage_full()));
    disk.set_capacity(None);
    append(&mut again, 100).expect("there is space");
}

/// Starts a snapshot of many sessions.
fn begin_snapshot(
    disk: &SimDisk,
    compression: Compression,
) -> Result<SnapshotWriter, StorageError> {
    let options = SnapshotOptions {
        compression,
        sync_every_bytes: 10_000,
    };
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let sessions = (0..1000_i32).map(|session| (i64::from(session), 4000));
    let none = [].into_iter();
    SnapshotWriter::begin(disk, layout().snap_dir(), Zxid(7), options, sessions, none)
}

/// Writes a snapshot with nodes that do not compress, each in a piece of its own.
fn big_snapshot(disk: &SimDisk, compression: Compression) -> Result<PathBuf, StorageError> {
    let mut writer = begin_snapshot(disk, compression)?;
    let (mut rng, stat) = (Rng::new(8), StatPersisted::default());
    for node in 0..50 {
        let path = if node == 0 {
            String::new()
        } else {
            format!("/n{node}")
        };
        let data: Vec<u8> = (0..1000).map(|_| rng.next_u64() as u8).collect();
        let mut piece = Vec::new();
        encode_node(&path, Some(&data), -1, &stat, &mut piece);
        writer.nodes_raw(&piece)?;
    }
    writer.finish(Trailer::default())
}

#[test]
fn a_snapshot_that_finds_no_space_leaves_none_taken() {
    for compression in [Compression::None, Compression::Gz, Compression::Snappy] {
        let (disk, _) = started(&Options::default());
        let used = disk.used();
        let path = big_snapshot(&disk, compression).expect("there is space");
        let needed = disk.used() - used;
        disk.remove(&path).expect("it is there");
        // Full at the start, among the nodes, at the very end.
        for missing in (1..needed).step_by(997) {
            disk.set_capacity(Some(used + needed - missing));
            let refused = big_snapshot(&disk, compression);
            assert!(
                refused.is_err_and(|error| error.is_storage_full()),
                "{compression:?}, {missing} bytes missing"
            );
            assert_eq!(
                disk.used(),
                used,
                "{compression:?}, {missing} bytes missing"
            );
        }
        disk.set_capacity(Some(used + needed));
        big_snapshot(&disk, compression).expect("there is space again");
    }
}

#[test]
fn a_snapshot_that_cannot_be_synced_or_named_is_removed() {
    for op in [Op::Sync, Op::Name] {
        let (disk, _) = started(&Options::default());
        let used = disk.used();
        let writer = begin_snapshot(&disk, Compression::None).expect("memory takes it");
        disk.fail_next(op, io::ErrorKind::Other);
        let failed = writer.finish(Trailer::default());
        assert!(matches!(failed, Err(StorageError::Io { .. })), "{failed:?}");
        assert_eq!(disk.used(), used, "{op:?}");
    }
}

#[test]
fn a_failed_write_or_sync_ends_the_writer() {
    for op in [Op::Write, Op::Sync] {
        let options = options(Preallocation::Off);
        let (disk, mut recovered) = started(&options);
        append(&mut recovered, 100).expect("nothing fails");
        disk.fail_next(op, io::ErrorKind::Other);
        let failed = append(&mut recovered, 100);
        assert!(
            matches!(failed, Err(StorageError::Io { .. })),
            "{op:?}: {failed:?}"
        );
        let after = append(&mut recovered, 100);
        assert!(
            matches!(after, Err(StorageError::Poisoned { .. })),
            "{op:?}: {after:?}"
        );
        assert!(recovered.log.ensure_reserved(1).is_err(), "{op:?}");
        disk.crash(&mut Rng::new(4));
        let (again, _) = open(&disk, &options).expect("a crash is survived");
        assert!(again.last_zxid.0 >= 1, "{op:?}");
    }
}

#[test]
fn one_sync_per_batch_into_prepared_space() {
    let (disk, mut recovered) = started(&options(Preallocation::ZeroFill { step: 1 << 20 }));
    append(&mut recovered, 100).expect("the file is made");
    let (syncs, writes) = (disk.ops(Op::Sync), disk.ops(Op::Write));
    for zxid in 2..100 {
        recovered
            .log
            .append(&entry(zxid, 100, &mut Rng::new(5)))
            .expect("memory takes it");
    }
    assert!(recovered.log.is_dirty());
    assert_eq!(
        recovered.log.commit().expect("memory takes it") as u64,
        98 * record_len(132)
    );
    assert_eq!(recovered.log.commit().expect("nothing to do"), 0);
    assert_eq!(
        (disk.ops(Op::Sync) - syncs, disk.ops(Op::Write) - writes),
        (1, 1)
    );
}

#[test]
fn an_entry_that_no_reader_takes_is_refused() {
    let (_, mut recovered) = started(&Options::default());
    let len_max = Options::default().log.entry_len_max;
    let refused = recovered.log.append(&entry(1, len_max, &mut Rng::new(6)));
    assert!(
        matches!(refused, Err(StorageError::EntryTooLong { .. })),
        "{refused:?}"
    );
    append(&mut recovered, len_max - 32).expect("the longest that fits");
}

#[test]
fn purging_keeps_what_the_kept_snapshots_need() {
    let names = |disk: &SimDisk| {
        let mut names = disk.list(layout().snap_dir()).expect("a directory");
        names.sort();
        names
    };
    let disk = empty_disk();
    for zxid in [0, 10, 20, 30] {
        take_snapshot(&disk, Zxid(zxid)).expect("memory takes it");
    }
    // 5 is no valid snapshot, and older than what is kept; 40 is none either, but newer.
    for name in [
        "snapshot.5",
        "snapshot.28",
        "log.1",
        "log.8",
        "log.b",
        "log.1f",
        "log.x",
        "other",
    ] {
        put(&disk, &layout().snap_dir().join(name), b"bytes");
    }
    let removed = purge(&disk, &layout(), 1, &LogHolds::default()).expect("memory takes it");
    assert_eq!(removed.len(), 3, "{removed:?}");
    assert_eq!(
        names(&disk),
        [
            "log.1f",
            "log.8",
            "log.b",
            "log.x",
            "other",
            "snapshot.14",
            "snapshot.1e",
            "snapshot.28",
            "snapshot.a"
        ]
    );
    assert!(
        purge(&disk, &layout(), 4, &LogHolds::default())
            .expect("nothing to do")
            .is_empty(),
        "too few good snapshots"
    );
}

#[test]
fn empty_directories_and_logs_without_snapshot() {
    let start = |disk: &SimDisk, options: &Options| {
        open(disk, options).map(|(recovered, _)| (recovered.start, recovered.last_zxid.0))
    };
    let no_create = Options {
        db_autocreate: false,
        ..Options::default()
    };
    assert_eq!(
        start(&SimDisk::new(), &Options::default()).expect("an empty disk"),
        (Start::Empty, 0)
    );
    assert_eq!(
        start(&SimDisk::new(), &no_create).expect("an empty disk"),
        (Start::Blank, -1)
    );
    let marked = empty_disk();
    put(&marked, &layout().initialize(), b"");
    assert_eq!(
        start(&marked, &no_create).expect("an empty disk"),
        (Start::Empty, 0)
    );
    storage::recovery::remove_initialize(&marked, &layout()).expect("it is there");
    storage::recovery::remove_initialize(&marked, &layout()).expect("gone is fine");
    assert_eq!(
        start(&marked, &no_create).expect("an empty disk"),
        (Start::Blank, -1)
    );

    let (disk, mut recovered) = started(&Options::default());
    append(&mut recovered, 10).expect("memory takes it");
    disk.remove(&layout().snap_dir().join("snapshot.0"))
        .expect("it was there");
    let refused = start(&disk, &Options::default());
    assert!(
        matches!(refused, Err(StorageError::LogWithoutSnapshot { .. })),
        "{refused:?}"
    );
    let trusting = Options {
        trust_empty_snapshot: true,
        ..Options::default()
    };
    assert_eq!(
        start(&disk, &trusting).expect("trusted"),
        (Start::LogOnly, 1)
    );
}

#[test]
fn swapped_or_missing_directories_are_refused() {
    let layout = Layout::new(Path::new("data"), Path::new("logs"));
    let disk = SimDisk::new();
    let missing = layout.prepare(&disk, false);
    assert!(
        matches!(missing, Err(StorageError::MissingDirectory { .. })),
        "{missing:?}"
    );
    layout.prepare(&disk, true).expect("memory takes it");
    put(&disk, &layout.log_dir().join("snapshot.1"), b"");
    let found = layout.prepare(&disk, true);
    assert!(
        matches!(found, Err(StorageError::Misplaced { holder: "log", .. })),
        "{found:?}"
    );
    disk.remove(&layout.log_dir().join("snapshot.1"))
        .expect("it was there");
    put(&disk, &layout.snap_dir().join("log.1"), b"");
    let found = layout.prepare(&disk, true);
    assert!(
        matches!(
            found,
            Err(StorageError::Misplaced {
                holder: "snapshot",
                ..
            })
        ),
        "{found:?}"
    );
}

#[test]
fn a_sink_that_refuses_an_entry_is_named_with_its_place() {
    struct Refusing(Kept);
    impl storage::SnapshotSink for Refusing {
        fn session(&mut self, id: i64, timeout_ms: i32) -> Result<(), storage::Rejected> {
            self.0.session(id, timeout_ms)
        }
        fn acl(
            &mut self,
            index: i64,
            acl: Vec<jute::data::Acl<'_>>,
        ) -> Result<(), storage::Rejected> {
            self.0.acl(index, acl)
        }
        fn node(
            &mut self,
            path: &str,
            data: Option<&[u8]>,
            acl: i64,
            stat: &jute::data::StatPersisted,
        ) -> Result<(), storage::Rejected> {
            self.0.node(path, data, acl, stat)
        }
    }
    impl storage::RecoverySink for Refusing {
        fn reset(&mut self) {
            self.0.reset();
        }
        fn snapshot_done(&mut self, _: Zxid, _: storage::Trailer) -> Result<(), storage::Rejected> {
            Ok(())
        }
        fn entry(&mut self, _: Zxid, _: &[u8]) -> Result<(), storage::Rejected> {
            Err(storage::Rejected("unknown type 77".to_owned()))
        }
    }
    let (disk, mut recovered) = started(&Options::default());
    append(&mut recovered, 10).expect("memory takes it");
    let refused = storage::open(
        std::sync::Arc::new(disk),
        &layout(),
        &Options::default(),
        &mut Refusing(Kept::default()),
    );
    let text = refused
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    assert!(
        text.contains("log.1") && text.contains("offset 16") && text.contains("unknown type 77"),
        "{text}"
    );
}
