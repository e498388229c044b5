//! What servers of an ensemble say to each other: streams end in packets, need of more bytes or an
//! error, and what decodes encodes to something that means the same.

use jute::quorum::auth;
use jute::quorum::election::{Notification, first_frame, first_initial};
use jute::quorum::packet::{self, PacketType, QuorumPacket};
use jute::quorum::{LeaderMessage, LearnerMessage, QuorumConfig};
use jute::txn::LogEntry;
use jute::wire::{Decode, Encode, Limits, Reader};

use crate::wire::{SMALL, encoded};

/// A stream of the quorum port: perhaps an authentication, then packets, read by either side.
pub fn quorum_packet(input: &[u8]) {
    authentication(input);
    for limits in [Limits::default(), SMALL] {
        let mut rest = input;
        while let Ok(Some((packet, len))) = packet::first(rest, limits) {
            assert!(len <= packet::max_len(limits));
            assert_eq!(packet::first(&rest[..len - 1], limits), Ok(None));
            assert_eq!(
                packet::first(&rest[..len], limits),
                Ok(Some((packet.clone(), len)))
            );
            from_leader(&packet, limits);
            from_learner(packet, limits);
            rest = &rest[len..];
        }
    }
}

fn authentication(input: &[u8]) {
    if let Ok(Some((step, len))) = auth::first(input) {
        assert_eq!(encoded(&step), input[..len]);
        assert_eq!(auth::is_auth(input), Some(true));
    }
}

fn from_learner(packet: QuorumPacket<'_>, limits: Limits) {
    let Ok(message) = LearnerMessage::from_packet(packet, limits) else {
        return;
    };
    let bytes = encoded(&message);
    let again = whole(&bytes);
    assert!(PacketType::from_i32(again.kind).is_some());
    let again = LearnerMessage::from_packet(again, Limits::default());
    assert_eq!(again.as_ref(), Ok(&message));
}

fn from_leader(packet: &QuorumPacket<'_>, limits: Limits) {
    let Ok(message) = LeaderMessage::from_packet(packet, limits) else {
        return;
    };
    let bytes = encoded(&message);
    let again = LeaderMessage::from_packet(&whole(&bytes), Limits::default());
    assert_eq!(again, Ok(message));
    if let LeaderMessage::Proposal { entry, .. } = message {
        // Decodes or not, as a learner would try.
        drop(LogEntry::from_bytes(entry, limits));
    }
}

fn whole(bytes: &[u8]) -> QuorumPacket<'_> {
    let mut reader = Reader::new(bytes, Limits::default());
    let packet = QuorumPacket::decode(&mut reader).expect("an encoded packet decodes");
    assert_eq!(reader.remaining(), 0);
    packet
}

/// The first message of the election port.
pub fn initial_message(input: &[u8]) {
    let Ok(Some((message, len))) = first_initial(input) else {
        return;
    };
    assert!(message.reachable().count() <= message.addresses.len());
    for end in 0..len {
        assert_eq!(first_initial(&input[..end]), Ok(None));
    }
    // Addresses may grow when they are written out; too long ones are not read again.
    let bytes = encoded(&message);
    if let Ok(again) = first_initial(&bytes) {
        assert_eq!(again, Some((message, bytes.len())));
    }
}

/// Frames of the election port, and the votes in them.
pub fn notification(input: &[u8]) {
    vote(input);
    let mut rest = input;
    while let Ok(Some(body)) = first_frame(rest) {
        vote(body);
        rest = &rest[jute::frame::PREFIX_LEN + body.len()..];
    }
}

fn vote(body: &[u8]) {
    let Ok(vote) = Notification::from_bytes(body) else {
        return;
    };
    let bytes = encoded(&vote);
    let again = Notification::from_bytes(&bytes).expect("an encoded vote decodes");
    let unversioned = Notification { version: 0, ..vote };
    assert_eq!(
        again,
        if vote.config.is_some() {
            vote
        } else {
            unversioned
        }
    );
    if let Some(config) = vote.config {
        quorum_config(config);
    }
}

/// The text of a configuration: what is printed reads as the same, and prints as the same.
pub fn quorum_config(input: &[u8]) {
    let Ok(config) = QuorumConfig::from_bytes(input) else {
        return;
    };
    let printed = config.to_string();
    let again = QuorumConfig::parse(&printed);
    assert_eq!(again.as_ref(), Ok(&config), "{printed:?}");
    assert_eq!(again.map(|again| again.to_string()), Ok(printed));
    assert!(config.is_same(&config.with_version(config.version ^ 1)));
    assert!(config.voters().all(|id| config.is_voter(id)));
}

/// Something that [`Encode`]s, encoded, with its length in front.
pub(crate) fn framed(record: &impl Encode) -> Vec<u8> {
    let mut out = Vec::new();
    jute::frame::append(&mut out, |out| record.encode(out));
    out
}
