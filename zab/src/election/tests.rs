use jute::Zxid;
use jute::quorum::QuorumConfig;
use jute::quorum::config::Member;

use super::*;
use crate::quorum::Config;
use crate::{
    Effect, Effects, Epoch, Input, Io, Options, Peer, Recovered, RoleStatus, ServerId, Standing,
    Ticket, Time,
};

fn config(voters: &[i64], observers: &[i64]) -> Config {
    let line = |role: &'static str| {
        move |id: &i64| {
            let member = Member::parse(&format!("s{id}:2888:3888:{role}")).expect("a member");
            (ServerId(*id), member)
        }
    };
    let members = voters.iter().map(line("participant"));
    let members = members.chain(observers.iter().map(line("observer")));
    let config = QuorumConfig {
        version: 1,
        members: members.collect(),
        hierarchy: None,
    };
    Config::try_from(config).expect("a configuration")
}

fn vote(leader: i64, epoch: i64, zxid: i64) -> Vote {
    Vote {
        leader: ServerId(leader),
        zxid: Zxid(zxid),
        peer_epoch: Epoch(epoch),
    }
}

#[test]
fn which_vote_is_better() {
    let config = config(&[1, 2, 3], &[]);
    for (new, current, expected) in [
        (vote(1, 2, 0), vote(3, 1, 9), true),
        (vote(1, 1, 9), vote(3, 2, 0), false),
        (vote(1, 1, 9), vote(3, 1, 8), true),
        (vote(3, 1, 8), vote(1, 1, 9), false),
        (vote(3, 1, 8), vote(1, 1, 8), true),
        (vote(1, 1, 8), vote(1, 1, 8), false),
        (vote(1, 0, 0), Vote::NONE, true),
        (Vote::NONE, vote(1, 0, 0), false),
    ] {
        assert_eq!(new.beats(&current, &config), expected, "{new} {current}");
    }
}

#[test]
fn which_votes_agree() {
    let cast = |state, leader, epoch, zxid, round, versioned| Cast {
        vote: vote(leader, epoch, zxid),
        round,
        state,
        versioned,
    };
    let (looking, following) = (ServerState::Looking, ServerState::Following);
    for (a, b, expected) in [
        // In an election everything counts.
        (
            cast(looking, 3, 1, 5, 1, true),
            cast(looking, 3, 1, 5, 1, true),
            true,
        ),
        (
            cast(looking, 3, 1, 5, 1, true),
            cast(looking, 3, 1, 5, 2, true),
            false,
        ),
        (
            cast(looking, 3, 1, 5, 1, true),
            cast(looking, 3, 1, 6, 1, true),
            false,
        ),
        (
            cast(looking, 3, 1, 5, 1, true),
            cast(following, 3, 1, 6, 1, true),
            false,
        ),
        // In an established ensemble zxid and round do not.
        (
            cast(following, 3, 2, 5, 1, true),
            cast(following, 3, 2, 6, 7, true),
            true,
        ),
        (
            cast(following, 3, 2, 5, 1, true),
            cast(following, 3, 1, 5, 1, true),
            false,
        ),
        (
            cast(following, 3, 2, 5, 1, true),
            cast(following, 2, 2, 5, 1, true),
            false,
        ),
        // A vote without a version is compared by the leader alone.
        (
            cast(following, 3, 2, 5, 1, false),
            cast(following, 3, 1, 6, 7, true),
            true,
        ),
        (
            cast(following, 3, 2, 5, 1, false),
            cast(following, 3, 1, 6, 7, false),
            false,
        ),
    ] {
        assert_eq!(a.agrees(&b), expected, "{a:?} {b:?}");
        assert_eq!(b.agrees(&a), expected, "{b:?} {a:?}");
    }
}

#[test]
fn votes_are_counted_once() {
    let config = config(&[1, 2, 3], &[]);
    let cast = |leader| Cast {
        vote: vote(leader, 1, 1),
        round: 1,
        state: ServerState::Looking,
        versioned: true,
    };
    let mut tally = Tally::default();
    for (from, leader, expected) in [(1, 3, false), (1, 3, false), (2, 2, false), (2, 3, true)] {
        tally.record(ServerId(from), cast(leader));
        assert_eq!(
            tally.is_quorum(&cast(3), &config),
            expected,
            "{from} {leader}"
        );
    }
    assert!(!tally.leads(ServerId(1)));
    tally.clear();
    assert!(!tally.is_quorum(&cast(3), &config));
}

/// One server, and what it says.
struct Server {
    peer: Peer,
    now: Time,
}

impl Server {
    fn start(me: i64, standing: Standing, epoch: i64, zxid: i64) -> Self {
        Self::start_with(Options::default(), me, standing, epoch, zxid)
    }

    fn start_with(options: Options, me: i64, standing: Standing, epoch: i64, zxid: i64) -> Self {
        let recovered = Recovered {
            last_zxid: Zxid(zxid),
            recent: Vec::new(),
            accepted_epoch: Epoch(epoch),
            current_epoch: Epoch(epoch),
            committed_config: config(&[1, 2, 3], &[4]),
            last_seen_config: None,
            standing,
        };
        let peer = Peer::new(ServerId(me), options, recovered);
        let mut server = Self { peer, now: Time(0) };
        server.take(Input::Tick);
        server
    }

    /// Whom it sends which vote.
    fn take(&mut self, input: Input) -> Vec<(i64, Notification)> {
        let mut effects = Effects::default();
        self.peer.handle(self.now, input, &mut effects);
        let sent = effects.drain().filter_map(|effect| match effect {
            Effect::Io(Io::Notify { to, notification }) => Some((to.0, notification)),
            _ => None,
        });
        sent.collect()
    }

    fn hear(&mut self, from: i64, state: ServerState, round: i64, vote: Vote) -> Vec<(i64, Vote)> {
        let notification = Notification {
            state,
            vote,
            round,
            version: Notification::VERSION,
            config: None,
        };
        let from = ServerId(from);
        let sent = self.take(Input::Notification { from, notification });
        sent.into_iter().map(|(to, sent)| (to, sent.vote)).collect()
    }

    /// Lets its next deadline pass.
    fn wait(&mut self) -> u64 {
        let before = self.now;
        self.now = self.peer.next_deadline().expect("a deadline");
        self.take(Input::Tick);
        self.now.0 - before.0
    }

    fn joins(&self) -> Option<i64> {
        match self.peer.status() {
            RoleStatus::Joining { leader } => Some(leader.0),
            RoleStatus::Preparing => Some(self.peer.id().0),
            _ => None,
        }
    }
}

const LOOKING: ServerState = ServerState::Looking;

#[test]
fn a_quorum_waits_for_a_better_vote_unless_no_one_can_cast_one() {
    // The third voter is silent: 200 ms.
    let mut server = Server::start(1, Standing::Sound, 1, 5);
    let better = vote(2, 1, 6);
    assert_eq!(
        server.hear(2, LOOKING, 1, better),
        [(2, better), (3, better)]
    );
    assert_eq!(server.joins(), None);
    assert_eq!(server.wait(), 200);
    assert_eq!(server.joins(), Some(2));

    // It is gone: at once. It was gone before: at once as well.
    let gone = Input::Unreachable { peer: ServerId(3) };
    let mut server = Server::start(1, Standing::Sound, 1, 5);
    server.hear(3, LOOKING, 1, vote(3, 1, 4));
    server.hear(2, LOOKING, 1, better);
    assert_eq!(server.joins(), None);
    server.take(gone.clone());
    assert_eq!(server.joins(), Some(2));
    let mut server = Server::start(1, Standing::Sound, 1, 5);
    server.hear(3, LOOKING, 1, vote(3, 1, 4));
    server.take(gone.clone());
    server.hear(2, LOOKING, 1, better);
    assert_eq!(server.joins(), Some(2));

    // It is refused, but may be starting just now: 200 ms. Its vote is better.
    let mut server = Server::start(1, Standing::Sound, 1, 5);
    server.take(gone.clone());
    server.hear(2, LOOKING, 1, better);
    server.take(gone);
    assert_eq!(server.joins(), None);
    server.hear(3, LOOKING, 1, vote(3, 1, 7));
    server.hear(2, LOOKING, 1, vote(3, 1, 7));
    assert_eq!(server.joins(), Some(3));

    // It agrees: at once. It has something better: not the second one.
    let mut server = Server::start(1, Standing::Sound, 1, 5);
    server.hear(2, LOOKING, 1, better);
    server.hear(3, LOOKING, 1, better);
    assert_eq!(server.joins(), Some(2));
    let mut server = Server::start(1, Standing::Sound, 1, 5);
    server.hear(2, LOOKING, 1, better);
    let best = vote(3, 2, 0);
    assert_eq!(server.hear(3, LOOKING, 1, best), [(2, best), (3, best)]);
    assert_eq!(server.joins(), None);
}

/// A server that has followed 2 and loses it so long after 3 had said that it looks again.
fn lost_after(ms: u64) -> Server {
    let mut server = Server::start(1, Standing::Sound, 1, 5);
    server.hear(3, LOOKING, 1, vote(2, 1, 6));
    server.hear(2, LOOKING, 1, vote(2, 1, 6));
    assert_eq!(server.joins(), Some(2));
    let answer = server.hear(3, LOOKING, 2, vote(3, 1, 6));
    assert_eq!(answer, [(3, vote(2, 1, 6))]);
    server.now = server.now.after_ms(ms);
    server.take(Input::Unreachable { peer: ServerId(2) });
    server.take(Input::Stored(Ticket(1)));
    assert_eq!(server.joins(), None);
    server
}

#[test]
fn a_vote_that_came_just_before_the_leader_was_lost_counts() {
    let mut server = lost_after(199);
    server.take(Input::Unreachable { peer: ServerId(2) });
    assert_eq!(server.joins(), Some(3), "3 does not say it again");

    // 3 may have found a leader since.
    let mut server = lost_after(200);
    server.take(Input::Unreachable { peer: ServerId(2) });
    assert_eq!(server.joins(), None);
    server.hear(3, LOOKING, 2, vote(3, 1, 6));
    assert_eq!(server.joins(), Some(3));
}

#[test]
fn a_last_wait_ends_when_one_of_the_quorum_has_gone_elsewhere() {
    let mut server = Server::start(1, Standing::Sound, 1, 5);
    server.hear(2, LOOKING, 1, vote(2, 1, 6));
    server.hear(2, ServerState::Following, 1, vote(3, 1, 7));
    server.wait();
    assert_eq!(server.joins(), None, "2 follows 3");
}

/// As from a server of another ensemble, which a wrong line of a configuration points to.
#[test]
fn a_newer_configuration_is_taken_over_once_or_never() {
    let other = QuorumConfig {
        version: 9,
        ..QuorumConfig::clone(&config(&[2, 3], &[]))
    };
    let other = Config::try_from(other).expect("a configuration");
    for (reconfig_enabled, expected) in [(true, 9), (false, 1)] {
        let options = Options {
            reconfig_enabled,
            ..Options::default()
        };
        let mut server = Server::start_with(options, 1, Standing::Sound, 1, 5);
        for round in 1..=3 {
            let notification = Notification {
                state: LOOKING,
                vote: vote(2, 1, 6),
                round,
                version: Notification::VERSION,
                config: Some(other.clone()),
            };
            let from = ServerId(2);
            server.take(Input::Notification { from, notification });
            let version = server.peer.configs().committed().version();
            assert_eq!(version, Zxid(expected));
        }
        // It took part in these rounds instead of starting anew at each word.
        server.hear(3, LOOKING, 3, vote(2, 1, 6));
        assert_eq!(server.joins(), Some(2), "{reconfig_enabled}");
    }
}

#[test]
fn rounds() {
    let mut server = Server::start(2, Standing::Sound, 1, 5);
    // Behind: told so, not counted.
    let own = vote(2, 1, 5);
    assert_eq!(server.hear(1, LOOKING, 0, vote(3, 9, 9)), [(1, own)]);
    // Ahead: its round is joined, with the better of its vote and the own first one.
    assert_eq!(
        server.hear(1, LOOKING, 7, vote(1, 1, 4)),
        [(1, own), (3, own)]
    );
    server.hear(1, LOOKING, 7, own);
    server.hear(3, LOOKING, 7, own);
    assert_eq!(server.joins(), Some(2));
}

#[test]
fn silence_is_answered_less_and_less_often() {
    let mut server = Server::start(1, Standing::Sound, 0, 0);
    let waits: Vec<u64> = (0..10).map(|_| server.wait()).collect();
    let expected = [
        200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000,
    ];
    assert_eq!(waits, expected);
}

#[test]
fn an_established_leader_is_joined_when_it_says_so_itself() {
    let (following, leading) = (ServerState::Following, ServerState::Leading);
    // Members voted in another round and know the new epoch.
    let theirs = vote(3, 4, 17);
    let mut server = Server::start(1, Standing::Sound, 3, 99);
    server.hear(2, following, 9, theirs);
    assert_eq!(server.joins(), None);
    server.hear(3, leading, 9, theirs);
    assert_eq!(server.joins(), Some(3));
    // A stock server that got its leader from a reconfiguration knows no round.
    let mut server = Server::start(1, Standing::Sound, 3, 99);
    server.hear(2, following, -1, theirs);
    server.hear(3, leading, 9, theirs);
    assert_eq!(server.joins(), Some(3));
    // Two that follow a leader who does not answer are not believed.
    let mut server = Server::start(1, Standing::Sound, 3, 99);
    server.hear(2, following, 9, vote(3, 4, 17));
    server.hear(3, following, 9, vote(3, 4, 17));
    assert_eq!(server.joins(), None);
    // A leader alone is no quorum.
    let mut server = Server::start(1, Standing::Sound, 3, 99);
    server.hear(3, leading, 9, theirs);
    assert_eq!(server.joins(), None);
}

#[test]
fn who_is_no_voter_has_no_say() {
    // A stranger's vote, and a vote for a stranger.
    let mut server = Server::start(1, Standing::Sound, 1, 5);
    let own = vote(1, 1, 5);
    assert_eq!(server.hear(4, LOOKING, 1, vote(4, 9, 9)), [(4, own)]);
    assert_eq!(server.hear(2, LOOKING, 1, vote(4, 9, 9)), []);
    assert_eq!(server.joins(), None);
    // An observer learns whom the voters agree on. It repeats what it heard, and never names
    // itself.
    let mut server = Server::start(4, Standing::Sound, 1, 5);
    assert_eq!(server.hear(1, LOOKING, 0, vote(1, 1, 4)), []);
    let best = vote(2, 1, 4);
    let all = [(1, best), (2, best), (3, best)];
    assert_eq!(server.hear(1, LOOKING, 1, best), all);
    server.hear(2, LOOKING, 1, best);
    server.hear(3, LOOKING, 1, best);
    assert_eq!(server.joins(), Some(2));
}

#[test]
fn an_empty_server_votes_only_among_empty_ones() {
    let mut server = Server::start(3, Standing::Empty, 0, 0);
    server.hear(1, LOOKING, 1, vote(3, 0, 0));
    server.hear(2, LOOKING, 1, vote(3, 0, 0));
    assert_eq!(server.joins(), Some(3));
    // Someone has a history: from here on it has no vote, neither for itself nor for others.
    let mut server = Server::start(3, Standing::Empty, 0, 0);
    let sent = server.hear(1, LOOKING, 1, vote(1, 1, 5));
    assert!(sent.iter().all(|(_, vote)| *vote == Vote::NONE), "{sent:?}");
    server.take(Input::Unreachable { peer: ServerId(2) });
    assert_eq!(server.joins(), None);
    server.hear(2, LOOKING, 1, vote(1, 1, 5));
    server.wait();
    assert_eq!(server.joins(), Some(1));
}
