//! A set divided among members in Rust and Python. Each makes a node for each item that it has,
//! which must not be there: no item is two members' at a time.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::program::Program;
use crate::report::Report;
use crate::server::{Launcher, Server};
use crate::wire::{ConnectRequest, Session, create_body, op};

/// A program must answer within this time.
const LIMIT: Duration = Duration::from_secs(60);
const ITEMS: &str = "a,b,c,d,e";
const PATH: &str = "/partition";
/// Below it are the nodes of items that are held.
const HELD: &str = "/held";

pub(super) fn run(report: &mut Report, launcher: &Launcher, server: &Server) -> Result<()> {
    let mut session = Session::connect(server.address(), &ConnectRequest::fresh(600_000))?;
    session.expect(op::CREATE, &create_body(HELD, b"", 0))?;
    let mut python = Command::new(launcher.installed().python()?);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("python");
    python.arg(folder.join("partition.py"));
    let mut rust = super::example("partition")?;
    let mut rust = Program::start(rust.arg(server.connect_string()))?;
    let mut kazoo = Program::start(python.arg(server.connect_string()))?;
    for program in [&mut rust, &mut kazoo] {
        program.until_ready(LIMIT)?;
    }
    report.check(
        "a set is divided between Rust and kazoo, again and again",
        || divide(&mut rust, &mut kazoo),
    );
    for (name, program) in [("Rust", rust), ("kazoo", kazoo)] {
        report.check(&format!("{name} ends its membership"), || {
            program.finish(LIMIT).map(drop)
        });
    }
    Ok(())
}

/// The identifiers are `1` in Rust and `2` in Python; members and items are sorted.
fn divide(rust: &mut Program, kazoo: &mut Program) -> Result<()> {
    ask(rust, &format!("join 1 {PATH} {ITEMS}"))?;
    holds(rust, ITEMS)?;
    for _ in 0..2 {
        ask(kazoo, &format!("join 2 {PATH} {ITEMS}"))?;
        holds(rust, "a,c,e")?;
        holds(kazoo, "b,d")?;
        ask(rust, "leave")?;
        holds(kazoo, ITEMS)?;
        ask(rust, &format!("join 1 {PATH} {ITEMS}"))?;
        holds(kazoo, "b,d")?;
        holds(rust, "a,c,e")?;
        ask(kazoo, "leave")?;
        holds(rust, ITEMS)?;
    }
    ask(rust, "leave").map(drop)
}

fn ask(program: &mut Program, line: &str) -> Result<Vec<String>> {
    program.tell(line)?;
    program.until_ready(LIMIT).with_context(|| line.to_owned())
}

fn holds(program: &mut Program, items: &str) -> Result<()> {
    let told = ask(program, &format!("holds {}", items.split(',').count()))?;
    ensure!(told == [items], "{told:?} instead of {items}");
    Ok(())
}
