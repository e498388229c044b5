//! The load generator, as a release-built process of its own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::workspace;

/// Builds the generator with optimisation, whatever this task was built with.
pub(super) fn build() -> Result<()> {
    workspace::cargo(["build", "--release", "-p", "cli", "--example", "zkbench"]).run()
}

fn binary() -> PathBuf {
    workspace::target().join("release/examples/zkbench")
}

fn command() -> Command {
    Command::new(binary())
}

/// Whether [`build`] would leave the generator as it is, by what cargo has noted beside it.
///
/// # Errors
/// When it is older than a source, made from sources elsewhere, or not there.
pub(super) fn check_fresh() -> Result<()> {
    const BUILD: &str = "cargo build --release -p cli --example zkbench";
    let notes = fs::read_to_string(binary().with_extension("d"));
    let notes = notes.with_context(|| format!("no load generator: {BUILD}"))?;
    let built = fs::metadata(binary())?.modified()?;
    for source in sources(&notes) {
        let changed = fs::metadata(&source).and_then(|source| source.modified());
        let fresh = source.starts_with(workspace::root()) && changed.is_ok_and(|at| at <= built);
        ensure!(
            fresh,
            "the load generator is stale, for {} is newer or elsewhere: {BUILD}",
            source.display()
        );
    }
    Ok(())
}

/// The files behind the colon of a line of make, in which a space within a name has a backslash.
fn sources(notes: &str) -> Vec<PathBuf> {
    let (_, names) = notes.split_once(": ").unwrap_or_default();
    let names = names.trim().replace("\\ ", "\0");
    let names = names.split_whitespace();
    names.map(|name| name.replace('\0', " ").into()).collect()
}

/// What one run of the generator measured.
pub(super) struct Measured(Value);

impl Measured {
    /// Requests, sessions or znodes per second.
    pub(super) fn per_second(&self) -> Result<f64> {
        self.0["per_second"]
            .as_f64()
            .context("no rate in the generator's report")
    }

    /// A point of the latency distribution (`p50`, `p99`, ...), microseconds.
    pub(super) fn latency_us(&self, point: &str) -> Result<f64> {
        let us = self.0["latency_us"][point].as_f64();
        us.context("no such latency in the generator's report")
    }
}

/// Runs a load (words as on its command line) to its end. Anything unexpected is an error.
pub(super) fn run(target: &[&str], load: &str, options: &[String]) -> Result<Measured> {
    let output = command()
        .args(target)
        .args(load.split_whitespace())
        .args(options)
        .arg("--json")
        .stderr(Stdio::inherit())
        .output()
        .context("start the load generator")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "load {load}: {}\n{text}",
        output.status
    );
    let report = text
        .lines()
        .last()
        .context("the generator printed nothing")?;
    Ok(Measured(serde_json::from_str(report)?))
}

/// Idle sessions that live until this is dropped.
pub(super) struct IdleSessions(Child);

impl IdleSessions {
    /// Returns when all are open.
    pub(super) fn open(server: &str, count: usize) -> Result<Self> {
        let clients = count.to_string();
        let line = [
            "--server",
            server,
            "--op",
            "idle",
            "--duration",
            "600",
            "--clients",
            &clients,
        ];
        let mut child = command().args(line).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().context("the generator's output")?;
        let sessions = Self(child);
        let mut first = String::new();
        BufReader::new(stdout).read_line(&mut first)?;
        ensure!(first.contains("sessions are up"), "idle sessions: {first}");
        Ok(sessions)
    }
}

impl Drop for IdleSessions {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_in_the_notes_of_cargo() {
        for (notes, expected) in [
            ("", &[][..]),
            ("/t/zkbench: /w/a.rs /w/b.rs\n", &["/w/a.rs", "/w/b.rs"]),
            (
                "/t/zkbench: /w/a\\ b.rs /w/c.rs\n",
                &["/w/a b.rs", "/w/c.rs"],
            ),
        ] {
            let expected: Vec<PathBuf> = expected.iter().map(PathBuf::from).collect();
            assert_eq!(sources(notes), expected, "{notes}");
        }
    }
}
