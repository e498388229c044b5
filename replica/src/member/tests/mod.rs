//! What clients of an ensemble see.

mod eager;
mod harness;
mod syncs;

use std::sync::Arc;

use jute::OpCode;
use jute::data::Acl;
use jute::proto::{AuthPacket, CreateTtlRequest, ReconfigRequest, ReplyHeader, SyncRequest};
use state::acl::{AuthConfig, DigestAlgorithm, digest_id};
use state::prep::PrepOptions;
use state::session::password;
use zab::ServerId;

use super::MemberOptions;
use crate::tests::riding::{Answer, answers};
use crate::tests::{NoBody, create, get, request, set};
use crate::{Ending, Service};
use harness::{Client, Ensemble, applied};

const EPHEMERAL: i32 = 1;
const SUPER: &str = "super:secret";

/// Whoever knows the secret may do everything.
fn auth() -> AuthConfig {
    AuthConfig {
        super_digest: Some(digest_id(DigestAlgorithm::Sha1, SUPER)),
        ..AuthConfig::default()
    }
}

fn options() -> MemberOptions {
    MemberOptions {
        peer: zab::Options {
            tick_time_ms: 200,
            ..zab::Options::default()
        },
        ..MemberOptions::default()
    }
}

fn frames(make: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    make(&mut bytes);
    bytes
}

fn sync(out: &mut Vec<u8>, xid: i32) {
    let body = SyncRequest {
        path: Some("/".into()),
    };
    request(out, xid, OpCode::Sync, &body);
}

fn ping(out: &mut Vec<u8>) {
    request(out, ReplyHeader::PING_XID, OpCode::Ping, &NoBody);
}

/// What a client asks for is answered, on whatever server.
fn ask(
    ensemble: &mut Ensemble,
    client: &Client,
    make: impl FnOnce(&mut Vec<u8>),
) -> Vec<(i32, i32)> {
    client.send(&frames(make));
    ensemble.settle();
    client.wire.replies()
}

#[test]
fn writes_reads_and_syncs_on_leader_and_followers() {
    let mut ensemble = Ensemble::new(3, options());
    for id in (1..=3).map(ServerId) {
        let (client, session) = ensemble.session(id);
        assert_eq!(session >> 56, id.0);
        let path = format!("/n{}", id.0);
        let replies = ask(&mut ensemble, &client, |out| {
            create(out, 1, &path, 0);
            set(out, 2, &path);
            sync(out, 3);
            set(out, 4, &path);
            get(out, 5, &path);
            create(out, 6, &path, 0);
        });
        assert_eq!(
            replies,
            [(1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, -110)],
            "{id}"
        );
    }
    let leader = applied(&ensemble, ensemble.leader());
    for id in (1..=3).map(ServerId) {
        assert_eq!(applied(&ensemble, id), leader);
        let digest = ensemble.replica(id).read().tree().digest();
        assert_eq!(digest, ensemble.replica(ServerId(1)).read().tree().digest());
    }
}

#[test]
fn a_request_that_cannot_be_read_is_refused_where_it_came_and_in_its_turn() {
    let mut ensemble = Ensemble::new(3, options());
    let follower = ensemble.follower();
    let (client, _) = ensemble.session(follower);
    let replies = ask(&mut ensemble, &client, |out| {
        create(out, 1, "/a", 0);
        request(out, 2, OpCode::SetData, &NoBody);
        set(out, 3, "/a");
    });
    assert_eq!(replies, [(1, 0), (2, -5), (3, 0)]);
}

#[test]
fn a_proposal_that_cannot_be_read_is_named_and_not_logged() {
    let mut ensemble = Ensemble::new(3, options());
    let follower = ensemble.follower();
    let zxid = applied(&ensemble, follower).next();
    let broken = zab::Entry {
        zxid,
        bytes: bytes::Bytes::from_static(b"no transaction"),
        config: None,
    };
    ensemble.left.clear();
    ensemble.tell(follower, zab::LeaderPacket::Proposal(broken));
    assert_eq!(ensemble.left, [(follower, zab::Leave::Unreadable(zxid))]);
    let logged = ensemble.nodes[&follower].disk.history.last();
    assert!(logged.is_none_or(|entry| entry.zxid < zxid));
    // It comes back to its leader.
    ensemble.run_ms(900);
    let (client, _) = ensemble.session(follower);
    let replies = ask(&mut ensemble, &client, |out| create(out, 1, "/a", 0));
    assert_eq!(replies, [(1, 0)]);
}

/// Apache's leader accepts it, and dies of it: a learner must not forward it. (Found by the suite
/// `mixed`.)
#[test]
fn a_create_with_ttl_that_has_none_is_refused_where_it_came() {
    let mut ensemble = Ensemble::new(3, options());
    let follower = ensemble.follower();
    let (client, _) = ensemble.session(follower);
    let before = ensemble.replica(follower).read().last_zxid();
    let flags = [0, 1, 2, 3, 4];
    let replies = ask(&mut ensemble, &client, |out| {
        for (xid, flags) in (1..).zip(flags) {
            let body = CreateTtlRequest {
                path: Some("/a".into()),
                data: None,
                acl: Some(vec![Acl::open()]),
                flags,
                ttl: -1,
            };
            request(out, xid, OpCode::CreateTtl, &body);
        }
    });
    let bad_arguments = -8;
    let expected: Vec<_> = (1..).zip(flags.map(|_| bad_arguments)).collect();
    assert_eq!(replies, expected);
    let after = ensemble.replica(follower).read().last_zxid();
    assert_eq!(before, after, "something was forwarded");
}

#[test]
fn a_connection_outlives_the_leader_and_its_requests_are_answered_once() {
    let mut ensemble = Ensemble::new(3, options());
    let (leader, follower) = (ensemble.leader(), ensemble.follower());
    let (client, _) = ensemble.session(follower);
    ask(&mut ensemble, &client, |out| create(out, 1, "/a", 0));
    // Asked for, and lost on the way to the leader.
    ensemble.stuck.insert(follower);
    client.send(&frames(|out| {
        set(out, 2, "/a");
        set(out, 3, "/a");
        get(out, 4, "/a");
    }));
    ensemble.settle();
    ensemble.stuck.clear();
    let other = ServerId(6 - leader.0 - follower.0);
    ensemble.set_cut(other, true);
    ensemble.crash(leader);
    assert_eq!(ensemble.replica(follower).service(), Service::Holding);
    client.send(&frames(ping));
    ensemble.settle();
    assert_eq!(
        client.wire.replies(),
        [(-2, 0)],
        "a ping overtakes what is held"
    );
    ensemble.set_cut(other, false);
    ensemble.run_ms(900);
    assert!(client.is_open());
    assert_eq!(client.wire.replies(), [(2, 0), (3, 0), (4, 0)]);
    let state = ensemble.replica(follower).read();
    let id = state.tree().lookup("/a").expect("it is there");
    assert_eq!(state.tree().stat(id).version, 2, "each write happened once");
}

#[test]
fn what_is_in_the_history_of_the_next_leader_is_answered_by_it() {
    let mut ensemble = Ensemble::new(3, options());
    let (leader, follower) = (ensemble.leader(), ensemble.follower());
    let (client, _) = ensemble.session(follower);
    ask(&mut ensemble, &client, |out| create(out, 1, "/a", 0));
    let other = ServerId(6 - leader.0 - follower.0);
    // The follower has the proposal, the leader never hears that.
    client.send(&frames(|out| {
        set(out, 2, "/a");
        create(out, 3, "/b", 0);
    }));
    ensemble.holds_acks = true;
    ensemble.settle();
    ensemble.holds_acks = false;
    assert_eq!(client.wire.replies(), []);
    ensemble.crash(leader);
    ensemble.run_ms(900);
    assert_eq!(client.wire.replies(), [(2, 0), (3, 0)]);
    for id in [follower, other] {
        let state = ensemble.replica(id).read();
        let node = state.tree().lookup("/a").expect("it is there");
        assert_eq!(state.tree().stat(node).version, 1, "{id}");
    }
}

#[test]
fn what_the_same_leader_may_still_do_is_not_asked_for_again() {
    let mut ensemble = Ensemble::new(3, options());
    let follower = ensemble.follower();
    let (waiting, _) = ensemble.session(follower);
    let (idle, _) = ensemble.session(follower);
    ensemble.stuck.insert(follower);
    waiting.send(&frames(|out| create(out, 1, "/a", 0)));
    ensemble.settle();
    // The link alone breaks.
    ensemble.set_cut(follower, true);
    ensemble.stuck.clear();
    idle.send(&frames(|out| get(out, 1, "/")));
    ensemble.settle();
    ensemble.set_cut(follower, false);
    ensemble.run_ms(900);
    assert_eq!(ensemble.replica(follower).service(), Service::Serving);
    assert_eq!(
        waiting.connection().outbox().ending(),
        Some(Ending::Undecided)
    );
    assert_eq!(idle.wire.replies(), [(1, 0)], "nothing is unknown here");
}

/// How far a write has come when its leader is lost.
#[derive(Clone, Copy, Debug)]
enum Lost {
    /// The leader never had it, and is gone.
    OnTheWay,
    /// The next leader has it.
    Uncommitted,
    /// The link alone broke: its leader may still have it.
    WithItsLeader,
    /// No other leader is found.
    ForGood,
}

#[test]
fn a_read_behind_a_write_is_answered_behind_it_or_not_at_all() {
    let both: [Answer; 2] = [(2, 0, None), (103, 0, Some((1, b"y".to_vec())))];
    for (lost, expected, ending) in [
        (Lost::OnTheWay, &both[..], None),
        (Lost::Uncommitted, &both[..], None),
        (Lost::WithItsLeader, &[], Some(Ending::Undecided)),
        (Lost::ForGood, &[], Some(Ending::NoLeader)),
    ] {
        let mut ensemble = Ensemble::new(3, options());
        let (leader, follower) = (ensemble.leader(), ensemble.follower());
        let (client, _) = ensemble.session(follower);
        ask(&mut ensemble, &client, |out| create(out, 1, "/a", 0));
        match lost {
            Lost::Uncommitted => ensemble.holds_acks = true,
            Lost::OnTheWay | Lost::WithItsLeader | Lost::ForGood => {
                ensemble.stuck.insert(follower);
            }
        }
        client.send(&frames(|out| {
            set(out, 2, "/a");
            get(out, 103, "/a");
        }));
        ensemble.settle();
        assert_eq!(client.connection().in_flight(), 2, "both are under way");
        assert_eq!(answers(&client.wire), [], "{lost:?}");
        match lost {
            Lost::OnTheWay | Lost::Uncommitted => {
                ensemble.holds_acks = false;
                ensemble.stuck.clear();
                ensemble.crash(leader);
            }
            Lost::WithItsLeader => {
                ensemble.set_cut(follower, true);
                ensemble.stuck.clear();
                assert_eq!(answers(&client.wire), [], "{lost:?}: nobody is served");
                ensemble.set_cut(follower, false);
            }
            Lost::ForGood => ensemble.set_cut(follower, true),
        }
        ensemble.run_ms(3000);
        assert_eq!(answers(&client.wire), expected, "{lost:?}");
        assert_eq!(client.connection().outbox().ending(), ending, "{lost:?}");
        assert_eq!(client.connection().in_flight(), 0, "{lost:?}");
    }
}

#[test]
fn clients_of_a_server_that_is_cut_off_are_sent_away_after_sync_limit() {
    let mut ensemble = Ensemble::new(3, options());
    let leader = ensemble.leader();
    let (client, _) = ensemble.session(leader);
    ensemble.set_cut(leader, true);
    ensemble.run_ms(100);
    assert_eq!(ensemble.replica(leader).service(), Service::Holding);
    let waiting = ensemble.connect(leader, 0, &[0; 16]);
    assert!(client.is_open() && waiting.is_open());
    ensemble.run_ms(300);
    assert!(
        client.is_open() && !waiting.is_open(),
        "it should look elsewhere"
    );
    ensemble.run_ms(1500);
    assert_eq!(
        client.connection().outbox().ending(),
        Some(Ending::NoLeader)
    );
    assert_eq!(ensemble.replica(leader).service(), Service::Closed);
    ensemble.set_cut(leader, false);
    ensemble.run_ms(2000);
    ensemble.session(leader);
}

#[test]
fn a_session_moves_and_what_it_left_behind_is_refused() {
    let mut ensemble = Ensemble::new(3, options());
    let (leader, follower) = (ensemble.leader(), ensemble.follower());
    for (from, to) in [(follower, leader), (leader, follower)] {
        let (old, session) = ensemble.session(from);
        let new = ensemble.connect(to, session, &password(session));
        assert_eq!(new.wire.response().0, session);
        let path = format!("/moved{}", from.0);
        assert_eq!(
            ask(&mut ensemble, &new, |out| create(out, 1, &path, 0)),
            [(1, 0)]
        );
        assert!(
            !old.is_open(),
            "a transaction of the session came from elsewhere"
        );
        assert_eq!(ask(&mut ensemble, &old, |out| set(out, 1, &path)), []);
    }
    // Before it has written anything elsewhere.
    let late: [fn(&mut Vec<u8>); 2] = [
        |out| create(out, 1, "/late", 0),
        |out| request(out, 1, OpCode::CloseSession, &NoBody),
    ];
    let mut session = 0;
    for late in late {
        let (old, this) = ensemble.session(follower);
        session = this;
        let new = ensemble.connect(leader, session, &password(session));
        assert_eq!(ask(&mut ensemble, &old, late), []);
        assert_eq!(old.connection().outbox().ending(), Some(Ending::Moved));
        assert!(new.is_open());
        assert_eq!(new.wire.response().0, session);
        assert_eq!(ask(&mut ensemble, &new, |out| sync(out, 2)), [(2, 0)]);
    }
    // Renewals are refused as they should be.
    let wrong = ensemble.connect(follower, session, &[7; 16]);
    assert_eq!(wrong.wire.response().0, 0);
    let unknown = ensemble.connect(follower, 4711, &password(4711));
    assert_eq!(unknown.wire.response().0, 0);
}

#[test]
fn a_session_lives_by_touches_on_a_follower_and_expires_with_its_ephemerals() {
    let mut ensemble = Ensemble::new(3, options());
    let follower = ensemble.follower();
    let (client, _) = ensemble.session(follower);
    ask(&mut ensemble, &client, |out| {
        create(out, 1, "/e", EPHEMERAL)
    });
    for _ in 0..10 {
        ensemble.run_ms(1500);
        assert_eq!(ask(&mut ensemble, &client, ping), [(-2, 0)]);
    }
    ensemble.hang_up(&client);
    ensemble.run_ms(3000);
    let exists =
        |ensemble: &Ensemble, id| ensemble.replica(id).read().tree().lookup("/e").is_some();
    assert!(exists(&ensemble, follower), "its timeout is not over");
    ensemble.run_ms(3000);
    for id in (1..=3).map(ServerId) {
        assert!(!exists(&ensemble, id), "{id}");
    }
}

#[test]
fn a_closed_session_takes_its_ephemerals_along() {
    let mut ensemble = Ensemble::new(3, options());
    for id in [ensemble.leader(), ensemble.follower()] {
        let (client, _) = ensemble.session(id);
        let replies = ask(&mut ensemble, &client, |out| {
            create(out, 1, "/e", EPHEMERAL);
            request(out, 2, OpCode::CloseSession, &NoBody);
        });
        assert_eq!(replies, [(1, 0), (2, 0)]);
        assert_eq!(
            client.connection().outbox().ending(),
            Some(Ending::SessionClosed)
        );
        assert_eq!(ensemble.replica(id).read().tree().lookup("/e"), None);
    }
}

#[test]
fn local_sessions_cost_nothing_and_become_global_for_an_ephemeral() {
    for upgrading in [false, true] {
        let mut ensemble = Ensemble::new(
            3,
            MemberOptions {
                local_sessions: true,
                local_sessions_upgrading: upgrading,
                ..options()
            },
        );
        for id in [ensemble.leader(), ensemble.follower()] {
            let before = applied(&ensemble, id);
            let (client, session) = ensemble.session(id);
            assert_eq!(applied(&ensemble, id), before, "no transaction");
            assert_eq!(ensemble.member(id).local_sessions(), 1);
            let path = format!("/n{}", id.0);
            assert_eq!(
                ask(&mut ensemble, &client, |out| create(out, 1, &path, 0)),
                [(1, 0)]
            );
            let ephemeral = format!("/e{}", id.0);
            let replies = ask(&mut ensemble, &client, |out| {
                create(out, 2, &ephemeral, EPHEMERAL)
            });
            assert_eq!(replies, [(2, if upgrading { 0 } else { -120 })]);
            let local = ensemble.member(id).local_sessions();
            assert_eq!(local, usize::from(!upgrading));
            let other = ServerId(id.0 % 3 + 1);
            let moved = ensemble.connect(other, session, &password(session));
            assert_eq!(
                moved.wire.response().0 != 0,
                upgrading,
                "only a global session moves"
            );
            if !upgrading {
                let replies = ask(&mut ensemble, &client, |out| {
                    request(out, 3, OpCode::CloseSession, &NoBody);
                });
                assert_eq!(replies, [(3, 0)]);
                assert!(!client.is_open());
            }
        }
    }
}

#[test]
fn a_server_without_a_quorum_may_serve_reads() {
    let mut ensemble = Ensemble::new(
        3,
        MemberOptions {
            read_only_mode: true,
            // Clients would be held for so long otherwise.
            peer: zab::Options {
                sync_limit: 100,
                ..options().peer
            },
            ..options()
        },
    );
    let follower = ensemble.follower();
    let (client, _) = ensemble.session(follower);
    ask(&mut ensemble, &client, |out| create(out, 1, "/a", 0));
    let others = (1..=3).map(ServerId).filter(|id| *id != follower);
    others.clone().for_each(|other| ensemble.crash(other));
    ensemble.run_ms(1900);
    assert_eq!(ensemble.replica(follower).service(), Service::HoldingOld);
    ensemble.run_ms(200);
    assert_eq!(ensemble.replica(follower).service(), Service::ReadOnly);
    let wants_more = ensemble.connect(follower, 0, &[0; 16]);
    assert_eq!(
        wants_more.connection().outbox().ending(),
        Some(Ending::ReadOnly)
    );
    let reader = ensemble.dial(follower);
    reader.send(&crate::tests::read_only_connect_frame());
    ensemble.settle();
    assert_ne!(reader.wire.response().0, 0);
    let replies = ask(&mut ensemble, &reader, |out| {
        get(out, 1, "/a");
        set(out, 2, "/a");
        sync(out, 3);
        get(out, 4, "/a");
    });
    assert_eq!(replies, [(1, 0), (2, -119), (3, -119), (4, 0)]);
    others.for_each(|other| ensemble.start(other));
    ensemble.run_ms(3000);
    assert_eq!(
        reader.connection().outbox().ending(),
        Some(Ending::ReadOnly)
    );
    assert_eq!(ensemble.replica(follower).service(), Service::Serving);
}

#[test]
fn a_leader_that_serves_nobody_leads_and_sends_its_clients_away() {
    let mut ensemble = Ensemble::new(
        3,
        MemberOptions {
            leader_serves: false,
            ..options()
        },
    );
    let (leader, follower) = (ensemble.leader(), ensemble.follower());
    assert_eq!(ensemble.replica(leader).service(), Service::Closed);
    let refused = ensemble.connect(leader, 0, &[0; 16]);
    assert!(!refused.is_open());
    let (client, session) = ensemble.session(follower);
    let replies = ask(&mut ensemble, &client, |out| {
        create(out, 1, "/a", 0);
        sync(out, 2);
        get(out, 3, "/a");
    });
    assert_eq!(replies, [(1, 0), (2, 0), (3, 0)]);
    // Whoever leads next sends those away that it held, and they go on with those that follow.
    ensemble.crash(leader);
    ensemble.run_ms(900);
    let next = ensemble.leader();
    assert_eq!(ensemble.replica(next).service(), Service::Closed);
    let rest = ServerId(6 - leader.0 - next.0);
    assert_eq!(ensemble.replica(rest).service(), Service::Serving);
    let ending = client.connection().outbox().ending();
    let sent_away = (follower == next).then_some(Ending::LeaderServesNobody);
    assert_eq!(ending, sent_away);
    let again = ensemble.connect(rest, session, &password(session));
    assert_eq!(again.wire.response().0, session);
    let replies = ask(&mut ensemble, &again, |out| set(out, 4, "/a"));
    assert_eq!(replies, [(4, 0)]);
}

#[test]
fn a_reconfiguration_is_refused_in_order_or_put_in_force_everywhere() {
    let mut ensemble = Ensemble::new(
        3,
        MemberOptions {
            prep: PrepOptions {
                reconfig_enabled: true,
                auth: auth(),
                ..PrepOptions::default()
            },
            ..options()
        },
    );
    let follower = ensemble.follower();
    let (client, _) = ensemble.session(follower);
    let wanted = |joining: &'static str, leaving: &'static str, version| ReconfigRequest {
        joining_servers: (!joining.is_empty()).then_some(joining.into()),
        leaving_servers: (!leaving.is_empty()).then_some(leaving.into()),
        new_members: None,
        cur_config_id: version,
    };
    for (body, code) in [
        (wanted("", "3", 77), -103),
        (wanted("server.4=h4", "", -1), -8),
        (wanted("server.x=h4:1:2", "", -1), -5),
        (wanted("server.4=h1:2888:9", "", -1), -8),
        (wanted("", "2,3", -1), -8),
        (
            wanted(
                "server.4=h4:1:2,server.5=h5:1:2,server.6=h6:1:2,server.7=h7:1:2",
                "",
                -1,
            ),
            -13,
        ),
        (wanted("server.4=h4:1:2:observer", "", -1), -102),
    ] {
        let replies = ask(&mut ensemble, &client, |out| {
            request(out, 1, OpCode::Reconfig, &body);
        });
        assert_eq!(replies, [(1, code)], "{body:?}");
    }
    let credentials = AuthPacket {
        kind: 0,
        scheme: Some("digest".into()),
        auth: Some(SUPER.as_bytes()),
    };
    let replies = ask(&mut ensemble, &client, |out| {
        request(out, ReplyHeader::AUTH_XID, OpCode::Auth, &credentials);
    });
    assert_eq!(replies, [(ReplyHeader::AUTH_XID, 0)]);
    let replies = ask(&mut ensemble, &client, |out| {
        let body = wanted("server.4=h4:1:2:observer", "", -1);
        request(out, 3, OpCode::Reconfig, &body);
        get(out, 4, "/zookeeper/config");
    });
    assert_eq!(replies, [(3, 0), (4, 0)]);
    for id in (1..=3).map(ServerId) {
        let state = ensemble.replica(id).read();
        let node = state
            .tree()
            .lookup("/zookeeper/config")
            .expect("always there");
        let text = String::from_utf8_lossy(state.tree().data(node).expect("a text")).into_owned();
        assert!(text.contains("server.4=h4:1:2:observer"), "{id}: {text}");
        let member = ensemble.nodes[&id].member.as_ref().expect("it runs");
        assert_eq!(text, member.peer().configs().committed().to_string());
    }
}

#[test]
fn a_snapshot_from_the_leader_ends_all_connections() {
    let mut ensemble = Ensemble::new(3, options());
    let (leader, follower) = (ensemble.leader(), ensemble.follower());
    let (client, _) = ensemble.session(follower);
    ensemble.set_cut(follower, true);
    let (writer, _) = ensemble.session(leader);
    for xid in 0..600 {
        let path = format!("/n{xid}");
        ask(&mut ensemble, &writer, |out| create(out, xid, &path, 0));
    }
    assert!(client.is_open());
    ensemble.set_cut(follower, false);
    ensemble.run_ms(900);
    assert_eq!(
        client.connection().outbox().ending(),
        Some(Ending::StateReplaced)
    );
    assert_eq!(applied(&ensemble, follower), applied(&ensemble, leader));
    ensemble.session(follower);
}

#[test]
fn a_server_alone_is_its_own_ensemble() {
    let mut ensemble = Ensemble::new(1, options());
    let (client, session) = ensemble.session(ServerId(1));
    let replies = ask(&mut ensemble, &client, |out| {
        create(out, 1, "/a", EPHEMERAL);
        sync(out, 2);
        get(out, 3, "/a");
    });
    assert_eq!(replies, [(1, 0), (2, 0), (3, 0)]);
    ensemble.crash(ServerId(1));
    ensemble.start(ServerId(1));
    ensemble.run_ms(500);
    let again = ensemble.connect(ServerId(1), session, &password(session));
    assert_eq!(again.wire.response().0, session);
    assert!(Arc::strong_count(&again) > 0);
}
