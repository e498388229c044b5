//! Connections, sessions and frames.

use std::thread::sleep;
use std::time::Duration;

use jute::OpCode;
use jute::proto::{AuthPacket, ConnectRequest, GetDataResponse, ReplyHeader};

use super::Servers;
use crate::common::{
    Client, Nothing, Server, Wire, bytes, connect_request, create, frame, get, set,
};

pub(super) fn old_client(servers: &Servers, _: &mut Client, _: &str) {
    let old = ConnectRequest {
        read_only: None,
        ..connect_request(5000)
    };
    let answer = Wire::open(servers.main.address).handshake(&old);
    assert_eq!(answer.expect("an answer").len(), 36);
}

fn assert_expired(servers: &Servers, request: &ConnectRequest<'_>) {
    let mut wire = Wire::open(servers.main.address);
    let answer = wire.handshake(request).expect("an answer");
    let mut expired = vec![0; 37];
    expired[19] = 16;
    assert_eq!(answer, expired);
    assert_eq!(wire.rest(), b"");
}

pub(super) fn expired_renewal(servers: &Servers, _: &mut Client, _: &str) {
    let unknown = ConnectRequest {
        session_id: 0x0100_dead_beef_0000,
        ..connect_request(5000)
    };
    assert_expired(servers, &unknown);
    let client = Client::connect(servers.main.address);
    let wrong = ConnectRequest {
        passwd: Some(b"wrong"),
        ..client.renewal()
    };
    assert_expired(servers, &wrong);
}

pub(super) fn wrong_password(servers: &Servers, client: &mut Client, base: &str) {
    let mut live = Client::connect(servers.main.address);
    live.created(&format!("{base}/e"), 1);
    let wrong = ConnectRequest {
        passwd: Some(&[9; 16]),
        ..live.renewal()
    };
    assert_expired(servers, &wrong);
    assert_eq!(live.wire.rest(), b"");
    assert_eq!(
        client.stat(&format!("{base}/e")).ephemeral_owner,
        live.session
    );
    assert!(Client::open(servers.main.address, &live.renewal()).is_some());
}

pub(super) fn zxid_ahead(servers: &Servers, _: &mut Client, _: &str) {
    let ahead = ConnectRequest {
        last_zxid_seen: i64::MAX,
        ..connect_request(5000)
    };
    let mut wire = Wire::open(servers.main.address);
    assert_eq!(wire.handshake(&ahead), None);
}

pub(super) fn pipelined_with_connect(servers: &Servers, _: &mut Client, base: &str) {
    let mut all = frame(&bytes(&connect_request(5000)));
    let read = bytes(&get(base, false));
    all.extend(Client::request_as(1, OpCode::GetData.as_i32(), &read));
    let mut wire = Wire::open(servers.main.address);
    wire.send(&all);
    assert_eq!(wire.receive().expect("a session").len(), 37);
    assert_eq!(wire.receive().expect("an answer")[..4], [0, 0, 0, 1]);
}

pub(super) fn ping_xid(_: &Servers, client: &mut Client, _: &str) {
    let reply = client.call_raw(OpCode::Ping.as_i32(), b"");
    assert_eq!(reply.expect("an answer").xid, ReplyHeader::PING_XID);
}

pub(super) fn unknown_opcode(servers: &Servers, client: &mut Client, base: &str) {
    let check = bytes(&crate::common::delete(base, -1));
    for (op, body) in [
        (10, &b""[..]),
        (13, &check),
        (0, b""),
        (-1, b""),
        (20, &check),
        (999, b""),
    ] {
        let mut lost = Client::connect(servers.main.address);
        let reply = lost.call_raw(op, body).expect("an answer");
        assert_eq!((reply.xid, reply.zxid, reply.err), (1, -1, -6), "{op}");
        assert!(lost.reply().is_none(), "{op}");
        // The session is still there.
        assert!(Client::open(servers.main.address, &lost.renewal()).is_some());
    }
    // A client's createSession is refused as well.
    let mut lost = Client::connect(servers.main.address);
    assert_eq!(lost.call_raw(-10, &[0; 4]).expect("an answer").err, -6);
    assert_eq!(client.exists(base, false).err, 0);
}

pub(super) fn auth_failure(servers: &Servers, client: &mut Client, _: &str) {
    let good = client.auth("digest", Some(b"bob:pw")).expect("an answer");
    assert_eq!((good.xid, good.zxid, good.err), (-4, 0, 0));
    for (scheme, auth) in [
        ("world", Some(&b"anyone"[..])),
        ("none", Some(b"")),
        ("digest", None),
    ] {
        let mut lost = Client::connect(servers.main.address);
        let bad = lost.auth(scheme, auth).expect("an answer");
        assert_eq!((bad.xid, bad.err), (-4, -115), "{scheme}");
        assert!(lost.reply().is_none(), "{scheme}");
    }
}

pub(super) fn dropped_connection(servers: &Servers, client: &mut Client, base: &str) {
    let mut lost = Client::with_timeout(servers.main.address, 1000);
    let path = lost.created(&format!("{base}/e"), 1);
    drop(lost);
    assert_eq!(client.exists(&path, true).err, 0);
    sleep(Duration::from_millis(300));
    assert_eq!(client.exists(&path, false).err, 0);
    assert_eq!(client.event().kind, 2);
}

pub(super) fn closing_session(servers: &Servers, client: &mut Client, base: &str) {
    let mut closing = Client::connect(servers.main.address);
    closing.send(OpCode::CloseSession, &Nothing);
    closing.send(OpCode::SetData, &set(base, b"late", -1));
    assert_eq!(closing.reply().expect("an answer").err, 0);
    assert!(closing.reply().is_none());
    assert_eq!(client.stat(base).version, 0);
}

pub(super) fn expiry_is_one_transaction(servers: &Servers, client: &mut Client, base: &str) {
    let mut lost = Client::with_timeout(servers.main.address, 1000);
    for at in 0..5 {
        let path = lost.created(&format!("{base}/{at}"), 1);
        assert_eq!(client.exists(&path, true).err, 0);
    }
    drop(lost);
    let events: Vec<_> = (0..5).map(|_| client.event()).collect();
    assert!(events.iter().all(|event| event.kind == 2));
    assert!(events.iter().all(|event| event.zxid == events[0].zxid));
    assert_eq!(client.stat(base).pzxid, events[0].zxid);
}

pub(super) fn word_after_handshake(servers: &Servers, _: &mut Client, _: &str) {
    let mut client = Client::connect(servers.main.address);
    client.wire.send(b"srvr");
    assert_eq!(client.wire.rest(), b"");
}

pub(super) fn frame_length(servers: &Servers, _: &mut Client, base: &str) {
    let mut client = Client::connect(servers.main.address);
    let mut body = bytes(&get(base, false));
    body.resize(0xfffff - 8, 0);
    let reply = client.call_raw(OpCode::GetData.as_i32(), &body);
    assert_eq!(reply.expect("an answer").err, 0);
    client.wire.send(&0x10_0000_i32.to_be_bytes());
    assert_eq!(client.wire.rest(), b"");
}

pub(super) fn truncated_write(_: &Servers, client: &mut Client, base: &str) {
    let whole = bytes(&create(&format!("{base}/n"), b"data", 0));
    let before = client.set(base, b"").zxid;
    for end in 0..whole.len() {
        let reply = client.call_raw(OpCode::Create.as_i32(), &whole[..end]);
        assert_eq!(reply.expect("an answer").err, -5, "{end}");
    }
    assert_eq!(client.children(base, false), [""; 0]);
    // No other case runs meanwhile: the next write takes the next zxid.
    assert_eq!(client.set(base, b"").zxid, before + 1);
}

pub(super) fn auth_behind_writes(servers: &Servers, _: &mut Client, base: &str) {
    let mut client = Client::connect(servers.main.address);
    let mut all = client.request(OpCode::SetData, &set(base, b"1", -1));
    let auth = AuthPacket {
        kind: 0,
        scheme: Some("digest".into()),
        auth: Some(b"a:b"),
    };
    all.extend(Client::request_as(-4, OpCode::Auth.as_i32(), &bytes(&auth)));
    all.extend(client.request(OpCode::GetData, &get(base, false)));
    client.wire.send(&all);
    let replies: Vec<_> = (0..3).map(|_| client.reply().expect("an answer")).collect();
    let mut xids: Vec<_> = replies.iter().map(|reply| reply.xid).collect();
    xids.retain(|xid| *xid != ReplyHeader::AUTH_XID);
    assert_eq!(xids, [1, 2], "all but auth in order");
    let read = replies.iter().find(|reply| reply.xid == 2);
    let read: GetDataResponse<'_> = read.expect("there").decode();
    assert_eq!(read.data, Some(&b"1"[..]));
}

pub(super) fn one_connection_too_many(_: &Servers, _: &mut Client, _: &str) {
    let server = Server::start("maxClientCnxns=3");
    let mut held = Vec::new();
    while held.len() < 3 {
        held.extend(Client::open(server.address, &connect_request(5000)));
    }
    assert_eq!(Wire::open(server.address).rest(), b"");
    held[2].ping();
}
