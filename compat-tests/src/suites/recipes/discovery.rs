//! Services registered by Curator's x-discovery and by ours, each found by both.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::program::Program;
use crate::report::Report;
use crate::server::{Launcher, Server};
use crate::wire::{ConnectRequest, Cursor, Session, op, path_watch_body};

/// A program must answer within this time.
const LIMIT: Duration = Duration::from_secs(60);
/// Two instances as both list them.
const BOTH: [&str; 2] = [
    "java-1 10.0.0.1 80 443 7north 1700000000000 https://10.0.0.1:443/java-1 DYNAMIC true",
    "rust-1 10.0.0.1 80 443 7north 1700000000000 https://10.0.0.1:443/rust-1 DYNAMIC true",
];
/// The same when they have been updated. Curator writes nothing of `enabled` if it is not told to.
const UPDATED: [&str; 2] = [
    "java-1 10.0.0.1 81 - 8south 1700000000000 - DYNAMIC true",
    "rust-1 10.0.0.1 81 - 8west 1700000000000 - DYNAMIC false",
];
/// The payloads of all kinds as both show them.
const KINDS: [(&str, &str); 8] = [
    ("fraction", "1.5"),
    ("int", "7"),
    ("list", "[\"x\",\"y\"]"),
    ("long", "1099511627776"),
    ("map", "{\"a\":\"b\"}"),
    ("nothing", "null"),
    ("text", "\"hello\""),
    ("truth", "true"),
];

struct Both {
    java: Program,
    rust: Program,
}

pub(super) fn run(report: &mut Report, launcher: &Launcher, server: &Server) -> Result<()> {
    let mut java = launcher.installed().java_checks()?;
    java.arg("compat.Discovery");
    let mut rust = super::example("discover")?;
    let mut both = Both {
        java: Program::start(java.arg(server.connect_string()))?,
        rust: Program::start(rust.arg(server.connect_string()))?,
    };
    for program in [&mut both.java, &mut both.rust] {
        program.until_ready(LIMIT)?;
    }
    let mut session = Session::connect(server.address(), &ConnectRequest::fresh(600_000))?;
    report.check("discovery: each finds what the other registers", || {
        both.register()
    });
    report.check("discovery: both write the same bytes", || {
        let java = data(&mut session, "/services/web/java-1")?.replace("java-1", "ID");
        let rust = data(&mut session, "/services/web/rust-1")?.replace("rust-1", "ID");
        ensure!(java == rust, "\n  Java: {java}\n  Rust: {rust}");
        Ok(())
    });
    report.check("discovery: updates and removals are seen by both", || {
        both.update()
    });
    report.check("discovery: payloads of all kinds", || both.payloads());
    for (name, program) in [("Java", both.java), ("Rust", both.rust)] {
        report.check(&format!("discovery: {name} ends"), || {
            program.finish(LIMIT).map(drop)
        });
    }
    Ok(())
}

fn ask(program: &mut Program, line: &str) -> Result<Vec<String>> {
    program.tell(line)?;
    program.until_ready(LIMIT).with_context(|| line.to_owned())
}

impl Both {
    fn java(&mut self, line: &str) -> Result<Vec<String>> {
        ask(&mut self.java, line).context("Java")
    }

    fn rust(&mut self, line: &str) -> Result<Vec<String>> {
        ask(&mut self.rust, line).context("Rust")
    }

    /// Both must answer so.
    fn expect(&mut self, line: &str, expected: &[impl AsRef<str>]) -> Result<()> {
        let expected: Vec<_> = expected.iter().map(AsRef::as_ref).collect();
        for (name, program) in [("Java", &mut self.java), ("Rust", &mut self.rust)] {
            let told = ask(program, line)?;
            ensure!(told == expected, "{line}: {name} tells {told:#?}");
        }
        Ok(())
    }

    fn register(&mut self) -> Result<()> {
        self.java("register java-1")?;
        self.rust("register rust-1")?;
        self.expect("names", &["web"])?;
        self.expect("list", &BOTH)?;
        self.expect("cached 2", &BOTH)?;
        self.expect("picks 2", &["{java-1=3, rust-1=3}"])
    }

    fn update(&mut self) -> Result<()> {
        self.java("update java-1 south")?;
        self.rust("update rust-1 west")?;
        self.expect("list", &UPDATED)?;
        // Those that are not enabled are not picked.
        self.rust("register rust-2")?;
        self.expect("picks 2", &["{java-1=3, rust-2=3}"])?;
        self.rust("unregister rust-2")?;
        self.java("unregister java-1")?;
        self.expect("cached 1", &UPDATED[1..])?;
        self.rust("unregister rust-1")?;
        self.expect("cached 0", &[""; 0])?;
        self.expect("list", &[""; 0])
    }

    fn payloads(&mut self) -> Result<()> {
        self.java("kinds java")?;
        self.rust("kinds rust")?;
        let lines = KINDS.iter().flat_map(|(kind, payload)| {
            ["java", "rust"].map(|by| format!("{kind}-{by} {payload}"))
        });
        self.expect("show", &lines.collect::<Vec<_>>())?;
        self.java("drop")?;
        self.rust("drop")?;
        self.expect("show", &[""; 0])
    }
}

fn data(session: &mut Session, path: &str) -> Result<String> {
    let answer = session.expect(op::GET_DATA, &path_watch_body(path, false))?;
    let data = Cursor::new(&answer).buffer()?.unwrap_or_default();
    Ok(String::from_utf8_lossy(data).into_owned())
}
