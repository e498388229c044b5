use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jute::data::{Acl, Stat};
use serde_json::{Map, Value, json};

use super::acl;

/// A zxid or another id of 64 bits. JSON's readers keep 53 bits of a number, so it is text.
pub(crate) fn zxid_json(zxid: i64) -> Value {
    json!(format!("0x{zxid:x}"))
}

/// A Stat; times are milliseconds since 1970.
pub(crate) fn stat_json(stat: &Stat) -> Value {
    json!({
        "czxid": zxid_json(stat.czxid),
        "ctime": stat.ctime,
        "mzxid": zxid_json(stat.mzxid),
        "mtime": stat.mtime,
        "pzxid": zxid_json(stat.pzxid),
        "cversion": stat.cversion,
        "version": stat.version,
        "aversion": stat.aversion,
        "ephemeralOwner": zxid_json(stat.ephemeral_owner),
        "dataLength": stat.data_length,
        "numChildren": stat.num_children,
    })
}

/// Adds data: as text in `data` where it is text, else in `dataBase64`; null is `data`.
pub(crate) fn data_json(object: &mut Map<String, Value>, data: Option<&[u8]>) {
    match data.map(|bytes| (bytes, std::str::from_utf8(bytes))) {
        None => object.insert("data".to_owned(), Value::Null),
        Some((_, Ok(text))) => object.insert("data".to_owned(), json!(text)),
        Some((bytes, Err(_))) => {
            object.insert("dataBase64".to_owned(), json!(STANDARD.encode(bytes)))
        }
    };
}

/// A list of entries, in the form in which they are typed.
pub(crate) fn acl_json(entries: &[Acl<'_>]) -> Value {
    entries.iter().map(acl::entry_text).collect()
}
