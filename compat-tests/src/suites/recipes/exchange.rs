//! What one language puts into queues and groups another takes out of them.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::process::POLL;
use crate::program::Program;
use crate::report::Report;
use crate::server::{Launcher, Server};
use crate::tree_dump;

/// A program must have done what one line says in this time.
const LIMIT: Duration = Duration::from_secs(120);

/// Entries that are put by both, and taken by both.
const MANY: usize = 60;

/// Our program beside a foreign one.
struct Pair {
    language: &'static str,
    ours: Program,
    theirs: Program,
}

/// Queues of whom, with keys and items as they are put, and the items as they come out.
type Order = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [&'static str],
);

const CURATOR: [Order; 6] = [
    (
        "simple",
        &[("-", "a"), ("-", "b"), ("-", "c")],
        &["a", "b", "c"],
    ),
    (
        "fifo",
        &[("-", "a"), ("-", "b+c+d"), ("-", "e")],
        &["a", "b", "c", "d", "e"],
    ),
    (
        "fifo-locked",
        &[("-", "a"), ("-", "b+c"), ("-", "d")],
        &["a", "b", "c", "d"],
    ),
    (
        "priority",
        &[
            ("258", "f"),
            ("0", "c"),
            ("-1", "b"),
            ("1", "d"),
            ("1", "e"),
            ("-2147483648", "a"),
        ],
        &["a", "b", "c", "d", "e", "f"],
    ),
    (
        "delay",
        &[
            ("4294967296", "d"),
            ("900", "b+c"),
            ("+700", "e"),
            ("5", "a"),
        ],
        &["a", "b", "c", "d", "e"],
    ),
    (
        "id",
        &[("z", "a"), ("x/y|z", "b"), ("a", "c")],
        &["a", "b", "c"],
    ),
];

const KAZOO: [Order; 2] = [
    (
        "queue",
        &[
            ("100", "d"),
            ("5", "b"),
            ("5", "c"),
            ("999", "e"),
            ("0", "a"),
        ],
        &["a", "b", "c", "d", "e"],
    ),
    (
        "locking",
        &[("100", "c+d"), ("5", "b"), ("999", "e"), ("0", "a")],
        &["a", "b", "c", "d", "e"],
    ),
];

pub(super) fn run(report: &mut Report, launcher: &Launcher, server: &Server) -> Result<()> {
    let mut java = launcher.installed().java_checks()?;
    java.arg("compat.Exchange");
    let mut python = Command::new(launcher.installed().python()?);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("python");
    python.arg(folder.join("exchange.py"));
    for (language, command, orders) in [
        ("Curator", java, &CURATOR[..]),
        ("kazoo", python, &KAZOO[..]),
    ] {
        let mut pair = Pair::start(language, command, server)?;
        for order in orders {
            pair.in_order(report, order);
            pair.together(report, order.0);
        }
        if language == "Curator" {
            pair.held(report, "fifo-locked");
            pair.ids(report);
            pair.members(report, "group");
            pair.nodes(report, server);
        } else {
            pair.held(report, "locking");
            pair.members(report, "party");
            pair.members(report, "shallow");
        }
        for program in [pair.ours, pair.theirs] {
            report.check(&format!("a program beside {language} ends"), || {
                program.finish(LIMIT).map(drop)
            });
        }
    }
    Ok(())
}

impl Pair {
    fn start(language: &'static str, mut theirs: Command, server: &Server) -> Result<Self> {
        let mut ours = super::example("exchange")?;
        let mut pair = Self {
            language,
            ours: Program::start(ours.arg(server.connect_string()))?,
            theirs: Program::start(theirs.arg(server.connect_string()))?,
        };
        pair.ours.until_ready(LIMIT)?;
        pair.theirs.until_ready(LIMIT)?;
        Ok(pair)
    }

    /// Ours and theirs, or the other way round, with words for it.
    fn both_ways(&mut self) -> [(String, bool); 2] {
        let language = self.language;
        [
            (format!("from Rust to {language}"), true),
            (format!("from {language} to Rust"), false),
        ]
    }

    fn programs(&mut self, ours_first: bool) -> (&mut Program, &mut Program) {
        if ours_first {
            (&mut self.ours, &mut self.theirs)
        } else {
            (&mut self.theirs, &mut self.ours)
        }
    }

    /// What one puts the other takes, in the order of the queue.
    fn in_order(&mut self, report: &mut Report, (kind, puts, expected): &Order) {
        for (way, ours_first) in self.both_ways() {
            let (puts_in, takes_out) = self.programs(ours_first);
            report.check(&format!("{kind} {way}"), || {
                let path = format!("/ordered-{kind}");
                for (key, items) in *puts {
                    tell(puts_in, &format!("put {kind} {path} {key} {items}"))?;
                }
                let taken = tell(takes_out, &format!("take {kind} {path} {}", expected.len()))?;
                ensure!(taken == *expected, "{taken:?}");
                Ok(())
            });
        }
    }

    /// Both put, and both take at the same time: each entry comes out once.
    fn together(&mut self, report: &mut Report, kind: &str) {
        let name = format!(
            "{kind}, put and taken by Rust and {} together",
            self.language
        );
        report.check(&name, || {
            let path = format!("/together-{kind}");
            let mut expected = BTreeSet::new();
            for n in 0..MANY {
                let item = format!("item-{n}");
                let (puts_in, _) = self.programs(n % 2 == 0);
                tell(puts_in, &format!("put {kind} {path} 1 {item}"))?;
                expected.insert(item);
            }
            for program in [&mut self.ours, &mut self.theirs] {
                program.tell(&format!("drain {kind} {path}"))?;
            }
            let mut taken = self.ours.until_ready(LIMIT)?;
            let ours = taken.len();
            taken.extend(self.theirs.until_ready(LIMIT)?);
            ensure!(
                taken.len() == MANY,
                "{ours} of {} taken: {taken:?}",
                taken.len()
            );
            let distinct: BTreeSet<_> = taken.into_iter().collect();
            ensure!(distinct == expected, "{distinct:?}");
            Ok(())
        });
    }

    /// What one holds the other does not get, until it is put back.
    fn held(&mut self, report: &mut Report, kind: &str) {
        for (way, ours_first) in self.both_ways() {
            let (holds, takes) = self.programs(ours_first);
            report.check(&format!("{kind}, held, {way}"), || {
                let path = format!("/held-{kind}");
                for item in ["a", "b", "c", "d"] {
                    tell(takes, &format!("put {kind} {path} 5 {item}"))?;
                }
                for (verb, others, then) in [("requeue", 3, "a"), ("consume", 0, "e")] {
                    let held = tell(holds, &format!("hold {kind} {path}"))?;
                    ensure!(held == ["a"], "held {held:?}");
                    let taken = tell(takes, &format!("take {kind} {path} {others}"))?;
                    ensure!(taken == ["b", "c", "d"][..others], "beside it {taken:?}");
                    tell(holds, verb)?;
                    if verb == "consume" {
                        tell(holds, &format!("put {kind} {path} 5 {then}"))?;
                        let taken = tell(takes, &format!("take {kind} {path} 1"))?;
                        ensure!(taken == [then], "after it {taken:?}");
                    }
                }
                Ok(())
            });
        }
    }

    fn ids(&mut self, report: &mut Report) {
        for (way, ours_first) in self.both_ways() {
            let (puts_in, removes) = self.programs(ours_first);
            report.check(&format!("id, removed, {way}"), || {
                for (id, item) in [("x", "a"), ("y", "b"), ("x", "c")] {
                    tell(puts_in, &format!("put id /removed {id} {item}"))?;
                }
                let removed = tell(removes, "remove /removed x")?;
                ensure!(removed == ["2"], "{removed:?}");
                let left = tell(puts_in, "drain id /removed")?;
                ensure!(left == ["b"], "{left:?}");
                Ok(())
            });
        }
    }

    fn members(&mut self, report: &mut Report, kind: &str) {
        let name = format!("{kind} of Rust and {}", self.language);
        report.check(&name, || {
            let path = format!("/{kind}");
            let member = |id: &str| match kind {
                "group" => format!("{id}={id}"),
                _ => id.to_owned(),
            };
            let (rust, foreign) = (member("rust-1"), member("foreign-1"));
            tell(&mut self.ours, &format!("join {kind} {path} rust-1"))?;
            self.see(kind, &path, &[&rust])?;
            tell(&mut self.theirs, &format!("join {kind} {path} foreign-1"))?;
            self.see(kind, &path, &[&foreign, &rust])?;
            tell(&mut self.ours, "leave")?;
            self.see(kind, &path, &[&foreign])?;
            tell(&mut self.theirs, "leave")?;
            let seen = tell(&mut self.ours, &format!("members {kind} {path}"))?;
            ensure!(seen.is_empty(), "{seen:?}");
            Ok(())
        });
    }

    fn see(&mut self, kind: &str, path: &str, expected: &[&str]) -> Result<()> {
        for program in [&mut self.ours, &mut self.theirs] {
            let seen = tell(program, &format!("members {kind} {path}"))?;
            ensure!(seen == expected, "{seen:?} instead of {expected:?}");
        }
        Ok(())
    }

    fn nodes(&mut self, report: &mut Report, server: &Server) {
        for (way, ours_first) in self.both_ways() {
            let (first, second) = self.programs(ours_first);
            report.check(&format!("a node goes {way}"), || {
                tell(first, "join node /kept first")?;
                tell(second, "join node /kept second")?;
                tell(first, "leave")?;
                // It is the other's own now.
                until(server, "the other's node", |tree| tree.contains("/kept"))?;
                tell(second, "leave")?;
                until(server, "no node", |tree| !tree.contains("/kept"))
            });
            report.check(&format!("a node with a time to live, kept {way}"), || {
                tell(first, "join ttl /ttl/node first")?;
                tell(second, "join ttl /ttl/node second")?;
                until(server, "a child", |tree| tree.contains("/ttl/node/touch"))?;
                tell(first, "leave")?;
                std::thread::sleep(Duration::from_secs(3));
                until(server, "the node", |tree| tree.contains("/ttl/node/touch"))?;
                tell(second, "leave")?;
                until(server, "an end", |tree| !tree.contains("/ttl/node"))
            });
        }
        let name = format!(
            "names of nodes with a number are alike in Rust and {}",
            self.language
        );
        report.check(&name, || {
            let mut shapes = Vec::new();
            for program in [&mut self.ours, &mut self.theirs] {
                tell(program, "join sequential /numbered/n- x")?;
                let tree = tree_dump::dump(server.address())?;
                let name = tree.keys().find_map(|path| path.strip_prefix("/numbered/"));
                let name = name.context("no node")?;
                let shape = |byte: char| if byte.is_ascii_hexdigit() { 'h' } else { byte };
                shapes.push(name.chars().map(shape).collect::<String>());
                tell(program, "leave")?;
                until(server, "no node", |tree| {
                    !tree.iter().any(|path| path.starts_with("/numbered/"))
                })?;
            }
            ensure!(shapes[0] == shapes[1], "{shapes:?}");
            Ok(())
        });
    }
}

/// What a program prints for a line.
fn tell(program: &mut Program, line: &str) -> Result<Vec<String>> {
    program.tell(line)?;
    program.until_ready(LIMIT).with_context(|| line.to_owned())
}

/// Waits until the paths are as they should be.
fn until(server: &Server, what: &str, is_so: impl Fn(&BTreeSet<String>) -> bool) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    loop {
        // A node may go while the tree is read.
        let tree = tree_dump::dump(server.address());
        let paths = tree.map(|tree| tree.keys().cloned().collect());
        if paths.as_ref().is_ok_and(&is_so) {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "not {what}: {paths:?}");
        std::thread::sleep(POLL);
    }
}
