//! The files in `mutants/`: a few lines that say what went wrong and who must notice, then a
//! patch as `git diff` writes it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::check::Check;
use crate::workspace;

/// Most mutants there may be.
const MUTANTS_MAX: usize = 1000;

/// A historic bug.
pub(super) struct Mutant {
    /// Its JIRA number, which is the file's name.
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// What went wrong, in one sentence.
    pub(super) bug: String,
    /// What always holds without it.
    pub(super) invariant: String,
    /// What must fail.
    pub(super) check: Check,
    /// What the check must print: the name of the checker, or of the assertion.
    pub(super) caught_by: String,
    /// What may notice first, in another run: an assertion close to the bug, for instance. Which
    /// run that is hangs on every change of timing, so these runs are passed over.
    pub(super) passed_over: Vec<String>,
    /// The files it changes, from the root of the workspace.
    pub(super) files: Vec<PathBuf>,
}

/// All mutants, or those of these names, in the order of their names.
pub(super) fn read_all(only: &[String]) -> Result<Vec<Mutant>> {
    let folder = workspace::root().join("mutants");
    let mut mutants = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("read {}", folder.display()))? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "patch")
        {
            mutants.push(read(&path).with_context(|| format!("read {}", path.display()))?);
            ensure!(
                mutants.len() <= MUTANTS_MAX,
                "more than {MUTANTS_MAX} mutants"
            );
        }
    }
    for name in only {
        let known = mutants.iter().any(|mutant| mutant.name == *name);
        ensure!(known, "no mutant is called {name}");
    }
    mutants.retain(|mutant| only.is_empty() || only.contains(&mutant.name));
    mutants.sort_by(|a, b| a.name.cmp(&b.name));
    ensure!(!mutants.is_empty(), "{} has no mutants", folder.display());
    Ok(mutants)
}

fn read(path: &Path) -> Result<Mutant> {
    let text = fs::read_to_string(path)?;
    let (head, patch) = text
        .split_once("\ndiff --git ")
        .context("there is no patch in it")?;
    let field = |name: &str| field(head, name);
    let files = patch.lines().filter_map(|line| line.strip_prefix("+++ b/"));
    let name = path.file_stem().context("it has no name")?;
    Ok(Mutant {
        name: name.to_string_lossy().into_owned(),
        path: path.to_owned(),
        bug: field("Bug")?,
        invariant: field("Invariant")?,
        check: field("Check")?.parse()?,
        caught_by: field("Caught by")?,
        passed_over: all_fields(head, "Passes over"),
        files: files.map(PathBuf::from).collect(),
    })
}

/// The value of the first `Name: value`.
fn field(head: &str, name: &str) -> Result<String> {
    let found = all_fields(head, name).into_iter().next();
    found.with_context(|| format!("no line {name}:"))
}

/// The values of all `Name: value`; each goes on in lines that begin with a space.
fn all_fields(head: &str, name: &str) -> Vec<String> {
    let mut values: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in head.lines() {
        if let Some(more) = line.strip_prefix(' ') {
            if let Some(value) = values.last_mut().filter(|_| goes_on) {
                value.push(' ');
                value.push_str(more.trim());
            }
            continue;
        }
        let value = line.strip_prefix(name);
        let value = value.and_then(|rest| rest.strip_prefix(": "));
        goes_on = value.is_some();
        values.extend(value.map(|value| value.trim().to_owned()));
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_go_on_in_lines_that_begin_with_a_space() {
        let head = "Bug: one\n two\nPasses over: a\nCheck: sim 0..9\n not b\nPasses over: c\n  d";
        for (name, values) in [
            ("Bug", &["one two"][..]),
            ("Check", &["sim 0..9 not b"]),
            ("Passes over", &["a", "c d"]),
            ("Pass", &[]),
        ] {
            assert_eq!(all_fields(head, name), values, "{name}");
        }
        assert!(field(head, "Invariant").is_err());
    }
}
