//! What a disk holds after whatever crash is what it was told, in order: nothing that was reported
//! as durable is missing, nothing that was truncated comes back, and the epochs only grow, the
//! current one never above the accepted one.
//!
//! Source: section 17 of the Zab facts, (i) and (iii); DESIGN.md, invariant 2.

use std::collections::{BTreeSet, VecDeque};

use jute::Zxid;
use zab::{Epoch, Recovered, Store};

use crate::violation::{Checked, ensure};

const NAME: &str = "disks";

/// The ends that a log can have, and the epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// The last entry of the log. It says what is in it: no two logs with the same end differ.
    pub(crate) end: i64,
    pub(crate) accepted: Epoch,
    pub(crate) current: Epoch,
}

impl Held {
    const NOTHING: Self = Self {
        end: 0,
        accepted: Epoch::ZERO,
        current: Epoch::ZERO,
    };

    /// A start promises what a disk that was wiped has taken over before a crash.
    fn as_found(self) -> Self {
        let history = Epoch::of(Zxid(self.end));
        let wiped = self.accepted == Epoch::ZERO && self.current == Epoch::ZERO;
        Self {
            accepted: if wiped { history } else { self.accepted },
            ..self
        }
    }

    fn after(self, store: &Store) -> Self {
        match store {
            Store::Append(entry) => Self {
                end: entry.zxid.0,
                ..self
            },
            Store::Truncate(Zxid(end)) | Store::InstallSnapshot(Zxid(end)) => {
                Self { end: *end, ..self }
            }
            Store::AcceptedEpoch(accepted) => Self {
                accepted: *accepted,
                ..self
            },
            Store::CurrentEpoch(current) => Self {
                current: *current,
                ..self
            },
            Store::CommittedConfig(_) | Store::LastSeenConfig(_) | Store::Barrier => self,
        }
    }
}

/// One server's disk, as its server was told of it.
#[derive(Debug)]
pub(crate) struct Record {
    held: Held,
    /// What it may hold besides, after each write that is being carried out.
    open: VecDeque<Held>,
    /// A truncation missed, and nothing is carried out before the next barrier.
    void: bool,
    /// Current epochs whose writing a crash may have interrupted: a start that finds a history
    /// newer than the current epoch takes over what an unfinished replacement says, however old.
    attempted: BTreeSet<Epoch>,
}

impl Record {
    pub(crate) fn new() -> Self {
        Self {
            held: Held::NOTHING,
            open: VecDeque::new(),
            void: false,
            attempted: BTreeSet::new(),
        }
    }

    /// What is durable for certain.
    pub(crate) fn held(&self) -> Held {
        self.held
    }

    /// A write is about to be carried out.
    pub(crate) fn begins(&mut self, store: &Store) {
        self.void &= !matches!(store, Store::Barrier);
        if let Store::CurrentEpoch(epoch) = store {
            self.attempted.insert(*epoch);
        }
        let last = self.open.back().copied().unwrap_or(self.held);
        let next = if self.void { last } else { last.after(store) };
        self.open.push_back(next);
    }

    /// All that was begun is done.
    pub(crate) fn done(&mut self) {
        if let Some(last) = self.open.drain(..).next_back() {
            self.held = last;
        }
    }

    /// Number `at` of the writes that were begun was a truncation, and the log cannot be cut there:
    /// nothing was changed. `behind` are those after it.
    pub(crate) fn truncation_missed(&mut self, at: usize, behind: &[Store]) {
        self.open.truncate(at);
        self.void = true;
        for store in behind {
            self.begins(store);
        }
    }

    /// A start found this.
    pub(crate) fn recovered(&mut self, server: u64, found: &Recovered) -> Checked {
        let epochs = (found.accepted_epoch, found.current_epoch);
        let found = Held {
            end: found.last_zxid.0,
            accepted: found.accepted_epoch,
            current: found.current_epoch,
        };
        ensure!(
            epochs.0 >= epochs.1,
            NAME,
            "server {server} starts with acceptedEpoch {} below currentEpoch {}",
            epochs.0,
            epochs.1
        );
        let mut possible = std::iter::once(self.held).chain(self.open.iter().copied());
        let fits = possible.any(|held| {
            let held = held.as_found();
            let replaced = Epoch::of(Zxid(found.end)) > held.current
                && found.current > held.current
                && self.attempted.contains(&found.current);
            let same_current = held.current == found.current || replaced;
            held.end == found.end && held.accepted == found.accepted && same_current
        });
        ensure!(
            fits,
            NAME,
            "server {server} starts with {found:x?}; it held {:x?}, on its way were {:x?}",
            self.held,
            self.open
        );
        self.held = found;
        self.open.clear();
        self.void = false;
        Ok(())
    }
}
