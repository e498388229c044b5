//! Foreign client libraries: each brings its own table of checks and prints a line per check.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::process::{run as run_process, tail};
use crate::report::Report;
use crate::server::{Launcher, Settings, Which};

/// Longest time that one library's whole table may take.
const LIMIT: Duration = Duration::from_secs(600);

/// Settings that every check of the libraries can rely on.
fn settings() -> Settings {
    Settings::usual()
        .cfg("enforceQuota", true)
        .property("znode.container.checkIntervalMs", 500)
}

/// Apache's Java client and Curator's recipes.
///
/// # Errors
/// When something cannot be installed or the server cannot be started.
pub(crate) fn java(launcher: &Launcher, which: Which) -> Result<bool> {
    let mut checks = launcher.installed().java_checks()?;
    checks.arg("compat.Main");
    table("java", launcher, which, checks)
}

/// kazoo and its recipes.
///
/// # Errors
/// When something cannot be installed or the server cannot be started.
pub(crate) fn kazoo(launcher: &Launcher, which: Which) -> Result<bool> {
    let mut checks = Command::new(launcher.installed().python()?);
    checks.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("python/kazoo_checks.py"));
    table("kazoo", launcher, which, checks)
}

fn table(
    suite: &'static str,
    launcher: &Launcher,
    which: Which,
    mut checks: Command,
) -> Result<bool> {
    let mut report = Report::new(suite);
    let directory = tempfile::tempdir()?;
    let server = launcher.start(which, directory.path(), &settings())?;
    checks.arg(server.connect_string());
    let done = run_process(&mut checks, LIMIT)?;
    report.absorb(suite, &done.stdout);
    let told = done.stdout.lines().any(|line| line.starts_with("FAIL "));
    if !done.status.success() && !told {
        report.fail(suite, &format!("{}: {}", done.status, tail(&done.stderr)));
    }
    server.stop()?;
    Ok(report.finish())
}
