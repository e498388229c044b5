//! Four-letter words on the client port.

use std::thread::sleep;
use std::time::Duration;

use jute::OpCode;
use jute::proto::{GetDataRequest, SetDataRequest};

use crate::common::{Client, Server, Wire};

#[test]
fn words_answer_and_close() {
    let server = Server::start("4lw.commands.whitelist=*");
    assert_eq!(server.word(b"ruok"), "imok");
    assert!(server.word(b"srvr").contains("Mode: standalone"));
    assert!(server.word(b"mntr").contains("zk_server_state\tstandalone"));
    assert_eq!(server.word(b"isro"), "rw");
    for word in ["conf", "cons", "dump", "envi", "stat", "wchs", "dirs"] {
        assert!(!server.word(word.as_bytes()).is_empty(), "{word}");
    }
    // What follows a word is ignored, as with `echo ruok | nc`.
    assert_eq!(server.word(b"ruok\n"), "imok");
    assert_eq!(server.word(b"gtmk"), "306");
    assert_eq!(server.word(b"stmk\0\0\0\0\0\0\0\x02"), "2");
    assert_eq!(server.word(b"gtmk"), "2");
}

/// As Apache's counts were seen to grow, the word that shows them included.
#[test]
fn all_packets_are_counted() {
    let server = Server::start("4lw.commands.whitelist=*");
    let counts = || {
        let text = server.word(b"srvr");
        ["Received: ", "Sent: "].map(|name| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|count| count.parse::<u64>().ok())
                .expect(name)
        })
    };
    let mut last = counts();
    let mut grown = || {
        let now = counts();
        let grown = [now[0] - last[0], now[1] - last[1]];
        last = now;
        grown
    };
    assert_eq!(grown(), [1, 1]);
    let mut client = Client::connect(server.address);
    assert_eq!(grown(), [2, 2], "connect");
    let read = GetDataRequest {
        path: Some("/".into()),
        watch: true,
    };
    client.call(OpCode::GetData, &read);
    assert_eq!(grown(), [2, 2], "getData");
    let set = SetDataRequest {
        path: Some("/".into()),
        data: None,
        version: -1,
    };
    client.call(OpCode::SetData, &set);
    assert_eq!(client.event().path, "/");
    assert_eq!(grown(), [2, 3], "setData, and an event");
    assert!(
        server.word(b"cons").contains("(queued=0,recved=1,sent=0)"),
        "the word's own line"
    );
    assert_eq!(grown(), [2, 2]);
    client.close();
    assert_eq!(grown(), [2, 2], "close");
}

#[test]
fn a_closed_session_is_counted_no_more() {
    let server = Server::start("4lw.commands.whitelist=cons");
    for _ in 0..20 {
        let client = Client::connect(server.address);
        let sid = format!("sid=0x{:x}", client.session);
        assert!(server.word(b"cons").contains(&sid));
        client.close();
        assert!(!server.word(b"cons").contains(&sid));
    }
}

#[test]
fn a_word_may_come_in_pieces() {
    let server = Server::start("4lw.commands.whitelist=ruok,stmk");
    for (pieces, answer) in [
        (&[&b"r"[..], b"uo", b"k"][..], &b"imok"[..]),
        (&[b"stm", b"k", b"\0\0\0\0", b"\0\0\0\x05"], b"5"),
    ] {
        let mut wire = Wire::open(server.address);
        for piece in pieces {
            wire.send(piece);
            sleep(Duration::from_millis(20));
        }
        assert_eq!(wire.rest(), answer);
    }
}

#[test]
fn what_is_not_allowed_says_so_and_what_is_no_word_is_closed() {
    let server = Server::start("");
    assert!(server.word(b"srvr").starts_with("Zookeeper version: 3.9"));
    let refused = server.word(b"ruok");
    let expected = "ruok is not executed because it is not in the whitelist.";
    assert_eq!(refused.trim_end(), expected);
    // Without waiting for a mask.
    let refused = server.word(b"stmk");
    assert!(refused.starts_with("stmk is not executed"), "{refused}");
    for not_a_word in [b"zzzz", b"RUOK", b"\xff\xf4\xff\xfd"] {
        let mut wire = Wire::open(server.address);
        wire.send(not_a_word);
        assert_eq!(wire.rest(), b"");
    }
}

#[test]
fn after_the_handshake_a_word_is_a_length() {
    let server = Server::start("4lw.commands.whitelist=*");
    let mut client = Client::connect(server.address);
    client.wire.send(b"ruok");
    assert_eq!(client.wire.rest(), b"");
}
