use crate::Ustring;
use crate::wire::record;

record! {
    /// Watches to register again after a reconnect.
    pub struct SetWatches<'a> {
        /// The last zxid that the client saw on its old connection.
        pub relative_zxid: i64,
        /// Data watches on nodes that existed.
        pub data_watches: Option<Vec<Ustring<'a>>>,
        /// Data watches on nodes that did not exist.
        pub exist_watches: Option<Vec<Ustring<'a>>>,
        /// Child watches.
        pub child_watches: Option<Vec<Ustring<'a>>>,
    }
}

record! {
    /// As [`SetWatches`], with persistent watches.
    pub struct SetWatches2<'a> {
        /// The last zxid that the client saw on its old connection.
        pub relative_zxid: i64,
        /// Data watches on nodes that existed.
        pub data_watches: Option<Vec<Ustring<'a>>>,
        /// Data watches on nodes that did not exist.
        pub exist_watches: Option<Vec<Ustring<'a>>>,
        /// Child watches.
        pub child_watches: Option<Vec<Ustring<'a>>>,
        /// Persistent watches.
        pub persistent_watches: Option<Vec<Ustring<'a>>>,
        /// Persistent recursive watches.
        pub persistent_recursive_watches: Option<Vec<Ustring<'a>>>,
    }
}

record! {
    /// Add a persistent watch.
    pub struct AddWatchRequest<'a> {
        /// The node; it need not exist.
        pub path: Ustring<'a>,
        /// An [`AddWatchMode`].
        pub mode: i32,
    }
}

record! {
    /// Look for or remove a watch; the request of checkWatches and of removeWatches.
    pub struct CheckWatchesRequest<'a> {
        /// The node.
        pub path: Ustring<'a>,
        /// A [`WatcherType`].
        pub watcher_type: i32,
    }
}

record! {
    /// The body of a notification.
    pub struct WatcherEvent<'a> {
        /// An [`EventType`].
        pub event_type: i32,
        /// A [`KeeperState`].
        pub state: i32,
        /// The node.
        pub path: Ustring<'a>,
    }
}

/// The kinds of persistent watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum AddWatchMode {
    /// This node and its children's names.
    Persistent = 0,
    /// This node and everything below.
    PersistentRecursive = 1,
}

impl AddWatchMode {
    /// The mode with this number.
    pub fn from_i32(mode: i32) -> Option<Self> {
        Some(match mode {
            0 => Self::Persistent,
            1 => Self::PersistentRecursive,
            _ => return None,
        })
    }
}

/// Which watches checkWatches and removeWatches mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum WatcherType {
    /// Standard child watches.
    Children = 1,
    /// Standard data watches.
    Data = 2,
    /// Every watch at the path.
    Any = 3,
    /// Persistent watches.
    Persistent = 4,
    /// Persistent recursive watches.
    PersistentRecursive = 5,
}

impl WatcherType {
    /// The type with this number.
    pub fn from_i32(kind: i32) -> Option<Self> {
        Some(match kind {
            1 => Self::Children,
            2 => Self::Data,
            3 => Self::Any,
            4 => Self::Persistent,
            5 => Self::PersistentRecursive,
            _ => return None,
        })
    }
}

/// What happened to a watched node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum EventType {
    /// It was created.
    NodeCreated = 1,
    /// It was deleted.
    NodeDeleted = 2,
    /// Its data changed.
    NodeDataChanged = 3,
    /// A child was created or deleted.
    NodeChildrenChanged = 4,
}

impl EventType {
    /// The type of this number.
    pub fn from_i32(kind: i32) -> Option<Self> {
        Some(match kind {
            1 => Self::NodeCreated,
            2 => Self::NodeDeleted,
            3 => Self::NodeDataChanged,
            4 => Self::NodeChildrenChanged,
            _ => return None,
        })
    }
}

/// The state in a watch event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum KeeperState {
    /// The only state that servers send.
    SyncConnected = 3,
}
