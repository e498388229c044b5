//! Breadth first through everything that can happen.

use std::ops::AddAssign;

use super::numbers::{Number, Numbers};
use super::world::{Move, State, World};
use super::{Past, SERVERS};

/// States of one search at the most: memory has an end.
const STATES_MAX: usize = 30_000_000;

/// What a search has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) states: usize,
    pub(super) moves: usize,
    /// States in which a leader has its quorum.
    pub(super) elected: usize,
    /// Moves to the farthest state.
    pub(super) depth: usize,
}

impl AddAssign for Found {
    fn add_assign(&mut self, other: Self) {
        self.states += other.states;
        self.moves += other.moves;
        self.elected += other.elected;
        self.depth = self.depth.max(other.depth);
    }
}

/// The two orders in which what is due at the same time happens.
const ORDERS: usize = 2;

struct Search {
    world: World,
    states: Vec<State>,
    numbers: Numbers,
    /// From where a state was reached first.
    parents: Vec<(Number, Option<Move>)>,
    depths: Vec<usize>,
    /// Without faults: backwards.
    came_from: Vec<(Number, Number)>,
    elected: Vec<bool>,
    /// The next state, without faults, in each of the orders; none at the end of the way.
    usual: Vec<[Option<Number>; ORDERS]>,
    found: Found,
}

pub(super) fn run(pasts: [Past; SERVERS], faults: u8, link: usize) -> Found {
    let mut search = Search {
        world: World::new(pasts, link),
        states: Vec::new(),
        numbers: Numbers::new(),
        parents: Vec::new(),
        depths: Vec::new(),
        came_from: Vec::new(),
        elected: Vec::new(),
        usual: Vec::new(),
        found: Found::default(),
    };
    search.number(World::start(faults), (0, None));
    let mut next = 0;
    while next < search.states.len() {
        search.expand(next as Number);
        next += 1;
    }
    search.check_there_is_a_way();
    search.check_usual_ways();
    search.found.states = search.states.len();
    search.found
}

impl Search {
    fn number(&mut self, state: State, parent: (Number, Option<Move>)) -> Number {
        let next = self.states.len();
        assert!(next < STATES_MAX, "more than {STATES_MAX} states");
        let number = self.numbers.of(state.packed());
        if number as usize == next {
            self.states.push(state);
            let depth = self
                .depths
                .get(parent.0 as usize)
                .map_or(0, |depth| depth + 1);
            self.depths.push(depth);
            self.found.depth = depth;
            self.parents.push(parent);
            let elected = self.world.leader(&state).is_some();
            self.elected.push(elected);
            self.found.elected += usize::from(elected);
        }
        number
    }

    fn expand(&mut self, at: Number) {
        let state = self.states[at as usize];
        let moves = self.world.moves(&state);
        self.found.moves += moves.len();
        let mut usual = [None; ORDERS];
        let delay = |action: &Move| self.world.delay(&state, *action);
        let delays: Vec<u8> = moves.iter().map(delay).collect();
        let soonest = delays.iter().min();
        for (action, delay) in moves.into_iter().zip(&delays) {
            let next = match self.world.apply(&state, action) {
                Ok(next) => self.number(next, (at, Some(action))),
                Err(violation) => panic!("{violation}{}", self.way_to(at, Some(action))),
            };
            if !action.is_fault() {
                self.came_from.push((next, at));
                if Some(delay) == soonest {
                    usual[0] = usual[0].or(Some(next));
                    usual[1] = Some(next);
                }
            }
        }
        self.usual.push(usual);
    }

    /// From every state a leader can be reached, without faults.
    fn check_there_is_a_way(&self) {
        let count = self.states.len();
        // All moves into a state stand together: counted first, then put there.
        let mut ends = vec![0_usize; count + 1];
        for (to, _) in &self.came_from {
            ends[*to as usize + 1] += 1;
        }
        for at in 0..count {
            ends[at + 1] += ends[at];
        }
        let (starts, mut free) = (ends.clone(), ends);
        let mut sources = vec![0; self.came_from.len()];
        for (to, from) in &self.came_from {
            sources[free[*to as usize]] = *from;
            free[*to as usize] += 1;
        }
        let mut reaches = self.elected.clone();
        let all = 0..count as Number;
        let mut open: Vec<Number> = all.filter(|at| reaches[*at as usize]).collect();
        while let Some(at) = open.pop() {
            let at = at as usize;
            for from in &sources[starts[at]..starts[at + 1]] {
                if !std::mem::replace(&mut reaches[*from as usize], true) {
                    open.push(*from);
                }
            }
        }
        if let Some(at) = reaches.iter().position(|reaches| !reaches) {
            panic!("no way to a leader{}", self.way_to(at as Number, None));
        }
    }

    /// In both orders a leader is reached.
    fn check_usual_ways(&self) {
        for order in 0..ORDERS {
            // By which start each state was seen; all from earlier starts end well.
            let mut seen: Vec<Option<Number>> = vec![None; self.states.len()];
            for start in 0..self.states.len() as Number {
                let mut at = start;
                while !self.elected[at as usize] && seen[at as usize].is_none() {
                    seen[at as usize] = Some(start);
                    match self.usual[at as usize][order] {
                        Some(next) => at = next,
                        None => panic!("it stops{}", self.way_to(at, None)),
                    }
                }
                let again = !self.elected[at as usize] && seen[at as usize] == Some(start);
                assert!(!again, "it goes round in circles{}", self.way_to(at, None));
            }
        }
    }

    /// How it came to that.
    fn way_to(&self, at: Number, last: Option<Move>) -> String {
        let (mut at, mut way) = (at, Vec::new());
        if let Some(action) = last {
            way.push(format!("{action:?}"));
        }
        way.push(self.world.describe(&self.states[at as usize]));
        while let (parent, Some(action)) = self.parents[at as usize] {
            way.push(format!("{action:?}"));
            at = parent;
        }
        way.push(String::new());
        way.reverse();
        way.join("\n    ")
    }
}
