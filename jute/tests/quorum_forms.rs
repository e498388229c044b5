//! Forms of quorum and election messages that the recordings do not have, and what bounds
//! their decoders.

mod common;

use common::{encoded, exactly};
use jute::Zxid;
use jute::data::Id;
use jute::frame::BadFrameLength;
use jute::quorum::auth::{self, AuthStatus, QuorumAuthPacket};
use jute::quorum::election::{
    self, ADDRESSES_LEN_MAX, FRAME_LEN_MAX, InitialForm, Notification, NotificationFault,
    ServerState, first_initial,
};
use jute::quorum::packet::{self, AUTHINFO_BYTES_MAX, AUTHINFO_IDS_MAX, PacketType, QuorumPacket};
use jute::quorum::{LeaderMessage, LearnerInfo, LearnerMessage, ServerId, SessionTouch, snap};
use jute::wire::{DecodeError, DecodeErrorKind, Limits, Reader};

fn packet(kind: PacketType, data: Option<&[u8]>) -> QuorumPacket<'_> {
    QuorumPacket {
        kind: kind.as_i32(),
        zxid: 5,
        data,
        authinfo: None,
    }
}

fn kind<T: std::fmt::Debug>(result: Result<T, DecodeError>) -> DecodeErrorKind {
    result.expect_err("it is refused").kind
}

#[test]
fn packet_types_have_the_numbers_of_apache() {
    let numbers: Vec<_> = PacketType::ALL.iter().map(|kind| kind.as_i32()).collect();
    assert_eq!(numbers, (1..=19).collect::<Vec<_>>());
    for kind in PacketType::ALL {
        assert_eq!(PacketType::from_i32(kind.as_i32()), Some(*kind));
    }
    assert_eq!(PacketType::from_i32(0), None);
    assert_eq!(PacketType::from_i32(20), None);
}

/// Every type belongs to one direction or to both, and is refused in the other.
#[test]
fn directions() {
    let limits = Limits::default();
    let data = [0; 20];
    let (mut from_learners, mut from_leaders) = (Vec::new(), Vec::new());
    for kind in PacketType::ALL {
        let packet = packet(*kind, Some(&data[..12]));
        if LearnerMessage::from_packet(packet.clone(), limits).is_ok() {
            from_learners.push(kind.as_i32());
        }
        if LeaderMessage::from_packet(&packet, limits).is_ok() {
            from_leaders.push(kind.as_i32());
        }
    }
    assert_eq!(from_learners, [3, 5, 6, 11, 16, 18]);
    assert_eq!(
        from_leaders,
        [2, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15, 17, 19]
    );
    let request = packet(PacketType::Request, Some(&data));
    assert!(LearnerMessage::from_packet(request.clone(), limits).is_ok());
    assert_eq!(
        kind(LeaderMessage::from_packet(&request, limits)),
        DecodeErrorKind::UnknownType(1)
    );
}

#[test]
fn forms_of_learner_info() {
    let bytes: Vec<u8> = [
        &7_i64.to_be_bytes()[..],
        &0x10000_i32.to_be_bytes(),
        &9_i64.to_be_bytes(),
        &[1],
    ]
    .concat();
    for (len, protocol_version, config_version) in [
        (8, None, None),
        (11, None, None),
        (12, Some(0x10000), None),
        (19, Some(0x10000), None),
        (20, Some(0x10000), Some(9)),
        (21, Some(0x10000), Some(9)),
    ] {
        let info = LearnerInfo {
            server: ServerId(7),
            protocol_version,
            config_version,
        };
        let packet = packet(PacketType::FollowerInfo, Some(&bytes[..len]));
        let zxid = Zxid(5);
        assert_eq!(
            LearnerMessage::from_packet(packet, Limits::default()),
            Ok(LearnerMessage::FollowerInfo { zxid, info }),
            "{len}"
        );
        if [8, 12, 20].contains(&len) {
            assert_eq!(encoded(&info), bytes[..len]);
        }
    }
    let short = packet(PacketType::ObserverInfo, Some(&bytes[..7]));
    let refused = kind(LearnerMessage::from_packet(short, Limits::default()));
    assert!(matches!(refused, DecodeErrorKind::Truncated { .. }));
    let null = packet(PacketType::ObserverInfo, None);
    let refused = kind(LearnerMessage::from_packet(null, Limits::default()));
    assert!(matches!(refused, DecodeErrorKind::Truncated { .. }));
}

#[test]
fn touch_tables() {
    let touch = |session, timeout_ms| SessionTouch {
        session,
        timeout_ms,
    };
    let rows = [encoded(&touch(1, 2)), encoded(&touch(3, 4))].concat();
    for (data, touched) in [
        (None, Some(vec![])),
        (Some(&rows[..0]), Some(vec![])),
        (Some(&rows[..12]), Some(vec![touch(1, 2)])),
        (Some(&rows[..]), Some(vec![touch(1, 2), touch(3, 4)])),
        (Some(&rows[..23]), None),
    ] {
        let message =
            LearnerMessage::from_packet(packet(PacketType::Ping, data), Limits::default());
        let zxid = Zxid(5);
        let expected = touched.map(|touched| LearnerMessage::Ping { zxid, touched });
        assert_eq!(message.ok(), expected, "{data:?}");
    }
}

#[test]
fn a_committed_reconfiguration_for_observers() {
    let message = LeaderMessage::InformAndActivate {
        zxid: Zxid(5),
        designated: ServerId(3),
        entry: b"entry",
    };
    let bytes = encoded(&message);
    let packet = exactly::<QuorumPacket<'_>>(&bytes);
    assert_eq!(packet.data.map(<[u8]>::len), Some(13));
    assert_eq!(
        LeaderMessage::from_packet(&packet, Limits::default()),
        Ok(message)
    );
}

/// Learners of the oldest protocol get a NEWLEADER without a configuration.
#[test]
fn a_null_configuration_is_not_an_empty_one() {
    for config in [None, Some(&b""[..])] {
        let zxid = Zxid(1 << 32);
        let bytes = encoded(&LeaderMessage::NewLeader { zxid, config });
        let packet = exactly::<QuorumPacket<'_>>(&bytes);
        assert_eq!(packet.data, config);
        assert_eq!(
            LeaderMessage::from_packet(&packet, Limits::default()),
            Ok(LeaderMessage::NewLeader { zxid, config })
        );
    }
}

#[test]
fn packets_end_at_their_limits() {
    let limits = Limits::new(8, 0);
    let head = |len: i32| [&[0; 12][..], &len.to_be_bytes()].concat();
    // What is too long shows before it is there.
    for len in [9, i32::MAX, -2] {
        let error = kind(packet::first(&head(len), limits));
        assert_eq!(error, DecodeErrorKind::BadLength(len));
    }
    let authinfo = |count: i32| [&head(-1)[..], &count.to_be_bytes()].concat();
    let error = kind(packet::first(&authinfo(AUTHINFO_IDS_MAX + 1), limits));
    assert_eq!(error, DecodeErrorKind::BadLength(AUTHINFO_IDS_MAX + 1));
    assert_eq!(packet::first(&authinfo(AUTHINFO_IDS_MAX), limits), Ok(None));
    // As Java reads them.
    for (count, ids) in [(-1, None), (-2, Some(Vec::new())), (0, Some(Vec::new()))] {
        let bytes = authinfo(count);
        let (packet, len) = packet::first(&bytes, limits)
            .expect("it decodes")
            .expect("it is whole");
        assert_eq!((packet.authinfo, len), (ids, bytes.len()), "{count}");
    }
}

#[test]
fn the_text_of_authinfo_is_bounded_as_a_whole() {
    let limits = Limits::new(AUTHINFO_BYTES_MAX, 0);
    let id = "x".repeat(AUTHINFO_BYTES_MAX / 2);
    let of = |ids: Vec<Id<'static>>| {
        encoded(&QuorumPacket {
            authinfo: Some(ids),
            ..packet(PacketType::Request, None)
        })
    };
    let fits = of(vec![Id::new("", id.clone()), Id::new("", id.clone())]);
    let (packet, len) = packet::first(&fits, limits)
        .expect("it decodes")
        .expect("it is whole");
    assert_eq!(
        (packet.authinfo.map(|ids| ids.len()), len),
        (Some(2), fits.len())
    );
    assert!(len <= packet::max_len(limits));
    let exceeds = of(vec![
        Id::new("", id.clone()),
        Id::new("", id),
        Id::new("", "y"),
    ]);
    assert_eq!(
        kind(packet::first(&exceeds, limits)),
        DecodeErrorKind::BadLength(1)
    );
}

#[test]
fn the_signature_behind_a_tree() {
    let mut bytes = Vec::new();
    snap::encode_signature(&mut bytes);
    assert_eq!(bytes.len(), snap::SIGNATURE_LEN);
    let decode = |bytes: &[u8]| {
        snap::decode_signature(&mut Reader::new(bytes, Limits::default())).map_err(|e| e.kind)
    };
    assert_eq!(decode(&bytes), Ok(()));
    bytes[5] ^= 1;
    let invalid = DecodeErrorKind::InvalidField("signature");
    assert_eq!(decode(&bytes), Err(invalid));
    assert_eq!(decode(&[0xff; 4]), Err(invalid));
}

fn initial(protocol: i64, len: i32, text: &[u8]) -> Vec<u8> {
    [
        &protocol.to_be_bytes()[..],
        &2_i64.to_be_bytes(),
        &len.to_be_bytes(),
        text,
    ]
    .concat()
}

#[test]
fn forms_of_the_initial_message() {
    for (bytes, form, server, reachable) in [
        (7_i64.to_be_bytes().to_vec(), InitialForm::Bare, 7, vec![]),
        (
            i64::MAX.to_be_bytes().to_vec(),
            InitialForm::Bare,
            ServerId::ANONYMOUS.0,
            vec![],
        ),
        (initial(-65536, 3, b"h:1"), InitialForm::V1, 2, vec!["h:1"]),
        // Either version may carry either number.
        (
            initial(-65536, 7, b"h:1|g:2"),
            InitialForm::V1,
            2,
            vec!["h:1", "g:2"],
        ),
        (initial(-65535, 3, b"h:1"), InitialForm::V2, 2, vec!["h:1"]),
        (
            initial(-65535, 20, b"0.0.0.0:1|[::]:1|h:1"),
            InitialForm::V2,
            2,
            vec!["h:1"],
        ),
    ] {
        let (message, len) = first_initial(&bytes)
            .expect("it decodes")
            .expect("it is whole");
        assert_eq!(len, bytes.len());
        assert_eq!((message.form, message.server), (form, ServerId(server)));
        let found: Vec<_> = message.reachable().map(ToString::to_string).collect();
        assert_eq!(found, reachable);
        for end in 0..len {
            assert_eq!(first_initial(&bytes[..end]), Ok(None), "{end}");
        }
    }
}

#[test]
fn limits_of_the_initial_message() {
    let longest = format!("{}:1", "h".repeat(ADDRESSES_LEN_MAX - 2));
    let whole = initial(-65536, longest.len() as i32, longest.as_bytes());
    assert!(first_initial(&whole).is_ok_and(|found| found.is_some()));
    for (len, text, refused) in [
        (0, "", DecodeErrorKind::BadLength(0)),
        (-1, "", DecodeErrorKind::BadLength(0)),
        (-2, "", DecodeErrorKind::BadLength(-2)),
        (2049, "", DecodeErrorKind::BadLength(2049)),
        (1, "h", DecodeErrorKind::InvalidField("address")),
        (5, "h:1:2", DecodeErrorKind::InvalidField("address")),
        (8, "h:1|[::]", DecodeErrorKind::InvalidField("address")),
        (7, "h:65536", DecodeErrorKind::InvalidField("address")),
        (1, "|", DecodeErrorKind::InvalidField("address")),
    ] {
        let bytes = initial(-65536, len, text.as_bytes());
        assert_eq!(kind(first_initial(&bytes)), refused, "{len} {text}");
    }
    let unknown = (-65537_i64).to_be_bytes();
    assert_eq!(
        kind(first_initial(&unknown)),
        DecodeErrorKind::InvalidField("protocol")
    );
}

#[test]
fn frames_of_the_election_port() {
    let framed = |len: i32| [&len.to_be_bytes()[..], b"x"].concat();
    assert_eq!(election::first_frame(&framed(1)), Ok(Some(&b"x"[..])));
    assert_eq!(
        election::first_frame(&framed(FRAME_LEN_MAX as i32)),
        Ok(None)
    );
    for len in [0, -1, FRAME_LEN_MAX as i32 + 1, i32::MAX] {
        let refused = Err(BadFrameLength(len));
        assert_eq!(election::first_frame(&framed(len)), refused);
    }
}

/// State 2, leader 3, zxid (4, 5), round 6, epoch 7, version 2, configuration `cfg`.
fn notification_bytes(version: i32, config_len: i32) -> Vec<u8> {
    [
        &2_i32.to_be_bytes()[..],
        &3_i64.to_be_bytes(),
        &((4_i64 << 32) + 5).to_be_bytes(),
        &6_i64.to_be_bytes(),
        &7_i64.to_be_bytes(),
        &version.to_be_bytes(),
        &config_len.to_be_bytes(),
        b"cfg",
    ]
    .concat()
}

#[test]
fn forms_of_a_notification() {
    let vote = |peer_epoch, version, config| Notification {
        state: ServerState::Leading,
        leader: ServerId(3),
        zxid: Zxid((4 << 32) + 5),
        election_epoch: 6,
        peer_epoch,
        version,
        config,
    };
    let cfg = Some(&b"cfg"[..]);
    for (version, len, expected) in [
        (2, 28, Some(vote(4, 0, None))),
        (2, 29, None),
        (2, 35, None),
        (2, 36, None),
        (2, 39, None),
        (1, 40, Some(vote(7, 0, None))),
        (2, 40, Some(vote(7, 0, None))),
        (0, 41, Some(vote(7, 0, None))),
        (1, 44, Some(vote(7, 1, None))),
        (-1, 44, Some(vote(7, -1, None))),
        (2, 43, None),
        (2, 44, None),
        (2, 46, None),
        (2, 47, Some(vote(7, 2, cfg))),
        (3, 47, Some(vote(7, 3, cfg))),
    ] {
        let bytes = notification_bytes(version, 3);
        let found = Notification::from_bytes(&bytes[..len]).ok();
        assert_eq!(found, expected, "version {version}, {len} bytes");
    }
    let current = vote(7, Notification::VERSION, cfg);
    assert_eq!(encoded(&current), notification_bytes(2, 3));
    // What follows the configuration is for later versions.
    let longer = [&notification_bytes(2, 3)[..], b"more"].concat();
    assert_eq!(Notification::from_bytes(&longer), Ok(current));
}

#[test]
fn notifications_that_are_dropped() {
    for len in 0..28 {
        assert_eq!(
            Notification::from_bytes(&notification_bytes(2, 3)[..len]),
            Err(NotificationFault::Short(len))
        );
    }
    for config_len in [-1, -2, 4, i32::MAX] {
        let bytes = notification_bytes(2, config_len);
        let refused = Notification::from_bytes(&bytes);
        assert!(
            matches!(refused, Err(NotificationFault::Malformed(_))),
            "{config_len}"
        );
    }
    let mut bytes = notification_bytes(2, 3);
    for state in [-1, 4, i32::MAX] {
        bytes[..4].copy_from_slice(&state.to_be_bytes());
        let Err(NotificationFault::Malformed(error)) = Notification::from_bytes(&bytes) else {
            panic!("state {state} is accepted");
        };
        assert_eq!(error.kind, DecodeErrorKind::InvalidField("state"));
    }
}

#[test]
fn steps_of_the_sasl_exchange() {
    for (status, token) in [
        (AuthStatus::InProgress, Some(&b"token"[..])),
        (AuthStatus::Success, None),
        (AuthStatus::Error, Some(&b""[..])),
    ] {
        let bytes = encoded(&QuorumAuthPacket::new(status, token));
        assert!(bytes.starts_with(&[0x5f, 0x24, 0x35, 0x01, 0x35, 0x01, 0xed, 0xcc]));
        let (packet, len) = auth::first(&bytes)
            .expect("it decodes")
            .expect("it is whole");
        assert_eq!(len, bytes.len());
        assert_eq!(AuthStatus::from_i32(packet.status), Some(status));
        assert_eq!(packet.token, token);
        for end in 0..len {
            assert_eq!(auth::first(&bytes[..end]), Ok(None), "{end}");
            assert_eq!(auth::is_auth(&bytes[..end]), (end >= 8).then_some(true));
        }
    }
}

#[test]
fn what_is_no_sasl_exchange() {
    // A packet's type comes first on the quorum port.
    assert_eq!(auth::is_auth(&[0]), Some(false));
    assert_eq!(auth::is_auth(&[0x5f, 0x25]), Some(false));
    assert_eq!(
        kind(auth::first(&[0])),
        DecodeErrorKind::InvalidField("magic")
    );
    let with = |status: i32, len: i32| {
        [
            &auth::MAGIC.to_be_bytes()[..],
            &status.to_be_bytes(),
            &len.to_be_bytes(),
        ]
        .concat()
    };
    let longest = auth::TOKEN_LEN_MAX as i32;
    assert_eq!(auth::first(&with(0, longest)), Ok(None));
    assert_eq!(
        kind(auth::first(&with(0, longest + 1))),
        DecodeErrorKind::BadLength(longest + 1)
    );
    assert_eq!(
        kind(auth::first(&with(2, 0))),
        DecodeErrorKind::UnknownType(2)
    );
}
