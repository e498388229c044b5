//! How a connection begins, goes on elsewhere, and ends.

use std::time::{Duration, Instant};

use jute::OpCode;
use jute::proto::ConnectRequest;

use crate::common::{Client, Nothing, Server, Wire, bytes, connect_request, frame};

/// Length of an answer with the read-only flag; old clients get one byte less.
const RESPONSE_LEN: usize = 37;

const EXPIRED: [u8; RESPONSE_LEN] = {
    let mut expired = [0; RESPONSE_LEN];
    // The length of the password.
    expired[19] = 16;
    expired
};

fn timeout_in(response: &[u8]) -> i32 {
    i32::from_be_bytes(response[4..8].try_into().expect("4 bytes"))
}

#[test]
fn every_form_of_a_first_packet() {
    let server = Server::start("");
    let base = connect_request(5000);
    let cases: [(&str, ConnectRequest<'_>, usize, i32); 9] = [
        ("plain", base.clone(), RESPONSE_LEN, 5000),
        (
            "a client without the read-only flag",
            ConnectRequest {
                read_only: None,
                ..base.clone()
            },
            RESPONSE_LEN - 1,
            5000,
        ),
        (
            "read-only is good enough",
            ConnectRequest {
                read_only: Some(true),
                ..base.clone()
            },
            RESPONSE_LEN,
            5000,
        ),
        (
            "any protocol version",
            ConnectRequest {
                protocol_version: 99,
                ..base.clone()
            },
            RESPONSE_LEN,
            5000,
        ),
        (
            "no password",
            ConnectRequest {
                passwd: None,
                ..base.clone()
            },
            RESPONSE_LEN,
            5000,
        ),
        (
            "an empty password",
            ConnectRequest {
                passwd: Some(b""),
                ..base.clone()
            },
            RESPONSE_LEN,
            5000,
        ),
        ("no timeout: the least", connect_request(0), 37, 1000),
        ("a negative one: the least", connect_request(-1), 37, 1000),
        (
            "too much: the most",
            connect_request(i32::MAX),
            RESPONSE_LEN,
            10_000,
        ),
    ];
    for (name, request, len, timeout_ms) in cases {
        let mut wire = Wire::open(server.address);
        let response = wire.handshake(&request).expect(name);
        assert_eq!(response.len(), len, "{name}");
        assert_eq!(response[..4], [0; 4], "{name}");
        assert_eq!(timeout_in(&response), timeout_ms, "{name}");
        assert_eq!(response[8], 1, "{name}: the server's id");
        assert_eq!(response[16..20], 16_i32.to_be_bytes(), "{name}");
    }
}

#[test]
fn what_is_no_first_packet_is_closed_without_a_byte() {
    let server = Server::start("");
    let whole = bytes(&connect_request(5000));
    let mut huge_password = whole[..24].to_vec();
    huge_password.extend_from_slice(&i32::MAX.to_be_bytes());
    for body in [&whole[..0], &whole[..8], &whole[..40], &huge_password] {
        let mut wire = Wire::open(server.address);
        wire.send(&frame(body));
        assert_eq!(wire.rest(), b"", "{} bytes", body.len());
    }
    Client::connect(server.address).ping();
}

#[test]
fn a_client_that_has_seen_more_is_closed() {
    let server = Server::start("");
    let ahead = ConnectRequest {
        last_zxid_seen: 1 << 40,
        ..connect_request(5000)
    };
    assert!(Wire::open(server.address).handshake(&ahead).is_none());
    let client = Client::connect(server.address);
    let ahead = ConnectRequest {
        last_zxid_seen: 1 << 40,
        ..client.renewal()
    };
    assert!(Wire::open(server.address).handshake(&ahead).is_none());
}

#[test]
fn a_session_goes_on_with_its_password_alone() {
    let server = Server::start("");
    let mut first = Client::connect(server.address);
    first.created("/mine", 1);
    // The right password: the session moves, its old connection is closed.
    let mut second = Client::open(server.address, &first.renewal()).expect("renewed");
    assert_eq!(second.session, first.session);
    assert_eq!(first.wire.rest(), b"");
    assert_eq!(second.stat("/mine").ephemeral_owner, second.session);
    // A wrong one closes that connection as well, but the session lives.
    let wrong = ConnectRequest {
        passwd: Some(&[1; 16]),
        ..second.renewal()
    };
    let mut stranger = Wire::open(server.address);
    assert_eq!(stranger.handshake(&wrong).as_deref(), Some(&EXPIRED[..]));
    assert_eq!(stranger.rest(), b"");
    assert_eq!(second.wire.rest(), b"");
    let third = Client::open(server.address, &first.renewal()).expect("still alive");
    third.close();
    // Closed, it cannot be renewed, by old clients either.
    let mut wire = Wire::open(server.address);
    assert_eq!(
        wire.handshake(&first.renewal()).as_deref(),
        Some(&EXPIRED[..])
    );
    let old = ConnectRequest {
        read_only: None,
        ..first.renewal()
    };
    let answer = Wire::open(server.address).handshake(&old);
    assert_eq!(answer.as_deref(), Some(&EXPIRED[..RESPONSE_LEN - 1]));
}

#[test]
fn requests_may_follow_the_first_packet_at_once() {
    let server = Server::start("");
    let mut all = frame(&bytes(&connect_request(5000)));
    let create = bytes(&crate::common::create("/early", b"x", 0));
    all.extend(Client::request_as(1, OpCode::Create.as_i32(), &create));
    all.extend(Client::request_as(
        2,
        OpCode::GetData.as_i32(),
        &bytes(&crate::common::get("/early", false)),
    ));
    for chunk in [all.len(), 1, 7] {
        let mut wire = Wire::open(server.address);
        for piece in all.chunks(chunk) {
            wire.send(piece);
        }
        assert_eq!(wire.receive().expect("a session").len(), RESPONSE_LEN);
        let created = wire.receive().expect("an answer");
        assert_eq!(created[..4], 1_i32.to_be_bytes());
        let read = wire.receive().expect("an answer");
        assert_eq!(read[..4], 2_i32.to_be_bytes());
        assert_eq!(read[16..21], [0, 0, 0, 1, b'x']);
    }
}

#[test]
fn a_session_without_its_client_expires_with_its_ephemerals() {
    let server = Server::start("");
    let mut witness = Client::connect(server.address);
    let mut leaving = Client::with_timeout(server.address, 1000);
    leaving.created("/a", 1);
    leaving.created("/b", 1);
    assert_eq!(witness.exists("/a", true).err, 0);
    assert_eq!(witness.exists("/b", true).err, 0);
    let renewal = (leaving.session, leaving.passwd);
    let start = Instant::now();
    drop(leaving);
    // Dropping the connection is not the end of the session.
    assert_eq!(witness.exists("/a", false).err, 0);
    let events = [witness.event(), witness.event()];
    assert!(start.elapsed() >= Duration::from_millis(900));
    assert!(events.iter().all(|event| event.kind == 2));
    assert_eq!(events[0].zxid, events[1].zxid, "one transaction");
    assert_eq!(witness.exists("/a", false).err, -101);
    let late = ConnectRequest {
        session_id: renewal.0,
        passwd: Some(&renewal.1),
        ..connect_request(5000)
    };
    let answer = Wire::open(server.address).handshake(&late);
    assert_eq!(answer.as_deref(), Some(&EXPIRED[..]));
}

#[test]
fn a_silent_client_is_closed_when_its_session_expires() {
    let server = Server::start("");
    let mut silent = Client::with_timeout(server.address, 1000);
    silent.created("/silent", 1);
    assert_eq!(silent.wire.rest(), b"");
    let mut other = Client::connect(server.address);
    assert_eq!(other.exists("/silent", false).err, -101);
}

#[test]
fn close_session_answers_and_takes_the_ephemerals() {
    let server = Server::start("");
    let mut witness = Client::connect(server.address);
    let mut closing = Client::connect(server.address);
    closing.created("/gone", 1);
    assert_eq!(witness.exists("/gone", true).err, 0);
    // What comes behind the close is not answered.
    closing.send(OpCode::CloseSession, &Nothing);
    closing.send(OpCode::Ping, &Nothing);
    let reply = closing.reply().expect("an answer");
    assert_eq!((reply.xid, reply.err, reply.body.len()), (2, 0, 0));
    assert!(closing.reply().is_none());
    let event = witness.event();
    assert_eq!((event.kind, event.path.as_str()), (2, "/gone"));
    assert_eq!(event.zxid, reply.zxid);
}
