//! The paths that one connection watches: a few for nearly all, a hundred thousand for some.

use foldhash::fast::FixedState;
use hashbrown::HashSet;
use smallvec::SmallVec;

use super::paths::PathId;

/// Up to here, looking through a list is cheaper than hashing.
const FEW: usize = 16;

pub(super) enum PathSet {
    Few(SmallVec<[PathId; 4]>),
    Many(HashSet<PathId, FixedState>),
}

impl Default for PathSet {
    fn default() -> Self {
        Self::Few(SmallVec::new())
    }
}

impl PathSet {
    /// The caller knows that the path is not in the set.
    pub(super) fn insert(&mut self, path: PathId) {
        match self {
            Self::Few(paths) if paths.len() < FEW => paths.push(path),
            Self::Few(paths) => {
                let more = std::iter::once(path);
                *self = Self::Many(paths.iter().copied().chain(more).collect());
            }
            Self::Many(paths) => {
                paths.insert(path);
            }
        }
    }

    pub(super) fn remove(&mut self, path: PathId) {
        match self {
            Self::Few(paths) => {
                let at = paths.iter().position(|other| *other == path);
                paths.swap_remove(at.expect("the path is in the set"));
            }
            Self::Many(paths) => {
                assert!(paths.remove(&path), "the path is in the set");
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Few(paths) => paths.len(),
            Self::Many(paths) => paths.len(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes up to `max` paths out, in no order.
    pub(super) fn take(&mut self, max: usize) -> Vec<PathId> {
        match self {
            Self::Few(paths) => paths.drain(..max.min(paths.len())).collect(),
            Self::Many(paths) => paths.extract_if(|_| true).take(max).collect(),
        }
    }

    /// In no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = PathId> + '_ {
        let (few, many) = match self {
            Self::Few(paths) => (Some(paths), None),
            Self::Many(paths) => (None, Some(paths)),
        };
        let few = few.into_iter().flatten();
        few.chain(many.into_iter().flatten()).copied()
    }
}
