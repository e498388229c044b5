//! Watches and their events.

use jute::OpCode;
use jute::data::{Acl, perms};
use jute::proto::{AddWatchRequest, CheckWatchesRequest, SetWatches};

use super::Servers;
use super::acl::create_for;
use crate::common::{Client, Event};

const CREATED: i32 = 1;
const DELETED: i32 = 2;
const CHANGED: i32 = 3;
const CHILDREN: i32 = 4;

/// What came so far, as kinds and paths.
fn events(client: &mut Client) -> Vec<(i32, String)> {
    client.ping();
    let events = client.events.drain(..);
    events.map(|event| (event.kind, event.path)).collect()
}

fn expected(events: &[(i32, &str)]) -> Vec<(i32, String)> {
    let events = events.iter();
    events
        .map(|(kind, path)| (*kind, (*path).to_owned()))
        .collect()
}

fn add_watch(client: &mut Client, path: &str, mode: i32) {
    let request = AddWatchRequest {
        path: Some(path.into()),
        mode,
    };
    let reply = client.call(OpCode::AddWatch, &request);
    assert_eq!((reply.err, &reply.body[..]), (0, &[0; 4][..]));
}

pub(super) fn absent_nodes(_: &Servers, client: &mut Client, base: &str) {
    let [a, b] = ["a", "b"].map(|name| format!("{base}/{name}"));
    assert_eq!(client.exists(&a, true).err, -101);
    assert_eq!(client.get(&b, true).err, -101);
    client.created(&a, 0);
    client.created(&b, 0);
    assert_eq!(events(client), expected(&[(CREATED, &a)]));
}

pub(super) fn own_event_first(_: &Servers, client: &mut Client, base: &str) {
    client.get(base, true);
    let zxid = client.set(base, b"").zxid;
    let event = Event {
        kind: CHANGED,
        path: base.to_owned(),
        zxid,
    };
    assert_eq!(client.events.pop_front(), Some(event));
}

pub(super) fn one_deletion(_: &Servers, client: &mut Client, base: &str) {
    let path = client.created(&format!("{base}/n"), 0);
    client.get(&path, true);
    client.children(&path, true);
    client.delete(&path);
    assert_eq!(events(client), expected(&[(DELETED, &path)]));
}

pub(super) fn recursive(_: &Servers, client: &mut Client, base: &str) {
    add_watch(client, base, 1);
    let child = client.created(&format!("{base}/a"), 0);
    let grandchild = client.created(&format!("{child}/b"), 0);
    client.set(&grandchild, b"");
    client.set(base, b"");
    client.delete(&grandchild);
    let all = [
        (CREATED, &child[..]),
        (CREATED, &grandchild),
        (CHANGED, &grandchild),
        (CHANGED, base),
        (DELETED, &grandchild),
    ];
    assert_eq!(events(client), expected(&all));
}

pub(super) fn two_modes(_: &Servers, client: &mut Client, base: &str) {
    add_watch(client, base, 0);
    client.get(base, true);
    client.set(base, b"");
    assert_eq!(events(client), expected(&[(CHANGED, base)]));
    client.set(base, b"");
    let child = client.created(&format!("{base}/n"), 0);
    let more = [(CHANGED, base), (CHILDREN, base)];
    assert_eq!(events(client), expected(&more));
    client.delete(&child);
    assert_eq!(events(client), expected(&[(CHILDREN, base)]));
}

pub(super) fn unreadable(servers: &Servers, client: &mut Client, base: &str) {
    let path = format!("{base}/n");
    let mut bob = Client::connect(servers.main.address);
    bob.auth("digest", Some(b"bob:pw")).expect("an answer");
    let auth = || vec![Acl::new(perms::ALL, "auth", "")];
    assert_eq!(client.exists(&path, true).err, -101);
    assert_eq!(create_for(&mut bob, &path, auth()), 0);
    assert_eq!(bob.delete(&path).err, 0);
    // The watch is gone with the event that was withheld.
    client.created(&path, 0);
    assert_eq!(events(client), []);
}

pub(super) fn zxid_of_an_event(servers: &Servers, client: &mut Client, base: &str) {
    let mut writer = Client::connect(servers.main.address);
    client.get(base, true);
    let zxid = writer.set(base, b"").zxid;
    assert_eq!(client.event().zxid, zxid);
    set_watches(client, 0, [&[base], &[], &[]]);
    assert_eq!(client.event().zxid, -1);
}

fn set_watches(client: &mut Client, relative_zxid: i64, [data, exist, child]: [&[&str]; 3]) {
    let list = |paths: &[&str]| {
        let paths = paths.iter().map(|path| Some((*path).to_owned().into()));
        Some(paths.collect())
    };
    let request = SetWatches {
        relative_zxid,
        data_watches: list(data),
        exist_watches: list(exist),
        child_watches: list(child),
    };
    let reply = client.call(OpCode::SetWatches, &request);
    assert_eq!((reply.err, reply.body.len()), (0, 0));
}

pub(super) fn gone_meanwhile(_: &Servers, client: &mut Client, base: &str) {
    let path = format!("{base}/gone");
    set_watches(client, i64::MAX, [&[&path], &[], &[&path]]);
    // Both came before the answer.
    let deleted = Event {
        kind: DELETED,
        path,
        zxid: -1,
    };
    assert_eq!(client.events, [deleted.clone(), deleted]);
}

pub(super) fn there_meanwhile(_: &Servers, client: &mut Client, base: &str) {
    set_watches(client, i64::MAX, [&[], &[base], &[]]);
    assert_eq!(events(client), expected(&[(CREATED, base)]));
}

pub(super) fn remove_any(_: &Servers, client: &mut Client, base: &str) {
    client.get(base, true);
    client.children(base, true);
    add_watch(client, base, 0);
    add_watch(client, base, 1);
    let request = CheckWatchesRequest {
        path: Some(base.into()),
        watcher_type: 3,
    };
    assert_eq!(client.call(OpCode::CheckWatches, &request).err, 0);
    assert_eq!(client.call(OpCode::RemoveWatches, &request).err, 0);
    assert_eq!(client.call(OpCode::RemoveWatches, &request).err, -121);
    assert_eq!(client.call(OpCode::CheckWatches, &request).err, -121);
    client.set(base, b"");
    client.created(&format!("{base}/n"), 0);
    assert_eq!(events(client), []);
}

pub(super) fn add_watch_answer(_: &Servers, client: &mut Client, base: &str) {
    // Looks at the body.
    add_watch(client, base, 0);
    add_watch(client, &format!("{base}/absent"), 1);
    let request = AddWatchRequest {
        path: Some(base.into()),
        mode: 2,
    };
    assert_eq!(client.call(OpCode::AddWatch, &request).err, -5);
}
