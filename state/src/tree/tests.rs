//! The tree against a plain model, and walks against changes.

use std::collections::BTreeMap;

use jute::data::StatPersisted;

use super::{NewChild, NodeId, Tree};
use crate::acl::AclId;
use crate::digest;

fn stat(zxid: i64) -> StatPersisted {
    StatPersisted {
        czxid: zxid,
        mzxid: zxid,
        pzxid: zxid,
        ctime: 1000 + zxid,
        mtime: 1000 + zxid,
        ..StatPersisted::default()
    }
}

fn add(tree: &mut Tree, path: &str, data: Option<&[u8]>, zxid: i64) -> NodeId {
    let (parent, _) = jute::path::split(path).expect("a slash");
    let parent = tree.lookup(parent).expect("a parent");
    let new = NewChild {
        path,
        data,
        acl: AclId::OPEN,
        stat: &stat(zxid),
    };
    tree.insert(parent, &new)
}

/// A small generator: the tests need variety, not quality.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % bound
    }
}

#[test]
fn finds_nodes_by_path_and_paths_by_node() {
    let mut tree = Tree::new(1);
    let a = add(&mut tree, "/a", Some(b"1"), 1);
    let b = add(&mut tree, "/a/b", None, 2);
    assert_eq!(tree.lookup(""), Some(NodeId::ROOT));
    assert_eq!(tree.lookup("/"), Some(NodeId::ROOT));
    assert_eq!(tree.lookup("/a"), Some(a));
    assert_eq!(tree.lookup("/a/b"), Some(b));
    for missing in ["a", "/b", "/a/", "//a", "/a/b/c", "/a//b"] {
        assert_eq!(tree.lookup(missing), None, "{missing}");
    }
    assert_eq!(
        (tree.path(b), tree.path(NodeId::ROOT)),
        ("/a/b".into(), "/".into())
    );
    assert_eq!((tree.data(a), tree.data(b)), (Some(&b"1"[..]), None));
    assert_eq!(tree.children(a).collect::<Vec<_>>(), [b]);
    assert_eq!(tree.descendant_count(NodeId::ROOT), 2);
}

#[test]
fn data_keeps_null_apart_from_empty_through_every_change() {
    let mut tree = Tree::new(1);
    let id = add(&mut tree, "/a", None, 1);
    for data in [
        Some(&b""[..]),
        None,
        Some(b"xyz"),
        Some(b"abc"),
        None,
        Some(b""),
    ] {
        tree.set_data(id, "/a", data, &stat(1));
        assert_eq!(tree.data(id), data);
        assert_eq!(tree.name(id), "a");
    }
}

#[test]
fn a_node_that_never_had_a_child_reports_its_czxid_as_pzxid() {
    let mut tree = Tree::new(1);
    let id = add(&mut tree, "/a", None, 7);
    assert_eq!((tree.stat(id).pzxid, tree.stat(id).cversion), (7, 0));
    let changed = StatPersisted {
        cversion: 3,
        pzxid: 9,
        ..stat(7)
    };
    tree.set_stat(id, &changed);
    assert_eq!(tree.stat(id), changed);
}

#[test]
fn agrees_with_a_map_of_paths_under_random_changes() {
    for seed in 0..20 {
        let mut random = Random(seed);
        let mut tree = Tree::new(seed);
        let mut model: BTreeMap<String, Option<Vec<u8>>> = BTreeMap::new();
        for zxid in 1..600 {
            let names: Vec<String> = model.keys().cloned().collect();
            let at = random.below(names.len() as u64 + 1) as usize;
            let parent = names.get(at).cloned().unwrap_or_default();
            match random.below(3) {
                0 | 1 => {
                    let path = format!("{parent}/n{}", random.below(6));
                    let data = (random.below(4) > 0).then(|| vec![7; random.below(40) as usize]);
                    if tree.lookup(&path).is_none() {
                        add(&mut tree, &path, data.as_deref(), zxid);
                    } else {
                        let id = tree.lookup(&path).expect("there");
                        tree.set_data(id, &path, data.as_deref(), &stat(zxid));
                    }
                    model.insert(path, data);
                }
                _ => {
                    let below = format!("{parent}/");
                    let leaf = !parent.is_empty() && !names.iter().any(|n| n.starts_with(&below));
                    if leaf {
                        tree.remove(tree.lookup(&parent).expect("there"));
                        model.remove(&parent);
                    }
                }
            }
        }
        check(&tree, &model);
    }
}

fn check(tree: &Tree, model: &BTreeMap<String, Option<Vec<u8>>>) {
    assert_eq!(tree.len(), model.len() + 1);
    let mut sum = u64::from(digest::node_digest(
        digest::content_crc("", Some(b"")),
        &tree.stat(NodeId::ROOT),
    ));
    let mut size = 0;
    for (path, data) in model {
        let id = tree.lookup(path).expect("every node of the model");
        assert_eq!(tree.data(id), data.as_deref());
        assert_eq!(tree.path(id), *path);
        let crc = digest::content_crc(path, data.as_deref());
        assert_eq!(tree.content_crc(id), crc);
        sum += u64::from(digest::node_digest(crc, &tree.stat(id)));
        size += path.len() + data.as_ref().map_or(0, Vec::len);
        let children = model
            .keys()
            .filter(|other| jute::path::split(other).is_some_and(|(parent, _)| parent == path));
        assert_eq!(tree.child_count(id) as usize, children.count(), "{path}");
        let below = model
            .keys()
            .filter(|other| other.strip_prefix(path).is_some_and(|r| r.starts_with('/')));
        assert_eq!(tree.descendant_count(id) as usize, below.count(), "{path}");
    }
    assert_eq!(tree.descendant_count(NodeId::ROOT) as usize, model.len());
    assert_eq!(tree.digest(), sum);
    assert_eq!(tree.approximate_data_size(), size as u64);
}

#[test]
fn a_walk_sees_what_stays_while_the_tree_changes_around_it() {
    for seed in 0..50 {
        let mut random = Random(seed);
        let mut tree = Tree::new(seed);
        let mut all = Vec::new();
        for top in 0..8 {
            all.push(format!("/t{top}"));
            add(&mut tree, &format!("/t{top}"), None, 1);
            for leaf in 0..8 {
                all.push(format!("/t{top}/l{leaf}"));
                add(&mut tree, &format!("/t{top}/l{leaf}"), None, 1);
            }
        }
        let mut removed = Vec::new();
        let mut seen: Vec<String> = Vec::new();
        let mut walk = tree.begin_walk();
        let mut fresh = 0;
        while !walk.step(&tree, 3, |path, _| seen.push(path.to_owned())) {
            let victim = all[random.below(all.len() as u64) as usize].clone();
            if let Some(id) = tree.lookup(&victim)
                && tree.child_count(id) == 0
            {
                tree.remove(id);
                removed.push(victim.clone());
                if random.below(2) == 0
                    && jute::path::split(&victim).is_some_and(|(p, _)| tree.lookup(p).is_some())
                {
                    add(&mut tree, &victim, Some(b"again"), 2);
                }
            }
            fresh += 1;
            add(&mut tree, &format!("/fresh{fresh}"), None, 3);
        }
        tree.end_walk(walk);
        for path in all.iter().filter(|path| !removed.contains(path)) {
            assert_eq!(
                seen.iter().filter(|other| *other == path).count(),
                1,
                "{path} seed {seed}"
            );
        }
        for (at, path) in seen.iter().enumerate().skip(1) {
            let (parent, _) = jute::path::split(path).expect("a slash");
            assert!(
                seen[..at].iter().any(|other| other == parent),
                "{path} before its parent"
            );
        }
        let below_root = tree.descendant_count(NodeId::ROOT) as usize;
        assert_eq!(below_root + 1, tree.len());
    }
}
