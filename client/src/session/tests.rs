use jute::data::Stat;
use jute::proto::{
    ConnectRequest, ConnectResponse, EventType, GetDataResponse, SetWatches2, WatcherEvent,
};
use jute::wire::{Decode, Limits, Reader};

use super::*;
use crate::event::WatchEvent;
use crate::reply::Reply;

const MS: u64 = 1000;

fn options() -> Options {
    Options {
        timeout_ms: 9000,
        connect_timeout_us: 2000 * MS,
        reconnect_delay_us: 100 * MS,
        outstanding_max: 3,
        ..Options::default()
    }
}

fn step(session: &mut Session, now_us: u64, input: Input<'_>) -> Vec<Effect> {
    let mut effects = Vec::new();
    session.handle(now_us, input, &mut effects);
    effects
}

fn framed(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::append(&mut bytes, write);
    bytes
}

fn welcome(session: i64, timeout_ms: i32) -> Vec<u8> {
    framed(|out| {
        ConnectResponse {
            protocol_version: 0,
            timeout_ms,
            session_id: session,
            passwd: Some(&[7; 16]),
            read_only: Some(false),
        }
        .encode(out);
    })
}

fn reply(xid: i32, zxid: i64, err: i32, body: &[u8]) -> Vec<u8> {
    framed(|out| {
        ReplyHeader { xid, zxid, err }.encode(out);
        out.extend_from_slice(body);
    })
}

fn event(kind: EventType, path: &str, zxid: i64) -> Vec<u8> {
    framed(|out| {
        let xid = ReplyHeader::NOTIFICATION_XID;
        ReplyHeader { xid, zxid, err: 0 }.encode(out);
        WatcherEvent {
            event_type: kind as i32,
            state: 3,
            path: Some(path.into()),
        }
        .encode(out);
    })
}

fn data_reply(xid: i32, zxid: i64) -> Vec<u8> {
    let mut body = Vec::new();
    GetDataResponse {
        data: Some(b"x"),
        stat: Stat::default(),
    }
    .encode(&mut body);
    reply(xid, zxid, 0, &body)
}

fn established() -> Session {
    let mut session = Session::new(options());
    assert_eq!(step(&mut session, 0, Input::Tick), [Effect::Connect]);
    step(&mut session, 0, Input::Connected);
    let effects = step(&mut session, 0, Input::Received(&welcome(5, 6000)));
    let granted = Effect::Established {
        session: 5,
        timeout_ms: 6000,
        renewed: false,
    };
    assert_eq!(effects, [granted]);
    session
}

fn get(watch: bool) -> Request {
    Request::GetData {
        path: "/a".to_owned(),
        watch,
    }
}

fn sent_body(effect: &Effect) -> (RequestHeader, &[u8]) {
    let Effect::Send(bytes) = effect else {
        panic!("{effect:?} sends nothing");
    };
    let mut reader = Reader::new(&bytes[4..], Limits::default());
    let header = RequestHeader::decode(&mut reader).expect("a header");
    (header, reader.rest())
}

#[test]
fn the_first_packet_asks_for_the_session() {
    let mut session = established();
    step(&mut session, 1, Input::Submit(Token(1), get(false)));
    step(&mut session, 2, Input::Received(&data_reply(1, 77)));
    step(&mut session, 3, Input::Disconnected);
    step(&mut session, 200 * MS, Input::Tick);
    let effects = step(&mut session, 200 * MS, Input::Connected);
    let [Effect::Send(bytes)] = &effects[..] else {
        panic!("{effects:?}");
    };
    let request = ConnectRequest::decode(&mut Reader::new(&bytes[4..], Limits::default()));
    let request = request.expect("a ConnectRequest");
    assert_eq!((request.session_id, request.last_zxid_seen), (5, 77));
    assert_eq!(request.passwd, Some(&[7; 16][..]));
}

#[test]
fn replies_match_in_order_and_in_pieces() {
    let mut session = established();
    for token in 1..=2 {
        step(&mut session, 1, Input::Submit(Token(token), get(false)));
    }
    let mut bytes = data_reply(1, 10);
    bytes.extend(reply(2, 11, ErrorCode::NoNode.as_i32(), b""));
    let mut answers = Vec::new();
    for byte in bytes {
        answers.extend(step(&mut session, 2, Input::Received(&[byte])));
    }
    let data = Reply::Data(Some(b"x".to_vec()), Stat::default());
    let expected = [
        (Token(1), 10, Ok(data)),
        (Token(2), 11, Err(Failure::Refused(ErrorCode::NoNode))),
    ];
    let expected = expected.map(|(token, zxid, outcome)| Effect::Answer {
        token,
        zxid,
        outcome,
    });
    assert_eq!(answers, expected);
    assert_eq!(session.last_zxid(), 11);
}

#[test]
fn nonsense_ends_the_connection_and_fails_what_was_sent() {
    let table: [(&str, Vec<u8>); 5] = [
        ("wrong xid", data_reply(9, 1)),
        ("bad length", vec![0xff; 4]),
        ("short header", framed(|out| out.push(1))),
        ("short body", reply(1, 1, 0, b"")),
        ("unasked auth", reply(ReplyHeader::AUTH_XID, 0, 0, b"")),
    ];
    for (name, bytes) in table {
        let mut session = established();
        step(&mut session, 1, Input::Submit(Token(1), get(false)));
        let effects = step(&mut session, 2, Input::Received(&bytes));
        let lost = failed(Token(1), Failure::ConnectionLoss);
        let expected = [Effect::Disconnect, Effect::Suspended, lost];
        assert_eq!(effects, expected, "{name}");
        assert_eq!(session.next_deadline(), Some(100 * MS + 2), "{name}");
    }
}

#[test]
fn watches_are_set_again_with_the_last_zxid_seen() {
    let mut session = established();
    step(&mut session, 1, Input::Submit(Token(1), get(true)));
    step(&mut session, 2, Input::Received(&data_reply(1, 21)));
    // Neither an event nor a ping moves the last zxid seen.
    let other = event(EventType::NodeDataChanged, "/b", 30);
    step(&mut session, 3, Input::Received(&other));
    step(&mut session, 3, Input::Received(&reply(-2, 31, 0, b"")));
    step(&mut session, 4, Input::Disconnected);
    step(&mut session, 200 * MS, Input::Submit(Token(2), get(false)));
    step(&mut session, 200 * MS, Input::Tick);
    step(&mut session, 200 * MS, Input::Connected);
    let effects = step(&mut session, 200 * MS, Input::Received(&welcome(5, 6000)));
    let (header, body) = sent_body(&effects[1]);
    assert_eq!(header.xid, ReplyHeader::SET_WATCHES_XID);
    let packet = SetWatches2::decode(&mut Reader::new(body, Limits::default()));
    let packet = packet.expect("a SetWatches2");
    assert_eq!(packet.relative_zxid, 21);
    assert_eq!(packet.data_watches, Some(vec![Some("/a".into())]));
    // What waited comes behind the watches.
    assert_eq!(sent_body(&effects[2]).0.xid, 2);
    let fired = event(EventType::NodeDataChanged, "/a", -1);
    let effects = step(&mut session, 201 * MS, Input::Received(&fired));
    let told = WatchEvent {
        kind: EventType::NodeDataChanged,
        path: "/a".to_owned(),
        zxid: -1,
    };
    assert_eq!(effects, [Effect::Event(told)]);
    assert!(session.watches().is_empty());
}

#[test]
fn credentials_are_given_again() {
    let mut session = established();
    let auth = Request::Auth {
        scheme: "digest".to_owned(),
        auth: b"a:b".to_vec(),
    };
    step(&mut session, 1, Input::Submit(Token(1), get(false)));
    step(&mut session, 1, Input::Submit(Token(2), auth));
    // The answer to auth overtakes.
    let effects = step(&mut session, 2, Input::Received(&reply(-4, 0, 0, b"")));
    assert!(matches!(
        effects[..],
        [Effect::Answer {
            token: Token(2),
            outcome: Ok(Reply::Done),
            ..
        }]
    ));
    step(&mut session, 3, Input::Disconnected);
    step(&mut session, 200 * MS, Input::Tick);
    step(&mut session, 200 * MS, Input::Connected);
    let effects = step(&mut session, 200 * MS, Input::Received(&welcome(5, 6000)));
    assert_eq!(sent_body(&effects[1]).0.xid, ReplyHeader::AUTH_XID);
}

#[test]
fn pings_when_idle_and_gives_up_when_nothing_is_heard() {
    let mut session = established();
    assert_eq!(session.next_deadline(), Some(2000 * MS));
    assert!(step(&mut session, 1999 * MS, Input::Tick).is_empty());
    let effects = step(&mut session, 2000 * MS, Input::Tick);
    assert_eq!(sent_body(&effects[0]).0.xid, ReplyHeader::PING_XID);
    assert_eq!(session.next_deadline(), Some(4000 * MS));
    let effects = step(&mut session, 4000 * MS, Input::Tick);
    assert_eq!(effects, [Effect::Disconnect, Effect::Suspended]);
}

#[test]
fn an_expired_session_ends() {
    let mut session = established();
    step(&mut session, 1, Input::Disconnected);
    step(&mut session, 200 * MS, Input::Submit(Token(1), get(false)));
    step(&mut session, 200 * MS, Input::Tick);
    step(&mut session, 200 * MS, Input::Connected);
    let effects = step(&mut session, 200 * MS, Input::Received(&welcome(0, 0)));
    let answer = failed(Token(1), Failure::SessionEnded);
    assert_eq!(effects, [Effect::Disconnect, answer, Effect::Expired]);
    assert_eq!(session.next_deadline(), None);
    let effects = step(&mut session, 201 * MS, Input::Submit(Token(2), get(false)));
    assert_eq!(effects, [failed(Token(2), Failure::SessionEnded)]);
}

#[test]
fn closing_ends_the_session_with_its_answer() {
    let mut session = established();
    step(
        &mut session,
        1,
        Input::Submit(Token(1), Request::CloseSession),
    );
    let effects = step(&mut session, 2, Input::Received(&reply(1, 3, 0, b"")));
    let answer = Effect::Answer {
        token: Token(1),
        zxid: 3,
        outcome: Ok(Reply::Done),
    };
    assert_eq!(effects, [answer, Effect::Disconnect, Effect::Closed]);
    assert!(session.has_ended());
}

#[test]
fn outstanding_requests_are_bounded() {
    let mut session = established();
    for token in 1..=3 {
        step(&mut session, 1, Input::Submit(Token(token), get(false)));
    }
    let effects = step(&mut session, 1, Input::Submit(Token(4), get(false)));
    assert_eq!(effects, [failed(Token(4), Failure::TooManyOutstanding)]);
}

#[test]
fn connecting_has_a_time_limit() {
    let mut session = Session::new(options());
    step(&mut session, 0, Input::Tick);
    assert_eq!(session.next_deadline(), Some(2000 * MS));
    let effects = step(&mut session, 2000 * MS, Input::Tick);
    assert_eq!(effects, [Effect::Disconnect]);
    assert_eq!(session.next_deadline(), Some(2100 * MS));
    assert_eq!(
        step(&mut session, 2100 * MS, Input::Tick),
        [Effect::Connect]
    );
}
