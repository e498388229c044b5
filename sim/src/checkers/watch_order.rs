//! Each connection gets exactly the events that its watches call for: each before any reply
//! that shows the change, one-shot watches once, in the order of the changes, none that the
//! reader may not know of, and after a reconnect those that were missed.
//!
//! Source: DESIGN.md, invariant 5; section 5 of the client protocol.

use std::collections::BTreeMap;

use jute::data::perms;
use jute::proto::{AddWatchMode, EventType, SetWatches2, WatcherType};

use client::session::Request;

use crate::model::{Change, Model, parent, permits};
use crate::violation::{Checked, ensure};

const NAME: &str = "watch_order";

/// An event as a client gets it.
pub(crate) type Event = (EventType, String, i64);

/// In which ways a path is watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Modes {
    data: bool,
    child: bool,
    persistent: bool,
    recursive: bool,
}

/// The watches of one connection, as the server should have them.
#[derive(Debug, Default)]
pub(crate) struct Watching {
    modes: BTreeMap<String, Modes>,
    /// Changes accounted for so far.
    changes: usize,
    /// Events received and not yet accounted for.
    received: Vec<Event>,
    /// Events that came as they should.
    pub(crate) matched: u64,
}

impl Watching {
    /// An event came.
    pub(crate) fn event(&mut self, event: Event) {
        self.received.push(event);
    }

    /// A reply came that shows the tree after `zxid`.
    pub(crate) fn reply(&mut self, model: &Model, zxid: i64, digests: &[String]) -> Checked {
        let mut expected = Vec::new();
        self.fire_until(model, zxid, digests, &mut expected);
        self.compare(zxid, &expected)
    }

    /// The reply to setWatches2 came.
    pub(crate) fn set_again(
        &mut self,
        model: &Model,
        zxid: i64,
        digests: &[String],
        packet: &SetWatches2<'_>,
    ) -> Checked {
        let mut expected = Vec::new();
        self.fire_until(model, zxid, digests, &mut expected);
        for path in texts(packet.data_watches.as_deref()) {
            match model.at(path, zxid).map(|node| node.stat.mzxid) {
                None => expected.push(missed(EventType::NodeDeleted, path)),
                Some(mzxid) if mzxid > packet.relative_zxid => {
                    expected.push(missed(EventType::NodeDataChanged, path));
                }
                Some(_) => self.at(path).data = true,
            }
        }
        for path in texts(packet.exist_watches.as_deref()) {
            match model.at(path, zxid) {
                None => self.at(path).data = true,
                Some(_) => expected.push(missed(EventType::NodeCreated, path)),
            }
        }
        for path in texts(packet.child_watches.as_deref()) {
            match model.at(path, zxid).map(|node| node.stat.pzxid) {
                None => expected.push(missed(EventType::NodeDeleted, path)),
                Some(pzxid) if pzxid > packet.relative_zxid => {
                    expected.push(missed(EventType::NodeChildrenChanged, path));
                }
                Some(_) => self.at(path).child = true,
            }
        }
        for path in texts(packet.persistent_watches.as_deref()) {
            self.at(path).persistent = true;
        }
        for path in texts(packet.persistent_recursive_watches.as_deref()) {
            self.at(path).recursive = true;
        }
        self.compare(zxid, &expected)
    }

    /// A request was answered; `err` is its error.
    pub(crate) fn answered(&mut self, request: &Request, err: i32) {
        let no_node = err == jute::ErrorCode::NoNode.as_i32();
        match request {
            Request::GetData { path, watch: true } if err == 0 => self.at(path).data = true,
            Request::Exists { path, watch: true } if err == 0 || no_node => {
                self.at(path).data = true;
            }
            Request::GetChildren { path, watch: true }
            | Request::GetChildren2 { path, watch: true }
                if err == 0 =>
            {
                self.at(path).child = true;
            }
            Request::AddWatch { path, mode } if err == 0 => match mode {
                AddWatchMode::Persistent => self.at(path).persistent = true,
                AddWatchMode::PersistentRecursive => self.at(path).recursive = true,
            },
            Request::RemoveWatches { path, kind } if err == 0 => self.remove(path, *kind),
            _ => {}
        }
    }

    /// Is there such a watch?
    pub(crate) fn has(&self, path: &str, kind: WatcherType) -> bool {
        let modes = self.modes.get(path).copied().unwrap_or_default();
        match kind {
            WatcherType::Children => modes.child,
            WatcherType::Data => modes.data,
            WatcherType::Any => modes != Modes::default(),
            WatcherType::Persistent => modes.persistent,
            WatcherType::PersistentRecursive => modes.recursive,
        }
    }

    fn remove(&mut self, path: &str, kind: WatcherType) {
        let any = kind == WatcherType::Any;
        let modes = self.at(path);
        modes.child &= !(any || kind == WatcherType::Children);
        modes.data &= !(any || kind == WatcherType::Data);
        modes.persistent &= !(any || kind == WatcherType::Persistent);
        modes.recursive &= !(any || kind == WatcherType::PersistentRecursive);
    }

    fn at(&mut self, path: &str) -> &mut Modes {
        if !self.modes.contains_key(path) {
            self.modes.insert(path.to_owned(), Modes::default());
        }
        self.modes.get_mut(path).expect("inserted above")
    }

    fn compare(&mut self, zxid: i64, expected: &[Event]) -> Checked {
        let received = std::mem::take(&mut self.received);
        self.matched += received.len() as u64;
        ensure!(
            received == expected,
            NAME,
            "before the reply as of {zxid:#x} came {received:x?} instead of {expected:x?}"
        );
        Ok(())
    }

    /// Skips what happened before the connection had watches.
    pub(crate) fn start_at(&mut self, model: &Model, zxid: i64) {
        self.changes = model.changes.partition_point(|change| change.zxid <= zxid);
    }

    fn fire_until(
        &mut self,
        model: &Model,
        zxid: i64,
        digests: &[String],
        events: &mut Vec<Event>,
    ) {
        while let Some(change) = model.changes.get(self.changes) {
            if change.zxid > zxid {
                return;
            }
            self.changes += 1;
            if !self.modes.is_empty() {
                self.fire(change, digests, events);
            }
        }
    }

    fn fire(&mut self, change: &Change, digests: &[String], events: &mut Vec<Event>) {
        let (path, zxid) = (change.path.as_str(), change.zxid);
        let readable = permits(&change.acl, perms::READ, digests);
        let by_data = self.data_told(path);
        if by_data && readable {
            events.push((change.kind, path.to_owned(), zxid));
        }
        if change.kind == EventType::NodeDataChanged {
            return;
        }
        if change.kind == EventType::NodeDeleted {
            let by_child = self.child_told(path);
            if by_child && !by_data && readable {
                events.push((change.kind, path.to_owned(), zxid));
            }
        }
        let above = parent(path).unwrap_or("/");
        if self.child_told(above) && permits(&change.parent_acl, perms::READ, digests) {
            events.push((EventType::NodeChildrenChanged, above.to_owned(), zxid));
        }
    }

    /// Uses up the one-shot watch.
    fn data_told(&mut self, path: &str) -> bool {
        let mut told = false;
        if let Some(modes) = self.modes.get_mut(path) {
            told = modes.data || modes.persistent || modes.recursive;
            modes.data = false;
        }
        let mut above = parent(path);
        while let Some(ancestor) = above {
            told |= self
                .modes
                .get(ancestor)
                .is_some_and(|modes| modes.recursive);
            above = parent(ancestor);
        }
        told
    }

    fn child_told(&mut self, path: &str) -> bool {
        let Some(modes) = self.modes.get_mut(path) else {
            return false;
        };
        let told = modes.child || modes.persistent;
        modes.child = false;
        told
    }
}

fn missed(kind: EventType, path: &str) -> Event {
    (kind, path.to_owned(), -1)
}

fn texts<'a>(list: Option<&'a [jute::Ustring<'_>]>) -> impl Iterator<Item = &'a str> {
    let list = list.unwrap_or_default().iter();
    list.filter_map(|path| path.as_deref())
}
