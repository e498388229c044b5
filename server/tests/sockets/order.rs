//! Answers and events come in the order that clients rely on.

use jute::proto::{GetDataResponse, ReplyHeader};
use jute::{ErrorCode, OpCode};

use crate::common::{Client, Nothing, Server, get, set};

/// Writes and reads sent before the first answer is read.
const PIPELINED: usize = 500;

#[test]
fn pipelined_reads_see_the_writes_before_them() {
    let server = Server::start("");
    let mut client = Client::connect(server.address);
    client.created("/n", 0);
    let mut all = Vec::new();
    for value in 0..PIPELINED {
        let text = value.to_string();
        all.extend(client.request(OpCode::SetData, &set("/n", text.as_bytes(), -1)));
        all.extend(client.request(OpCode::GetData, &get("/n", false)));
        if value % 10 == 0 {
            all.extend(client.request(OpCode::Ping, &Nothing));
        }
    }
    client.wire.send(&all);
    let mut last_zxid = 0;
    let mut xid = 1;
    for value in 0..PIPELINED {
        let written = client.reply().expect("an answer");
        let read = client.reply().expect("an answer");
        assert_eq!((written.xid, read.xid), (xid + 1, xid + 2));
        xid += 2;
        let response: GetDataResponse<'_> = read.decode();
        assert_eq!(response.data, Some(value.to_string().as_bytes()));
        assert!(last_zxid < written.zxid && written.zxid <= read.zxid);
        assert_eq!(response.stat.mzxid, written.zxid);
        last_zxid = written.zxid;
        if value % 10 == 0 {
            let pong = client.reply().expect("an answer");
            assert_eq!(pong.xid, ReplyHeader::PING_XID);
            xid += 1;
        }
    }
}

#[test]
fn answers_larger_than_every_buffer_all_arrive() {
    const LEN: usize = 300_000;
    const READS: usize = 60;
    let server = Server::start("");
    let mut client = Client::connect(server.address);
    client.created("/n", 0);
    client.set("/n", &vec![7; LEN]);
    let mut all = Vec::new();
    for at in 0..READS {
        all.extend(client.request(OpCode::GetData, &get("/n", false)));
        if at % 7 == 0 {
            all.extend(client.request(OpCode::SetData, &set("/other", b"", -1)));
        }
    }
    // The end, which goes with the last of them, keeps none back.
    all.extend(client.request(OpCode::CloseSession, &Nothing));
    client.wire.send(&all);
    for at in 0..READS {
        let read = client.reply().expect("an answer");
        let response: GetDataResponse<'_> = read.decode();
        assert_eq!(response.data.map(<[u8]>::len), Some(LEN), "{at}");
        if at % 7 == 0 {
            let refused = client.reply().expect("an answer");
            assert_eq!(refused.err, ErrorCode::NoNode.as_i32(), "{at}");
        }
    }
    assert_eq!(client.reply().expect("an answer to the close").err, 0);
    assert!(client.reply().is_none());
}

#[test]
fn an_own_event_comes_before_the_answer_to_the_write() {
    let server = Server::start("");
    let mut client = Client::connect(server.address);
    client.created("/n", 0);
    for round in 0..20 {
        assert_eq!(client.get("/n", true).err, 0);
        let written = client.set("/n", b"x");
        let event = client.events.pop_front().expect("before the answer");
        assert_eq!((event.kind, event.zxid), (3, written.zxid), "{round}");
    }
}

#[test]
fn an_event_comes_before_an_answer_that_shows_the_change() {
    let server = Server::start("");
    let mut writer = Client::connect(server.address);
    let mut reader = Client::connect(server.address);
    writer.created("/n", 0);
    for version in 1..=200 {
        assert_eq!(reader.get("/n", true).err, 0);
        assert!(reader.events.is_empty());
        writer.send(OpCode::SetData, &set("/n", b"x", -1));
        while reader.stat("/n").version < version {
            assert!(reader.events.is_empty(), "no event before its change");
        }
        assert_eq!(reader.events.len(), 1, "the event came first");
        reader.events.clear();
        assert_eq!(writer.reply().expect("an answer").err, 0);
    }
}

#[test]
fn any_xid_is_echoed_but_a_pings() {
    let server = Server::start("");
    let mut client = Client::connect(server.address);
    for xid in [1, 1, 7, 0, -1, -2, -8, i32::MIN, i32::MAX] {
        let ping = Client::request_as(xid, OpCode::Ping.as_i32(), &[]);
        client.wire.send(&ping);
        let answer = client.wire.receive().expect("an answer");
        assert_eq!(answer[..4], ReplyHeader::PING_XID.to_be_bytes(), "{xid}");
        let body = crate::common::bytes(&get("/", false));
        client
            .wire
            .send(&Client::request_as(xid, OpCode::GetData.as_i32(), &body));
        let answer = client.wire.receive().expect("an answer");
        assert_eq!(answer[..4], xid.to_be_bytes());
    }
}
