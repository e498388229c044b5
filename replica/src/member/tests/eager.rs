//! What a member refuses by itself.

use jute::OpCode;
use jute::data::{Acl, perms};
use jute::proto::{AuthPacket, CreateRequest, ReplyHeader};
use state::acl::AuthConfig;
use state::prep::PrepOptions;
use zab::ServerId;

use super::harness::{Ensemble, applied};
use super::{MemberOptions, ask, options};
use crate::Ending;
use crate::tests::{create, request, set};

const NO_AUTH: i32 = -102;

#[test]
fn what_the_own_tree_does_not_permit_makes_no_transaction_where_that_is_asked_for() {
    for eager in [false, true] {
        let mut ensemble = Ensemble::with_replica(3, options(), |replica| {
            replica.eager_acl_check = eager;
        });
        for id in (1..=3).map(ServerId) {
            let (client, _) = ensemble.session(id);
            let path = format!("/n{}", id.0);
            let made = ask(&mut ensemble, &client, |out| {
                let body = CreateRequest {
                    path: Some(path.as_str().into()),
                    data: None,
                    acl: Some(vec![Acl::new(perms::READ, "world", "anyone")]),
                    flags: 0,
                };
                request(out, 1, OpCode::Create, &body);
            });
            assert_eq!(made, [(1, 0)]);
            let before = applied(&ensemble, id);
            let refused = ask(&mut ensemble, &client, |out| set(out, 2, &path));
            assert_eq!(refused, [(2, NO_AUTH)], "{id}");
            assert_eq!(applied(&ensemble, id) == before, eager, "{id}");
            // Behind a write that is on its way the answer comes in its turn.
            let other = format!("{path}-b");
            let replies = ask(&mut ensemble, &client, |out| {
                create(out, 3, &other, 0);
                set(out, 4, &path);
                set(out, 5, &other);
            });
            assert_eq!(replies, [(3, 0), (4, NO_AUTH), (5, 0)], "{id}");
        }
    }
}

#[test]
fn who_looks_for_another_ensemble_is_left_without_a_word() {
    let named = |names: &[&str]| MemberOptions {
        prep: PrepOptions {
            auth: AuthConfig {
                ensemble_names: Some(names.iter().map(|name| (*name).to_owned()).collect()),
                ..AuthConfig::default()
            },
            ..PrepOptions::default()
        },
        ..options()
    };
    let done = [(ReplyHeader::AUTH_XID, 0)];
    for (names, asked, expected) in [
        (&["west", "south"][..], "south", Some(done)),
        (&["west", "south"], "", Some(done)),
        (&[], "north", Some(done)),
        (&["west", "south"], "north", None),
    ] {
        let mut ensemble = Ensemble::new(3, named(names));
        let (client, _) = ensemble.session(ServerId(1));
        let packet = AuthPacket {
            kind: 0,
            scheme: Some("ensemble".into()),
            auth: Some(asked.as_bytes()),
        };
        let replies = ask(&mut ensemble, &client, |out| {
            request(out, ReplyHeader::AUTH_XID, OpCode::Auth, &packet);
        });
        let expected = expected.as_ref().map_or(&[][..], |done| &done[..]);
        assert_eq!(replies, expected, "{names:?} {asked}");
        let ending = client.connection().outbox().ending();
        let left = expected.is_empty().then_some(Ending::AuthFailed);
        assert_eq!(ending, left, "{names:?} {asked}");
    }
}
