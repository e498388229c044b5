//! Historic bugs of ZooKeeper, put back one at a time: the checks must find each of them.
//!
//! A check that never failed proves nothing. So every file in `mutants/` makes a copy of the tree
//! wrong in the way in which ZooKeeper once was, and names the check that must notice, and how.
//! Those of recipes (`RECIPES-...`) are bugs that were found here, or that such recipes have had
//! elsewhere. A mutant that survives, and one that no longer applies, fail the task.

mod check;
mod patch;
mod scratch;

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use check::{Check, Found, Programs};
use patch::Mutant;
use scratch::Scratch;

use crate::workspace;

/// A mutant that was caught.
struct Caught {
    mutant: Mutant,
    found: Found,
}

pub(crate) fn run(only: &[String]) -> Result<()> {
    let mutants = patch::read_all(only)?;
    let scratch = Scratch::prepare()?;
    check_without_mutants(&scratch, mutants.iter().map(|mutant| mutant.check.few()))?;
    let (mut caught, mut failures) = (Vec::new(), Vec::new());
    for mutant in mutants {
        println!("{}: {}", mutant.name, mutant.bug);
        match catch(&scratch, &mutant) {
            Ok(found) => caught.push(Caught { mutant, found }),
            Err(error) => {
                println!("  NOT CAUGHT: {error:#}");
                failures.push(mutant.name);
            }
        }
    }
    // What fails in the same run without the mutant was not caught, but there before.
    let again = |caught: &Caught| caught.mutant.check.again(&caught.found);
    check_without_mutants(&scratch, caught.iter().filter_map(again))?;
    print_table(&caught);
    ensure!(
        failures.is_empty(),
        "not caught: {}; what each check printed is in {}",
        failures.join(", "),
        scratch.logs().display()
    );
    println!("{} mutants, all caught", caught.len());
    Ok(())
}

/// Those that the code has changed under: they would no longer say anything.
pub(crate) fn stale() -> Result<Vec<String>> {
    let mut stale = Vec::new();
    for mutant in patch::read_all(&[])? {
        let applies = Command::new("git")
            .args(["apply", "--check", "--whitespace=nowarn"])
            .arg(&mutant.path)
            .current_dir(workspace::root())
            .output()
            .context("start git, which has to be installed")?;
        if !applies.status.success() {
            let why = String::from_utf8_lossy(&applies.stderr);
            stale.push(format!("mutants/{} no longer applies: {why}", mutant.name));
        }
    }
    Ok(stale)
}

/// The tree as it is must pass what the mutants must not.
fn check_without_mutants(scratch: &Scratch, all: impl Iterator<Item = Check>) -> Result<()> {
    let mut checks = Vec::new();
    for check in all {
        if !checks.contains(&check) {
            checks.push(check);
        }
    }
    for check in &checks {
        println!("without mutants: {check}");
        let programs = Programs::build(scratch, check)?;
        if let Some(found) = programs.run(scratch, check, "without-mutants", &[])? {
            bail!("it fails without any mutant:\n{}", found.output);
        }
    }
    Ok(())
}

/// Applies the mutant, runs its check, and takes the mutant back, whatever happened.
fn catch(scratch: &Scratch, mutant: &Mutant) -> Result<Found> {
    let found = scratch.apply(mutant).and_then(|()| {
        let programs = Programs::build(scratch, &mutant.check)?;
        programs.run(scratch, &mutant.check, &mutant.name, &mutant.passed_over)
    });
    scratch.restore(mutant)?;
    let found = found?.with_context(|| format!("it survives {}", mutant.check))?;
    ensure!(
        found.output.contains(&mutant.caught_by),
        "{} fails, but not by {:?}",
        mutant.check,
        mutant.caught_by
    );
    Ok(found)
}

fn print_table(caught: &[Caught]) {
    println!("\n| bug | invariant | caught by | seed | simulated ms | seconds |");
    println!("|---|---|---|---|---|---|");
    for Caught { mutant, found } in caught {
        println!(
            "| {}: {} | {} | {}: {} | {} | {} | {:.1} |",
            mutant.name,
            mutant.bug,
            mutant.invariant,
            mutant.check.name(),
            mutant.caught_by,
            found.seed.as_deref().unwrap_or("-"),
            found.simulated_ms.as_deref().unwrap_or("-"),
            seconds(found.took),
        );
    }
    println!();
}

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}
