//! The quorum port.

use jute::data::{Acl, StatPersisted};
use jute::quorum::packet::{self, QuorumPacket};
use jute::quorum::{LeaderMessage, LearnerInfo, LearnerMessage, snap};
use jute::wire::{Decode, Limits, Reader};

use crate::{Side, encoded, render};

pub(crate) fn list((side, stream): Side<'_>) -> Vec<String> {
    let limits = Limits::default();
    let mut lines = Vec::new();
    let mut at = 0;
    while at < stream.len() {
        let rest = &stream[at..];
        let (packet, len) = packet::first(rest, limits)
            .expect("it decodes")
            .expect("it is whole");
        for end in 0..len {
            assert_eq!(
                packet::first(&rest[..end], limits),
                Ok(None),
                "cut at {end}"
            );
        }
        assert_eq!(encoded(&packet), rest[..len]);
        let meaning = if side == "dialer" {
            let message = LearnerMessage::from_packet(packet.clone(), limits);
            let message = message.expect("a learner's packet");
            assert_eq!(encoded(&message), rest[..len]);
            learner(&message)
        } else {
            let message = LeaderMessage::from_packet(&packet, limits);
            let message = message.expect("a leader's packet");
            assert_eq!(encoded(&message), rest[..len]);
            leader(&message)
        };
        lines.push(format!("{side} off={at} {}{meaning}", head(&packet)));
        at += len;
        if packet.kind == packet::PacketType::Snap.as_i32() {
            let (line, len) = tree(&stream[at..]);
            lines.push(format!("{side} off={at} {line}"));
            at += len;
        }
    }
    lines
}

fn head(packet: &QuorumPacket<'_>) -> String {
    let kind = packet::PacketType::from_i32(packet.kind).expect("a known type");
    let name = format!("{kind:?}").to_uppercase();
    let len = packet.data.map(<[u8]>::len);
    let len = len.map_or_else(|| "None".to_owned(), |len| len.to_string());
    let auth = match &packet.authinfo {
        None => "None".to_owned(),
        Some(ids) => render::list(ids, render::id),
    };
    format!(
        "type='{name}' zxid='{:#x}' len={len} auth={auth}",
        packet.zxid
    )
}

fn learner(message: &LearnerMessage<'_>) -> String {
    match message {
        LearnerMessage::FollowerInfo { info, .. } | LearnerMessage::ObserverInfo { info, .. } => {
            let LearnerInfo {
                server,
                protocol_version: Some(protocol),
                config_version: Some(config),
            } = info
            else {
                panic!("a form that was not recorded: {info:?}");
            };
            format!(" info=({server}, {protocol}, {config})")
        }
        LearnerMessage::AckEpoch { current_epoch, .. } => format!(" curEpoch={current_epoch}"),
        LearnerMessage::Ack { .. } => String::new(),
        LearnerMessage::Ping { touched, .. } if touched.is_empty() => String::new(),
        LearnerMessage::Ping { touched, .. } => {
            let row = |touch: &jute::quorum::SessionTouch| {
                format!("({}, {})", touch.session, touch.timeout_ms)
            };
            format!(" touch={}", render::list(touched, row))
        }
        LearnerMessage::Request { request, .. } => {
            // The listing shows the first bytes of a body.
            let shown = &request.body[..request.body.len().min(20)];
            format!(
                " req=({}, {}, {}, '{}')",
                request.session,
                request.cxid,
                request.op,
                render::hex(shown)
            )
        }
        LearnerMessage::Revalidate(request) => {
            format!(" reval='{}'", render::hex(&encoded(request)))
        }
    }
}

fn leader(message: &LeaderMessage<'_>) -> String {
    match message {
        LeaderMessage::LeaderInfo {
            protocol_version, ..
        } => format!(" pv='{protocol_version:#x}'"),
        LeaderMessage::Proposal { zxid, entry } | LeaderMessage::Inform { zxid, entry } => {
            format!(" txn={}", render::entry(*zxid, entry))
        }
        LeaderMessage::CommitAndActivate { designated, .. } => format!(" leader={designated}"),
        LeaderMessage::NewLeader { config, .. } => {
            format!(" cfg={}", render::config(config.expect("a configuration")))
        }
        LeaderMessage::Revalidate(response) => {
            format!(" reval='{}'", render::hex(&encoded(response)))
        }
        LeaderMessage::Diff { .. }
        | LeaderMessage::Trunc { .. }
        | LeaderMessage::Snap { .. }
        | LeaderMessage::Commit { .. }
        | LeaderMessage::UpToDate
        | LeaderMessage::Sync
        | LeaderMessage::Ping { .. } => String::new(),
        LeaderMessage::InformAndActivate { .. } => {
            panic!("a packet that was not recorded: {message:?}")
        }
    }
}

/// The tree behind a SNAP, by its parts; and its length with the signature.
fn tree(stream: &[u8]) -> (String, usize) {
    let mut reader = Reader::new(stream, Limits::default());
    let sessions = reader.i32().expect("a count");
    reader.bytes(12 * sessions as usize).expect("sessions");
    let acls = reader.i32().expect("a count");
    for _ in 0..acls {
        reader.i64().expect("an index");
        let list = reader.vector::<Acl<'_>>().expect("a list");
        assert!(list.is_some_and(|list| !list.is_empty()));
    }
    let mut nodes = 0;
    while reader.ustring().expect("a path").expect("a path") != "/" {
        reader.buffer().expect("data");
        reader.i64().expect("an index");
        StatPersisted::decode(&mut reader).expect("a stat");
        nodes += 1;
    }
    snap::decode_signature(&mut reader).expect("the signature");
    let len = reader.position();
    let mut signature = Vec::new();
    snap::encode_signature(&mut signature);
    assert_eq!(signature.len(), snap::SIGNATURE_LEN);
    assert!(stream[..len].ends_with(&signature));
    // Only the end looks like the end.
    let first = stream
        .windows(signature.len())
        .position(|window| window == signature);
    assert_eq!(first, Some(len - signature.len()));
    let line = format!(
        "snapBody={len} sessions={sessions} acls={acls} nodes={nodes} sig='{}'",
        snap::SIGNATURE
    );
    (line, len)
}
