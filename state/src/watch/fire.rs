//! What a change of the tree means for the watches.

use jute::data::Acl;
use jute::proto::EventType;

use super::modes::{Modes, Table};
use super::{EventSink, WatcherId, Watches, forget};

/// A node that changes, and who may know.
#[derive(Clone, Copy)]
pub(crate) struct Changed<'a> {
    /// Its path; "/" for the root.
    pub(crate) path: &'a str,
    /// Its ACL: the new one of a created node, the last one of a deleted node.
    pub(crate) acl: &'a [Acl<'a>],
}

impl Watches {
    /// A node was created below `parent`.
    pub(crate) fn created(
        &mut self,
        node: Changed<'_>,
        parent: Changed<'_>,
        zxid: i64,
        sink: &mut impl EventSink,
    ) {
        self.fire(Table::Data, EventType::NodeCreated, node, zxid, sink);
        self.children_changed(parent, zxid, sink);
    }

    /// A node's data changed.
    pub(crate) fn data_changed(&mut self, node: Changed<'_>, zxid: i64, sink: &mut impl EventSink) {
        self.fire(Table::Data, EventType::NodeDataChanged, node, zxid, sink);
    }

    /// A node below `parent` was deleted. Whoever watches its data and its children hears
    /// of it once.
    pub(crate) fn deleted(
        &mut self,
        node: Changed<'_>,
        parent: Changed<'_>,
        zxid: i64,
        sink: &mut impl EventSink,
    ) {
        let kind = EventType::NodeDeleted;
        let [mut by_data, mut by_child] = std::mem::take(&mut self.told);
        self.collect(Table::Data, node.path, &mut by_data);
        tell(&by_data, &[], kind, node, zxid, sink);
        self.collect(Table::Child, node.path, &mut by_child);
        tell(&by_child, &by_data, kind, node, zxid, sink);
        self.told = [by_data, by_child];
        self.children_changed(parent, zxid, sink);
    }

    fn children_changed(&mut self, parent: Changed<'_>, zxid: i64, sink: &mut impl EventSink) {
        let kind = EventType::NodeChildrenChanged;
        self.fire(Table::Child, kind, parent, zxid, sink);
    }

    fn fire(
        &mut self,
        table: Table,
        kind: EventType,
        node: Changed<'_>,
        zxid: i64,
        sink: &mut impl EventSink,
    ) {
        if self.counts.of(table) == 0 {
            return;
        }
        let mut told = std::mem::take(&mut self.told[0]);
        self.collect(table, node.path, &mut told);
        tell(&told, &[], kind, node, zxid, sink);
        self.told[0] = told;
    }

    /// The watchers of an event, each once and in order. Uses up their standard watches,
    /// also of those who may not be told.
    fn collect(&mut self, table: Table, path: &str, told: &mut Vec<WatcherId>) {
        told.clear();
        if self.counts.of(table) == 0 {
            return;
        }
        self.collect_at(table, path, told);
        if table == Table::Data && self.counts.recursive > 0 {
            let exact = told.len();
            for ancestor in ancestors(path) {
                self.collect_recursive(ancestor, told);
            }
            if told.len() > exact {
                told.sort_unstable();
                told.dedup();
            }
        }
    }

    fn collect_at(&mut self, table: Table, path: &str, told: &mut Vec<WatcherId>) {
        let Some(id) = self.paths.find(path) else {
            return;
        };
        let (counts, of_watcher) = (&mut self.counts, &mut self.of_watcher);
        self.paths.get_mut(id).watches.retain(|watch| {
            if !watch.modes.any(table.every()) {
                return true;
            }
            told.push(watch.watcher);
            let left = watch.modes.without(table.standard());
            counts.change(watch.modes, left);
            watch.modes = left;
            if left.is_empty() {
                forget(of_watcher, watch.watcher, id);
            }
            !left.is_empty()
        });
        self.paths.remove_if_unwatched(id);
    }

    fn collect_recursive(&self, path: &str, told: &mut Vec<WatcherId>) {
        let Some(id) = self.paths.find(path) else {
            return;
        };
        let watches = self.paths.get(id).watches.iter();
        let recursive = watches.filter(|watch| watch.modes.any(Modes::RECURSIVE));
        told.extend(recursive.map(|watch| watch.watcher));
    }
}

/// Tells all of `watchers` but those in `told_before`, if they may read the node. Both
/// are sorted.
fn tell(
    watchers: &[WatcherId],
    told_before: &[WatcherId],
    kind: EventType,
    node: Changed<'_>,
    zxid: i64,
    sink: &mut impl EventSink,
) {
    for watcher in watchers {
        let is_new = told_before.binary_search(watcher).is_err();
        if is_new && sink.may_read(*watcher, node.acl) {
            sink.event(*watcher, kind, node.path, zxid);
        }
    }
}

/// The paths above this one, the root last.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(parent(path), |path| parent(path))
}

fn parent(path: &str) -> Option<&str> {
    if path == "/" {
        return None;
    }
    match path.rfind('/')? {
        0 => Some("/"),
        at => Some(&path[..at]),
    }
}
