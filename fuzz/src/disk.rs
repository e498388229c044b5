//! Recovery over arbitrary files. A start may refuse, with an error that says why; what it
//! accepts it accepts again, with the same tree.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use journal::StateSink;
use jute::Zxid;
use jute::txn::{CreateSessionTxn, LogEntry, Txn, TxnHeader};
use state::State;
use state::tree::OwnerRules;
use storage::log::format::{self, TXN_HEADER_LEN, checksum, frame};
use storage::snap::format::{HEADER, TERMINATOR};
use storage::{
    Compression, DigestSeal, Disk, Layout, LogOptions, Options, Preallocation, Recovered, SimDisk,
    SnapshotOptions, SnapshotWriter, Start, StorageError, Trailer,
};

use crate::pieces;

/// What the server's options are in these targets.
pub(crate) const STATE_OPTIONS: state::Options = state::Options {
    owner_rules: OwnerRules {
        extended_types: true,
        emulate_353_ttl: false,
    },
    digest_enabled: true,
    limits: jute::wire::Limits {
        max_len: 2 * jute::wire::Limits::DEFAULT_MAX_BUFFER,
        max_depth: jute::wire::Limits::DEFAULT_MAX_DEPTH,
    },
};
/// The zxid of the snapshot under test.
const SNAPSHOT_ZXID: Zxid = Zxid(5);
/// Zeros behind the records, as preallocation leaves them.
const PADDING: usize = 700;

pub(crate) fn layout() -> Layout {
    Layout::new(Path::new("data"), Path::new("data"))
}

fn put(disk: &SimDisk, path: &Path, bytes: &[u8]) {
    let file = disk.create(path).expect("the directory exists");
    file.write_at(0, bytes).expect("memory takes it");
}

/// A disk with the server's directories, and the snapshots' one.
pub(crate) fn empty_disk() -> (SimDisk, PathBuf) {
    let (disk, layout) = (SimDisk::new(), layout());
    layout.prepare(&disk, true).expect("memory takes it");
    (disk, layout.snap_dir().to_path_buf())
}

pub(crate) fn open(disk: &SimDisk, trust_empty: bool) -> Result<(Recovered, State), StorageError> {
    let options = Options {
        trust_empty_snapshot: trust_empty,
        log: LogOptions {
            preallocation: Preallocation::Off,
            ..LogOptions::default()
        },
        ..Options::default()
    };
    let mut sink = StateSink::new(STATE_OPTIONS, 7);
    let recovered = storage::open(Arc::new(disk.clone()), &layout(), &options, &mut sink)?;
    Ok((recovered, sink.finish()))
}

/// Starts on `disk`, logs one transaction more if it can, and starts again.
fn start_twice(disk: &SimDisk, trust_empty: bool) {
    let (mut recovered, state) = match open(disk, trust_empty) {
        Ok(opened) => opened,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            let again = open(disk, trust_empty).err().map(|error| error.to_string());
            assert_eq!(again, Some(error.to_string()), "a refusal changes nothing");
            return;
        }
    };
    let last = recovered.last_zxid;
    // A server without history writes a snapshot before it logs anything.
    let has_history = recovered.start != Start::Empty;
    let goes_on = has_history && last.counter() < u32::MAX && last >= Zxid::ZERO;
    if goes_on {
        let entry = session_entry(last.next());
        recovered.log.append(&entry).expect("memory takes it");
        recovered.log.commit().expect("memory takes it");
    }
    let (again, state_again) =
        open(disk, trust_empty).expect("what was accepted is accepted again");
    assert_eq!(again.last_zxid.0, last.0 + i64::from(goes_on));
    assert_eq!(state_again.tree().digest(), state.tree().digest());
    assert_eq!(state_again.tree().len(), state.tree().len());
}

fn session_entry(zxid: Zxid) -> Vec<u8> {
    let txn = Txn::CreateSession(CreateSessionTxn { timeout_ms: 4000 });
    let header = TxnHeader {
        client_id: 0x0100_0000_0000_0001,
        cxid: 0,
        zxid: zxid.0,
        time: 0,
        kind: txn.op().as_i32(),
    };
    LogEntry {
        header,
        txn,
        digest: None,
    }
    .to_bytes()
}

/// How the bytes of [`snapshot`] become a file; the compression is in the low two bits.
pub(crate) mod snapshot_mode {
    /// As they are.
    pub(crate) const WHOLE: u8 = 0;
    /// Behind a header, with a valid seal.
    pub(crate) const SEALED: u8 = 4;
    /// As the nodes of a snapshot with all valid seals.
    pub(crate) const NODES: u8 = 8;
    /// The bits of the above.
    pub(super) const MASK: u8 = 12;
}

/// A snapshot. The first byte says how the rest becomes a file: as it is, or with valid
/// seals (then the records behind them are under test), and in which compression.
pub fn snapshot(input: &[u8]) {
    let Some((mode, content)) = input.split_first() else {
        return;
    };
    let compression = match mode & 3 {
        0 => Compression::None,
        1 => Compression::Gz,
        2 => Compression::Snappy,
        _ => return,
    };
    let (disk, dir) = empty_disk();
    let name = storage::layout::snapshot_name(SNAPSHOT_ZXID, compression);
    match mode & snapshot_mode::MASK {
        snapshot_mode::WHOLE => put(&disk, &dir.join(name), content),
        snapshot_mode::SEALED => put(&disk, &dir.join(name), &sealed(content)),
        snapshot_mode::NODES => drop(sealed_nodes(&disk, &dir, compression, content)),
        _ => return,
    }
    start_twice(&disk, false);
}

/// Everything behind the header, with the one seal of servers that keep no digest.
fn sealed(body: &[u8]) -> Vec<u8> {
    let mut bytes = [&HEADER[..], body, &TERMINATOR].concat();
    let sum = u64::from(checksum(&bytes));
    bytes.extend_from_slice(&sum.to_be_bytes());
    bytes.extend_from_slice(&TERMINATOR);
    bytes
}

/// Nodes, with all trailers and in any compression.
fn sealed_nodes(disk: &SimDisk, dir: &Path, compression: Compression, nodes: &[u8]) -> PathBuf {
    let options = SnapshotOptions {
        compression,
        ..SnapshotOptions::default()
    };
    let trailer = Trailer {
        digest: Some(DigestSeal {
            zxid: SNAPSHOT_ZXID,
            version: storage::snap::format::DIGEST_VERSION,
            tree_digest: 1,
        }),
        last_processed: Some(SNAPSHOT_ZXID),
    };
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let (sessions, acls) = ([(1, 4000)].into_iter(), [].into_iter());
    let writer = SnapshotWriter::begin(disk, dir, SNAPSHOT_ZXID, options, sessions, acls);
    let mut writer = writer.expect("memory takes it");
    writer.nodes_raw(nodes).expect("memory takes it");
    writer.finish(trailer).expect("memory takes it")
}

/// How the bytes of [`log_file`] become files.
pub(crate) mod log_mode {
    /// Pieces, each framed as a record with a valid checksum, instead of a whole file.
    pub(crate) const FRAMED: u8 = 1;
    /// An empty snapshot instead of none.
    pub(crate) const SNAPSHOT: u8 = 2;
    /// The records in two files.
    pub(crate) const TWO_FILES: u8 = 4;
    /// Zeros behind the records.
    pub(crate) const PADDED: u8 = 8;
    /// Log files without a snapshot are accepted.
    pub(crate) const TRUST_EMPTY: u8 = 16;
}

/// Log files. The first byte says how the rest becomes files.
pub fn log_file(input: &[u8]) {
    let Some((mode, content)) = input.split_first() else {
        return;
    };
    let is = |bit: u8| mode & bit != 0;
    let (disk, dir) = empty_disk();
    if is(log_mode::SNAPSHOT) {
        put_empty_snapshot(&disk, &dir);
    }
    let padding = if is(log_mode::PADDED) { PADDING } else { 0 };
    if is(log_mode::FRAMED) {
        let mut entries = pieces::split(content);
        entries.retain(|entry| entry.len() >= TXN_HEADER_LEN);
        let first_half = match is(log_mode::TWO_FILES) {
            true => entries.len() / 2,
            false => entries.len(),
        };
        let (one, other) = entries.split_at(first_half);
        for entries in [one, other].into_iter().filter(|half| !half.is_empty()) {
            put_log(&disk, &dir, entries, padding);
        }
    } else {
        let padding = vec![0; padding];
        put(&disk, &dir.join("log.1"), &[content, &padding].concat());
    }
    start_twice(&disk, is(log_mode::TRUST_EMPTY));
}

fn put_log(disk: &SimDisk, dir: &Path, entries: &[&[u8]], padding: usize) {
    let mut bytes = format::HEADER.to_vec();
    for entry in entries {
        frame(entry, &mut bytes);
    }
    bytes.resize(bytes.len() + padding, 0);
    let zxid = format::entry_zxid(entries[0]).expect("an entry has a header");
    let name = storage::layout::log_name(Zxid(zxid));
    put(disk, &dir.join(name), &bytes);
}

/// The snapshot that a new server writes.
pub(crate) fn put_empty_snapshot(disk: &SimDisk, dir: &Path) {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let (sessions, acls) = ([].into_iter(), [(1, EMPTY_ACL)].into_iter());
    let options = SnapshotOptions::default();
    let writer = SnapshotWriter::begin(disk, dir, Zxid::ZERO, options, sessions, acls);
    let mut writer = writer.expect("memory takes it");
    let nodes = snapshot_file::nodes();
    writer.nodes_raw(&nodes).expect("memory takes it");
    writer.finish(Trailer::default()).expect("memory takes it");
}

/// Nobody may do anything.
const EMPTY_ACL: &[jute::data::Acl<'static>] = &[];

/// Snapshots to start from.
pub(crate) mod snapshot_file {
    use super::*;

    /// The nodes of a new server.
    pub(crate) fn nodes() -> Vec<u8> {
        let mut state = State::new(STATE_OPTIONS, 7);
        let mut nodes = Vec::new();
        let mut walk = state.begin_snapshot();
        let end = walk.step(&state, usize::MAX, &mut nodes);
        assert!(end.is_some(), "the walk ends in one step");
        state.end_snapshot(walk);
        nodes
    }

    /// A whole file with these nodes.
    pub(crate) fn written(compression: Compression, nodes: &[u8]) -> Vec<u8> {
        let (disk, dir) = empty_disk();
        let path = sealed_nodes(&disk, &dir, compression, nodes);
        disk.read_all(&path).expect("it was just written")
    }
}
