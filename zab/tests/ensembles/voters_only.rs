//! Who has no vote is served, but never counted: not for the epoch, not for its acceptance, not for
//! the history.

use bytes::Bytes;
use jute::Zxid;
use jute::quorum::config::Role;
use zab::election::{Notification, ServerState, Vote};
use zab::{
    Effect, Effects, Entry, Epoch, Input, Io, LeaderPacket, LearnerLink, LearnerPacket, Options,
    Peer, Recovered, RoleStatus, ServerId, Standing, Store, Time,
};

use crate::ensemble::config;

/// Two observers, and one that is in no configuration, which follows as participants do.
const OTHERS: [(i64, Role); 3] = [
    (4, Role::Observer),
    (5, Role::Observer),
    (9, Role::Participant),
];
const EPOCH: Epoch = Epoch(8);

/// Server 3 of three voters, elected by the others.
struct Leader {
    peer: Peer,
    /// What was stored since the last look, in words.
    stored: Vec<&'static str>,
    invited: usize,
}

impl Leader {
    fn elected() -> Self {
        let mut members = vec![
            (1, Role::Participant),
            (2, Role::Participant),
            (3, Role::Participant),
        ];
        members.extend(&OTHERS[..2]);
        let last = Zxid((1 << 32) + 1);
        let recovered = Recovered {
            last_zxid: last,
            recent: vec![Entry {
                zxid: last,
                bytes: Bytes::from_static(b"entry"),
                config: None,
            }],
            accepted_epoch: Epoch(1),
            current_epoch: Epoch(1),
            committed_config: config(1, &members),
            last_seen_config: None,
            standing: Standing::Sound,
        };
        let mut leader = Self {
            peer: Peer::new(ServerId(3), Options::default(), recovered),
            stored: Vec::new(),
            invited: 0,
        };
        leader.take(Input::Tick);
        for from in [1, 2] {
            let notification = Notification {
                state: ServerState::Looking,
                vote: Vote {
                    leader: ServerId(3),
                    zxid: last,
                    peer_epoch: Epoch(1),
                },
                round: 1,
                version: Notification::VERSION,
                config: None,
            };
            let from = ServerId(from);
            leader.take(Input::Notification { from, notification });
        }
        assert_eq!(leader.peer.status(), RoleStatus::Preparing);
        leader
    }

    /// The disk is always faster.
    fn take(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let mut effects = Effects::default();
            self.peer.handle(Time(0), input, &mut effects);
            for effect in effects.drain() {
                match effect {
                    Effect::Io(Io::Store(ticket, store)) => {
                        match store {
                            Store::AcceptedEpoch(epoch) => {
                                assert_eq!(epoch, EPOCH);
                                self.stored.push("acceptedEpoch");
                            }
                            Store::CurrentEpoch(_) => self.stored.push("currentEpoch"),
                            _ => {}
                        }
                        inputs.insert(0, Input::Stored(ticket));
                    }
                    Effect::Io(Io::ToLearner(_, LeaderPacket::LeaderInfo { .. })) => {
                        self.invited += 1
                    }
                    _ => {}
                }
            }
        }
    }

    fn hear(&mut self, from: i64, packet: LearnerPacket) {
        let link = LearnerLink(u64::try_from(from).expect("an id"));
        self.take(Input::FromLearner(link, packet));
    }

    fn connect(&mut self, from: i64, role: Role) {
        let link = LearnerLink(u64::try_from(from).expect("an id"));
        self.take(Input::LearnerConnected(link));
        let packet = LearnerPacket::Info {
            role,
            server: ServerId(from),
            // Whoever accepted it: it is not proposed again.
            accepted_epoch: Epoch(EPOCH.0 - 1),
            config_version: Zxid(1),
        };
        self.hear(from, packet);
    }

    fn ack_epoch(&mut self, from: i64) {
        let packet = LearnerPacket::AckEpoch {
            current_epoch: Some(Epoch(1)),
            last_zxid: Zxid((1 << 32) + 1),
        };
        self.hear(from, packet);
    }

    fn ack_new_leader(&mut self, from: i64) {
        let zxid = EPOCH.zxid();
        self.hear(from, LearnerPacket::Ack { zxid });
    }
}

#[test]
fn who_has_no_vote_is_not_counted() {
    let mut leader = Leader::elected();
    for (other, role) in OTHERS {
        leader.connect(other, role);
    }
    assert!(leader.stored.is_empty(), "an epoch by those without a vote");
    leader.connect(1, Role::Participant);
    assert_eq!(leader.stored, ["acceptedEpoch"]);
    assert_eq!(leader.invited, 4, "all are served");

    for (other, _) in OTHERS {
        leader.ack_epoch(other);
    }
    assert_eq!(leader.stored, ["acceptedEpoch"], "accepted by no voter");
    leader.ack_epoch(1);
    assert_eq!(leader.stored, ["acceptedEpoch", "currentEpoch"]);

    for (other, _) in OTHERS {
        leader.ack_new_leader(other);
    }
    assert_eq!(leader.peer.status(), RoleStatus::Preparing);
    leader.ack_new_leader(1);
    assert_eq!(leader.peer.status(), RoleStatus::Leading { epoch: EPOCH });
}
