//! Every fuzz target for a while. Needs the nightly toolchain; installs `cargo-fuzz` if missing.

use anyhow::{Result, ensure};
use std::process::Command;

use crate::workspace::{self, Step};

pub(crate) fn run(seconds: u64, only: &[String]) -> Result<()> {
    let folder = workspace::root().join("fuzz");
    ensure!(folder.is_dir(), "{} does not exist", folder.display());
    ensure!(
        Step::new("rustup", ["run", "nightly", "cargo", "--version"]).succeeds(),
        "fuzzing needs the nightly toolchain; the stable tests replay the corpora without it"
    );
    if !Step::new("cargo", ["fuzz", "--version"]).succeeds() {
        println!("cargo-fuzz is missing: installing it with cargo install cargo-fuzz");
        Step::new("cargo", ["install", "--locked", "cargo-fuzz"]).run()?;
    }
    let mut ran = 0;
    for target in targets()? {
        if !only.is_empty() && !only.contains(&target) {
            continue;
        }
        println!("{target}: {seconds} s");
        let limit = format!("-max_total_time={seconds}");
        Step::new(
            "rustup",
            ["run", "nightly", "cargo", "fuzz", "run", "--release"],
        )
        .args([target.as_str(), "--", limit.as_str()])
        .run()?;
        ran += 1;
    }
    ensure!(ran > 0, "no fuzz target of that name");
    println!("{ran} fuzz targets ran without a finding");
    Ok(())
}

/// The names of all targets.
fn targets() -> Result<Vec<String>> {
    let output = Command::new("rustup")
        .args(["run", "nightly", "cargo", "fuzz", "list"])
        .current_dir(workspace::root())
        .output()?;
    ensure!(
        output.status.success(),
        "cargo fuzz list: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let names = String::from_utf8(output.stdout)?;
    Ok(names.lines().map(str::to_owned).collect())
}
