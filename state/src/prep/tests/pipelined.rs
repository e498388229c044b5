//! Requests see what is pending before them.

use jute::data::{Acl, perms};
use jute::wire::Limits;
use jute::{ErrorCode, OpCode};

use super::harness::{Server, create_request};
use crate::prep::PrepOptions;
use crate::state::Options;

#[test]
fn a_pipeline_behaves_as_one_after_the_other() {
    let mut server = Server::new();
    assert_eq!(server.create("/a", 0).as_deref(), Ok("/a"));
    assert_eq!(server.create("/a", 0), Err(ErrorCode::NodeExists));
    assert_eq!(server.create("/a/b", 0).as_deref(), Ok("/a/b"));
    assert_eq!(server.delete("/a", -1), Err(ErrorCode::NotEmpty));
    assert_eq!(server.set_data("/a", b"x", 0), Ok(1));
    assert_eq!(server.set_data("/a", b"y", 0), Err(ErrorCode::BadVersion));
    assert_eq!(server.delete("/a/b", -1), Ok(()));
    assert_eq!(server.delete("/a/b", -1), Err(ErrorCode::NoNode));
    let closed = vec![Acl::new(perms::READ, "world", "anyone")];
    assert_eq!(server.set_acl("/a", closed, 0), Ok(1));
    assert_eq!(server.set_data("/a", b"z", -1), Err(ErrorCode::NoAuth));
    assert_eq!(server.create("/a/c", 0), Err(ErrorCode::NoAuth));
    assert_eq!(server.delete("/a", 1), Ok(()));
    assert_eq!(server.create("/a", 1).as_deref(), Ok("/a"));
    assert_eq!(
        server.create("/a/c", 0),
        Err(ErrorCode::NoChildrenForEphemerals)
    );
    server.commit();
    let id = server.state.tree().lookup("/a").expect("applied");
    assert_eq!(server.state.tree().stat(id).czxid, 13);
}

#[test]
fn the_outcome_does_not_depend_on_when_is_applied() {
    for step in 1..6 {
        let mut server = Server::new();
        let mut outcomes = Vec::new();
        for round in 0..40 {
            let path = format!("/n{}", round % 7);
            outcomes.push(match round % 5 {
                0 | 1 => server.create(&path, 0).map(|_| 0),
                2 => server.set_data(&path, &vec![1; round], -1),
                3 => server.create("/s-", 2).map(|_| 0),
                _ => server.delete(&path, -1).map(|()| 0),
            });
            if round % step == 0 {
                server.commit_some(step.div_ceil(2));
            }
        }
        server.commit();
        let mut slow = Server::new();
        for (round, expected) in outcomes.iter().enumerate() {
            let path = format!("/n{}", round % 7);
            let outcome = match round % 5 {
                0 | 1 => slow.create(&path, 0).map(|_| 0),
                2 => slow.set_data(&path, &vec![1; round], -1),
                3 => slow.create("/s-", 2).map(|_| 0),
                _ => slow.delete(&path, -1).map(|()| 0),
            };
            slow.commit();
            assert_eq!(outcome, *expected, "step {step} round {round}");
        }
        assert_eq!(slow.state.tree().digest(), server.state.tree().digest());
    }
}

#[test]
fn the_root_has_two_names_but_one_change() {
    let mut server = Server::new();
    assert_eq!(server.set_data("/", b"root", 0), Ok(1));
    assert_eq!(server.create("/a", 0).as_deref(), Ok("/a"));
    assert_eq!(server.set_data("/", b"again", 1), Ok(2));
    assert_eq!(server.delete("/a", -1), Ok(()));
    server.commit();
}

#[test]
fn numbers_count_creates_of_any_kind() {
    let mut server = Server::new();
    server.create("/p", 0).expect("created");
    assert_eq!(server.create("/p/s", 2).as_deref(), Ok("/p/s0000000000"));
    server.create("/p/plain", 0).expect("created");
    server.delete("/p/plain", -1).expect("deleted");
    assert_eq!(server.create("/p/plain/x", 0), Err(ErrorCode::NoNode));
    server.commit();
    assert_eq!(server.create("/p/s", 3).as_deref(), Ok("/p/s0000000002"));
    server.commit();
}

#[test]
fn the_last_number_is_used_once() {
    let mut server = Server::new();
    server.create("/p", 0).expect("created");
    server.commit();
    let id = server.state.tree().lookup("/p").expect("applied");
    let mut stat = server.state.tree().stat(id);
    stat.cversion = i32::MAX - 1;
    server.state.tree.set_stat(id, &stat);
    server.prep = crate::prep::Prep::new(
        PrepOptions::default(),
        &server.state,
        server.state.last_zxid(),
        1,
    );
    assert_eq!(server.create("/p/s", 2).as_deref(), Ok("/p/s2147483646"));
    assert_eq!(server.create("/p/s", 2).as_deref(), Ok("/p/s2147483647"));
    let frozen = server.prep.last_zxid().0 - 1;
    for _ in 0..2 {
        assert_eq!(server.create("/p/s", 2), Err(ErrorCode::NodeExists));
    }
    server.create("/p/plain", 0).expect("created");
    server.commit();
    let stat = server.state.tree().stat(id);
    assert_eq!((stat.cversion, stat.pzxid), (i32::MAX, frozen));
}

#[test]
fn without_digests_nothing_is_computed() {
    let options = Options {
        limits: Limits::default(),
        ..Options::default()
    };
    let mut server = Server::with_options(PrepOptions::default(), options);
    server.create("/a", 0).expect("created");
    server.set_data("/a", b"x", -1).expect("set");
    let request = create_request("/b", 1);
    server
        .create_with(OpCode::Create2, request)
        .expect("created");
    server.commit();
}
