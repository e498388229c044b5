//! Packets that no sane server would send, at any moment: they end a connection or are
//! ignored, and nothing else. What they may do to the history of servers that believe them is
//! not looked at.

use bytes::Bytes;
use jute::Zxid;
use jute::quorum::SessionTouch;
use jute::quorum::config::Role;
use zab::election::{Notification, ServerState, Vote};
use zab::{Entry, Epoch, Input, LeaderPacket, LearnerPacket, Options, Request, ServerId};

use crate::ensemble::{Down, Ensemble, Up, config};
use crate::random::{Random, number};

const STEPS: usize = 1500;
const SEEDS: u64 = 150;

struct Hostile {
    random: Random,
}

impl Hostile {
    fn long(&mut self) -> i64 {
        let small = self.random.below(12) as i64;
        let all = [
            small,
            -1,
            -small,
            i64::MAX,
            i64::MIN,
            1 << 32,
            -(1 << 32),
            (1 << 32) - 1,
        ];
        self.random.pick(&all).unwrap_or_default()
    }

    /// Mostly near to what there is.
    fn zxid(&mut self) -> Zxid {
        let near = ((self.random.below(4) as i64) << 32) + self.random.below(9) as i64;
        Zxid(if self.random.one_in(4) {
            self.long()
        } else {
            near
        })
    }

    fn epoch(&mut self) -> Epoch {
        Epoch::of(self.zxid())
    }

    fn server(&mut self) -> ServerId {
        ServerId(if self.random.one_in(4) {
            self.long()
        } else {
            self.random.below(6) as i64
        })
    }

    fn entry(&mut self) -> Entry {
        let zxid = self.zxid();
        let members = [
            (1, Role::Participant),
            (self.random.below(5) as i64, Role::Observer),
        ];
        Entry {
            zxid,
            bytes: Bytes::from_static(b"hostile"),
            config: self.random.one_in(3).then(|| config(zxid.0, &members[..1])),
        }
    }

    fn leader_packet(&mut self) -> LeaderPacket {
        let (zxid, leader, entry) = (self.zxid(), self.server(), self.entry());
        match self.random.below(14) {
            0 => LeaderPacket::LeaderInfo {
                epoch: self.epoch(),
            },
            1 => LeaderPacket::Diff { zxid },
            2 => LeaderPacket::Trunc { zxid },
            3 => LeaderPacket::Snap { zxid },
            4 => LeaderPacket::NewLeader {
                epoch: self.epoch(),
                config: entry.config,
            },
            5 => LeaderPacket::UpToDate,
            6 => LeaderPacket::Proposal(entry),
            7 => LeaderPacket::Commit { zxid },
            8 => LeaderPacket::CommitAndActivate { zxid, leader },
            9 => LeaderPacket::Inform(entry),
            10 => LeaderPacket::InformAndActivate { entry, leader },
            11 => LeaderPacket::Ping { zxid },
            12 => LeaderPacket::Sync,
            _ => LeaderPacket::Revalidate {
                session: self.long(),
                valid: true,
            },
        }
    }

    fn learner_packet(&mut self) -> LearnerPacket {
        let zxid = self.zxid();
        match self.random.below(6) {
            0 => LearnerPacket::Info {
                role: if self.random.one_in(2) {
                    Role::Participant
                } else {
                    Role::Observer
                },
                server: self.server(),
                accepted_epoch: self.epoch(),
                config_version: self.zxid(),
            },
            1 => LearnerPacket::AckEpoch {
                current_epoch: self.random.one_in(2).then(|| self.epoch()),
                last_zxid: zxid,
            },
            2 => LearnerPacket::Ack { zxid },
            3 => LearnerPacket::Ping {
                zxid,
                touched: vec![SessionTouch {
                    session: 1,
                    timeout_ms: -1,
                }],
            },
            4 => LearnerPacket::Request(Request {
                session: self.long(),
                cxid: 1,
                op: if self.random.one_in(2) { 9 } else { -7 },
                body: Bytes::new(),
                identities: None,
            }),
            _ => LearnerPacket::Revalidate {
                session: self.long(),
                timeout_ms: 0,
            },
        }
    }

    fn notification(&mut self) -> Notification {
        let states = [
            ServerState::Looking,
            ServerState::Following,
            ServerState::Leading,
            ServerState::Observing,
        ];
        Notification {
            state: self.random.pick(&states).unwrap_or(ServerState::Looking),
            vote: Vote {
                leader: self.server(),
                zxid: self.zxid(),
                peer_epoch: self.epoch(),
            },
            round: self.long(),
            version: self.random.below(4) as i32 - 1,
            config: None,
        }
    }

    /// Something is slipped into a connection, or comes over the election port.
    fn strike(&mut self, ensemble: &mut Ensemble) {
        let numbers: Vec<u64> = ensemble.net.connections.keys().copied().collect();
        let number = self.random.pick(&numbers);
        let connection = number.and_then(|number| ensemble.net.connections.get_mut(&number));
        match (self.random.below(3), connection) {
            (0, Some(connection)) if connection.leader_open => {
                let at = self.random.below(connection.up.len() + 1);
                connection.up.insert(at, Up::Packet(self.learner_packet()));
            }
            (1, Some(connection)) if connection.learner_open => {
                let at = self.random.below(connection.down.len() + 1);
                connection
                    .down
                    .insert(at, Down::Packet(self.leader_packet()));
            }
            _ => {
                let from = self.server();
                let notification = self.notification();
                if let Some(id) = self.random.pick(&ensemble.ids()) {
                    ensemble.input(id, Input::Notification { from, notification });
                }
            }
        }
    }
}

#[test]
fn nothing_that_a_peer_says_panics() {
    let options = |seed: u64| Options {
        tick_time_ms: 200,
        observer_masters: seed % 2 == 1,
        ..Options::default()
    };
    let (first, count) = (number("ZAB_SEED", 0), number("ZAB_SEEDS", SEEDS));
    for seed in first..first + count {
        let mut hostile = Hostile {
            random: Random::new(seed),
        };
        let mut ensemble = Ensemble::new(3, 1, &options(seed));
        ensemble.lenient = true;
        for id in ensemble.ids() {
            ensemble.start(id);
        }
        for _ in 0..STEPS {
            if hostile.random.one_in(15) {
                hostile.strike(&mut ensemble);
            }
            if hostile.random.one_in(20)
                && let Some(leader) = ensemble.leader()
            {
                ensemble.propose(leader);
            }
            let events = ensemble.events();
            match hostile.random.pick(&events) {
                Some(event) if !hostile.random.one_in(10) => ensemble.run(event),
                _ => ensemble.advance(ensemble.now.after_ms(20)),
            }
        }
    }
}
