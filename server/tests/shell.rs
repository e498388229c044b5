//! `zabkeeper shell` against a server of this process's kind: scripts, exit codes, and the
//! commands that Apache's shell does not have.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use reserved_port::ReservedPort;
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_zabkeeper");
/// A server must answer within this time.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server on a fresh directory; killed at the end.
struct Server {
    child: Child,
    address: SocketAddr,
    dir: TempDir,
}

impl Server {
    fn start() -> Self {
        let dir = TempDir::new().expect("a directory");
        let port = ReservedPort::reserve().expect("a port");
        let address = port.address();
        let child = Command::new(BINARY)
            .args(["server", &address.port().to_string()])
            .arg(dir.path().join("data"))
            .env("SERVER_JVMFLAGS", "-Dzookeeper.4lw.commands.whitelist=*")
            .env_remove("JVMFLAGS")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("started");
        let started = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(started.elapsed() < PATIENCE, "the server does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        Self {
            child,
            address,
            dir,
        }
    }

    /// Runs one command.
    fn shell(&self, arguments: &[&str]) -> Shown {
        self.run(arguments, "")
    }

    /// Gives lines to a shell.
    fn script(&self, lines: &str) -> Shown {
        self.run(&[], lines)
    }

    fn run(&self, arguments: &[&str], input: &str) -> Shown {
        let mut child = Command::new(BINARY)
            .args(["shell", "-server", &self.address.to_string()])
            .args(arguments)
            .env("TZ", "UTC")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        let mut stdin = child.stdin.take().expect("piped");
        stdin.write_all(input.as_bytes()).expect("read");
        drop(stdin);
        Shown::of(child.wait_with_output().expect("ended"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Shown {
    code: Option<i32>,
    /// Without what tells of the connection, and prompts.
    out: String,
    err: String,
}

impl Shown {
    fn of(output: Output) -> Self {
        let out = String::from_utf8(output.stdout).expect("text");
        let kept = out.lines().map(without_prompts).filter(|line| {
            let is_connection = line.starts_with("Connecting to") || line.contains("type:None");
            !is_connection && !matches!(*line, "" | "WATCHER::" | "Welcome to ZooKeeper!")
        });
        Self {
            code: output.status.code(),
            out: kept.collect::<Vec<_>>().join("\n"),
            err: String::from_utf8(output.stderr).expect("text"),
        }
    }
}

fn without_prompts(mut line: &str) -> &str {
    while let Some(rest) = line.strip_prefix("[zk: ")
        && let Some((_, behind)) = rest.split_once("] ")
    {
        line = behind;
    }
    line
}

#[test]
fn exit_codes_are_those_of_the_last_command() {
    let server = Server::start();
    for (arguments, code, out, err) in [
        (&["ls", "/"][..], 0, "[zookeeper]", ""),
        (&["create", "/a", "x"], 0, "", "Created /a\n"),
        (&["create", "/a", "x"], 1, "", "Node already exists: /a\n"),
        (&["get", "/a"], 0, "x", ""),
        (
            &["listquota", "/a"],
            0,
            "",
            "absolute path is /zookeeper/quota/a/zookeeper_limits\nquota for /a does not exist.\n",
        ),
        (&["delquota", "/a"], 0, "Quota does not exist for /a", ""),
    ] {
        let shown = server.shell(arguments);
        assert_eq!(shown.code, Some(code), "{arguments:?}");
        assert_eq!(shown.out, out, "{arguments:?}");
        assert_eq!(shown.err, err, "{arguments:?}");
    }
    let unknown = server.shell(&["bogus"]);
    assert_eq!(unknown.code, Some(127));
    assert!(
        unknown
            .err
            .ends_with("Command not found: Command not found bogus\n")
    );
    assert_eq!(server.script("bogus\nquit\n").code, Some(127));
    assert_eq!(server.script("bogus\nls /\n").code, Some(0));
}

#[test]
fn a_server_that_is_not_there_is_told_soon() {
    let nobody = ReservedPort::reserve().expect("a port");
    let output = Command::new(BINARY)
        .args(["shell", "-server", &nobody.address().to_string()])
        .args(["ls", "/"])
        .output()
        .expect("ended");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "KeeperErrorCode = ConnectionLoss for /\n"
    );
}

#[test]
fn a_single_ephemeral_outlives_its_command_and_other_sessions_do_not() {
    let server = Server::start();
    assert_eq!(server.shell(&["create", "-e", "/eph", "x"]).code, Some(0));
    assert_eq!(server.shell(&["get", "/eph"]).out, "x");
    // `quit` closes the session, as in Apache's shell.
    server.script("create -e /gone x\nquit\n");
    assert_eq!(server.shell(&["get", "/gone"]).code, Some(1));
}

const TREE: &str = "create /app 1\ncreate /app/a x\ncreate /app/a/b ''\ncreate /app/bin\n\
                    set /app/bin -b /wA=\ncreate /app/z 'two words' world:anyone:rwcda,ip:127.0.0.1:r\n";

#[test]
fn subtrees_are_drawn_and_searched() {
    let server = Server::start();
    server.script(TREE);
    assert_eq!(
        server.shell(&["tree", "/app"]).out,
        "/app\n\
         \u{251c}\u{2500}\u{2500} a\n\
         \u{2502}   \u{2514}\u{2500}\u{2500} b\n\
         \u{251c}\u{2500}\u{2500} bin\n\
         \u{2514}\u{2500}\u{2500} z\n\
         5 nodes"
    );
    for (arguments, expected) in [
        (&["find", "/app", "-name", "*b*"][..], "/app/a/b\n/app/bin"),
        (&["find", "/app", "-data", "words"], "/app/z"),
        (&["find", "/app", "-size", "+2"], "/app/bin\n/app/z"),
        (
            &["find", "/app", "-depth", "1", "-size", "1"],
            "/app\n/app/a",
        ),
        (&["find", "/app", "-type", "ephemeral"], ""),
    ] {
        assert_eq!(server.shell(arguments).out, expected, "{arguments:?}");
    }
}

#[test]
fn what_was_exported_is_imported_elsewhere() {
    let server = Server::start();
    server.script(TREE);
    let file = server.dir.path().join("app.export");
    let file = file.to_str().expect("text");
    assert_eq!(
        server.shell(&["export", "/app", file]).out,
        "Exported 5 nodes"
    );
    assert_eq!(server.shell(&["export", "/app", file]).code, Some(1));
    let shown = server.shell(&["import", file, "/copy/of"]);
    assert_eq!(shown.out, "Imported 5 nodes, set 0, kept 0");
    let copied = server.script("get /copy/of/z\ngetAcl /copy/of/z\nget -b /copy/of/bin\n");
    assert_eq!(
        copied.out,
        "two words\n'world,'anyone\n: cdrwa\n'ip,'127.0.0.1\n: r\n/wA="
    );
    let again = server.shell(&["import", file, "/copy/of"]);
    assert_eq!(again.code, Some(1));
    assert_eq!(again.err, "Node already exists: /copy/of\n");
    let kept = server.shell(&["import", "-k", file, "/copy/of"]);
    assert_eq!(kept.out, "Imported 0 nodes, set 0, kept 5");
    server.shell(&["set", "/copy/of/z", "changed"]);
    let set = server.shell(&["import", "-f", file, "/copy/of"]);
    assert_eq!(set.out, "Imported 0 nodes, set 5, kept 0");
    assert_eq!(server.shell(&["get", "/copy/of/z"]).out, "two words");
    broken(&server, Path::new(file));
}

/// A file that is cut in the middle of a line is told with the line.
fn broken(server: &Server, file: &Path) {
    let text = std::fs::read_to_string(file).expect("written");
    std::fs::write(file, &text[..text.len() - 5]).expect("written");
    let shown = server.shell(&["import", file.to_str().expect("text"), "/broken"]);
    assert_eq!(shown.code, Some(1));
    assert!(shown.err.contains("app.export, line 6: "), "{}", shown.err);
}

#[test]
fn a_subtree_is_followed_live() {
    let server = Server::start();
    server.shell(&["create", "/app", "1"]);
    let follower = Command::new(BINARY)
        .args(["shell", "-json", "-server", &server.address.to_string()])
        .args(["watch", "-d", "-n", "3", "/app"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    // The watch is set when the server says so.
    let started = Instant::now();
    while !watches(server.address).contains("watches:1") {
        assert!(started.elapsed() < PATIENCE, "no watch is set");
        std::thread::sleep(Duration::from_millis(10));
    }
    server.script("create /app/a x\nset /app/a y\ndelete /app/a\n");
    let output = follower.wait_with_output().expect("ended");
    let out = String::from_utf8(output.stdout).expect("text");
    let kinds = ["NodeCreated", "NodeDataChanged", "NodeDeleted"];
    let told = out.lines().filter(|line| line.contains("/app/a"));
    let told: Vec<&str> = told.collect();
    assert_eq!(told.len(), kinds.len(), "{out}");
    for (line, kind) in told.iter().zip(kinds) {
        assert!(line.contains(kind), "{out}");
    }
    assert_eq!(output.status.code(), Some(0));
}

/// What `wchs` says; empty if it is not served.
fn watches(address: SocketAddr) -> String {
    use std::io::Read as _;
    let mut answer = String::new();
    if let Ok(mut stream) = TcpStream::connect(address)
        && stream.write_all(b"wchs").is_ok()
    {
        let _ = stream.read_to_string(&mut answer);
    }
    answer
}

#[test]
fn servers_tell_of_themselves() {
    let server = Server::start();
    let shown = server.shell(&["-json", "top", "-n", "1"]);
    assert_eq!(shown.code, Some(0));
    assert!(
        shown.out.contains("\"mode\":\"standalone\""),
        "{}",
        shown.out
    );
    let text = server.shell(&["top", "-n", "1"]);
    assert!(
        text.out
            .lines()
            .nth(1)
            .is_some_and(|line| line.contains("standalone"))
    );
}

#[test]
fn json_has_an_object_a_line() {
    let server = Server::start();
    let shown = server.run(
        &["-json"],
        "create /a x\nget /a\nget /absent\nls /\nbogus\n",
    );
    assert_eq!(shown.err, "");
    let lines: Vec<&str> = shown
        .out
        .lines()
        .filter(|line| !line.contains("\"event\""))
        .collect();
    assert_eq!(
        lines,
        [
            r#"{"command":"create","created":"/a"}"#,
            r#"{"command":"get","data":"x","path":"/a"}"#,
            r#"{"command":"get","error":{"code":"NoNode","exitCode":1,"message":"Node does not exist: /absent","path":"/absent"}}"#,
            r#"{"children":["a","zookeeper"],"command":"ls"}"#,
            r#"{"command":"bogus","error":{"code":null,"exitCode":127,"message":"Command not found: Command not found bogus","path":null}}"#,
        ]
    );
}
