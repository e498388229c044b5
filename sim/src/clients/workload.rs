//! What clients ask for: everything, over few keys, so that they get in each other's way.

use client::session::{NodeKind, ReadPart, Request, WritePart};
use jute::CreateMode;
use jute::data::{Acl, perms};
use jute::proto::{AddWatchMode, WatcherType};

use crate::model::Model;
use crate::rng::Rng;

/// Above so many nodes deletes are preferred.
const NODES_WANTED: usize = 40;

const TOP: [&str; 3] = ["/a", "/b", "/c"];
const BELOW: [&str; 4] = ["", "/x", "/y", "/x/z"];

const MODES: [CreateMode; 7] = [
    CreateMode::Persistent,
    CreateMode::Ephemeral,
    CreateMode::PersistentSequential,
    CreateMode::EphemeralSequential,
    CreateMode::Container,
    CreateMode::PersistentWithTtl,
    CreateMode::PersistentSequentialWithTtl,
];

/// The next request of a client who has these digest ids.
pub(crate) fn request(rng: &mut Rng, model: &Model, digests: &[String]) -> Request {
    let crowded = model.all_now().count() > NODES_WANTED;
    match rng.below(100) {
        0..22 if !crowded => Request::Write(create(rng, digests)),
        0..34 => Request::Write(delete(rng, model)),
        34..50 => Request::Write(set_data(rng)),
        50..53 => Request::SetAcl {
            path: path(rng),
            acl: acl(rng, digests),
            version: -1,
        },
        53..61 => Request::Multi(
            (0..rng.below(5))
                .map(|_| part(rng, model, digests))
                .collect(),
        ),
        61..66 => Request::AddWatch {
            path: watched(rng),
            mode: if rng.percent(50) {
                AddWatchMode::Persistent
            } else {
                AddWatchMode::PersistentRecursive
            },
        },
        66..69 => {
            let kinds = [
                WatcherType::Children,
                WatcherType::Data,
                WatcherType::Any,
                WatcherType::Persistent,
                WatcherType::PersistentRecursive,
            ];
            let (path, kind) = (watched(rng), *rng.pick(&kinds));
            if rng.percent(60) {
                Request::RemoveWatches { path, kind }
            } else {
                Request::CheckWatches { path, kind }
            }
        }
        _ => read(rng, model),
    }
}

fn read(rng: &mut Rng, model: &Model) -> Request {
    let watch = rng.percent(40);
    match rng.below(12) {
        0..3 => Request::GetData {
            path: path(rng),
            watch,
        },
        3..6 => Request::Exists {
            path: path(rng),
            watch,
        },
        6 => Request::GetChildren {
            path: watched(rng),
            watch,
        },
        7 => Request::GetChildren2 {
            path: watched(rng),
            watch,
        },
        8 => Request::GetAcl {
            path: living(rng, model),
        },
        9 => Request::Sync { path: path(rng) },
        10 => match rng.below(3) {
            0 => Request::GetEphemerals {
                prefix: (*rng.pick(&TOP)).to_owned(),
            },
            1 => Request::GetAllChildrenNumber { path: watched(rng) },
            _ => Request::WhoAmI,
        },
        _ => {
            let parts = (0..rng.below(4)).map(|_| {
                if rng.percent(50) {
                    ReadPart::GetData(path(rng))
                } else {
                    ReadPart::GetChildren(path(rng))
                }
            });
            Request::MultiRead(parts.collect())
        }
    }
}

fn part(rng: &mut Rng, model: &Model, digests: &[String]) -> WritePart {
    match rng.below(10) {
        0..4 => create(rng, digests),
        4..6 => delete(rng, model),
        6..9 => set_data(rng),
        _ => WritePart::Check {
            path: path(rng),
            version: version(rng),
        },
    }
}

fn delete(rng: &mut Rng, model: &Model) -> WritePart {
    WritePart::Delete {
        path: living(rng, model),
        version: version(rng),
    }
}

fn set_data(rng: &mut Rng) -> WritePart {
    WritePart::SetData {
        path: path(rng),
        data: data(rng),
        version: version(rng),
    }
}

fn create(rng: &mut Rng, digests: &[String]) -> WritePart {
    let mode = if rng.percent(45) {
        CreateMode::Persistent
    } else {
        *rng.pick(&MODES)
    };
    let mut path = path(rng);
    if mode.is_sequential() {
        path.push_str("/s-");
    }
    WritePart::Create {
        path,
        data: data(rng),
        acl: acl(rng, digests),
        kind: NodeKind {
            mode,
            ttl_ms: if mode.is_ttl() {
                rng.between(1..4000) as i64
            } else {
                -1
            },
        },
        with_stat: rng.percent(50),
    }
}

fn path(rng: &mut Rng) -> String {
    format!("{}{}", rng.pick(&TOP), rng.pick(&BELOW))
}

/// Where watches go: also the root.
fn watched(rng: &mut Rng) -> String {
    if rng.percent(10) {
        "/".to_owned()
    } else {
        path(rng)
    }
}

/// A node that is there, unless it is one of the server's own.
fn living(rng: &mut Rng, model: &Model) -> String {
    let ours: Vec<_> = model
        .all_now()
        .map(|(path, _)| path)
        .filter(|path| *path != "/" && !path.starts_with("/zookeeper"))
        .collect();
    if ours.is_empty() {
        path(rng)
    } else {
        (*rng.pick(&ours)).to_owned()
    }
}

fn version(rng: &mut Rng) -> i32 {
    if rng.percent(60) {
        -1
    } else {
        rng.below(3) as i32
    }
}

fn data(rng: &mut Rng) -> Option<Vec<u8>> {
    match rng.below(12) {
        0 => None,
        1 => Some(Vec::new()),
        // Records over several sectors, which a crash can tear. Never zeros: a sector of
        // zeros is what a lost one looks like.
        2..4 => Some(vec![
            rng.number() as u8 | 1;
            rng.between(500..3000) as usize
        ]),
        _ => Some(rng.number().to_be_bytes()[..rng.between(1..8) as usize].to_vec()),
    }
}

fn acl(rng: &mut Rng, digests: &[String]) -> Vec<Acl<'static>> {
    match (rng.below(20), digests.first()) {
        (0, _) => vec![Acl::new(perms::ALL, "auth", "")],
        (1, Some(own)) => vec![
            Acl::new(perms::READ, "world", "anyone"),
            Acl::new(perms::ALL, "digest", own.clone()),
        ],
        (2, Some(own)) => vec![Acl::new(perms::ALL, "digest", own.clone())],
        (3, _) => vec![Acl::new(perms::ALL & !perms::DELETE, "world", "anyone")],
        _ => vec![Acl::open()],
    }
}
