//! Every transaction that real servers logged decodes and encodes to the same bytes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jute::txn::{LogEntry, Txn, TxnDigest};
use jute::wire::{Encode, Limits};

/// Where the crate `storage` keeps recorded data directories.
const FOLDERS: [&str; 3] = [
    "3.8.0/datadir-participant",
    "3.9.5/datadir-participant",
    "3.9.5/datadir-observer-fuzzy",
];
const FILE_HEADER_LEN: usize = 16;
/// Checksum and length in front of an entry, a mark behind it.
const HEAD_LEN: usize = 12;
const MARK_LEN: usize = 1;

fn logs(folder: &str) -> Vec<PathBuf> {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("../storage/testdata");
    let folder = testdata.join(folder).join("version-2");
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let mut logs: Vec<_> = entries
        .map(|entry| entry.expect("it can be listed").path())
        .filter(|path| path.file_stem().is_some_and(|stem| stem == "log"))
        .collect();
    logs.sort();
    logs
}

fn entries(file: &[u8]) -> Vec<&[u8]> {
    let (mut entries, mut at) = (Vec::new(), FILE_HEADER_LEN);
    loop {
        let len = file[at + HEAD_LEN - 4..at + HEAD_LEN].try_into();
        let len = i32::from_be_bytes(len.expect("four bytes")) as usize;
        if len == 0 {
            return entries;
        }
        entries.push(&file[at + HEAD_LEN..at + HEAD_LEN + len]);
        at += HEAD_LEN + len + MARK_LEN;
    }
}

fn check(bytes: &[u8]) -> i32 {
    let limits = Limits::default();
    let entry = LogEntry::from_bytes(bytes, limits).expect("it decodes");
    assert_eq!(entry.to_bytes(), bytes);
    let is_error = matches!(entry.txn, Txn::Error(_));
    assert_eq!(entry.digest.is_none(), is_error, "{entry:?}");
    assert!(
        entry
            .digest
            .is_none_or(|digest| digest.version == TxnDigest::VERSION)
    );
    if let Txn::Multi(parts) = &entry.txn {
        for part in parts {
            let mut rebuilt = Vec::new();
            let txn = part.decode_body(limits).expect("a part decodes");
            txn.encode(&mut rebuilt);
            assert_eq!(rebuilt, part.data);
        }
    }
    entry.header.kind
}

#[test]
fn every_logged_transaction() {
    let mut by_kind = BTreeMap::new();
    for folder in FOLDERS {
        for path in logs(folder) {
            let file = std::fs::read(&path).expect("it can be read");
            for bytes in entries(&file) {
                *by_kind.entry(check(bytes)).or_insert(0) += 1;
            }
        }
    }
    let kinds: Vec<_> = by_kind.keys().copied().collect();
    assert_eq!(kinds, [-11, -10, -1, 1, 2, 5, 7, 14, 15, 16, 19, 21]);
    assert_eq!(by_kind.values().sum::<usize>(), 1506);
}

/// Cut anywhere, an entry is refused or is a shorter one that was valid once: a create
/// without cversion or digest, a bare closeSession, or no digest. What is left always encodes
/// to the bytes it was decoded from.
#[test]
fn cut_entries_do_not_panic() {
    let path = &logs(FOLDERS[0])[0];
    let file = std::fs::read(path).expect("it can be read");
    for bytes in entries(&file) {
        for end in 0..bytes.len() {
            if let Ok(entry) = LogEntry::from_bytes(&bytes[..end], Limits::default()) {
                let is_bare_close = matches!(entry.txn, Txn::CloseSession(None));
                assert!(entry.digest.is_none() || is_bare_close, "{entry:?}");
                assert!(bytes.starts_with(&entry.to_bytes()[..end]));
            }
        }
    }
}
