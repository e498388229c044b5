use jute::data::Acl;
use jute::quorum::{SessionTouch, packet};
use jute::txn::{CreateTxn, SetDataTxn};

use super::*;
use crate::ServerId;
use crate::election::ServerState;

const LIMITS: fn() -> Limits = Limits::default;

fn config() -> Config {
    let text = b"server.1=a:1:2:participant\nserver.2=b:1:2:observer;c:3\nversion=100000007";
    parse_config(text).expect("a configuration")
}

fn entry(zxid: Zxid, txn: Txn<'_>) -> Entry {
    let logged = LogEntry {
        header: TxnHeader {
            client_id: 5,
            cxid: 6,
            zxid: zxid.0,
            time: 7,
            kind: txn.op().as_i32(),
        },
        txn,
        digest: None,
    };
    let bytes = Bytes::from(logged.to_bytes());
    Entry::from_bytes(zxid, bytes, LIMITS()).expect("an entry")
}

fn create(zxid: Zxid) -> Entry {
    entry(
        zxid,
        Txn::Create(CreateTxn {
            path: Some("/a".into()),
            data: None,
            acl: Some(Vec::<Acl<'_>>::new()),
            ephemeral: false,
            parent_cversion: 1,
        }),
    )
}

fn reconfig(zxid: Zxid) -> Entry {
    let text = config().to_string();
    entry(
        zxid,
        Txn::Reconfig(SetDataTxn {
            path: Some("/zookeeper/config".into()),
            data: Some(text.as_bytes()),
            version: 1,
        }),
    )
}

#[test]
fn every_leader_packet_goes_there_and_back() {
    let (zxid, leader) = (Zxid(0x1_0000_0007), ServerId(2));
    let epoch = Epoch(3);
    for packet in [
        LeaderPacket::LeaderInfo { epoch },
        LeaderPacket::Diff { zxid },
        LeaderPacket::Trunc { zxid },
        LeaderPacket::Snap { zxid },
        LeaderPacket::NewLeader {
            epoch,
            config: Some(config()),
        },
        LeaderPacket::NewLeader {
            epoch,
            config: None,
        },
        LeaderPacket::UpToDate,
        LeaderPacket::Proposal(create(zxid)),
        LeaderPacket::Proposal(reconfig(zxid)),
        LeaderPacket::Commit { zxid },
        LeaderPacket::CommitAndActivate { zxid, leader },
        LeaderPacket::Inform(create(zxid)),
        LeaderPacket::InformAndActivate {
            entry: reconfig(zxid),
            leader,
        },
        LeaderPacket::Ping { zxid },
        LeaderPacket::Sync,
        LeaderPacket::Revalidate {
            session: 9,
            valid: true,
        },
    ] {
        let mut out = Vec::new();
        packet.encode(&mut out);
        let bytes = Bytes::from(out);
        let first = packet::first(&bytes, LIMITS()).expect("a packet");
        let (decoded, len) = first.expect("a whole one");
        assert_eq!(len, bytes.len(), "{packet:?}");
        let back = LeaderPacket::from_packet(&decoded, &bytes, LIMITS());
        assert_eq!(back, Ok(packet));
    }
}

#[test]
fn every_learner_packet_goes_there_and_back() {
    let zxid = Zxid(0x1_0000_0007);
    let info = |role| LearnerPacket::Info {
        role,
        server: ServerId(4),
        accepted_epoch: Epoch(6),
        config_version: Zxid(0x1_0000_0000),
    };
    let request = |identities| {
        LearnerPacket::Request(Request {
            session: 1,
            cxid: 2,
            op: 5,
            body: Bytes::from_static(b"body"),
            identities,
        })
    };
    for packet in [
        info(Role::Participant),
        info(Role::Observer),
        LearnerPacket::AckEpoch {
            current_epoch: Some(Epoch(5)),
            last_zxid: zxid,
        },
        LearnerPacket::AckEpoch {
            current_epoch: None,
            last_zxid: Zxid(-1),
        },
        LearnerPacket::Ack { zxid },
        LearnerPacket::Ping {
            zxid,
            touched: vec![SessionTouch {
                session: 8,
                timeout_ms: 9,
            }],
        },
        request(None),
        request(Some(Arc::from([Id {
            scheme: Some("ip".into()),
            id: Some("::1".into()),
        }]))),
        LearnerPacket::Revalidate {
            session: 3,
            timeout_ms: 4,
        },
    ] {
        let mut out = Vec::new();
        packet.encode(&mut out);
        let first = packet::first(&out, LIMITS()).expect("a packet");
        let (decoded, len) = first.expect("a whole one");
        assert_eq!(len, out.len(), "{packet:?}");
        assert_eq!(
            LearnerPacket::from_packet(decoded, LIMITS(), &mut None),
            Ok(packet)
        );
    }
}

#[test]
fn notifications_go_there_and_back() {
    for (version, config) in [(2, Some(config())), (0, None)] {
        let notification = Notification {
            state: ServerState::Leading,
            vote: Vote {
                leader: ServerId(3),
                zxid: Zxid(7),
                peer_epoch: Epoch(2),
            },
            round: 4,
            version,
            config,
        };
        let bytes = notification.to_bytes();
        assert_eq!(Notification::from_bytes(&bytes), Ok(notification));
    }
}

#[test]
fn what_is_not_taken() {
    let zxid = Zxid(0x1_0000_0007);
    let other = Entry::from_bytes(zxid.next(), create(zxid).bytes, LIMITS());
    let packet = zxid.next();
    let inside = zxid;
    assert_eq!(other, Err(WireError::OtherZxid { packet, inside }));
    let short = Entry::from_bytes(zxid, Bytes::from_static(b"short"), LIMITS());
    assert!(matches!(short, Err(WireError::Decode(_))), "{short:?}");
    assert!(matches!(
        parse_config(b"server.1=a:1:2:observer\nversion=0"),
        Err(WireError::Config(ConfigError::NoVoter))
    ));
    assert!(matches!(
        parse_config(b"nonsense"),
        Err(WireError::ConfigText(_))
    ));
    for version in [None, Some(0), Some(0xffff)] {
        assert_eq!(supported(version), Err(WireError::OldProtocol(version)));
    }
}
