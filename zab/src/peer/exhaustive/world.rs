//! All servers and what is between them.

use super::local::{Doing, Happening, Local, Locals, Message, is_majority};
use super::{Past, SERVERS};
use crate::Standing;

/// Messages on one link at the most: one on its way, and one that waits.
pub(super) const LINK_MAX: usize = 2;
/// Rounds of an election at the most. More of them, and it does not end.
const ROUNDS_MAX: i64 = 7;

/// A state of the whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    locals: [Local; SERVERS],
    /// By sender, then receiver; oldest first; 0 where there is none.
    links: [[[Message; LINK_MAX]; SERVERS]; SERVERS],
    /// By receiver, then by whom it is told to be unreachable.
    refused: [[bool; SERVERS]; SERVERS],
    /// A bit for each round, leader, and server that its votes made settle on it, in this order.
    settled: u64,
    faults: u8,
}

/// What can happen to the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    Deliver {
        from: usize,
        to: usize,
    },
    Refuse {
        to: usize,
        peer: usize,
    },
    /// A last wait ends.
    Finalize(usize),
    Start(usize),
    /// A role that cannot get anywhere ends.
    GiveUp(usize),
    /// Time passes: whoever looks says it again.
    Repeat,
    /// Faults.
    Crash(usize),
    /// What is on its way between two is lost; whether they are told.
    Lose {
        a: usize,
        b: usize,
        told: bool,
    },
    /// A role ends for no reason.
    Abandon(usize),
}

impl Move {
    pub(super) fn is_fault(self) -> bool {
        matches!(self, Self::Crash(_) | Self::Lose { .. } | Self::Abandon(_))
    }
}

/// The servers, and how they move.
pub(super) struct World {
    pasts: [Past; SERVERS],
    /// Messages on one link. A newer one takes the place of the last, as in
    /// [`Io::Notify`](crate::Io::Notify).
    link: usize,
    locals: Locals,
}

impl World {
    pub(super) fn new(pasts: [Past; SERVERS], link: usize) -> Self {
        assert!((1..=LINK_MAX).contains(&link), "{link} messages on a link");
        Self {
            pasts,
            link,
            locals: Locals::new(pasts),
        }
    }

    /// No one has started.
    pub(super) fn start(faults: u8) -> State {
        State {
            locals: [0; SERVERS],
            links: [[[0; LINK_MAX]; SERVERS]; SERVERS],
            refused: [[false; SERVERS]; SERVERS],
            settled: 0,
            faults,
        }
    }

    fn doing(&self, state: &State, server: usize) -> Option<Doing> {
        let local = state.locals[server];
        (local != 0).then(|| self.locals.doing(server, local))
    }

    /// A leader that knows of its election, with a quorum that joins it.
    pub(super) fn leader(&self, state: &State) -> Option<usize> {
        leader_among([0, 1, 2].map(|server| self.doing(state, server)))
    }

    /// Everything that can happen. Roles end, and votes are repeated, only when nothing else
    /// happens: that takes longer than messages.
    pub(super) fn moves(&self, state: &State) -> Vec<Move> {
        let mut moves = Vec::new();
        for a in 0..SERVERS {
            for b in 0..SERVERS {
                if state.links[a][b][0] != 0 {
                    moves.push(Move::Deliver { from: a, to: b });
                }
                if state.refused[a][b] {
                    moves.push(Move::Refuse { to: a, peer: b });
                }
            }
        }
        let doings = [0, 1, 2].map(|server| self.doing(state, server));
        let waits = Some(Doing::Looking { finalizing: true });
        let quiet = moves.is_empty() && !doings.contains(&waits);
        let leader = leader_among(doings);
        let mut repeats = false;
        for server in 0..SERVERS {
            match doings[server] {
                None => moves.push(Move::Start(server)),
                Some(Doing::Looking { finalizing: true }) => moves.push(Move::Finalize(server)),
                Some(Doing::Looking { finalizing: false }) => repeats = true,
                Some(Doing::Joining { leader: of }) if doings[of] == Some(Doing::Preparing) => {}
                Some(Doing::Preparing) if leader == Some(server) => {}
                Some(Doing::Joining { .. } | Doing::Preparing) if quiet => {
                    moves.push(Move::GiveUp(server));
                }
                Some(Doing::Joining { .. } | Doing::Preparing) => {}
            }
        }
        if quiet && repeats {
            moves.push(Move::Repeat);
        }
        if state.faults > 0 {
            self.faults(state, &mut moves);
        }
        moves
    }

    /// What comes first where everything takes its usual time: servers that are down come back only
    /// if they are needed.
    pub(super) fn delay(&self, state: &State, action: Move) -> u8 {
        let votes = |server: &usize| {
            state.locals[*server] != 0 && self.pasts[*server].standing == Standing::Sound
        };
        let up = (0..SERVERS).filter(votes).count();
        match action {
            Move::Deliver { .. } | Move::Refuse { .. } => 0,
            Move::Finalize(_) => 1,
            Move::Start(_) if !is_majority(up) => 2,
            Move::GiveUp(_) => 3,
            Move::Repeat => 4,
            Move::Start(_) | Move::Crash(_) | Move::Lose { .. } | Move::Abandon(_) => 5,
        }
    }

    fn faults(&self, state: &State, moves: &mut Vec<Move>) {
        for a in 0..SERVERS {
            let Some(doing) = self.doing(state, a) else {
                continue;
            };
            moves.push(Move::Crash(a));
            if !matches!(doing, Doing::Looking { .. }) {
                moves.push(Move::Abandon(a));
            }
            for b in (a + 1)..SERVERS {
                if self.doing(state, b).is_some() {
                    for told in [false, true] {
                        moves.push(Move::Lose { a, b, told });
                    }
                }
            }
        }
    }

    /// # Errors
    /// What must never happen.
    pub(super) fn apply(&mut self, state: &State, action: Move) -> Result<State, String> {
        let mut next = *state;
        next.faults -= u8::from(action.is_fault());
        match action {
            Move::Deliver { from, to } => {
                let message = next.pop(from, to);
                if next.locals[to] == 0 {
                    self.happens(&mut next, from, Happening::Refused { peer: to })?;
                } else {
                    self.happens(&mut next, to, Happening::Message { from, message })?;
                }
            }
            Move::Refuse { to, peer } => {
                next.refused[to][peer] = false;
                self.happens(&mut next, to, Happening::Refused { peer })?;
            }
            Move::Finalize(server) => self.happens(&mut next, server, Happening::Timer)?,
            Move::Start(server) => self.happens(&mut next, server, Happening::Start)?,
            Move::GiveUp(server) | Move::Abandon(server) => {
                self.happens(&mut next, server, Happening::GiveUp)?;
            }
            Move::Repeat => {
                for server in 0..SERVERS {
                    if let Some(Doing::Looking { .. }) = self.doing(&next, server) {
                        self.happens(&mut next, server, Happening::Timer)?;
                    }
                }
            }
            Move::Crash(server) => next.crash(server),
            Move::Lose { a, b, told } => next.lose(a, b, told),
        }
        Ok(next)
    }

    fn happens(
        &mut self,
        state: &mut State,
        server: usize,
        happening: Happening,
    ) -> Result<(), String> {
        let local = state.locals[server];
        if local == 0 && happening != Happening::Start {
            return Ok(());
        }
        let step = self.locals.step(server, local, happening)?;
        state.locals[server] = step.to;
        for (to, message) in &step.sent {
            state.push(server, *to, *message, self.link);
        }
        if let Some((leader, round)) = step.settled {
            state.settle(server, leader, round)?;
        }
        Ok(())
    }

    /// For people.
    pub(super) fn describe(&self, state: &State) -> String {
        let doing = (0..SERVERS).map(|server| match self.doing(state, server) {
            None => format!("{}: down", server + 1),
            Some(doing) => format!("{}: {doing:?}", server + 1),
        });
        let mut lines: Vec<String> = doing.collect();
        for (from, links) in state.links.iter().enumerate() {
            for (to, link) in links.iter().enumerate() {
                for message in link.iter().filter(|message| **message != 0) {
                    let what = self.locals.describe(*message);
                    lines.push(format!("{} -> {} {what}", from + 1, to + 1));
                }
            }
        }
        lines.join("\n    ")
    }
}

fn leader_among(doings: [Option<Doing>; SERVERS]) -> Option<usize> {
    for leader in 0..SERVERS {
        if doings[leader] == Some(Doing::Preparing) {
            let joins = Some(Doing::Joining { leader });
            let followers = doings.iter().filter(|doing| **doing == joins).count();
            if is_majority(followers + 1) {
                return Some(leader);
            }
        }
    }
    None
}

impl State {
    /// The same in few words, quick to compare: no server has a link to itself.
    pub(super) fn packed(&self) -> [u128; 2] {
        let (mut links, mut rest) = (0, u128::from(self.settled));
        for a in 0..SERVERS {
            for b in (0..SERVERS).filter(|b| *b != a) {
                for message in self.links[a][b] {
                    links = (links << Message::BITS) | u128::from(message);
                }
                rest = (rest << 1) | u128::from(self.refused[a][b]);
            }
            rest = (rest << Local::BITS) | u128::from(self.locals[a]);
        }
        [links, (rest << u8::BITS) | u128::from(self.faults)]
    }

    fn pop(&mut self, from: usize, to: usize) -> Message {
        let link = &mut self.links[from][to];
        let message = link[0];
        link.rotate_left(1);
        link[LINK_MAX - 1] = 0;
        message
    }

    fn push(&mut self, from: usize, to: usize, message: Message, max: usize) {
        let link = &mut self.links[from][to][..max];
        let free = link.iter().position(|message| *message == 0);
        link[free.unwrap_or(max - 1)] = message;
    }

    /// What it sent may still arrive; what was sent to it does not, which its peers learn sooner or
    /// later. It does not remember on whom it settled.
    fn crash(&mut self, server: usize) {
        self.locals[server] = 0;
        for other in (0..SERVERS).filter(|other| *other != server) {
            self.links[other][server] = [0; LINK_MAX];
            self.refused[other][server] = self.locals[other] != 0;
            self.refused[server][other] = false;
        }
        for at in (0..u64::BITS as usize).filter(|at| at % SERVERS == server) {
            self.settled &= !(1 << at);
        }
    }

    fn lose(&mut self, a: usize, b: usize, told: bool) {
        for (from, to) in [(a, b), (b, a)] {
            self.links[from][to] = [0; LINK_MAX];
            self.refused[from][to] |= told;
        }
    }

    fn settle(&mut self, server: usize, leader: usize, round: i64) -> Result<(), String> {
        if !(1..=ROUNDS_MAX).contains(&round) {
            return Err(format!("round {round}: it does not end"));
        }
        let first = (usize::try_from(round).expect("a round") - 1) * SERVERS * SERVERS;
        self.settled |= 1 << (first + leader * SERVERS + server);
        let supporters = |leader: usize| {
            let mask = (1 << SERVERS) - 1;
            ((self.settled >> (first + leader * SERVERS)) & mask).count_ones() as usize
        };
        let elected = (0..SERVERS).filter(|leader| is_majority(supporters(*leader)));
        match elected.count() {
            0 | 1 => Ok(()),
            _ => Err(format!("two leaders of round {round}")),
        }
    }
}
