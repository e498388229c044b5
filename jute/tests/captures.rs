//! What real clients and servers said to each other decodes completely and encodes to the
//! same bytes.

mod common;

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use common::{encoded, exactly};
use jute::OpCode;
use jute::frame::{self, Frames};
use jute::proto::*;
use jute::wire::{Decode, Encode, Limits, Reader};

fn testdata(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    std::fs::read(folder.join(name)).expect("the file is there")
}

/// The bodies of the frames of a stream, which must end with a whole one.
fn frames(stream: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    let mut rebuilt = Vec::new();
    for body in Frames::new(stream, Limits::DEFAULT_MAX_BUFFER) {
        let body = body.expect("a length");
        frames.push(body);
        frame::append(&mut rebuilt, |out| out.extend_from_slice(body));
    }
    assert_eq!(rebuilt, stream, "whole frames");
    frames
}

fn split_header<'a, T: Decode<'a>>(body: &'a [u8]) -> (T, &'a [u8]) {
    let mut reader = Reader::new(body, Limits::default());
    let header = T::decode(&mut reader).expect("a header");
    (header, reader.rest())
}

fn request(op: OpCode, body: &[u8]) {
    match op {
        OpCode::Create | OpCode::Create2 => drop(exactly::<CreateRequest<'_>>(body)),
        OpCode::Delete => drop(exactly::<DeleteRequest<'_>>(body)),
        OpCode::Exists => drop(exactly::<ExistsRequest<'_>>(body)),
        OpCode::GetData => drop(exactly::<GetDataRequest<'_>>(body)),
        OpCode::SetData => drop(exactly::<SetDataRequest<'_>>(body)),
        OpCode::GetAcl => drop(exactly::<GetAclRequest<'_>>(body)),
        OpCode::GetChildren2 => drop(exactly::<GetChildrenRequest<'_>>(body)),
        OpCode::Sync => drop(exactly::<SyncRequest<'_>>(body)),
        OpCode::Multi => drop(exactly::<MultiRequest<'_>>(body)),
        OpCode::Ping | OpCode::CloseSession => assert_eq!(body, [0; 0]),
        other => panic!("a request that was not recorded: {other:?}"),
    }
}

fn reply(op: OpCode, body: &[u8]) {
    match op {
        OpCode::Create => drop(exactly::<CreateResponse<'_>>(body)),
        OpCode::Create2 => drop(exactly::<Create2Response<'_>>(body)),
        OpCode::Exists => assert!(exactly::<ExistsResponse>(body).stat.czxid > 0),
        OpCode::GetData => drop(exactly::<GetDataResponse<'_>>(body)),
        OpCode::SetData => assert!(exactly::<SetDataResponse>(body).stat.version > 0),
        OpCode::GetAcl => drop(exactly::<GetAclResponse<'_>>(body)),
        OpCode::GetChildren2 => drop(exactly::<GetChildren2Response<'_>>(body)),
        OpCode::Sync => drop(exactly::<SyncResponse<'_>>(body)),
        OpCode::Multi => results(body),
        OpCode::Delete | OpCode::Ping | OpCode::CloseSession => assert_eq!(body, [0; 0]),
        other => panic!("a reply that was not recorded: {other:?}"),
    }
}

/// The results of a multi, each behind its header.
fn results(body: &[u8]) {
    let mut reader = Reader::new(body, Limits::default());
    let mut rebuilt = Vec::new();
    loop {
        let header = MultiHeader::decode(&mut reader).expect("a header");
        header.encode(&mut rebuilt);
        if header.done {
            break;
        }
        match OpCode::from_i32(header.kind).expect("a type") {
            OpCode::Create => copy::<CreateResponse<'_>>(&mut reader, &mut rebuilt),
            OpCode::Create2 => copy::<Create2Response<'_>>(&mut reader, &mut rebuilt),
            OpCode::SetData => copy::<SetDataResponse>(&mut reader, &mut rebuilt),
            OpCode::Error => copy::<ErrorResponse>(&mut reader, &mut rebuilt),
            OpCode::Delete | OpCode::Check => {}
            other => panic!("a result that was not recorded: {other:?}"),
        }
    }
    assert_eq!(rebuilt, body);
}

fn copy<'a, T: Decode<'a> + Encode>(reader: &mut Reader<'a>, out: &mut Vec<u8>) {
    T::decode(reader).expect("a record").encode(out);
}

/// Every frame of one connection; returns how often each operation was answered with
/// success, and the number of events.
fn conversation(name: &str) -> (BTreeMap<i32, usize>, usize) {
    let dialer = testdata(&format!("{name}.dialer.bin"));
    let requests = frames(&dialer);
    exactly::<ConnectRequest<'_>>(requests[0]);
    let mut asked = VecDeque::new();
    for body in &requests[1..] {
        let (header, rest) = split_header::<RequestHeader>(body);
        assert!(body.starts_with(&encoded(&header)));
        let op = OpCode::from_i32(header.op).expect("a known operation");
        request(op, rest);
        asked.push_back((header.xid, op));
    }

    let acceptor = testdata(&format!("{name}.acceptor.bin"));
    let replies = frames(&acceptor);
    let accepted = exactly::<ConnectResponse<'_>>(replies[0]);
    assert_eq!(accepted.passwd.map(<[u8]>::len), Some(16));
    let (mut succeeded, mut events) = (BTreeMap::new(), 0);
    for body in &replies[1..] {
        let (header, rest) = split_header::<ReplyHeader>(body);
        assert!(body.starts_with(&encoded(&header)));
        if header.xid == ReplyHeader::NOTIFICATION_XID {
            exactly::<WatcherEvent<'_>>(rest);
            events += 1;
            continue;
        }
        let (xid, op) = asked.pop_front().expect("an answer to a request");
        assert_eq!(header.xid, xid);
        if header.err == 0 {
            reply(op, rest);
            *succeeded.entry(op.as_i32()).or_default() += 1;
        } else {
            assert_eq!(rest, [0; 0], "an error has no body");
        }
    }
    assert!(asked.is_empty(), "unanswered: {asked:?}");
    (succeeded, events)
}

#[test]
fn whole_conversations() {
    let script = || {
        [
            (OpCode::Create, 1),
            (OpCode::Delete, 1),
            (OpCode::GetData, 1),
            (OpCode::SetData, 1),
            (OpCode::GetAcl, 1),
            (OpCode::Sync, 1),
            (OpCode::Ping, 1),
            (OpCode::GetChildren2, 1),
            (OpCode::Multi, 1),
            (OpCode::Create2, 1),
            (OpCode::CloseSession, 1),
        ]
        .map(|(op, count)| (op.as_i32(), count))
        .into()
    };
    for name in [
        "3.9.5/conversation",
        "3.8.0/conversation",
        "3.9.5/follower-session-08",
    ] {
        let (succeeded, events) = conversation(name);
        assert_eq!((succeeded, events), (script(), 2), "{name}");
    }
}

/// Its setData on a version that the node does not have fails.
#[test]
fn a_second_client() {
    let (succeeded, events) = conversation("3.9.5/follower-session-09");
    let expected = [OpCode::Create, OpCode::Delete, OpCode::CloseSession]
        .map(|op| (op.as_i32(), 1))
        .into();
    assert_eq!((succeeded, events), (expected, 0));
}
