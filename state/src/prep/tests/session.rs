use jute::data::StatPersisted;
use jute::txn::Txn;
use jute::{ErrorCode, OpCode, Zxid};

use super::harness::{NOW_MS, SESSION, Server, create_request};
use crate::acl::AclId;
use crate::prep::{Closing, Prep, PrepOptions};
use crate::state::Options;
use crate::tree::NewChild;
use jute::wire::Limits;

fn listed(txn: Txn<'_>) -> Vec<String> {
    let Txn::CloseSession(Some(txn)) = txn else {
        panic!("a closeSession with a list");
    };
    let paths = txn.paths_to_delete.into_iter().flatten().flatten();
    paths.map(|path| path.into_owned()).collect()
}

#[test]
fn sessions_open_and_close() {
    let mut server = Server::new();
    // A server of Apache's that forwards a client's createSession waits for its number, and
    // answers nobody until it comes. (Found by the suite `mixed`.)
    for cxid in [0, 7] {
        server.create_session(SESSION, cxid);
        let header = server.last().header;
        assert_eq!((header.client_id, header.cxid), (SESSION, cxid));
        server.commit();
    }
    assert_eq!(server.state.sessions().timeout_ms(SESSION), Some(4000));
    let closed = Closing::Closed(Zxid(3));
    assert_eq!(server.close_session(SESSION), closed);
    assert_eq!(listed(server.last().txn), Vec::<String>::new());
    server.commit();
    assert!(server.state.sessions().is_empty());
}

#[test]
fn the_list_is_that_of_the_tree_and_of_what_is_pending() {
    let mut server = Server::new();
    for path in ["/z", "/gone", "/again", "/kept"] {
        server.create(path, 1).expect("created");
    }
    server.create("/p", 0).expect("created");
    server.commit();
    server.create("/p/young", 1).expect("created");
    server.create("/p/plain", 0).expect("created");
    server.set_data("/kept", b"x", -1).expect("set");
    for path in ["/gone", "/again"] {
        server.delete(path, -1).expect("deleted");
    }
    server.create("/again", 0).expect("created");
    server.session = SESSION + 1;
    server.create("/others", 1).expect("created");
    server.close_session(SESSION);
    assert_eq!(listed(server.last().txn), ["/z", "/p/young", "/kept"]);
    // They are gone for requests behind it.
    assert_eq!(server.delete("/z", -1), Err(ErrorCode::NoNode));
    assert_eq!(server.delete("/p/plain", -1), Ok(()));
    assert_eq!(server.delete("/p", -1), Ok(()));
    server.commit();
    let tree = server.state.tree();
    for (path, expected) in [
        ("/others", true),
        ("/again", true),
        ("/kept", false),
        ("/p", false),
    ] {
        assert_eq!(tree.lookup(path).is_some(), expected, "{path}");
    }
}

#[test]
fn an_ephemeral_below_another_goes_first() {
    let mut server = Server::new();
    let stat = StatPersisted {
        ephemeral_owner: SESSION,
        ..StatPersisted::default()
    };
    for path in ["/e", "/e/f", "/e/f/g"] {
        server.state.insert_node(&NewChild {
            path,
            data: None,
            acl: AclId::OPEN,
            stat: &stat,
        });
    }
    server.prep = Prep::new(PrepOptions::default(), &server.state, Zxid::ZERO, 1);
    server.close_session(SESSION);
    assert_eq!(listed(server.last().txn), ["/e/f/g", "/e/f", "/e"]);
    server.commit();
    assert_eq!(server.state.ephemeral_count(), 0);
}

#[test]
fn the_list_can_be_left_out() {
    let options = PrepOptions {
        close_session_txn: false,
        ..PrepOptions::default()
    };
    let mut server = Server::with(options);
    server.create("/e", 1).expect("created");
    server.close_session(SESSION);
    assert_eq!(server.last().txn, Txn::CloseSession(None));
    server.commit();
    assert_eq!(server.state.tree().lookup("/e"), None);
}

#[test]
fn too_many_ephemerals_go_ahead_in_parts() {
    let options = Options {
        limits: Limits::new(400, 0),
        digest_enabled: true,
        ..Options::default()
    };
    let mut server = Server::with_options(PrepOptions::default(), options);
    for at in 0..30 {
        server.create(&format!("/e{at}"), 1).expect("created");
    }
    let mut shed = 0;
    while let Closing::Shed(_) = server.close_session(SESSION) {
        assert!(matches!(server.last().txn, Txn::Multi(_)));
        shed += 1;
        assert!(shed < 30, "it ends");
    }
    assert!(shed > 0);
    assert!(!listed(server.last().txn).is_empty());
    server.commit();
    assert_eq!(server.state.ephemeral_count(), 0);
    assert_eq!(server.state.tree().lookup("/e0"), None);
}

#[test]
fn the_reaper_looks_again() {
    let mut server = Server::new();
    server
        .create_with(OpCode::CreateContainer, create_request("/c", 4))
        .expect("created");
    server.create("/c/child", 0).expect("created");
    server.create("/plain", 0).expect("created");
    server.create("/e", 1).expect("created");
    server.create_ttl("/t", 5, 100).expect("created");
    let table = [
        ("/", Err(ErrorCode::BadArguments)),
        ("/zookeeper", Err(ErrorCode::BadArguments)),
        ("/no", Err(ErrorCode::NoNode)),
        ("/c", Err(ErrorCode::NotEmpty)),
        ("/plain", Err(ErrorCode::BadVersion)),
        ("/e", Err(ErrorCode::BadVersion)),
        ("/t", Err(ErrorCode::BadVersion)),
    ];
    let before = server.prep.last_zxid();
    for (path, expected) in table {
        assert_eq!(server.reap(path), expected, "{path}");
    }
    assert_eq!(server.prep.last_zxid(), before);
    server.delete("/c/child", -1).expect("deleted");
    assert_eq!(server.reap("/c"), Ok(()));
    assert_eq!(server.last().header.client_id, 0);
    assert_eq!(server.reap("/c"), Err(ErrorCode::NoNode));
    server.now_ms = NOW_MS + 100;
    assert_eq!(server.reap("/t"), Err(ErrorCode::BadVersion));
    server.set_data("/t", b"", -1).expect("set");
    server.now_ms += 100;
    assert_eq!(server.reap("/t"), Err(ErrorCode::BadVersion));
    server.now_ms += 1;
    assert_eq!(server.reap("/t"), Ok(()));
    server.commit();
}
