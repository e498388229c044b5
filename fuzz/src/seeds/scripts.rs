//! What clients do to a server.

use jute::frame;
use jute::proto::AddWatchMode;
use jute::wire::Encode;
use jute::{CreateMode, OpCode};
use state::session::password;

use super::records::{
    add_watch, auth, bare_request, connect_request, create, create_ttl, delete, every_request,
    get_children, get_data, request, set_data,
};
use super::{Seed, conversations, frames};
use crate::gate::{SUPER, after, session_of_first};

type Script = Vec<u8>;
type Writer = fn(&mut Script);

pub(super) fn gate() -> Vec<Seed> {
    let mut seeds: Vec<_> = conversations()
        .into_iter()
        .map(|(name, stream)| (name, replayed(&stream)))
        .collect();
    let made: [(&str, Writer); 8] = [
        ("every-request", every_request_alone),
        ("expiry", expiry),
        ("no-space", no_space),
        ("pipeline", pipeline),
        ("quota", quota),
        ("reaping", reaping),
        ("renewal", renewal),
        ("watches", watches),
    ];
    for (name, write) in made {
        let mut script = Script::new();
        write(&mut script);
        seeds.push((name.to_owned(), script));
    }
    seeds
}

/// A recorded stream, frame by frame.
fn replayed(stream: &[u8]) -> Script {
    let mut script = Script::new();
    for body in frames(stream) {
        let mut bytes = Vec::new();
        frame::append(&mut bytes, |out| out.extend_from_slice(body));
        after::commit(&mut script, 0, 0, &bytes);
    }
    script
}

fn connect(script: &mut Script, client: u8) {
    let mut bytes = Vec::new();
    frame::append(&mut bytes, |out| connect_request(0, &[0; 16]).encode(out));
    after::commit(script, client, 0, &bytes);
}

fn ask(script: &mut Script, client: u8, op: OpCode, record: &impl Encode) {
    after::commit(script, client, 0, &request(1, op, record));
}

fn every_request_alone(script: &mut Script) {
    connect(script, 0);
    for bytes in every_request() {
        after::commit(script, 0, 0, &bytes);
    }
}

fn expiry(script: &mut Script) {
    connect(script, 0);
    connect(script, 1);
    ask(
        script,
        0,
        OpCode::Create,
        &create("/e", CreateMode::Ephemeral),
    );
    ask(script, 1, OpCode::GetData, &get_data("/e"));
    for _ in 0..3 {
        after::commit(script, 1, 2, &bare_request(-2, OpCode::Ping));
    }
}

fn no_space(script: &mut Script) {
    connect(script, 0);
    let create = request(1, OpCode::Create, &create("/a", CreateMode::Persistent));
    after::refuse(script, 0, 0, &create);
    after::commit(script, 0, 0, &create);
    after::refuse(script, 0, 0, &bare_request(2, OpCode::CloseSession));
    after::commit(script, 0, 0, &bare_request(3, OpCode::CloseSession));
}

fn pipeline(script: &mut Script) {
    connect(script, 0);
    let mut bytes = Vec::new();
    for op in [OpCode::Create, OpCode::Create2, OpCode::CreateContainer] {
        bytes.extend(request(1, op, &create("/p", CreateMode::Persistent)));
        bytes.extend(request(
            2,
            op,
            &create("/s-", CreateMode::PersistentSequential),
        ));
        bytes.extend(request(3, OpCode::GetData, &get_data("/p")));
    }
    bytes.extend(bare_request(4, OpCode::CloseSession));
    let (one, other) = bytes.split_at(bytes.len() / 2);
    after::wait(script, 0, 0, one);
    after::commit(script, 0, 0, other);
}

fn quota(script: &mut Script) {
    connect(script, 0);
    ask(script, 0, OpCode::Auth, &auth(SUPER));
    let limits = b"count=1,bytes=5=;byteHardLimit=8;countHardLimit=2";
    for path in ["/q", "/zookeeper/quota/q"] {
        ask(
            script,
            0,
            OpCode::Create,
            &create(path, CreateMode::Persistent),
        );
    }
    for name in ["zookeeper_limits", "zookeeper_stats"] {
        let path = format!("/zookeeper/quota/q/{name}");
        let mut request = create(&path, CreateMode::Persistent);
        request.data = Some(limits);
        ask(script, 0, OpCode::Create, &request);
    }
    ask(
        script,
        0,
        OpCode::Create,
        &create("/q/a", CreateMode::Persistent),
    );
    ask(
        script,
        0,
        OpCode::SetData,
        &set_data("/q/a", b"more than eight"),
    );
}

fn reaping(script: &mut Script) {
    connect(script, 0);
    ask(
        script,
        0,
        OpCode::CreateContainer,
        &create("/c", CreateMode::Container),
    );
    ask(
        script,
        0,
        OpCode::Create,
        &create("/c/d", CreateMode::Persistent),
    );
    ask(script, 0, OpCode::Delete, &delete("/c/d"));
    ask(script, 0, OpCode::CreateTtl, &create_ttl("/t", 10));
    for _ in 0..14 {
        after::commit(script, 0, 2, &bare_request(-2, OpCode::Ping));
    }
}

fn renewal(script: &mut Script) {
    connect(script, 0);
    let session = session_of_first();
    for (client, password) in [(1, password(session)), (2, [0; 16])] {
        let mut bytes = Vec::new();
        frame::append(&mut bytes, |out| {
            connect_request(session, &password).encode(out)
        });
        after::commit(script, client, 0, &bytes);
    }
    ask(script, 1, OpCode::GetChildren, &get_children("/"));
}

fn watches(script: &mut Script) {
    connect(script, 0);
    connect(script, 1);
    ask(
        script,
        0,
        OpCode::AddWatch,
        &add_watch("/", AddWatchMode::PersistentRecursive),
    );
    ask(script, 0, OpCode::GetChildren2, &get_children("/"));
    ask(
        script,
        1,
        OpCode::Create,
        &create("/w", CreateMode::Persistent),
    );
    ask(script, 0, OpCode::GetData, &get_data("/w"));
    ask(script, 1, OpCode::SetData, &set_data("/w", b"1"));
    ask(script, 1, OpCode::Delete, &delete("/w"));
    after::close(script, 0, 0, &[]);
    ask(
        script,
        1,
        OpCode::Create,
        &create("/w", CreateMode::Persistent),
    );
}
