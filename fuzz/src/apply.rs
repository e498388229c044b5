//! Transactions that no prep made: a damaged or foreign log must not take a server down,
//! and leads to the same tree wherever it is applied.

use std::collections::BTreeMap;

use jute::data::{Acl, StatPersisted, perms};
use jute::txn::LogEntry;
use jute::wire::{Decode, Limits, Reader};
use jute::{Zxid, path};
use state::quota::QuotaNode;
use state::snapshot::{LoadError, Loader, SnapshotWalk};
use state::tree::OwnerRules;
use state::watch::NoEvents;
use state::{Options, State};

use crate::pieces;

fn options() -> Options {
    Options {
        owner_rules: OwnerRules {
            extended_types: true,
            emulate_353_ttl: false,
        },
        digest_enabled: true,
        limits: Limits::default(),
    }
}

/// Pieces that decode as log entries, numbered anew, applied to a live state, replayed to
/// another one, and replayed again over a snapshot of the result.
pub fn apply(input: &[u8]) {
    let entries = entries(input);
    let (mut live, mut replayed) = (State::new(options(), 1), State::new(options(), 2));
    for entry in &entries {
        let applied = live.apply(entry.clone(), &mut NoEvents);
        let again = replayed.replay(entry.clone());
        assert_eq!(applied.is_ok(), again.is_ok());
        assert_eq!(live.tree().digest(), replayed.tree().digest());
    }
    let one = Dump::of(&mut live);
    assert_eq!(one, Dump::of(&mut replayed), "the seed of the index shows");
    let mut loaded = one.load(live.last_zxid()).expect("it comes from a state");
    assert_eq!(live.tree().digest(), loaded.tree().digest());
    let counted = Dump::of(&mut loaded);
    let mut again = counted.load(live.last_zxid()).expect("it loaded before");
    assert_eq!(counted, Dump::of(&mut again), "what is stored comes back");
    assert_eq!(one.completed().uncounted(), counted.uncounted());
    // A fuzzy snapshot holds effects of what is replayed over it.
    for entry in entries {
        let _ = loaded.replay(entry);
    }
    // As at the start of a member.
    loaded.set_config(b"version=0", loaded.last_zxid(), 0, &mut NoEvents);
    Dump::of(&mut loaded);
}

fn entries(input: &[u8]) -> Vec<LogEntry<'_>> {
    let decoded = pieces::split(input)
        .into_iter()
        .filter_map(|piece| LogEntry::from_bytes(piece, Limits::default()).ok());
    (1..)
        .zip(decoded)
        .map(|(zxid, mut entry)| {
            entry.header.zxid = zxid;
            entry
        })
        .collect()
}

/// What a snapshot of a state would hold.
#[derive(Debug, PartialEq, Eq)]
struct Dump {
    sessions: Vec<(i64, i32)>,
    /// By path, so parents come first.
    nodes: BTreeMap<String, Node>,
}

#[derive(Debug, PartialEq, Eq)]
struct Node {
    data: Option<Vec<u8>>,
    /// The list, or the number that stands for none. Numbers of lists differ from load to
    /// load.
    acl: Result<Vec<Acl<'static>>, i64>,
    stat: StatPersisted,
}

impl Node {
    fn config() -> Self {
        Self {
            data: Some(Vec::new()),
            acl: Ok(vec![Acl::new(perms::READ, "world", "anyone")]),
            stat: StatPersisted {
                aversion: -1,
                ..StatPersisted::default()
            },
        }
    }
}

impl Dump {
    fn of(state: &mut State) -> Self {
        let mut walk = state.begin_snapshot();
        let mut bytes = Vec::new();
        while walk.step(state, 1, &mut bytes).is_none() {}
        let dump = Self {
            sessions: walk.sessions.clone(),
            nodes: nodes(&walk, &bytes),
        };
        state.end_snapshot(walk);
        assert_eq!(dump.nodes.len(), state.tree().len());
        dump
    }

    /// With what a load adds: the node of the configuration, which snapshots of old servers do not
    /// have, and some log may have deleted.
    fn completed(mut self) -> Self {
        if self.nodes.contains_key(path::ZOOKEEPER) {
            let added = self.nodes.entry(path::CONFIG.to_owned());
            added.or_insert_with(Node::config);
        }
        self
    }

    /// Without the usage of quotas, which a load counts anew, as Apache's does: limits that come
    /// after the stats node and after what they limit have not been counted before.
    fn uncounted(mut self) -> Self {
        for (path, node) in &mut self.nodes {
            if let Some(QuotaNode::Stats(_)) = QuotaNode::of(path) {
                node.data = None;
            }
        }
        self
    }

    fn load(&self, zxid: Zxid) -> Result<State, LoadError> {
        let mut loader = Loader::new(options(), 3);
        for (session, timeout_ms) in &self.sessions {
            loader.session(*session, *timeout_ms);
        }
        for (number, (path, node)) in (1..).zip(&self.nodes) {
            let acl = match &node.acl {
                Ok(list) => {
                    loader.acl(number, list);
                    number
                }
                Err(index) => *index,
            };
            loader.node(path, node.data.as_deref(), acl, &node.stat)?;
        }
        loader.finish(zxid, None)
    }
}

/// Decodes what a walk wrote.
fn nodes(walk: &SnapshotWalk, bytes: &[u8]) -> BTreeMap<String, Node> {
    let lists: BTreeMap<_, _> = walk.acls.iter().map(|(n, list)| (*n, list)).collect();
    let mut reader = Reader::new(bytes, Limits::default());
    let mut nodes = BTreeMap::new();
    while reader.remaining() > 0 {
        let path = reader.ustring().expect("a path").expect("not null");
        let data = reader.buffer().expect("data").map(<[u8]>::to_vec);
        let index = reader.i64().expect("a list's number");
        let acl = lists.get(&index).map(|list| list.to_vec()).ok_or(index);
        let stat = StatPersisted::decode(&mut reader).expect("a Stat");
        let before = nodes.insert(path.into_owned(), Node { data, acl, stat });
        assert!(before.is_none(), "a node stands once");
    }
    nodes
}
