//! The names of one directory: as seen now, as durable, and the changes between the two.

use std::collections::BTreeMap;

use super::Rng;

/// One change of the names.
#[derive(Debug, Clone)]
pub(super) enum NameChange {
    Link { name: String, id: u64 },
    Unlink { name: String },
    Rename { from: String, to: String, id: u64 },
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, u64>) {
        match self {
            Self::Link { name, id } => {
                names.insert(name.clone(), *id);
            }
            Self::Unlink { name } => {
                names.remove(name);
            }
            Self::Rename { from, to, id } => {
                // When an earlier, lost change named something else `from`, that something stays.
                if names.get(from) == Some(id) {
                    names.remove(from);
                }
                names.insert(to.clone(), *id);
            }
        }
    }
}

/// Names and the files they stand for.
#[derive(Debug, Default)]
pub(super) struct Directory {
    now: BTreeMap<String, u64>,
    durable: BTreeMap<String, u64>,
    pending: Vec<NameChange>,
}

impl Directory {
    pub(super) fn get(&self, name: &str) -> Option<u64> {
        self.now.get(name).copied()
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.now.keys().cloned().collect()
    }

    /// Whether any name, now or after a crash, can stand for the file.
    pub(super) fn holds(&self, id: u64) -> bool {
        let pending = |change: &NameChange| match change {
            NameChange::Link { id: linked, .. } | NameChange::Rename { id: linked, .. } => {
                *linked == id
            }
            NameChange::Unlink { .. } => false,
        };
        self.now
            .values()
            .chain(self.durable.values())
            .any(|held| *held == id)
            || self.pending.iter().any(pending)
    }

    pub(super) fn change(&mut self, change: NameChange) {
        change.apply(&mut self.now);
        self.pending.push(change);
    }

    pub(super) fn sync(&mut self) {
        self.durable = self.now.clone();
        self.pending.clear();
    }

    pub(super) fn crash(&mut self, rng: &mut Rng) {
        for change in std::mem::take(&mut self.pending) {
            if rng.below(2) == 0 {
                change.apply(&mut self.durable);
            }
        }
        self.now = self.durable.clone();
    }
}
