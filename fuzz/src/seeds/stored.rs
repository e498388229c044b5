//! Pieces of real logs and snapshots.

use std::collections::BTreeMap;

use jute::data::Acl;
use jute::quorum::LeaderMessage;
use jute::quorum::snap::{SIGNATURE_LEN, encode_signature};
use jute::txn::{
    CloseSessionTxn, CreateContainerTxn, CreateTtlTxn, CreateTxn, DeleteTxn, LogEntry, SetAclTxn,
    SetDataTxn, Txn, TxnDigest, TxnHeader,
};
use storage::Compression;
use storage::log::format::{RECORD_HEAD_LEN, RECORD_OVERHEAD};
use storage::snap::body::encode_end;
use storage::snap::format::HEADER;

use super::{Seed, testdata};
use crate::disk::{log_mode, snapshot_file, snapshot_mode};
use crate::pieces;

const LOG: &str = "3.9.5/datadir-participant/version-2/log.1000001cf";
const OLD_LOG: &str = "3.8.0/datadir-participant/version-2/log.100000001";
const SNAPSHOT: &str = "3.9.5/datadir-participant/version-2/snapshot.0";
/// Longest seed, bytes.
const LEN_MAX: usize = 4000;

/// The entries of a log file.
fn entries(file: &[u8]) -> Vec<&[u8]> {
    let mut entries = Vec::new();
    let mut rest = &file[HEADER.len()..];
    while let Some(len) = rest.get(RECORD_HEAD_LEN - 4..RECORD_HEAD_LEN) {
        let len = i32::from_be_bytes([len[0], len[1], len[2], len[3]]) as usize;
        if len == 0 {
            break;
        }
        entries.push(&rest[RECORD_HEAD_LEN..RECORD_HEAD_LEN + len]);
        rest = &rest[RECORD_OVERHEAD + len..];
    }
    entries
}

/// One entry of each type that the logs have, and those that they lack.
pub(super) fn txn_entry() -> Vec<Seed> {
    let files = [testdata("storage", LOG), testdata("storage", OLD_LOG)];
    let mut by_kind = BTreeMap::new();
    for entry in files.iter().flat_map(|file| entries(file)) {
        by_kind.entry(entry[31]).or_insert(entry);
    }
    let recorded = by_kind
        .into_iter()
        .map(|(kind, entry)| (format!("recorded-{kind}"), entry.to_vec()));
    recorded.chain(made()).collect()
}

fn made() -> Vec<Seed> {
    let acl = || Some(vec![Acl::open()]);
    let container = Txn::CreateContainer(CreateContainerTxn {
        path: Some("/c".into()),
        data: None,
        acl: acl(),
        parent_cversion: 1,
    });
    let ttl = Txn::CreateTtl(CreateTtlTxn {
        path: Some("/t".into()),
        data: Some(b""),
        acl: acl(),
        parent_cversion: 2,
        ttl: 1000,
    });
    let delete_container = Txn::DeleteContainer(DeleteTxn {
        path: Some("/c".into()),
    });
    let close = Txn::CloseSession(Some(CloseSessionTxn {
        paths_to_delete: Some(vec![Some("/e".into()), None]),
    }));
    [
        ("made-container", container),
        ("made-ttl", ttl),
        ("made-delete-container", delete_container),
        ("made-close", close),
        ("made-close-bare", Txn::CloseSession(None)),
    ]
    .map(|(name, txn)| (name.to_owned(), entry(txn)))
    .into()
}

fn entry(txn: Txn<'_>) -> Vec<u8> {
    let header = TxnHeader {
        client_id: 0x0100_0000_0000_0001,
        cxid: 1,
        zxid: 1,
        time: 1,
        kind: txn.op().as_i32(),
    };
    let digest = Some(TxnDigest {
        version: TxnDigest::VERSION,
        tree_digest: 1,
    });
    LogEntry {
        header,
        txn,
        digest,
    }
    .to_bytes()
}

/// As many pieces as fit a seed.
fn script<'e>(entries: impl IntoIterator<Item = &'e [u8]>) -> Vec<u8> {
    let mut script = Vec::new();
    for entry in entries {
        if script.len() + entry.len() + 2 > LEN_MAX {
            break;
        }
        pieces::push(&mut script, entry);
    }
    script
}

pub(super) fn apply() -> Vec<Seed> {
    let (log, old) = (testdata("storage", LOG), testdata("storage", OLD_LOG));
    let kinds = txn_entry();
    let kinds = kinds.iter().map(|(_, entry)| &entry[..]);
    [
        ("every-kind", script(kinds)),
        ("first-log", script(entries(&old))),
        ("first-log-middle", script(entries(&old).split_off(40))),
        ("last-log", script(entries(&log))),
        ("late-limits", late_limits()),
        ("two-slashes", two_slashes()),
        ("nested-ephemerals", nested_ephemerals()),
        ("without-config", deletion("/zookeeper/config")),
        ("without-zookeeper", deletion("/zookeeper")),
    ]
    .map(|(name, bytes)| (name.to_owned(), bytes))
    .into()
}

fn create(path: &'static str) -> Txn<'static> {
    Txn::Create(CreateTxn {
        path: Some(path.into()),
        data: Some(b"1"),
        acl: Some(vec![Acl::open()]),
        ephemeral: false,
        parent_cversion: 1,
    })
}

/// A quota whose limits come last: what is below it has not been counted.
fn late_limits() -> Vec<u8> {
    let txns = [
        "/q",
        "/zookeeper/quota/q",
        "/zookeeper/quota/q/zookeeper_stats",
        "/q/a",
        "/zookeeper/quota/q/zookeeper_limits",
    ]
    .map(|path| entry(create(path)));
    script(txns.iter().map(|entry| &entry[..]))
}

/// One node under two names: all that can be done to it.
fn two_slashes() -> Vec<u8> {
    let twin = || Some("//x".into());
    let txns = [
        create("//x"),
        create("/x"),
        Txn::SetData(SetDataTxn {
            path: twin(),
            data: Some(b"22"),
            version: 1,
        }),
        Txn::SetAcl(SetAclTxn {
            path: twin(),
            acl: None,
            version: 1,
        }),
        create("//x/y"),
        Txn::CloseSession(Some(CloseSessionTxn {
            paths_to_delete: Some(vec![twin()]),
        })),
        Txn::Delete(DeleteTxn { path: twin() }),
    ];
    let entries = txns.map(entry);
    script(entries.iter().map(|entry| &entry[..]))
}

/// An ephemeral below another one of its session, which is then closed.
fn nested_ephemerals() -> Vec<u8> {
    let ephemeral = |path| match create(path) {
        Txn::Create(txn) => Txn::Create(CreateTxn {
            ephemeral: true,
            ..txn
        }),
        other => other,
    };
    let txns = [ephemeral("/x"), ephemeral("/x/y"), Txn::CloseSession(None)];
    let entries = txns.map(entry);
    script(entries.iter().map(|entry| &entry[..]))
}

/// What every tree has is deleted, which no server allows.
fn deletion(path: &'static str) -> Vec<u8> {
    let path = Some(path.into());
    script([&entry(Txn::Delete(DeleteTxn { path }))[..]].into_iter())
}

pub(super) fn log_file() -> Vec<Seed> {
    let old = testdata("storage", OLD_LOG);
    let framed = script(entries(&old));
    let kept = log_mode::SNAPSHOT;
    let with = |mode: u8, bytes: &[u8]| [&[mode], bytes].concat();
    let renumbered = renumbered(&entries(&old));
    [
        ("damaged", with(kept | log_mode::PADDED, &damaged(&old))),
        ("empty", with(kept, &[])),
        ("framed", with(kept | log_mode::FRAMED, &renumbered)),
        ("framed-as-recorded", with(kept | log_mode::FRAMED, &framed)),
        (
            "framed-two-files",
            with(
                kept | log_mode::FRAMED | log_mode::TWO_FILES | log_mode::PADDED,
                &renumbered,
            ),
        ),
        (
            "framed-without-snapshot",
            with(log_mode::TRUST_EMPTY | log_mode::FRAMED, &renumbered),
        ),
        ("header", with(kept, &old[..HEADER.len()])),
        ("refused", with(log_mode::FRAMED, &framed)),
        ("whole", with(log_mode::TRUST_EMPTY, &old[..LEN_MAX])),
        ("whole-cut", with(log_mode::TRUST_EMPTY, &old[..1000])),
    ]
    .map(|(name, bytes)| (name.to_owned(), bytes))
    .into()
}

/// A byte changed in the middle.
fn damaged(log: &[u8]) -> Vec<u8> {
    let mut bytes = log[..2000].to_vec();
    bytes[1000] ^= 1;
    bytes
}

/// The entries as the first of a history, as [`script`].
fn renumbered(entries: &[&[u8]]) -> Vec<u8> {
    let numbered = (1_i64..).zip(entries).map(|(zxid, entry)| {
        let mut entry = entry.to_vec();
        entry[12..20].copy_from_slice(&zxid.to_be_bytes());
        entry
    });
    let numbered: Vec<_> = numbered.collect();
    script(numbered.iter().map(|entry| &entry[..]))
}

/// Sessions, ACLs and nodes of a recorded snapshot, without header, end and trailer.
fn snapshot_body(file: &[u8]) -> &[u8] {
    // The string `/`, and the trailer of 3.9: three seals, a digest and a zxid.
    const TRAILER_LEN: usize = 5 + 3 * 13 + 20 + 8;
    &file[HEADER.len()..file.len() - TRAILER_LEN]
}

/// A tree as a leader sends it, in pieces of several lengths.
pub(super) fn snap_stream() -> Vec<Seed> {
    let file = testdata("storage", SNAPSHOT);
    let mut stream = snapshot_body(&file).to_vec();
    encode_end(&mut stream);
    encode_signature(&mut stream);
    let packet = LeaderMessage::UpToDate;
    let with = |piece_len: u8, bytes: &[u8]| [&[piece_len], bytes].concat();
    let followed = [&stream[..], &crate::wire::encoded(&packet)].concat();
    [
        ("cut", with(100, &stream[..stream.len() - 5])),
        ("followed", with(255, &followed)),
        ("one-by-one", with(1, &stream)),
        ("unsigned", with(7, &stream[..stream.len() - SIGNATURE_LEN])),
    ]
    .map(|(name, bytes)| (name.to_owned(), bytes))
    .into()
}

pub(super) fn snapshot() -> Vec<Seed> {
    let file = testdata("storage", SNAPSHOT);
    let body = snapshot_body(&file);
    let nodes = snapshot_file::nodes();
    let with = |mode: u8, bytes: &[u8]| [&[mode], bytes].concat();
    let mut seeds = vec![
        ("body".to_owned(), with(snapshot_mode::SEALED, body)),
        ("file".to_owned(), with(snapshot_mode::WHOLE, &file)),
    ];
    let forms = [
        ("plain", 0, Compression::None),
        ("gz", 1, Compression::Gz),
        ("snappy", 2, Compression::Snappy),
    ];
    for (name, bits, compression) in forms {
        let bytes = snapshot_file::written(compression, &nodes);
        seeds.push((
            format!("nodes-{name}"),
            with(snapshot_mode::NODES | bits, &nodes),
        ));
        seeds.push((
            format!("whole-{name}"),
            with(snapshot_mode::WHOLE | bits, &bytes),
        ));
    }
    seeds
}
