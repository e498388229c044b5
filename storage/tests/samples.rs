//! Files that Apache servers wrote: read completely, and written back byte for byte.

mod common;

use std::path::Path;
use std::sync::Arc;

use common::{Kept, layout, open, put, sample_disk, sample_files};
use jute::Zxid;
use jute::txn::LogEntry;
use jute::wire::Limits;
use storage::layout::zxid_in_name;
use storage::log::format;
use storage::snap::compress::Decoder;
use storage::snap::{Compression, load};
use storage::{
    Disk, Options, SimDisk, SnapshotOptions, SnapshotWriter, Start, StorageError, Trailer,
};

const DIRECTORIES: [&str; 3] = [
    "3.8.0/datadir-participant",
    "3.9.5/datadir-participant",
    "3.9.5/datadir-observer-fuzzy",
];

#[test]
fn data_directories_load_to_their_last_transaction() {
    let table = [
        ("3.8.0/datadir-participant", 0x1_0000_019d),
        (DIRECTORIES[1], 0x1_0000_01ce),
        (DIRECTORIES[2], 0x1_0000_01a7),
    ];
    for (folder, snapshot) in table {
        let disk = sample_disk(folder);
        let (recovered, kept) = open(&disk, &Options::default()).expect(folder);
        assert_eq!(recovered.last_zxid, Zxid(0x1_0000_01f6), "{folder}");
        assert!(
            matches!(recovered.start, Start::Snapshot { zxid, .. } if zxid == Zxid(snapshot)),
            "{folder}"
        );
        assert_eq!(
            recovered.entries,
            0x1_0000_01f6 - snapshot as u64,
            "{folder}"
        );
        assert!(
            recovered.warnings.is_empty(),
            "{folder}: {:?}",
            recovered.warnings
        );
        assert_eq!(
            kept.nodes.first().map(|node| node.path.as_str()),
            Some(""),
            "{folder}"
        );
    }
}

#[test]
fn every_snapshot_is_written_back_identically() {
    let mut count = 0;
    for folder in DIRECTORIES {
        for (name, bytes) in sample_files(&format!("{folder}/version-2")) {
            let Some(zxid) = zxid_in_name(&name, "snapshot") else {
                continue;
            };
            let disk = sample_disk(folder);
            let path = layout().snap_dir().join(&name);
            let (kept, trailer) = load_one(&disk, &path).expect(&name);
            disk.remove(&path).expect("it was there");
            let written = write_back(&disk, zxid, Compression::None, &kept, trailer);
            assert_eq!(written, path);
            assert_eq!(
                disk.read_all(&written).expect("written"),
                bytes,
                "{folder}/{name}"
            );
            count += 1;
        }
    }
    assert_eq!(count, 19);
}

fn unpacked(compression: Compression, bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut decoder = Decoder::new(compression, bytes);
    let mut buffer = [0; 4096];
    loop {
        match decoder.read(&mut buffer).expect("it is whole") {
            0 => return plain,
            count => plain.extend_from_slice(&buffer[..count]),
        }
    }
}

#[test]
fn compressed_snapshots_hold_the_same_tree_and_are_written_back() {
    let mut trees = Vec::new();
    for (name, bytes) in sample_files("3.9.5/snapshot-compression") {
        let compression = Compression::of_name(&name);
        assert_ne!(compression, Compression::None);
        let disk = common::empty_disk();
        let path = layout().snap_dir().join(&name);
        put(&disk, &path, &bytes);
        let (kept, trailer) = load_one(&disk, &path).expect(&name);
        let plain = unpacked(compression, &bytes);
        let written = write_back(&disk, Zxid(0x1_0000_01f6), compression, &kept, trailer);
        assert_eq!(written, path);
        let rewritten = disk.read_all(&written).expect("written");
        assert!(unpacked(compression, &rewritten) == plain, "{name}");
        trees.push(kept);
    }
    assert_eq!(trees.len(), 2);
    assert_eq!(trees[0], trees[1]);
    assert_eq!(trees[0].nodes.len(), 258);
}

#[test]
fn trailers_of_both_versions_are_told_apart() {
    let trailer = |folder, name: &str| {
        load_one(&sample_disk(folder), &layout().snap_dir().join(name))
            .expect(name)
            .1
    };
    let old = trailer("3.8.0/datadir-participant", "snapshot.10000019d");
    assert!(old.digest.is_some() && old.last_processed.is_none());
    let new = trailer("3.9.5/datadir-participant", "snapshot.1000001ce");
    assert!(new.digest.is_some());
    assert_eq!(new.last_processed, Some(Zxid(0x1_0000_01ce)));
    let fuzzy = trailer("3.9.5/datadir-observer-fuzzy", "snapshot.1000000b3");
    assert_eq!(
        fuzzy.digest.map(|digest| digest.zxid),
        Some(Zxid(0x1_0000_00b4))
    );
}

#[test]
fn every_log_record_is_framed_back_identically() {
    let mut records = 0;
    for folder in DIRECTORIES {
        let disk = sample_disk(folder);
        let files = sample_files(&format!("{folder}/version-2"));
        for (name, _) in files
            .iter()
            .filter(|(name, _)| name.starts_with("snapshot.") && name != "snapshot.0")
        {
            disk.remove(&layout().snap_dir().join(name))
                .expect("it was there");
        }
        let (_, kept) = open(&disk, &Options::default()).expect(folder);
        let mut framed = Vec::new();
        for (zxid, bytes) in &kept.entries {
            let entry = LogEntry::from_bytes(bytes, Limits::default()).expect("Apache wrote it");
            assert_eq!(entry.header.zxid, zxid.0);
            assert_eq!(&entry.to_bytes(), bytes, "{folder} {zxid}");
            format::frame(bytes, &mut framed);
            records += 1;
        }
        let stored: Vec<u8> = files
            .into_iter()
            .filter_map(|(name, bytes)| zxid_in_name(&name, "log").map(|zxid| (zxid, bytes)))
            .flat_map(|(_, bytes)| without_padding(&bytes[format::HEADER.len()..]).to_vec())
            .collect();
        assert_eq!(framed, stored, "{folder}");
    }
    assert_eq!(records, 3 * 0x1f6);
}

#[test]
fn damaged_logs_end_as_stated() {
    let last = Zxid(0x1_0000_01f6);
    let before_last = Zxid(last.0 - 1);
    // (variant, last zxid after a start, or the offset at which it is refused)
    let table: [(&str, Result<Zxid, u64>); 7] = [
        ("cut-mid-record.log.1000001cf", Ok(before_last)),
        ("zeroed-tail.log.1000001cf", Ok(before_last)),
        ("missing-eor.log.1000001cf", Ok(before_last)),
        ("bad-checksum-last.log.1000001cf", Err(4080)),
        ("bad-checksum-middle.log.1000001cf", Err(1984)),
        ("short-header.log.1000001f7", Ok(last)),
        ("empty.log.1000001f7", Ok(last)),
    ];
    let variants = sample_files("3.9.5/torn-log");
    assert_eq!(variants.len(), table.len());
    for (variant, expected) in table {
        let disk = sample_disk("3.9.5/datadir-participant");
        let (_, bytes) = variants
            .iter()
            .find(|(name, _)| name == variant)
            .expect("a sample");
        let (_, name) = variant.split_once('.').expect("prefix and name");
        put(&disk, &layout().log_dir().join(name), bytes);
        let before = disk.list(layout().log_dir()).expect("a directory");
        match (open(&disk, &Options::default()), expected) {
            (Ok((recovered, _)), Ok(last)) => {
                assert_eq!(recovered.last_zxid, last, "{variant}");
                assert_eq!(recovered.warnings.len(), 1, "{variant}");
                let (again, _) = open(&disk, &Options::default()).expect("the tail was tidied up");
                assert!(
                    again.warnings.is_empty() && again.last_zxid == last,
                    "{variant}: {:?}",
                    again.warnings
                );
            }
            (Err(StorageError::DamagedLog { path, offset, .. }), Err(expected)) => {
                assert!(path.ends_with(name), "{variant}");
                assert_eq!(offset, expected, "{variant}");
                assert_eq!(
                    disk.list(layout().log_dir()).expect("a directory"),
                    before,
                    "nothing may be deleted"
                );
                assert_eq!(
                    &disk.read_all(&path).expect("still there"),
                    bytes,
                    "{variant}"
                );
            }
            (found, _) => panic!(
                "{variant}: {:?}",
                found.map(|(recovered, _)| recovered.last_zxid)
            ),
        }
    }
}

#[test]
fn a_damaged_newest_snapshot_gives_way_to_an_older_one() {
    let folder = "3.9.5/datadir-participant";
    let (_, intact) = open(&sample_disk(folder), &Options::default()).expect(folder);
    let disk = sample_disk(folder);
    assert!(disk.rot(&layout().snap_dir().join("snapshot.1000001ce"), 5000, 3));
    let (recovered, kept) = open(&disk, &Options::default()).expect("an older one is there");
    assert!(matches!(recovered.start, Start::Snapshot { zxid, .. } if zxid == Zxid(0x1_0000_0174)));
    assert_eq!(recovered.last_zxid, Zxid(0x1_0000_01f6));
    assert!(
        recovered.warnings[0].contains("snapshot.1000001ce"),
        "{:?}",
        recovered.warnings
    );
    assert!(kept.entries.ends_with(&intact.entries) && kept.resets == 2);
    // Without the logs that the older snapshot needs there is a hole.
    disk.remove(&layout().log_dir().join("log.100000175"))
        .expect("it was there");
    match open(&disk, &Options::default()).map(|(recovered, _)| recovered.last_zxid) {
        Err(
            error @ StorageError::Hole {
                previous: 0x1_0000_0174,
                found: 0x1_0000_01cf,
                ..
            },
        ) => {
            assert!(error.to_string().contains("snapshot.1000001ce"), "{error}");
        }
        found => panic!("{found:?}"),
    }
    // With no snapshot that loads, nothing is started, even though the log may reach back.
    for (name, _) in sample_files(&format!("{folder}/version-2"))
        .iter()
        .filter(|(name, _)| name.starts_with("snapshot."))
    {
        disk.rot(&layout().snap_dir().join(name), 100, 0);
    }
    let found = open(&disk, &Options::default()).map(|(recovered, _)| recovered.last_zxid);
    assert!(
        matches!(found, Err(StorageError::NoUsableSnapshot { count: 6, .. })),
        "{found:?}"
    );
}

#[test]
fn no_flipped_bit_of_a_snapshot_is_loaded() {
    let folder = "3.9.5/datadir-participant";
    let path = layout().snap_dir().join("snapshot.10000004b");
    let disk = sample_disk(folder);
    let intact = load_one(&disk, &path).expect("intact").0;
    for offset in 0..disk.size(&path).expect("it is there") {
        assert!(disk.rot(&path, offset, (offset % 8) as u8));
        // The header's version and database id are read by nobody, but the seals cover them.
        assert!(load_one(&disk, &path).is_err(), "offset {offset}");
        assert!(disk.rot(&path, offset, (offset % 8) as u8));
    }
    assert_eq!(load_one(&disk, &path).expect("flipped back").0, intact);
}

fn load_one(disk: &SimDisk, path: &Path) -> Result<(Kept, Trailer), StorageError> {
    let mut kept = Kept::default();
    let trailer = load(disk, path, Limits::default(), &mut kept)?;
    kept.resets = 0;
    Ok((kept, trailer))
}

fn write_back(
    disk: &SimDisk,
    zxid: Zxid,
    compression: Compression,
    kept: &Kept,
    trailer: Trailer,
) -> std::path::PathBuf {
    let options = SnapshotOptions {
        compression,
        sync_every_bytes: 4096,
    };
    let mut writer = SnapshotWriter::begin(
        Arc::new(disk.clone()),
        layout().snap_dir(),
        zxid,
        options,
        kept.sessions.iter().copied(),
        kept.acls
            .iter()
            .map(|(index, acl)| (*index, acl.as_slice())),
    )
    .expect("memory takes it");
    for node in &kept.nodes {
        writer
            .node(&node.path, node.data.as_deref(), node.acl, &node.stat)
            .expect("memory takes it");
    }
    writer.finish(trailer).expect("memory takes it")
}

fn without_padding(bytes: &[u8]) -> &[u8] {
    let end = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    &bytes[..end]
}
