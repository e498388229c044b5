//! How the process starts and ends.

use std::fs;

use jute::OpCode;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::common::{Client, Server, run_to_end, set};

#[test]
fn a_stop_drains_and_a_start_has_everything() {
    let mut server = Server::start("");
    for signal in [Signal::TERM, Signal::INT] {
        let mut client = Client::connect(server.address);
        let path = client.created("/n-", 2);
        // Sent and not waited for: taken or not, the server says which.
        for _ in 0..100 {
            client.send(OpCode::SetData, &set(&path, b"value", -1));
        }
        let first = client.reply().expect("an answer");
        assert_eq!(first.err, 0);
        let (status, dir) = server.stop(signal);
        assert_eq!(status.code(), Some(0));
        let mut answered = 1;
        while let Some(reply) = client.reply() {
            assert_eq!(reply.err, 0);
            answered += 1;
        }
        server = Server::start_in(dir, "", "");
        let mut again = Client::connect(server.address);
        assert!(again.stat(&path).version >= answered);
        assert_eq!(again.data(&path).as_deref(), Some(&b"value"[..]));
    }
}

#[test]
fn sessions_outlive_a_restart() {
    let server = Server::start("");
    let mut client = Client::connect(server.address);
    client.created("/mine", 1);
    let (_, dir) = server.stop(Signal::TERM);
    let server = Server::start_in(dir, "", "");
    let mut renewed = Client::open(server.address, &client.renewal()).expect("renewed");
    assert_eq!(renewed.stat("/mine").ephemeral_owner, client.session);
    renewed.close();
    let mut other = Client::connect(server.address);
    assert_eq!(other.exists("/mine", false).err, -101);
}

/// Arguments or a file, the exit code, and words that the first line must have.
const REFUSED: &[(&[&str], &str, i32, &[&str])] = &[
    (&["server", "zoo.cfg"], "", 2, &["dataDir"]),
    (
        &["zoo.cfg"],
        "dataDir=d\nclientPort=x\n",
        2,
        &["clientPort=x", "allowed"],
    ),
    (
        &["zoo.cfg"],
        "dataDir=d\nclientPort=70000\n",
        2,
        &["clientPort=70000", "allowed"],
    ),
    (
        &["zoo.cfg"],
        "dataDir=d\ntickTime=soon\n",
        2,
        &["tickTime=soon", "allowed"],
    ),
    (
        &["zoo.cfg"],
        "dataDir=d\nclientPort=1\nminSessionTimeout=9\nmaxSessionTimeout=8\n",
        2,
        &["minSessionTimeout"],
    ),
    (
        &["zoo.cfg"],
        "dataDir=d\nserver.1=h1:1:2\nserver.2=h2:1:2\ninitLimit=5\n",
        2,
        &["syncLimit is not set"],
    ),
    (
        &["zoo.cfg"],
        "dataDir=d\nserver.1=h1:1:2\nserver.2=h2:1:2\ninitLimit=5\nsyncLimit=2\n",
        2,
        &["d/myid", "myid file is missing"],
    ),
    (&["missing.cfg"], "", 2, &["missing.cfg"]),
    (
        &["server", "1", "2", "3", "4", "5"],
        "",
        2,
        &["arguments", "allowed"],
    ),
    (&["server", "port", "d"], "", 2, &["port"]),
    (
        &["zoo.cfg"],
        "dataDir=absent\nclientPort=1\ndatadir.autocreate=false\n",
        3,
        &["absent"],
    ),
];

#[test]
fn a_bad_configuration_is_one_line_and_a_code() {
    for (arguments, text, code, words) in REFUSED {
        let dir = TempDir::new().expect("a temporary directory");
        fs::write(dir.path().join("zoo.cfg"), text).expect("a file");
        let ended = run_to_end(arguments, dir.path());
        assert_eq!(ended.code, Some(*code), "{arguments:?}: {}", ended.stderr);
        let lines: Vec<_> = ended.stderr.lines().collect();
        assert_eq!(lines.len(), 2, "{}", ended.stderr);
        for word in *words {
            assert!(lines[0].contains(word), "{word} in {}", lines[0]);
        }
        assert!(lines[1].ends_with("exiting abnormally"), "{}", lines[1]);
    }
}

#[test]
fn a_port_that_is_taken_is_named() {
    let server = Server::start("");
    let dir = TempDir::new().expect("a temporary directory");
    let port = server.address.port().to_string();
    let ended = run_to_end(&["server", &port, "d"], dir.path());
    assert_eq!(ended.code, Some(1));
    let first = ended.stderr.lines().next().expect("a line");
    assert!(first.contains(&port) && first.contains("clientPort"));
    assert!(!dir.path().join("d").exists(), "nothing was created");
}

#[test]
fn an_exceeded_soft_quota_is_logged_and_not_refused() {
    let server = Server::start("enforceQuota=true");
    let mut client = Client::connect(server.address);
    let quota = [
        ("/q", ""),
        ("/zookeeper/quota/q", ""),
        ("/zookeeper/quota/q/zookeeper_limits", "count=2,bytes=-1"),
        ("/zookeeper/quota/q/zookeeper_stats", ""),
        ("/q/within", ""),
    ];
    for (path, data) in quota {
        assert_eq!(client.create(path, data.as_bytes(), 0).err, 0, "{path}");
    }
    let line = "Quota exceeded: /q [current count=3, softCountLimit=2]";
    assert!(!server.log().contains("Quota exceeded"));
    client.created("/q/beyond", 0);
    assert!(server.log().contains(line), "{}", server.log());
    client.close();
}
