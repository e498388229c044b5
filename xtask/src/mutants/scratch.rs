//! A copy of the tree that may be spoiled. It stays between mutants and between calls, as what is
//! built from it does, so that only what a mutant changes is compiled again.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::patch::Mutant;
use crate::workspace;

/// Files in the copy at the most.
const FILES_MAX: usize = 100_000;

pub(super) struct Scratch {
    folder: PathBuf,
}

impl Scratch {
    /// Brings the copy up to date. Only what differs is written, so that cargo sees no change
    /// where there is none.
    pub(super) fn prepare() -> Result<Self> {
        let scratch = Self {
            folder: workspace::target().join("mutants"),
        };
        fs::create_dir_all(scratch.tree())?;
        fs::create_dir_all(scratch.logs())?;
        let tracked = tracked()?;
        for file in &tracked {
            scratch.copy(file)?;
        }
        for file in files_below(&scratch.tree())? {
            let name = file.strip_prefix(scratch.tree())?;
            if !tracked.contains(name) {
                fs::remove_file(&file)?;
            }
        }
        Ok(scratch)
    }

    /// The copy.
    pub(super) fn tree(&self) -> PathBuf {
        self.folder.join("tree")
    }

    /// `CARGO_TARGET_DIR` of the copy.
    pub(super) fn build(&self) -> PathBuf {
        self.folder.join("build")
    }

    /// Where the output of the checks is kept.
    pub(super) fn logs(&self) -> PathBuf {
        self.folder.join("logs")
    }

    pub(super) fn apply(&self, mutant: &Mutant) -> Result<()> {
        let output = Command::new("git")
            .args(["apply", "--whitespace=nowarn"])
            .arg(&mutant.path)
            .current_dir(self.tree())
            // The copy lies inside a repository, whose paths git would go by.
            .env("GIT_CEILING_DIRECTORIES", &self.folder)
            .output()
            .context("start git")?;
        ensure!(
            output.status.success(),
            "the patch does not apply:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    pub(super) fn restore(&self, mutant: &Mutant) -> Result<()> {
        for file in &mutant.files {
            self.copy(file)?;
        }
        Ok(())
    }

    fn copy(&self, file: &Path) -> Result<()> {
        let to = self.tree().join(file);
        let wanted = fs::read(workspace::root().join(file))
            .with_context(|| format!("read {}", file.display()))?;
        if fs::read(&to).is_ok_and(|there| there == wanted) {
            return Ok(());
        }
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&to, wanted).with_context(|| format!("write {}", to.display()))
    }
}

/// The files that git knows, from the root of the workspace.
fn tracked() -> Result<BTreeSet<PathBuf>> {
    let output = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(workspace::root())
        .output()
        .context("start git")?;
    ensure!(
        output.status.success(),
        "git ls-files: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let names = String::from_utf8(output.stdout)?;
    let names = names.split('\0').filter(|name| !name.is_empty());
    Ok(names
        .map(PathBuf::from)
        .filter(|file| workspace::root().join(file).is_file())
        .collect())
}

fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                files.push(entry.path());
                ensure!(files.len() <= FILES_MAX, "more than {FILES_MAX} files");
            }
        }
    }
    Ok(files)
}
