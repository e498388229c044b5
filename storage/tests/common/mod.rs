//! What the tests share: a sink that keeps everything, log entries, and the sample directories.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file is a crate of its own and uses a part of it"
)]

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jute::Zxid;
use jute::data::{Acl, StatPersisted};
use jute::quorum::snap::encode_signature;
use jute::wire::Limits;
use storage::sim_disk::Rng;
use storage::snap::body::{encode_end, encode_front, encode_node};
use storage::snap::{ReceiveError, SnapshotReceiver, SnapshotSink};
use storage::{
    Compression, DigestSeal, Disk, Layout, RecoverySink, Rejected, SimDisk, SnapshotOptions,
    SnapshotWriter, StorageError, Trailer,
};

/// A node as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub path: String,
    pub data: Option<Vec<u8>>,
    pub acl: i64,
    pub stat: StatPersisted,
}

/// Keeps what it is given.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Kept {
    pub sessions: Vec<(i64, i32)>,
    pub acls: Vec<(i64, Vec<Acl<'static>>)>,
    pub nodes: Vec<Node>,
    pub entries: Vec<(Zxid, Vec<u8>)>,
    pub resets: usize,
}

impl SnapshotSink for Kept {
    fn session(&mut self, id: i64, timeout_ms: i32) -> Result<(), Rejected> {
        self.sessions.push((id, timeout_ms));
        Ok(())
    }

    fn acl(&mut self, index: i64, acl: Vec<Acl<'_>>) -> Result<(), Rejected> {
        self.acls
            .push((index, acl.into_iter().map(Acl::into_owned).collect()));
        Ok(())
    }

    fn node(
        &mut self,
        path: &str,
        data: Option<&[u8]>,
        acl: i64,
        stat: &StatPersisted,
    ) -> Result<(), Rejected> {
        self.nodes.push(Node {
            path: path.to_owned(),
            data: data.map(<[u8]>::to_vec),
            acl,
            stat: *stat,
        });
        Ok(())
    }
}

impl RecoverySink for Kept {
    fn reset(&mut self) {
        *self = Self {
            resets: self.resets + 1,
            ..Self::default()
        };
    }

    fn snapshot_done(&mut self, _: Zxid, _: Trailer) -> Result<(), Rejected> {
        Ok(())
    }

    fn entry(&mut self, zxid: Zxid, bytes: &[u8]) -> Result<(), Rejected> {
        self.entries.push((zxid, bytes.to_vec()));
        Ok(())
    }
}

/// A log entry of `zxid` with a body of `body_len` bytes, random or (one in four) zero.
pub fn entry(zxid: i64, body_len: usize, rng: &mut Rng) -> Vec<u8> {
    let mut bytes = vec![0; 12];
    bytes.extend_from_slice(&zxid.to_be_bytes());
    bytes.extend_from_slice(&[0; 12]);
    let zeros = rng.below(4) == 0;
    bytes.extend((0..body_len).map(|_| if zeros { 0 } else { rng.next_u64() as u8 }));
    bytes
}

/// The layout of the data directory `data`.
pub fn layout() -> Layout {
    Layout::new(Path::new("data"), Path::new("data"))
}

/// A disk with the directories of [`layout`].
pub fn empty_disk() -> SimDisk {
    let disk = SimDisk::new();
    layout().prepare(&disk, true).expect("memory takes it");
    disk
}

/// Writes and syncs a file.
pub fn put(disk: &SimDisk, path: &Path, bytes: &[u8]) {
    let file = disk.create(path).expect("the directory exists");
    file.write_at(0, bytes).expect("memory takes it");
    file.sync_data().expect("memory takes it");
    disk.sync_dir(path.parent().expect("a file is in a directory"))
        .expect("the directory exists");
}

/// A snapshot that says no more than its zxid.
pub fn take_snapshot(disk: &SimDisk, zxid: Zxid) -> Result<PathBuf, StorageError> {
    let trailer = Trailer {
        digest: None,
        last_processed: Some(zxid),
    };
    snapshot_with(disk, zxid, trailer)
}

/// A snapshot that says no more than its zxid, with this trailer.
pub fn snapshot_with(
    disk: &SimDisk,
    zxid: Zxid,
    trailer: Trailer,
) -> Result<PathBuf, StorageError> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let options = SnapshotOptions::default();
    let mut writer = SnapshotWriter::begin(
        disk,
        layout().snap_dir(),
        zxid,
        options,
        [].into_iter(),
        [].into_iter(),
    )?;
    let stat = StatPersisted::default();
    writer.node("", Some(&[]), -1, &stat)?;
    writer.node("/zxid", Some(&zxid.0.to_be_bytes()), -1, &stat)?;
    writer.finish(trailer)
}

/// The names in the one directory of [`layout`].
pub fn names(disk: &SimDisk) -> Vec<String> {
    let mut names = disk.list(layout().snap_dir()).expect("a directory");
    names.sort();
    names
}

/// A disk with the same files in the one directory of [`layout`], all durable.
pub fn copy_of(disk: &SimDisk) -> SimDisk {
    let copy = empty_disk();
    for name in names(disk) {
        let path = layout().snap_dir().join(name);
        put(&copy, &path, &disk.read_all(&path).expect("it was listed"));
    }
    copy
}

/// Appends and commits one entry for each zxid.
pub fn commit(
    log: &mut storage::LogWriter,
    zxids: impl IntoIterator<Item = i64>,
    body_len: usize,
    rng: &mut Rng,
) -> Result<Vec<(Zxid, Vec<u8>)>, StorageError> {
    let mut entries = Vec::new();
    for zxid in zxids {
        let bytes = entry(zxid, body_len, rng);
        log.append(&bytes)?;
        entries.push((Zxid(zxid), bytes));
    }
    log.commit()?;
    Ok(entries)
}

/// The tree of a SNAP as a leader sends it: one session, the node `/zxid` with this content, the
/// signature.
pub fn tree(content: i64) -> Vec<u8> {
    let mut out = Vec::new();
    let acl = [Acl::open()];
    let (sessions, acls) = ([(7, 4000)].into_iter(), [(1, &acl[..])].into_iter());
    let Ok(()) = encode_front(sessions, acls, &mut out, |_| Ok::<_, Infallible>(()));
    let stat = StatPersisted::default();
    encode_node("", Some(&[]), -1, &stat, &mut out);
    encode_node("/zxid", Some(&content.to_be_bytes()), 1, &stat, &mut out);
    encode_end(&mut out);
    encode_signature(&mut out);
    out
}

/// Receives all of `bytes` as the tree of `zxid`.
pub fn receive(
    disk: &SimDisk,
    zxid: Zxid,
    bytes: &[u8],
    compression: Compression,
) -> Result<SnapshotReceiver, ReceiveError> {
    let options = SnapshotOptions {
        compression,
        sync_every_bytes: 100,
    };
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut receiver = SnapshotReceiver::begin(disk, &layout(), zxid, options, Limits::default())?;
    let taken = receiver.take(bytes, &mut Kept::default())?;
    assert_eq!(taken, Some(bytes.len()));
    Ok(receiver)
}

/// Apache's default trailer of a tree that was received with this zxid.
pub fn received_trailer(zxid: Zxid) -> Trailer {
    Trailer {
        digest: Some(DigestSeal::UNKNOWN),
        last_processed: Some(zxid),
    }
}

/// A folder of `testdata`.
pub fn testdata(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata")
        .join(folder)
}

/// The files of a folder of `testdata`, by name.
#[allow(clippy::disallowed_methods, reason = "samples are real files")]
pub fn sample_files(folder: &str) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(testdata(folder))
        .expect("the sample folder exists")
        .map(|found| {
            let found = found.expect("the sample folder can be read");
            let bytes = std::fs::read(found.path()).expect("a sample can be read");
            (
                found
                    .file_name()
                    .into_string()
                    .expect("sample names are text"),
                bytes,
            )
        })
        .collect();
    files.sort();
    files
}

/// A disk that holds a copy of a sample data directory.
pub fn sample_disk(folder: &str) -> SimDisk {
    let disk = empty_disk();
    for (name, bytes) in sample_files(&format!("{folder}/version-2")) {
        put(&disk, &layout().snap_dir().join(name), &bytes);
    }
    disk
}

/// Opens the data directory into a fresh [`Kept`].
pub fn open(
    disk: &SimDisk,
    options: &storage::Options,
) -> Result<(storage::Recovered, Kept), StorageError> {
    let mut kept = Kept::default();
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    storage::open(disk, &layout(), options, &mut kept).map(|recovered| (recovered, kept))
}
