//! Syncs behind writes, on followers.

use jute::OpCode;
use jute::proto::SetDataRequest;
use zab::ServerId;

use super::harness::Ensemble;
use super::{ask, options, sync};
use crate::tests::{create, get, request, set};

/// A learner of another kind takes every answer for that of its oldest request. So a leader which
/// may not propose the write yet has the sync wait as well.
#[test]
fn a_leader_answers_a_learners_sync_behind_the_write_that_was_forwarded_before_it() {
    let mut ensemble = Ensemble::new(3, options());
    let (leader, follower) = (ensemble.leader(), ensemble.follower());
    let (own, _) = ensemble.session(leader);
    let (client, _) = ensemble.session(follower);
    ask(&mut ensemble, &own, |out| create(out, 1, "/own", 0));
    ask(&mut ensemble, &client, |out| create(out, 1, "/a", 0));
    // The leader has more under way than it may.
    ensemble.holds_acks = true;
    // Just below `jute.maxbuffer`.
    let data = vec![0; 1 << 19];
    let body = SetDataRequest {
        path: Some("/own".into()),
        data: Some(&data),
        version: -1,
    };
    for xid in 2.. {
        if !ensemble.member(leader).peer().may_propose() {
            break;
        }
        ask(&mut ensemble, &own, |out| {
            request(out, xid, OpCode::SetData, &body)
        });
    }
    let last = ensemble.member(leader).peer().last_logged();
    ask(&mut ensemble, &client, |out| {
        set(out, 2, "/a");
        sync(out, 3);
    });
    ensemble.told.clear();
    ensemble.release_acks();
    assert_eq!(client.wire.replies(), [(2, 0), (3, 0)]);
    let told = |wanted: &dyn Fn(&zab::LeaderPacket) -> bool| {
        let is_it =
            |(to, packet): &(ServerId, zab::LeaderPacket)| *to == follower && wanted(packet);
        ensemble.told.iter().position(is_it)
    };
    let write = last.next();
    let committed =
        told(&|packet| matches!(packet, zab::LeaderPacket::Commit { zxid } if *zxid >= write));
    let synced = told(&|packet| matches!(packet, zab::LeaderPacket::Sync));
    assert!(
        committed.is_some() && committed < synced,
        "{committed:?} {synced:?}"
    );
}

/// Nothing is lost if a leader answers a sync before the write in front of it.
#[test]
fn a_sync_that_is_answered_before_the_write_in_front_of_it_waits_for_its_turn() {
    let mut ensemble = Ensemble::new(3, options());
    let follower = ensemble.follower();
    let (client, _) = ensemble.session(follower);
    ensemble.holds_acks = true;
    let replies = ask(&mut ensemble, &client, |out| {
        create(out, 1, "/a", 0);
        sync(out, 2);
        get(out, 3, "/a");
    });
    assert_eq!(replies, [], "nothing is committed");
    ensemble.tell(follower, zab::LeaderPacket::Sync);
    assert_eq!(client.wire.replies(), [], "the sync has its turn");
    ensemble.release_acks();
    assert_eq!(client.wire.replies(), [(1, 0), (2, 0), (3, 0)]);
}
