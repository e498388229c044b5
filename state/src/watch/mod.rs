//! Watches: who wants to hear of changes at which paths.
//!
//! A watch belongs to a connection, not to a session. There are two tables: data watches,
//! which fire when a node is created, changed or deleted, and child watches, which fire
//! when a node's set of children changes or the node goes. A change looks its path up once
//! in an index of the watched paths, and walks up to the root only while there are
//! recursive watches; without a watch on the path it allocates nothing.

mod event;
mod fire;
mod modes;
mod path_set;
mod paths;
mod report;

#[cfg(test)]
pub(crate) mod recorder;
#[cfg(test)]
mod tests;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use jute::proto::WatcherType;

pub use event::{EventSink, NoEvents, SYNTHESISED_ZXID};
pub(crate) use fire::Changed;
pub use report::WatchSummary;

use modes::{Modes, Table};
use path_set::PathSet;
use paths::{PathId, WatchedPaths};

/// A connection that may hold watches. Numbers are never used twice by a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatcherId(pub u64);

/// A way to watch a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchKind {
    /// Once: the node's creation, change or deletion.
    Data,
    /// Once: the children's names, or the node's deletion.
    Child,
    /// Both of these, until removed.
    Persistent,
    /// Creation, change and deletion here and of everything below, until removed.
    PersistentRecursive,
}

impl WatchKind {
    fn modes(self) -> Modes {
        match self {
            Self::Data => Modes::DATA,
            Self::Child => Modes::CHILD,
            Self::Persistent => Modes::PERSISTENT,
            Self::PersistentRecursive => Modes::RECURSIVE,
        }
    }
}

/// All watches of a server's connections.
pub struct Watches {
    paths: WatchedPaths,
    /// What goes when a connection goes. Never iterated where the order could be seen.
    of_watcher: HashMap<WatcherId, PathSet, FixedState>,
    counts: Counts,
    /// Room for the watchers of one event, kept to be used again: of the data table, and
    /// of the child table.
    told: [Vec<WatcherId>; 2],
}

/// How many (connection, path) pairs there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    data: usize,
    child: usize,
    recursive: usize,
}

impl Counts {
    fn change(&mut self, old: Modes, new: Modes) {
        for (count, modes) in [
            (&mut self.data, Modes::IN_DATA),
            (&mut self.child, Modes::IN_CHILD),
            (&mut self.recursive, Modes::RECURSIVE),
        ] {
            *count += usize::from(new.any(modes));
            *count -= usize::from(old.any(modes));
        }
    }

    fn of(self, table: Table) -> usize {
        match table {
            Table::Data => self.data,
            Table::Child => self.child,
        }
    }
}

impl Default for Watches {
    fn default() -> Self {
        Self::new(0)
    }
}

impl Watches {
    /// No watches. `seed` keys the index of paths, since clients choose them.
    pub fn new(seed: u64) -> Self {
        Self {
            paths: WatchedPaths::new(seed),
            of_watcher: HashMap::default(),
            counts: Counts::default(),
            told: [Vec::new(), Vec::new()],
        }
    }

    /// Adds a watch, beside those of other kinds that the watcher has at this path.
    pub fn add(&mut self, watcher: WatcherId, path: &str, kind: WatchKind) {
        let id = self.paths.find_or_insert(path);
        let watch = self.paths.watch_mut(id, watcher);
        let old = *watch;
        *watch = old.with(kind.modes());
        self.counts.change(old, *watch);
        if old.is_empty() {
            self.of_watcher.entry(watcher).or_default().insert(id);
        }
    }

    /// Has this watcher such a watch at exactly this path?
    pub fn contains(&self, watcher: WatcherId, path: &str, kind: WatcherType) -> bool {
        let modes = self.modes(watcher, path);
        match kind {
            WatcherType::Children => modes.any(Modes::CHILD),
            WatcherType::Data => modes.any(Modes::DATA),
            WatcherType::Any => !modes.is_empty(),
            WatcherType::Persistent => modes.any(Modes::DATA_PERSISTENT),
            WatcherType::PersistentRecursive => modes.any(Modes::RECURSIVE),
        }
    }

    /// Removes a watcher's watches of this kind at exactly this path. False if there were
    /// none.
    pub fn remove(&mut self, watcher: WatcherId, path: &str, kind: WatcherType) -> bool {
        let gone = match kind {
            WatcherType::Children => Modes::CHILD,
            WatcherType::Data => Modes::DATA,
            WatcherType::Any => Modes::EVERY,
            WatcherType::Persistent => Modes::PERSISTENT,
            WatcherType::PersistentRecursive => Modes::RECURSIVE,
        };
        let Some(id) = self.paths.find(path) else {
            return false;
        };
        let old = self.paths.modes(id, watcher);
        if !old.any(gone) {
            return false;
        }
        let left = old.without(gone);
        self.paths.set_modes(id, watcher, left);
        self.counts.change(old, left);
        if left.is_empty() {
            forget(&mut self.of_watcher, watcher, id);
        }
        true
    }

    /// Removes all watches of a connection that ended.
    pub fn remove_watcher(&mut self, watcher: WatcherId) {
        self.remove_some(watcher, usize::MAX);
    }

    /// Removes up to `max` paths' watches of a connection that ended; true if there are more. A
    /// watch that is left meanwhile is as good as any: it may fire, and is gone then.
    pub fn remove_some(&mut self, watcher: WatcherId, max: usize) -> bool {
        let Some(paths) = self.of_watcher.get_mut(&watcher) else {
            return false;
        };
        let taken = paths.take(max);
        let more = !paths.is_empty();
        if !more {
            self.of_watcher.remove(&watcher);
        }
        for id in taken {
            let old = self.paths.modes(id, watcher);
            self.paths.set_modes(id, watcher, Modes::NONE);
            self.counts.change(old, Modes::NONE);
        }
        more
    }

    fn modes(&self, watcher: WatcherId, path: &str) -> Modes {
        match self.paths.find(path) {
            Some(id) => self.paths.modes(id, watcher),
            None => Modes::NONE,
        }
    }
}

/// Notes that a watcher watches a path no longer.
fn forget(
    of_watcher: &mut HashMap<WatcherId, PathSet, FixedState>,
    watcher: WatcherId,
    path: PathId,
) {
    let paths = of_watcher.get_mut(&watcher);
    let paths = paths.expect("a watch is listed with its watcher");
    paths.remove(path);
    if paths.is_empty() {
        of_watcher.remove(&watcher);
    }
}
