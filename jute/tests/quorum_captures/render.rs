//! Values as the listings write them.

use std::fmt::Write;

use jute::data::{Acl, Id};
use jute::quorum::QuorumConfig;
use jute::txn::{LogEntry, Txn};
use jute::wire::Limits;
use jute::{Buffer, Ustring, Zxid};

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A string; those of the recordings have nothing to escape but the ends of lines.
pub(crate) fn text(text: &str) -> String {
    assert!(!text.contains(['\'', '\\']), "{text}");
    format!("'{}'", text.replace('\n', "\\n"))
}

pub(crate) fn list<T>(items: &[T], item: impl Fn(&T) -> String) -> String {
    let items: Vec<_> = items.iter().map(item).collect();
    format!("[{}]", items.join(", "))
}

pub(crate) fn id(id: &Id<'_>) -> String {
    format!("({}, {})", string(&id.scheme), string(&id.id))
}

/// A configuration, which must come out of the parser as it went in.
pub(crate) fn config(bytes: &[u8]) -> String {
    let parsed = QuorumConfig::from_bytes(bytes).expect("it parses");
    assert_eq!(parsed.to_string().as_bytes(), bytes);
    text(std::str::from_utf8(bytes).expect("it is text"))
}

/// A transaction, which must encode to the same bytes and stand under its zxid.
pub(crate) fn entry(zxid: Zxid, bytes: &[u8]) -> String {
    let entry = LogEntry::from_bytes(bytes, Limits::default()).expect("it decodes");
    assert_eq!(entry.to_bytes(), bytes);
    let header = &entry.header;
    assert_eq!(header.zxid, zxid.0);
    let digest = entry.digest.expect("a digest");
    format!(
        "({{'client': {}, 'cxid': {}, 'zxid': {}, 'time': {}, 'type': {}}}, {}, ({}, {}))",
        header.client_id,
        header.cxid,
        header.zxid,
        header.time,
        header.kind,
        txn(&entry.txn),
        digest.version,
        digest.tree_digest,
    )
}

fn txn(txn: &Txn<'_>) -> String {
    match txn {
        Txn::Create(t) | Txn::Create2(t) => format!(
            "{{'path': {}, 'data': {}, 'acl': {}, 'eph': {}, 'pcv': {}}}",
            string(&t.path),
            bytes(t.data),
            list(t.acl.as_deref().unwrap_or_default(), acl),
            i32::from(t.ephemeral),
            t.parent_cversion
        ),
        Txn::Delete(t) => format!("{{'path': {}}}", string(&t.path)),
        Txn::SetData(t) | Txn::Reconfig(t) => format!(
            "{{'path': {}, 'data': {}, 'version': {}}}",
            string(&t.path),
            bytes(t.data),
            t.version
        ),
        Txn::Check(t) => format!("{{'path': {}, 'version': {}}}", string(&t.path), t.version),
        Txn::Multi(parts) => {
            let part = |part: &jute::txn::SubTxn<'_>| {
                let body = part.decode_body(Limits::default()).expect("it decodes");
                format!("({}, {})", part.kind, self::txn(&body))
            };
            format!("{{'txns': {}}}", list(parts, part))
        }
        Txn::CreateSession(t) => format!("{{'timeout': {}}}", t.timeout_ms),
        Txn::CloseSession(Some(t)) => {
            let paths = t.paths_to_delete.as_deref().unwrap_or_default();
            format!("{{'paths': {}}}", list(paths, string))
        }
        other => panic!("a transaction that was not recorded: {other:?}"),
    }
}

fn acl(acl: &Acl<'_>) -> String {
    format!(
        "({}, {}, {})",
        acl.perms,
        string(&acl.id.scheme),
        string(&acl.id.id)
    )
}

fn string(value: &Ustring<'_>) -> String {
    value.as_deref().map_or_else(|| "None".to_owned(), text)
}

fn bytes(value: Buffer<'_>) -> String {
    let Some(bytes) = value else {
        return "None".to_owned();
    };
    let mut out = String::from("b'");
    for byte in bytes {
        match byte {
            b'\n' => out.push_str("\\n"),
            b' '..=b'~' => out.push(char::from(*byte)),
            _ => write!(out, "\\x{byte:02x}").expect("a string takes everything"),
        }
    }
    out.push('\'');
    out
}
