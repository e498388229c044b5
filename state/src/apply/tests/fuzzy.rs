//! The log behind a snapshot leads to the live state, whatever the snapshot caught of it.

use jute::Zxid;
use jute::data::StatPersisted;
use jute::wire::{Decode, Limits, Reader};

use super::*;
use crate::snapshot::{Loader, SnapshotWalk, WalkEnd};

/// A small generator: the tests need variety, not quality.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as usize % bound
    }

    fn path(&mut self) -> String {
        let depth = 1 + self.below(3);
        (0..depth).map(|_| format!("/n{}", self.below(3))).collect()
    }
}

/// One valid transaction, as prep would let it through; perhaps an error.
fn step(history: &mut History, random: &mut Random) {
    let path = random.path();
    let session = 1 + random.below(3) as i64;
    let cversion = history.next_cversion(&path);
    let data = vec![b'x'; random.below(20)];
    let tree = &history.state.tree;
    let found = tree.lookup(&path);
    let (parent, _) = jute::path::split(&path).expect("a slash");
    let parent_takes = tree
        .lookup(parent)
        .is_some_and(|id| !matches!(history.state.owner(id), crate::tree::Owner::Session(_)));
    match (random.below(8), found) {
        (0..=4, None) if parent_takes => {
            let ephemeral = random.below(3) == 0;
            if ephemeral && history.state.sessions.timeout_ms(session).is_none() {
                history.run_as(session, create_session(4000));
            }
            let node = create_txn(&path, Some(&data), ephemeral, cversion);
            let txn = match random.below(5) {
                0 => create_container(&path, cversion),
                1 => create_ttl(&path, cversion, 500),
                2 => Txn::Create2(node),
                _ => Txn::Create(node),
            };
            history.run_as(session, txn);
        }
        (0..=2, Some(id)) if tree.child_count(id) == 0 => {
            history.run(delete(&path));
        }
        (3, Some(_)) => {
            history.set(&path, Some(&data));
        }
        (4, Some(id)) => {
            let version = tree.stat(id).aversion + 1;
            let list = Acl::new(perms::ALL, "digest", format!("u{}:x", random.below(3)));
            history.run(set_acl(&path, list, version));
        }
        (5, None) if parent_takes => {
            let parts = [
                create(&path, None, cversion),
                set_data(&path, Some(&data), 1),
            ];
            with_multi(&parts, |multi| history.run(multi));
        }
        (6, _) => {
            let owned = history.state.ephemerals_of(session);
            let paths: Vec<String> = owned.map(|id| tree.path(id)).collect();
            let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
            history.run_as(session, close_session(&paths));
        }
        _ => {
            history.run(error(ErrorCode::NoNode));
        }
    }
}

/// Loads what a walk wrote.
fn load(walk: &SnapshotWalk, nodes: &[u8], end: WalkEnd) -> State {
    let mut loader = Loader::new(options(), 9);
    for (session, timeout_ms) in &walk.sessions {
        loader.session(*session, *timeout_ms);
    }
    for (index, list) in &walk.acls {
        loader.acl(*index, list);
    }
    let mut reader = Reader::new(nodes, Limits::default());
    while reader.remaining() > 0 {
        let path = reader.ustring().expect("a path").expect("not null");
        let data = reader.buffer().expect("data");
        let acl = reader.i64().expect("an index");
        let stat = StatPersisted::decode(&mut reader).expect("a Stat");
        loader.node(&path, data, acl, &stat).expect("in pre-order");
    }
    let digest = Some((end.zxid, end.digest));
    loader.finish(walk.zxid, digest).expect("a whole snapshot")
}

#[test]
fn a_snapshot_written_while_the_tree_changes_replays_to_the_live_state() {
    let mut fuzzy = 0;
    for seed in 0..150 {
        let mut random = Random(seed);
        let mut history = History::new();
        for _ in 0..60 {
            step(&mut history, &mut random);
        }
        let mut walk = history.state.begin_snapshot();
        let mut nodes = Vec::new();
        let end = loop {
            if let Some(end) = walk.step(&history.state, 1 + random.below(4), &mut nodes) {
                break end;
            }
            for _ in 0..random.below(6) {
                step(&mut history, &mut random);
            }
        };
        for _ in 0..20 {
            step(&mut history, &mut random);
        }
        let mut replayed = load(&walk, &nodes, end);
        fuzzy += u32::from(replayed.digest_check().is_awaiting());
        let mismatches = replay(&mut replayed, &history.log);
        assert_eq!(dump(&replayed), dump(&history.state), "seed {seed}");
        assert_eq!(mismatches, 0, "seed {seed}");
        assert!(!replayed.digest_check().is_awaiting());
        history.state.end_snapshot(walk);
    }
    assert!(fuzzy > 75, "most were written across changes: {fuzzy}");
}

/// The worst a snapshot can be: it holds the end of the history and claims its beginning.
#[test]
fn a_history_replayed_over_its_own_end_leads_there_again() {
    for seed in 0..100 {
        let mut random = Random(seed);
        let mut history = History::new();
        for _ in 0..150 {
            step(&mut history, &mut random);
        }
        let expected = dump(&history.state);
        history.state.last_zxid = Zxid(0);
        history.state.digest_check = DigestCheck::default();
        let digest = history.state.tree.digest();
        let end = Zxid(history.log.len() as i64);
        history
            .state
            .digest_check
            .start(Zxid(0), Some((end, digest)), 0);
        let mismatches = replay(&mut history.state, &history.log);
        assert_eq!(dump(&history.state), expected, "seed {seed}");
        assert_eq!(mismatches, 0, "seed {seed}");
    }
}

#[test]
fn replay_rules_one_by_one() {
    let open = |history: &mut History| {
        history.create("/p", None);
        history.create("/p/a", Some(b"new"));
    };
    let stored = |history: &History, path: &str| {
        history
            .state
            .tree
            .stat(history.state.tree.lookup(path).expect("the node"))
    };
    let exists = failed(ErrorCode::NodeExists);

    // A create on an existing node gives it its list and the parent its counter, no more.
    let mut history = History::new();
    open(&mut history);
    let before = stored(&history, "/p/a");
    let mut txn = create_txn("/p/a", Some(b"old"), false, 9);
    let list = Acl::new(perms::READ, "ip", "10.0.0.1");
    txn.acl = Some(vec![list.clone()]);
    assert_eq!(history.run(Txn::Create(txn)), exists);
    assert_eq!(
        (history.text("/p/a"), stored(&history, "/p/a")),
        ("new".into(), before)
    );
    let id = history.state.tree.lookup("/p/a").expect("the node");
    assert_eq!(history.state.acl_of(id).expect("a list")[..], [list]);
    let parent = stored(&history, "/p");
    assert_eq!((parent.cversion, parent.pzxid), (9, 3));

    // Never back.
    assert_eq!(history.run(create("/p/a", None, 4)), exists);
    assert_eq!(stored(&history, "/p"), parent);

    // Older data and versions overwrite newer ones: the newer ones come again.
    history.run(set_data("/p/a", Some(b"newest"), 8));
    history.run(set_data("/p/a", Some(b"older"), 3));
    let a = stored(&history, "/p/a");
    assert_eq!(
        (history.text("/p/a"), a.version, a.mzxid),
        ("older".into(), 3, 6)
    );

    // Before 3.4 the counter was not in the transaction.
    history.run(create("/p/b", None, -1));
    assert_eq!(stored(&history, "/p").cversion, 10);

    // A missing node still moves the parent's pzxid.
    assert_eq!(history.run(delete("/p/missing")), failed(ErrorCode::NoNode));
    assert_eq!(stored(&history, "/p").pzxid, 8);

    // A node that has children by the time it is deleted again.
    assert_eq!(history.run(delete("/p")), Outcome::Deleted);
    assert!(history.state.tree.lookup("/p/a").is_none());
    let config = history
        .state
        .tree
        .lookup(jute::path::CONFIG)
        .expect("the node");
    assert!(history.state.acl_of(config).is_some());
    assert_eq!(
        history.state.acls.len(),
        1,
        "only the list of the configuration is left"
    );

    // Closing a session that is gone deletes what is listed.
    open(&mut history);
    history.run_as(77, close_session(&["/p/a", "/p/b"]));
    assert!(history.state.tree.lookup("/p/a").is_none());
    assert_eq!(stored(&history, "/p").pzxid, history.state.last_zxid.0);
}

#[test]
fn digests_are_compared_from_the_snapshots_own_on() {
    let digest = |tree_digest| {
        Some(TxnDigest {
            version: TxnDigest::VERSION,
            tree_digest,
        })
    };
    let at = |zxid| Some((Zxid(zxid), 100));
    // (snapshot's zxid and digest, then per transaction: zxid, tree's digest, found wrong?)
    type Steps<'a> = &'a [(i64, u64, bool)];
    type Case<'a> = (i64, Option<(Zxid, u64)>, u64, Steps<'a>);
    let table: &[Case<'_>] = &[
        (
            5,
            at(7),
            0,
            &[(6, 1, false), (7, 100, false), (8, 55, false), (9, 1, true)],
        ),
        (5, at(7), 0, &[(6, 1, false), (7, 99, true), (8, 55, false)]),
        (5, at(7), 0, &[(6, 1, false), (8, 1, true), (9, 55, false)]),
        (5, at(5), 100, &[(6, 1, true), (7, 55, false)]),
        (5, at(3), 0, &[(6, 1, true)]),
        (5, None, 0, &[(6, 1, true), (7, 55, false)]),
        (0, at(0), 0, &[(1, 55, false)]),
    ];
    for (zxid, snapshot, tree, steps) in table {
        let mut check = DigestCheck::default();
        check.start(Zxid(*zxid), *snapshot, *tree);
        assert_eq!(check.mismatches(), 0);
        for (zxid, actual, wrong) in *steps {
            let found = check.check(Zxid(*zxid), digest(55), *actual);
            assert_eq!(found.is_some(), *wrong, "{snapshot:?} at {zxid}");
        }
    }
    let mut check = DigestCheck::default();
    check.start(Zxid(5), at(5), 99);
    assert_eq!(check.last_mismatch().map(|wrong| wrong.actual), Some(99));
}
