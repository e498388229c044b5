//! A server that never leads names no one of itself, and nobody heeds a vote for no one.

use jute::Zxid;
use jute::quorum::config::Role;
use zab::election::{Notification, ServerState, Vote};
use zab::{
    Effect, Effects, Epoch, Input, Io, Options, Peer, Recovered, RoleStatus, ServerId, Standing,
    Time,
};

use crate::ensemble::config;

const ALL: [(i64, Role); 3] = [
    (1, Role::Participant),
    (2, Role::Participant),
    (3, Role::Participant),
];

/// Server 1, whose log could not be cut.
fn uncut() -> Peer {
    let recovered = Recovered {
        last_zxid: Zxid(0x2_0000_000c),
        recent: Vec::new(),
        accepted_epoch: Epoch(4),
        current_epoch: Epoch(1),
        committed_config: config(1, &ALL),
        last_seen_config: None,
        standing: Standing::Uncut,
    };
    Peer::new(ServerId(1), Options::default(), recovered)
}

/// What server 1 says to server 2 after this.
fn says(peer: &mut Peer, now: Time, input: Input) -> Vec<(Vote, i64)> {
    let mut effects = Effects::default();
    peer.handle(now, input, &mut effects);
    let said = effects.drain().filter_map(|effect| match effect {
        Effect::Io(Io::Notify {
            to: ServerId(2),
            notification,
        }) => Some((notification.vote, notification.round)),
        _ => None,
    });
    said.collect()
}

fn looks(from: i64, epoch: i64, zxid: i64, round: i64) -> (Vote, Input) {
    let vote = Vote {
        leader: ServerId(from),
        zxid: Zxid(zxid),
        peer_epoch: Epoch(epoch),
    };
    let notification = Notification {
        state: ServerState::Looking,
        vote,
        round,
        version: Notification::VERSION,
        config: None,
    };
    let from = ServerId(from);
    (vote, Input::Notification { from, notification })
}

#[test]
fn who_names_no_one_takes_over_the_vote_of_who_could_lead() {
    let mut peer = uncut();
    says(&mut peer, Time(0), Input::Tick);
    // Server 3 has lost everything, but it is ahead in rounds.
    let (_, third) = looks(3, 0, 0, 7);
    let said = says(&mut peer, Time(0), third);
    assert_eq!(said.len(), 1);
    assert_eq!((said[0].0.leader, said[0].1), (ServerId::NON_VOTER, 7));
    // Nor does it name one that is behind it.
    let (_, behind) = looks(2, 1, 0x2_0000_000b, 5);
    let said = says(&mut peer, Time(0), behind);
    assert!(
        said.iter()
            .all(|(vote, _)| vote.leader == ServerId::NON_VOTER)
    );

    let (second, better) = looks(2, 3, 0x2_0000_000d, 5);
    let said = says(&mut peer, Time(0), better.clone());
    assert_eq!(said.last(), Some(&(second, 7)));
    // That one comes to its round. The two are a quorum: nothing better comes, and it goes along.
    let (_, came) = looks(2, 3, 0x2_0000_000d, 7);
    says(&mut peer, Time(0), came);
    let mut now = Time(0);
    while peer.status() == RoleStatus::Looking {
        now = peer.next_deadline().expect("it waits for something");
        says(&mut peer, now, Input::Tick);
    }
    let joins = matches!(peer.status(), RoleStatus::Joining { leader } if leader == ServerId(2));
    assert!(joins, "{:?}", peer.status());

    // One that names someone stays with it.
    let mut peer = uncut();
    says(&mut peer, now, Input::Tick);
    let (third, best) = looks(3, 3, 0x2_0000_000e, 7);
    assert_eq!(says(&mut peer, now, best), [(third, 7)]);
    let said = says(&mut peer, now, better);
    assert!(said.iter().all(|said| *said == (third, 7)), "{said:?}");
}
