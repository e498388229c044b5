//! The watched paths: each stands once, with its watchers sorted by number.

use std::hash::BuildHasher;

use foldhash::SharedSeed;
use foldhash::fast::SeedableRandomState;
use hashbrown::HashTable;
use smallvec::SmallVec;

use super::WatcherId;
use super::modes::Modes;

/// A watched path's place. Free places are used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct PathId(u32);

/// Who watches a path, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watch {
    pub(super) watcher: WatcherId,
    pub(super) modes: Modes,
}

pub(super) struct WatchedPath {
    pub(super) path: Box<str>,
    /// Sorted, so that one among thousands is found fast; only a path being added or
    /// emptied has none.
    pub(super) watches: SmallVec<[Watch; 1]>,
}

pub(super) struct WatchedPaths {
    places: Vec<Option<WatchedPath>>,
    free: Vec<PathId>,
    index: HashTable<PathId>,
    hasher: SeedableRandomState,
}

impl WatchedPaths {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
            index: HashTable::new(),
            hasher: SeedableRandomState::with_seed(seed, SharedSeed::global_fixed()),
        }
    }

    pub(super) fn find(&self, path: &str) -> Option<PathId> {
        let hash = self.hasher.hash_one(path);
        let is_it = |id: &PathId| *self.get(*id).path == *path;
        self.index.find(hash, is_it).copied()
    }

    /// The caller adds a watch to it.
    pub(super) fn find_or_insert(&mut self, path: &str) -> PathId {
        if let Some(id) = self.find(path) {
            return id;
        }
        let id = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            PathId(u32::try_from(self.places.len() - 1).expect("fewer paths than memory"))
        });
        self.places[id.0 as usize] = Some(WatchedPath {
            path: path.into(),
            watches: SmallVec::new(),
        });
        let (places, hasher) = (&self.places, &self.hasher);
        let hash_of = |id: &PathId| hasher.hash_one(&*place(places, *id).path);
        self.index.insert_unique(hash_of(&id), id, hash_of);
        id
    }

    pub(super) fn get(&self, id: PathId) -> &WatchedPath {
        place(&self.places, id)
    }

    pub(super) fn get_mut(&mut self, id: PathId) -> &mut WatchedPath {
        let place = self.places[id.0 as usize].as_mut();
        place.expect("a watched path has its place")
    }

    pub(super) fn modes(&self, id: PathId, watcher: WatcherId) -> Modes {
        let watches = &self.get(id).watches;
        match watches.binary_search_by_key(&watcher, |watch| watch.watcher) {
            Ok(at) => watches[at].modes,
            Err(_) => Modes::NONE,
        }
    }

    /// The modes of a watcher, to be extended; it is listed from now on.
    pub(super) fn watch_mut(&mut self, id: PathId, watcher: WatcherId) -> &mut Modes {
        let watches = &mut self.get_mut(id).watches;
        let at = match watches.binary_search_by_key(&watcher, |watch| watch.watcher) {
            Ok(at) => at,
            Err(at) => {
                let modes = Modes::NONE;
                watches.insert(at, Watch { watcher, modes });
                at
            }
        };
        &mut watches[at].modes
    }

    /// Reduces the modes of a listed watcher; without any it is not listed any more.
    pub(super) fn set_modes(&mut self, id: PathId, watcher: WatcherId, modes: Modes) {
        let watches = &mut self.get_mut(id).watches;
        let at = watches.binary_search_by_key(&watcher, |watch| watch.watcher);
        let at = at.expect("the watcher is listed at the path");
        if modes.is_empty() {
            watches.remove(at);
            self.remove_if_unwatched(id);
        } else {
            watches[at].modes = modes;
        }
    }

    pub(super) fn remove_if_unwatched(&mut self, id: PathId) {
        if !self.get(id).watches.is_empty() {
            return;
        }
        let hash = self.hasher.hash_one(&*self.get(id).path);
        let entry = self.index.find_entry(hash, |other| *other == id);
        entry.expect("a watched path is in the index").remove();
        self.places[id.0 as usize] = None;
        self.free.push(id);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &WatchedPath> {
        self.places.iter().flatten()
    }
}

fn place(places: &[Option<WatchedPath>], id: PathId) -> &WatchedPath {
    let place = places[id.0 as usize].as_ref();
    place.expect("a watched path has its place")
}
