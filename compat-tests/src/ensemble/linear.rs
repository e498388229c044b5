//! Is there one order of a register's operations that its answers could have come from?
//!
//! The search is that of Wing and Gong with Lowe's memory of what was tried: an operation may
//! come next if no other one that is still left had ended before it began. A register carries
//! its ZooKeeper version, so most answers have only one place, and the search is short.
//!
//! A write whose answer never came may have been done at any time after it was sent, also long
//! after its client gave up, or not at all: it has no end, and may be left out.

use std::collections::{HashMap, HashSet};

/// Steps after which the search gives up; a history is then undecided, never fine.
const STEP_LIMIT: u64 = 20_000_000;

/// What a register holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct State {
    /// The node's version.
    pub(crate) version: i32,
    /// No two writes of a history have the same.
    pub(crate) value: u64,
}

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// setData, with an expected version or without.
    Write {
        /// The new value.
        value: u64,
        /// The version it must have, if any.
        expected: Option<i32>,
    },
    /// A read that must not be stale.
    Read,
}

/// What was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The write was done and made this version.
    Written(i32),
    /// The version was not the expected one.
    BadVersion,
    /// What the read saw.
    Saw(State),
    /// None came.
    Unknown,
}

/// One operation; times are of one clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Operation {
    /// When it was sent.
    pub(crate) invoked: u64,
    /// When its answer came; not looked at if none did.
    pub(crate) returned: u64,
    /// What was asked.
    pub(crate) action: Action,
    /// What was answered.
    pub(crate) answer: Answer,
}

/// Outcome of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// There is an order.
    Linearizable,
    /// There is none; the operation behind which no attempt came.
    Impossible(Operation),
    /// The search became too long.
    Undecided,
}

/// What the answers say about versions before any order is tried.
#[derive(Debug, Default)]
struct Known {
    /// The value that a version was seen, or made, with.
    value_at: HashMap<i32, u64>,
    /// The version that a value was seen, or made, at.
    version_of: HashMap<u64, i32>,
}

impl Known {
    /// None if two answers contradict each other.
    fn of(operations: &[Operation]) -> Result<Self, Operation> {
        let mut known = Self::default();
        for operation in operations {
            let state = match (operation.action, operation.answer) {
                (_, Answer::Saw(state)) => state,
                (Action::Write { value, .. }, Answer::Written(version)) => State { version, value },
                _ => continue,
            };
            let value = *known.value_at.entry(state.version).or_insert(state.value);
            let version = *known.version_of.entry(state.value).or_insert(state.version);
            if value != state.value || version != state.version {
                return Err(*operation);
            }
        }
        Ok(known)
    }

    /// May this state have been there at all?
    fn allows(&self, state: State) -> bool {
        let value = self.value_at.get(&state.version);
        let version = self.version_of.get(&state.value);
        value.is_none_or(|value| *value == state.value)
            && version.is_none_or(|version| *version == state.version)
    }
}

/// The state after `operation`, if its answer can come from `state`.
fn after(state: State, operation: &Operation) -> Option<State> {
    let written = |value| State {
        version: state.version.wrapping_add(1),
        value,
    };
    match (operation.action, operation.answer) {
        (Action::Read, Answer::Saw(seen)) => (seen == state).then_some(state),
        (Action::Write { expected, .. }, Answer::BadVersion) => expected
            .is_some_and(|version| version != state.version)
            .then_some(state),
        (Action::Write { value, expected }, Answer::Written(version)) => {
            let fits = expected.is_none_or(|expected| expected == state.version);
            (fits && written(value).version == version).then(|| written(value))
        }
        (Action::Write { value, expected }, Answer::Unknown) => {
            let fits = expected.is_none_or(|expected| expected == state.version);
            fits.then(|| written(value))
        }
        // No other answer is ever recorded for these.
        (Action::Read, _) | (Action::Write { .. }, Answer::Saw(_)) => None,
    }
}

/// A set of operations, by number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Done(Vec<u64>);

impl Done {
    fn flip(&mut self, operation: usize) {
        self.0[operation / 64] ^= 1 << (operation % 64);
    }
}

/// Beginnings and ends in the order of time, as a list from which both of one operation can be
/// taken and put back.
#[derive(Debug)]
struct Events {
    /// The operation, and whether this is its end.
    entries: Vec<(usize, bool)>,
    next: Vec<usize>,
    previous: Vec<usize>,
    /// Where an operation begins and ends in the list.
    places: Vec<(usize, Option<usize>)>,
}

/// The list's head; entry n stands at n + 1.
const HEAD: usize = 0;

impl Events {
    fn of(operations: &[Operation]) -> Self {
        let mut entries = Vec::new();
        for (number, operation) in operations.iter().enumerate() {
            entries.push((operation.invoked, number, false));
            if operation.answer != Answer::Unknown {
                entries.push((operation.returned.max(operation.invoked), number, true));
            }
        }
        // Beginnings before ends of the same instant: such operations overlap.
        entries.sort_by_key(|&(time, number, end)| (time, end, number));
        let count = entries.len() + 1;
        let mut places = vec![(HEAD, None); operations.len()];
        for (at, &(_, number, end)) in (1..).zip(&entries) {
            if end {
                places[number].1 = Some(at);
            } else {
                places[number].0 = at;
            }
        }
        Self {
            entries: entries
                .into_iter()
                .map(|(_, number, end)| (number, end))
                .collect(),
            next: (0..count).map(|at| (at + 1) % count).collect(),
            previous: (0..count).map(|at| (at + count - 1) % count).collect(),
            places,
        }
    }

    fn entry(&self, at: usize) -> Option<(usize, bool)> {
        (at != HEAD).then(|| self.entries[at - 1])
    }

    fn unlink(&mut self, at: usize) {
        let (before, behind) = (self.previous[at], self.next[at]);
        self.next[before] = behind;
        self.previous[behind] = before;
    }

    fn relink(&mut self, at: usize) {
        let (before, behind) = (self.previous[at], self.next[at]);
        self.next[before] = at;
        self.previous[behind] = at;
    }

    fn take(&mut self, operation: usize) {
        let (begin, end) = self.places[operation];
        self.unlink(begin);
        if let Some(end) = end {
            self.unlink(end);
        }
    }

    fn put_back(&mut self, operation: usize) {
        let (begin, end) = self.places[operation];
        if let Some(end) = end {
            self.relink(end);
        }
        self.relink(begin);
    }
}

/// Searches for an order of `operations` on a register that holds `initial`.
pub(crate) fn check(initial: State, operations: &[Operation]) -> Verdict {
    match Known::of(operations) {
        Ok(known) => Search::new(initial, operations, known).run(),
        Err(operation) => Verdict::Impossible(operation),
    }
}

struct Search<'a> {
    operations: &'a [Operation],
    known: Known,
    events: Events,
    state: State,
    done: Done,
    /// Operations with an answer that have no place yet.
    left: usize,
    /// What has a place, with the state before it.
    order: Vec<(usize, State)>,
    tried: HashSet<Tried>,
    unseen: Vec<Unseen>,
    unseen_done: usize,
}

/// All that decides what can still come: what was seen of the operations that have a place, the
/// state, and how many writes without a trace were used.
type Tried = (Done, State, usize);

/// Unanswered writes whose value nobody saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unseen {
    /// Not one of them.
    No,
    /// Without a condition, with its rank by time. Any of them can fill a gap, so only the
    /// earliest left is ever tried: where a later one would stand it can stand too, and
    /// exchanging the two changes no answer.
    Anywhere(usize),
    /// With a condition: it fits one version only, and is useless once that is gone.
    Somewhere,
}

impl<'a> Search<'a> {
    fn new(initial: State, operations: &'a [Operation], known: Known) -> Self {
        let mut unseen = vec![Unseen::No; operations.len()];
        let mut by_time: Vec<usize> = (0..operations.len()).collect();
        by_time.sort_by_key(|&number| operations[number].invoked);
        let mut rank = 0;
        for number in by_time {
            let operation = &operations[number];
            let (Action::Write { value, expected }, Answer::Unknown) =
                (operation.action, operation.answer)
            else {
                continue;
            };
            if known.version_of.contains_key(&value) {
                continue;
            }
            if expected.is_some() {
                unseen[number] = Unseen::Somewhere;
            } else {
                unseen[number] = Unseen::Anywhere(rank);
                rank += 1;
            }
        }
        let answered = operations.iter().filter(|o| o.answer != Answer::Unknown);
        Self {
            operations,
            known,
            events: Events::of(operations),
            state: initial,
            done: Done(vec![0; operations.len().div_ceil(64)]),
            left: answered.count(),
            order: Vec::new(),
            tried: HashSet::new(),
            unseen,
            unseen_done: 0,
        }
    }

    fn run(mut self) -> Verdict {
        let (mut at, mut steps) = (self.events.next[HEAD], 0_u64);
        let mut furthest = (0, None);
        while self.left > 0 {
            steps += 1;
            if steps > STEP_LIMIT {
                return Verdict::Undecided;
            }
            match self.events.entry(at) {
                Some((operation, false)) => {
                    at = if self.place(operation) {
                        self.events.next[HEAD]
                    } else {
                        self.events.next[at]
                    };
                }
                // An end: its operation must come before anything that begins later.
                blocked => {
                    if self.order.len() >= furthest.0 {
                        let blocked = blocked.map(|(operation, _)| operation);
                        furthest = (self.order.len(), blocked.or(furthest.1));
                    }
                    let Some(back) = self.back() else {
                        let stuck = furthest.1.unwrap_or(0);
                        return Verdict::Impossible(self.operations[stuck]);
                    };
                    at = back;
                }
            }
        }
        Verdict::Linearizable
    }

    /// Gives an operation the next place, if that is possible and was not tried before.
    fn place(&mut self, operation: usize) -> bool {
        let Some(state) = after(self.state, &self.operations[operation]) else {
            return false;
        };
        if !self.known.allows(state) {
            return false;
        }
        if let Unseen::Anywhere(rank) = self.unseen[operation]
            && rank != self.unseen_done
        {
            return false;
        }
        self.count(operation, true);
        if !self.tried.insert(self.key(state)) {
            self.count(operation, false);
            return false;
        }
        self.order.push((operation, self.state));
        self.state = state;
        self.events.take(operation);
        true
    }

    fn key(&self, state: State) -> Tried {
        let seen = self.known.version_of.contains_key(&state.value);
        let value = if seen { state.value } else { u64::MAX };
        (
            self.done.clone(),
            State { value, ..state },
            self.unseen_done,
        )
    }

    /// Takes the last place of a write back; where to look on, or none if there is none left.
    ///
    /// What changes nothing is never worth moving: an operation that can stand here can do so in
    /// every order that has it later.
    fn back(&mut self) -> Option<usize> {
        loop {
            let (operation, before) = self.order.pop()?;
            let changed = self.state.version != before.version;
            self.state = before;
            self.count(operation, false);
            self.events.put_back(operation);
            if changed {
                return Some(self.events.next[self.events.places[operation].0]);
            }
        }
    }

    fn count(&mut self, operation: usize, placed: bool) {
        let answered = usize::from(self.operations[operation].answer != Answer::Unknown);
        let anywhere = usize::from(matches!(self.unseen[operation], Unseen::Anywhere(_)));
        if self.unseen[operation] == Unseen::No {
            self.done.flip(operation);
        }
        if placed {
            self.left -= answered;
            self.unseen_done += anywhere;
        } else {
            self.left += answered;
            self.unseen_done -= anywhere;
        }
    }
}

#[cfg(test)]
#[path = "linear_tests.rs"]
mod tests;
