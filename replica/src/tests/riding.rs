//! Reads of a single node that go with the writes of their connection.

use jute::proto::GetDataResponse;

use super::*;
use crate::connection::OUTBOX_EVENT_BUDGET;

/// An answer: xid, error, and the version and data of the node. The last are looked for in answers
/// to xids from 100 on, which the tests give to getData alone.
pub(crate) type Answer = (i32, i32, Option<(i32, Vec<u8>)>);

/// Everything that is queued.
pub(crate) fn answers(client: &TestClient) -> Vec<Answer> {
    let bytes = client.drain();
    let mut answers = Vec::new();
    for body in Frames::new(&bytes, 2_000_000) {
        let mut reader = Reader::new(body.expect("a length"), Limits::default());
        let header = ReplyHeader::decode(&mut reader).expect("a header");
        let node = GetDataResponse::decode(&mut reader).ok();
        let node = node.filter(|_| header.xid >= 100);
        let node = node.map(|node| (node.stat.version, node.data.unwrap_or_default().to_vec()));
        answers.push((header.xid, header.err, node));
    }
    answers
}

fn watched_get(out: &mut Vec<u8>, xid: i32, path: &str) {
    let body = GetDataRequest {
        path: Some(path.into()),
        watch: true,
    };
    request(out, xid, OpCode::GetData, &body);
}

#[test]
fn each_sees_the_writes_before_it_and_none_behind_it() {
    let mut bench = Bench::new(options());
    let client = bench.connect(0, &[]);
    client.response();
    reads(&mut bench, &client, 10, 30);
    let mut input = Vec::new();
    create(&mut input, 1, "/a", 0);
    get(&mut input, 102, "/a");
    set(&mut input, 3, "/a");
    get(&mut input, 104, "/a");
    get(&mut input, 105, "/b");
    create(&mut input, 6, "/b", 0);
    get(&mut input, 107, "/b");
    let received = bench.replica.receive(&client.connection, &input, bench.now);
    assert_eq!(
        (received.next, received.consumed),
        (Next::Input, input.len())
    );
    assert_eq!(client.connection.in_flight(), 7);
    let submission = received.submission.expect("writes");
    assert_eq!(submission.changes(), 3);
    let batch = bench.sequencer.prepare(bench.now, vec![submission]);
    assert_eq!(batch.entries.len(), 3);
    assert_eq!(answers(&client), [], "nothing is durable yet");
    bench.sequencer.commit(batch.ticket, bench.now);
    let no_node = ErrorCode::NoNode.as_i32();
    assert_eq!(
        answers(&client),
        [
            (1, 0, None),
            (102, 0, Some((0, b"x".to_vec()))),
            (3, 0, None),
            (104, 0, Some((1, b"y".to_vec()))),
            (105, no_node, None),
            (6, 0, None),
            (107, 0, Some((0, b"x".to_vec()))),
        ]
    );
    assert_eq!(client.connection.in_flight(), 0);
}

/// A server with so many requests in flight, all of other connections.
fn busy(in_flight: usize) -> (Bench, Vec<Submission>) {
    let mut bench = Bench::new(options());
    let mut submissions = Vec::new();
    let mut left = in_flight;
    while left > 0 {
        let client = bench.connect(0, &[]);
        let count = left.min(30);
        let mut input = Vec::new();
        for xid in 1..=count {
            set(&mut input, xid as i32, "/zookeeper/quota");
        }
        let received = bench.replica.receive(&client.connection, &input, bench.now);
        submissions.extend(received.submission);
        left -= count;
    }
    (bench, submissions)
}

#[test]
fn on_a_busy_server_those_close_in_front_of_a_write_go_with_it() {
    type Requests = fn(&mut Vec<u8>);
    const READS: Requests = |out| {
        get(out, 101, "/zookeeper");
        get(out, 102, "/zookeeper");
    };
    const WRITE: Requests = |out| set(out, 103, "/zookeeper/quota");
    const LISTING: Requests = |out| children(out, 104, "/zookeeper");
    const MANY_READS: Requests = |out| (1..=32).for_each(|_| READS(out));
    for (case, in_flight, round_ms, requests, answered_at_once) in [
        ("busy", 192, 1, &[READS, WRITE, READS][..], 0),
        ("not busy", 191, 1, &[READS, WRITE, READS], 2),
        ("a slow disk", 192, 2, &[READS, WRITE, READS], 2),
        ("no write", 192, 1, &[READS], 2),
        ("too long a read", 192, 1, &[READS, LISTING, WRITE], 3),
        ("too many reads", 192, 1, &[MANY_READS, WRITE], 64),
    ] {
        let (mut bench, submissions) = busy(in_flight);
        let client = bench.connect(0, &[]);
        client.response();
        let round = bench.sequencer.prepare(bench.now, Vec::new());
        bench.advance(round_ms);
        bench.sequencer.commit(round.ticket, bench.now);

        let mut input = Vec::new();
        requests.iter().for_each(|requests| requests(&mut input));
        let mut received = bench.replica.receive(&client.connection, &input, bench.now);
        let mut consumed = received.consumed;
        let mut own: Vec<_> = received.submission.into_iter().collect();
        while consumed < input.len() {
            received = bench
                .replica
                .receive(&client.connection, &input[consumed..], bench.now);
            consumed += received.consumed;
            own.extend(received.submission);
        }
        let mut xids: Vec<_> = client.replies().into_iter().map(|(xid, _)| xid).collect();
        assert_eq!(xids.len(), answered_at_once, "{case}");
        bench.round(submissions.into_iter().chain(own).collect());
        xids.extend(client.replies().into_iter().map(|(xid, _)| xid));
        let asked: Vec<_> = Frames::new(&input, 1000)
            .map(|body| {
                RequestHeader::decode(&mut Reader::new(body.expect("a length"), Limits::default()))
            })
            .map(|header| header.expect("a header").xid)
            .collect();
        assert_eq!(xids, asked, "{case}");
        assert_eq!(client.connection.in_flight(), 0);
    }
}

#[test]
fn one_that_comes_later_keeps_its_place() {
    let mut bench = Bench::new(options());
    let client = bench.connect(0, &[]);
    client.response();
    let (mut first, mut second) = (Vec::new(), Vec::new());
    create(&mut first, 1, "/a", 0);
    get(&mut second, 102, "/a");
    let mut batches = Vec::new();
    for input in [first, second] {
        let received = bench.replica.receive(&client.connection, &input, bench.now);
        assert_eq!(received.consumed, input.len());
        let submissions = received.submission.into_iter().collect();
        batches.push(bench.sequencer.prepare(bench.now, submissions));
    }
    assert!(batches[1].entries.is_empty());
    for batch in batches {
        bench.sequencer.commit(batch.ticket, bench.now);
    }
    let read = (102, 0, Some((0, b"x".to_vec())));
    assert_eq!(answers(&client), [(1, 0, None), read]);
}

#[test]
fn its_watch_hears_of_what_comes_behind_it() {
    let mut bench = Bench::new(options());
    let client = bench.connect(0, &[]);
    client.response();
    let mut input = Vec::new();
    create(&mut input, 1, "/a", 0);
    watched_get(&mut input, 102, "/a");
    set(&mut input, 3, "/a");
    let received = bench.replica.receive(&client.connection, &input, bench.now);
    bench.round(received.submission.into_iter().collect());
    let xids: Vec<_> = client.replies().into_iter().map(|(xid, _)| xid).collect();
    assert_eq!(xids, [1, 102, ReplyHeader::NOTIFICATION_XID, 3]);
}

#[test]
fn it_leaves_no_watch_of_a_connection_that_is_gone() {
    let mut bench = Bench::new(options());
    let client = bench.connect(0, &[]);
    client.response();
    let mut input = Vec::new();
    create(&mut input, 1, "/a", 0);
    watched_get(&mut input, 2, "/a");
    let received = bench.replica.receive(&client.connection, &input, bench.now);
    let submissions = received.submission.into_iter().collect();
    let batch = bench.sequencer.prepare(bench.now, submissions);
    bench.replica.disconnect(&client.connection);
    bench.sequencer.commit(batch.ticket, bench.now);
    assert_eq!(bench.replica.read().watches().count(), 0);
    assert_eq!(client.connection.in_flight(), 0);
}

#[test]
fn behind_a_refused_write_it_sees_what_there_is() {
    let mut bench = Bench::new(options());
    let client = bench.connect(0, &[]);
    client.response();
    let mut input = Vec::new();
    create(&mut input, 1, "/a", 0);
    get(&mut input, 2, "/a");
    let received = bench.replica.receive(&client.connection, &input, bench.now);
    let submissions = received.submission.into_iter().collect();
    let batch = bench.sequencer.prepare(bench.now, submissions);
    bench.sequencer.refuse(batch.ticket, bench.now);
    let codes = [ErrorCode::SystemError, ErrorCode::NoNode].map(ErrorCode::as_i32);
    assert_eq!(client.replies(), [(1, codes[0]), (2, codes[1])]);
    assert_eq!(client.connection.in_flight(), 0);
}

/// Answers of so many bytes to reads are all that a connection has heard of late.
fn reads(bench: &mut Bench, client: &TestClient, len: usize, times: i32) {
    let mut input = Vec::new();
    let path = format!("/n{len}");
    create(&mut input, 1, &path, 0);
    fill(&mut input, 2, &path, len);
    let received = bench.replica.receive(&client.connection, &input, bench.now);
    bench.round(received.submission.into_iter().collect());
    client.drain();
    for _ in 0..times {
        let mut input = Vec::new();
        get(&mut input, 1, &path);
        bench.replica.receive(&client.connection, &input, bench.now);
        client.drain();
    }
}

fn fill(out: &mut Vec<u8>, xid: i32, path: &str, len: usize) {
    let body = SetDataRequest {
        path: Some(path.into()),
        data: Some(&vec![7; len]),
        version: -1,
    };
    request(out, xid, OpCode::SetData, &body);
}

/// A write, and as many reads of one node as a client may want to send behind it.
fn a_write_and_reads(path: &str) -> Vec<u8> {
    let mut input = Vec::new();
    set(&mut input, 1, "/zookeeper/quota");
    for xid in 2..100 {
        get(&mut input, xid, path);
    }
    input
}

#[test]
fn as_many_are_in_flight_as_are_expected_to_fit() {
    for (heard, in_flight) in [
        (&[][..], 5),
        (&[(10, 30)], 32),
        (&[(60_000, 1)], 5),
        (&[(100_000, 1)], 3),
        (&[(200_000, 1)], 2),
        (&[(300_000, 1)], 1),
        (&[(300_000, 1), (10, 4)], 2),
        (&[(300_000, 1), (10, 40)], 32),
    ] {
        let mut bench = Bench::new(options());
        let client = bench.connect(0, &[]);
        client.response();
        for (len, times) in heard {
            reads(&mut bench, &client, *len, *times);
        }
        let input = a_write_and_reads("/zookeeper");
        let first = bench.replica.receive(&client.connection, &input, bench.now);
        let rest = &input[first.consumed..];
        assert_eq!(client.connection.in_flight(), in_flight, "{heard:?}");
        let waiting = bench.replica.receive(&client.connection, rest, bench.now);
        assert_eq!((waiting.next, waiting.consumed), (Next::Answers, 0));
        bench.round(first.submission.into_iter().collect());
        // The rest needs no write that it would have to wait for.
        let mut replies = client.replies();
        let mut rest = rest;
        while !rest.is_empty() {
            let received = bench.replica.receive(&client.connection, rest, bench.now);
            rest = &rest[received.consumed..];
            replies.extend(client.replies());
        }
        let xids = replies.into_iter().map(|(xid, _)| xid);
        assert!(xids.eq(1..100), "{heard:?}");
    }
}

#[test]
fn answers_of_unknown_length_cost_a_client_that_does_not_read_nothing_but_time() {
    const LEN: usize = 1_000_000;
    let mut bench = Bench::new(options());
    let other = bench.connect(0, &[]);
    reads(&mut bench, &other, LEN, 0);
    let client = bench.connect(0, &[]);
    client.response();
    let input = a_write_and_reads("/n1000000");
    let first = bench.replica.receive(&client.connection, &input, bench.now);
    bench.round(first.submission.into_iter().collect());
    let rest = &input[first.consumed..];
    let waiting = bench.replica.receive(&client.connection, rest, bench.now);
    assert_eq!((waiting.next, waiting.consumed), (Next::Drain, 0));
    let unread = client.connection.outbox().len();
    assert!((4 * LEN..5 * LEN).contains(&unread), "{unread}");
    let xids: Vec<_> = client.replies().into_iter().map(|(xid, _)| xid).collect();
    assert_eq!(xids, [1, 2, 3, 4, 5]);
}

#[test]
fn far_longer_ones_than_expected_end_the_connection_at_its_budget() {
    const LEN: usize = 1_000_000;
    let mut bench = Bench::new(options());
    let client = bench.connect(0, &[]);
    client.response();
    reads(&mut bench, &client, 10, 30);
    let other = bench.connect(0, &[]);
    reads(&mut bench, &other, LEN, 0);
    let input = a_write_and_reads("/n1000000");
    let first = bench.replica.receive(&client.connection, &input, bench.now);
    assert_eq!(client.connection.in_flight(), 32);
    bench.round(first.submission.into_iter().collect());
    let outbox = client.connection.outbox();
    assert_eq!(outbox.ending(), Some(Ending::SlowReader));
    let bounds = OUTBOX_EVENT_BUDGET..OUTBOX_EVENT_BUDGET + options().max_frame;
    assert!(bounds.contains(&outbox.len()), "{}", outbox.len());
    drop(outbox);
    assert_eq!(client.connection.in_flight(), 0);
    assert_eq!(other.connection.outbox().ending(), None);
}
