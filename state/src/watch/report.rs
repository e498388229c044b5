//! Counts and listings for operators. They show the data table, as Apache's four-letter
//! words do; only the total counts both.

use super::modes::Modes;
use super::{WatcherId, Watches};

/// Numbers of the data watches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WatchSummary {
    /// Connections that have any.
    pub connections: usize,
    /// Paths that have any.
    pub paths: usize,
    /// Pairs of a connection and a path.
    pub watches: usize,
}

impl Watches {
    /// All watches of both tables; a persistent one stands in both.
    pub fn count(&self) -> usize {
        self.counts.data + self.counts.child
    }

    /// Numbers of the data watches, for `wchs`.
    pub fn summary(&self) -> WatchSummary {
        let has_data = |modes: Modes| modes.any(Modes::IN_DATA);
        let connections = self.of_watcher.iter().filter(|(watcher, paths)| {
            let mut modes = paths.iter().map(|id| self.paths.modes(id, **watcher));
            modes.any(has_data)
        });
        let paths = self.paths.iter().filter(|watched| {
            let mut watches = watched.watches.iter();
            watches.any(|watch| has_data(watch.modes))
        });
        WatchSummary {
            connections: connections.count(),
            paths: paths.count(),
            watches: self.counts.data,
        }
    }

    /// Every path with data watches and who has them, for `wchp`; both sorted.
    pub fn by_path(&self) -> Vec<(&str, Vec<WatcherId>)> {
        let mut listing = Vec::new();
        for watched in self.paths.iter() {
            let watches = watched.watches.iter();
            let data = watches.filter(|watch| watch.modes.any(Modes::IN_DATA));
            let watchers: Vec<WatcherId> = data.map(|watch| watch.watcher).collect();
            if !watchers.is_empty() {
                listing.push((&*watched.path, watchers));
            }
        }
        listing.sort_unstable_by_key(|(path, _)| *path);
        listing
    }

    /// Every connection with data watches and their paths, for `wchc`; both sorted.
    pub fn by_watcher(&self) -> Vec<(WatcherId, Vec<&str>)> {
        let mut listing = Vec::new();
        for (watcher, paths) in &self.of_watcher {
            let data = paths.iter().filter(|id| {
                let modes = self.paths.modes(*id, *watcher);
                modes.any(Modes::IN_DATA)
            });
            let mut paths: Vec<&str> = data.map(|id| &*self.paths.get(id).path).collect();
            if !paths.is_empty() {
                paths.sort_unstable();
                listing.push((*watcher, paths));
            }
        }
        listing.sort_unstable_by_key(|(watcher, _)| *watcher);
        listing
    }
}
