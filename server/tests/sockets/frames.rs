//! Frames that no client of ours sends.

use jute::OpCode;
use jute::wire::Encode;

use crate::common::{Client, Server, Wire, bytes, create, frame, get, set};

/// The default of `jute.maxbuffer`.
const MAX_FRAME: usize = 0xfffff;

/// Random frames sent.
const RANDOM_FRAMES: usize = 3000;

#[test]
fn the_length_of_a_frame() {
    let server = Server::start("");
    let mut witness = Client::connect(server.address);
    witness.created("/n", 0);
    for len in [-1, 0, 4, 7, 0x10_0000, i32::MIN, i32::MAX] {
        let mut client = Client::connect(server.address);
        let mut sent = len.to_be_bytes().to_vec();
        sent.resize(4 + usize::try_from(len).unwrap_or(0).min(16), 0);
        client.wire.send(&sent);
        assert_eq!(client.wire.rest(), b"", "{len}");
        witness.ping();
    }
    // The largest is served; what stands behind a record is ignored.
    let mut body = bytes(&get("/n", false));
    body.resize(MAX_FRAME - 8, 0xee);
    let mut client = Client::connect(server.address);
    let reply = client.call_raw(OpCode::GetData.as_i32(), &body);
    assert_eq!(reply.expect("an answer").err, 0);
    let data = vec![7; MAX_FRAME - 8 - 4 - 2 - 4 - 4];
    assert_eq!(client.set("/n", &data).err, 0);
    assert_eq!(witness.data("/n"), Some(data));
    // Before the handshake the same limit holds.
    let mut wire = Wire::open(server.address);
    wire.send(&0x10_0000_i32.to_be_bytes());
    assert_eq!(wire.rest(), b"");
}

/// A count or length far beyond what follows.
fn huge(mut front: Vec<u8>) -> Vec<u8> {
    i32::MAX.encode(&mut front);
    front
}

/// Requests with a body that cannot be read: each gets -5 and the connection goes on.
fn unreadable() -> Vec<(OpCode, Vec<u8>)> {
    let whole = bytes(&create("/x", b"data", 0));
    let mut cases: Vec<_> = (0..whole.len())
        .map(|end| (OpCode::Create, whole[..end].to_vec()))
        .collect();
    for op in [
        OpCode::Delete,
        OpCode::SetData,
        OpCode::SetAcl,
        OpCode::Create2,
        OpCode::CreateTtl,
        OpCode::Multi,
        OpCode::MultiRead,
        OpCode::GetData,
        OpCode::Exists,
        OpCode::GetChildren,
        OpCode::GetChildren2,
        OpCode::GetAcl,
        OpCode::AddWatch,
        OpCode::RemoveWatches,
        OpCode::CheckWatches,
        OpCode::SetWatches,
        OpCode::SetWatches2,
        OpCode::GetEphemerals,
        OpCode::GetAllChildrenNumber,
        OpCode::Sync,
    ] {
        cases.push((op, Vec::new()));
        cases.push((op, huge(Vec::new())));
        cases.push((op, (-2_i32).to_be_bytes().to_vec()));
    }
    let mut acl = bytes(&jute::Ustring::Some("/x".into()));
    jute::Buffer::Some(b"d").encode(&mut acl);
    cases.push((OpCode::Create, huge(acl)));
    cases.push((OpCode::SetWatches, huge(vec![0; 8])));
    cases.push((OpCode::SetWatches2, huge(vec![0; 20])));
    // A multi in a multi in a multi.
    let mut nested = Vec::new();
    for _ in 0..100_000 {
        nested.extend_from_slice(&[0, 0, 0, 14, 0, 0xff, 0xff, 0xff, 0xff]);
    }
    cases.push((OpCode::Multi, nested.clone()));
    cases.push((OpCode::MultiRead, nested));
    cases
}

#[test]
fn a_body_that_cannot_be_read_is_an_error_of_that_request() {
    let server = Server::start("");
    let mut witness = Client::connect(server.address);
    let mut client = Client::connect(server.address);
    let before = server.resident();
    for (op, body) in unreadable() {
        let reply = client.call_raw(op.as_i32(), &body);
        let reply = reply.unwrap_or_else(|| panic!("{op:?} {} closed", body.len()));
        assert_eq!(reply.err, -5, "{op:?} with {} bytes", body.len());
    }
    assert!(server.resident() < before + (64 << 20));
    assert_eq!(witness.exists("/x", false).err, -101);
    client.ping();
    // Nothing of it is in the log either.
    let (_, dir) = server.stop(rustix::process::Signal::KILL);
    let server = Server::start_in(dir, "", "");
    Client::connect(server.address).created("/x", 0);
}

/// Numbers that look random and are the same in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u64) -> usize {
        (self.next() % end) as usize
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

#[test]
fn random_frames_hurt_nobody_else() {
    let mut server = Server::start("");
    let mut witness = Client::connect(server.address);
    witness.created("/kept", 0);
    let mut random = Random(0x5eed);
    let mut hostile = Client::connect(server.address);
    let ops: Vec<i32> = (-11..=23)
        .chain(100..=108)
        .filter(|op| *op != -11)
        .collect();
    for round in 0..RANDOM_FRAMES {
        let len = random.below(80);
        let mut body = random.bytes(len);
        // Half of them begin with a path, to come further.
        if round % 2 == 0 {
            body.splice(0..0, bytes(&jute::Ustring::Some("/r".into())));
        }
        let op = ops[random.below(ops.len() as u64)];
        if hostile.call_raw(op, &body).is_none() {
            hostile = Client::connect(server.address);
        }
        if round % 100 == 0 {
            assert_eq!(witness.set("/kept", &round.to_be_bytes()).err, 0);
        }
    }
    for _ in 0..200 {
        let len = random.below(200);
        let mut wire = Wire::open(server.address);
        let body = random.bytes(len);
        wire.send(&if len.is_multiple_of(2) {
            frame(&body)
        } else {
            body
        });
    }
    assert!(server.is_running());
    assert_eq!(
        witness.data("/kept"),
        Some(2900_usize.to_be_bytes().to_vec())
    );
}

#[test]
fn slow_senders_are_served_as_all() {
    let server = Server::start("");
    let mut witness = Client::connect(server.address);
    witness.created("/n", 0);
    let mut slow: Vec<_> = (0..20).map(|_| Client::connect(server.address)).collect();
    let requests: Vec<_> = slow
        .iter_mut()
        .map(|client| client.request(OpCode::SetData, &set("/n", b"slowly", -1)))
        .collect();
    for at in 0..requests[0].len() {
        for (client, request) in slow.iter_mut().zip(&requests) {
            client.wire.send(&request[at..=at]);
        }
        witness.ping();
    }
    for client in &mut slow {
        assert_eq!(client.reply().expect("an answer").err, 0);
    }
    assert_eq!(witness.stat("/n").version, 20);
}
