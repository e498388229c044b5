//! One random request of each kind, over a small set of paths so that requests meet.

use super::generate::Dice;
use super::step::Request;
use crate::wire::{Writer, create_body, op};

/// Paths that exist now and then.
const PATHS: &[&str] = &[
    "/",
    "/a",
    "/b",
    "/c",
    "/e",
    "/a/x",
    "/a/y",
    "/a/x/1",
    "/a/x/2",
    "/b/x",
    "/b/y",
    "/b/x/1",
    "/c/x",
    "/e/x",
    "/zookeeper",
    "/zookeeper/quota",
    "/zookeeper/config",
    "/a/x/1/deep",
    "/free",
    "/free/é",
];
/// Paths that are refused somewhere, or mean something special.
const ODD_PATHS: &[&str] = &[
    "",
    "a",
    "a/b",
    "//a",
    "/a/",
    "/a//b",
    "/.",
    "/..",
    "/a/./b",
    "/a/../b",
    "/a/...",
    "/.a",
    "/a.",
    "/nul\0",
    "/a/\u{1}",
    "/a/\u{1f}",
    "/a/ ",
    "/a/\u{7f}",
    "/a/\u{9f}",
    "/a/\u{a0}",
    "/a/\u{e000}",
    "/a/\u{f8ff}",
    "/a/\u{ffef}",
    "/a/\u{fff0}",
    "/none/below",
    "/zookeeper/quota/odd",
    "/zookeeper/new",
];
/// Prefixes for sequential nodes.
const PREFIXES: &[&str] = &["/a/s-", "/b/s-", "/c/", "/a/x/s-", "/s-"];
/// Top-level type and name of the creates.
const CREATES: &[(i32, &str)] = &[
    (op::CREATE, "create"),
    (op::CREATE2, "create2"),
    (op::CREATE_CONTAINER, "createContainer"),
];
const BOB: &str = "bob:ikIaKsbtGweaHnb/jKn7OHqbunM=";

type Entry = (i32, Option<&'static str>, Option<&'static str>);

const OPEN: &[Entry] = &[(31, Some("world"), Some("anyone"))];

/// ACL lists, with weights: mostly open, so that a tree can grow.
const ACLS: &[(u64, &[Entry])] = &[
    (300, OPEN),
    (6, &[(1, Some("world"), Some("anyone"))]),
    (4, &[(0, Some("world"), Some("anyone"))]),
    (4, &[(255, Some("world"), Some("anyone"))]),
    (4, &[(30, Some("world"), Some("anyone"))]),
    (10, &[(31, Some("auth"), Some(""))]),
    (
        4,
        &[
            (31, Some("auth"), Some("ignored")),
            (1, Some("world"), Some("anyone")),
        ],
    ),
    (
        10,
        &[
            (31, Some("digest"), Some(BOB)),
            (1, Some("world"), Some("anyone")),
        ],
    ),
    (
        4,
        &[
            (16, Some("digest"), Some(BOB)),
            (1, Some("ip"), Some("127.0.0.1")),
        ],
    ),
    (6, &[(31, Some("ip"), Some("127.0.0.1"))]),
    (4, &[(31, Some("ip"), Some("127.0.0.0/8"))]),
    (3, &[(31, Some("ip"), Some("10.0.0.1/32"))]),
    (
        3,
        &[
            (31, Some("ip"), Some("::1/128")),
            (31, Some("world"), Some("anyone")),
        ],
    ),
    (
        6,
        &[
            (31, Some("world"), Some("anyone")),
            (31, Some("world"), Some("anyone")),
            (1, Some("world"), Some("anyone")),
        ],
    ),
    (2, &[]),
    (2, &[(31, Some("world"), Some("other"))]),
    (2, &[(31, Some("super"), Some(""))]),
    (2, &[(31, Some("nope"), Some("x"))]),
    (2, &[(31, Some("sasl"), Some("x"))]),
    (2, &[(31, Some("digest"), Some("a:b:c"))]),
    (2, &[(31, Some("digest"), Some("a"))]),
    (2, &[(31, Some("ip"), Some("1.2.3"))]),
    (2, &[(31, Some("ip"), Some("1.2.3.4/33"))]),
    (2, &[(31, None, Some("x"))]),
    (2, &[(31, Some("digest"), None)]),
];

/// Paths that the generator's own requests use, a few of which are odd.
pub(super) fn path(dice: &mut Dice) -> String {
    match dice.below(100) {
        0..=4 => (*dice.pick(ODD_PATHS)).to_owned(),
        5..=14 => format!("{}{:010}", dice.pick(PREFIXES), dice.below(12)),
        15..=18 => "/q/x".to_owned(),
        _ => (*dice.pick(PATHS)).to_owned(),
    }
}

/// As [`path`], but not where a write would race a hard quota, nor the configuration node.
pub(super) fn write_path(dice: &mut Dice) -> String {
    loop {
        let path = path(dice);
        let raced = path.starts_with("/q") || path.starts_with("/zookeeper/config");
        if !raced {
            return path;
        }
    }
}

pub(super) fn data(dice: &mut Dice) -> Option<Vec<u8>> {
    match dice.below(20) {
        0 => None,
        1..=3 => Some(Vec::new()),
        4 => Some(vec![b'L'; 3000]),
        _ => Some(format!("value {}", dice.below(1000)).into_bytes()),
    }
}

pub(super) fn version(dice: &mut Dice) -> i32 {
    dice.weighted(&[
        (60, -1),
        (15, 0),
        (10, 1),
        (5, 2),
        (4, 3),
        (2, -2),
        (2, i32::MAX),
        (2, i32::MIN),
    ])
}

pub(super) fn acl(dice: &mut Dice, writer: Writer, path: &str) -> Writer {
    // A root or a common parent that nobody may touch would end the run's usefulness.
    let shallow = path.matches('/').count() < 2;
    if !shallow && dice.chance(1) {
        return writer.int(-1);
    }
    let list = if path == "/" || (shallow && dice.chance(70)) {
        OPEN
    } else {
        dice.weighted(ACLS)
    };
    let count = i32::try_from(list.len()).expect("short lists");
    list.iter()
        .fold(writer.int(count), |writer, (perms, scheme, id)| {
            writer.int(*perms).string(*scheme).string(*id)
        })
}

/// A create's body without what follows the flags, and its label.
pub(super) fn create_parts(dice: &mut Dice, flags: i32) -> (Writer, String) {
    let sequential = matches!(flags, 2 | 3 | 6);
    let path = if sequential && dice.chance(90) {
        (*dice.pick(PREFIXES)).to_owned()
    } else {
        write_path(dice)
    };
    let data = data(dice);
    let writer = Writer::default()
        .string(Some(&path))
        .buffer(data.as_deref());
    let length = data.map(|data| data.len());
    (
        acl(dice, writer, &path).int(flags),
        format!("{path:?} flags={flags} data={length:?}"),
    )
}

fn create(dice: &mut Dice) -> Request {
    let flags = dice.weighted(&[
        (50, 0),
        (15, 1),
        (12, 2),
        (8, 3),
        (3, 4),
        (2, 5),
        (1, 6),
        (1, 7),
        (1, -1),
    ]);
    let &(code, name) = dice.pick(CREATES);
    let (writer, label) = create_parts(dice, flags);
    let mut request = Request::new(code, writer.0, format!("{name} {label}"));
    request.races_with_next = code == op::CREATE_CONTAINER && matches!(flags, 1 | 3);
    request
}

fn create_ttl(dice: &mut Dice) -> Request {
    let flags = dice.weighted(&[(60, 5), (20, 6), (5, 0), (5, 1), (5, 7)]);
    // A plain flag with -1 kills the reference server.
    let ttls: &[i64] = if matches!(flags, 5 | 6) {
        &[1_000_000, 600_000, (1 << 40) - 1, 1 << 40, 0, -1, i64::MAX]
    } else {
        &[0, 600_000]
    };
    let ttl = *dice.pick(ttls);
    let (writer, label) = create_parts(dice, flags);
    Request::new(
        op::CREATE_TTL,
        writer.long(ttl).0,
        format!("createTTL {label} ttl={ttl}"),
    )
}

fn path_only(dice: &mut Dice, code: i32, name: &str) -> Request {
    let path = path(dice);
    let null = dice.chance(1) && code != op::SYNC;
    let shown = (!null).then_some(path.as_str());
    Request::new(
        code,
        Writer::default().string(shown).0,
        format!("{name} {shown:?}"),
    )
}

fn path_watch(dice: &mut Dice, code: i32, name: &str) -> Request {
    let (path, watch) = (path(dice), dice.chance(40));
    let shown = (!dice.chance(1)).then_some(path.as_str());
    let body = Writer::default().string(shown).bool(watch).0;
    Request::new(code, body, format!("{name} {shown:?} watch={watch}"))
}

fn path_int(dice: &mut Dice, code: i32, name: &str, values: &[i32]) -> Request {
    let (path, value) = (path(dice), *dice.pick(values));
    let body = Writer::default().string(Some(&path)).int(value).0;
    Request::new(code, body, format!("{name} {path:?} {value}"))
}

fn delete(dice: &mut Dice) -> Request {
    let (path, version) = (write_path(dice), version(dice));
    let body = Writer::default().string(Some(&path)).int(version).0;
    Request::new(
        op::DELETE,
        body,
        format!("delete {path:?} version={version}"),
    )
}

fn set_data(dice: &mut Dice) -> Request {
    let (path, data, version) = (write_path(dice), data(dice), version(dice));
    let body = Writer::default()
        .string(Some(&path))
        .buffer(data.as_deref())
        .int(version)
        .0;
    let length = data.map(|data| data.len());
    Request::new(
        op::SET_DATA,
        body,
        format!("setData {path:?} data={length:?} version={version}"),
    )
}

fn set_acl(dice: &mut Dice) -> Request {
    let (path, version) = (write_path(dice), version(dice));
    let body = acl(dice, Writer::default().string(Some(&path)), &path)
        .int(version)
        .0;
    Request::new(
        op::SET_ACL,
        body,
        format!("setACL {path:?} version={version}"),
    )
}

fn set_watches(dice: &mut Dice, zxid: u64) -> Request {
    let relative = i64::try_from(dice.below(zxid + 2)).expect("small");
    let two = dice.chance(50);
    let mut writer = Writer::default().long(relative);
    for _ in 0..if two { 5 } else { 3 } {
        let count = dice.below(4);
        let paths: Vec<String> = (0..count).map(|_| path(dice)).collect();
        writer = if dice.chance(1) {
            writer.int(-1)
        } else {
            writer.strings(&paths)
        };
    }
    let (code, name) = if two {
        (op::SET_WATCHES2, "setWatches2")
    } else {
        (op::SET_WATCHES, "setWatches")
    };
    let mut request = Request::new(code, writer.0, format!("{name} since {relative}"));
    request.xid = Some(-8);
    request
}

fn reconfig(dice: &mut Dice) -> Request {
    let members = *dice.pick(&[
        None,
        Some("server.1=127.0.0.1:1:2:participant;3"),
        Some("junk"),
    ]);
    let body = Writer::default()
        .string(None)
        .string(Some("1"))
        .string(members)
        .long(-1)
        .0;
    Request::new(op::RECONFIG, body, format!("reconfig {members:?}"))
}

/// A request whose record ends too early.
fn truncated(dice: &mut Dice, zxid: u64) -> Request {
    loop {
        let whole = any(dice, zxid);
        let single_write = matches!(
            whole.code,
            op::CREATE
                | op::CREATE2
                | op::CREATE_CONTAINER
                | op::CREATE_TTL
                | op::DELETE
                | op::SET_DATA
                | op::SET_ACL
        );
        if whole.body.is_empty() || whole.code == op::RECONFIG {
            continue;
        }
        let keep = usize::try_from(dice.below(whole.body.len() as u64)).expect("a length");
        let label = format!("truncated to {keep}: {}", whole.label);
        let mut request = Request::new(whole.code, whole.body[..keep].to_vec(), label);
        request.zxid_matters = !single_write;
        return request;
    }
}

/// Trailing bytes behind a whole record, which are ignored.
fn padded(dice: &mut Dice, zxid: u64) -> Request {
    let mut request = any(dice, zxid);
    if !matches!(request.code, op::MULTI | op::MULTI_READ) {
        request.body.extend([0xff; 5]);
        request.label.push_str(" + 5 bytes");
    }
    request
}

type Make = fn(&mut Dice, u64) -> Request;

/// What a burst is made of.
const MIX: &[(u64, Make)] = &[
    (180, |dice, _| create(dice)),
    (20, |dice, _| create_ttl(dice)),
    (100, |dice, _| delete(dice)),
    (110, |dice, _| set_data(dice)),
    (14, |dice, _| set_acl(dice)),
    (70, |dice, _| path_watch(dice, op::EXISTS, "exists")),
    (90, |dice, _| path_watch(dice, op::GET_DATA, "getData")),
    (40, |dice, _| {
        path_watch(dice, op::GET_CHILDREN, "getChildren")
    }),
    (60, |dice, _| {
        path_watch(dice, op::GET_CHILDREN2, "getChildren2")
    }),
    (30, |dice, _| path_only(dice, op::GET_ACL, "getACL")),
    (15, |dice, _| path_only(dice, op::SYNC, "sync")),
    (15, |_, _| Request::new(op::PING, Vec::new(), "ping")),
    (45, |dice, _| super::multi::write(dice)),
    (25, |dice, _| super::multi::read(dice)),
    (5, |dice, _| reconfig(dice)),
    (15, |dice, _| {
        path_int(
            dice,
            op::CHECK_WATCHES,
            "checkWatches",
            &[0, 1, 2, 3, 4, 5, 6],
        )
    }),
    (25, |dice, _| {
        path_int(
            dice,
            op::REMOVE_WATCHES,
            "removeWatches",
            &[0, 1, 2, 3, 3, 3, 4, 5, 6],
        )
    }),
    (25, |dice, _| {
        path_int(dice, op::ADD_WATCH, "addWatch", &[0, 1, 0, 1, 0, 1, 2, -1])
    }),
    (25, |dice, zxid| set_watches(dice, zxid)),
    (15, |dice, _| {
        path_only(dice, op::GET_EPHEMERALS, "getEphemerals")
    }),
    (15, |dice, _| {
        path_only(dice, op::GET_ALL_CHILDREN_NUMBER, "getAllChildrenNumber")
    }),
    (10, |_, _| Request::new(op::WHO_AM_I, Vec::new(), "whoAmI")),
    (10, truncated),
    (10, padded),
];

/// One request of a burst; `zxid` is a guess at the newest one.
pub(super) fn any(dice: &mut Dice, zxid: u64) -> Request {
    let make = dice.weighted(MIX);
    let mut request = make(dice, zxid);
    if request.xid.is_none() && request.code != op::PING && dice.chance(2) {
        request.xid = Some(*dice.pick(&[0, 1, 1, i32::MAX, -3, -100, i32::MIN]));
    }
    request
}

/// A request type that does not exist, or is not for clients: -6, then the connection is closed.
pub(super) fn unknown(dice: &mut Dice) -> Request {
    let code = *dice.pick(&[
        0,
        -1,
        10,
        13,
        23,
        99,
        108,
        1000,
        -2,
        -12,
        i32::MAX,
        i32::MIN,
    ]);
    let mut request = Request::new(code, Vec::new(), format!("unknown type {code}"));
    request.closes = true;
    request
}

/// The first burst: the nodes that the others grow on, and a quota on `/q`.
pub(super) fn scaffold() -> Vec<Request> {
    let limits = b"count=5,bytes=200=;byteHardLimit=120;countHardLimit=4";
    let nodes: &[(&str, &[u8])] = &[
        ("/a", b"a"),
        ("/b", b""),
        ("/c", b"c"),
        ("/a/x", b"x"),
        ("/q", b"quota"),
        ("/zookeeper/quota/q", b""),
        ("/zookeeper/quota/q/zookeeper_limits", limits),
        ("/zookeeper/quota/q/zookeeper_stats", b"count=0,bytes=0"),
        ("/soft", b""),
        ("/zookeeper/quota/soft", b""),
        (
            "/zookeeper/quota/soft/zookeeper_limits",
            b"count=2,bytes=10",
        ),
        ("/zookeeper/quota/soft/zookeeper_stats", b"count=0,bytes=0"),
    ];
    nodes
        .iter()
        .map(|(path, data)| {
            Request::new(
                op::CREATE,
                create_body(path, data, 0),
                format!("create {path:?}"),
            )
        })
        .collect()
}

/// A write, or a look, around the quota on `/q`.
pub(super) fn quota_write(dice: &mut Dice) -> Request {
    let path = *dice.pick(&[
        "/q", "/q/x", "/q/y", "/q/z", "/q/x/1", "/q/y/2", "/soft/1", "/soft/2",
    ]);
    let size = usize::try_from(dice.below(60)).expect("small");
    let content = vec![b'q'; size];
    match dice.below(10) {
        0..=3 => Request::new(
            op::CREATE2,
            create_body(path, &content, 0),
            format!("create2 {path:?} {size} B"),
        ),
        4..=6 => {
            let version = version(dice);
            let body = Writer::default()
                .string(Some(path))
                .buffer(Some(&content))
                .int(version)
                .0;
            Request::new(
                op::SET_DATA,
                body,
                format!("setData {path:?} {size} B version={version}"),
            )
        }
        7 => {
            let body = Writer::default().string(Some(path)).int(-1).0;
            Request::new(op::DELETE, body, format!("delete {path:?}"))
        }
        8 => super::multi::quota(dice),
        _ => {
            let stats = *dice.pick(&[
                "/zookeeper/quota/q/zookeeper_stats",
                "/zookeeper/quota/soft/zookeeper_stats",
            ]);
            let body = crate::wire::path_watch_body(stats, dice.chance(50));
            Request::new(op::GET_DATA, body, format!("getData {stats:?}"))
        }
    }
}

/// Creates of a session that will expire; the first is the witness of its end.
pub(super) fn ephemerals(dice: &mut Dice, witness: &str) -> Vec<Request> {
    let mut requests = vec![Request::new(
        op::CREATE,
        create_body(witness, b"", 1),
        format!("create {witness:?}"),
    )];
    for _ in 0..dice.below(4) {
        let prefix = *dice.pick(PREFIXES);
        requests.push(Request::new(
            op::CREATE,
            create_body(prefix, b"", 3),
            format!("create {prefix:?} flags=3"),
        ));
    }
    requests
}
