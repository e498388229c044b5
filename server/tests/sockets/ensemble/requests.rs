//! What kills a stock leader is refused by the learner that it comes to.

use jute::OpCode;
use jute::data::Acl;
use jute::proto::CreateTtlRequest;

use crate::common::{Client, Ensemble, bytes, create, set};

/// What is answered, and whether the connection goes on.
enum Expected {
    Reply(i32),
    Closed(i32),
}
use Expected::{Closed, Reply};

fn text(text: &str) -> Vec<u8> {
    let mut out = (text.len() as i32).to_be_bytes().to_vec();
    out.extend_from_slice(text.as_bytes());
    out
}

fn create_ttl(flags: i32, ttl: i64) -> CreateTtlRequest<'static> {
    CreateTtlRequest {
        path: Some("/t".into()),
        data: None,
        acl: Some(vec![Acl::open()]),
        flags,
        ttl,
    }
}

#[test]
fn what_would_kill_a_stock_leader_is_not_forwarded() {
    let ensemble = Ensemble::started(3, "extendedTypesEnabled=true");
    let (leader, follower) = (ensemble.leader(), ensemble.follower());
    let mut check = text("/n");
    check.extend((-1_i32).to_be_bytes());
    let truncated = bytes(&set("/n", b"0123456789", -1));
    let cases: Vec<(&str, i32, Vec<u8>, Expected)> = vec![
        ("check", OpCode::Check.as_i32(), check, Closed(-6)),
        ("deleteContainer", 20, text("/n"), Closed(-6)),
        (
            "createSession",
            -10,
            10_000_i32.to_be_bytes().to_vec(),
            Closed(-6),
        ),
        (
            "a TTL's place empty",
            21,
            bytes(&create("/t", b"", 5)),
            Reply(-5),
        ),
        ("no TTL", 21, bytes(&create_ttl(0, -1)), Reply(-8)),
        (
            "no TTL, sequential",
            21,
            bytes(&create_ttl(2, -1)),
            Reply(-8),
        ),
        (
            "empty body",
            OpCode::SetData.as_i32(),
            Vec::new(),
            Reply(-5),
        ),
        (
            "truncated body",
            OpCode::SetData.as_i32(),
            truncated[..truncated.len() - 7].to_vec(),
            Reply(-5),
        ),
        ("truncated multi", 14, vec![0, 0, 0, 1, 0], Reply(-5)),
    ];
    let mut client = ensemble.client(follower);
    client.created("/n", 0);
    client.close();
    for (what, op, body, expected) in cases {
        let mut client = Client::connect(ensemble.client_address(follower));
        let before = ensemble.zxid(leader);
        let reply = client.call_raw(op, &body);
        match expected {
            Reply(err) => {
                assert_eq!(reply.expect(what).err, err, "{what}");
                assert_eq!(ensemble.zxid(leader), before, "{what} was proposed");
                assert_eq!(client.set("/n", b"").err, 0, "{what}");
                client.close();
            }
            Closed(err) => {
                assert_eq!(reply.map(|reply| reply.err), Some(err), "{what}");
                assert_eq!(client.wire.rest(), b"", "{what}");
                assert_eq!(ensemble.zxid(leader), before, "{what} was proposed");
            }
        }
    }
    ensemble.assert_goes_on(follower);
}
