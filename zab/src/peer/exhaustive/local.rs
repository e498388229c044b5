//! One server: its states, each known by a number, and what leads from one to the next.

use std::collections::BTreeMap;
use std::rc::Rc;

use jute::quorum::QuorumConfig;
use jute::quorum::config::Member;
use jute::quorum::election::ServerState;

use super::numbers::Numbers;
use super::{Past, SERVERS};
use crate::election::{Notification, Vote};
use crate::peer::Peer;
use crate::peer::role::PeerRole;
use crate::quorum::Config;
use crate::{
    Effect, Effects, Input, Io, Options, Recovered, RoleStatus, ServerId, Standing, Ticket, Time,
};

/// Later than every deadline of a role.
const LATE: Time = Time(1 << 40);

/// The servers are counted from 0.
fn id(server: usize) -> ServerId {
    ServerId(server as i64 + 1)
}

fn index(id: ServerId) -> usize {
    usize::try_from(id.0 - 1).expect("a server")
}

/// The number of a message, from 1 on.
pub(super) type Message = u8;
/// The number of a server's state, from 1 on; 0 for a server that is down.
pub(super) type Local = u16;

/// What happens to one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happening {
    Start,
    Message {
        from: usize,
        message: Message,
    },
    Refused {
        peer: usize,
    },
    /// Its next deadline passes.
    Timer,
    /// Its role gets nowhere.
    GiveUp,
}

/// What that leads to.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) to: Local,
    pub(super) sent: Vec<(usize, Message)>,
    /// The leader on whom votes have made it settle, and the round. Who merely finds a leader does
    /// not elect it.
    pub(super) settled: Option<(usize, i64)>,
}

/// What others see of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// In an election; whether a quorum agrees with it already.
    Looking {
        finalizing: bool,
    },
    Joining {
        leader: usize,
    },
    Preparing,
}

/// A server, and what it was told in the election that it is in.
#[derive(Clone)]
struct Server {
    peer: Peer,
    /// The last message of each voter in each round.
    votes: BTreeMap<(usize, i64), Message>,
    /// The last message of each that has a leader.
    settled: BTreeMap<usize, Message>,
}

/// All servers, in every state that was seen.
pub(super) struct Locals {
    pasts: [Past; SERVERS],
    states: Vec<Vec<Server>>,
    doings: Vec<Vec<Doing>>,
    numbers: BTreeMap<(usize, String), Local>,
    messages: Vec<Notification>,
    message_numbers: BTreeMap<String, Message>,
    /// By the numbers of what happens, see [`code`].
    steps: Vec<Rc<Step>>,
    step_numbers: Numbers,
}

impl Locals {
    pub(super) fn new(pasts: [Past; SERVERS]) -> Self {
        Self {
            pasts,
            states: vec![Vec::new(); SERVERS],
            doings: vec![Vec::new(); SERVERS],
            numbers: BTreeMap::new(),
            messages: Vec::new(),
            message_numbers: BTreeMap::new(),
            steps: Vec::new(),
            step_numbers: Numbers::new(),
        }
    }

    pub(super) fn doing(&self, server: usize, local: Local) -> Doing {
        self.doings[server][local as usize - 1]
    }

    pub(super) fn describe(&self, message: Message) -> String {
        self.messages[message as usize - 1].to_string()
    }

    /// # Errors
    /// What must never happen.
    pub(super) fn step(
        &mut self,
        server: usize,
        from: Local,
        happening: Happening,
    ) -> Result<Rc<Step>, String> {
        let code = u128::from(code(server, from, happening));
        let number = self.step_numbers.of([code, 0]) as usize;
        if number == self.steps.len() {
            let step = self.run(server, from, happening)?;
            self.steps.push(Rc::new(step));
        }
        Ok(Rc::clone(&self.steps[number]))
    }

    fn run(&mut self, server: usize, from: Local, happening: Happening) -> Result<Step, String> {
        let mut next = match happening {
            Happening::Start => Server::new(id(server), self.pasts[server]),
            _ => self.states[server][from as usize - 1].clone(),
        };
        let before = (next.doing(), next.peer.core.ballot.round);
        let (now, input) = self.input(&next, happening);
        next.record(happening, &self.messages);
        let sent = next.peer.run(now, input);
        let settled = self.settled(server, &mut next, before, happening)?;
        let sent = sent
            .into_iter()
            .map(|(to, notification)| (index(to), self.number_message(notification)))
            .collect();
        let to = self.number(server, next);
        Ok(Step { to, sent, settled })
    }

    fn input(&self, server: &Server, happening: Happening) -> (Time, Input) {
        match happening {
            Happening::Start => (Time(0), Input::Tick),
            Happening::Message { from, message } => {
                let notification = self.messages[message as usize - 1].clone();
                let from = id(from);
                (Time(0), Input::Notification { from, notification })
            }
            Happening::Refused { peer } => (Time(0), Input::Unreachable { peer: id(peer) }),
            Happening::Timer => {
                let due = server.peer.next_deadline().expect("a deadline");
                (due, Input::Tick)
            }
            Happening::GiveUp => (LATE, Input::Tick),
        }
    }

    /// Whether an election ended; if so, rightly.
    fn settled(
        &self,
        server: usize,
        next: &mut Server,
        (before, clock): (Doing, i64),
        happening: Happening,
    ) -> Result<Option<(usize, i64)>, String> {
        let leader = match next.doing() {
            Doing::Looking { .. } => {
                match (before, happening) {
                    // What was heard before is too old by then.
                    (Doing::Joining { .. } | Doing::Preparing, Happening::GiveUp) => next.forget(),
                    _ => next.forget_old_rounds(),
                }
                return Ok(None);
            }
            Doing::Joining { leader } => leader,
            Doing::Preparing => server,
        };
        let Doing::Looking { .. } = before else {
            return Ok(None);
        };
        let ballot = next.peer.core.ballot;
        let told = match happening {
            Happening::Message { message, .. } => self.messages[message as usize - 1].state,
            _ => ServerState::Looking,
        };
        // The own voice is in the own round only.
        let agreed =
            ballot.vote_round >= clock && self.agrees(server, next, ballot.vote, ballot.vote_round);
        let follows = matches!(told, ServerState::Following | ServerState::Leading);
        let justified = agreed || (follows && self.leads(server, next, leader));
        if !justified {
            let (round, vote) = (ballot.vote_round, ballot.vote);
            return Err(format!(
                "{} settles in round {round} on {vote}, for which no quorum voted that has \
                 nothing newer",
                id(server)
            ));
        }
        next.forget();
        Ok(agreed.then_some((leader, ballot.vote_round)))
    }

    /// Whether a quorum has voted so in the round, and has nothing newer.
    fn agrees(&self, me: usize, server: &Server, vote: Vote, round: i64) -> bool {
        let newest = |voter: usize| {
            let past = self.pasts[voter];
            (vote.peer_epoch, vote.zxid, vote.leader) >= (past.epoch, past.zxid, id(voter))
        };
        // Who has a leader may have found it rather than elected it, and have more than it: that
        // is noticed when the epoch is acknowledged.
        let agrees = |voter: usize| {
            let said = server.votes.get(&(voter, round));
            said.is_some_and(|message| {
                let said = &self.messages[*message as usize - 1];
                said.vote == vote && (said.state != ServerState::Looking || newest(voter))
            })
        };
        let sound = matches!(
            server.peer.standing(),
            Standing::Sound | Standing::Empty | Standing::Suspect
        );
        // Nothing is better than what a server without a history has; it is no voice for it.
        let counts = |voter: usize| match voter == me {
            true => sound && newest(voter),
            false => agrees(voter),
        };
        is_majority((0..SERVERS).filter(|voter| counts(*voter)).count())
    }

    /// Whether a quorum follows that leader, and it says itself that it leads.
    fn leads(&self, me: usize, server: &Server, leader: usize) -> bool {
        let last = |voter: &usize| {
            let message = server.settled.get(voter)?;
            Some(&self.messages[*message as usize - 1])
        };
        let in_round = |voter: &usize| {
            let said = server.votes.iter().filter(|((other, _), _)| other == voter);
            said.map(|(_, message)| &self.messages[*message as usize - 1])
                .any(|said| said.vote.leader == id(leader))
        };
        let follows =
            |voter: &usize| last(voter).is_some_and(|said| said.vote.leader == id(leader));
        let counted = (0..SERVERS).filter(|voter| follows(voter) || in_round(voter));
        let itself =
            leader == me || last(&leader).is_some_and(|said| said.state == ServerState::Leading);
        itself && is_majority(counted.count())
    }

    fn number_message(&mut self, notification: Notification) -> Message {
        let Notification {
            state, vote, round, ..
        } = &notification;
        let key = format!("{state:?} {vote:?} {round}");
        let next = self.messages.len() + 1;
        let next = Message::try_from(next).expect("fewer messages");
        let number = *self.message_numbers.entry(key).or_insert(next);
        if number == next {
            self.messages.push(notification);
        }
        number
    }

    fn number(&mut self, server: usize, state: Server) -> Local {
        let key = (server, state.key());
        let states = &mut self.states[server];
        let next = Local::try_from(states.len() + 1).expect("fewer states");
        let number = *self.numbers.entry(key).or_insert(next);
        if number == next {
            self.doings[server].push(state.doing());
            states.push(state);
        }
        number
    }
}

/// One number for what happens to whom.
fn code(server: usize, from: Local, happening: Happening) -> u64 {
    let (kind, peer, message) = match happening {
        Happening::Start => (0, 0, 0),
        Happening::Message { from, message } => (1, from, message),
        Happening::Refused { peer } => (2, peer, 0),
        Happening::Timer => (3, 0, 0),
        Happening::GiveUp => (4, 0, 0),
    };
    let [server, peer] = [server, peer].map(|server| server as u64);
    u64::from(from) << 32 | u64::from(message) << 16 | server << 8 | peer << 4 | kind
}

pub(super) fn is_majority(count: usize) -> bool {
    2 * count > SERVERS
}

impl Server {
    fn new(me: ServerId, past: Past) -> Self {
        let options = Options {
            // Only their order counts: a last wait ends before anything is said again.
            finalize_wait_ms: 1,
            min_notification_interval_ms: 1_000_000,
            max_notification_interval_ms: 1_000_000,
            ..Options::default()
        };
        let recovered = Recovered {
            last_zxid: past.zxid,
            recent: Vec::new(),
            accepted_epoch: past.epoch,
            current_epoch: past.epoch,
            committed_config: config(),
            last_seen_config: None,
            standing: past.standing,
        };
        Self {
            peer: Peer::new(me, options, recovered),
            votes: BTreeMap::new(),
            settled: BTreeMap::new(),
        }
    }

    fn doing(&self) -> Doing {
        match (self.peer.status(), &self.peer.role) {
            (RoleStatus::Joining { leader }, _) => Doing::Joining {
                leader: index(leader),
            },
            (RoleStatus::Preparing | RoleStatus::Leading { .. }, _) => Doing::Preparing,
            (RoleStatus::Looking, PeerRole::Looking(looking)) => Doing::Looking {
                finalizing: looking.is_finalizing(),
            },
            // Before its first input.
            (RoleStatus::Looking, PeerRole::Settling(_)) => Doing::Looking { finalizing: false },
            (status, _) => panic!("{status:?} in an election"),
        }
    }

    /// Everything that bears on what it does next, but the time.
    fn key(&self) -> String {
        let core = &self.peer.core;
        let looking = match &self.peer.role {
            PeerRole::Looking(looking) => looking.timeless(),
            _ => String::new(),
        };
        let (votes, settled) = (&self.votes, &self.settled);
        let (ballot, standing) = (core.ballot, self.peer.standing());
        let (doing, heard_of) = (self.doing(), &core.heard_of);
        let early: Vec<_> = core.early_votes.timeless().collect();
        let heard = (heard_of, early);
        format!("{doing:?} {ballot:?} {standing:?} {heard:?} {looking} {votes:?} {settled:?}")
    }

    fn record(&mut self, happening: Happening, messages: &[Notification]) {
        let Happening::Message { from, message } = happening else {
            return;
        };
        let said = &messages[message as usize - 1];
        let looks = matches!(self.doing(), Doing::Looking { .. });
        // Who has a leader remembers votes in the next election, of each voter the newest word.
        if !looks {
            self.votes.retain(|(of, _), _| *of != from);
        }
        if looks || said.state == ServerState::Looking {
            self.votes.insert((from, said.round), message);
        }
        if looks && said.state != ServerState::Looking {
            self.settled.insert(from, message);
        }
    }

    fn forget(&mut self) {
        self.votes.clear();
        self.settled.clear();
    }

    fn forget_old_rounds(&mut self) {
        let round = self.peer.core.ballot.round;
        self.votes.retain(|(_, of), _| *of >= round);
    }
}

impl Peer {
    /// Whom it sends what, with a disk that is always faster.
    fn run(&mut self, now: Time, input: Input) -> Vec<(ServerId, Notification)> {
        let (mut effects, mut sent) = (Effects::default(), Vec::new());
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            self.handle(now, input, &mut effects);
            let mut stored: Option<Ticket> = None;
            for effect in effects.drain() {
                match effect {
                    Effect::Io(Io::Store(ticket, _)) => stored = Some(ticket),
                    Effect::Io(Io::Notify { to, notification }) => sent.push((to, notification)),
                    _ => {}
                }
            }
            inputs.extend(stored.map(Input::Stored));
        }
        sent
    }
}

fn config() -> Config {
    let line = |server| {
        let text = format!("s{server}:2888:3888:participant");
        (id(server), Member::parse(&text).expect("a member"))
    };
    let config = QuorumConfig {
        version: 1,
        members: (0..SERVERS).map(line).collect(),
        hierarchy: None,
    };
    Config::try_from(config).expect("a configuration")
}
