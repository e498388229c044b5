//! Recorded streams between servers, and forms that the recordings lack.

use jute::Zxid;
use jute::quorum::auth::{AuthStatus, QuorumAuthPacket};
use jute::quorum::election::{InitialForm, InitialMessage, Notification, ServerState};
use jute::quorum::{Endpoint, LeaderMessage, LearnerInfo, LearnerMessage, ServerId};

use super::{Seed, named, testdata};
use crate::quorum::framed;
use crate::wire::encoded;

/// Longest seed, bytes.
const LEN_MAX: usize = 4000;

/// Recorded sides, cut to the length of a seed; named by their connections.
fn recorded(sides: &[&str]) -> Vec<Seed> {
    let side = |name: &&str| {
        let mut bytes = testdata("jute", &format!("{name}.bin"));
        bytes.truncate(LEN_MAX);
        (name.replace('/', "-"), bytes)
    };
    sides.iter().map(side).collect()
}

pub(super) fn quorum_packet() -> Vec<Seed> {
    let mut seeds = recorded(&[
        "3.8.0/reconfig/quorum-01-to-server3.acceptor",
        "3.8.0/sync-diff/quorum-01-to-server3.dialer",
        "3.9.5/follower-session/quorum-01-to-server2.acceptor",
        "3.9.5/follower-session/quorum-01-to-server2.dialer",
        "3.9.5/reconfig/quorum-02-to-server3.acceptor",
        "3.9.5/sync-snap/quorum-01-to-server3.acceptor",
        "3.9.5/sync-trunc/quorum-01-to-server2.acceptor",
        "3.9.5/sync-trunc/quorum-01-to-server2.dialer",
        "3.9.5/sync-trunc/quorum-02-to-server2.acceptor",
    ]);
    let old = LearnerInfo {
        server: ServerId(1),
        protocol_version: None,
        config_version: None,
    };
    let zxid = Zxid(5 << 32);
    let activate = LeaderMessage::InformAndActivate {
        zxid,
        designated: ServerId(2),
        entry: b"entry",
    };
    let step = QuorumAuthPacket::new(AuthStatus::InProgress, Some(b"token"));
    seeds.extend(
        [
            ("made-activate", encoded(&activate)),
            ("made-auth", encoded(&step)),
            (
                "made-old-learner",
                encoded(&LearnerMessage::ObserverInfo { zxid, info: old }),
            ),
            (
                "made-old-new-leader",
                encoded(&LeaderMessage::NewLeader { zxid, config: None }),
            ),
        ]
        .map(|(name, bytes)| (name.to_owned(), bytes)),
    );
    seeds
}

pub(super) fn initial_message() -> Vec<Seed> {
    let mut seeds = recorded(&[
        "3.8.0/election-initial/election-01-to-server2.dialer",
        "3.9.5/election-multiaddress/election-01-to-server3.dialer",
    ]);
    let message = |form, addresses: &[&str]| {
        let parse = |text: &&str| Endpoint::parse(text).expect("an address");
        encoded(&InitialMessage {
            form,
            server: ServerId(3),
            addresses: addresses.iter().map(parse).collect(),
        })
    };
    seeds.extend(
        [
            ("made-bare", message(InitialForm::Bare, &[])),
            ("made-v6", message(InitialForm::V2, &["[::1]:3888", "h:1"])),
            ("made-wildcard", message(InitialForm::V1, &["0.0.0.0:3888"])),
        ]
        .map(|(name, bytes)| (name.to_owned(), bytes)),
    );
    seeds
}

pub(super) fn notification() -> Vec<Seed> {
    let mut seeds = recorded(&[
        "3.8.0/election-initial/election-02-to-server1.acceptor",
        "3.9.5/election-multiaddress/election-02-to-server1.acceptor",
        "3.9.5/sync-trunc/election-04-to-server2.acceptor",
    ]);
    let vote = Notification {
        state: ServerState::Observing,
        leader: ServerId::NON_VOTER,
        zxid: Zxid(i64::MIN),
        election_epoch: 1,
        peer_epoch: i64::MIN,
        version: 1,
        config: None,
    };
    seeds.push(("made-28".to_owned(), encoded(&vote)[..28].to_vec()));
    seeds.push(("made-40".to_owned(), framed(&vote)));
    seeds
}

pub(super) fn quorum_config() -> Vec<Seed> {
    named(&[
        (
            "groups",
            "server.1=a:1:2:participant\nserver.2=b:1:2:participant;c:3\ngroup.1=1\ngroup.2=2\n\
             weight.1=1\nweight.2=0\nversion=0",
        ),
        (
            "many-addresses",
            "server.1=127.0.0.1:1:2|localhost:3:4:participant;127.0.0.1:5\n\
             server.2=[::1]:1:2|[fe80::1%eth0]:3:4:observer;[::]:5\nversion=100000000",
        ),
        (
            "three",
            "server.1=127.0.0.1:42201:42301:participant;127.0.0.1:42101\n\
             server.2=127.0.0.1:42202:42302:participant;127.0.0.1:42102\n\
             server.16=127.0.0.1:42203:42303:observer;127.0.0.1:42103\nversion=1000001e2",
        ),
        (
            "typed-by-hand",
            "version = AB\n# members\nserver.2 : b:1:2:OBSERVER\n  server.1=a:1:\\\n  2;3 \nweight.1 1\ngroup.7=1\n",
        ),
    ])
}
