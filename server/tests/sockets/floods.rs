//! Clients that take more than their share.

use std::io::{ErrorKind, Write};
use std::time::Duration;

use jute::OpCode;
use jute::proto::{AddWatchRequest, GetDataRequest, MultiReadOp, MultiReadRequest};

use crate::common::{Client, Server, Wire, bytes, connect_request, create, exists, get, set};

/// What one client may cost the server, bytes.
const SHARE: u64 = 200 << 20;

/// Data of a node that is nearly as large as one may be.
const LARGE: usize = 900_000;

/// Sends until the server takes nothing more for a while; true if it took everything.
fn push(client: &mut Client, chunk: &[u8], times: usize) -> bool {
    let patience = Duration::from_millis(200);
    let stream = &mut client.wire.stream;
    stream
        .set_write_timeout(Some(patience))
        .expect("a live socket");
    for _ in 0..times {
        match stream.write_all(chunk) {
            Ok(()) => {}
            Err(error) => {
                let expected = [
                    ErrorKind::WouldBlock,
                    ErrorKind::TimedOut,
                    ErrorKind::BrokenPipe,
                    ErrorKind::ConnectionReset,
                ];
                assert!(expected.contains(&error.kind()), "{error}");
                return false;
            }
        }
    }
    true
}

#[test]
fn who_never_connects_in_full_is_closed() {
    let server = Server::start("nio.sessionlessCnxnTimeout=300\n4lw.commands.whitelist=stmk");
    let mut witness = Client::connect(server.address);
    let first = crate::common::frame(&bytes(&connect_request(5000)));
    for part in [0, 1, 3, 4, 30] {
        let mut wire = Wire::open(server.address);
        wire.send(&first[..part]);
        assert_eq!(wire.rest(), b"", "{part} bytes");
        witness.ping();
    }
    let mut wire = Wire::open(server.address);
    wire.send(b"stmk\0\0");
    assert_eq!(wire.rest(), b"");
    // Bytes that never make a packet do not keep a connection open.
    let mut wire = Wire::open(server.address);
    for byte in &first[..40] {
        wire.send(&[*byte]);
        std::thread::sleep(Duration::from_millis(15));
    }
    assert_eq!(wire.rest(), b"");
    witness.ping();
}

#[test]
fn half_a_request_keeps_no_session() {
    let server = Server::start("");
    let mut witness = Client::connect(server.address);
    let mut half = Client::with_timeout(server.address, 1000);
    half.created("/half", 1);
    let request = half.request(OpCode::GetData, &get("/half", false));
    half.wire.send(&request[..request.len() - 1]);
    assert_eq!(half.wire.rest(), b"");
    assert_eq!(witness.exists("/half", false).err, -101);
}

#[test]
fn surplus_connections_are_closed_at_once() {
    for limit in ["maxClientCnxns=5", "maxCnxns=5"] {
        let server = Server::start(limit);
        // The harness looked whether the server listens; that connection is gone soon.
        let mut clients: Vec<Client> = Vec::new();
        while clients.len() < 5 {
            clients.extend(Client::open(server.address, &connect_request(5000)));
        }
        for _ in 0..300 {
            assert_eq!(Wire::open(server.address).rest(), b"", "{limit}");
        }
        for client in &mut clients {
            client.ping();
        }
        // Who has seen its connection end has its place back.
        for _ in 0..100 {
            clients.pop().expect("five").close();
            clients.extend(Client::open(server.address, &connect_request(5000)));
            assert_eq!(clients.len(), 5, "{limit}");
        }
    }
}

#[test]
fn who_reads_no_answers_is_read_no_further() {
    let server = Server::start("");
    let mut witness = Client::connect(server.address);
    let large = vec![7; LARGE];
    witness.create("/large", &large, 0);
    let before = server.resident();
    let mut greedy: Vec<_> = (0..3).map(|_| Client::connect(server.address)).collect();
    for client in &mut greedy {
        let one = Client::request_as(1, OpCode::GetData.as_i32(), &bytes(&get("/large", false)));
        let took_all = push(client, &one.repeat(1000), 1000);
        assert!(!took_all, "a million requests were taken");
        witness.ping();
        assert_eq!(witness.set("/large", &large).err, 0);
    }
    let grown = server.resident().saturating_sub(before);
    assert!(grown < SHARE, "{grown} bytes for three clients");
}

#[test]
fn large_writes_are_taken_as_fast_as_the_disk_takes_them() {
    let server = Server::start("snapCount=100000");
    let mut witness = Client::connect(server.address);
    let mut greedy: Vec<_> = (0..4).map(|_| Client::connect(server.address)).collect();
    let data = vec![7; LARGE];
    for at in 0..greedy.len() {
        witness.created(&format!("/n{at}"), 0);
    }
    let before = server.resident();
    let mut most = 0;
    for _ in 0..20 {
        for (at, client) in greedy.iter_mut().enumerate() {
            let path = format!("/n{at}");
            let one = client.request(OpCode::SetData, &set(&path, &data, -1));
            push(client, &one, 2);
        }
        most = most.max(server.resident());
    }
    witness.ping();
    assert!(most.saturating_sub(before) < SHARE, "{most} from {before}");
}

#[test]
fn one_request_cannot_ask_for_everything() {
    let server = Server::start("");
    let mut witness = Client::connect(server.address);
    witness.create("/large", &vec![7; LARGE], 0);
    let before = server.resident();
    let op = MultiReadOp::GetData(GetDataRequest {
        path: Some("/large".into()),
        watch: false,
    });
    let request = MultiReadRequest {
        ops: vec![op; 20_000],
    };
    let mut greedy = Client::connect(server.address);
    greedy.send(OpCode::MultiRead, &request);
    // An answer with an error or a close: which, the server chooses.
    let reply = greedy.reply();
    assert!(reply.is_none_or(|reply| reply.err != 0 || reply.body.len() < SHARE as usize));
    witness.ping();
    let grown = server.resident().saturating_sub(before);
    assert!(grown < SHARE, "{grown} bytes");
}

#[test]
fn who_reads_no_events_is_closed() {
    let server = Server::start("");
    let mut writer = Client::connect(server.address);
    let mut watcher = Client::connect(server.address);
    let watch = AddWatchRequest {
        path: Some("/".into()),
        mode: 1,
    };
    assert_eq!(watcher.call(OpCode::AddWatch, &watch).err, 0);
    let before = server.resident();
    let padding = "x".repeat(LARGE);
    for at in 0..40 {
        let path = format!("/{at}{padding}");
        assert_eq!(writer.create(&path, b"", 0).err, 0);
        assert_eq!(writer.delete(&path).err, 0);
    }
    let grown = server.resident().saturating_sub(before);
    assert!(grown < SHARE, "{grown} bytes");
    let mut events = 0;
    while watcher.wire.receive().is_some() {
        events += 1;
    }
    assert!(events < 80, "all {events} were kept for it");
    writer.ping();
}

#[test]
fn a_hundred_thousand_watches() {
    const WATCHES: usize = 100_000;
    const BATCH: usize = 1000;
    let server = Server::start("4lw.commands.whitelist=wchs");
    let mut witness = Client::connect(server.address);
    let before = server.resident();
    let mut watcher = Client::connect(server.address);
    for batch in 0..WATCHES / BATCH {
        let mut all = Vec::new();
        for at in 0..BATCH {
            let path = format!("/watched/node-{:06}", batch * BATCH + at);
            all.extend(watcher.request(OpCode::Exists, &exists(&path, true)));
        }
        watcher.wire.send(&all);
        for _ in 0..BATCH {
            assert_eq!(watcher.reply().expect("an answer").err, -101);
        }
    }
    let watched = server.word(b"wchs");
    assert!(watched.contains("Total watches:100000"), "{watched}");
    let grown = server.resident().saturating_sub(before);
    assert!(grown < SHARE / 2, "{grown} bytes");
    // Each still fires once; then the rest go with the connection.
    witness.created("/watched", 0);
    witness.call(OpCode::Create, &create("/watched/node-000007", b"", 0));
    assert_eq!(watcher.event().path, "/watched/node-000007");
    drop(watcher);
    while !server.word(b"wchs").contains("Total watches:0") {
        witness.ping();
        witness.set("/watched", b"x");
    }
}
