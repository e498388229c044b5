//! Snapshots that are longer than what is read of them at a time.

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{Kept, Node, empty_disk, layout, put};
use jute::Zxid;
use jute::data::StatPersisted;
use jute::wire::Limits;
use storage::snap::load;
use storage::{Compression, Disk, SimDisk, SnapshotOptions, SnapshotWriter, StorageError, Trailer};

/// Lengths of data around the 256 KiB that are read at a time, and what is longer and shorter.
const LENS: [usize; 9] = [
    0,
    100,
    (256 << 10) - 200,
    (256 << 10) + 1,
    600_000,
    7,
    300_000,
    256 << 10,
    1,
];

fn nodes() -> Vec<Node> {
    let stat = StatPersisted::default();
    let node = |(at, len): (usize, &usize)| Node {
        path: if at == 0 {
            String::new()
        } else {
            format!("/{at}")
        },
        data: Some((0..*len).map(|byte| (byte * at) as u8).collect()),
        acl: -1,
        stat,
    };
    LENS.iter().enumerate().map(node).collect()
}

fn written(compression: Compression, trailer: Trailer) -> (SimDisk, PathBuf) {
    let disk = empty_disk();
    let options = SnapshotOptions {
        compression,
        ..SnapshotOptions::default()
    };
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let sessions = [(1, 4000)].into_iter();
    let writer = SnapshotWriter::begin(
        shared,
        layout().snap_dir(),
        Zxid(9),
        options,
        sessions,
        [].into_iter(),
    );
    let mut writer = writer.expect("begin");
    for node in nodes() {
        let added = writer.node(&node.path, node.data.as_deref(), node.acl, &node.stat);
        added.expect("node");
    }
    let path = writer.finish(trailer).expect("finish");
    (disk, path)
}

fn loaded(disk: &SimDisk, path: &Path, kept: &mut Kept) -> Result<Trailer, StorageError> {
    load(disk, path, Limits::default(), kept)
}

#[test]
fn every_node_comes_back_whatever_its_place() {
    for compression in [Compression::None, Compression::Gz, Compression::Snappy] {
        let trailer = Trailer {
            digest: None,
            last_processed: Some(Zxid(9)),
        };
        let (disk, path) = written(compression, trailer);
        let mut kept = Kept::default();
        let found = loaded(&disk, &path, &mut kept).expect("a snapshot");
        assert_eq!(found, trailer, "{compression:?}");
        assert_eq!(kept.sessions, [(1, 4000)], "{compression:?}");
        assert!(kept.nodes == nodes(), "{compression:?}");
    }
}

#[test]
fn what_was_changed_or_cut_is_refused() {
    // With more seals than one, what is cut behind the first is whole in the form of an older
    // server.
    let (disk, path) = written(Compression::None, Trailer::default());
    let len = disk.size(&path).expect("a size");
    // Header, counts, lengths and data of the first pieces, places in the middle, the end and all
    // of the seals.
    let places = || {
        (0..60)
            .chain((60..len - 20).step_by(99_731))
            .chain(len - 20..len)
    };
    for offset in places() {
        assert!(disk.rot(&path, offset, 7), "there is a byte");
        assert_refused(&disk, &path, &format!("the byte at {offset}"));
        assert!(disk.rot(&path, offset, 7), "it is as it was");
    }
    let whole = disk.read_all(&path).expect("the bytes");
    let short = layout().snap_dir().join("short");
    for cut in places() {
        put(&disk, &short, &whole[..cut as usize]);
        assert_refused(&disk, &short, &format!("cut at {cut}"));
    }
}

fn assert_refused(disk: &SimDisk, path: &Path, what: &str) {
    let refused = loaded(disk, path, &mut Kept::default());
    let bad = matches!(refused, Err(StorageError::BadSnapshot { .. }));
    assert!(bad, "{what}: {refused:?}");
}
