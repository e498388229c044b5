//! Several operations at once.

use jute::OpCode;
use jute::data::Stat;
use jute::proto::{
    CheckVersionRequest, Create2Response, CreateResponse, ErrorResponse, GetDataRequest,
    MultiHeader, MultiOp, MultiReadOp, MultiReadRequest, MultiRequest, SetDataResponse,
};
use jute::wire::{Decode, Encode, Limits, Reader};

use super::Servers;
use super::write::create_ttl;
use crate::common::{Client, Reply, bytes, create};

/// Type and error of each result, and what of it tells more.
#[derive(Debug, PartialEq)]
struct Outcome {
    kind: i32,
    err: i32,
    path: Option<String>,
    stat: Option<Stat>,
}

fn outcomes(reply: &Reply) -> Vec<Outcome> {
    assert_eq!(reply.err, 0, "the header of a multi has no error");
    let mut reader = Reader::new(&reply.body, Limits::default());
    let mut outcomes = Vec::new();
    loop {
        let header = MultiHeader::decode(&mut reader).expect("a header");
        if header.done {
            assert_eq!(reader.remaining(), 0);
            return outcomes;
        }
        let (mut path, mut stat) = (None, None);
        match header.kind {
            1 => path = CreateResponse::decode(&mut reader).expect("a path").path,
            15 => {
                let created = Create2Response::decode(&mut reader).expect("a path, a stat");
                (path, stat) = (created.path, Some(created.stat));
            }
            5 => {
                let set = SetDataResponse::decode(&mut reader).expect("a stat");
                stat = Some(set.stat);
            }
            -1 => {
                let error = ErrorResponse::decode(&mut reader).expect("an error");
                assert_eq!(error.err, header.err);
            }
            2 | 13 => {}
            other => panic!("a result of type {other}"),
        }
        outcomes.push(Outcome {
            kind: header.kind,
            err: header.err,
            path: path.map(|path| path.into_owned()),
            stat,
        });
    }
}

fn codes(reply: &Reply) -> Vec<(i32, i32)> {
    let outcomes = outcomes(reply).into_iter();
    outcomes.map(|result| (result.kind, result.err)).collect()
}

fn check(path: &str, version: i32) -> MultiOp<'_> {
    MultiOp::Check(CheckVersionRequest {
        path: Some(path.into()),
        version,
    })
}

fn multi(client: &mut Client, ops: Vec<MultiOp<'_>>) -> Reply {
    client.call(OpCode::Multi, &MultiRequest { ops })
}

pub(super) fn failed(_: &Servers, client: &mut Client, base: &str) {
    let [a, b] = ["a", "b"].map(|name| format!("{base}/{name}"));
    let before = client.set(base, b"").zxid;
    let ops = vec![
        MultiOp::Create(create(&a, b"", 0)),
        check(base, 77),
        MultiOp::Create(create(&b, b"", 0)),
        check(base, -1),
    ];
    let reply = multi(client, ops);
    assert_eq!(codes(&reply), [(-1, 0), (-1, -103), (-1, -2), (-1, -2)]);
    assert_eq!(reply.zxid, before + 1);
    assert_eq!(client.children(base, false), [""; 0]);
}

pub(super) fn kinds_of_creates(_: &Servers, client: &mut Client, base: &str) {
    let paths: Vec<_> = (0..5).map(|at| format!("{base}/{at}")).collect();
    let ops = vec![
        MultiOp::Create(create(&paths[0], b"", 0)),
        MultiOp::Create2(create(&paths[1], b"", 0)),
        MultiOp::CreateContainer(create(&paths[2], b"", 4)),
        MultiOp::CreateTtl(create_ttl(&paths[3], 5, 60_000)),
        // The flag decides over the type.
        MultiOp::Create(create(&paths[4], b"", 4)),
    ];
    let reply = multi(client, ops);
    let outcomes = outcomes(&reply);
    let kinds: Vec<_> = outcomes.iter().map(|result| result.kind).collect();
    assert_eq!(kinds, [1, 15, 15, 15, 15]);
    for (outcome, path) in outcomes.iter().zip(&paths) {
        assert_eq!((outcome.err, outcome.path.as_ref()), (0, Some(path)));
        if let Some(stat) = outcome.stat {
            assert_eq!((stat.czxid, stat.ephemeral_owner), (reply.zxid, 0));
        }
    }
}

pub(super) fn undecodable(_: &Servers, client: &mut Client, base: &str) {
    let path = format!("{base}/n");
    let bad_flag = MultiRequest {
        ops: vec![MultiOp::Create(create(&path, b"", 7))],
    };
    let ttl_flag = MultiRequest {
        ops: vec![MultiOp::Create(create(&path, b"", 5))],
    };
    let reads = MultiReadRequest {
        ops: vec![MultiReadOp::GetData(GetDataRequest {
            path: Some(base.into()),
            watch: false,
        })],
    };
    let mut mixed = bytes(&MultiRequest {
        ops: vec![check(base, -1)],
    });
    mixed.truncate(mixed.len() - 9);
    reads.encode(&mut mixed);
    for body in [bytes(&bad_flag), bytes(&ttl_flag), bytes(&reads), mixed] {
        let reply = client.call_raw(OpCode::Multi.as_i32(), &body);
        let reply = reply.expect("an answer");
        assert_eq!((reply.err, reply.body.len()), (-5, 0));
    }
    client.ping();
}

pub(super) fn numbers_are_not_burnt(_: &Servers, client: &mut Client, base: &str) {
    let path = format!("{base}/n-");
    let sequential = || MultiOp::Create(create(&path, b"", 2));
    let reply = multi(client, vec![sequential(), sequential(), check(base, 9)]);
    assert_eq!(codes(&reply), [(-1, 0), (-1, 0), (-1, -103)]);
    assert_eq!(client.created(&path, 2), format!("{path}0000000000"));
    let reply = multi(client, vec![sequential(), sequential()]);
    let last = outcomes(&reply).pop().expect("two results");
    assert_eq!(last.path, Some(format!("{path}0000000002")));
}

pub(super) fn over_a_quota(_: &Servers, client: &mut Client, base: &str) {
    super::quota(
        client,
        base,
        "count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=2",
    );
    let paths: Vec<_> = (0..5).map(|at| format!("{base}/{at}")).collect();
    let ops = paths
        .iter()
        .map(|path| MultiOp::Create(create(path, b"", 0)));
    let reply = multi(client, ops.collect());
    assert!(codes(&reply).iter().all(|(_, err)| *err == 0));
    assert_eq!(client.create(&format!("{base}/one-more"), b"", 0).err, -125);
}
