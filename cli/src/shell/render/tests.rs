use jute::data::{Acl, Stat, perms};
use serde_json::{Map, json};

use super::*;

/// As Apache's shell printed it.
const STAT: &str = "cZxid = 0x1b
ctime = Mon Nov 23 12:32:21 UTC 2026
mZxid = 0x1c
mtime = Thu Jan 01 00:00:00 UTC 1970
pZxid = 0x1b
cversion = 3
dataVersion = 1
aclVersion = 2
ephemeralOwner = 0x8000000000000000
dataLength = 5
numChildren = 4";

fn example() -> Stat {
    Stat {
        czxid: 0x1b,
        mzxid: 0x1c,
        ctime: 1_795_437_141_000,
        mtime: 0,
        version: 1,
        cversion: 3,
        aversion: 2,
        ephemeral_owner: i64::MIN,
        data_length: 5,
        num_children: 4,
        pzxid: 0x1b,
    }
}

#[test]
fn a_stat_has_eleven_lines() {
    assert_eq!(stat(&example(), &Clock::utc()), STAT);
}

#[test]
fn times_that_no_calendar_has_stay_numbers() {
    assert_eq!(Clock::utc().date(i64::MAX), i64::MAX.to_string());
}

#[test]
fn an_acl_has_two_lines_for_each_entry() {
    let entries = [
        Acl::open(),
        Acl::new(perms::READ | perms::ADMIN, "digest", "bob:hash"),
    ];
    assert_eq!(
        acl(&entries),
        "'world,'anyone\n: cdrwa\n'digest,'bob:hash\n: ra"
    );
}

#[test]
fn lists_are_in_brackets() {
    assert_eq!(list::<&str>(&[]), "[]");
    assert_eq!(list(&["a", "b"]), "[a, b]");
}

#[test]
fn events_have_a_title() {
    assert_eq!(
        event("SyncConnected", "None", None, -1),
        "\nWATCHER::\n\nWatchedEvent state:SyncConnected type:None path:null zxid: -1"
    );
}

/// As Apache's shell printed them.
const DUMP: &str = "         +-------------------------------------------------+
         |  0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f |
+--------+-------------------------------------------------+----------------+
|00000000| 68 65 6c 6c 6f 20 77 6f 72 6c 64 2c 20 74 68 69 |hello world, thi|
|00000010| 73 20 69 73 20 32 30 2b 20 c3 a9                |s is 20+ ..     |
+--------+-------------------------------------------------+----------------+";

#[test]
fn dumps_have_sixteen_bytes_to_the_line() {
    assert_eq!(hexdump("hello world, this is 20+ \u{e9}".as_bytes()), DUMP);
    assert_eq!(hexdump(b""), "");
    assert_eq!(hexdump(&[b'x'; 16]).lines().count(), 5);
    assert_eq!(hexdump(&[b'x'; 17]).lines().count(), 6);
}

#[test]
fn json_keeps_what_text_cannot() {
    let shown = stat_json(&example());
    assert_eq!(shown["czxid"], json!("0x1b"));
    assert_eq!(shown["ctime"], json!(1_795_437_141_000_i64));
    let table: [(Option<&[u8]>, _); 4] = [
        (None, json!({"data": null})),
        (Some(b""), json!({"data": ""})),
        (Some(b"text"), json!({"data": "text"})),
        (Some(b"\xff\x00"), json!({"dataBase64": "/wA="})),
    ];
    for (data, expected) in table {
        let mut object = Map::new();
        data_json(&mut object, data);
        assert_eq!(serde_json::Value::Object(object), expected);
    }
}
