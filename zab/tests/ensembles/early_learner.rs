//! A learner that comes before its leader knows of its election, and speaks in the very moment in
//! which the leader finds out.

use jute::Zxid;
use jute::quorum::config::Role;
use zab::election::{Notification, ServerState, Vote};
use zab::{
    Effect, Effects, Epoch, Input, Io, LeaderPacket, LearnerLink, LearnerPacket, Options, Peer,
    Recovered, RoleStatus, ServerId, Standing, Time,
};

use crate::ensemble::config;

const ALL: [(i64, Role); 3] = [
    (1, Role::Participant),
    (2, Role::Participant),
    (3, Role::Participant),
];
const LINK: LearnerLink = LearnerLink(1);

/// Server 3, which server 1 votes for: it waits for a better vote until a deadline.
fn waits_for_a_better_vote() -> Peer {
    let recovered = Recovered {
        last_zxid: Zxid::ZERO,
        recent: Vec::new(),
        accepted_epoch: Epoch::ZERO,
        current_epoch: Epoch::ZERO,
        committed_config: config(1, &ALL),
        last_seen_config: None,
        standing: Standing::Sound,
    };
    let mut peer = Peer::new(ServerId(3), Options::default(), recovered);
    let notification = Notification {
        state: ServerState::Looking,
        vote: Vote {
            leader: ServerId(3),
            zxid: Zxid::ZERO,
            peer_epoch: Epoch::ZERO,
        },
        round: 1,
        version: Notification::VERSION,
        config: None,
    };
    let from = ServerId(1);
    handle(&mut peer, Time(0), Input::Tick);
    handle(
        &mut peer,
        Time(0),
        Input::Notification { from, notification },
    );
    handle(&mut peer, Time(0), Input::LearnerConnected(LINK));
    assert_eq!(peer.status(), RoleStatus::Looking);
    peer
}

/// What it sends to the learner; its disk is always faster.
fn handle(peer: &mut Peer, now: Time, input: Input) -> Vec<LeaderPacket> {
    let (mut inputs, mut sent) = (vec![input], Vec::new());
    while let Some(input) = inputs.pop() {
        let mut effects = Effects::default();
        peer.handle(now, input, &mut effects);
        for effect in effects.drain() {
            match effect {
                Effect::Io(Io::Store(ticket, _)) => inputs.insert(0, Input::Stored(ticket)),
                Effect::Io(Io::ToLearner(LINK, packet)) => sent.push(packet),
                _ => {}
            }
        }
    }
    sent
}

/// When the peer's patience ends, if nothing happens.
fn elected_at(mut peer: Peer) -> Time {
    loop {
        let due = peer.next_deadline().expect("it waits for something");
        handle(&mut peer, due, Input::Tick);
        if peer.status() == RoleStatus::Preparing {
            return due;
        }
    }
}

#[test]
fn what_it_says_as_the_election_ends_is_heard() {
    let end = elected_at(waits_for_a_better_vote());
    let mut peer = waits_for_a_better_vote();
    while let Some(due) = peer.next_deadline().filter(|due| *due < end) {
        handle(&mut peer, due, Input::Tick);
    }
    assert_eq!(peer.status(), RoleStatus::Looking);
    let info = LearnerPacket::Info {
        role: Role::Participant,
        server: ServerId(1),
        accepted_epoch: Epoch::ZERO,
        config_version: Zxid(1),
    };
    let sent = handle(&mut peer, end, Input::FromLearner(LINK, info));
    let invited = |packet: &LeaderPacket| matches!(packet, LeaderPacket::LeaderInfo { .. });
    assert!(sent.iter().any(invited), "{sent:?}");
}
