use jute::data::Stat;
use jute::frame::{self, Frames};
use jute::proto::{
    ConnectRequest, ConnectResponse, EventType, GetDataResponse, SetWatches, WatcherEvent,
};
use jute::wire::{Decode, Limits, Reader};

use super::*;
use crate::session::event::WatchEvent;
use crate::session::reply::Reply;

const MS: u64 = 1000;

fn options() -> Options {
    Options {
        timeout_ms: 9000,
        connect_timeout_us: 2000 * MS,
        reconnect_delay_us: 100 * MS,
        outstanding_max: 3,
        waiting_max: 2,
        unsent_timeout_us: Some(5000 * MS),
        reconnect_delay_max_us: 100 * MS,
        ..Options::default()
    }
}

fn step(session: &mut Session, now_us: u64, input: Input<'_>) -> Vec<Effect> {
    let mut effects = Vec::new();
    session.output().clear();
    session.handle(now_us, input, &mut effects);
    effects
}

/// The bodies of the frames that the last step wants sent.
fn sent(session: &mut Session) -> Vec<Vec<u8>> {
    let output = std::mem::take(session.output());
    let mut frames = Frames::new(&output, usize::MAX);
    let bodies = frames.by_ref().map(|body| body.expect("a length").to_vec());
    let bodies = bodies.collect();
    assert!(frames.rest().is_empty(), "half a frame is to be sent");
    bodies
}

/// The only one, a request's: its header, and what is behind it.
fn asked(session: &mut Session) -> (RequestHeader, Vec<u8>) {
    let bodies = sent(session);
    assert_eq!(bodies.len(), 1);
    request(&bodies[0])
}

fn request(body: &[u8]) -> (RequestHeader, Vec<u8>) {
    let mut reader = Reader::new(body, Limits::default());
    let header = RequestHeader::decode(&mut reader).expect("a header");
    (header, reader.rest().to_vec())
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
        read_only: false,
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

#[test]
fn the_first_packet_asks_for_the_session() {
    let mut session = established();
    step(&mut session, 1, Input::Submit(Token(1), get(false)));
    step(&mut session, 2, Input::Received(&data_reply(1, 77)));
    step(&mut session, 3, Input::Disconnected);
    step(&mut session, 200 * MS, Input::Tick);
    assert!(step(&mut session, 200 * MS, Input::Connected).is_empty());
    let bodies = sent(&mut session);
    let request = ConnectRequest::decode(&mut Reader::new(&bodies[0], Limits::default()));
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
    step(&mut session, 200 * MS, Input::Received(&welcome(5, 6000)));
    let bodies = sent(&mut session);
    let (header, body) = request(&bodies[0]);
    assert_eq!(header.xid, ReplyHeader::SET_WATCHES_XID);
    let packet = SetWatches::decode(&mut Reader::new(&body, Limits::default()));
    let packet = packet.expect("a SetWatches");
    assert_eq!(packet.relative_zxid, 21);
    assert_eq!(packet.data_watches, Some(vec![Some("/a".into())]));
    // What waited comes behind the watches.
    assert_eq!(request(&bodies[1]).0.xid, 2);
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
    step(&mut session, 200 * MS, Input::Received(&welcome(5, 6000)));
    assert_eq!(asked(&mut session).0.xid, ReplyHeader::AUTH_XID);
}

#[test]
fn pings_when_idle_and_gives_up_when_nothing_is_heard() {
    let mut session = established();
    assert_eq!(session.next_deadline(), Some(2000 * MS));
    assert!(step(&mut session, 1999 * MS, Input::Tick).is_empty());
    assert!(step(&mut session, 2000 * MS, Input::Tick).is_empty());
    assert_eq!(asked(&mut session).0.xid, ReplyHeader::PING_XID);
    assert_eq!(session.next_deadline(), Some(4000 * MS));
    let effects = step(&mut session, 4000 * MS, Input::Tick);
    assert_eq!(effects, [Effect::Disconnect, Effect::Suspended]);
}

#[test]
fn a_session_was_heard_of_when_what_was_answered_was_sent() {
    let mut session = established();
    let opened = session.touched_us();
    step(&mut session, 1000 * MS, Input::Submit(Token(1), get(false)));
    assert_eq!(session.touched_us(), opened, "nothing says so yet");
    // An event does not: the server may have sent it before anything of that.
    let told = event(EventType::NodeDeleted, "/a", 5);
    step(&mut session, 1500 * MS, Input::Received(&told));
    assert_eq!(session.touched_us(), opened);
    // However long the answer was on its way.
    step(&mut session, 2500 * MS, Input::Received(&data_reply(1, 6)));
    assert_eq!(session.touched_us(), 1000 * MS);
    step(&mut session, 3000 * MS, Input::Tick);
    let pong = reply(ReplyHeader::PING_XID, 6, 0, &[]);
    step(&mut session, 3900 * MS, Input::Received(&pong));
    assert_eq!(session.touched_us(), 3000 * MS);
    // The pings of a connection go with it.
    step(&mut session, 5900 * MS, Input::Tick);
    step(&mut session, 5950 * MS, Input::Disconnected);
    assert_eq!(session.touched_us(), 3000 * MS);
}

#[test]
fn an_expired_session_ends() {
    let mut session = established();
    step(&mut session, 1, Input::Disconnected);
    step(&mut session, 200 * MS, Input::Submit(Token(1), get(false)));
    step(&mut session, 200 * MS, Input::Tick);
    step(&mut session, 200 * MS, Input::Connected);
    let effects = step(&mut session, 200 * MS, Input::Received(&welcome(0, 0)));
    let answer = failed(Token(1), Failure::SessionEnded(End::Expired));
    assert_eq!(
        effects,
        [Effect::Disconnect, answer, Effect::Ended(End::Expired)]
    );
    assert_eq!(session.next_deadline(), None);
    let effects = step(&mut session, 201 * MS, Input::Submit(Token(2), get(false)));
    assert_eq!(
        effects,
        [failed(Token(2), Failure::SessionEnded(End::Expired))]
    );
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
    assert_eq!(
        effects,
        [answer, Effect::Disconnect, Effect::Ended(End::Closed)]
    );
    assert!(session.has_ended());
}

#[test]
fn what_is_sent_and_what_waits_is_bounded() {
    let mut session = established();
    for token in 1..=5 {
        let effects = step(&mut session, 1, Input::Submit(Token(token), get(false)));
        assert!(effects.is_empty());
        let sent = sent(&mut session).len();
        assert_eq!(sent, usize::from(token <= 3), "{token}");
    }
    let effects = step(&mut session, 1, Input::Submit(Token(6), get(false)));
    assert_eq!(effects, [failed(Token(6), Failure::TooManyWaiting)]);
    // An answer makes room for one, in order, and the others stay behind it.
    let effects = step(&mut session, 2, Input::Received(&data_reply(1, 7)));
    assert_eq!(asked(&mut session).0.xid, 4);
    assert_eq!(effects.len(), 1);
    let effects = step(&mut session, 3, Input::Submit(Token(7), get(false)));
    assert!(effects.is_empty() && session.output().is_empty());
}

#[test]
fn bytes_for_another_connection_end_the_present_one() {
    let mut session = Session::new(options());
    step(&mut session, 0, Input::Tick);
    session.output().push(1);
    let mut effects = Vec::new();
    session.handle(1, Input::Connected, &mut effects);
    assert_eq!(effects, [Effect::Disconnect]);
    assert!(session.output().is_empty());
    // The next one is as good as any.
    assert_eq!(step(&mut session, 200 * MS, Input::Tick), [Effect::Connect]);
    step(&mut session, 201 * MS, Input::Connected);
    assert_eq!(sent(&mut session).len(), 1);
}

#[test]
fn what_is_withdrawn_before_it_is_sent_is_never_sent() {
    let mut session = established();
    for token in 1..=5 {
        step(&mut session, 1, Input::Submit(Token(token), get(false)));
    }
    // 1 was sent: too late.
    for (token, taken_back) in [(1, false), (4, true), (4, false)] {
        assert_eq!(session.withdraw(Token(token)), taken_back, "{token}");
    }
    let mut bytes = data_reply(1, 7);
    bytes.extend(data_reply(2, 7));
    let effects = step(&mut session, 2, Input::Received(&bytes));
    let answered = |effect: &Effect| match effect {
        Effect::Answer { token, .. } => Some(token.0),
        _ => None,
    };
    let answers: Vec<_> = effects.iter().filter_map(answered).collect();
    assert_eq!((answers, effects.len()), (vec![1, 2], 2));
    // The fifth.
    assert_eq!(sent(&mut session).len(), 1);
    let effects = step(&mut session, 3, Input::Received(&data_reply(3, 7)));
    assert_eq!(effects.len(), 1);
    let effects = step(&mut session, 3, Input::Received(&data_reply(4, 7)));
    assert_eq!(effects.iter().find_map(answered), Some(5));
}

#[test]
fn a_loss_tells_what_may_have_happened_from_what_did_not() {
    let mut session = established();
    for token in 1..=5 {
        step(&mut session, 1, Input::Submit(Token(token), get(false)));
    }
    let effects = step(&mut session, 2, Input::Disconnected);
    let mut expected = vec![Effect::Suspended];
    expected.extend((1..=3).map(|token| failed(Token(token), Failure::ConnectionLoss)));
    expected.extend((4..=5).map(|token| failed(Token(token), Failure::NotSent)));
    assert_eq!(effects, expected);
    // What comes later waits through attempts that fail, up to its limit.
    let asked_us = 100 * MS;
    step(&mut session, asked_us, Input::Submit(Token(6), get(false)));
    let mut now_us = asked_us;
    let mut failures = Vec::new();
    while failures.is_empty() {
        now_us = session.next_deadline().expect("it tries on");
        for effect in step(&mut session, now_us, Input::Tick) {
            match effect {
                Effect::Connect => {
                    assert!(step(&mut session, now_us, Input::Disconnected).is_empty())
                }
                answer => failures.push(answer),
            }
        }
    }
    assert_eq!(failures, [failed(Token(6), Failure::NotSent)]);
    assert_eq!(now_us, asked_us + 5000 * MS);
}

#[test]
fn a_watch_whose_removal_was_cut_off_is_not_registered_again() {
    let mut session = established();
    step(&mut session, 1, Input::Submit(Token(1), get(true)));
    step(&mut session, 2, Input::Received(&data_reply(1, 21)));
    let (path, kind) = ("/a".to_owned(), WatcherType::Data);
    assert!(session.watches().contains("/a", kind));
    let removal = Request::RemoveWatches { path, kind };
    step(&mut session, 3, Input::Submit(Token(2), removal));
    step(&mut session, 4, Input::Disconnected);
    assert!(session.watches().is_empty());
}

#[test]
fn a_session_of_a_read_only_server_is_left_behind() {
    let mut session = Session::new(Options {
        read_only: true,
        ..options()
    });
    let welcome = |id, read_only| {
        framed(|out| {
            ConnectResponse {
                protocol_version: 0,
                timeout_ms: 6000,
                session_id: id,
                passwd: Some(&[7; 16]),
                read_only: Some(read_only),
            }
            .encode(out);
        })
    };
    let asked = |session: &mut Session| {
        let bodies = sent(session);
        let request = ConnectRequest::decode(&mut Reader::new(&bodies[0], Limits::default()));
        let request = request.expect("a ConnectRequest");
        (request.session_id, request.read_only)
    };
    step(&mut session, 0, Input::Tick);
    step(&mut session, 0, Input::Connected);
    assert_eq!(asked(&mut session), (0, Some(true)));
    step(&mut session, 0, Input::Received(&welcome(5, true)));
    assert!(session.is_read_only());
    let effects = step(&mut session, 1, Input::WritableFound);
    assert_eq!(effects, [Effect::Disconnect, Effect::Suspended]);
    assert_eq!(step(&mut session, 1, Input::Tick), [Effect::Connect]);
    step(&mut session, 2, Input::Connected);
    assert_eq!(asked(&mut session), (0, Some(true)));
    step(&mut session, 2, Input::Received(&welcome(6, false)));
    assert!(!session.is_read_only());
    assert!(step(&mut session, 3, Input::WritableFound).is_empty());
    // Now it has one that is worth keeping.
    step(&mut session, 3, Input::Disconnected);
    step(&mut session, 200 * MS, Input::Tick);
    step(&mut session, 200 * MS, Input::Connected);
    assert_eq!(asked(&mut session).0, 6);
}

#[test]
fn an_identity_that_is_no_longer_accepted_ends_the_session() {
    let mut session = established();
    let auth = Request::Auth {
        scheme: "digest".to_owned(),
        auth: b"a:b".to_vec(),
    };
    step(&mut session, 1, Input::Submit(Token(1), auth));
    step(&mut session, 2, Input::Received(&reply(-4, 0, 0, b"")));
    step(&mut session, 3, Input::Disconnected);
    step(&mut session, 200 * MS, Input::Tick);
    step(&mut session, 200 * MS, Input::Connected);
    step(&mut session, 200 * MS, Input::Received(&welcome(5, 6000)));
    step(&mut session, 200 * MS, Input::Submit(Token(2), get(false)));
    let refused = reply(-4, 0, ErrorCode::AuthFailed.as_i32(), b"");
    let effects = step(&mut session, 201 * MS, Input::Received(&refused));
    let lost = failed(Token(2), Failure::ConnectionLoss);
    let ended = Effect::Ended(End::AuthFailed);
    assert_eq!(effects, [Effect::Disconnect, lost, ended]);
}

#[test]
fn who_stops_at_once_leaves_the_session_to_its_timeout() {
    let mut session = established();
    step(&mut session, 1, Input::Submit(Token(1), get(false)));
    let effects = step(&mut session, 2, Input::Abandon);
    let lost = failed(Token(1), Failure::ConnectionLoss);
    let ended = Effect::Ended(End::Closed);
    assert_eq!(effects, [Effect::Disconnect, lost, ended]);
    assert!(step(&mut session, 3, Input::Abandon).is_empty());
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

#[test]
fn sasl_comes_before_everything_else() {
    let token = |token: Option<&[u8]>| {
        let mut body = Vec::new();
        token.encode(&mut body);
        body
    };
    let user = DigestMd5 {
        user: "bob".to_owned(),
        password: "pw".to_owned(),
        nonce_seed: [1; 16],
    };
    let challenge: &[u8] = b"realm=\"zk-sasl-md5\",nonce=\"n\",charset=utf-8,algorithm=md5-sess";
    let response = user.respond(challenge, 1).expect("a response");
    let wrong: &[u8] = b"rspauth=0";
    let no_auth = ErrorCode::AuthFailed.as_i32();
    // The last reply, its error, and whether it is accepted.
    let table = [
        (Some(&response.proof[..]), 0, true),
        (Some(wrong), 0, false),
        (None, 0, false),
        (None, no_auth, false),
    ];
    for (proof, err, accepted) in table {
        let mut session = Session::new(options()).with_sasl(user.clone());
        step(&mut session, 0, Input::Submit(Token(1), get(false)));
        step(&mut session, 0, Input::Tick);
        step(&mut session, 0, Input::Connected);
        let effects = step(&mut session, 0, Input::Received(&welcome(5, 6000)));
        assert!(effects.is_empty(), "{effects:?}");
        let (header, body) = asked(&mut session);
        assert_eq!((header.op, &body[..]), (OpCode::Sasl.as_i32(), &[0; 4][..]));
        let reply1 = reply(header.xid, 0, 0, &token(Some(challenge)));
        step(&mut session, 0, Input::Received(&reply1));
        let (header, body) = asked(&mut session);
        assert_eq!(body[4..], response.token[..]);
        let reply2 = reply(header.xid, 0, err, &token(proof));
        let effects = step(&mut session, 0, Input::Received(&reply2));
        if accepted {
            assert!(matches!(effects[0], Effect::Established { session: 5, .. }));
            assert_eq!(asked(&mut session).0.op, OpCode::GetData.as_i32());
        } else {
            assert_eq!(effects.last(), Some(&Effect::Ended(End::AuthFailed)));
        }
    }
}
