//! What a session watches, as Java's client keeps it.

use std::borrow::Cow;
use std::collections::BTreeSet;

use jute::ErrorCode;
use jute::OpCode;
use jute::proto::{AddWatchMode, EventType, SetWatches, SetWatches2, WatcherType};
use jute::wire::Encode;

use crate::session::request::Request;

/// Most bytes of paths in one setWatches packet.
const SET_WATCHES_BYTES_MAX: usize = 128 * 1024;

/// The watches of a session. They belong to the connection on the server's side, so the
/// client keeps them to register them again on the next one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watches {
    data: BTreeSet<String>,
    exist: BTreeSet<String>,
    child: BTreeSet<String>,
    persistent: BTreeSet<String>,
    recursive: BTreeSet<String>,
}

impl Watches {
    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of watches.
    pub fn len(&self) -> usize {
        self.lists().iter().map(|list| list.len()).sum()
    }

    /// Does what becomes of this request change what is watched?
    pub(crate) fn are_concerned(request: &Request) -> bool {
        match request {
            Request::GetData { watch, .. }
            | Request::Exists { watch, .. }
            | Request::GetChildren { watch, .. }
            | Request::GetChildren2 { watch, .. } => *watch,
            Request::AddWatch { .. } | Request::RemoveWatches { .. } => true,
            _ => false,
        }
    }

    /// Notes what a request that was answered set or removed.
    pub(crate) fn answered(&mut self, request: &Request, error: Option<ErrorCode>) {
        match (request, error) {
            (Request::GetData { path, watch: true }, None)
            | (Request::Exists { path, watch: true }, None) => {
                self.data.insert(path.clone());
            }
            (Request::Exists { path, watch: true }, Some(ErrorCode::NoNode)) => {
                self.exist.insert(path.clone());
            }
            (
                Request::GetChildren { path, watch: true }
                | Request::GetChildren2 { path, watch: true },
                None,
            ) => {
                self.child.insert(path.clone());
            }
            (Request::AddWatch { path, mode }, None) => {
                match mode {
                    AddWatchMode::Persistent => self.persistent.insert(path.clone()),
                    AddWatchMode::PersistentRecursive => self.recursive.insert(path.clone()),
                };
            }
            (Request::RemoveWatches { path, kind }, None | Some(ErrorCode::NoWatcher)) => {
                self.remove(path, *kind);
            }
            _ => {}
        }
    }

    /// Requests to remove watches were cut off. The server has dropped all watches of the
    /// connection, so what they wanted is done if these are not registered again.
    pub(crate) fn gone_with_connection(&mut self, requests: impl IntoIterator<Item = Request>) {
        for request in requests {
            if let Request::RemoveWatches { path, kind } = request {
                self.remove(&path, kind);
            }
        }
    }

    /// Is there a watch of this kind at this path? `Any` asks for all kinds.
    pub fn contains(&self, path: &str, kind: WatcherType) -> bool {
        let data = || self.data.contains(path) || self.exist.contains(path);
        match kind {
            WatcherType::Data => data(),
            WatcherType::Children => self.child.contains(path),
            WatcherType::Persistent => self.persistent.contains(path),
            WatcherType::PersistentRecursive => self.recursive.contains(path),
            WatcherType::Any => data() || self.lists()[2..].iter().any(|list| list.contains(path)),
        }
    }

    pub(crate) fn remove(&mut self, path: &str, kind: WatcherType) {
        let any = kind == WatcherType::Any;
        if any || kind == WatcherType::Data {
            self.data.remove(path);
            self.exist.remove(path);
        }
        if any || kind == WatcherType::Children {
            self.child.remove(path);
        }
        if any || kind == WatcherType::Persistent {
            self.persistent.remove(path);
        }
        if any || kind == WatcherType::PersistentRecursive {
            self.recursive.remove(path);
        }
    }

    /// Uses up what an event uses up.
    pub(crate) fn fired(&mut self, kind: EventType, path: &str) {
        if kind != EventType::NodeChildrenChanged {
            self.data.remove(path);
            self.exist.remove(path);
        }
        if matches!(
            kind,
            EventType::NodeChildrenChanged | EventType::NodeDeleted
        ) {
            self.child.remove(path);
        }
    }

    /// The packets that register everything again, given the last zxid seen.
    pub(crate) fn again(&self, relative_zxid: i64) -> Vec<Again<'_>> {
        self.packets(relative_zxid).into_iter().map(Again).collect()
    }

    fn packets(&self, relative_zxid: i64) -> Vec<SetWatches2<'_>> {
        let mut packets = Vec::new();
        let mut room = 0;
        for (at, list) in self.lists().into_iter().enumerate() {
            for path in list {
                if room < path.len() || packets.is_empty() {
                    packets.push(empty_packet(relative_zxid));
                    room = SET_WATCHES_BYTES_MAX;
                }
                room = room.saturating_sub(path.len());
                let packet = packets.last_mut().expect("pushed above");
                list_of(packet, at).push(Some(Cow::Borrowed(path.as_str())));
            }
        }
        packets
    }

    /// In the order of the packet.
    fn lists(&self) -> [&BTreeSet<String>; 5] {
        [
            &self.data,
            &self.exist,
            &self.child,
            &self.persistent,
            &self.recursive,
        ]
    }
}

/// A packet that registers watches again.
#[derive(Debug)]
pub(crate) struct Again<'a>(SetWatches2<'a>);

impl Again<'_> {
    /// Servers before 3.6 know no persistent watches and only the older packet.
    pub(crate) fn op(&self) -> OpCode {
        let none = |list: &Option<Vec<_>>| list.as_ref().is_none_or(Vec::is_empty);
        let packet = &self.0;
        match none(&packet.persistent_watches) && none(&packet.persistent_recursive_watches) {
            true => OpCode::SetWatches,
            false => OpCode::SetWatches2,
        }
    }
}

impl Encode for Again<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        let packet = &self.0;
        match self.op() {
            OpCode::SetWatches => SetWatches {
                relative_zxid: packet.relative_zxid,
                data_watches: packet.data_watches.clone(),
                exist_watches: packet.exist_watches.clone(),
                child_watches: packet.child_watches.clone(),
            }
            .encode(out),
            _ => packet.encode(out),
        }
    }
}

fn empty_packet<'a>(relative_zxid: i64) -> SetWatches2<'a> {
    SetWatches2 {
        relative_zxid,
        data_watches: Some(Vec::new()),
        exist_watches: Some(Vec::new()),
        child_watches: Some(Vec::new()),
        persistent_watches: Some(Vec::new()),
        persistent_recursive_watches: Some(Vec::new()),
    }
}

fn list_of<'p, 'a>(packet: &'p mut SetWatches2<'a>, at: usize) -> &'p mut Vec<jute::Ustring<'a>> {
    let list = match at {
        0 => &mut packet.data_watches,
        1 => &mut packet.exist_watches,
        2 => &mut packet.child_watches,
        3 => &mut packet.persistent_watches,
        _ => &mut packet.persistent_recursive_watches,
    };
    list.get_or_insert_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path() -> String {
        "/a".to_owned()
    }

    #[test]
    fn what_sets_a_watch_and_what_uses_it_up() {
        let no_node = Some(ErrorCode::NoNode);
        let exists = Request::Exists {
            path: path(),
            watch: true,
        };
        let data = Request::GetData {
            path: path(),
            watch: true,
        };
        let child = Request::GetChildren {
            path: path(),
            watch: true,
        };
        let persistent = Request::AddWatch {
            path: path(),
            mode: AddWatchMode::Persistent,
        };
        let recursive = Request::AddWatch {
            path: path(),
            mode: AddWatchMode::PersistentRecursive,
        };
        let table = [
            (&exists, None, EventType::NodeDataChanged, 1, 0),
            (&exists, no_node, EventType::NodeCreated, 1, 0),
            (&data, None, EventType::NodeDeleted, 1, 0),
            (&data, None, EventType::NodeChildrenChanged, 1, 1),
            (&data, no_node, EventType::NodeCreated, 0, 0),
            (&child, None, EventType::NodeChildrenChanged, 1, 0),
            (&child, None, EventType::NodeDataChanged, 1, 1),
            (&child, None, EventType::NodeDeleted, 1, 0),
            (&persistent, None, EventType::NodeDeleted, 1, 1),
            (&recursive, None, EventType::NodeDeleted, 1, 1),
        ];
        for (request, error, event, set, left) in table {
            let mut watches = Watches::default();
            watches.answered(request, error);
            assert_eq!(watches.len(), set, "{request:?} {error:?}");
            watches.fired(event, "/a");
            assert_eq!(watches.len(), left, "{request:?} {error:?} {event:?}");
            assert!(Watches::are_concerned(request), "{request:?}");
        }
        let plain = Request::GetData {
            path: path(),
            watch: false,
        };
        assert!(!Watches::are_concerned(&plain));
    }

    #[test]
    fn removal_takes_the_kind_it_names() {
        let table = [
            (WatcherType::Data, 3),
            (WatcherType::Children, 4),
            (WatcherType::Persistent, 4),
            (WatcherType::PersistentRecursive, 4),
            (WatcherType::Any, 0),
        ];
        for (kind, left) in table {
            let one = || BTreeSet::from([path()]);
            let mut watches = Watches {
                data: one(),
                exist: one(),
                child: one(),
                persistent: one(),
                recursive: one(),
            };
            let path = path();
            watches.answered(&Request::RemoveWatches { path, kind }, None);
            assert_eq!(watches.len(), left, "{kind:?}");
        }
    }

    #[test]
    fn many_watches_make_several_packets() {
        let mut watches = Watches::default();
        for at in 0..300 {
            watches.child.insert(format!("/{at:01000}"));
        }
        let packets = watches.packets(7);
        assert_eq!(packets.len(), 3);
        let count = |packet: &SetWatches2<'_>| packet.child_watches.as_ref().map_or(0, Vec::len);
        assert_eq!(packets.iter().map(count).sum::<usize>(), 300);
        assert!(packets.iter().all(|packet| packet.relative_zxid == 7));
        assert!(Watches::default().packets(7).is_empty());
    }
}
